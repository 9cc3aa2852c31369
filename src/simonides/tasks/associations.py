"""Associations: which answer belongs to which input, and how often each input is seen.

Letters: `N` inputs, `M` answers, `R` stacked runs. Targets are the answers' row numbers. Where something is
drawn, one generator gives `[N]` and a sequence of R of them gives `[R, N]`.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import Generators, SimonidesError, check_at_least, drawn


def identity(inputs: int) -> Int[Tensor, " N"]:
    """f(x) = x: every input has an answer of its own.

    With embeddings drawn independently for inputs and answers this is as general as any permutation.
    """
    check_at_least("inputs", inputs, 1)
    return torch.arange(inputs)


def many_to_one(inputs: int, answers: int) -> Int[Tensor, " N"]:
    """f(x) = x mod M, the many-to-one map of Cabannes, Dohmatob & Bietti (2024).

    >>> many_to_one(5, 2)
    tensor([0, 1, 0, 1, 0])
    """
    check_at_least("inputs", inputs, 1)
    check_at_least("answers", answers, 1)
    return torch.arange(inputs) % answers


def permutation(inputs: int, generators: Generators) -> Int[Tensor, "*runs N"]:
    """A uniformly random permutation of N answers."""
    return injective(inputs, inputs, generators)


def injective(inputs: int, answers: int, generators: Generators) -> Int[Tensor, "*runs N"]:
    """A uniformly random map from N inputs to M >= N answers in which no answer is used twice.

    Raises:
        SimonidesError: when M < N.
    """
    check_at_least("inputs", inputs, 1)
    if answers < inputs:
        raise SimonidesError(
            f"an injective map from {inputs} inputs needs as many answers, got {answers}; "
            "give more, or use random_function."
        )
    return drawn(lambda g: torch.randperm(answers, generator=g, device=g.device)[:inputs], generators)


def random_function(inputs: int, answers: int, generators: Generators) -> Int[Tensor, "*runs N"]:
    """Every input's answer drawn uniformly from M, independently: some answers may go unused."""
    check_at_least("inputs", inputs, 1)
    check_at_least("answers", answers, 1)
    return drawn(lambda g: torch.randint(answers, (inputs,), generator=g, device=g.device), generators)
