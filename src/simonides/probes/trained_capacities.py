"""Capacity of memories that are trained: each number of facts is trained for anew, all runs in one stack."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.memories import StackedFacts, TrainableLinear, TrainableMemories, TrainableMLP
from simonides.probes.capacities import Associations, Capacity, _copy, _solve_n_log_n, on_spheres, search
from simonides.training import Record, Records, fit

TRAINED = ("linear", "mlp")


# a run is given up where its errors, falling as 1/t from now on, would at the end still be this many times too
# many; of 100 runs of memories that reached 99 %, none would have been lost, and at half of it one
_HOPE = 4.0


def trained_capacity(
    kind: str,
    d: int,
    generators: Sequence[torch.Generator],
    width: int = 0,
    associations: Associations | None = None,
    accuracy: float = 0.99,
    steps: int | None = None,
    learning_rate: float | None = None,
    ratio: float = 1.01,
    device: torch.device | str = "cpu",
) -> Capacity:
    """How many facts a memory trained by Adam stores: Nichani, Lee & Bietti (2025, figure 1).

    Full-batch cross-entropy over all facts; a number of facts counts as stored when one of 128 checkpoints
    recalls the share `accuracy`. A run stops at the first that does, and is given up when it will hardly.

    Arguments:
        kind: "linear", W from zero by 2^12 steps at rate 1000; or "mlp", one hidden ReLU layer with bias by
            2^15 steps at rate 0.03.
        d: width of inputs and outputs.
        generators: one for each run; they are left as they were.
        width: m, the hidden units of the MLP.
        associations: draws the facts; by default N facts with an answer each, on unit spheres.
        accuracy: below one.
        steps: other than the above.
        learning_rate: other than the above.
        ratio: how closely the capacity is bracketed.
        device: where to train.

    Raises:
        SimonidesError: when the kind is unknown or a size makes no sense.
    """
    check_name("kind of trained memory", kind, TRAINED)
    check_at_least("d", d, 2)
    if kind == "mlp":
        check_at_least("width", width, 1)
    draw = associations or on_spheres(d)
    steps = steps or (2**12 if kind == "linear" else 2**15)
    rate = learning_rate or (1000.0 if kind == "linear" else 0.03)

    def adam(parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=rate, fused=True)

    def accuracies(sizes: Mapping[int, int]) -> dict[int, float]:
        copies = [_copy(generators[run]) for run in sizes]
        drawn = [draw(size, generator) for size, generator in zip(sizes.values(), copies, strict=True)]
        facts = StackedFacts.stack([(i.to(device), o.to(device), t.to(device)) for i, o, t in drawn])
        model = TrainableLinear(facts) if kind == "linear" else TrainableMLP(facts, width, copies)
        best = best_accuracies(model, adam, steps, min(128, steps), accuracy, give_up=True)
        return dict(zip(sizes, best.tolist(), strict=True))

    # the paper's guides: d^2 = 1.3 N log N for the matrix, m d = 0.35 N log N for the MLP
    total = d * d if kind == "linear" else 2.9 * width * d
    return search(accuracies, len(generators), _solve_n_log_n(total), accuracy, least=2, ratio=ratio)


def best_accuracies(
    model: TrainableMemories,
    optimiser: Callable[[Sequence[Tensor]], torch.optim.Optimizer],
    steps: int,
    checkpoints: int,
    goal: float,
    give_up: bool = False,
) -> Float[Tensor, " runs"]:
    """Train memories on all their facts; the best accuracy of each over evenly spaced checkpoints.

    A run leaves the stack at the first checkpoint that reaches the goal.

    Arguments:
        model: the runs.
        optimiser: makes an optimiser of entry-wise updates from the stacked parameters.
        steps: at most.
        checkpoints: how often accuracy is measured, the last after the last step.
        goal: the accuracy at which a run is finished.
        give_up: whether to stop a run that will hardly reach the goal: where, with b(t) the best accuracy up to
            step t, (1 - b(t)) t/steps > 4 (1 - goal). Errors of runs that got there fell at least as 1/t. It is a
            forecast, not a proof.

    Raises:
        SimonidesError: when steps are fewer than checkpoints, or runs are to be given up with a goal of one.
    """
    check_at_least("checkpoints", checkpoints, 1)
    check_at_least("steps", steps, checkpoints)
    if give_up and not goal < 1:
        raise SimonidesError(f"goal = {goal}: only runs with a goal below one can be given up.")
    best = torch.zeros(model.runs)
    alive = torch.arange(model.runs)

    def finished(record: Record, step: int) -> Tensor:
        nonlocal alive
        accuracy = record["accuracy"].float()
        best[alive] = torch.maximum(best[alive], accuracy)
        lost = ((1 - best[alive]) * step / steps > _HOPE * (1 - goal)) & give_up
        done = (best[alive] >= goal) | lost
        alive = alive[~done]
        return done

    history = fit(
        model,
        lambda memories, _: memories.loss(),
        lambda generator: None,
        optimiser,
        steps,
        torch.Generator(),
        records=Records(
            every=max(1, steps // checkpoints), probes={"accuracy": lambda m: m.accuracy()}, retire=finished
        ),
    )
    return torch.maximum(best, history.column("accuracy")[-1].float())
