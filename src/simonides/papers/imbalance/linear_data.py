"""Random data with heavy-tailed classes for a linear classifier, and its balanced twin.

Letters: `m` doublings, `n` samples, `d` features, `C` classes.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_memory, check_name

FEATURES = ("uniform", "gaussian", "one-hot")


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearData:
    """Samples x[i] of class targets[i]."""

    x: Float[Tensor, "n d"]
    targets: Int[Tensor, " n"]
    classes: int

    @property
    def counts(self) -> Int[Tensor, " C"]:
        """Samples of each class."""
        return torch.bincount(self.targets, minlength=self.classes)


@dataclass(frozen=True, kw_only=True)
class HeavyTailedData:
    """2^i classes of 2^(m - i) samples each, i = 0 ... m - 1: each i has the same number of samples, 2^m.

    n = m 2^m samples, C = 2^m - 1 classes (Kunstner et al. 2024 print 2^(m+1) - 1) and by default d = (m + 1) 2^m
    features, drawn independently of the class: nothing but memory can tell the classes apart.

    Arguments:
        m: doublings.
        balanced: the twin in which sample i has class i mod C, with the same features.
        features: "uniform" on [0, 1] as in the paper, "gaussian" N(mean, scale^2), or "one-hot": e_k for class k.
        mean, scale: of gaussian features.
        d: features; by default (m + 1) 2^m, and C where they are one-hot.

    Raises:
        SimonidesError: when a setting is out of range.
    """

    m: int = 7
    balanced: bool = False
    features: str = "uniform"
    mean: float = 1.0
    scale: float = 1.0
    d: int | None = None

    def __post_init__(self) -> None:
        check_at_least("m", self.m, 1)
        if self.m > 20:
            raise SimonidesError(f"m = {self.m} gives {self.m * 2**self.m:,} samples; give at most 20.")
        check_name("features", self.features, FEATURES)
        if self.d is not None:
            check_at_least("d", self.d, 1)
        if self.features == "one-hot" and self.d not in (None, self.classes):
            raise SimonidesError(f"one-hot features have d = C = {self.classes}, not {self.d}; leave d out.")
        if not self.scale > 0:
            raise SimonidesError(f"scale = {self.scale}: give a positive spread of the features.")

    @property
    def classes(self) -> int:
        """C."""
        return 2**self.m - 1

    @property
    def samples(self) -> int:
        """n."""
        return self.m * 2**self.m

    @property
    def width(self) -> int:
        """d."""
        if self.features == "one-hot":
            return self.classes
        return (self.m + 1) * 2**self.m if self.d is None else self.d

    @property
    def twin(self) -> "HeavyTailedData":
        """The same features with balanced classes, or the other way round."""
        return replace(self, balanced=not self.balanced)

    def targets(self) -> Int[Tensor, " n"]:
        """The class of each sample, the most frequent first."""
        if self.balanced:
            return torch.arange(self.samples) % self.classes
        sizes = torch.cat([torch.full((2**i,), 2 ** (self.m - i)) for i in range(self.m)])
        return torch.arange(self.classes).repeat_interleave(sizes)

    def sample(self, generator: torch.Generator) -> LinearData:
        """Draw the features."""
        check_memory(
            f"{self.samples:,} samples of {self.width:,} features need",
            8.0 * self.samples * self.width,
            "give a smaller m",
        )
        targets = self.targets()
        shape = (self.samples, self.width)
        if self.features == "one-hot":
            x = torch.nn.functional.one_hot(targets, self.classes).float()
        elif self.features == "uniform":
            x = torch.rand(shape, generator=generator)
        else:
            x = self.mean + self.scale * torch.randn(shape, generator=generator)
        return LinearData(x=x, targets=targets, classes=self.classes)
