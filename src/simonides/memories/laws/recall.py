"""Finite-size recall of linear memories: the curves that measurements are laid upon.

Letters: `d` width, `N` facts (stored inputs), `K` answers, n_y inputs that share answer y, `m` rank.

The argument, and what in it is approximate, is in `simonides.memories.laws.interference`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from simonides.base import SimonidesError, check_at_least, check_name, check_share, largest, least
from simonides.memories.laws.interference import Input, Output, beta_nodes, expected_recall, gamma_nodes, one_node
from simonides.memories.laws.orthogonality import KINDS

RULES = ("outer_products", "pseudo_inverse")


def linear_recall(
    d: int,
    facts: int,
    answers: int | None = None,
    kind: str = "sphere",
    rule: str = "outer_products",
    cosine: float = 1.0,
) -> float:
    """Expected recall of N facts in one d x d matrix, N/K facts to an answer.

    The finite-size form of theorem 1 of Nichani, Lee & Bietti (2025): with one input per answer all N facts
    are recalled while d^2 >> N log N, with a fixed number K of answers while d >> N/K.

    Arguments:
        d: width of inputs and outputs.
        facts: N.
        answers: K; by default K = N, every input with an answer of its own.
        kind: "sphere" or "gaussian" embeddings, independent for inputs and outputs.
        rule: "outer_products", or "pseudo_inverse", which is exact while N <= d.
        cosine: of the query with the input that was stored; only for outer products on the sphere.

    Raises:
        SimonidesError: when a size is below one or K exceeds N.

    >>> round(linear_recall(64, 30), 3), round(linear_recall(64, 1000), 2)
    (1.0, 0.1)
    """
    check_at_least("d", d, 2)
    check_at_least("facts", facts, 1)
    if cosine == 1:
        return recall_of_classes(d, _even_classes(facts, answers), kind, rule)
    if (kind, rule) != ("sphere", "outer_products") or not -1 <= cosine <= 1:
        raise SimonidesError(
            f"cosine = {cosine} with {kind} embeddings and {rule}; noisy queries are predicted for outer products "
            "on the sphere, at -1 <= cosine <= 1."
        )
    # the query is in a random direction for all other inputs
    inputs = Input(signal=np.full(1, cosine), variance=np.full(1, 1 / d), weights=np.ones(1), dimension=d)
    output = Output(norms=one_node(1.0), coordinate=1 / d, spread=0.0, bounded=True)
    return expected_recall(_even_classes(facts, answers), d, inputs, output)


def recall_of_classes(
    d: int, class_sizes: Sequence[int], kind: str = "sphere", rule: str = "outer_products"
) -> float:
    """Expected recall when answer k belongs to class_sizes[k] inputs: `linear_recall` for uneven tables.

    >>> recall_of_classes(64, [20, 3, 3, 1]) < recall_of_classes(64, [7, 7, 7, 6])
    True
    """
    check_at_least("d", d, 2)
    check_name("embedding", kind, KINDS)
    check_name("writing rule", rule, RULES)
    facts = _check_classes(class_sizes)
    if kind == "gaussian":
        q, weights = gamma_nodes(1.0, 2 / d)  # |e_x|^2
        norms = gamma_nodes(1.0, 2 / d)  # |u_y|^2
        output = Output(norms=norms, coordinate=1 / d, spread=2 / d, bounded=False)
        inputs = Input(signal=q, variance=q / d, weights=weights, dimension=np.inf)
    else:
        output = Output(norms=one_node(1.0), coordinate=1 / d, spread=0.0, bounded=True)
        inputs = Input(signal=np.ones(1), variance=np.full(1, 1 / d), weights=np.ones(1), dimension=d)
    if rule == "pseudo_inverse":
        if facts <= d:
            return _exact_read_out(d, len(class_sizes)) if kind == "gaussian" else 1.0
        # the hat matrix projects R^N on d dimensions: diagonal d/N, so off-diagonal squares sum to d/N (1 - d/N)
        inputs = Input(
            signal=inputs.signal,
            variance=inputs.signal * (facts / d - 1) / (facts - 1),
            weights=inputs.weights,
            dimension=inputs.dimension,
        )
    return expected_recall(class_sizes, d, inputs, output)


def low_rank_recall(
    d: int,
    facts: int,
    rank: int,
    answers: int | None = None,
    side: str = "input",
    factor: str = "gaussian",
) -> float:
    """Expected recall of N facts when W passes through m random directions; unit-sphere embeddings.

    Nichani, Lee & Bietti (2025, section 3): N of about m d facts, up to logs. Through m orthonormal
    directions on the input side, |P e_x|^2 = m/d up to its Beta law and the interference of one other fact
    has variance 1/m in units of the signal; Gaussian directions add 1/d to that, which costs a factor two
    at m = d. On the output side the same happens to the scores of the answers.

    Arguments:
        d: width of inputs and outputs.
        facts: N.
        rank: m <= d.
        answers: K; by default K = N.
        side: "input" or "output", where the random directions stand.
        factor: "gaussian" or "orthonormal" directions.

    Raises:
        SimonidesError: when a size does not fit or a name is unknown.

    >>> low_rank_recall(64, 64, 64, factor="orthonormal") == linear_recall(64, 64)
    True
    """
    check_at_least("d", d, 2)
    check_name("side", side, ("input", "output"))
    check_name("factor", factor, ("gaussian", "orthonormal"))
    if not 1 <= rank <= d:
        raise SimonidesError(f"rank = {rank} does not fit d = {d}; give 1 <= rank <= d.")
    classes = _even_classes(facts, answers)
    inputs = Input(signal=np.ones(1), variance=np.full(1, 1 / d), weights=np.ones(1), dimension=d)
    output = Output(norms=one_node(1.0), coordinate=1 / d, spread=0.0, bounded=True)
    if factor == "orthonormal" and rank == d:
        return expected_recall(classes, d, inputs, output)
    if side == "input":
        if factor == "orthonormal":
            signal, weights = beta_nodes(rank / 2, (d - rank) / 2)  # |P e_x|^2
            variance = signal / d
        else:
            signal, weights = gamma_nodes(1.0, 2 / rank, 7)  # |V e_x|^2
            # |V^T V e_x|^2 is |V e_x|^4 along e_x and |V e_x|^2 chi^2_{d-1}/m across it
            variance = (signal**2 + signal * (d - 1) / rank) / d
        inputs = Input(signal=signal, variance=variance, weights=weights, dimension=d)
    elif factor == "orthonormal":
        shares = beta_nodes(rank / 2, (d - rank) / 2)  # |P u_y|^2
        spread = 2 / rank * (d - rank) / (d + 2)
        output = Output(norms=shares, coordinate=1 / d, spread=spread, bounded=False, size=rank / d)
    else:
        # V u_y is Gaussian in R^m; <V u_k, V u_y> adds the overlap of u_k and u_y to that of R^m
        norms = gamma_nodes(1.0, 2 / rank, 7)
        output = Output(norms=norms, coordinate=1 / rank + 1 / d, spread=2 / rank, bounded=False)
    return expected_recall(classes, rank if side == "output" else d, inputs, output)


def linear_capacity(d: int, accuracy: float = 0.99, inputs_per_answer: int = 1, kind: str = "sphere") -> int:
    """The largest N whose expected recall is at least `accuracy`, in steps of `inputs_per_answer`.

    It is at least one step, since a single answer is always recalled.

    >>> linear_capacity(64)
    112
    """
    check_share("accuracy", accuracy)
    check_at_least("inputs_per_answer", inputs_per_answer, 1)

    def recalled(answers: int) -> bool:
        return linear_recall(d, answers * inputs_per_answer, answers, kind) >= accuracy

    return largest(recalled) * inputs_per_answer


def width_for(class_sizes: Sequence[int], accuracy: float = 0.99, kind: str = "sphere") -> int:
    """The least d at which a table with these numbers of inputs per answer is recalled to `accuracy`.

    >>> width_for([1] * 112)
    64
    """
    check_share("accuracy", accuracy)
    _check_classes(class_sizes)
    return least(lambda d: d > 1 and recall_of_classes(d, class_sizes, kind) >= accuracy)


def _exact_read_out(d: int, answers: int) -> float:
    """E Phi(sqrt(d) |u_y|)^(K - 1): how often a Gaussian u_y is nearer to itself than each of K - 1 others."""
    squares, weights = gamma_nodes(1.0, 2 / d, 60)
    return float((weights * ndtr(np.sqrt(d * squares)) ** (answers - 1)).sum())


def _even_classes(facts: int, answers: int | None) -> list[int]:
    check_at_least("facts", facts, 1)
    if answers is None:
        return [1] * facts
    check_at_least("answers", answers, 1)
    if answers > facts:
        raise SimonidesError(f"{answers} answers for {facts} facts; give at most one answer a fact.")
    few, extra = divmod(facts, answers)
    return [few + 1] * extra + [few] * (answers - extra)


def _check_classes(class_sizes: Sequence[int]) -> int:
    if len(class_sizes) == 0 or min(class_sizes) < 1:
        raise SimonidesError("class_sizes must hold at least one answer, each with at least one input.")
    return int(sum(class_sizes))
