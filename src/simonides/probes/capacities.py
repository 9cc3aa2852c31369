"""Capacity: the largest number of facts that a kind of memory recalls, searched run by run.

A capacity is a statement about an accuracy, a draw of embeddings and a way of storing; each is named here. All
runs are searched together: what is asked next of each is measured in one stack.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_share, log_mean_interval
from simonides.memories import Memory, embeddings
from simonides.probes.recall import accuracy as recalled_share
from simonides.tasks import identity

Drawn = tuple[Float[Tensor, "N d_in"], Float[Tensor, "M d_out"], Int[Tensor, " N"]]
Associations = Callable[[int, torch.Generator], Drawn]
Storing = Callable[[Float[Tensor, "N d_in"], Float[Tensor, "M d_out"], Int[Tensor, " N"], torch.Generator], Memory]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The outcome of a search over R runs.

    Arguments:
        accuracy: the share of facts that had to be recalled.
        stored: for each run the largest number of facts tried that reached it.
        refused: for each run the smallest number tried that did not; infinite where none was refused.
        tried: for each run, numbers of facts and the accuracy found, in the order they were tried.
    """

    accuracy: float
    stored: tuple[int, ...]
    refused: tuple[float, ...]
    tried: tuple[tuple[tuple[int, float], ...], ...]

    @property
    def mean(self) -> float:
        """The geometric mean over runs."""
        return log_mean_interval(self.stored)[0]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `mean`, by Student's t for the logarithms; infinite for a single run."""
        return log_mean_interval(self.stored)[1]


def search(
    accuracies: Callable[[Mapping[int, int]], Mapping[int, float]],
    runs: int,
    start: int,
    accuracy: float = 0.99,
    least: int = 1,
    most: int = 2**40,
    ratio: float = 1.01,
) -> Capacity:
    """The largest N whose accuracy is reached, for every run: galloping from `start`, then bisection.

    Accuracy is taken to fall with N; where chance makes it rise and fall about the level, one of the crossings
    is found.

    Arguments:
        accuracies: given a number of facts for some of the runs, the accuracy of each.
        runs: how many.
        start: where to begin; the closer to the answer, the fewer numbers are tried.
        accuracy: what counts as stored.
        least: the smallest number of facts; where even it is refused, this is said.
        most: the largest.
        ratio: the search ends when refused/stored is at most this, or they are neighbours.

    Raises:
        SimonidesError: when an argument makes no sense, or a run stores not even `least`.
    """
    check_share("accuracy", accuracy)
    check_at_least("runs", runs, 1)
    check_at_least("least", least, 1)
    if not (least <= most and ratio > 1):
        raise SimonidesError(f"least = {least}, most = {most}, ratio = {ratio}; give least <= most and ratio > 1.")
    searches = [_Bracket(min(max(start, least), most), least, most, ratio) for _ in range(runs)]
    tried: list[list[tuple[int, float]]] = [[] for _ in range(runs)]
    while wanted := {run: size for run, one in enumerate(searches) if (size := one.next()) is not None}:
        for run, share in accuracies(wanted).items():
            tried[run].append((wanted[run], float(share)))
            searches[run].learn(wanted[run], share >= accuracy)
    if lost := [run for run, one in enumerate(searches) if one.stored == 0]:
        raise SimonidesError(
            f"run {lost[0]} stores not even {least} facts to {accuracy:g}: it reached {tried[lost[0]][-1][1]:.3g}."
        )
    return Capacity(
        accuracy=accuracy,
        stored=tuple(one.stored for one in searches),
        refused=tuple(one.refused for one in searches),
        tried=tuple(map(tuple, tried)),
    )


def capacity(
    memory: Storing,
    associations: Associations,
    generators: Sequence[torch.Generator],
    accuracy: float = 0.99,
    start: int = 64,
    most: int = 2**40,
    ratio: float = 1.01,
    repeats: int = 1,
    cosine: float = 1.0,
    asked: int | None = None,
) -> Capacity:
    """How many facts a way of storing recalls, one run for each generator.

    Arguments:
        memory: stores (inputs, outputs, targets), with a generator for what it draws itself.
        associations: draws N facts; each number of facts of a run is drawn afresh from the run's generator as it
            came, so the answer does not depend on what else was tried.
        generators: one for each run; they are left as they were.
        accuracy: the share of facts that counts as stored.
        start: where the search begins.
        most: the largest number of facts to try.
        ratio: how closely the capacity is bracketed.
        repeats: each accuracy is the mean over so many memories, drawn one after the other.
        cosine: of the queries with the stored inputs, which are then unit vectors; 1 asks with the inputs.
        asked: ask only for the first so many facts, as a sample.

    >>> from simonides.memories import LinearMemory
    >>> found = capacity(lambda i, o, t, g: LinearMemory.store(i, o, t), on_spheres(32),
    ...                  [torch.Generator().manual_seed(seed) for seed in range(4)])
    >>> 20 < found.mean < 45
    True
    """

    check_at_least("repeats", repeats, 1)

    def accuracies(sizes: Mapping[int, int]) -> dict[int, float]:
        shares = {}
        for run, size in sizes.items():
            generator = _copy(generators[run])
            total = 0.0
            for _ in range(repeats):
                inputs, outputs, targets = associations(size, generator)
                stored = memory(inputs, outputs, targets, generator)
                queries = inputs[:asked]
                if cosine < 1:
                    queries = embeddings.at_cosine(queries, cosine, generator)
                total += float(recalled_share(stored, queries, outputs, targets[:asked]))
            shares[run] = total / repeats
        return shares

    return search(accuracies, len(generators), start, accuracy, most=most, ratio=ratio)


def on_spheres(d: int, device: torch.device | str = "cpu") -> Associations:
    """N facts with an answer each, inputs and outputs uniform on the unit sphere of R^d, put on a device."""

    def draw(facts: int, generator: torch.Generator) -> Drawn:
        inputs, outputs = (embeddings.sphere(facts, d, generator).to(device) for _ in range(2))
        return inputs, outputs, identity(facts).to(device)

    return draw


def _solve_n_log_n(total: float) -> int:
    n = max(total, 4.0)
    for _ in range(50):
        n = max(total, 2.0) / math.log(max(n, 2.0))
    return max(2, round(n))


def _copy(generator: torch.Generator) -> torch.Generator:
    return torch.Generator(generator.device).set_state(generator.get_state())


class _Bracket:
    """The search of one run: `stored` was reached, `refused` was not."""

    def __init__(self, start: int, least: int, most: int, ratio: float) -> None:
        self.stored, self.refused = 0, math.inf
        self._start, self._least, self._most, self._ratio = start, least, most, ratio
        self._stride = 1.1

    def next(self) -> int | None:
        """What to try next, or nothing when the capacity is known."""
        if self.stored == 0 and self.refused == math.inf:
            return self._start
        if self.refused == math.inf:
            ahead = min(max(self.stored + 1, round(self.stored * self._stride)), self._most)
            return None if self.stored == self._most else ahead
        if self.stored == 0:
            behind = max(min(int(self.refused) - 1, round(self.refused / self._stride)), self._least)
            return None if self.refused == self._least else behind
        if self.refused - self.stored <= 1 or self.refused / self.stored <= self._ratio:
            return None
        middle = round(math.sqrt(self.stored * self.refused))
        return min(max(middle, self.stored + 1), int(self.refused) - 1)

    def learn(self, size: int, reached: bool) -> None:
        """Take in whether a size was stored; the stride doubles while nothing brackets the capacity."""
        if reached:
            self.stored = size
        else:
            self.refused = size
        self._stride = self._stride**2 if self.stored == 0 or self.refused == math.inf else self._stride
