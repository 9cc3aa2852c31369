"""Classes in bins of about equal mass, the most frequent first: deciles of the samples, not of the classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from simonides.base import SimonidesError, check_at_least

Counts = Num[Tensor, " C"] | Num[np.ndarray, " C"] | Sequence[float]


@dataclass(frozen=True, kw_only=True, eq=False)
class FrequencyBins:
    """C classes in `bins` bins.

    Arguments:
        of_class: the bin of each class.
        counts: samples of each class, in float64.
        bins: how many; a bin may be without classes, where one class alone has more than its share.
    """

    of_class: Int[Tensor, " C"]
    counts: Float[Tensor, " C"]
    bins: int

    def __len__(self) -> int:
        return self.bins

    @cached_property
    def classes(self) -> Int[Tensor, " bins"]:
        """How many classes each bin has."""
        return torch.bincount(self.of_class, minlength=self.bins)

    @cached_property
    def mass(self) -> Float[Tensor, " bins"]:
        """The share of the samples that each bin has."""
        return self.sums(self.counts) / self.counts.sum()

    def sums(self, values: Float[Tensor, "*rows C"]) -> Float[Tensor, "*rows bins"]:
        """The sum over the classes of each bin."""
        out = torch.zeros(*values.shape[:-1], self.bins, dtype=values.dtype, device=values.device)
        return out.index_add_(-1, self.of_class.to(values.device), values)

    def names(self) -> list[str]:
        """What each bin is called: "decile_0" is the most frequent of ten, "bin_0" that of another number."""
        kind = "decile" if self.bins == 10 else "bin"
        return [f"{kind}_{number}" for number in range(self.bins)]


def frequency_bins(counts: Counts, bins: int = 10) -> FrequencyBins:
    """Sort classes by falling count and cut where the cumulative share first reaches i/bins, after that class.

    This is the rule of Kunstner et al. (2024); of classes with equal counts the lower number comes first. Classes
    that were never counted are the rarest.

    Arguments:
        counts: samples of each class, or their shares.
        bins: how many bins.

    Raises:
        SimonidesError: when counts are negative, not finite or all zero, or there is no class.

    >>> frequency_bins([5, 2, 1, 1, 1], bins=2).of_class
    tensor([0, 1, 1, 1, 1])
    >>> frequency_bins([8, 1, 1], bins=4).classes  # the first class is more than two bins' share
    tensor([1, 0, 0, 2])
    """
    check_at_least("bins", bins, 1)
    values = checked_counts(counts)
    order = torch.argsort(values, descending=True, stable=True)
    cumulative = values[order].cumsum(0)
    # cut i lies after the first class at which bins * cumulative >= i * total
    reached = torch.arange(1, bins, dtype=torch.float64) * cumulative[-1]
    # shares are rounded: a cut that is met up to rounding is met
    breaks = torch.searchsorted(bins * cumulative, reached * (1 - 1e-13)) + 1
    of_class = torch.empty(len(values), dtype=torch.long)
    of_class[order] = torch.searchsorted(breaks, torch.arange(len(values)), right=True)
    return FrequencyBins(of_class=of_class, counts=values, bins=bins)


def checked_counts(counts: Counts) -> Float[Tensor, " C"]:
    """Counts in float64 on the CPU.

    Raises:
        SimonidesError: when they are not a row of numbers, negative, not finite or all zero.
    """
    try:
        values = torch.as_tensor(counts).detach().cpu().double()
    except (TypeError, ValueError, RuntimeError) as error:
        raise SimonidesError(f"counts came as {type(counts).__name__} ({error}); give a number a class.") from None
    if values.dim() != 1 or not len(values):
        raise SimonidesError(f"counts have shape {list(values.shape)}; give one number for each class.")
    if not bool(torch.isfinite(values).all()) or bool((values < 0).any()):
        raise SimonidesError("counts hold a number that is negative or not finite; give samples of each class.")
    if not bool(values.any()):
        raise SimonidesError("all counts are zero; give those of the training data.")
    return values
