"""How many bits a memory must hold: counting bounds that no construction and no training can beat."""

import math

from scipy.optimize import brentq
from scipy.special import gammaln

from simonides.base import SimonidesError, check_at_least


def permutation_bits(facts: int) -> float:
    """log2 N!, the bits that single out one permutation of N answers.

    >>> round(permutation_bits(4), 3)  # 24 permutations
    4.585
    """
    check_at_least("facts", facts, 1)
    return float(gammaln(facts + 1)) / math.log(2)


def function_bits(facts: int, answers: int) -> float:
    """N log2 M, the bits that single out one function from N inputs to M answers."""
    check_at_least("facts", facts, 1)
    check_at_least("answers", answers, 1)
    return facts * math.log2(answers)


def fano_bits(facts: int, answers: int, error: float) -> float:
    """Bits needed to store a uniformly random function from N inputs to M answers up to a share of errors.

    Fano's inequality (Cover & Thomas 2006, theorem 2.10.1), fact by fact:
    B >= N (log2 M - h2(eps) - eps log2(M - 1)), with h2 the binary entropy; never below zero. A memory of B
    bits whose embeddings do not depend on the function cannot do better, whatever it computes. This is the
    finite-error form of the lower bounds B >= N log M of Nichani, Lee & Bietti (2025).

    Arguments:
        facts: N.
        answers: M.
        error: eps, the share of facts recalled wrongly, in [0, 1].

    >>> fano_bits(1000, 2, 0.0), fano_bits(1000, 2, 0.5)
    (1000.0, 0.0)
    """
    entropy = _entropy(error)
    total = function_bits(facts, answers)
    if answers == 1 or error >= 1 - 1 / answers:
        return 0.0
    return max(0.0, total - facts * (entropy + error * math.log2(answers - 1)))


def permutation_fano_bits(facts: int, error: float) -> float:
    """Bits needed to store a uniformly random permutation of N answers up to a share of errors.

    A memory that recalls (1 - eps) N facts leaves to be told which ones fail, and their answers: at most
    N h2(eps) + eps N log2 N bits. So B >= log2 N! - N h2(eps) - eps N log2 N, never below zero.
    """
    return max(0.0, permutation_bits(facts) - facts * (_entropy(error) + error * math.log2(facts)))


def largest_recall(facts: int, answers: int, bits: float) -> float:
    """The largest share of N random facts with M answers that a memory of B bits can recall.

    Inverts `fano_bits` by bisection; 1 when B >= N log2 M, and never below chance, 1/M.

    >>> largest_recall(100, 16, 400.0), round(largest_recall(100, 16, 0.0), 4)
    (1.0, 0.0625)
    """
    if bits >= function_bits(facts, answers):
        return 1.0
    chance = 1 / answers
    if fano_bits(facts, answers, 1 - chance) >= bits:
        return chance
    return 1 - float(brentq(lambda error: fano_bits(facts, answers, error) - bits, 0.0, 1 - chance, xtol=1e-15))


def bits_per_parameter(bits: float, parameters: int) -> float:
    """Bits stored for every number kept."""
    check_at_least("parameters", parameters, 1)
    return bits / parameters


def _entropy(error: float) -> float:
    """Binary entropy h2 of a share of errors, in bits."""
    if not 0 <= error <= 1:
        raise SimonidesError(f"error = {error} is no share; give a number in [0, 1].")
    return 0.0 if error in (0, 1) else -error * math.log2(error) - (1 - error) * math.log2(1 - error)
