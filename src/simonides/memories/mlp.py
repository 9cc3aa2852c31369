"""Two-layer memories F(e) = V s(W e + b): constructed in the kernel regime, by thresholds, or trained.

Letters: `m` hidden units, `N` facts, `d_in` and `d_out` widths, h_k the normalised Hermite polynomials.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import (
    Generators,
    SimonidesError,
    check_at_least,
    check_name,
    coefficient,
    drawn,
)
from simonides.base.hermite import hermite
from simonides.memories.memory import Memory
from simonides.memories.writing import checked_targets, select
from simonides.nn import ACTIVATIONS, Activation

# entries of a block of hidden units
_BLOCK = 2**21
# the finite difference reaches this far on both sides of <w, e>: short enough for the curvature of s not to
# show, long enough for rounding not to
_REACH = {torch.float32: 1e-3, torch.float64: 1e-5}
# below this a Hermite coefficient counts as zero
_NO_COEFFICIENT = 1e-6


def check_width(width: int) -> None:
    """Raise `SimonidesError` unless a construction can have so many hidden units."""
    check_at_least("width", width, 2)
    if width % 2:
        raise SimonidesError(f"width = {width} is odd; hidden units come in pairs, give an even number.")


class MLPMemory(Memory):
    """A memory F(e) = V s(W e + b), laid out as two `torch.nn.Linear` with one activation between them.

    Arguments:
        hidden_weight: W.
        output_weight: V.
        activation: a name in `ACTIVATIONS`, or any function of a tensor, entry by entry.
        hidden_bias: b; left out where there is none.
    """

    hidden_weight: nn.Parameter
    output_weight: nn.Parameter
    hidden_bias: nn.Parameter | None

    def __init__(
        self,
        hidden_weight: Float[Tensor, "*runs m d_in"],
        output_weight: Float[Tensor, "*runs d_out m"],
        activation: str | Activation = "relu",
        hidden_bias: Float[Tensor, "*runs m"] | None = None,
    ) -> None:
        super().__init__()
        self.hidden_weight = nn.Parameter(hidden_weight.contiguous(), requires_grad=False)
        self.output_weight = nn.Parameter(output_weight.contiguous(), requires_grad=False)
        bias = None if hidden_bias is None else nn.Parameter(hidden_bias.contiguous(), requires_grad=False)
        self.register_parameter("hidden_bias", bias)
        self.activation = named(activation)

    @classmethod
    def store(
        cls,
        inputs: Float[Tensor, "*runs N d_in"],
        outputs: Float[Tensor, "*runs M d_out"],
        targets: Int[Tensor, "*runs N"],
        width: int,
        generators: Generators,
        degree: int = 1,
        activation: str | Activation = "relu",
    ) -> "MLPMemory":
        """The memory of N facts in `width` hidden units, constructed without training.

        In the kernel regime of Nichani, Lee & Bietti (2025, theorem 2). With w_i ~ N(0, I), p_i ~ N(0, I) and
        q_i = sum_x h_k(<w_i, e_x>) <p_i, u_{f(x)}> e_x, the mean over i of p_i s'(<w_i, e>) <q_i, e> is
        c_k(s') sum_x u_{f(x)} <e, e_x>^{k+1}. Two hidden units w_i +- epsilon q_i with opposite output weights
        make s' out of s by a finite difference, so m units hold m/2 such pairs.

        Arguments:
            inputs: unit vectors.
            outputs: unit vectors, one an answer.
            targets: the answer's row of every input.
            width: m, an even number.
            generators: one for all, or one for each run.
            degree: k. The crosstalk of N facts falls as sqrt(N) d^{-(k+2)/2}, so about log N / log d is
                enough; see `theory.mlp.degree_for`.
            activation: s.

        Raises:
            SimonidesError: when the width is odd, or the activation's derivative has no coefficient of the degree.
        """
        return cls._construct([inputs], [degree], outputs, targets, width, generators, activation)

    @classmethod
    def store_tokens(
        cls,
        tokens: Sequence[Float[Tensor, "*runs N d_in"]],
        outputs: Float[Tensor, "*runs M d_out"],
        targets: Int[Tensor, "*runs N"],
        width: int,
        generators: Generators,
        activation: str | Activation = "quadratic_derivative",
    ) -> "MLPMemory":
        """The memory of facts with several tokens, such as subject and relation; ask it with `token_query`.

        As `store`, with the product over tokens of h_1(<w_i, e_token>) for the feature h_k(<w_i, e_x>), where
        the query is the sum of the n token embeddings over sqrt(n). It works where s' is the Hermite polynomial
        of degree n alone, for two tokens "quadratic_derivative"; ReLU has no coefficient of degree 2, and a
        biased one leaks the mean of each token into every fact.
        """
        return cls._construct(list(tokens), [1] * len(tokens), outputs, targets, width, generators, activation)

    @classmethod
    def _construct(
        cls,
        tokens: list[Tensor],
        degrees: list[int],
        outputs: Tensor,
        targets: Tensor,
        width: int,
        generators: Generators,
        activation: str | Activation,
    ) -> "MLPMemory":
        check_width(width)
        function = named(activation)
        total = sum(degrees)
        scale = coefficient(derivative(function), total)
        if abs(scale) < _NO_COEFFICIENT:
            raise SimonidesError(
                f"the activation's derivative has no Hermite coefficient of degree {total} ({scale:.1e}), so it "
                "cannot make this construction; give another degree or activation."
            )
        if len(tokens) > 1:  # h_n of a normalised sum holds the product of n first-degree terms this often
            scale *= (torch.arange(1, total + 1).prod().item() / total**total) ** 0.5
        query = token_query(tokens)
        targets = checked_targets(query, outputs, targets)
        pairs, d_in, d_out = width // 2, query.shape[-1], outputs.shape[-1]
        w = drawn(lambda g: torch.randn(pairs, d_in, generator=g, device=g.device), generators).to(query)
        p = drawn(lambda g: torch.randn(pairs, d_out, generator=g, device=g.device), generators).to(query)
        q, furthest = torch.zeros_like(w), w.new_zeros(w.shape[:-2])
        rows = max(1, _BLOCK // (w.shape[:-2].numel() * pairs))
        for start in range(0, query.shape[-2], rows):
            part = slice(start, start + rows)
            feature = select(outputs, targets[..., part]) @ p.mT
            for token, degree in zip(tokens, degrees, strict=True):
                feature = feature * hermite(degree, token[..., part, :] @ w.mT)
            q += feature.mT @ query[..., part, :]
        for part_query in query.split(rows, -2):
            furthest = torch.maximum(furthest, (part_query @ q.mT).abs().amax((-1, -2)))
        epsilon = (_REACH.get(query.dtype, _REACH[torch.float32]) / furthest.clamp(min=1e-30))[..., None, None]
        push = p.mT / (2 * epsilon * pairs * scale)
        return cls(
            torch.cat([w + epsilon * q, w - epsilon * q], -2), torch.cat([push, -push], -1), activation=activation
        )

    @classmethod
    def threshold(
        cls,
        inputs: Float[Tensor, "*runs N d_in"],
        outputs: Float[Tensor, "*runs M d_out"],
        targets: Int[Tensor, "*runs N"],
        threshold: float,
    ) -> "MLPMemory":
        """F(e) = sum_x u_{f(x)} relu(<e_x, e> - threshold): a hidden unit for each fact, deaf to weak overlaps.

        Unit vectors overlap by more than t with probability about exp(-d t^2 / 2), so about exp(c d) facts
        do not disturb one another (Krotov & Hopfield 2016, dense associative memory).
        """
        targets = checked_targets(inputs, outputs, targets)
        bias = inputs.new_full(inputs.shape[:-1], -threshold)
        return cls(inputs, select(outputs, targets).mT, "relu", bias)

    def forward(self, queries: Float[Tensor, "*runs Q d_in"]) -> Float[Tensor, "*runs Q d_out"]:
        """V s(W e + b) for every query e, in blocks of hidden units that stay in cache."""
        self._check_queries(self.hidden_weight, queries)
        units = self.hidden_weight.shape[:-1].numel()
        parts = []
        for part in queries.split(max(1, _BLOCK // units), -2):
            hidden = part @ self.hidden_weight.mT
            if self.hidden_bias is not None:
                hidden = hidden + self.hidden_bias[..., None, :]
            parts.append(self.activation(hidden) @ self.output_weight.mT)
        return torch.cat(parts, -2)

    @property
    def parameter_count(self) -> int:
        """Numbers one memory keeps: m (d_in + d_out), and m more with a bias."""
        m, d_in = self.hidden_weight.shape[-2:]
        return m * (d_in + self.output_weight.shape[-2] + (self.hidden_bias is not None))


def named(activation: str | Activation) -> Activation:
    """The function that a name in `ACTIVATIONS` means, or the function itself."""
    if isinstance(activation, str):
        check_name("activation", activation, ACTIVATIONS)
        return ACTIVATIONS[activation]
    return activation


def derivative(function: Activation) -> Activation:
    """s', entry by entry, by automatic differentiation."""

    def slope(z: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            (grad,) = torch.autograd.grad(function(leaf).sum(), leaf)
        return grad

    return slope


def token_query(tokens: Sequence[Float[Tensor, "*runs N d"]]) -> Float[Tensor, "*runs N d"]:
    """What a memory of several tokens is asked with: their sum over the square root of their number."""
    return torch.stack(list(tokens)).sum(0) / len(tokens) ** 0.5
