"""The linear memory: one matrix of outer products, F(e) = W e."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_name
from simonides.memories.memory import Memory
from simonides.memories.writing import outer_products, pseudo_inverse

RULES = ("outer_products", "pseudo_inverse")


class LinearMemory(Memory):
    """A memory F(e) = W e with W in R^{d_out x d_in}, optionally R of them stacked in front.

    Arguments:
        weight: W, as in `torch.nn.Linear`.

    >>> import torch
    >>> from simonides.memories import embeddings
    >>> from simonides.memories.retrieval import recall
    >>> generator = torch.Generator().manual_seed(0)
    >>> inputs, outputs = (embeddings.sphere(40, 64, generator) for _ in range(2))
    >>> memory = LinearMemory.store(inputs, outputs, torch.arange(40))
    >>> bool((recall(memory(inputs), outputs) == torch.arange(40)).all())
    True
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
        targets: Int[Tensor, "*rows N"],
        weights: Float[Tensor, "*runs N"] | None = None,
        rule: str = "outer_products",
    ) -> "LinearMemory":
        """The memory of N associations inputs[x] -> outputs[targets[x]], written by a rule in `RULES`.

        One row of targets serves all runs. `weights` are the alpha_x of the outer products; the pseudo-inverse has
        none.
        """
        check_name("writing rule", rule, RULES)
        if rule == "outer_products":
            return cls(outer_products(inputs, outputs, targets, weights))
        if weights is not None:
            raise SimonidesError("the pseudo-inverse takes no weights; leave them out or write outer_products.")
        return cls(pseudo_inverse(inputs, outputs, targets))

    def forward(self, queries: Float[Tensor, "*runs Q d_in"]) -> Float[Tensor, "*runs Q d_out"]:
        """W e for every query e."""
        self._check_queries(self.weight, queries)
        return queries @ self.weight.mT

    @property
    def parameter_count(self) -> int:
        """Numbers one memory keeps: d_out d_in."""
        return self.weight.shape[-2] * self.weight.shape[-1]
