"""Rolling out: predictions that are fed back, with errors by step, field and band beside simple baselines."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.metrics import band_errors, vrmse
from simonides.papers.physics.windows import Pool, Windows
from simonides.training import in_eval_mode

# a prediction this many standard deviations off is worse than any constant: it has left the truth
_BLOWN_UP = 1.0
BANDS = ("large", "middle", "small")


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Windows continued step by step.

    Arguments:
        truth: the frames behind the windows.
        predicted: by the model, each from the frames before, its own ones as they come.
        errors: VRMSE of each window, step and field (1 is the error of the spatial mean).
        persistence: of the last frame that was seen.
        extrapolation: of the last frame and as many times the last increment.
        bands: error over power in bands of wave number, from large structures to small.
        fields: names of the fields.
        times: of the steps, from the last frame that was seen.
    """

    truth: Float[Tensor, "windows steps fields *space"]
    predicted: Float[Tensor, "windows steps fields *space"]
    errors: Float[Tensor, "windows steps fields"]
    persistence: Float[Tensor, "windows steps fields"]
    extrapolation: Float[Tensor, "windows steps fields"]
    bands: Float[Tensor, "windows steps fields bands"]
    fields: tuple[str, ...]
    times: Float[Tensor, " steps"]

    def blow_up_times(self) -> Float[Tensor, " windows"]:
        """When the mean error over fields first exceeds 1, or is no longer finite; infinite where it never does."""
        means = self.errors.mean(2)
        gone = ~(means <= _BLOWN_UP)
        first = gone.float().argmax(1)
        return torch.where(gone.any(1), self.times[first], torch.inf)


Step = Callable[[Windows], Float[Tensor, "batch fields *space"]]


def roll_out(model: AViT | Step, pool: Pool, windows: int = 4) -> Rollout:
    """Continue windows for as many frames as follow them.

    Arguments:
        model: or any predictor of the frame behind a window.
        pool: of windows with the frames ahead that are to be predicted.
        windows: how many, evenly spaced over trajectories and times; those with a constant frame are left out.

    Raises:
        SimonidesError: when every window has a frame that is constant in all fields, or a prediction has another shape.
    """
    given = pool.batch(pool.spread(windows))
    truth, axes = given.following, given.following.dim() - 3
    step = _step_of(model)
    with torch.no_grad():
        predicted = continued(step, given, pool.ahead)
    last = given.seen[:, -1:].expand_as(truth)
    moved = given.seen[:, -1:] - given.seen[:, -2:-1] if given.seen.shape[1] > 1 else torch.zeros_like(last)
    counts = torch.arange(1, pool.ahead + 1).reshape(1, -1, *[1] * (axes + 1))
    times = pool.source.times
    spacing = float((times[-1] - times[0]) / max(len(times) - 1, 1)) * pool.stride
    return Rollout(
        truth=truth,
        predicted=predicted,
        errors=vrmse(predicted, truth, axes),
        persistence=vrmse(last, truth, axes),
        extrapolation=vrmse(last + counts * moved, truth, axes),
        bands=band_errors(predicted, truth, axes, len(BANDS)),
        fields=pool.source.fields,
        times=spacing * torch.arange(1, pool.ahead + 1),
    )


def _step_of(model: AViT | Step) -> Step:
    if not isinstance(model, AViT):
        return model
    device = next(model.parameters()).device

    def step(windows: Windows) -> Tensor:
        with in_eval_mode(model), torch.no_grad():
            answer: Tensor = model(windows.seen.to(device), windows.fields, windows.boundaries)
        return answer.cpu()

    return step


def continued(step: Step, given: Windows, steps: int) -> Float[Tensor, "batch steps fields *space"]:
    """Frames predicted one after the other: each is appended to its window, whose oldest frame is dropped.

    Raises:
        SimonidesError: when a prediction has another shape than a frame.
    """
    seen, out = given.seen, []
    for _ in range(steps):
        answer = step(
            Windows(seen=seen, following=given.following, fields=given.fields, boundaries=given.boundaries)
        )
        if answer.shape != seen[:, 0].shape:
            raise SimonidesError(
                f"the predictor gives frames of shape {list(answer.shape)}, not {list(seen[:, 0].shape)}."
            )
        out.append(answer)
        seen = torch.cat([seen[:, 1:], answer[:, None]], 1)
    return torch.stack(out, 1)
