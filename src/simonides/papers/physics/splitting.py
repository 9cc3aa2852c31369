"""Which trajectories train, validate and test."""

import math
from collections.abc import Iterable

from simonides.base import SimonidesError
from simonides.papers.physics.simulations import SPLITS, Source

# a source with fewer trajectories than this has no tenth to give to each split
_FEWEST = 10


def split_trajectories(sources: Iterable[Source]) -> list[tuple[Source, str, list[int]]]:
    """The trajectories of each source by split, as their numbers.

    A source that tells its split belongs to it whole. Of another one the first 0.8 of the trajectories (rounded up)
    train, the next 0.1 (rounded up) validate, the others test (McCabe et al. 2024). Sources of one system with fewer
    than 10 trajectories are split together, in their order, as PDEBench's files of incompressible flow need it.

    Raises:
        SimonidesError: when a source is given twice.

    >>> import torch
    >>> from simonides.papers.physics.simulations import Simulations
    >>> source = Simulations(system="a", fields=("b",), values=torch.zeros(10, 2, 1, 4), times=torch.arange(2.0),
    ...     coordinates=(torch.arange(4.0),), boundaries=(("wall", "wall"),))
    >>> [(split, len(chosen)) for _, split, chosen in split_trajectories([source])]
    [('train', 8), ('valid', 1), ('test', 1)]
    """
    streams: dict[tuple[str, int], list[tuple[Source, int]]] = {}
    parts: dict[tuple[int, str], tuple[Source, str, list[int]]] = {}
    seen: set[object] = set()
    for number, source in enumerate(sources):
        identity = _identity(source)
        if identity in seen:
            raise SimonidesError(
                f"{source.place} is given twice; its trajectories would train and test. Give it once."
            )
        seen.add(identity)
        every = range(source.trajectories)
        if source.split:
            parts[number, source.split] = (source, source.split, list(every))
            continue
        stream = (source.system, -1 if source.trajectories < _FEWEST else number)
        streams.setdefault(stream, []).extend((source, trajectory) for trajectory in every)
    for stream_of_all in streams.values():
        count = len(stream_of_all)
        train = math.ceil(count * 8 / 10)
        valid = min(math.ceil(count / 10), count - train)
        for place, (source, trajectory) in enumerate(stream_of_all):
            split = SPLITS[(place >= train) + (place >= train + valid)]
            parts.setdefault((id(source), split), (source, split, []))[2].append(trajectory)
    return list(parts.values())


def _identity(source: Source) -> object:
    """The same for two sources that read the same trajectories of one file."""
    path = getattr(source, "path", None)
    return (
        id(source) if path is None else (path.resolve(), source.system, source.split, source.fields, source.shape)
    )
