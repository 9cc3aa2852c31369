"""Methods with teleports and without on one problem: iterations and units of work to several gaps, and which pays."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.papers.teleportation.base_methods import Armijo, NewtonCG, Trace, descend
from simonides.papers.teleportation.problems import Function
from simonides.papers.teleportation.solver import Solving

PLAIN, SPACED, ALWAYS, NEWTON = "Armijo", "Armijo, teleports at 5, 55, ...", "Armijo, a teleport each", "Newton-CG"
GAPS = (1e-2, 1e-4, 1e-6)
# the first teleport comes after so many iterations
FIRST = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What each method needed.

    Arguments:
        traces: by method.
        least: the least value that any of them, or a longer run of Newton's method, found.
        gaps: relative gaps (f - f*)/(f_0 - f*).
        iterations, work: for each method and gap; infinite where it was not reached.
    """

    traces: dict[str, Trace]
    least: float
    gaps: tuple[float, ...]
    iterations: dict[str, tuple[float, ...]]
    work: dict[str, tuple[float, ...]]

    def pays(self, gap: float) -> str:
        """One sentence for a gap, from the units of work of Armijo's rule with teleports and without.

        Raises:
            SimonidesError: when the gap is none of those measured.
        """
        if gap not in self.gaps:
            raise SimonidesError(f"gap {gap:g} was not measured; there are {', '.join(map(str, self.gaps))}.")
        place = self.gaps.index(gap)
        plain = self.work[PLAIN][place]
        reached = self.iterations[PLAIN][place]
        if reached == 0:
            return f"to {gap:g}: the start is a minimum already, as far as was found."
        if reached <= FIRST and self.work[ALWAYS][place] >= plain:
            return f"to {gap:g}: descent is there after {reached:.0f} iterations, so teleports are not needed."
        with_teleports = {name: self.work[name][place] for name in (SPACED, ALWAYS)}
        name, best = min(with_teleports.items(), key=lambda entry: entry[1])
        if plain == best == float("inf"):
            return f"to {gap:g}: neither with teleports nor without was it reached."
        if best < plain:
            saved = (
                f"{1 - best / plain:.0%} less work" if plain < float("inf") else "plain descent never got there"
            )
            verdict = f"teleports pay ({name}: {saved})"
        else:
            more = f"{best / plain:.1f} times the work" if best < float("inf") else "they never got there"
            verdict = f"teleports do not pay ({more})"
        newton = self.work[NEWTON][place]
        cheaper = " Newton-CG is cheaper than either." if newton < min(best, plain) else ""
        return f"to {gap:g}: {verdict}.{cheaper}"


def compare_methods(
    f: Function,
    start: Float[Tensor, "1 p"],
    iterations: int = 400,
    steps: int = 50,
    gaps: Sequence[float] = GAPS,
) -> Comparison:
    """Run Armijo's rule plain, with teleports after 5, 55, ... iterations and before each, and Newton's method.

    Arguments:
        f: the objective, of stacked points.
        start: one point.
        iterations: of Armijo's rule at most; a tenth of it with a teleport before each, and of Newton's method.
        steps: of a teleport.
        gaps: relative gaps, falling.

    Raises:
        SimonidesError: when f is not finite at the start, or gaps are none.
    """
    check_at_least("iterations", iterations, 10)
    if not gaps or any(not 0 < gap < 1 for gap in gaps):
        raise SimonidesError(f"gaps {list(gaps)}: give shares in (0, 1) of the first gap.")
    solving = Solving(steps=steps)
    traces = {
        PLAIN: descend(f, start, Armijo(), iterations),
        SPACED: descend(f, start, Armijo(), iterations, lambda done: done % 50 == FIRST, solving),
        ALWAYS: descend(f, start, Armijo(), iterations // 10, lambda _: True, solving),
        NEWTON: descend(f, start, NewtonCG(), iterations // 10),
    }
    longer = descend(f, start, NewtonCG(), max(60, iterations // 10))
    found = torch.cat([trace.f.nan_to_num(torch.inf).min(0).values for trace in (*traces.values(), longer)])
    least = found.min()[None]
    return Comparison(
        traces=traces,
        least=float(least),
        gaps=tuple(gaps),
        iterations={
            name: tuple(float(trace.iterations_to(gap, least)) for gap in gaps) for name, trace in traces.items()
        },
        work={name: tuple(float(trace.cost_to(gap, least)) for gap in gaps) for name, trace in traces.items()},
    )
