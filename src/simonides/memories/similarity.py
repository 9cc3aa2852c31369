"""Memories that keep every fact as it is and answer by similarity: softmax attention and nearest neighbour."""

import math

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from simonides.base import SimonidesError, check_finite, check_one_type
from simonides.memories.memory import Memory
from simonides.memories.retrieval import recall
from simonides.memories.writing import checked_targets, select


class _PairMemory(Memory):
    """What keeps N pairs of an input and an output as they are."""

    keys: nn.Parameter
    values: nn.Parameter

    def __init__(self, keys: Float[Tensor, "*runs N d_in"], values: Float[Tensor, "*runs N d_out"]) -> None:
        super().__init__()
        check_finite(keys=keys, values=values)
        check_one_type(keys=keys, values=values)
        self.keys = nn.Parameter(keys.contiguous(), requires_grad=False)
        self.values = nn.Parameter(values.contiguous(), requires_grad=False)

    @property
    def parameter_count(self) -> int:
        """Numbers one memory keeps: N (d_in + d_out)."""
        return self.keys.shape[-2] * (self.keys.shape[-1] + self.values.shape[-1])


class SoftmaxMemory(_PairMemory):
    """F(e) = sum_x u_{f(x)} softmax_x(beta <e_x, e>): attention over stored pairs.

    The update of the modern Hopfield network (Ramsauer et al. 2021), whose capacity is exponential in d.

    Arguments:
        keys: the N inputs e_x.
        values: the N outputs u_{f(x)}.
        beta: inverse temperature, above zero.
    """

    def __init__(
        self, keys: Float[Tensor, "*runs N d_in"], values: Float[Tensor, "*runs N d_out"], beta: float
    ) -> None:
        if not 0 < beta < math.inf:
            raise SimonidesError(
                f"beta = {beta} is no number above zero; give the inverse temperature, or take NearestMemory, its "
                "limit."
            )
        super().__init__(keys, values)
        self.beta = beta

    @classmethod
    def store(
        cls,
        inputs: Float[Tensor, "*runs N d_in"],
        outputs: Float[Tensor, "*runs M d_out"],
        targets: Int[Tensor, "*runs N"],
        beta: float,
    ) -> "SoftmaxMemory":
        """The memory of N associations inputs[x] -> outputs[targets[x]]."""
        return cls(inputs, select(outputs, checked_targets(inputs, outputs, targets)), beta)

    def forward(self, queries: Float[Tensor, "*runs Q d_in"]) -> Float[Tensor, "*runs Q d_out"]:
        """The attention of every query over all keys; the Q x N table is never formed whole."""
        self._check_queries(self.keys, queries)
        # the kernel that needs no table asks for a batch and a head
        batch = [x if x.dim() > 2 else x[None] for x in (queries, self.keys, self.values)]
        query, key, value = (x.flatten(0, -3)[:, None] for x in batch)
        averages = functional.scaled_dot_product_attention(query, key, value, scale=self.beta)[:, 0]
        return averages.reshape(*queries.shape[:-1], self.values.shape[-1])


class NearestMemory(_PairMemory):
    """F(e) = u_{f(x)} for the stored input x with the largest <e_x, e>: softmax at infinite beta.

    Arguments:
        keys: the N inputs e_x.
        values: the N outputs u_{f(x)}.
    """

    @classmethod
    def store(
        cls,
        inputs: Float[Tensor, "*runs N d_in"],
        outputs: Float[Tensor, "*runs M d_out"],
        targets: Int[Tensor, "*runs N"],
    ) -> "NearestMemory":
        """The memory of N associations inputs[x] -> outputs[targets[x]]."""
        return cls(inputs, select(outputs, checked_targets(inputs, outputs, targets)))

    def forward(self, queries: Float[Tensor, "*runs Q d_in"]) -> Float[Tensor, "*runs Q d_out"]:
        """The value of the nearest key of every query."""
        self._check_queries(self.keys, queries)
        return select(self.values, recall(queries, self.keys))
