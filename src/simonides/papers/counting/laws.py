"""What can be said of contextual counting before anything is trained.

Golkar et al. (2024), section 3. Letters: `T` places, `R` regions, `r` the number of a region from 1, `n` a count, `B`
the attention that the token of comparison takes, in units of one counted token.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.papers.counting.strings import CLOSE, OPEN, ContextualCounting


def region_share(regions: int) -> Float[Tensor, " R"]:
    """r/(2r - 1): the share of [ among the delimiters seen inside region r = 1 ... R (Golkar et al. 2024, P2).

    Between regions it is 1/2 everywhere, so a place between two regions cannot be told from another.

    >>> region_share(3)
    tensor([1.0000, 0.6667, 0.6000], dtype=torch.float64)
    """
    check_at_least("regions", regions, 1)
    number = torch.arange(1, regions + 1, dtype=torch.float64)
    return number / (2 * number - 1)


def contextual_position(tokens: Int[Tensor, "*B T"]) -> Float[Tensor, "*B T"]:
    """The share of [ among the delimiters up to each place; NaN before the first.

    What a causal layer without positions writes that attends equally to all delimiters (P2).

    >>> contextual_position(torch.tensor([1, 2, 1, 3, 0, 2]))
    tensor([   nan, 1.0000, 1.0000, 0.5000, 0.5000, 0.6667], dtype=torch.float64)
    """
    opened = (tokens == OPEN).cumsum(-1).double()
    closed = (tokens == CLOSE).cumsum(-1).double()
    return opened / (opened + closed)


def count_law(length: int, regions: int, ones: float = 0.5) -> Float[Tensor, " counts"]:
    """p(n) of one region, for n = 0 ... T - 2R: delimiters at 2R of T places drawn uniformly, digits Bernoulli.

    Its places inside are l with probability C(T - 1 - l, 2R - 1)/C(T, 2R), the same law for every gap, and n of l is
    binomial.

    Raises:
        SimonidesError: when the regions have no room, or `ones` is no probability.

    >>> round(float(count_law(512, 4)[0]), 3)
    0.031
    """
    _check_law(length, regions, ones)
    sizes = _size_law(length, regions)
    return sizes @ _binomial(len(sizes) - 1, ones)


def best_constant(task: ContextualCounting, samples: int = 20_000) -> float:
    """The accuracy of the best constant answer, the same for all regions; see `answer_law`."""
    return float(answer_law(task, samples).max())


def answer_law(task: ContextualCounting, samples: int = 20_000) -> Float[Tensor, " answers"]:
    """How likely each answer is, over all regions of all strings; counts beyond the last answer are left out.

    Exact for regions placed uniformly, of any lengths, numbers of regions and shares of ones; else of samples (seed 0),
    with a standard error of up to 1/(2 sqrt(samples)).

    Raises:
        SimonidesError: when fewer than 1,000 samples are asked for.
    """
    check_at_least("samples", samples, 1000)
    uniform = not task.nested and not task.min_region and task.fixed_region is None
    if uniform and task.target == "count":
        return _exact_law(task)
    generator = torch.Generator().manual_seed(0)
    found = torch.zeros(task.answers, dtype=torch.float64)
    total = 0
    # a batch has one length, so batches are small
    for _ in range(-(-samples // 50)):
        strings = task.sample(50, generator)
        labels = task.labels(strings)[0][strings.counts >= 0]
        within = strings.counts[strings.counts >= 0] < task.answers if task.target == "count" else labels >= 0
        found += torch.bincount(labels[within], minlength=task.answers)
        total += len(labels)
    return found / total


def _exact_law(task: ContextualCounting) -> Float[Tensor, " answers"]:
    """The mixture over lengths, numbers of regions and shares of ones."""
    lengths, regions = (
        range(ends[0], ends[1] + 1) if isinstance(ends, tuple) else (ends,) for ends in (task.length, task.regions)
    )
    sizes = torch.zeros(max(lengths) - 2 * min(regions) + 1, dtype=torch.float64)
    for length in lengths:
        for number in regions:  # a string of R regions has R answers
            own = _size_law(length, number)
            sizes[: len(own)] += number * own
    sizes /= sizes.sum()
    low, high = task.share_of_ones
    nodes, weights = np.polynomial.legendre.leggauss(32 if high > low else 1)
    law = torch.zeros(len(sizes), dtype=torch.float64)
    for node, weight in zip(nodes, weights, strict=True):
        law += weight / 2 * (sizes @ _binomial(len(sizes) - 1, float(low + (high - low) * (1 + node) / 2)))
    answers = torch.zeros(task.answers, dtype=torch.float64)
    answers[: len(law)] = law[: task.answers]
    return answers


def _size_law(length: int, regions: int) -> Float[Tensor, " sizes"]:
    """p(l) for l = 0 ... T - 2R places inside a region."""
    inside = torch.arange(length - 2 * regions + 1, dtype=torch.float64)
    return (_log_choose(length - 1 - inside, 2 * regions - 1) - _log_choose(length, 2 * regions)).exp()


def _check_law(length: int, regions: int, ones: float) -> None:
    """Raise `SimonidesError` where there is no such law."""
    check_at_least("regions", regions, 1)
    check_at_least("length", length, 2 * regions)
    if not 0 <= ones <= 1:
        raise SimonidesError(f"ones = {ones}; give a probability.")


def invariant_ceiling(length: int, regions: int, ones: float = 0.5) -> float:
    """The accuracy of the best answer that knows how many 1s the whole string has, and not where they are.

    sum_S p(S) max_n p(n | S), with n | S hypergeometric given the places inside. No model whose answer does not change
    when the string is permuted can do better: an encoder that is not causal and has no positions, read by attention
    (P3). Where 0 is the likeliest count for every S it is the best constant answer itself.

    >>> round(invariant_ceiling(64, 4), 3), round(float(count_law(64, 4)[0]), 3)
    (0.225, 0.225)
    """
    _check_law(length, regions, ones)
    digits = length - 2 * regions
    inside = torch.arange(digits + 1, dtype=torch.float64)
    sizes = _size_law(length, regions)
    total = _binomial(digits, ones)[digits]
    n = torch.arange(digits + 1, dtype=torch.float64)
    best = 0.0
    for ones_in_all in range(digits + 1):
        rest = ones_in_all - n
        logs = _log_choose(inside[:, None], n) + _log_choose(digits - inside[:, None], rest)
        odds = (logs - _log_choose(digits, ones_in_all)).exp()
        odds = odds.masked_fill((n > inside[:, None]) | (rest < 0) | (rest > digits - inside[:, None]), 0.0)
        best += float(total[ones_in_all] * (sizes @ odds).max())
    return best


def profile(length: int, kind: str = "causal") -> Bool[Tensor, "T T"]:
    """Which keys (columns) a query (row) may not see: those behind it ("causal"), or all but itself ("self-only")."""
    check_at_least("length", length, 1)
    if kind == "self-only":
        return ~torch.eye(length, dtype=torch.bool)
    if kind == "causal":
        return torch.ones(length, length, dtype=torch.bool).triu(1)
    raise SimonidesError(f"profile {kind!r} is not known; give 'causal' or 'self-only'.")


def least_rank(hidden: Bool[Tensor, "T T"]) -> int:
    """The least rank of scores q_i k_j that hide these keys and treat the others alike (P4).

    Scores must be a_i - M 1{hidden}, with M to infinity and any a_i, since a constant of a row does not change its
    softmax. The rank of A + a 1^T is least where a takes the mean of each row off: it is that of A (1 - 1 1^T/T).
    Learned absolute positions that imitate a causal mask exactly so need a head of about T dimensions.

    >>> least_rank(profile(8)), least_rank(profile(8, "self-only"))
    (7, 7)
    """
    scores = hidden.double()
    return int(torch.linalg.matrix_rank(scores - scores.mean(1, keepdim=True)))


def read_out(
    counts: Float[Tensor, "*n"],
    value_one: Float[Tensor, " classes"],
    value_bias: Float[Tensor, " classes"],
    bias: float = 1.0,
) -> Float[Tensor, "*n classes"]:
    """softmax((n v_1 + B v_bias)/(n + B)): what a region with n ones is answered (Golkar et al. 2024, read-out law).

    The mixtures of n and n + 1 lie B/n^2 apart, so large counts are told less sharply.

    Arguments:
        counts: n; need not be whole.
        value_one: what a counted token adds to the logits when it is all that is attended to.
        value_bias: the same of the tokens of comparison.
        bias: B, the attention these take together, in units of one counted token.
    """
    if not 0 < bias < math.inf:
        raise SimonidesError(f"bias = {bias}: give a number above zero.")
    share = (counts / (counts + bias)).unsqueeze(-1)
    return torch.softmax(share * value_one + (1 - share) * value_bias, -1)


def predicted_slope(trained: float, tested: float) -> float:
    """n_answered/n = B_train/B_test: counts are read off n/(n + B), with the B of the training law.

    Derived from the read-out law; Golkar et al. (2024) show a slope near 4/3 for models that compare with ] and were
    trained on four regions and asked for three.

    >>> predicted_slope(4, 3)
    1.3333333333333333
    """
    if not (0 < trained < math.inf and 0 < tested < math.inf):
        raise SimonidesError(f"bias {trained} in training and {tested} in the test; give numbers above zero.")
    return trained / tested


def slope_of(answers: Num[Tensor, " B"], counts: Int[Tensor, " B"]) -> float:
    """Of answers in counts, through the origin; strings that lack the region, of count -1, are left out.

    >>> slope_of(torch.tensor([4, 8, 7]), torch.tensor([2, 4, -1]))
    2.0
    """
    n = counts.clamp_min(0).double()
    if not bool(n.any()):
        raise SimonidesError(
            f"none of {len(n)} counts is above zero, so answers have no slope; give other strings."
        )
    return float((n * answers.double()).sum() / n.square().sum())


def expected_tokens(task: ContextualCounting) -> dict[str, float]:
    """How many of each would-be bias token a string of a law has on average: "beginning", "[", "]" and "0".

    >>> expected_tokens(ContextualCounting(regions=4, length=64))
    {'beginning': 1.0, '[': 4.0, ']': 4.0, '0': 28.0}
    """
    regions, length = (
        sum(ends) / 2 if isinstance(ends, tuple) else float(ends) for ends in (task.regions, task.length)
    )
    zero = 1 - sum(task.share_of_ones) / 2
    return {
        "beginning": float(task.beginning),
        "[": regions,
        "]": regions,
        "0": zero * (length - 2 * regions),
    }


def _log_choose(n: Tensor | float, k: Tensor | float) -> Tensor:
    """log C(n, k); garbage where k > n, which callers leave out."""
    n, k = torch.as_tensor(n, dtype=torch.float64), torch.as_tensor(k, dtype=torch.float64)
    return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma((n - k).clamp_min(0) + 1)


def _binomial(most: int, p: float) -> Float[Tensor, "l n"]:
    """p(n | l) for l and n from 0 to `most`."""
    sizes, n = torch.arange(most + 1, dtype=torch.float64)[:, None], torch.arange(most + 1, dtype=torch.float64)
    hit, miss = torch.tensor([p, 1 - p], dtype=torch.float64)
    logs = _log_choose(sizes, n) + torch.xlogy(n, hit) + torch.xlogy((sizes - n).clamp_min(0), miss)
    return logs.exp().masked_fill(n > sizes, 0.0)
