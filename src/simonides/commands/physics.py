"""`physics`: simulations made, looked at, converted; a model of them pretrained, fine-tuned, rolled out."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import OmitSubcommandPrefixes, Positional, arg, subcommand

from simonides.base import SimonidesError, check_free, check_output_folder, say, say_json, tell
from simonides.commands import physics_models
from simonides.commands.physics_models import BoundaryKind, Demo, Finetune, Pretrain, Rollout, SystemName
from simonides.commands.shared import Json, Quiet

# of the disk, that has to be free
_SPARE = 2**26


@dataclass(frozen=True, kw_only=True)
class Simulate:
    """Solve a system from random initial data, and write the trajectories as a folder of The Well.

    Example: simonides physics simulate shallow-water --trajectories 40 --cells 64 --out water
    """

    system: Annotated[
        Positional[str],
        arg(
            metavar="SYSTEM",
            help="shallow-water, diffusion-reaction, incompressible, incompressible-walls, compressible, advection, "
            "diffusion or advection-diffusion.",
        ),
    ]
    out: Annotated[Path, arg(metavar="DIR", help="A new folder.")]
    trajectories: Annotated[int, arg(help="How many.")] = 40
    cells: Annotated[int | None, arg(help="Along each axis; by default those of the system, 64 or 128.")] = None
    frames: Annotated[
        int | None, arg(help="Frames that are kept of each trajectory, at equal times; by default 21 to 101.")
    ] = None
    set: Annotated[
        str,
        arg(
            metavar="NAME=VALUE,..",
            help="Of compressible: mach, viscosity, initial (random, turbulence). Of incompressible: viscosity, "
            "diffusivity, force. Of diffusion-reaction: activator_diffusivity, inhibitor_diffusivity, threshold. Of "
            "shallow-water: least_radius, most_radius. In one dimension: least_speed, most_speed, least_diffusivity, "
            "most_diffusivity.",
        ),
    ] = ""
    seed: Annotated[int, arg(help="Draws the initial data.")] = 0
    device: Annotated[str, arg(help="auto, cpu, cuda, ...")] = "auto"
    quiet: Quiet = False
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """What a file or folder of simulations holds: systems, fields, sizes, boundaries, ranges, how much a step changes.

    Example: simonides physics inspect water --out water-page
    """

    path: Annotated[Positional[Path], arg(metavar="FILE|FOLDER", help="HDF5, NetCDF, .npy or .npz.")]
    system: SystemName = None
    boundaries: BoundaryKind = None
    out: Annotated[Path | None, arg(metavar="DIR", help="Write a page with pictures of the fields here.")] = None
    write_statistics: Annotated[
        bool, arg(help="Measure means and deviations of the training split into FOLDER/stats.yaml.")
    ] = False
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Convert:
    """Write data of any known layout as a folder of The Well, with its statistics.

    Example: simonides physics convert 2D_CFD.hdf5 compressible --boundaries periodic
    """

    path: Annotated[Positional[Path], arg(metavar="FILE|FOLDER", help="HDF5, NetCDF, .npy or .npz.")]
    out: Annotated[Positional[Path], arg(metavar="DIR", help="A new folder.")]
    system: SystemName = None
    boundaries: BoundaryKind = None
    quiet: Quiet = False
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Physics:
    """Simulations, and a transformer that is pretrained on many systems and fine-tuned on yours.

    Example: simonides physics demo --out physics-demo
    """

    action: OmitSubcommandPrefixes[
        Annotated[Simulate, subcommand("simulate")]
        | Annotated[Inspect, subcommand("inspect")]
        | Annotated[Convert, subcommand("convert")]
        | Annotated[Pretrain, subcommand("pretrain")]
        | Annotated[Finetune, subcommand("finetune")]
        | Annotated[Rollout, subcommand("rollout")]
        | Annotated[Demo, subcommand("demo")]
    ]


def execute(options: Physics) -> int:
    """Read, work, say."""
    action = options.action
    if isinstance(action, Simulate):
        return _simulate(action)
    if isinstance(action, Inspect):
        return _inspect(action)
    return _convert(action) if isinstance(action, Convert) else physics_models.execute(action)


def _simulate(options: Simulate) -> int:
    import torch

    from simonides.base import check_seed
    from simonides.papers.physics.converting import write_folder
    from simonides.papers.physics.simulating import simulate

    check_free(options.out)
    _check_place(options.out)
    check_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    found = simulate(
        options.system,
        options.trajectories,
        generator,
        options.cells,
        options.frames,
        options.device,
        progress=not options.quiet,
        **_parameters(options.set),
    )
    write_folder(options.out, [found])
    if options.json:
        say_json({"folder": str(options.out), "trajectories": found.trajectories, "shape": list(found.shape)})
    else:
        sizes = " x ".join(map(str, found.shape))
        say(f"{found.trajectories} trajectories of {found.steps} frames, {sizes} cells, {', '.join(found.fields)}")
        say(f"data: {options.out.resolve()}")
    return 0


def _check_place(out: Path) -> None:
    """Refuse a folder that cannot be made, before anything is computed."""
    there = next(place for place in out.absolute().parents if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK) or shutil.disk_usage(there).free < _SPARE:
        raise SimonidesError(f"{out} cannot be made: {there} is no folder that can be written, or is full.")


def _parameters(text: str) -> dict[str, Any]:
    """What --set gives: numbers, and words that are none."""
    found: dict[str, Any] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, given, value = part.partition("=")
        if not given or not name.strip() or not value.strip():
            raise SimonidesError(f"--set {part!r} is not of the form NAME=VALUE, such as mach=0.5.")
        if name.strip() in found:
            raise SimonidesError(f"--set names {name.strip()} twice; give it once.")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            found[name.strip()] = value.strip()
    return found


def _inspect(options: Inspect) -> int:
    from dataclasses import asdict

    from simonides.papers.physics.inspecting import inspect_sources
    from simonides.papers.physics.opening import open_sources

    if options.out is not None:
        check_output_folder(options.out)
    if options.write_statistics and not options.path.is_dir():
        raise SimonidesError(f"{options.path} is no folder; statistics are written for a folder of The Well.")
    sources = open_sources(options.path, options.system, options.boundaries)
    found = inspect_sources(sources)
    if options.json:
        say_json({"sources": [asdict(one) for one in found]})
    for one in () if options.json else found:
        sizes = " x ".join(map(str, one.shape))
        faces = ", ".join(" to ".join(dict.fromkeys(pair)) for pair in one.boundaries)
        split = f" ({one.split})" if one.split else ""
        say(f"{one.system}{split}: {one.trajectories} trajectories of {one.steps} frames, {sizes} cells, {faces}")
        say(f"  {one.place}, time {one.first_time:.4g} to {one.last_time:.4g}")
        for name, (low, high) in one.parameters.items():
            say(f"  {name} = {low:.4g}" + (f" to {high:.4g}" if high > low else ""))
        for name, field in one.fields.items():
            still = ", ".join(f"{error:.3g} at stride {stride}" for stride, error in field.persistence.items())
            say(
                f"  {name}: {field.least:.4g} to {field.most:.4g}, mean {field.mean:.4g}, deviation {field.std:.4g}; "
                f"NRMSE of the last frame {still}"
            )
        for name in (*one.constant_fields, *one.left_out):
            say(f"  {name} is not read: it does not vary with time, or is not one number for each trajectory")
        if one.constant_frames:
            tell(f"{one.place}: {one.constant_frames} of the frames looked at are constant in every field")
        say(f"  measured on {one.sample}")
    if options.write_statistics:
        from simonides.papers.physics.statistics_files import measure_statistics, write_statistics

        statistics = write_statistics(options.path, measure_statistics(sources), sources[0].axes)
        if not options.json:
            say(f"statistics: {statistics.resolve()}")
    if options.out is not None:
        from simonides.papers.physics.inspection_page import write_inspection

        index = write_inspection(options.out, options.path.name, sources, found)
        if not options.json:
            say(f"page: {index.resolve()}")
    return 0


def _convert(options: Convert) -> int:
    from simonides.papers.physics.converting import convert

    folder = convert(
        options.path, options.out, system=options.system, boundaries=options.boundaries, shown=not options.quiet
    )
    if options.json:
        say_json({"folder": str(folder)})
    else:
        say(f"data: {folder.resolve()}")
    return 0
