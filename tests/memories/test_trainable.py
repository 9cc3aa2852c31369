"""The written-out gradients against autograd and torch's cross-entropy."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from simonides.base import SimonidesError
from simonides.memories import (
    Population,
    PopulationMemory,
    StackedFacts,
    TrainableLinear,
    TrainableMLP,
    embeddings,
)
from simonides.memories.laws.gradients import population_gradient

SIZES = [(12, 12), (9, 14), (15, 7)]


def facts(d=6):
    found = []
    for seed, (inputs, answers) in enumerate(SIZES):
        g = torch.Generator().manual_seed(seed)
        found.append(
            (
                embeddings.sphere(inputs, d, g).double(),
                embeddings.sphere(answers, d, g).double(),
                torch.randint(answers, (inputs,), generator=g),
            )
        )
    return found


def linear(inputs, w):
    return inputs @ w.T


def mlp(inputs, w, v):
    return torch.relu(inputs @ w[:, :-1].T + w[:, -1]) @ v.T


KINDS = {"linear": linear, "mlp": mlp}


def memories(kind, drawn):
    stacked = StackedFacts.stack(drawn)
    if kind == "linear":
        model = TrainableLinear(stacked)
    else:
        model = TrainableMLP(stacked, 5, [torch.Generator().manual_seed(seed) for seed in range(len(drawn))])
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("block", [2**19, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_loss_and_accuracy_of_runs_of_different_sizes(kind, block, monkeypatch):
    monkeypatch.setattr("simonides.memories.trainable._BLOCK", block)
    drawn = facts()
    model = memories(kind, drawn)
    loss, accuracy = model.loss(), model.accuracy()
    gradient = torch.autograd.grad((loss * torch.tensor([1.0, 2.0, 3.0])).sum(), list(model.parameters()))
    for run, (inputs, outputs, targets) in enumerate(drawn):
        own = [p[run].detach().clone().requires_grad_() for p in model.parameters()]
        logits = KINDS[kind](inputs, *own) @ outputs.T
        expected = cross_entropy(logits, targets)
        for ours, theirs in zip(gradient, torch.autograd.grad(expected, own), strict=True):
            torch.testing.assert_close(ours[run], (run + 1) * theirs, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(loss[run], expected)
        assert accuracy[run] == (logits.argmax(-1) == targets).double().mean()


@pytest.mark.parametrize("kind", KINDS)
def test_runs_that_stay_are_not_changed_and_all_come_back(kind):
    model, whole = memories(kind, facts()), memories(kind, facts())
    left = {1: model.state_of(1)}
    model.keep(torch.tensor([0, 2]))
    torch.testing.assert_close(model.loss(), whole.loss()[[0, 2]])
    model.put_back([0, 2], left)
    assert torch.equal(model.loss(), whole.loss())


@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_returns_what_was_trained(kind):
    model = memories(kind, facts())
    for run, (inputs, _, _) in enumerate(facts()):
        expected = KINDS[kind](inputs, *(p[run] for p in model.parameters()))
        torch.testing.assert_close(model.memory()(model.facts.inputs)[run, : len(inputs)], expected)


def test_a_population_learns_as_its_gradient_says():
    generator = torch.Generator().manual_seed(0)
    e, u = (torch.randn(2, n, 4, generator=generator, dtype=torch.float64) for n in (6, 3))
    targets, p = torch.arange(6) % 3, torch.softmax(torch.arange(6.0).double(), 0)
    model = PopulationMemory(Population(inputs=e, outputs=u, targets=targets, probabilities=p))
    with torch.no_grad():
        model.get_parameter("weight").copy_(torch.randn(2, 4, 4, generator=generator))
    (gradient,) = torch.autograd.grad(model.loss().sum(), [model.get_parameter("weight")])
    for run in range(2):
        weight = model.get_parameter("weight")[run].detach()
        labels = torch.nn.functional.one_hot(targets, 3).double()
        torch.testing.assert_close(gradient[run], population_gradient(weight, e[run], u[run], labels, p))
    with pytest.raises(SimonidesError, match="cannot be trained"):
        PopulationMemory(Population(inputs=e, outputs=u, targets=targets, probabilities=p), trained=("W",))
