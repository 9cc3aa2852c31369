"""Looking at a model without changing it: in eval mode, without gradients, on its device."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from simonides.base import SimonidesError
from simonides.training.settings import Probe
from simonides.training.stacking import StackedModel
from simonides.training.state import Record


def asked(model: nn.Module, probes: Mapping[str, Probe]) -> Record:
    """What probes see of a model, without gradients and in eval mode."""
    with in_eval_mode(model), torch.no_grad():
        seen: dict[str, float | Tensor] = {}
        for name, probe in probes.items():
            value = probe(model)
            seen.update(value if isinstance(value, Mapping) else {name: value})
    return {name: _as_tensor(name, value) for name, value in seen.items()}


def _as_tensor(name: str, value: Any) -> Tensor:
    try:
        return torch.as_tensor(value).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise SimonidesError(f"the probe {name!r} gave a {type(value).__name__}; let it give numbers.") from None


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """A context in which a model is in eval mode; afterwards each of its modules is in the mode it was in."""
    modules = [*model.modules(), *(model.template.modules() if isinstance(model, StackedModel) else ())]
    modes = [(module, module.training) for module in modules]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def moved(batch: Any, device: torch.device) -> Any:
    """A batch with its tensors on a device: of tuples, lists, mappings, and data classes of tensors."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if device.type == "cpu":
        return batch
    if isinstance(batch, Mapping):
        return {name: moved(value, device) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(moved(value, device) for value in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(moved(value, device) for value in batch)
    if hasattr(batch, "__dataclass_fields__"):
        return dataclasses.replace(
            batch, **{name: moved(getattr(batch, name), device) for name in batch.__dataclass_fields__}
        )
    return batch
