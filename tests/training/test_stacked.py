import pytest
import torch

from simonides.base import SimonidesError
from simonides.memories import LinearTraining, StackedFacts, embeddings
from simonides.training import train


def problem(sizes, d=8):
    drawn = []
    for seed, size in enumerate(sizes):
        g = torch.Generator().manual_seed(seed)
        inputs, outputs = (embeddings.sphere(size, d, g).double() for _ in range(2))
        drawn.append((inputs, outputs, torch.arange(size)))
    return LinearTraining(facts=StackedFacts.stack(drawn))


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.05)


def test_is_torchs_adam_run_by_run():
    found = train(problem([6, 9, 12]), adam, steps=40, checkpoints=1)
    for run, size in enumerate([6, 9, 12]):
        alone = problem([6, 9, 12]).keep(torch.tensor([run]))
        weight = torch.zeros(1, 8, 8, dtype=torch.float64, requires_grad=True)
        method = adam([weight])
        for _ in range(40):
            method.zero_grad()
            logits = alone.facts.inputs[0, :size] @ weight[0].T @ alone.facts.outputs[0, :size].T
            torch.nn.functional.cross_entropy(logits, torch.arange(size)).backward()
            method.step()
        torch.testing.assert_close(found.parameters[0][run], weight.detach()[0], rtol=1e-8, atol=1e-10)


def test_a_run_that_leaves_is_not_noticed_by_the_others():
    """The first run reaches the goal early; the optimiser's memory of the others goes on."""
    sizes = [3, 40, 45]
    early = train(problem(sizes), adam, steps=64, checkpoints=64, goal=0.97)
    late = train(problem(sizes), adam, steps=64, checkpoints=64)
    assert early.steps[0] < 64
    for run in (1, 2):
        assert early.best[run] == late.best[run]
        torch.testing.assert_close(early.parameters[0][run], late.parameters[0][run])


def test_the_best_checkpoint_is_kept():
    found = train(problem([30]), lambda p: torch.optim.Adam(p, lr=1000.0), steps=64, checkpoints=64)
    again = problem([30]).accuracy(found.parameters)
    assert float(again[0]) == pytest.approx(float(found.best[0]))


def test_hopeless_runs_are_given_up_and_solved_ones_are_not():
    found = train(problem([10, 200]), lambda p: torch.optim.Adam(p, lr=1000.0), 512, goal=0.99, give_up=True)
    assert found.hopeless == (1,)
    assert found.best[0] >= 0.99
    assert found.steps[1] < 512


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 3, "checkpoints": 4}, "steps = 3 is too small"),
        ({"steps": 8, "checkpoints": 0}, "checkpoints = 0"),
        ({"steps": 8, "checkpoints": 4, "give_up": True}, "goal below one"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(SimonidesError, match=message):
        train(problem([4]), adam, **options)
