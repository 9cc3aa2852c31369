"""Mean and variance of the scores of a linear memory, exactly, over random embeddings.

W = sum_x alpha_x u_{f(x)} e_x^T, and the score of answer y for input x is u_y^T W e_x. Letters: `d` width,
`N` stored inputs, n_y = number of inputs whose answer is y.
"""

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.memories.laws.orthogonality import KINDS


def score_mean(correct: bool, weight: float = 1.0) -> float:
    """E[u_y^T W e_x] = alpha_x 1{y = f(x)}: the interference has mean zero."""
    return weight if correct else 0.0


def score_variance(
    d: int,
    same_answer: float,
    other_answer: float,
    correct: bool,
    weight: float = 1.0,
    kind: str = "sphere",
) -> float:
    """Variance of the score u_y^T W e_x over independent random embeddings; exact.

    The interfering inputs x' != x with answer y add alpha^2 E<e_x', e_x>^2 |u_y|^4 = alpha^2/d each on the
    sphere, those with another answer alpha^2/d^2; a wrong answer also gets alpha_x^2/d from the input's own
    outer product. So the variance is of order n_y/d + N/d^2: many inputs per answer cost a factor d.
    (Nichani, Lee & Bietti 2025, section 3; here with the exact constants.)

    Arguments:
        d: width of both embeddings.
        same_answer: sum of alpha_x'^2 over x' != x whose answer is y (their number for weights one).
        other_answer: the same sum over x' != x whose answer is not y.
        correct: whether y = f(x).
        weight: alpha_x.
        kind: "sphere", or "gaussian" for entries N(0, 1/d).

    >>> score_variance(64, 0, 100, correct=True) == 100 / 64**2
    True
    """
    check_at_least("d", d, 1)
    check_name("embedding", kind, KINDS)
    if same_answer < 0 or other_answer < 0:
        raise SimonidesError(
            f"sums of squared weights are {same_answer} and {other_answer}; neither can be below zero."
        )
    fourth = 1 + 2 / d if kind == "gaussian" else 1.0  # E |e|^4
    crosstalk = fourth * same_answer / d + other_answer / d**2
    own_part = weight**2 * (fourth**2 - 1 if correct else fourth / d)
    return crosstalk + own_part


def read_out_variance(d: int, other_inputs: float, other_outputs: float, all_others: float) -> float:
    """Variance of v_j^T W u_i - alpha_ij for W = sum_ij alpha_ij v_j u_i^T with unit-sphere embeddings; exact.

    Arguments:
        d: width.
        other_inputs: sum_{i' != i} alpha_i'j^2, entries of the same output.
        other_outputs: sum_{j' != j} alpha_ij'^2, entries of the same input.
        all_others: sum over i' != i and j' != j of alpha_i'j'^2.

    The read-out v_j^T W u_i ~ alpha_ij is how Bietti et al. (2023, section 3) recover weights from a matrix.
    """
    check_at_least("d", d, 1)
    return (other_inputs + other_outputs) / d + all_others / d**2
