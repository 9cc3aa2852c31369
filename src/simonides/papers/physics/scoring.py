"""Errors of one-step predictions by system, of a model or of any predictor of the next frame."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.metrics import nrmse, vrmse
from simonides.papers.physics.windows import Pool, Windows
from simonides.training import in_eval_mode

# windows that are looked at together
_AT_ONCE = 32
# the loss and the errors divide by the mean square plus 1e-7, so a field smaller than this counts for nothing
_SMALLEST = 1e-5


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Errors of one-step predictions, averaged over windows and fields.

    Arguments:
        nrmse, vrmse: of the model, as in `metrics`.
        persistence: NRMSE of the last frame.
        extrapolation: NRMSE of the last frame and the last increment once more.
        by_field: NRMSE of each field; one that never changes has no part in the means.
        windows: how many were looked at; those with a frame that is constant in every field are left out.
    """

    nrmse: float
    vrmse: float
    persistence: float
    extrapolation: float
    by_field: Mapping[str, float]
    windows: int


Predictor = Callable[[Windows], Float[Tensor, "batch fields *space"]]


def evaluate(model: AViT, watched: Iterable[Pool], count: int = 64) -> dict[str, Scores]:
    """Errors of one-step predictions by system, each source's average counting alike.

    Arguments:
        model: in any mode; it is left in it.
        watched: pools of the windows.
        count: windows of each pool, evenly spaced over trajectories and times.

    Raises:
        SimonidesError: when a prediction is not finite.
    """
    device = next(model.parameters()).device

    def predict(windows: Windows) -> Tensor:
        return model(windows.seen.to(device), windows.fields, windows.boundaries).cpu()

    with in_eval_mode(model), torch.no_grad():
        return score(predict, watched, count)


def score(predict: Predictor, watched: Iterable[Pool], count: int = 64) -> dict[str, Scores]:
    """Errors of any predictor of the next frame; `evaluate` is that of a model.

    Raises:
        SimonidesError: when there is nothing to look at, or a prediction is not finite or of another shape.
    """
    found: dict[str, list[tuple[Pool, Float[Tensor, "errors fields"], int]]] = {}
    for pool in watched:
        numbers = pool.spread(count)
        _check_sizes(pool, numbers)
        with torch.no_grad():
            rows = [
                _errors(predict, pool, pool.batch(numbers[first : first + _AT_ONCE]))
                for first in range(0, len(numbers), _AT_ONCE)
            ]
        found.setdefault(pool.source.system, []).append((pool, torch.cat(rows, 1).double().mean(1), len(numbers)))
    if not found:
        raise SimonidesError("there are no windows to look at; give at least one pool.")
    return {system: _scores(parts) for system, parts in found.items()}


def _check_sizes(pool: Pool, numbers: list[int]) -> None:
    """Raise `SimonidesError` where a field is so small that the constant in the errors' denominator hides it."""
    squares = torch.stack([pool.window(number).double().square().flatten(2).mean((0, 2)) for number in numbers])
    for name, square in zip(pool.source.fields, squares.mean(0).tolist(), strict=True):
        if 0 < square < _SMALLEST:
            raise SimonidesError(
                f"{pool.source.place}: {name} has a root mean square of {square**0.5:.3g}; errors relative to "
                "mean square + 1e-7 say nothing of it. Bring it to other units, of about 1."
            )


def _errors(predict: Predictor, pool: Pool, windows: Windows) -> Float[Tensor, "errors batch fields"]:
    """NRMSE and VRMSE of a predictor, NRMSE of the last frame and of the last increment repeated."""
    seen, truth = windows.seen, windows.following[:, 0]
    axes = truth.dim() - 2
    answer = predict(windows)
    if not bool(torch.isfinite(answer).all()):
        raise SimonidesError(f"the prediction of {pool.source.place} is not finite; the model has diverged.")
    last = seen[:, -1]
    before = seen[:, -2] if seen.shape[1] > 1 else last
    kinds = (
        nrmse(answer, truth, axes),
        vrmse(answer, truth, axes),
        nrmse(last, truth, axes),
        nrmse(2 * last - before, truth, axes),
    )
    return torch.stack(kinds)


def _scores(parts: list[tuple[Pool, Float[Tensor, "errors fields"], int]]) -> Scores:
    """Every source counts alike; a field is averaged over the sources that have it.

    A field that never changes, of which the last frame is the truth, is left out of the means.
    """
    changing = [errors[:, errors[2] > 0] for _, errors, _ in parts]
    own = [kept if kept.shape[1] else errors for kept, (_, errors, _) in zip(changing, parts, strict=True)]
    means = torch.stack([errors.mean(1) for errors in own]).mean(0).tolist()
    fields: dict[str, list[float]] = {}
    for pool, errors, _ in parts:
        for name, error in zip(pool.source.fields, errors[0].tolist(), strict=True):
            fields.setdefault(name, []).append(error)
    return Scores(
        nrmse=means[0],
        vrmse=means[1],
        persistence=means[2],
        extrapolation=means[3],
        by_field={name: sum(values) / len(values) for name, values in fields.items()},
        windows=sum(count for _, _, count in parts),
    )
