"""What became of each learning rate of a method: losses by class along training, and which rate is best.

Letters: `R` rates, `C` classes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from simonides.papers.imbalance.bins import FrequencyBins


@dataclass(frozen=True, kw_only=True, eq=False)
class RateRuns:
    """What became of each rate of one method.

    Arguments:
        method: its name.
        rates: the grid, rising.
        steps: updates before each record.
        losses: mean loss of each class in nats, over the samples it was measured on.
        measured: how many samples these are; of a class with none the loss is of no account.
        bins: of the classes, by their counts in the training data.
    """

    method: str
    rates: tuple[float, ...]
    steps: tuple[int, ...]
    losses: Float[Tensor, "records R C"]
    measured: Float[Tensor, " C"]
    bins: FrequencyBins

    @property
    def mean(self) -> Float[Tensor, "records R"]:
        """Mean over samples."""
        return self.losses @ (self.measured / self.measured.sum())

    @property
    def by_bin(self) -> Float[Tensor, "records R bins"]:
        """Mean over the samples of each bin; NaN of a bin without samples."""
        return self.bins.sums(self.losses * self.measured) / self.bins.sums(self.measured)

    @property
    def diverged(self) -> Bool[Tensor, " R"]:
        """Whose loss at the end is not finite."""
        return ~self.mean[-1].isfinite()

    @property
    def best(self) -> int:
        """The rate with the least mean loss at the end."""
        return int(self.mean[-1].nan_to_num(torch.inf, torch.inf).argmin())

    @property
    def on_edge(self) -> bool:
        """Whether the best rate is an end of the grid, so that a better one may lie beyond it."""
        ends = {0, len(self.rates) - 1}
        return len(self.rates) > 1 and self.best in ends and not bool(self.diverged.all())

    @property
    def stable(self) -> int | None:
        """The rate with the least mean loss at the end among those whose loss never rises after the first tenth.

        The best rate at a given number of steps is often at the edge of stability, where the most frequent classes
        go up and down. None where no rate is stable.
        """
        late = self.mean[max(1, len(self.steps) // 10) :]
        calm = (late.diff(dim=0) <= 1e-6).all(0) & ~self.diverged
        if not bool(calm.any()):
            return None
        return int(torch.where(calm, self.mean[-1], torch.inf).argmin())
