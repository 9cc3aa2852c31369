"""Norms as roles: what stands between the stream and what reads it, as numbers."""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simonides.base import check_name

NORMS = ("layer", "rms")


@dataclass(frozen=True, kw_only=True)
class Norm:
    """x -> gain * (x - mean(x))/sqrt(var(x) + eps) + bias, or the same without the mean: RMS normalisation.

    Arguments:
        gain: of each dimension.
        bias: of each dimension; None where there is none.
        centred: whether the mean is taken off (Ba, Kiros & Hinton 2016) or not (Zhang & Sennrich 2019).
        epsilon: added to the variance, or to the mean square.
    """

    gain: Float[Tensor, " d"]
    bias: Float[Tensor, " d"] | None
    centred: bool
    epsilon: float

    def bare(self, vectors: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows d"]:
        """The normalised vectors before gain and bias."""
        if self.centred:
            return nn.functional.layer_norm(vectors, vectors.shape[-1:], eps=self.epsilon)
        return nn.functional.rms_norm(vectors, vectors.shape[-1:], eps=self.epsilon)

    def __call__(self, vectors: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows d"]:
        """The normalised vectors."""
        scaled = self.bare(vectors) * self.gain
        return scaled if self.bias is None else scaled + self.bias

    def directions(self, rows: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows d"]:
        """Directions that are read behind the norm, as directions before it, up to the size of what is normed."""
        scaled = rows * self.gain
        return scaled - scaled.mean(-1, keepdim=True) if self.centred else scaled


def make_norm(kind: str, d: int) -> nn.Module:
    """A module of learned gain: "layer" normalisation without bias, or "rms".

    Raises:
        SimonidesError: when the kind is unknown.
    """
    check_name("norm", kind, NORMS)
    return nn.LayerNorm(d, bias=False) if kind == "layer" else nn.RMSNorm(d, eps=1e-5)


def norm_of(module: nn.Module) -> Norm:
    """The norm that a module of `make_norm` is."""
    weight, epsilon = module.get_parameter("weight"), module.eps
    assert isinstance(epsilon, float)
    return Norm(gain=weight.detach(), bias=None, centred=isinstance(module, nn.LayerNorm), epsilon=epsilon)


def probed_norm(module: nn.Module, d: int, epsilon: float, device: torch.device) -> Norm:
    """The norm that a module of anybody's is, read off its values; gains that are stored less one come out whole.

    v = (1, -1, 1, -1, ...) has mean zero and mean square one, so a norm makes (gain v + bias)/sqrt(1 + eps) of it.

    Arguments:
        module: a layer or RMS normalisation over the last axis.
        d: its width, even.
        epsilon: the module's own.
        device: where it computes.
    """
    # a short type would round gain + bias before they are told apart
    exact = copy.deepcopy(module).float()
    v = torch.ones(d, device=device)
    v[1::2] = -1
    with torch.no_grad():
        up, down, flat = (exact(x[None])[0] for x in (v, -v, torch.ones_like(v)))
    size = (1 + epsilon) ** 0.5
    bias = (up + down) / 2
    gain = (up - down) / 2 * v * size
    # of a constant vector a centred norm leaves the bias alone, another one adds the gain: no short format hides it
    centred = bool((flat - bias).abs().mean() < 0.5 * gain.abs().mean())
    return Norm(gain=gain, bias=bias if bool((bias != 0).any()) else None, centred=centred, epsilon=epsilon)
