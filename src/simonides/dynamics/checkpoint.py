"""Checkpoints of a training: one safetensors file with parameters, optimiser, generator and history."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from simonides.errors import SimonidesError

if TYPE_CHECKING:  # the loop imports this module
    from simonides.dynamics.training import History


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
    # two names may share a tensor (tied embeddings): safetensors wants copies
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(copies, partial, metadata={"simonides": json.dumps(about)})
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise SimonidesError(
            f"checkpoint {path} cannot be written: {error}; free the space or choose another."
        ) from None


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


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
