"""Data of any known layout written anew as a folder of The Well."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from simonides.base import SimonidesError, check_free, new_folder, progress
from simonides.papers.physics.file_source import Boundaries, FileSource
from simonides.papers.physics.opening import open_sources
from simonides.papers.physics.simulations import AXES, SPLITS, Source
from simonides.papers.physics.statistics_files import measure_statistics, write_statistics
from simonides.papers.physics.well_writing import write_well

# a file with fewer trajectories than this has no tenth to give to each split
_FEWEST = 10
# of the disk, kept free
_SPARE = 2**26


def convert(
    path: Path | str,
    out: Path | str,
    *,
    system: str | None = None,
    boundaries: str | Boundaries | None = None,
    shown: bool = False,
) -> Path:
    """Write the data of a file or folder as a new folder of The Well, with its stats.yaml; gives the folder.

    Splits that the files tell are kept. Where none is told, the first .8 of the trajectories of each file, rounded up,
    become train, .1, rounded up, valid, and the others test; files of fewer than 10 trajectories are taken together.
    A piece of a trajectory is in memory at a time. Where all is not well, nothing is left.

    Arguments:
        path: what `open_sources` opens.
        out: a folder that does not exist.
        system, boundaries: as for `open_sources`.
        shown: whether to show how far it has come.

    Raises:
        SimonidesError: when the data cannot be read, are of several systems, or do not fit on the disk.
    """
    out = Path(out)
    check_free(out)
    sources = open_sources(path, system, boundaries)
    _check_one_system(sources)
    parts = split_trajectories(sources)
    _check_space(out, sources)
    with new_folder(out) as partial, progress(shown) as start:
        advance = start("trajectories", sum(len(chosen) for _, _, chosen in parts))
        written: list[Source] = []
        for source, split, chosen in parts:
            file = write_well(partial, source, split, chosen)
            written += open_sources(file)
            advance(f"{split}: {file.name}", len(chosen))
        write_statistics(partial, measure_statistics(written), sources[0].axes)
    return out


def split_trajectories(sources: Sequence[Source]) -> list[tuple[Source, str, list[int]]]:
    """Which trajectories of each source belong to which split.

    Arguments:
        sources: of one system; either all tell a split or none does.

    Raises:
        SimonidesError: when some tell a split and some do not, or there is none for training.
    """
    told = [source.split for source in sources]
    if all(told):
        if "train" not in told:
            raise SimonidesError(f"{sources[0].place} and what is beside it have no split train.")
        return [(source, source.split, list(range(source.trajectories))) for source in sources]
    if any(told):
        lacking = sources[told.index("")].place
        raise SimonidesError(f"{lacking} tells no split, others do; convert them one by one.")
    few = [(source, number) for source in sources if source.trajectories < _FEWEST for number in _all(source)]
    streams = [few] + [
        [(source, number) for number in _all(source)] for source in sources if source.trajectories >= _FEWEST
    ]
    parts: dict[tuple[int, str], tuple[Source, str, list[int]]] = {}
    for stream in streams:
        train = math.ceil(len(stream) * 8 / 10)
        valid = min(math.ceil(len(stream) / 10), len(stream) - train)
        for place, (source, number) in enumerate(stream):
            split = SPLITS[(place >= train) + (place >= train + valid)]
            parts.setdefault((id(source), split), (source, split, []))[2].append(number)
    return list(parts.values())


def _all(source: Source) -> range:
    return range(source.trajectories)


def _check_one_system(sources: Sequence[FileSource]) -> None:
    first = sources[0]
    for source in sources:
        for what, here, there in (
            ("systems", source.system, first.system),
            ("fields", sorted(source.fields), sorted(first.fields)),
            ("shapes", source.shape, first.shape),
            ("boundaries", source.boundaries, first.boundaries),
        ):
            if here != there:
                raise SimonidesError(
                    f"{first.place} and {source.place} have different {what}: {there}, {here}. A folder of The Well "
                    "holds one system on one grid; convert them one by one."
                )
    if any(axis not in AXES for axis in first.axes):
        raise SimonidesError(f"{first.place} has the axes {first.axes}; only Cartesian grids are written.")


def _check_space(out: Path, sources: Sequence[Source]) -> None:
    needed = sum(
        4 * source.trajectories * source.steps * len(source.fields) * math.prod(source.shape) for source in sources
    )
    place = next(p for p in out.absolute().parents if p.is_dir())
    free = shutil.disk_usage(place).free
    if needed + _SPARE > free:
        raise SimonidesError(
            f"{out} takes {needed / 2**30:.2f} GiB; {free / 2**30:.2f} GiB are free. Free the space or choose another "
            "place."
        )
