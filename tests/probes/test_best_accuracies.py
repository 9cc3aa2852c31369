"""Training stacked memories to a goal: run by run as torch's, and none notices that another leaves."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.memories import StackedFacts, TrainableLinear, embeddings
from simonides.probes import best_accuracies
from simonides.training import fit


def memories(sizes, d=8):
    drawn = []
    for seed, size in enumerate(sizes):
        g = torch.Generator().manual_seed(seed)
        inputs, outputs = (embeddings.sphere(size, d, g).double() for _ in range(2))
        drawn.append((inputs, outputs, torch.arange(size)))
    return TrainableLinear(StackedFacts.stack(drawn))


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.05)


def test_is_torchs_adam_run_by_run():
    model = memories([6, 9, 12])
    fit(model, lambda m, _: m.loss(), lambda _: None, adam, 40, torch.Generator())
    for run, size in enumerate([6, 9, 12]):
        weight = torch.zeros(1, 8, 8, dtype=torch.float64, requires_grad=True)
        method = adam([weight])
        for _ in range(40):
            method.zero_grad()
            logits = model.facts.inputs[run, :size] @ weight[0].T @ model.facts.outputs[run, :size].T
            torch.nn.functional.cross_entropy(logits, torch.arange(size)).backward()
            method.step()
        torch.testing.assert_close(model.weight.detach()[run], weight.detach()[0], rtol=1e-8, atol=1e-10)


def test_a_run_that_leaves_is_not_noticed_by_the_others():
    """The first run reaches the goal early; the optimiser's memory of the others goes on."""
    sizes = [3, 40, 45]
    early, late = memories(sizes), memories(sizes)
    found = best_accuracies(early, adam, 64, 64, goal=0.97)
    other = best_accuracies(late, adam, 64, 64, goal=2.0)
    assert found[0] == 1 and early.runs == 3
    assert not torch.equal(early.weight[0], late.weight[0])
    for run in (1, 2):
        assert found[run] == other[run]
        torch.testing.assert_close(early.weight[run], late.weight[run])


def test_hopeless_runs_are_given_up_and_solved_ones_are_not():
    model = memories([10, 200])
    seen = []

    def counted(parameters):
        method = torch.optim.Adam(parameters, lr=1000.0)
        method.register_step_post_hook(lambda *_: seen.append(1))
        return method

    found = best_accuracies(model, counted, 512, 128, goal=0.99, give_up=True)
    assert found[0] >= 0.99 and found[1] < 0.99
    assert len(seen) < 512


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 3, "checkpoints": 4, "goal": 0.9}, "steps = 3 is too small"),
        ({"steps": 8, "checkpoints": 0, "goal": 0.9}, "checkpoints = 0"),
        ({"steps": 8, "checkpoints": 4, "goal": 1.0, "give_up": True}, "goal below one"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(SimonidesError, match=message):
        best_accuracies(memories([4]), adam, **options)
