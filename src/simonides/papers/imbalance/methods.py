"""The optimisers that are compared, by name, each as a chain of parts, with one rate or one for each stacked run.

For normalised and sign descent momentum is applied after the transformation, as in Kunstner et al. (2024).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from simonides.base import check_name
from simonides.training import (
    SGD,
    AdagradScaling,
    Adam,
    AdamScaling,
    Chain,
    LineSearch,
    Memory,
    Momentum,
    Muon,
    NormalisedDescent,
    Sign,
    SignDescent,
)

_MOMENTUM = 0.9


@dataclass(frozen=True)
class HeadApart:
    """Adam for the last layer, momentum for all else, as a part of a chain.

    Arguments:
        place: of the last layer's weights among the parameters that are trained.
        ratio: Adam's rate over that of the rest.
    """

    place: int
    ratio: float = 0.03

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The directions."""
        out: list[Tensor] = []
        entries = zip(directions, parameters, memories, strict=True)
        for place, (direction, parameter, memory) in enumerate(entries):
            head = place == self.place
            part = AdamScaling((_MOMENTUM, 0.999)) if head else Momentum(_MOMENTUM)
            (own,) = part([direction], [parameter], [memory], stacked)
            out.append(self.ratio * own if head else own)
        return out


Parameters = list[torch.nn.Parameter]
Make = Callable[[Parameters, float | Float[Tensor, " runs"]], Optimizer]

METHODS: dict[str, Make] = {
    "gd": lambda p, lr: SGD(p, lr),
    "gd-momentum": lambda p, lr: SGD(p, lr, _MOMENTUM),
    "adam": lambda p, lr: Adam(p, lr, (_MOMENTUM, 0.999)),
    "adam-no-momentum": lambda p, lr: Adam(p, lr, (0.0, 0.999)),
    "sign": lambda p, lr: SignDescent(p, lr),
    "sign-momentum": lambda p, lr: SignDescent(p, lr, _MOMENTUM, momentum_last=True),
    "normalised": lambda p, lr: NormalisedDescent(p, lr),
    "normalised-momentum": lambda p, lr: NormalisedDescent(p, lr, _MOMENTUM, momentum_last=True),
    "scaled-sign": lambda p, lr: Chain(p, lr, [Sign(scaled=True)]),
    "scaled-sign-momentum": lambda p, lr: Chain(p, lr, [Sign(scaled=True), Momentum(_MOMENTUM)]),
    "adagrad": lambda p, lr: Chain(p, lr, [AdagradScaling()]),
    "muon": lambda p, lr: Muon(p, lr),
    # the rate is the first step that is tried
    "armijo": lambda p, lr: LineSearch(p, float(torch.as_tensor(lr).max()), slope=0.5, shrink=0.9),
}
# half-decades in which the best rate of each method lies for the data of this paper: a sweep says where it does not
RATES: dict[str, tuple[float, float]] = {
    "gd": (-3.0, 1.5),
    "gd-momentum": (-3.5, 1.0),
    "adam": (-4.5, -1.5),
    "adam-no-momentum": (-4.5, -1.5),
    "sign": (-6.0, -2.5),
    "sign-momentum": (-6.0, -2.5),
    "normalised": (-2.0, 1.0),
    "normalised-momentum": (-2.5, 0.5),
    "scaled-sign": (-1.0, 3.0),
    "scaled-sign-momentum": (-2.0, 2.0),
    "adagrad": (-4.0, -1.0),
    "muon": (-3.0, 0.0),
    "armijo": (0.0, 0.0),
}


def half_decades(low: float, high: float) -> tuple[float, ...]:
    """10^low, 10^(low + 1/2), ... up to 10^high.

    >>> [round(rate, 3) for rate in half_decades(-2, -1)]
    [0.01, 0.032, 0.1]
    """
    return tuple(10 ** (low + step / 2) for step in range(round(2 * (high - low)) + 1))


def default_rates(method: str) -> tuple[float, ...]:
    """The grid of rates that a method is swept over.

    Raises:
        SimonidesError: when there is no such method.
    """
    check_name("method", method, METHODS)
    return half_decades(*RATES[method])
