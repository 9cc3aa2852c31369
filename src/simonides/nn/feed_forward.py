"""Feed-forwards: what a block computes of each position alone."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from simonides.base import SimonidesError, check_name
from simonides.nn.products import mapped
from simonides.nn.watching import Watch

Activation = Callable[[Tensor], Tensor]


def quadratic_derivative(z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """s(z) = z^3/3 - z, whose derivative z^2 - 1 is the second Hermite polynomial alone."""
    return z**3 / 3 - z


ACTIVATIONS: dict[str, Activation] = {
    "relu": torch.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "quadratic_derivative": quadratic_derivative,
}
FEED_FORWARDS = ("none", "linear", "mlp", "gated")


class FeedForward(nn.Module):
    """W_F x ("linear"), W_out s(W_in x + b_in) ("mlp") or W_out (s(W_gate x) * (W_in x + b_in)) ("gated").

    Arguments:
        kind: which of them.
        d: width of the stream.
        hidden: m, hidden units.
        generator: draws the weights, N(0, scale^2/fan-in).
        scale: of the entries.
        activation: s, a name in `ACTIVATIONS`.
        bias: whether there is a b_in, zero at first.

    Raises:
        SimonidesError: when the kind or the activation is unknown.
    """

    b_in: nn.Parameter | None

    def __init__(
        self,
        kind: str,
        d: int,
        hidden: int,
        generator: torch.Generator,
        scale: float = 1.0,
        activation: str = "relu",
        bias: bool = False,
    ) -> None:
        super().__init__()
        check_name("feed_forward", kind, FEED_FORWARDS)
        check_name("activation", activation, ACTIVATIONS)
        if kind == "none":
            raise SimonidesError("a feed-forward of kind 'none' has no weights; leave it out.")
        self.kind, self.activation = kind, activation

        def draw(rows: int, columns: int) -> nn.Parameter:
            return nn.Parameter(scale / columns**0.5 * torch.randn(rows, columns, generator=generator))

        if kind == "linear":
            self.W_F = draw(d, d)
            return
        self.W_in, self.W_out = draw(hidden, d), draw(d, hidden)
        if kind == "gated":
            self.W_gate = draw(hidden, d)
        self.register_parameter("b_in", nn.Parameter(torch.zeros(hidden)) if bias else None)

    def forward(
        self, read: Float[Tensor, "*rows d"], watch: Watch | None = None, name: str = "feed_forward"
    ) -> Float[Tensor, "*rows d"]:
        """What is added to the stream."""
        if self.kind == "linear":
            return mapped(read, self.W_F)
        hidden = mapped(read, self.W_in)
        if self.b_in is not None:
            hidden = hidden + self.b_in
        if self.kind == "gated":
            hidden = ACTIVATIONS[self.activation](mapped(read, self.W_gate)) * hidden
        else:
            hidden = ACTIVATIONS[self.activation](hidden)
        if watch is not None:
            hidden = watch(f"{name}.hidden", hidden)
        return mapped(hidden, self.W_out)
