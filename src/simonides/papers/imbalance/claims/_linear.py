"""Linear classifiers that several claims of this paper train alike."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from simonides.papers.imbalance.linear_data import LinearData
from simonides.papers.imbalance.linear_training import train_linear
from simonides.papers.imbalance.rate_runs import RateRuns

# losses are told apart down to this
_LEAST = 1e-6


def compared(
    data: LinearData,
    methods: Iterable[str],
    generator: torch.Generator,
    steps: int,
    bins: int,
    device: torch.device,
    rates: tuple[float, ...] | None = None,
) -> dict[str, RateRuns]:
    """Each method at all rates, from one start."""
    own = torch.Generator().manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    return {
        method: train_linear(
            data, method, own, steps, rates=rates, every=max(1, steps // 20), bins=bins, device=device
        )
        for method in methods
    }


def name_of(method: str) -> str:
    """A method as part of a column's name."""
    return method.replace("-", "_")


def columns(found: Mapping[str, RateRuns]) -> dict[str, float]:
    """At the best rate of each method: the mean loss, the rarest group's, the order of the groups, and the rate."""
    row: dict[str, float] = {}
    for method, runs in found.items():
        name = name_of(method)
        by_bin = runs.by_bin[-1, runs.best]
        row[f"loss_{name}"] = least(float(runs.mean[-1, runs.best]))
        row[f"rare_{name}"] = least(float(by_bin[-1]))
        row[f"order_{name}"] = order(by_bin)
        row[f"rate_{name}"] = math.log10(runs.rates[runs.best])
        row[f"edge_{name}"] = float(runs.on_edge)
        row[f"diverged_{name}"] = float(runs.diverged.sum())
    return row


def least(loss: float) -> float:
    """A loss that can be divided by: finite, and not below a millionth of a nat."""
    return min(max(loss, _LEAST), 1e6) if math.isfinite(loss) else 1e6


def order(by_bin: Tensor) -> float:
    """Spearman's correlation of the number of a group and its loss, without the first, which may be unstable."""
    values = by_bin[1:][by_bin[1:].isfinite()]
    ranks = values.argsort().argsort().double()
    places = torch.arange(len(values), dtype=torch.float64)
    if len(values) < 3:
        return 0.0
    return float(torch.corrcoef(torch.stack([ranks, places]))[0, 1])
