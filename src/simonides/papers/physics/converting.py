"""Data of any known layout written anew as a folder of The Well."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from simonides.base import SimonidesError, check_free, new_folder, progress
from simonides.papers.physics.file_source import Boundaries
from simonides.papers.physics.opening import open_sources
from simonides.papers.physics.simulations import AXES, Source
from simonides.papers.physics.splitting import split_trajectories
from simonides.papers.physics.statistics_files import measure_statistics, write_statistics
from simonides.papers.physics.well_writing import write_well

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
    return write_folder(out, sources, shown)


def write_folder(out: Path | str, sources: Sequence[Source], shown: bool = False) -> Path:
    """Write trajectories of one system as a new folder of The Well, with its stats.yaml; gives the folder.

    Arguments:
        out: a folder that does not exist.
        sources: what is written; splits are those of `convert`.
        shown: whether to show how far it has come.

    Raises:
        SimonidesError: when the sources are of several systems, or do not fit on the disk.
    """
    out = Path(out)
    check_free(out)
    _check_one_system(sources)
    parts = _split(sources)
    _check_space(out, sources)
    axes = getattr(sources[0], "axes", AXES[: len(sources[0].shape)])
    with new_folder(out) as partial, progress(shown) as start:
        advance = start("trajectories", sum(len(chosen) for _, _, chosen in parts))
        written: list[Source] = []
        for source, split, chosen in parts:
            file = write_well(partial, source, split, chosen)
            written += open_sources(file)
            advance(f"{split}: {file.name}", len(chosen))
        write_statistics(partial, measure_statistics(written), axes)
    return out


def _split(sources: Sequence[Source]) -> list[tuple[Source, str, list[int]]]:
    """Trajectories by split, where all sources tell theirs or none does."""
    told = [source.split for source in sources]
    if any(told) and not all(told):
        raise SimonidesError(
            f"{sources[told.index('')].place} tells no split, others do; convert them one by one."
        )
    if any(told) and "train" not in told:
        raise SimonidesError(f"{sources[0].place} and what is beside it have no split train.")
    return split_trajectories(sources)


def _check_one_system(sources: Sequence[Source]) -> None:
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
    axes = getattr(first, "axes", AXES[: len(first.shape)])
    if any(axis not in AXES for axis in axes):
        raise SimonidesError(f"{first.place} has the axes {axes}; only Cartesian grids are written.")


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
