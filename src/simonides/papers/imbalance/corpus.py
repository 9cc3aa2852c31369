"""What the frequencies of a tokenised corpus, or of any classes, say of the optimiser that it needs.

Letters: `C` classes that were counted at all, `n` samples, `pi` shares, ranks k = 1 ... C by falling count.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from torch import Tensor

from simonides.base import Interval, SimonidesError
from simonides.papers.imbalance.bins import Counts, checked_counts, frequency_bins

# ranks with fewer samples are left out of fits: their order is chance
_COUNTED = 5
# how many times rarer than the commonest class the class of the median sample is: below, balanced; above, heavy-tailed
BALANCED, HEAVY = 3.0, 10.0


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """alpha of pi_k proportional to k^-alpha over some ranks, by maximum likelihood, with a 95 % interval.

    The interval is that of drawing samples alone: ranks are taken as known, though they come from the same counts,
    which makes exponents of nearly equal classes too large. Where `local` exponents differ, there is no one power law.
    """

    value: float
    interval: Interval
    ranks: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class CorpusReport:
    """Frequencies of classes.

    Arguments:
        classes: that were counted at all.
        unseen: that were not.
        samples: n.
        exponent: of Zipf's law over all ranks with five samples or more; None where there are fewer than three.
        local: the same over decades of ranks.
        bin_classes: classes of each bin.
        bin_mass: share of the samples of each bin.
        median_ratio: how many times rarer than the commonest class the class of the median sample is.
        advice: what follows for the optimiser, with its numbers.
    """

    classes: int
    unseen: int
    samples: float
    exponent: Exponent | None
    local: tuple[Exponent, ...]
    bin_classes: tuple[int, ...]
    bin_mass: tuple[float, ...]
    median_ratio: float
    advice: tuple[str, ...]


def corpus_report(counts: Counts, bins: int = 10) -> CorpusReport:
    """Zipf's exponent, the mass of each bin, and what they say of the optimiser.

    Arguments:
        counts: samples of each class; of a text the tokens of each kind.
        bins: of about equal mass.

    Raises:
        SimonidesError: when the counts are not numbers of samples.

    >>> report = corpus_report([600, 300, 200, 150, 120, 100], bins=2)
    >>> round(report.exponent.value, 2), report.bin_classes
    (1.0, (2, 4))
    """
    values = checked_counts(counts)
    if bool((values != values.round()).any()):
        raise SimonidesError("counts are not whole numbers; give samples of each class, not shares.")
    found = frequency_bins(values, bins)
    ordered = values[values > 0].sort(descending=True).values
    samples = float(ordered.sum())
    counted = int((ordered >= _COUNTED).sum())
    exponent = zipf_exponent(ordered, 1, counted) if counted >= 3 else None
    edges = [(10**i, min(10 ** (i + 1), counted)) for i in range(8) if 10**i + 2 <= counted]
    median = int((ordered.cumsum(0) < samples / 2).sum())
    ratio = float(ordered[0] / ordered[median])
    return CorpusReport(
        classes=len(ordered),
        unseen=int((values == 0).sum()),
        samples=samples,
        exponent=exponent,
        local=tuple(zipf_exponent(ordered, first, last) for first, last in edges),
        bin_classes=tuple(found.classes.tolist()),
        bin_mass=tuple(found.mass.tolist()),
        median_ratio=ratio,
        advice=_advice(ordered, ratio),
    )


def zipf_exponent(ordered: Float[Tensor, " C"], first: int, last: int) -> Exponent:
    """Maximum likelihood over ranks first ... last: the alpha at which the mean of log k is that of the samples.

    Arguments:
        ordered: counts, falling.
        first, last: ranks, from 1; at least two.

    Raises:
        SimonidesError: when there are fewer than two ranks.
    """
    if not 1 <= first < last <= len(ordered):
        raise SimonidesError(f"ranks {first} to {last} of {len(ordered)}: give two or more.")
    logs = np.log(np.arange(first, last + 1, dtype=float))
    weights = ordered[first - 1 : last].numpy()
    samples = float(weights.sum())
    seen = float(weights @ logs / samples)

    def moments(alpha: float) -> tuple[float, float]:
        p = np.exp(-alpha * (logs - logs[0]))
        p /= p.sum()
        mean = float(p @ logs)
        return mean, float(p @ (logs - mean) ** 2)

    low, high = -1.0, 1.0
    while moments(high)[0] > seen and high < 200:
        high *= 2
    while moments(low)[0] < seen and low > -200:
        low *= 2
    alpha = float(brentq(lambda a: moments(a)[0] - seen, low, high))
    error = 1 / math.sqrt(samples * max(moments(alpha)[1], 1e-300))
    return Exponent(value=alpha, interval=(alpha - 1.96 * error, alpha + 1.96 * error), ranks=(first, last))


def _advice(ordered: Float[Tensor, " C"], ratio: float) -> tuple[str, ...]:
    """By rule: how far apart the speeds of the classes are under gradient descent."""
    half = f"half of all samples are of classes at least {ratio:.3g} times rarer than the commonest"
    if len(ordered) < 2:
        return ("There is one class: nothing is to be learned.",)
    if ratio < BALANCED:
        first = (
            f"Balanced ({half}): descent with momentum can do as well as Adam, as in this project's balanced controls; "
            "compare both at their best rates."
        )
    elif ratio < HEAVY:
        first = (
            f"Moderate imbalance ({half}): descent needs up to that many times the steps on them, where loss falls as "
            "1/(pi t). Watch the loss by bins before choosing."
        )
    else:
        first = (
            f"Heavy-tailed ({half}): descent learns them that many times more slowly, where its loss falls as "
            "1/(pi t). Use Adam or sign descent; if it must be descent, add momentum and weights of one over the root "
            "of the share, and look at the rarest bins."
        )
    rare = float((ordered < 10).sum() / len(ordered))
    more = []
    if rare > 0.1:
        mass = float(ordered[ordered < 10].sum() / ordered.sum())
        more.append(
            f"{rare:.0%} of the classes have fewer than ten samples ({mass:.1%} of all): their bin's mean is over few "
            "samples in any batch, so read it over many steps."
        )
    return (first, *more)
