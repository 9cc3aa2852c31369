"""Stacking models: R modules of one kind as one, their parameters with the runs on a leading axis.

Every product becomes one batched product, and no number of one run depends on another.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from simonides.base import SimonidesError


class StackedModel(nn.Module):
    """R modules of equal structure, trained as one.

    Arguments:
        models: the modules; their parameters are copied.

    >>> stacked = StackedModel([nn.Linear(2, 1) for _ in range(3)])
    >>> stacked(torch.zeros(3, 5, 2)).shape
    torch.Size([3, 5, 1])
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        if not models:
            raise SimonidesError("no models to stack; give at least one.")
        kinds = [{name: (p.shape, p.requires_grad) for name, p in m.named_parameters()} for m in models]
        if any(other != kinds[0] for other in kinds):
            raise SimonidesError(
                "models of different shapes, or with different frozen parameters, cannot be stacked; "
                "train them in groups of equal ones."
            )
        stacked, buffers = stack_module_state(list(models))
        # hidden in a tuple so that its own parameters are not listed as parameters of the stack
        self._template = (copy.deepcopy(models[0]),)
        self._names = {name.replace(".", "/"): name for name in stacked}
        self.runs = len(models)
        for safe, name in self._names.items():
            self.register_parameter(safe, nn.Parameter(stacked[name].detach()))
            self.get_parameter(safe).requires_grad_(kinds[0][name][1])
        self._buffer_names = {name.replace(".", "/"): name for name in buffers}
        for safe, name in self._buffer_names.items():
            self.register_buffer(safe, buffers[name].detach().clone())

    def forward(self, *inputs: Tensor) -> Any:
        """What each model returns for its own inputs, all with the runs as first axis."""
        return self.each(lambda model, own: model(*own), inputs)

    def each(self, function: Callable[[Callable[..., Any], Any], Any], batch: Any) -> Any:
        """`function(model, batch)` of each run, such as its loss; tensors of the batch have the runs in front.

        `model` is a callable that stands for the run's module.
        """
        (template,) = self._template

        def one(state: dict[str, Tensor], own: Any) -> Any:
            return function(lambda *inputs: functional_call(template, state, inputs), own)

        return vmap(one, randomness="different")(self._state(), batch)

    def run(self, index: int) -> nn.Module:
        """A copy of one of the modules as it is now."""
        (template,) = self._template
        model = copy.deepcopy(template)
        with torch.no_grad():
            state = self._state()
            for name, value in [*model.named_parameters(), *model.named_buffers()]:
                value.copy_(state[name][index])
        return model

    def train(self, mode: bool = True) -> "StackedModel":
        """Set the mode of all models."""
        self._template[0].train(mode)
        return super().train(mode)

    def _state(self) -> dict[str, Tensor]:
        named = {**self._names, **self._buffer_names}
        return {name: getattr(self, safe) for safe, name in named.items()}
