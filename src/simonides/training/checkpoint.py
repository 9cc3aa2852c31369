"""What a training leaves on disk, in safetensors: its checkpoint, to go on from, and its snapshots, to look at.

A checkpoint holds parameters, optimiser, generator and history; a snapshot the model at one recorded step.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from simonides.base import SimonidesError

if TYPE_CHECKING:  # the loop imports this module
    from simonides.training.loop import History


@dataclass(kw_only=True)
class State:
    """All that decides how a training goes on."""

    model: nn.Module
    optimiser: Optimizer
    generator: torch.Generator
    history: "History"
    done: int


def save_state(state: State, path: Path) -> None:
    """Write a state; the file is replaced in one step, so it is whole whenever it is there.

    Raises:
        SimonidesError: when it cannot be written.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors["generator"] = state.generator.get_state()
    remembered = state.optimiser.state_dict()
    scalars: dict[str, Any] = {}
    for index, entries in remembered["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = value
            else:
                scalars[f"{index}.{name}"] = value
    for row, record in enumerate(state.history.rows):
        tensors.update({f"history.{row}.{name}": value for name, value in record.items()})
    about = {
        "done": state.done,
        "steps": state.history.steps,
        "stopped": state.history.stopped,
        "optimiser": type(state.optimiser).__name__,
        "scalars": scalars,
    }
    _write(tensors, path, {"simonides": json.dumps(about)})


def load_state(state: State, path: Path) -> None:
    """Take a state up again.

    Raises:
        SimonidesError: when the file is damaged, or of another model or optimiser.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["simonides"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise SimonidesError(f"checkpoint {path} cannot be read ({error}); remove it to start again.") from None
    stored = _under(tensors, "model.")
    expected = {name: value.shape for name, value in state.model.state_dict().items()}
    if {name: value.shape for name, value in stored.items()} != expected:
        raise SimonidesError(f"checkpoint {path} is of another model: its tensors have other names or shapes.")
    if about["optimiser"] != type(state.optimiser).__name__:
        raise SimonidesError(
            f"checkpoint {path} was trained by {about['optimiser']}; go on with that, or remove it."
        )
    state.model.load_state_dict(stored)
    remembered = state.optimiser.state_dict()
    entries: dict[int, dict[str, Any]] = {}
    for name, value in {**_under(tensors, "optimiser."), **about["scalars"]}.items():
        index, _, what = name.partition(".")
        entries.setdefault(int(index), {})[what] = value
    state.optimiser.load_state_dict({**remembered, "state": entries})
    state.generator.set_state(tensors["generator"])
    rows: list[dict[str, Tensor]] = [{} for _ in about["steps"]]
    for name, value in _under(tensors, "history.").items():
        row, _, column = name.partition(".")
        rows[int(row)][column] = value
    state.history.steps, state.history.rows = list(about["steps"]), rows
    state.history.stopped, state.done = about["stopped"], about["done"]


def save_snapshot(model: nn.Module, folder: Path, step: int) -> None:
    """Write the model as it is after so many steps, as FOLDER/step-000120.safetensors.

    Raises:
        SimonidesError: when it cannot be written.
    """
    _write(model.state_dict(), folder / f"step-{step:06d}.safetensors", {})


def snapshots(folder: Path) -> dict[int, Path]:
    """The snapshots of a folder by their steps, in order.

    Raises:
        SimonidesError: when there are none.
    """
    found = {int(path.stem.removeprefix("step-")): path for path in sorted(folder.glob("step-*.safetensors"))}
    if not found:
        raise SimonidesError(f"no snapshots step-*.safetensors in {folder}; train with fit(..., kept=folder).")
    return found


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


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    # two names may share a tensor (tied embeddings): safetensors wants copies
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(copies, partial, metadata=metadata)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise SimonidesError(
            f"{path} cannot be written: {error}; free the space or choose another place."
        ) from None


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
