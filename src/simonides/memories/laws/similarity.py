"""Memories that answer by similarity: how many random keys a noisy query can be told from."""

import math

import numpy as np

from simonides.base import SimonidesError, check_at_least, check_share
from simonides.memories.laws.orthogonality import inner_product_tail


def nearest_recall(d: int, facts: int, cosine: float = 1.0) -> float:
    """Recall of N random keys by nearest neighbour, from queries at this cosine with their key; exact.

    The query is in a uniformly random direction for all other keys, so recall = (1 - P(<e, e'> > cosine))^{N-1}.
    """
    check_at_least("facts", facts, 1)
    if not -1 <= cosine <= 1:
        raise SimonidesError(f"cosine = {cosine} is outside -1 .. 1.")
    return float(np.exp((facts - 1) * np.log1p(-min(inner_product_tail(cosine, d), 1 - 1e-16))))


def nearest_capacity(d: int, cosine: float, accuracy: float = 0.99) -> float:
    """The N at which `nearest_recall` falls to an accuracy: exponential in d, at the rate -log(1 - cosine^2)/2.

    >>> 1.2 < nearest_capacity(41, 0.8) / nearest_capacity(40, 0.8) < 1.75
    True
    """
    check_share("accuracy", accuracy)
    tail = inner_product_tail(cosine, d)
    return math.inf if tail == 0 else 1 + math.log(accuracy) / math.log1p(-tail)
