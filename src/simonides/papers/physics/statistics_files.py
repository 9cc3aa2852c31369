"""Means and spreads of fields and of their changes, in a stats.yaml as The Well has it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from simonides.base import SimonidesError, read_text, write_text
from simonides.papers.physics.file_source import pieces
from simonides.papers.physics.simulations import AXES, Source
from simonides.papers.physics.well_writing import grouped

_NAME = "stats.yaml"


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Numbers by name of the channel, over trajectories, frames and cells.

    Arguments:
        mean, std, rms: mean, standard deviation and root of the mean square of the values.
        mean_delta, std_delta, rms_delta: of the change from each frame to the next.
    """

    mean: Mapping[str, float]
    std: Mapping[str, float]
    rms: Mapping[str, float]
    mean_delta: Mapping[str, float]
    std_delta: Mapping[str, float]
    rms_delta: Mapping[str, float]


class _Moments:
    """Count, mean and sum of squared differences from it (Chan, Golub & LeVeque 1979), a row a channel."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self.squares = torch.zeros(channels, dtype=torch.float64)

    def add(self, values: torch.Tensor) -> None:
        rows = values.double().transpose(0, 1).flatten(1)
        if not rows.numel():
            return
        mean = rows.mean(1)
        squares = (rows - mean[:, None]).square().sum(1)
        total = self.count + rows.shape[1]
        gap = mean - self.mean
        self.squares += squares + gap.square() * (self.count * rows.shape[1] / total)
        self.mean = self.mean + gap * (rows.shape[1] / total)
        self.count = total

    def told(self, names: Sequence[str]) -> Iterator[dict[str, float]]:
        variance = self.squares / self.count
        for numbers in (self.mean, variance.sqrt(), (variance + self.mean.square()).sqrt()):
            yield dict(zip(names, numbers.tolist(), strict=True))


def measure_statistics(sources: Sequence[Source]) -> Statistics:
    """Statistics of trajectories for training: those of the split "train", or all where there are no splits.

    The standard deviation divides by the count. Sums are in float64; a part of a trajectory is in memory at a time.

    Arguments:
        sources: of one system.

    Raises:
        SimonidesError: when there is none for training, fields differ, or no trajectory has two frames.
    """
    chosen = [source for source in sources if source.split in ("train", "")]
    if not chosen:
        raise SimonidesError("there is no trajectory of the split train; statistics are measured on these alone.")
    names = chosen[0].fields
    for source in chosen:
        if set(source.fields) != set(names):
            raise SimonidesError(
                f"{source.place} has the fields {source.fields}, {chosen[0].place} {names}; measure one system at "
                "a time."
            )
    values, changes = _Moments(len(names)), _Moments(len(names))
    for source in chosen:
        order = [source.fields.index(name) for name in names]
        for trajectory in range(source.trajectories):
            previous = None
            for _, piece in pieces(source, trajectory):
                piece = piece[:, order].cpu().double()
                values.add(piece)
                changes.add(piece.diff(dim=0, prepend=previous))
                previous = piece[-1:]
    if not changes.count:
        raise SimonidesError(f"{chosen[0].place}: no trajectory has two frames; there are no changes to measure.")
    mean, std, rms = values.told(names)
    mean_delta, std_delta, rms_delta = changes.told(names)
    return Statistics(mean=mean, std=std, rms=rms, mean_delta=mean_delta, std_delta=std_delta, rms_delta=rms_delta)


def write_statistics(folder: Path | str, statistics: Statistics, axes: Sequence[str]) -> Path:
    """Write `folder/stats.yaml`, numbers of vectors and tensors as nested lists; gives its path.

    Arguments:
        folder: of the data set.
        statistics: of the split "train".
        axes: names of the axes of space, such as ("x", "y"): which channels make a vector.

    Raises:
        SimonidesError: when it cannot be written.
    """
    yaml = _yaml_module(Path(folder))
    content: dict[str, Any] = {}
    for entry in fields(Statistics):
        numbers = getattr(statistics, entry.name)
        content[entry.name] = one = {}
        scalars, vectors, tensors = grouped(list(numbers), axes)
        one.update({name: numbers[name] for name in scalars})
        one.update({name: [numbers[c] for c in channels] for name, channels in vectors.items()})
        d = len(axes)
        for name, channels in tensors.items():
            one[name] = [[numbers[c] for c in channels[row * d : (row + 1) * d]] for row in range(d)]
    path = Path(folder) / _NAME
    write_text(path, yaml.safe_dump(content, sort_keys=False))
    return path


def read_statistics(folder: Path | str, axes: Sequence[str] = AXES, channels: Sequence[str] = ()) -> Statistics:
    """Statistics of a data set from its `stats.yaml`.

    Arguments:
        folder: of the data set.
        axes: names of the axes of space; a vector takes as many as it has components.
        channels: names that every key has to have.

    Raises:
        SimonidesError: when there is no such file, or it lacks a key or a field.
    """
    path = Path(folder) / _NAME
    remedy = f"run: simonides physics inspect {path.parent} --write-statistics"
    if not path.is_file():
        raise SimonidesError(f"{path} does not exist; {remedy}")
    yaml = _yaml_module(path)
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise SimonidesError(f"{path} is no sound YAML: {' '.join(str(error).split())[:200]}; {remedy}") from None
    found: dict[str, dict[str, Any]] = {}
    for entry in fields(Statistics):
        if not isinstance(content, dict) or not isinstance(content.get(entry.name), dict):
            raise SimonidesError(f"{path} lacks the key {entry.name}; {remedy}")
        found[entry.name] = {
            name: number
            for stem, numbers in content[entry.name].items()
            for name, number in _channels(str(stem), numbers, axes)
        }
        for name, number in found[entry.name].items():
            spread = entry.name.startswith(("std", "rms"))
            if not isinstance(number, float) or not math.isfinite(number) or (spread and number < 0):
                raise SimonidesError(f"{path}: {entry.name} of {name} is {number!r}; {remedy}")
        # constant fields of The Well have no changes
        wanted = [*channels, *(() if entry.name.endswith("_delta") else found["mean"])]
        if lacking := [name for name in dict.fromkeys(wanted) if name not in found[entry.name]]:
            raise SimonidesError(f"{path}: {entry.name} lacks the field {', '.join(lacking)}; {remedy}")
    return Statistics(**found)


def _channels(name: str, numbers: Any, axes: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The channels of a field with their numbers; components of a row are told apart by the name of the axis."""
    if not isinstance(numbers, list):
        try:  # YAML takes 1e-05 for a text
            yield name, float(numbers)
        except (TypeError, ValueError):
            yield name, numbers
        return
    for axis, one in zip(axes, numbers, strict=False):
        if isinstance(one, list):
            yield from ((f"{name}_{axis}{other}", number) for other, number in zip(axes, one, strict=False))
        else:
            yield from _channels(f"{name}_{axis}", one, axes)


def _yaml_module(path: Path) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise SimonidesError(f"{path} needs yaml; run: pip install simonides[physics]") from None
    return yaml
