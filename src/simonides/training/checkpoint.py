"""What a training leaves on disk, in safetensors: its checkpoint, to go on from, and its snapshots, to look at.

A checkpoint holds parameters, optimiser, generator and history; a snapshot the model at one recorded step.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from simonides.base import SimonidesError, write_tensors
from simonides.training.distributed import is_first
from simonides.training.line_search import LineSearch
from simonides.training.stacking import Stack, keep_optimiser_runs
from simonides.training.state import TrainingState


def save_state(state: TrainingState, path: Path, settings: Mapping[str, str]) -> None:
    """Write a state; the file is replaced in one step, so it is whole whenever it is there.

    Arguments:
        state: what is written; of several processes the first writes.
        path: the file.
        settings: by name how the training is made; a resume under others is refused.

    Raises:
        SimonidesError: when it cannot be written.
    """
    if not is_first():
        return
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    for number, generator in enumerate(state.generators):
        tensors[f"generator.{number}"] = generator.get_state()
    scalars: dict[str, Any] = {}
    for index, entries in state.optimiser.state_dict()["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = value
            else:
                scalars[f"{index}.{name}"] = value
    if isinstance(state.optimiser, LineSearch) and state.optimiser.sizes is not None:
        tensors["line_search"] = state.optimiser.sizes
        scalars["evaluations"] = state.optimiser.evaluations
    tensors |= {f"history.{name}": values for name, values in state.history.columns.items()}
    for run, parameters in state.retired.items():
        tensors |= {f"retired.{run}.{name}": value for name, value in parameters.items()}
    about = {
        "done": state.done,
        "steps": state.history.steps,
        "stopped": state.history.stopped,
        "ended": state.history.ended,
        "runs": state.runs,
        "settings": _settings(state, settings),
        "scalars": scalars,
    }
    about["checksum"] = _checksum(tensors, about)
    write_tensors(path, tensors, {"simonides": json.dumps(about)})


def load_state(state: TrainingState, path: Path, settings: Mapping[str, str]) -> None:
    """Take a state up again.

    Raises:
        SimonidesError: when the file is damaged, or of another model, optimiser or setting.
    """
    if not path.is_file():
        raise SimonidesError(f"checkpoint {path} is no regular file; remove it to start again.")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["simonides"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about.pop("checksum") != _checksum(tensors, about):
            raise ValueError("it differs from its checksum")
        _take_up(state, path, tensors, about, settings)
    except SimonidesError:
        raise
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        why = " ".join(str(error).split())[:200]
        raise SimonidesError(f"checkpoint {path} is damaged ({why}); remove it to start again.") from None


def _checksum(tensors: dict[str, Tensor], about: dict[str, Any]) -> str:
    """Of all numbers and of all that is told of them: a training never goes on from what was changed."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        whole = value.detach().cpu().contiguous().reshape(-1)
        digest.update(whole.view(torch.uint8).numpy().data if whole.numel() else b"")
    return digest.hexdigest()


def _take_up(
    state: TrainingState,
    path: Path,
    tensors: dict[str, Tensor],
    about: dict[str, Any],
    settings: Mapping[str, str],
) -> None:
    device = next(state.model.parameters()).device
    for name, value in _under(tensors, "retired.").items():
        run, _, parameter = name.partition(".")
        state.retired.setdefault(int(run), {})[parameter] = value.to(device)
    runs = about["runs"]
    if isinstance(state.model, Stack) and not runs:  # all have left, so nothing goes on
        shapes = {name: value.shape for name, value in state.model.state_of(0).items()}
        if any({name: v.shape for name, v in left.items()} != shapes for left in state.retired.values()):
            raise _of_another_model(path)
    else:
        _go_on(state, path, tensors, about, settings)
    for number, generator in enumerate(state.generators):
        generator.set_state(tensors[f"generator.{number}"])
    state.history.restore(list(about["steps"]), _under(tensors, "history."))
    state.history.stopped, state.history.ended = about["stopped"], about["ended"]
    state.runs, state.done = runs, about["done"]


def _go_on(
    state: TrainingState,
    path: Path,
    tensors: dict[str, Tensor],
    about: dict[str, Any],
    settings: Mapping[str, str],
) -> None:
    """Give model and optimiser what a checkpoint holds of them."""
    if isinstance(state.model, Stack) and len(about["runs"]) < state.model.runs:
        before = [p for p in state.model.parameters() if p.requires_grad]
        place = torch.tensor(about["runs"], dtype=torch.long)
        state.model.keep(place)
        after = [p for p in state.model.parameters() if p.requires_grad]
        state.optimiser = keep_optimiser_runs(state.optimiser, before, after, place)
    current, wanted = _settings(state, settings), about["settings"]
    if different := [name for name in current if current[name] != wanted.get(name)]:
        name = different[0]
        raise SimonidesError(
            f"checkpoint {path} was trained with {name} {wanted.get(name)}, not {current[name]}; go on with that, or "
            "remove it."
        )
    stored = _under(tensors, "model.")
    expected = {name: value.shape for name, value in state.model.state_dict().items()}
    if {name: value.shape for name, value in stored.items()} != expected:
        raise _of_another_model(path)
    state.model.load_state_dict(stored)
    remembered = state.optimiser.state_dict()
    entries: dict[int, dict[str, Any]] = {}
    scalars = {name: value for name, value in about["scalars"].items() if name != "evaluations"}
    for name, value in {**_under(tensors, "optimiser."), **scalars}.items():
        index, _, what = name.partition(".")
        entries.setdefault(int(index), {})[what] = value
    state.optimiser.load_state_dict({**remembered, "state": entries})
    if isinstance(state.optimiser, LineSearch):
        sizes = tensors.get("line_search")
        state.optimiser.sizes = None if sizes is None else sizes.to(next(state.model.parameters()).device)
        state.optimiser.evaluations = about["scalars"].get("evaluations", 0)


def _of_another_model(path: Path) -> SimonidesError:
    return SimonidesError(f"checkpoint {path} is of another model: its tensors have other names or shapes.")


def _settings(state: TrainingState, told: Mapping[str, str]) -> dict[str, str]:
    """All that a resume must share, in words."""
    groups = [
        {
            name: value.tolist() if isinstance(value, Tensor) else value
            for name, value in group.items()
            if name not in ("params", "lr", "initial_lr")
        }
        | {"rate": torch.as_tensor(group.get("initial_lr", group["lr"])).tolist()}
        for group in state.optimiser.param_groups
    ]
    return {
        "optimiser": type(state.optimiser).__name__,
        "optimiser settings": repr(groups),
        **told,
        "generators": str(len(state.generators)),
    }


def save_snapshot(model: nn.Module, folder: Path, step: int) -> None:
    """Write the model as it is after so many steps, as FOLDER/step-000120.safetensors.

    Raises:
        SimonidesError: when it cannot be written.
    """
    write_tensors(folder / f"step-{step:06d}.safetensors", model.state_dict())


def snapshots(folder: Path) -> dict[int, Path]:
    """The snapshots of a folder by their steps, in order.

    Raises:
        SimonidesError: when there are none.
    """
    paths = {int(path.stem.removeprefix("step-")): path for path in sorted(folder.glob("step-*.safetensors"))}
    if not paths:
        raise SimonidesError(
            f"no snapshots step-*.safetensors in {folder}; train with records=Records(keep=folder)."
        )
    return paths


def load_snapshot(model: nn.Module, path: Path) -> None:
    """Give a model the weights of a snapshot.

    Raises:
        SimonidesError: when the file is damaged or of another model.
    """
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise SimonidesError(f"snapshot {path} cannot be read ({error}); train again to have it.") from None
    expected = {name: value.shape for name, value in model.state_dict().items()}
    if {name: value.shape for name, value in stored.items()} != expected:
        raise SimonidesError(f"snapshot {path} is of another model: its tensors have other names or shapes.")
    model.load_state_dict(stored)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
