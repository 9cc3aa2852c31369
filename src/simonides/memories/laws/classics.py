"""The known limits of the classics: Hopfield's and Willshaw's memories."""

import math

from scipy.optimize import brentq

from simonides.base import SimonidesError, check_at_least

# facts per unit at which retrieval breaks down: Amit, Gutfreund & Sompolinsky (1985), replica symmetric
HOPFIELD_LIMIT = 0.138


def hopfield_overlap(load: float) -> float:
    """The overlap m of a retrieved pattern with the stored one at N = load d, d to infinity; 0 beyond the limit.

    The largest solution of m = erf(m / sqrt(2 alpha r)), r = 1/(1 - C)^2,
    C = sqrt(2/(pi alpha r)) exp(-m^2/(2 alpha r)): the replica-symmetric equations at zero temperature (Amit,
    Gutfreund & Sompolinsky 1985).

    >>> hopfield_overlap(0.05) > 0.99, hopfield_overlap(0.16)
    (True, 0.0)
    """
    if load <= 0:
        raise SimonidesError(f"load = {load}; give facts per unit, above zero.")
    # with y = m / sqrt(2 alpha r) they become y (sqrt(2 alpha) + 2/sqrt(pi) exp(-y^2)) = erf(y)
    low, high = 0.0, 8.0

    def excess(y: float) -> float:
        return math.erf(y) - y * (math.sqrt(2 * load) + 2 / math.sqrt(math.pi) * math.exp(-y * y))

    grid = [high - (high - low) * i / 4000 for i in range(4000)]
    above = next((y for y in grid if excess(y) > 0), None)
    if above is None:
        return 0.0
    below = above + (high - low) / 4000
    return math.erf(float(brentq(excess, above, below)) if excess(below) < 0 else above)


def willshaw_density(d_in: int, d_out: int, ones_in: int, ones_out: int, facts: int) -> float:
    """The share of synapses that are on: 1 - (1 - a b/(d_in d_out))^N for patterns of a and b ones."""
    check_at_least("facts", facts, 1)
    return 1 - (1 - ones_in * ones_out / (d_in * d_out)) ** facts


def willshaw_false_share(d_in: int, d_out: int, ones_in: int, ones_out: int, facts: int) -> float:
    """Odds that an output which should be silent answers a stored query: all its a synapses are on by chance.

    The mean of (share of rows that hit the unit)^a over how many patterns N have a one there: given n such
    patterns a synapse is on with probability 1 - (1 - a/d_in)^n, and n is binomial.
    """
    check_at_least("facts", facts, 1)
    for name, ones, size in (("ones_in", ones_in, d_in), ("ones_out", ones_out, d_out)):
        if not 0 < ones < size:
            raise SimonidesError(f"{name} = {ones} of {size}; give at least one, and fewer than there are units.")
    share, total = ones_out / d_out, 0.0
    spread = 12 * math.sqrt(facts * share) + 12
    log_share, log_rest = math.log(share), math.log1p(-share)
    for n in range(max(0, int(facts * share - spread)), min(facts, int(facts * share + spread)) + 1):
        log_odds = math.lgamma(facts + 1) - math.lgamma(n + 1) - math.lgamma(facts - n + 1)
        log_odds += n * log_share + (facts - n) * log_rest
        total += math.exp(log_odds) * (1 - (1 - ones_in / d_in) ** n) ** ones_in
    return total


def willshaw_bits(d_in: int, d_out: int, ones_out: int, facts: int, false_share: float) -> float:
    """Bits stored for each synapse, given the share of silent outputs that answer wrongly.

    N log2 (outputs' choices / choices left after the answer), per d_in d_out synapses: a query leaves
    b + (d_out - b) q candidates for its b ones. At the best loads and log2 d ones it tends to ln 2 (Willshaw,
    Buneman & Longuet-Higgins 1969), slowly.
    """
    candidates = ones_out + (d_out - ones_out) * false_share
    before = math.lgamma(d_out + 1) - math.lgamma(d_out - ones_out + 1)
    after = math.lgamma(candidates + 1) - math.lgamma(candidates - ones_out + 1)
    return facts * (before - after) / math.log(2) / (d_in * d_out)
