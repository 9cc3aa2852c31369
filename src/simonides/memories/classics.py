"""The classics: Hopfield's auto-associative memory and Willshaw's clipped one.

The correlation matrix memory of Kohonen (1972) is `LinearMemory`, by outer products; his optimal linear one
is `LinearMemory` by the pseudo-inverse.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least
from simonides.memories.memory import Memory
from simonides.memories.writing import checked_targets, outer_products, select

# entries of a Hopfield memory updated together
_ENTRIES = 16


class HopfieldMemory(Memory):
    """An auto-associative memory of patterns with entries -1 and 1 (Hopfield 1982).

    W = (1/d) sum_x e_x e_x^T with an empty diagonal; a query moves by e <- sign(W e) until it rests. About
    0.138 d random patterns rest close to where they were stored (Amit, Gutfreund & Sompolinsky 1985).

    Arguments:
        weight: W.
        updates: sweeps over all entries at most.
    """

    weight: nn.Parameter

    def __init__(self, weight: Float[Tensor, "*runs d d"], updates: int = 50) -> None:
        super().__init__()
        check_at_least("updates", updates, 1)
        self.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
        self.updates = updates

    @classmethod
    def store(
        cls,
        inputs: Float[Tensor, "*runs N d"],
        outputs: Float[Tensor, "*runs M d"],
        targets: Int[Tensor, "*runs N"],
        updates: int = 50,
    ) -> "HopfieldMemory":
        """The memory of N patterns; as it is auto-associative, outputs[targets] must be the inputs.

        Raises:
            SimonidesError: when they are not, or an entry is neither -1 nor 1.
        """
        targets = checked_targets(inputs, outputs, targets)
        if not bool((inputs.abs() == 1).all()):
            raise SimonidesError("a Hopfield memory keeps patterns of -1 and 1; give the signs of the embeddings.")
        if inputs.shape[-1] != outputs.shape[-1] or not torch.equal(select(outputs, targets), inputs):
            raise SimonidesError(
                "a Hopfield memory is auto-associative: its outputs must be its inputs; give the same patterns."
            )
        weight = outer_products(inputs, outputs, targets) / inputs.shape[-1]
        return cls(weight - torch.diag_embed(weight.diagonal(dim1=-2, dim2=-1)), updates)

    def forward(self, queries: Float[Tensor, "*runs Q d"]) -> Float[Tensor, "*runs Q d"]:
        """Where every query comes to rest, or is after the last sweep.

        Entries are updated in blocks of 16, one block after another: a matrix product each. One entry at a time
        would always come to rest; so do blocks but for rare cycles, which `updates` ends.
        """
        self._check_queries(self.weight, queries)
        state = torch.where(queries >= 0, 1.0, -1.0).to(self.weight.dtype)
        field = state @ self.weight.mT
        width = state.shape[-1]
        for _ in range(self.updates):
            before = state
            for start in range(0, width, _ENTRIES):
                part = slice(start, start + _ENTRIES)
                updated = torch.where(field[..., part] == 0, state[..., part], field[..., part].sign())
                change = updated - state[..., part]
                state = torch.cat([state[..., :start], updated, state[..., start + _ENTRIES :]], -1)
                field = field + change @ self.weight[..., :, part].mT
            if torch.equal(before, state):
                break
        return state

    @property
    def parameter_count(self) -> int:
        """Numbers one memory keeps: the d (d - 1)/2 weights above the diagonal."""
        d = self.weight.shape[-1]
        return d * (d - 1) // 2


class WillshawMemory(Memory):
    """A memory of sparse binary pairs in a clipped matrix (Willshaw, Buneman & Longuet-Higgins 1969).

    W_ji = 1 where some stored pair has a one at input i and at output j. An output unit answers a query when
    all the query's active inputs reach it. With about log2 d ones a pattern it keeps up to ln 2 = 0.69 bits in
    every synapse.

    Arguments:
        weight: W, of ones and zeros.
    """

    weight: nn.Parameter

    def __init__(self, weight: Float[Tensor, "*runs d_out d_in"]) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.contiguous(), requires_grad=False)

    @classmethod
    def store(
        cls,
        inputs: Float[Tensor, "*runs N d_in"],
        outputs: Float[Tensor, "*runs M d_out"],
        targets: Int[Tensor, "*runs N"],
    ) -> "WillshawMemory":
        """The memory of N pairs of patterns of zeros and ones.

        Raises:
            SimonidesError: when an entry is neither 0 nor 1.
        """
        targets = checked_targets(inputs, outputs, targets)
        if not all(bool(((x == 0) | (x == 1)).all()) for x in (inputs, outputs)):
            raise SimonidesError("a Willshaw memory keeps patterns of 0 and 1; see `embeddings.sparse_binary`.")
        return cls(outer_products(inputs, outputs, targets).clamp(max=1))

    def forward(self, queries: Float[Tensor, "*runs Q d_in"]) -> Float[Tensor, "*runs Q d_out"]:
        """One where as many active inputs arrive as the query has, else zero."""
        self._check_queries(self.weight, queries)
        arriving = queries @ self.weight.mT
        return (arriving >= queries.sum(-1, keepdim=True)).to(self.weight.dtype)

    @property
    def parameter_count(self) -> int:
        """Synapses of one memory: d_out d_in."""
        return self.weight.shape[-2] * self.weight.shape[-1]

    @property
    def bits(self) -> int:
        """One for each synapse."""
        return self.parameter_count
