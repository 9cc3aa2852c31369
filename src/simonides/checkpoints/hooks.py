"""Hooks on the modules of a model of `transformers`: what passes is seen, and may be changed."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from simonides.base import SimonidesError
from simonides.nn import Watch


def _first(output: Any) -> Tensor:
    first: Tensor = output[0] if isinstance(output, tuple) else output
    return first


def _given(call: tuple[tuple[Any, ...], dict[str, Any]]) -> Tensor:
    args, kwargs = call
    stream: Tensor = args[0] if args else kwargs["hidden_states"]
    return stream


def _without_stream(call: tuple[tuple[Any, ...], dict[str, Any]]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args, kwargs = call
    return args[1:], {name: value for name, value in kwargs.items() if name != "hidden_states"}


def _after(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    def hook(_: nn.Module, given: Any, output: Any) -> Any:
        changed = change(_first(output))
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    return module.register_forward_hook(hook).remove


def _before(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    def hook(_: nn.Module, args: Any, kwargs: Any) -> Any:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        name = next(iter(kwargs))
        return args, {**kwargs, name: change(kwargs[name])}

    return module.register_forward_pre_hook(hook, with_kwargs=True).remove


def _weights_after(module: nn.Module, watch: Watch, name: str) -> Callable[[], None]:
    def hook(_: nn.Module, given: Any, output: Any) -> None:
        if not isinstance(output, tuple) or not isinstance(output[1], Tensor):
            raise SimonidesError(
                f"this model does not show {name}; open it with attn_implementation='eager', or by its folder."
            )
        if watch(name, output[1]) is not output[1]:
            raise SimonidesError(f"{name} of this kind of model can be read, not changed; change an output.")

    return module.register_forward_hook(hook).remove
