"""The written-out gradients against autograd and torch's cross-entropy."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from simonides.memories import LinearTraining, MLPTraining, StackedFacts, embeddings

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


def problem(kind, drawn):
    stacked = StackedFacts.stack(drawn)
    if kind == "linear":
        return LinearTraining(facts=stacked)
    return MLPTraining.draw(stacked, 5, [torch.Generator().manual_seed(seed) for seed in range(len(drawn))])


@pytest.mark.parametrize("block", [2**19, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_loss_and_accuracy_of_runs_of_different_sizes(kind, block, generator, monkeypatch):
    monkeypatch.setattr("simonides.memories.trainable._BLOCK", block)
    drawn = facts()
    found = problem(kind, drawn)
    parameters = [torch.randn(p.shape, generator=generator).double() for p in found.start()]
    gradient, loss, accuracy = found.gradient(parameters), found.loss(parameters), found.accuracy(parameters)
    for run, (inputs, outputs, targets) in enumerate(drawn):
        own = [p[run].clone().requires_grad_() for p in parameters]
        logits = KINDS[kind](inputs, *own) @ outputs.T
        expected = cross_entropy(logits, targets)
        for ours, theirs in zip(gradient, torch.autograd.grad(expected, own), strict=True):
            torch.testing.assert_close(ours[run], theirs, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(loss[run], expected)
        assert accuracy[run] == (logits.argmax(-1) == targets).double().mean()


@pytest.mark.parametrize("kind", KINDS)
def test_keeping_some_runs_changes_nothing_for_them(kind, generator):
    found = problem(kind, facts())
    parameters = [torch.randn(p.shape, generator=generator).double() for p in found.start()]
    index = torch.tensor([0, 2])
    fewer = found.keep(index).gradient([p[index] for p in parameters])
    for ours, theirs in zip(fewer, found.gradient(parameters), strict=True):
        torch.testing.assert_close(ours, theirs[index])


@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_returns_what_was_trained(kind, generator):
    found = problem(kind, facts())
    parameters = [torch.randn(p.shape, generator=generator).double() for p in found.start()]
    memory = found.memory(parameters)
    for run, (inputs, _, _) in enumerate(facts()):
        expected = KINDS[kind](inputs, *(p[run] for p in parameters))
        torch.testing.assert_close(memory(StackedFacts.stack(facts()).inputs)[run, : len(inputs)], expected)
