"""Actions of `physics` that need a model: pretrain, finetune, rollout, demo."""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from simonides.base import (
    SimonidesError,
    check_at_least,
    check_name,
    check_output_folder,
    output_folder,
    read_json_object,
    say,
    say_json,
    tell,
    write_text,
)
from simonides.commands.shared import SETTINGS, Json, Quiet, is_begun, listed_names

if TYPE_CHECKING:
    import torch

    from simonides.papers.physics.avit import AViT
    from simonides.papers.physics.file_source import FileSource
    from simonides.papers.physics.pretraining import PhysicsTraining, Trained

_STATE, _MODEL = "training.safetensors", "model"
# may change when a training goes on
_FREE = ("out", "model", "data", "device", "quiet", "json", "every", "baselines")

_Data = Annotated[
    Positional[tuple[Path, ...]], arg(metavar="DATA", help="Files or folders of simulations, of any systems.")
]
_Model = Annotated[Positional[Path], arg(metavar="MODEL", help="A folder that pretrain or finetune has written.")]
_Out = Annotated[Path, arg(metavar="DIR", help="A folder; a training that was broken off there goes on.")]
BoundaryKind = Annotated[
    str | None,
    arg(metavar="KIND", help="wall, open or periodic: all faces of the domain, where the files do not tell."),
]
SystemName = Annotated[
    str | None, arg(metavar="NAME", help="A name for all of the data, in place of that of the files.")
]
_Steps = Annotated[int, arg(help="Updates.")]
_Batch = Annotated[int, arg(help="Windows of a micro-batch, all of one file.")]
_Accumulate = Annotated[int, arg(help="Micro-batches of an update.")]
_Rate = Annotated[float, arg(help="The highest learning rate.")]
_Optimiser = Annotated[Literal["adamw", "adan"], arg(help="Of the training.")]
_Every = Annotated[int, arg(help="Updates between two looks at the errors.")]
_Seed = Annotated[int, arg(help="Draws weights and windows.")]
_Device = Annotated[str, arg(help="auto, cpu, cuda, ...")]


@dataclass(frozen=True, kw_only=True)
class Pretrain:
    """Train a model on several systems at once.

    Under torchrun, micro-batches of an update are shared among processes: with equal results.

    Example: simonides physics pretrain water reaction flow --steps 1000 --out pretrained
    """

    data: _Data
    out: _Out
    size: Annotated[
        Literal["micro", "mini", "Ti", "S", "B", "L"], arg(help="Ti to L are the paper's, for a GPU.")
    ] = "mini"
    patch: Annotated[
        Literal[4, 8, 16] | None,
        arg(help="Cells along each side of a token; by default 8, or 16 of the paper's sizes."),
    ] = None
    predict: Annotated[
        Literal["state", "delta"] | None,
        arg(help="The next frame (the paper's sizes), or what is added to the last one (mini, micro)."),
    ] = None
    faces: Annotated[bool, arg(help="Tell the model of walls and open faces.")] = False
    frames: Annotated[int, arg(help="Frames that are seen.")] = 4
    stride: Annotated[int, arg(help="Frames of a file from one to the next.")] = 1
    steps: _Steps = 1000
    batch: _Batch = 8
    accumulate: _Accumulate = 2
    rate: _Rate = 2e-3
    optimiser: _Optimiser = "adamw"
    sampling: Annotated[
        Literal["systems", "sources"], arg(help="Draw every system as often as another, or every file.")
    ] = "systems"
    jitter: Annotated[bool, arg(help="Shift periodic windows at random, so that patches cut elsewhere.")] = False
    baselines: Annotated[
        str, arg(metavar="NAME,..", help="Train these beside it: linear, unet, fno; each system by itself.")
    ] = ""
    boundaries: BoundaryKind = None
    system: SystemName = None
    every: _Every = 100
    seed: _Seed = 0
    device: _Device = "auto"
    quiet: Quiet = False
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Finetune:
    """Train a pretrained model on other systems; fields that it does not know are added.

    Example: simonides physics finetune pretrained compressible --steps 500 --out tuned
    """

    model: _Model
    data: _Data
    out: _Out
    tuned: Annotated[
        Literal["full", "middle", "processor", "low-rank"],
        arg(
            help="full; middle: the embedding and the read-out of fields alone; processor: all but the blocks; "
            "low-rank: "
            "as processor, with updates of low rank of the blocks."
        ),
    ] = "full"
    rank: Annotated[int, arg(help="Of the updates with --tuned low-rank.")] = 8
    stride: Annotated[int | None, arg(help="Frames of a file from one to the next; by default as before.")] = None
    steps: _Steps = 500
    batch: _Batch = 8
    accumulate: Annotated[int, arg(help="Micro-batches of an update.")] = 1
    rate: Annotated[float, arg(help="The highest learning rate.")] = 1e-3
    optimiser: _Optimiser = "adamw"
    jitter: Annotated[bool, arg(help="Shift periodic windows at random.")] = False
    boundaries: BoundaryKind = None
    system: SystemName = None
    every: _Every = 100
    seed: _Seed = 0
    device: _Device = "auto"
    quiet: Quiet = False
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Continue trajectories held out by feeding predictions back, and write a page with errors and a film.

    Example: simonides physics rollout tuned compressible --steps 10 --out rollout-page
    """

    model: _Model
    data: _Data
    out: Annotated[Path | None, arg(metavar="DIR", help="Write a page, its figures, tables and films here.")] = (
        None
    )
    steps: Annotated[int, arg(help="Frames that are predicted.")] = 10
    windows: Annotated[int, arg(help="Of each file, evenly spaced.")] = 8
    split: Annotated[Literal["train", "valid", "test"], arg(help="Whose trajectories.")] = "test"
    stride: Annotated[int | None, arg(help="Frames of a file from one to the next; by default as trained.")] = None
    boundaries: BoundaryKind = None
    system: SystemName = None
    device: _Device = "auto"
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Demo:
    """All of it, small: simulate four systems, pretrain on three, fine-tune on the fourth, roll out, write a page.

    Example: simonides physics demo --out physics-demo
    """

    out: Annotated[Path, arg(metavar="DIR", help="A folder for the page.")] = Path("physics-demo")
    seed: _Seed = 0
    quiet: Quiet = False


def execute(action: Pretrain | Finetune | Rollout | Demo) -> int:
    """Read, train or predict, say."""
    if isinstance(action, Demo):
        from simonides.base import check_seed
        from simonides.papers.physics.demo import run_demo

        check_output_folder(action.out)
        check_seed(action.seed)
        say(f"page: {run_demo(action.out, action.seed, progress=not action.quiet).resolve()}")
        return 0
    if isinstance(action, Rollout):
        return _rollout(action)
    return _pretrain(action) if isinstance(action, Pretrain) else _finetune(action)


def _opened(paths: tuple[Path, ...], boundaries: str | None, system: str | None) -> tuple["FileSource", ...]:
    from simonides.papers.physics.opening import open_sources

    if not paths:
        raise SimonidesError("no data are given; give files or folders of simulations.")
    return tuple(source for path in paths for source in open_sources(path, system, boundaries))


def _pretrain(options: Pretrain) -> int:
    import torch

    from simonides.base import check_seed, chosen_device
    from simonides.papers.physics.avit import AViT
    from simonides.papers.physics.avit_config import paper_config
    from simonides.papers.physics.baselines import BASELINES
    from simonides.papers.physics.pretraining import check_sources, pretrain
    from simonides.papers.physics.windows import vocabulary

    check_seed(options.seed)
    for name in listed_names(options.baselines):
        check_name("baseline", name, BASELINES)
    training = _training(options, options.frames, options.stride)
    sources = _opened(options.data, options.boundaries, options.system)
    chosen = {"patch": options.patch, "predict": options.predict}
    changes: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    config = paper_config(
        options.size, vocabulary(sources), faces=options.faces, dimensions=len(sources[0].shape), **changes
    )
    device = chosen_device(_place(options.device))
    with _processes(device, options.accumulate):
        model = AViT(config, torch.Generator().manual_seed(options.seed)).to(device)
        check_sources(model, sources, training)
        _tell_what_is_left(sources, training)
        _settle(options.out, options, sources)
        generator = torch.Generator().manual_seed(options.seed + 1)
        trained = pretrain(model, sources, training, generator, options.out / _STATE, not options.quiet)
        return _say_trained(options, trained, training, _baselines(options, sources, training))


def _baselines(
    options: Pretrain, sources: tuple["FileSource", ...], training: "PhysicsTraining"
) -> dict[str, dict[str, float]]:
    """NRMSE of the baselines that were asked for, by system."""
    import torch

    from simonides.papers.physics.baselines import baseline_scores

    names = listed_names(options.baselines)
    return baseline_scores(sources, training, names, torch.Generator().manual_seed(options.seed)) if names else {}


def _finetune(options: Finetune) -> int:
    import torch

    from simonides.base import check_seed, chosen_device
    from simonides.papers.physics.finetuning import finetune
    from simonides.papers.physics.pretraining import check_shapes

    check_seed(options.seed)
    model, about = _loaded(options.model)
    training = _training(options, int(about["frames"]), _stride(options.stride, about))
    sources = _opened(options.data, options.boundaries, options.system)
    device = chosen_device(_place(options.device))
    check_shapes(model, sources, training)
    _tell_what_is_left(sources, training)
    with _processes(device, options.accumulate):
        _settle(options.out, options, sources)
        trained = finetune(
            model.to(device),
            sources,
            training,
            torch.Generator().manual_seed(options.seed),
            options.tuned,
            options.rank,
            options.out / _STATE,
            not options.quiet,
        )
        return _say_trained(options, trained, training)


def _stride(given: int | None, about: dict[str, Any]) -> int:
    return int(about["stride"]) if given is None else given


def _training(options: Pretrain | Finetune, frames: int, stride: int) -> "PhysicsTraining":
    from simonides.papers.physics.pretraining import PhysicsTraining

    return PhysicsTraining(
        steps=options.steps,
        batch=options.batch,
        accumulate=options.accumulate,
        frames=frames,
        stride=stride,
        rate=options.rate,
        optimiser=options.optimiser,
        sampling=options.sampling if isinstance(options, Pretrain) else "systems",
        jitter=options.jitter,
        every=options.every,
    )


def _place(device: str) -> str:
    """The device of this process: of several on one machine each takes a GPU of its own."""
    import os

    from torch import cuda

    own = os.environ.get("LOCAL_RANK")
    return f"cuda:{own}" if own is not None and device in ("auto", "cuda") and cuda.is_available() else device


@contextmanager
def _processes(device: "torch.device", accumulate: int) -> Iterator[None]:
    """Joins the processes that torchrun has started, if it has."""
    import os

    from torch import distributed

    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count < 2:
        yield
        return
    if accumulate % count:
        raise SimonidesError(
            f"accumulate = {accumulate} micro-batches of an update are not shared evenly by {count} processes; give a "
            f"multiple of {count}."
        )
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _tell_what_is_left(sources: tuple["FileSource", ...], training: "PhysicsTraining") -> None:
    """On standard error which fields are not read, and which windows are shorter than asked for."""
    from simonides.papers.physics.windows import pools

    for source in sources:
        if source.constant_fields:
            tell(f"{source.place}: not read, as constant in time: {', '.join(source.constant_fields)}")
    for pool in pools(sources, "train", training.frames, training.stride):
        if pool.frames < training.frames:
            tell(f"{pool.source.place}: windows have {pool.frames} frames, {training.frames} were asked for")


def _settle(out: Path, options: Pretrain | Finetune, sources: tuple["FileSource", ...]) -> None:
    """Write what the training is, or check that it is the one that is there."""
    from simonides.training import is_first

    check_output_folder(out)
    settings = {name: str(value) for name, value in asdict(options).items() if name not in _FREE}
    settings["data"] = _digest(sources)
    if isinstance(options, Finetune):
        weights = _model_folder(options.model) / "model.safetensors"
        settings["model"] = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    if (out / _MODEL).exists():
        raise SimonidesError(f"{out} holds a model already; give another folder.")
    if is_begun(out, _STATE, settings) or not is_first():
        return
    output_folder(out)
    write_text(out / SETTINGS, json.dumps(settings, indent=1))


def _digest(sources: tuple["FileSource", ...]) -> str:
    """Of the sizes of the data and of a first and a last frame of each file."""
    digest = hashlib.sha256()
    for one in sources:
        about = (one.system, one.split, one.fields, one.trajectories, one.steps, one.shape, one.boundaries)
        digest.update(repr((about, one.times.tolist())).encode())
        for trajectory, frame in ((0, 0), (one.trajectories - 1, one.steps - 1)):
            digest.update(one.read(trajectory, frame, frame + 1).numpy().tobytes())
    return digest.hexdigest()[:16]


def _say_trained(
    options: Pretrain | Finetune,
    trained: "Trained",
    training: "PhysicsTraining",
    baselines: dict[str, dict[str, float]] | None = None,
) -> int:
    from simonides.training import is_first

    if not is_first():
        return 0
    about = {
        "frames": training.frames,
        "stride": training.stride,
        "data": [str(path) for path in options.data],
        "steps": training.steps,
        "scores": {system: asdict(one) for system, one in trained.scores.items()},
    }
    trained.model.save_pretrained(options.out / _MODEL, about)
    if trained.skipped:
        tell(f"{trained.skipped} windows were passed over: a frame was constant in every field")
    if options.json:
        say_json(
            {
                "folder": str(options.out / _MODEL),
                "parameters": trained.model.parameter_count,
                "skipped": trained.skipped,
                **about,
            }
            | ({"baselines": baselines} if baselines else {})
        )
        return 0
    say(f"{trained.model.parameter_count:,} parameters, {training.steps:,} updates; errors on windows held out:")
    for system, one in trained.scores.items():
        say(
            f"  {system}: NRMSE {one.nrmse:.4g}, of the last frame {one.persistence:.4g}, of the last increment "
            f"repeated {one.extrapolation:.4g}; VRMSE {one.vrmse:.4g}"
        )
        for name, error in (baselines or {}).get(system, {}).items():
            say(f"    {name}: NRMSE {error:.4g}")
    say(f"model: {(options.out / _MODEL).resolve()}")
    return 0


def _model_folder(folder: Path) -> Path:
    """Where a model lies: in the folder of its training, or in a folder of its own."""
    return folder / _MODEL if (folder / _MODEL).is_dir() else folder


def _loaded(folder: Path) -> tuple["AViT", dict[str, Any]]:
    """A model, and what was told of its training."""
    from simonides.papers.physics.avit import AViT

    place = _model_folder(folder)
    if not (place / "config.json").is_file():
        raise SimonidesError(f"{folder} holds no model (config.json); give a folder of pretrain or finetune.")
    model = AViT.from_pretrained(place)
    about = read_json_object(place / "config.json").get("about")
    if not isinstance(about, dict) or not all(isinstance(about.get(name), int) for name in ("frames", "stride")):
        raise SimonidesError(
            f"{place / 'config.json'} does not tell frames and stride under about; is it changed?"
        )
    return model, about


def _rollout(options: Rollout) -> int:
    from simonides.base import chosen_device
    from simonides.papers.physics.physics_page import RolledOut, blow_up_text, write_rollouts
    from simonides.papers.physics.rollout import roll_out
    from simonides.papers.physics.windows import pools, vocabulary

    for name, value in (("--steps", options.steps), ("--windows", options.windows)):
        check_at_least(name, value, 1)
    if options.out is not None:
        check_output_folder(options.out)
        if (options.out / SETTINGS).exists() or (options.out / _MODEL).exists():
            raise SimonidesError(f"{options.out} holds a training; give another folder for the page.")
    model, about = _loaded(options.model)
    sources = _opened(options.data, options.boundaries, options.system)
    model.labels(vocabulary(sources))
    stride = _stride(options.stride, about)
    found = pools(sources, options.split, int(about["frames"]), stride, options.steps)
    for pool in found:
        if pool.frames < int(about["frames"]):
            raise SimonidesError(
                f"{pool.source.place} has {pool.source.steps} frames; the model sees {about['frames']} at "
                f"stride {stride}, which leaves "
                f"{max((pool.source.steps - 1) // stride + 1 - int(about['frames']), 0)} to predict, not "
                f"{options.steps}. Give fewer --steps."
            )
    model.to(chosen_device(options.device))
    rolled = [
        RolledOut(system=pool.source.system, rollout=roll_out(model, pool, options.windows)) for pool in found
    ]
    rows: list[dict[str, Any]] = [
        {
            "system": one.system,
            "model": one.rollout.errors.mean((0, 2)).tolist(),
            "persistence": one.rollout.persistence.mean((0, 2)).tolist(),
            "extrapolation": one.rollout.extrapolation.mean((0, 2)).tolist(),
            "by_field": dict(zip(one.rollout.fields, one.rollout.errors.mean(0).mT.tolist(), strict=True)),
            "times": one.rollout.times.tolist(),
            "exceeds_one_at": [
                None if time == math.inf else time for time in one.rollout.blow_up_times().tolist()
            ],
        }
        for one in rolled
    ]
    blown_up = [blow_up_text(one.rollout) for one in rolled]
    for row, when in () if options.json else zip(rows, blown_up, strict=True):
        own, last = row["model"], row["persistence"]
        say(
            f"{row['system']}: VRMSE {own[0]:.4g} after one step, {own[-1]:.4g} after {len(own)}; of the last frame "
            f"{last[0]:.4g}, {last[-1]:.4g}; VRMSE exceeds 1 in {when}"
        )
    if options.out is not None:
        summary = [
            (f"{one.system}: when VRMSE exceeds 1", when) for one, when in zip(rolled, blown_up, strict=True)
        ]
        index = write_rollouts(options.out, f"Rollout of {options.model.name}", rolled, summary=summary)
        if not options.json:
            say(f"page: {index.resolve()}")
    if options.json:
        say_json({"rollouts": rows, "page": None if options.out is None else str(options.out / "index.html")})
    return 0
