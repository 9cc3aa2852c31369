"""Windows of simulations: which trajectories train and which test, and batches of frames drawn from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.papers.physics.simulations import SPLITS, Source
from simonides.papers.physics.splitting import split_trajectories

SAMPLINGS = ("systems", "sources")
# windows are drawn anew so often before a source is given up as constant
_PATIENCE = 50
# squares of larger numbers, and their sums, are beyond float32
_LARGEST = 1e15


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of one system, and the frames that follow them.

    Arguments:
        seen: frames at equal times.
        following: the frames behind, one or more.
        fields: names of the channels, "system:field".
        boundaries: kinds of the faces of each axis.
        seed: draws what is random in the model's forward pass.
    """

    seen: Float[Tensor, "batch time fields *space"]
    following: Float[Tensor, "batch ahead fields *space"]
    fields: tuple[str, ...]
    boundaries: tuple[tuple[str, str], ...]
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """The trajectories of one source that belong to one split, as windows.

    Arguments:
        source: where they are read.
        trajectories: their numbers.
        frames: T, of each window.
        stride: frames of the source from one to the next.
        ahead: frames that follow each window.

    Raises:
        SimonidesError: when the source has too few frames for a window.
    """

    source: Source
    trajectories: Sequence[int]
    frames: int
    stride: int
    ahead: int = 1

    def __post_init__(self) -> None:
        for name in ("frames", "stride", "ahead"):
            check_at_least(name, getattr(self, name), 1)
        if self.starts < 1 or not self.trajectories:
            raise SimonidesError(
                f"{self.source.place} has {self.source.steps} frames; windows of {self.frames} and {self.ahead} "
                f"behind, at stride {self.stride}, need {1 + (self.frames + self.ahead - 1) * self.stride}."
            )

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the channels, "system:field"."""
        return field_names(self.source)

    @property
    def starts(self) -> int:
        """Windows of each trajectory."""
        return self.source.steps - (self.frames + self.ahead - 1) * self.stride

    def __len__(self) -> int:
        return len(self.trajectories) * self.starts

    def window(self, number: int) -> Float[Tensor, "frames fields *space"]:
        """Frames of one window, those seen and those that follow."""
        if not 0 <= number < len(self):
            raise SimonidesError(f"{self.source.place} has windows 0 to {len(self) - 1}; there is no {number}.")
        trajectory, start = self.trajectories[number // self.starts], number % self.starts
        length = (self.frames + self.ahead - 1) * self.stride + 1
        window = self.source.read(trajectory, start, start + length, self.stride)
        if not bool(window.abs().amax() < _LARGEST):
            raise SimonidesError(
                f"{self.source.place}: trajectory {trajectory} holds NaN or numbers beyond {_LARGEST:g} between "
                f"frames {start} and {start + length - 1}; leave it out, or rescale the field."
            )
        return window

    def spread(self, count: int) -> list[int]:
        """Numbers of windows evenly spaced over trajectories and times, without those with a constant frame.

        Raises:
            SimonidesError: when only such windows are found.
        """
        check_at_least("count", count, 1)
        numbers = torch.linspace(0, len(self) - 1, min(count, len(self))).round().long().tolist()
        kept = [number for number in numbers if not bool(flat_frames(self.window(number)).any())]
        if not kept:
            raise SimonidesError(
                f"{self.source.place}: every window looked at has a frame that is constant in every field; errors of "
                "these say nothing. Leave the source out."
            )
        return kept

    def batch(self, numbers: Sequence[int], seed: int = 0) -> Windows:
        """Some of the windows."""
        return self._stacked([self.window(number) for number in numbers], seed)

    def drawn(self, count: int, generator: Generator, skipped: list[int] | None = None) -> Windows:
        """Windows at random; one with a frame that is constant in every field is drawn anew, and counted.

        Arguments:
            count: how many.
            generator: draws them.
            skipped: its first entry is raised for each window that was passed over.

        Raises:
            SimonidesError: when only such windows are found.
        """
        chosen: list[Tensor] = []
        passed = 0
        while len(chosen) < count:
            window = self.window(int(torch.randint(len(self), (1,), generator=generator)))
            if bool(flat_frames(window).any()):
                passed += 1
                if passed > _PATIENCE * count:
                    raise SimonidesError(
                        f"{self.source.place}: {passed} windows drawn have a frame that is constant in every field; a "
                        "model cannot be trained on them. Leave the source out."
                    )
                continue
            chosen.append(window)
        if skipped is not None:
            skipped[0] += passed
        return self._stacked(chosen, int(torch.randint(2**31, (1,), generator=generator)))

    def _stacked(self, windows: list[Tensor], seed: int) -> Windows:
        values = torch.stack(windows)
        return Windows(
            seen=values[:, : self.frames],
            following=values[:, self.frames :],
            fields=self.fields,
            boundaries=self.source.boundaries,
            seed=seed,
        )


def field_names(source: Source) -> tuple[str, ...]:
    """Names of a source's channels in a vocabulary, "system:field"."""
    return tuple(f"{source.system}:{name}" for name in source.fields)


def vocabulary(sources: Iterable[Source]) -> tuple[str, ...]:
    """All fields of several sources, each once, in their order."""
    return tuple(dict.fromkeys(name for source in sources for name in field_names(source)))


def flat_frames(window: Float[Tensor, "frames fields *space"]) -> Tensor:
    """Which frames are constant in space in every field."""
    cells = window.flatten(2)
    return (cells.amax(-1) == cells.amin(-1)).all(-1)


def check_equal_times(source: Source) -> None:
    """Raise `SimonidesError` where the frames of a source are not at equal times, up to a hundredth."""
    gaps = source.times.double().diff()
    if len(gaps) and float((gaps - gaps.mean()).abs().max()) > 0.01 * abs(float(gaps.mean())):
        raise SimonidesError(
            f"{source.place}: frames are {float(gaps.min()):.4g} to {float(gaps.max()):.4g} apart in time; a window "
            "has frames at equal times. Resample the data."
        )


def pools(sources: Sequence[Source], split: str, frames: int, stride: int = 1, ahead: int = 1) -> tuple[Pool, ...]:
    """A pool of each source that has trajectories in a split.

    A source with too few steps gives windows of fewer frames, at least one (as the released code does).

    Arguments:
        sources: of any systems.
        split: "train", "valid" or "test".
        frames: T.
        stride: frames of a source from one to the next.
        ahead: frames that follow each window.

    Raises:
        SimonidesError: when a source has too few frames for a single one, or no trajectory is in the split.
    """
    for name, value in (("frames", frames), ("stride", stride), ("ahead", ahead)):
        check_at_least(name, value, 1)
    check_name("split", split, SPLITS)
    found = []
    for source, own, trajectories in split_trajectories(sources):
        if own != split:
            continue
        check_equal_times(source)
        most = (source.steps - 1) // stride + 1 - ahead
        if most < 1:
            raise SimonidesError(
                f"{source.place} has {source.steps} frames; stride {stride} and {ahead} frames ahead need at least "
                f"{ahead * stride + 1}. Look less far ahead (at most {(source.steps - 1) // stride} frames at "
                "this stride), or give a smaller stride."
            )
        pool = Pool(source=source, trajectories=trajectories, frames=min(frames, most), stride=stride, ahead=ahead)
        found.append(pool)
    if not found:
        sizes: dict[str, int] = {}
        for _, own, trajectories in split_trajectories(sources):
            sizes[own] = sizes.get(own, 0) + len(trajectories)
        there = ", ".join(f"{name} {count}" for name, count in sizes.items()) or "nothing"
        raise SimonidesError(f"no trajectory is in the split {split!r}; there are {there}. Name another split.")
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Batches of several pools, each batch of one.

    Arguments:
        pools: what is drawn from.
        batch: windows of each.
        sampling: "systems", every system as often as another; or "sources", every source, as the released code's lines
            of a configuration: a system with three of six files then has half of the batches.
        skipped: counts windows passed over as constant, in its one entry.
    """

    pools: tuple[Pool, ...]
    batch: int
    sampling: str = "systems"
    skipped: list[int]

    def __post_init__(self) -> None:
        check_at_least("batch", self.batch, 1)
        check_name("sampling", self.sampling, SAMPLINGS)

    def __call__(self, generator: Generator) -> Windows:
        """The next batch."""
        among = list(self.pools)
        if self.sampling == "systems":
            systems = list(dict.fromkeys(pool.source.system for pool in among))
            chosen = systems[int(torch.randint(len(systems), (1,), generator=generator))]
            among = [pool for pool in among if pool.source.system == chosen]
        pool = among[int(torch.randint(len(among), (1,), generator=generator))]
        return pool.drawn(self.batch, generator, self.skipped)
