"""Watching a model at work: activations by name, kept as they pass or changed on the way.

Names are paths: "embedding" (the stream before the first layer), and of layer n "layers.n.attention.weights"
(B x H x Q x T), "layers.n.attention.output" (what attention adds), "layers.n.feed_forward.hidden",
"layers.n.feed_forward.output" and "layers.n.output" (the stream after the layer). Patterns take * for anything.
"""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from simonides.base import SimonidesError, suggest

Change = Callable[[Tensor], Tensor]
Interventions = Mapping[str, Change]


class Trace(dict[str, Tensor]):
    """The activations of a run, by name.

    Arguments:
        *patterns: which are kept, such as "layers.*.attention.weights".

    >>> trace = Trace("layers.*.output")
    >>> trace.keeps("layers.3.output"), trace.keeps("layers.3.attention.output")
    (True, False)
    """

    def __init__(self, *patterns: str) -> None:
        super().__init__()
        self.patterns = patterns

    def keeps(self, name: str) -> bool:
        """Whether an activation of this name is kept."""
        # a * stands for one part of the path
        parts = name.split(".")
        for pattern in self.patterns:
            wanted = pattern.split(".")
            if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
                return True
        return False

    def __missing__(self, name: str) -> Tensor:
        raise SimonidesError(f"no activation {name!r} was kept; {suggest(name, self)}")


class Watch:
    """What a model calls with each activation: it is changed, then kept, then goes on.

    Arguments:
        trace: takes what is asked for.
        interventions: changes by name or pattern.

    A model calls `check` at the end of a run: a pattern that met no activation is refused.
    """

    def __init__(self, trace: Trace | None = None, interventions: Interventions | None = None) -> None:
        self._trace, self._interventions = trace, dict(interventions or {})
        self._asked = {name: Trace(name) for name in self._interventions}
        patterns = [*self._interventions, *(() if trace is None else trace.patterns)]
        self._met: dict[str, bool] = dict.fromkeys(patterns, False)
        self._names: list[str] = []

    def wants(self, name: str) -> bool:
        """Whether an activation is kept or changed: a model may then leave a fast path."""
        kept = self._trace is not None and self._trace.keeps(name)
        return kept or any(asked.keeps(name) for asked in self._asked.values())

    def touches(self, prefix: str) -> bool:
        """Whether an activation may be kept or changed whose name begins with these parts, such as "encoder."."""
        parts = prefix.split(".")[:-1]
        return any(all(map(fnmatchcase, parts, pattern.split("."))) for pattern in self._met)

    def __call__(self, name: str, activation: Tensor) -> Tensor:
        """The activation as it goes on.

        Raises:
            SimonidesError: when an intervention changes its shape.
        """
        self._names.append(name)
        for pattern, change in self._interventions.items():
            if self._asked[pattern].keeps(name):
                self._met[pattern] = True
                changed = change(activation)
                if not isinstance(changed, Tensor):
                    raise SimonidesError(
                        f"the intervention on {name} gave a {type(changed).__name__}; let it return the activation."
                    )
                if changed.shape != activation.shape:
                    raise SimonidesError(
                        f"the intervention on {name} made {list(changed.shape)} of {list(activation.shape)}; "
                        "it must keep the shape."
                    )
                activation = changed
        if self._trace is not None:
            for pattern in self._trace.patterns:
                if Trace(pattern).keeps(name):
                    self._met[pattern] = True
                    self._trace[name] = activation.detach().clone()  # what follows may work in place
        return activation

    def check(self) -> None:
        """Raise `SimonidesError` where a pattern met no activation."""
        for pattern, met in self._met.items():
            if not met:
                raise SimonidesError(f"no activation is called {pattern!r}; there are {', '.join(self._names)}.")


def replace(value: Float[Tensor, "..."]) -> Change:
    """An intervention that puts other numbers, which may be broadcast, in an activation's place."""
    return lambda activation: value.to(activation).expand_as(activation)


def scale(factor: float) -> Change:
    """An intervention that multiplies an activation; 0 removes it."""
    return lambda activation: activation * factor


def mask(where: Bool[Tensor, "..."], normalise: bool = False) -> Change:
    """An intervention that sets entries to zero.

    Arguments:
        where: true where the activation is to vanish; broadcast over it.
        normalise: whether what remains of each row is scaled to the sum it had, as attention weights want it; a
            row of which nothing remains is zero.
    """

    def change(activation: Tensor) -> Tensor:
        kept = activation.masked_fill(where.to(activation.device), 0.0)
        if not normalise:
            return kept
        left = kept.sum(-1, keepdim=True)
        factor = activation.sum(-1, keepdim=True) / torch.where(left == 0, torch.ones_like(left), left)
        return kept * factor

    return change
