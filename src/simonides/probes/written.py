"""What a gradient step writes into a linear layer, read as a memory between named directions.

The update of a weight is -eta E[backward x^T], a sum of outer products of what comes back with what goes in;
Bietti et al. (2023), lemma 1. Any `nn.Linear` inside any model is read the same way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from simonides.base import SimonidesError, check_at_least, check_name

Directions = Mapping[str, Float[Tensor, "_ _"]]


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of an update's squared norm, and what an update in a random direction would have there."""

    value: float
    chance: float


@dataclass(frozen=True, kw_only=True)
class WrittenMemory:
    """An update dW of a linear layer, with names for the directions it may connect.

    Arguments:
        update: dW = -eta E[backward x^T], as the layer's weight.
        inputs: sets of input directions by name, such as "token": W_E, or "position": P; rows in R^{d_in}.
        outputs: sets of output directions by name, such as "unembedding": W_U; rows in R^{d_out}.
    """

    update: Float[Tensor, "d_out d_in"]
    inputs: Directions
    outputs: Directions

    def table(self, output_set: str, input_set: str) -> Float[Tensor, "outputs inputs"]:
        """o^T dW i for unit directions o of one set and i of another: what was written between each two."""
        return self._unit("outputs", output_set) @ self.update @ self._unit("inputs", input_set).mT

    def share(self, output_set: str, input_set: str) -> Share:
        """The share of |dW|^2 inside the span of all outer products o i^T of two sets."""
        left = _basis(self._unit("outputs", output_set))
        right = _basis(self._unit("inputs", input_set))
        kept = (left @ self.update @ right.mT).square().sum() / self._total
        d_out, d_in = self.update.shape
        return Share(value=float(kept), chance=len(left) * len(right) / (d_out * d_in))

    def share_of_pairs(
        self,
        output_set: str,
        input_set: str,
        pairs: Int[Tensor, "pairs 2"],
    ) -> Share:
        """The share of |dW|^2 inside the span of some outer products o_i i_j^T, rows (i, j): a task's facts.

        Best least squares; the Gram matrix of outer products is the entry-wise product of those of their sides.
        """
        if len(pairs) == 0:
            raise SimonidesError("no pairs; give at least one row (output, input).")
        left = self._unit("outputs", output_set)[pairs[:, 0]]
        right = self._unit("inputs", input_set)[pairs[:, 1]]
        overlaps = torch.einsum("pa,ab,pb->p", left, self.update, right)
        # in float64, or rounding would be counted as directions of its own
        gram = (left.double() @ left.double().mT) * (right.double() @ right.double().mT)
        values, vectors = torch.linalg.eigh(gram)
        there = values > len(pairs) * torch.finfo(left.dtype).eps * values[-1]
        along = (vectors[:, there].mT @ overlaps.double()).square() / values[there]
        return Share(value=float(along.sum() / self._total), chance=int(there.sum()) / self.update.numel())

    def shares(self) -> dict[tuple[str, str], Share]:
        """`share` of every pair of sets, (output, input)."""
        return {(o, i): self.share(o, i) for o in self.outputs for i in self.inputs}

    def strongest(
        self,
        output_set: str,
        input_set: str,
        count: int = 10,
    ) -> list[tuple[int, int, float]]:
        """The `count` largest entries of `table`: (output, input, written)."""
        check_at_least("count", count, 1)
        table = self.table(output_set, input_set)
        values, places = table.flatten().topk(min(count, table.numel()))
        width = table.shape[1]
        return [(p // width, p % width, v) for p, v in zip(places.tolist(), values.tolist(), strict=True)]

    @property
    def _total(self) -> Tensor:
        total = self.update.square().sum()
        if total == 0:
            raise SimonidesError("the update is zero: this layer has no part in the loss, or is at its minimum.")
        return total

    def _unit(self, side: str, name: str) -> Tensor:
        known = getattr(self, side)
        check_name(f"{side} direction", name, known)
        rows = known[name].to(self.update)
        return rows / rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)


def written_memory(
    model: nn.Module,
    layer: str | nn.Module,
    batch: Any,
    loss: Callable[[Callable[..., Any], Any], Tensor] | None = None,
    inputs: Directions | None = None,
    outputs: Directions | None = None,
    rate: float = 1.0,
) -> WrittenMemory:
    """The update that one gradient step on a batch writes into a linear layer; the model is left as it is.

    Arguments:
        model: any module, in the mode it is to be read in.
        layer: the layer or its name, with a weight of two axes; it may be frozen.
        batch: what `loss` takes; by default (inputs, targets).
        loss: `loss(model, batch)`, a number; by default the cross-entropy of model(inputs), logits on the last
            axis, against targets.
        inputs, outputs: named sets of directions, rows in the layer's input and output space; the unit vectors
            under the name "coordinate" where none are given.
        rate: eta.

    Raises:
        SimonidesError: when the layer is not the model's, has no matrix, does not take part in the loss, or the
            directions do not fit.

    >>> model = nn.Sequential(nn.Embedding(5, 8), nn.Linear(8, 5, bias=False))
    >>> tokens = torch.arange(5)
    >>> memory = written_memory(model, "1", (tokens, tokens), inputs={"token": model[0].weight.detach()})
    >>> memory.share("coordinate", "token").value > 0.99
    True
    """
    name, weight = _weight(model, layer)
    given = {"inputs": inputs, "outputs": outputs}
    sides: dict[str, Directions] = {}
    for (side, directions), width in zip(given.items(), reversed(weight.shape), strict=True):
        sides[side] = directions or {"coordinate": torch.eye(width, dtype=weight.dtype, device=weight.device)}
        for label, rows in sides[side].items():
            if rows.dim() != 2 or rows.shape[1] != width:
                raise SimonidesError(
                    f"{side} {label!r} have shape {list(rows.shape)}; the layer's {side} ask for rows of {width}."
                )
    variable = weight.detach().clone().requires_grad_()

    def patched(*arguments: Any, **named: Any) -> Any:
        return functional_call(model, {name: variable}, arguments, named)

    with torch.enable_grad():
        value = (loss or _cross_entropy)(patched, batch)
        (gradient,) = torch.autograd.grad(value, variable, allow_unused=True)
    if gradient is None:
        raise SimonidesError(f"layer {name.removesuffix('.weight')!r} takes no part in this loss; choose another.")
    return WrittenMemory(
        update=-rate * gradient,
        inputs={label: rows.detach() for label, rows in sides["inputs"].items()},
        outputs={label: rows.detach() for label, rows in sides["outputs"].items()},
    )


def _cross_entropy(model: Callable[..., Any], batch: Any) -> Tensor:
    inputs, targets = batch
    logits = model(inputs)
    return nn.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())


def _weight(model: nn.Module, layer: str | nn.Module) -> tuple[str, Tensor]:
    named = dict(model.named_modules())
    if isinstance(layer, str):
        check_name("layer", layer, named)
        name, module = layer, named[layer]
    else:
        name = next((name for name, module in named.items() if module is layer), "?")
        if name == "?":
            raise SimonidesError("this layer is not part of the model; give one of model.named_modules().")
        module = layer
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        raise SimonidesError(
            f"layer {name!r} ({type(module).__name__}) has no weight matrix; give a linear layer."
        )
    return f"{name}.weight" if name else "weight", weight


def _basis(rows: Tensor) -> Tensor:
    """Orthonormal rows of the same span."""
    _, values, right = torch.linalg.svd(rows, full_matrices=False)
    return right[values > values[0] * 1e-6]
