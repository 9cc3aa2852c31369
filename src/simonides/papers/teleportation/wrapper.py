"""`Teleported`: any optimiser, with teleports in between its steps."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from simonides.base import SimonidesError, check_at_least
from simonides.papers.teleportation.solver import Solving
from simonides.papers.teleportation.teleporting import Closure, TeleportReport, teleport

When = Callable[[int, float | None], bool]


class Teleported(Optimizer):
    """An optimiser that teleports after some of its steps, and is the wrapped one in all else.

    Parameter groups and state are the wrapped optimiser's own objects, so schedulers, clipping and code that reads them
    work as before. A teleport comes after a step, when the gradients of that step are used up; gradients that are held
    then are of the point before it, so clear them (`zero_grad`) before the next backward pass, as every loop does.

    Arguments:
        optimiser: of torch, or any that is a `torch.optim.Optimizer`.
        objective: the forward-only closure that a teleport keeps at its level, such as the loss of the whole data;
            by default the closure that is given to `step`.
        every: teleport after every so many steps.
        at: or after these numbers of steps; 0 is before the first, and needs a forward-only closure.
        when: or when this function of the steps done and the last loss (None where there was none) says so.
        momentum: what becomes of the state of the optimiser: "keep", "reset", or by default "reset" for
            momentum buffers of SGD and the pairs of LBFGS, which are of the old point, and "keep" for all others.
        module: the module of the parameters, whose buffers (such as the means of batch normalisation in training mode)
            are then left as they are.
        options: of `teleport`: steps, budget, tolerance, rate, solver.

    Raises:
        SimonidesError: when none or several of every, at and when are given.
    """

    def __init__(
        self,
        optimiser: Optimizer,
        objective: Closure | None = None,
        *,
        every: int | None = None,
        at: Iterable[int] | None = None,
        when: When | None = None,
        momentum: str | None = None,
        module: nn.Module | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(optimiser, Optimizer):
            raise SimonidesError(
                f"the optimiser came as {type(optimiser).__name__}; give a torch.optim.Optimizer."
            )
        for name, function in (("objective", objective), ("when", when)):
            if function is not None and not callable(function):
                raise SimonidesError(f"{name} came as {type(function).__name__}; give a function.")
        if sum(rule is not None for rule in (every, at, when)) != 1:
            raise SimonidesError("give one of every, at and when: they say after which steps to teleport.")
        if momentum not in (None, "keep", "reset"):
            raise SimonidesError(f"momentum = {momentum!r}; give 'keep' or 'reset', or leave it out.")
        if strange := set(options) - {"steps", "budget", "tolerance", "rate", "solver"}:
            raise SimonidesError(f"{', '.join(sorted(strange))}: not an option of teleport.")
        # wrong options are told now, not when the first teleport is due
        Solving(**{name: value for name, value in options.items() if name != "solver"})
        if options.get("solver", "feasible") not in ("feasible", "reference"):
            raise SimonidesError(f"solver = {options['solver']!r}; give 'feasible' or 'reference'.")
        if every is not None:
            check_at_least("every", every, 1)
        steps = None if at is None else list(at) if isinstance(at, Iterable) else [at]
        if steps is not None and any(
            not isinstance(one, int) or isinstance(one, bool) or one < 0 for one in steps
        ):
            raise SimonidesError("at: give a list of numbers of steps, 0 or more.")
        self.at = None if steps is None else frozenset(steps)
        self.every, self.when, self.objective, self.module, self.options = every, when, objective, module, options
        self.momentum, self.done = momentum, 0
        self.reports: list[tuple[int, TeleportReport]] = []
        super().__init__(optimiser.param_groups, optimiser.defaults)
        self.optimiser = optimiser

    @property
    def _made(self) -> bool:
        return "optimiser" in self.__dict__

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The wrapped optimiser's own."""
        own: list[dict[str, Any]] = self.optimiser.param_groups if self._made else self.__dict__["_first_groups"]
        return own

    @param_groups.setter
    def param_groups(self, groups: list[dict[str, Any]]) -> None:
        if self._made:
            self.optimiser.param_groups = groups
        else:
            self.__dict__["_first_groups"] = groups

    @property
    def state(self) -> Any:
        """The wrapped optimiser's own."""
        return self.optimiser.state if self._made else self.__dict__["_first_state"]

    @state.setter
    def state(self, state: Any) -> None:
        if self._made:
            self.optimiser.state = state
        else:
            self.__dict__["_first_state"] = state

    def __getstate__(self) -> dict[str, Any]:
        """All of it, for copies: torch would keep groups and state alone."""
        return {name: value for name, value in self.__dict__.items() if not name.endswith("_hooks")}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the wrapped optimiser."""
        if self._made:
            self.optimiser.add_param_group(param_group)
        else:
            super().add_param_group(param_group)

    def register_state_dict_pre_hook(self, *args: Any, **kwargs: Any) -> Any:
        """That of the wrapped optimiser, whose state it is."""
        return self.optimiser.register_state_dict_pre_hook(*args, **kwargs)

    def register_state_dict_post_hook(self, *args: Any, **kwargs: Any) -> Any:
        """That of the wrapped optimiser."""
        return self.optimiser.register_state_dict_post_hook(*args, **kwargs)

    def register_load_state_dict_pre_hook(self, *args: Any, **kwargs: Any) -> Any:
        """That of the wrapped optimiser."""
        return self.optimiser.register_load_state_dict_pre_hook(*args, **kwargs)

    def register_load_state_dict_post_hook(self, *args: Any, **kwargs: Any) -> Any:
        """That of the wrapped optimiser."""
        return self.optimiser.register_load_state_dict_post_hook(*args, **kwargs)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients."""
        self.optimiser.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """That of the wrapped optimiser, and how many steps were done."""
        return {**self.optimiser.state_dict(), "teleported": {"done": self.done}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state.

        Raises:
            SimonidesError: when it is of an optimiser that was not wrapped.
        """
        own = state_dict.get("teleported")
        if not isinstance(own, dict) or not isinstance(own.get("done"), int):
            raise SimonidesError(
                "this state has no 'teleported': it is of an optimiser that was not wrapped; load it into that one."
            )
        self.optimiser.load_state_dict({name: value for name, value in state_dict.items() if name != "teleported"})
        self.done = own["done"]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of the wrapped optimiser, then a teleport where one is due.

        Arguments:
            closure: as the wrapped optimiser takes it (zero_grad, backward, return the loss), or forward only (return
                the loss alone): then the gradients are made here. Teleports need `objective`, or the latter.
        """
        if self.done == 0 and self._is_due(None):
            if closure is None:
                raise SimonidesError(
                    "a teleport before the first step would make the gradients that are there stale; call teleport() "
                    "before the backward pass, or give step a forward-only closure."
                )
            self._teleport(closure)
        loss = self.optimiser.step(None if closure is None else self._with_gradients(closure))
        self.done += 1
        if self._is_due(loss):
            self._teleport(closure)
        return loss

    def _is_due(self, loss: Any) -> bool:
        if self.when is not None:
            return self.done > 0 and bool(self.when(self.done, None if loss is None else float(loss)))
        if self.at is not None:
            return self.done in self.at
        return self.done > 0 and self.every is not None and self.done % self.every == 0

    def _with_gradients(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        """The closure in the convention of LBFGS, whichever of the two it is in."""

        def both() -> Any:
            with torch.enable_grad():
                before = [parameter.grad for parameter in self._parameters()]
                versions = [None if grad is None else grad._version for grad in before]
                loss = closure()
                after = [parameter.grad for parameter in self._parameters()]
                made = any(
                    new is not None and (new is not old or new._version != version)
                    for old, new, version in zip(before, after, versions, strict=True)
                )
                if not made and not (isinstance(loss, Tensor) and loss.requires_grad):
                    came = "a tensor without a graph" if isinstance(loss, Tensor) else type(loss).__name__
                    raise SimonidesError(
                        f"the closure returned {came} and made no gradients; return the loss with its graph, or call "
                        "backward() in it."
                    )
                if not made:
                    self.optimiser.zero_grad()
                    loss.backward()
            return loss.detach() if isinstance(loss, Tensor) else loss

        return both

    def _parameters(self) -> list[Tensor]:
        return [
            parameter for group in self.param_groups for parameter in group["params"] if parameter.requires_grad
        ]

    def _teleport(self, closure: Callable[[], Any] | None) -> None:
        objective = self.objective or closure
        if objective is None:
            raise SimonidesError(
                "a teleport is due and there is no objective; give Teleported(optimiser, objective), or a forward-only "
                "closure to step."
            )
        report = teleport(self._parameters(), objective, module=self.module, **self.options)
        self.reports.append((self.done, report))
        if report.distance > 0:
            self._forget()

    def _forget(self) -> None:
        """Drop what the optimiser remembers of the point before, as asked."""
        if self.momentum == "keep":
            return
        if self.momentum == "reset" or isinstance(self.optimiser, torch.optim.LBFGS):
            self.optimiser.state.clear()
        elif isinstance(self.optimiser, torch.optim.SGD):
            for state in self.optimiser.state.values():
                state.pop("momentum_buffer", None)
