"""Factual recall at finite size: what the constructed heads recall, and how fast gradient flow learns.

Nichani, Lee & Bietti (2025), sections 4 and 5. Letters: `S` subjects, `R` relations, D answers of each relation,
`d` width.
"""

import math

import numpy as np
from scipy.special import log_ndtr

from simonides.base import check_at_least, check_share, least

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)


def heads_recall(d: int, relations: int, answers: int) -> float:
    """Expected recall by attention alone, where each head finds its token and reads its values exactly.

    The output is the sum of the subject's R answers and the relation's D answers, so the right one is in it twice
    and n = R + D - 2 rivals once. With unit vectors whose overlaps have variance 1/d, the right score is 2 + X,
    X ~ N(0, n/d). A listed rival, u_b, scores 1 + 2 <u_a, u_b> + the sum of its overlaps with the others. The n
    margins have mean 1, variance (2 n - 1)/d and covariance (n - 3)/d; what each has of its own spreads with the
    squared length of the output, n + 4 + 4 X and a little more. An unlisted rival scores N(0, that/d).
    Theorem 2 of the paper asks for d of about R + D, up to logs. Against drawn embeddings it is 0.03 too low where
    recall is 0.8, less above.

    Arguments:
        d: width.
        relations: R.
        answers: D.

    >>> heads_recall(64, 16, 4) < heads_recall(256, 16, 4) < heads_recall(1024, 16, 4)
    True
    """
    for name, value in (("d", d), ("relations", relations), ("answers", answers)):
        check_at_least(name, value, 1)
    listed = relations + answers - 2
    if relations * answers == 1:
        return 1.0
    # what all margins share, and what each has of its own
    shared = max(listed - 3, 0)
    common = _NODES * math.sqrt(shared / d)
    length = np.maximum(1 + 4 * common / (listed + 4), 0.1)
    signal = np.sqrt((2 * listed - 1 - shared) * length / d) if listed else 1.0
    log_right = listed * log_ndtr((1 + common) / signal)
    others = relations * answers - listed - 1
    log_right = log_right + others * log_ndtr((2 + common) / np.sqrt((listed + 7) * length / d))
    return float((_WEIGHTS * np.exp(log_right)).sum() / _WEIGHTS.sum())


def width_for_heads(relations: int, answers: int, recall: float = 0.99) -> int:
    """The least d at which `heads_recall` reaches a recall.

    >>> heads_recall(width_for_heads(8, 8), 8, 8) >= 0.99
    True
    """
    check_share("recall", recall)
    return least(lambda d: heads_recall(d, relations, answers) >= recall)


def relation_rate(relations: int, answers: int) -> float:
    """lambda_r = (1/R) sqrt(1/D - 1/(R D)): how fast a relation's weights grow from a small start.

    Under gradient flow of linear attention a token's value and key weights grow together as exp(lambda_z t), with
    lambda_z = |E[count_z (1{y = .} - p)]|, as long as the prediction p is the uniform one.
    """
    check_at_least("relations", relations, 1)
    check_at_least("answers", answers, 1)
    return math.sqrt(1 / answers - 1 / (relations * answers)) / relations


def subject_rate(subjects: int, relations: int, answers: int) -> float:
    """lambda_s = (1/S) sqrt((1 - 1/D)/R), the same of a subject, before and after the relations are learned.

    Before, |E[count_s (1{y = .} - p)]| is (1/S) sqrt(1/R - 1/(R D)); to know the relation changes nothing, as the
    subject's answers stay as surprising within their relations.
    """
    for name, value in (("subjects", subjects), ("relations", relations), ("answers", answers)):
        check_at_least(name, value, 1)
    return math.sqrt((1 - 1 / answers) / relations) / subjects


def rate_ratio(subjects: int, relations: int, answers: int) -> float:
    """lambda_r/lambda_s = (S/R) sqrt((R - 1)/(D - 1)): above one the relations are learned first.

    It is the ratio of the times of both transitions, that of the subjects over that of the relations. Relations
    first means a stage of hallucination: the model says p(a | r), likely answers whoever the subject is.

    >>> round(rate_ratio(16, 4, 8), 2), round(rate_ratio(8, 16, 8), 2)
    (2.62, 0.73)
    """
    slower = subject_rate(subjects, relations, answers)
    return relation_rate(relations, answers) / slower if slower else math.inf
