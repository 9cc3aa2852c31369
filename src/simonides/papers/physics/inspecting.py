"""What data hold, and whether they can be learnt from: sizes, parameters, ranges, and how much a step changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, painted
from simonides.papers.physics.file_source import Boundaries
from simonides.papers.physics.simulations import AXES, Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TRAJECTORIES, _FRAMES = 8, 8
_STRIDES = (1, 5)
# values that are read of one source at most
_MOST_VALUES = 2**27
# of MPP's loss: its denominator is never less
_LEAST = 1e-7


@dataclass(frozen=True, kw_only=True)
class FieldSummary:
    """The values of one channel in the frames that were looked at.

    Arguments:
        least, mean, std, most: of the values.
        persistence: by stride in frames, the NRMSE of the guess that nothing changes: the root of the mean over space
            of the squared change over the mean square of the later frame, averaged over frames (PDEBench's
            convention). Strides longer than the trajectories are left out.
    """

    least: float
    mean: float
    std: float
    most: float
    persistence: Mapping[int, float]


@dataclass(frozen=True, kw_only=True)
class SourceSummary:
    """What a source holds.

    Arguments:
        system, split, place, trajectories, steps, shape, boundaries: as the source has them.
        first_time, last_time: of the frames.
        parameters: least and most of each.
        constant_fields: fields that do not change with time, which are not read.
        left_out: scalars that are not read.
        fields: of each channel.
        sample: which frames were looked at, in words.
        constant_frames: frames among them that are constant in every channel; a model that divides by the spread of a
            frame fails on these.
    """

    system: str
    split: str
    place: str
    trajectories: int
    steps: int
    shape: tuple[int, ...]
    boundaries: Boundaries
    first_time: float
    last_time: float
    parameters: Mapping[str, tuple[float, float]]
    constant_fields: tuple[str, ...]
    left_out: tuple[str, ...]
    fields: Mapping[str, FieldSummary]
    sample: str
    constant_frames: int


def inspect_sources(sources: Sequence[Source]) -> list[SourceSummary]:
    """A summary of each source, from at most 8 frames of 8 trajectories at equal distances.

    Arguments:
        sources: of any systems.

    Raises:
        SimonidesError: when a frame cannot be read.
    """
    return [_summary(source) for source in sources]


def _summary(source: Source) -> SourceSummary:
    cells = int(np.prod(source.shape)) * len(source.fields)
    budget = max(1, _MOST_VALUES // (cells * (1 + len(_STRIDES))))
    chosen = _spread(source.trajectories, min(_TRAJECTORIES, budget))
    starts = _spread(source.steps, min(_FRAMES, max(1, budget // len(chosen))))
    low = torch.full((len(source.fields),), torch.inf, dtype=torch.float64)
    high, total, constant = -low, torch.zeros_like(low), 0
    moments: list[Tensor] = []
    errors: dict[int, list[Tensor]] = {stride: [] for stride in _STRIDES}
    for trajectory in chosen:
        for start in starts:
            frame = source.read(trajectory, start, start + 1)[0].cpu().double().flatten(1)
            low, high = torch.minimum(low, frame.amin(1)), torch.maximum(high, frame.amax(1))
            total += frame.mean(1)
            moments.append(torch.stack((frame.mean(1), frame.var(1, correction=0))))
            constant += bool((frame.amin(1) == frame.amax(1)).all())
            for stride in _STRIDES:
                if start + stride < source.steps:
                    later = (
                        source.read(trajectory, start + stride, start + stride + 1)[0].cpu().double().flatten(1)
                    )
                    error = (later - frame).square().mean(1) / (_LEAST + later.square().mean(1))
                    errors[stride].append(error.sqrt())
    means, variances = torch.stack(moments).unbind(1)
    std = (variances.mean(0) + means.var(0, correction=0)).sqrt()
    persistence = {stride: torch.stack(found).mean(0) for stride, found in errors.items() if found}
    return SourceSummary(
        system=source.system,
        split=source.split,
        place=source.place,
        trajectories=source.trajectories,
        steps=source.steps,
        shape=source.shape,
        boundaries=source.boundaries,
        first_time=float(source.times[0]),
        last_time=float(source.times[-1]),
        parameters={
            name: (float(numbers.min()), float(numbers.max()))
            for name, numbers in getattr(source, "parameters", {}).items()
        },
        constant_fields=getattr(source, "constant_fields", ()),
        left_out=getattr(source, "left_out", ()),
        fields={
            name: FieldSummary(
                least=float(low[c]),
                mean=float(means[:, c].mean()),
                std=float(std[c]),
                most=float(high[c]),
                persistence={stride: float(found[c]) for stride, found in persistence.items()},
            )
            for c, name in enumerate(source.fields)
        },
        sample=f"frames {', '.join(map(str, starts))} of trajectories {', '.join(map(str, chosen))}",
        constant_frames=constant,
    )


def _spread(count: int, most: int) -> list[int]:
    """Whole numbers from 0 to count - 1 at equal distances, at most so many."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})


def fields_figure(source: Source, trajectory: int = 0, frames: int = 5) -> dict[str, bytes]:
    """A trajectory as pictures: a row a field, a column a time, one scale of colours for each field.

    One dimension becomes curves; of three dimensions the middle slice along z is shown.

    Arguments:
        source: that is shown.
        trajectory: its number.
        frames: how many, at equal distances.

    Raises:
        SimonidesError: when there is no such trajectory, or a frame cannot be read.
    """
    check_at_least("frames", frames, 1)
    if not 0 <= trajectory < source.trajectories:
        raise SimonidesError(
            f"{source.place} has trajectories 0 to {source.trajectories - 1}; there is no {trajectory}."
        )
    shown = _spread(source.steps, frames)
    values = torch.cat([source.read(trajectory, frame, frame + 1) for frame in shown]).cpu()
    if len(source.shape) == 3:
        values = values[..., source.shape[2] // 2]
    coordinates = getattr(source, "coordinates", None) or [torch.arange(float(n)) for n in source.shape]
    axes = getattr(source, "axes", AXES[: len(source.shape)])

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(len(source.fields), len(shown), squeeze=False, sharex=True, sharey="row")
        for row, name in enumerate(source.fields):
            _draw_row(figure, panels[row], values[:, row], coordinates, axes, name)
        for panel, frame in zip(panels[0], shown, strict=True):
            panel.set_title(f"t = {float(source.times[frame]):.3g}", fontsize=9)
        for panel in panels[-1]:
            panel.set_xlabel(axes[0])

    size = (1.9 * len(shown) + 1.2, 1.75 * len(source.fields) + 0.6)
    what = f"{source.system}, trajectory {trajectory}: {', '.join(source.fields)} at {len(shown)} times"
    return painted(draw, what, size)


def _draw_row(
    figure: "Figure",
    panels: np.ndarray,
    values: Float[Tensor, " frames *space"],
    coordinates: Sequence[Float[Tensor, " _"]],
    axes: Sequence[str],
    name: str,
) -> None:
    low, high = float(values.min()), float(values.max())
    if low == high:  # a scale needs two ends
        low, high = low - 0.5, high + 0.5
    if values.dim() == 2:
        for panel, frame in zip(panels, values.numpy(), strict=True):
            panel.plot(coordinates[0].cpu().numpy(), frame)
        gap = 0.05 * (high - low)
        panels[0].set(ylim=(low - gap, high + gap), ylabel=name)
        return
    ends = []
    for axis in coordinates[:2]:
        half = float(axis[-1] - axis[0]) / max(len(axis) - 1, 1) / 2 or 0.5
        ends += [float(axis[0]) - half, float(axis[-1]) + half]
    for panel, frame in zip(panels, values.numpy(), strict=True):
        # x, the first axis of an array, goes to the right
        picture = panel.imshow(frame.T, origin="lower", extent=ends, vmin=low, vmax=high, aspect="auto")
        panel.grid(visible=False)
    panels[0].set_ylabel(axes[1])
    figure.colorbar(picture, ax=list(panels), label=name, shrink=0.9)
