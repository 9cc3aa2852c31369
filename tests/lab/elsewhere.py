"""A device that no machine lacks: its tensors live on the CPU, say that they are on "meta", and refuse to be mixed.

What a GPU would refuse (an operand, an index or a generator of another device, numpy of a tensor that is not here) is
refused, so that code can be tried on "another device" where there is none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.optim import optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
_ACROSS = {"aten::_to_copy", "aten::copy_"}
# of a tensor there the indices may be here
_INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}


class Elsewhere(torch.Tensor):
    """A tensor of the CPU in disguise."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Elsewhere":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
            requires_grad=inner.requires_grad,
        )

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def tolist(self) -> Any:
        """As of any device."""
        return self.inner.tolist()

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _MadeThere(TorchFunctionMode):
    """What is made there from Python's numbers is made here and moved: it would not be seen otherwise."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        settings = dict(kwargs or {})
        device = settings.get("device")
        if func in (torch.tensor, torch.as_tensor) and device is not None and torch.device(device) == DEVICE:
            return func(*args, **{**settings, "device": "cpu"}).to(DEVICE)
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            places = args[1] if isinstance(args[1], tuple) else (args[1],)
            places = tuple(torch.tensor(place) if isinstance(place, list) else place for place in places)
            args = (args[0], places, *args[2:])
        return func(*args, **settings)


@contextmanager
def other_device() -> Iterator[None]:
    """A context in which `DEVICE` computes."""
    fused = [*optimizer._get_fused_kernels_supported_devices(), DEVICE.type]
    with (
        patch.object(optimizer, "_get_fused_kernels_supported_devices", lambda: fused),
        _MadeThere(),
        _Computing(),
    ):
        yield


class _Computing(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    if lost := [tensor for tensor in tensors if tensor.device == DEVICE and not isinstance(tensor, Elsewhere)]:
        raise AssertionError(f"{func}: a tensor {list(lost[0].shape)} of {DEVICE} that was not made here")
    there = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.dim()]
    name = func._schema.name
    indexed = name in _INDEXED and isinstance(args[0], Elsewhere)
    if there and here and name not in _ACROSS and not indexed:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, found cpu and {DEVICE}")
    wanted = kwargs.get("device")
    ends_there = bool(there) if wanted is None else torch.device(wanted) == DEVICE
    if name == "aten::copy_":
        ends_there = isinstance(args[0], Elsewhere)
    generator = kwargs.get("generator")
    if generator is not None and ends_there:
        raise RuntimeError(f"{name}: expected a generator of {DEVICE}, found one of {generator.device}")

    def inner(value: Any) -> Any:
        return value.inner if isinstance(value, Elsewhere) else value

    settings = tree_map(inner, kwargs)
    if wanted is not None:
        settings["device"] = torch.device("cpu")
    found = func(*tree_map(inner, args), **settings)
    if ends_there:
        found = tree_map(lambda value: Elsewhere(value) if isinstance(value, torch.Tensor) else value, found)
    return return_and_correct_aliasing(func, args, kwargs, found) if there or ends_there else found
