"""Stacking models: R modules of one kind as one, their parameters with the runs on a leading axis.

Every product becomes one batched product, and no number of one run depends on another.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Optimizer

from simonides.base import SimonidesError
from simonides.training.line_search import LineSearch


class Stack(nn.Module):
    """Runs trained as one: every parameter and buffer of the module itself has the runs on its first axis.

    Arguments:
        runs: how many.
    """

    runs: int

    def __init__(self, runs: int) -> None:
        super().__init__()
        self.runs = runs

    def keep(self, runs: Int[Tensor, " kept"]) -> None:
        """Go on with some of the runs."""
        with torch.no_grad():
            for name, old in list(self.named_parameters(recurse=False)):
                self.register_parameter(name, nn.Parameter(old[runs].clone(), requires_grad=old.requires_grad))
            for name, buffer in list(self.named_buffers(recurse=False)):
                self.register_buffer(name, buffer[runs].clone())
        self.runs = len(runs)

    def state_of(self, run: int) -> dict[str, Tensor]:
        """A copy of one run's parameters and buffers."""
        tensors = [*self.named_parameters(recurse=False), *self.named_buffers(recurse=False)]
        return {name: value[run].detach().clone() for name, value in tensors}

    def put_back(self, runs: Sequence[int], left: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Hold all runs again, in order: those that are here, by their numbers, and those that had left."""
        if not left:
            return
        every = {**left, **{run: self.state_of(place) for place, run in enumerate(runs)}}
        with torch.no_grad():
            for name, old in list(self.named_parameters(recurse=False)):
                value = torch.stack([every[run][name] for run in sorted(every)])
                self.register_parameter(name, nn.Parameter(value, requires_grad=old.requires_grad))
            for name, _ in list(self.named_buffers(recurse=False)):
                self.register_buffer(name, torch.stack([every[run][name] for run in sorted(every)]))
        self.runs = len(every)


def _settings(model: nn.Module) -> list[Any]:
    """What a model computes with beside its parameters and buffers, by module: all models of a stack share it."""
    found: list[Any] = []
    for name, module in model.named_modules():
        own = {key: value for key, value in vars(module).items() if not key.startswith("_") and key != "training"}
        plain = {
            key: value.tolist() if isinstance(value, Tensor) else value
            for key, value in own.items()
            if isinstance(value, (int, float, str, bool, tuple, list, dict, Tensor, type(None)))
        }
        others = [(key, type(value)) for key, value in own.items() if key not in plain]
        found.append((name, type(module), module.extra_repr(), getattr(module, "config", None), plain, others))
    return found


class StackedModel(Stack):
    """R modules of equal structure, trained as one.

    Arguments:
        models: the modules; their parameters are copied.

    >>> stacked = StackedModel([nn.Linear(2, 1) for _ in range(3)])
    >>> stacked(torch.zeros(3, 5, 2)).shape
    torch.Size([3, 5, 1])
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__(len(models))
        if not models:
            raise SimonidesError("no models to stack; give at least one.")
        kinds = [{name: (p.shape, p.requires_grad) for name, p in m.named_parameters()} for m in models]
        buffer_shapes = [{name: b.shape for name, b in m.named_buffers()} for m in models]
        # a module of the first's settings computes for all of them: settings that are no tensors must agree too
        settings = [_settings(m) for m in models]
        if any(fingerprint != every[0] for every in (kinds, buffer_shapes, settings) for fingerprint in every):
            raise SimonidesError(
                "models of different classes, settings or shapes, or with different frozen parameters, cannot be "
                "stacked; train them in groups of equal ones."
            )
        stacked, buffers = stack_module_state(list(models))
        # hidden in a tuple so that its own parameters are not listed as parameters of the stack
        self._held = (copy.deepcopy(models[0]),)
        self._names = {name.replace(".", "/"): name for name in stacked}
        for safe, name in self._names.items():
            self.register_parameter(safe, nn.Parameter(stacked[name].detach()))
            self.get_parameter(safe).requires_grad_(kinds[0][name][1])
        self._buffer_names = {name.replace(".", "/"): name for name in buffers}
        for safe, name in self._buffer_names.items():
            self.register_buffer(safe, buffers[name].detach().clone())

    @property
    def template(self) -> nn.Module:
        """The module that computes for all runs; its own parameters are not theirs."""
        return self._held[0]

    def forward(self, *inputs: Tensor) -> Any:
        """What each model returns for its own inputs, all with the runs as first axis."""
        return self.each(lambda model, own: model(*own), inputs)

    def each(self, function: Callable[[Callable[..., Any], Any], Any], batch: Any) -> Any:
        """`function(model, batch)` of each run, such as its loss; tensors of the batch have the runs in front.

        `model` is a callable that stands for the run's module.
        """
        template = self.template

        def one(state: dict[str, Tensor], own: Any) -> Any:
            return function(lambda *inputs: functional_call(template, state, inputs), own)

        return vmap(one, randomness="different")(self._state(), batch)

    def run(self, index: int) -> nn.Module:
        """A copy of one of the modules as it is now, where the stack is."""
        state = self._state()
        # a parameter of two names is filled before it is moved, which may part them; the template stays where it is
        model = copy.deepcopy(self.template)
        with torch.no_grad():
            for name, value in [*model.named_parameters(), *model.named_buffers()]:
                value.copy_(state[name][index].to(value.device))
        return model.to(next(iter(state.values())).device)

    def train(self, mode: bool = True) -> "StackedModel":
        """Set the mode of all models."""
        self.template.train(mode)
        return super().train(mode)

    def _state(self) -> dict[str, Tensor]:
        named = {**self._names, **self._buffer_names}
        return {name: getattr(self, safe) for safe, name in named.items()}


def keep_optimiser_runs(
    old: Optimizer,
    before: Sequence[Tensor],
    after: list[nn.Parameter],
    runs: Int[Tensor, " kept"],
) -> Optimizer:
    """An optimiser of some of the runs of a stack, which goes on with what another remembers of them.

    Arguments:
        old: the optimiser of all runs; of what it holds for each run, such as rates and momenta, that of those that
            stay is kept.
        before, after: the parameters of all runs, and of those that stay.
        runs: which stay.
    """
    count = len(before[0])
    settings = [{name: value for name, value in group.items() if name != "params"} for group in old.param_groups]
    for group in settings:
        for name, value in group.items():
            if isinstance(value, Tensor) and value.dim() == 1 and len(value) == count:
                group[name] = value[runs]
    new = type(old).__new__(type(old))
    new.__dict__.update(
        {name: value for name, value in old.__dict__.items() if name not in ("state", "param_groups")}
    )
    place = {id(parameter): number for number, parameter in enumerate(before)}
    new.param_groups = [
        {"params": [after[place[id(parameter)]] for parameter in group["params"]], **setting}
        for group, setting in zip(old.param_groups, settings, strict=True)
    ]
    new.state = defaultdict(dict)
    if isinstance(new, LineSearch) and new.sizes is not None:
        new.sizes = new.sizes[runs]
    for parameter, other in zip(before, after, strict=True):
        new.state[other] = {
            name: value[runs].clone() if isinstance(value, Tensor) and value.shape[:1] == (count,) else value
            for name, value in old.state.get(parameter, {}).items()
        }
    return new
