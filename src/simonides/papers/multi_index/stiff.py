"""Many small stiff systems at once: Rosenbrock's method of order four, each system with steps of its own.

Letters: `R` systems, `m` numbers of each. RODAS (Hairer & Wanner 1996, IV.7): six stages, L-stable, an embedded third
order for the error; the coefficients are theirs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError

_GAMMA = 0.25
_A = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0),
)
_C = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)
_MOST = 200_000
# later than this rounding of the time itself matters
_LATEST = 1e15


@dataclass(frozen=True, kw_only=True, eq=False)
class Flowed:
    """Where R systems went.

    Arguments:
        states: at the asked times.
        crossings: the first time at which each watched number rose through its level; infinite where it did not.
        steps: how many were made, by the system that made most.
    """

    states: Float[Tensor, "times R m"]
    crossings: Float[Tensor, "R watched"]
    steps: int


def flow(
    velocity: Callable[[Float[Tensor, "R m"]], Float[Tensor, "R m"]],
    start: Float[Tensor, "R m"],
    times: Sequence[float],
    watch: Callable[[Float[Tensor, "R m"]], Float[Tensor, "R watched"]] | None = None,
    level: float = 0.0,
    tolerance: float = 1e-8,
) -> Flowed:
    """Follow dy/dt = velocity(y) to the last of the times, in float64.

    Arguments:
        velocity: of stacked states; no row sees another.
        start: y(0).
        times: rising, above zero.
        watch: numbers whose first rise through `level` is timed, by cubic interpolation in the step.
        level: see there.
        tolerance: relative, and absolute at a thousandth of it times the smallest number of the start.

    Raises:
        SimonidesError: when times do not rise, a start is not finite, or a system cannot be followed.
    """
    asked = torch.as_tensor(list(times), dtype=torch.float64)
    told = len(asked) > 0 and bool(asked.isfinite().all()) and float(asked[0]) > 0
    if not told or bool((asked.diff() <= 0).any()) or float(asked[-1]) > _LATEST:
        raise SimonidesError(f"times must rise from above zero, be finite, and not above {_LATEST:g}.")
    if not 1e-12 <= tolerance <= 1e-2:
        raise SimonidesError(f"tolerance = {tolerance}: give a number from 1e-12 to 1e-2.")
    if not len(start) or not bool(start.isfinite().all()):
        raise SimonidesError("there is no start, or one that is not finite.")
    y = start.detach().double().clone()
    # what is small at first may grow to matter: errors are held against it, and not against one
    sizes = torch.where(y != 0, y.abs(), torch.inf).amin(1)
    floor = 1e-3 * tolerance * sizes.clamp(max=1.0)[:, None]
    runs, size = y.shape
    end = float(asked[-1])
    now = torch.zeros(runs, dtype=torch.float64)
    f = velocity(y)
    scale = floor[:, 0] + tolerance * y.abs().amax(1)
    step = (0.01 * scale**0.25 * (y.norm(dim=1) + 1e-3) / (f.norm(dim=1) + 1e-300)).clamp(1e-12, end)
    states = torch.empty(len(asked), runs, size, dtype=torch.float64)
    seen = watch(y) if watch is not None else torch.empty(runs, 0, dtype=torch.float64)
    crossings = torch.where(seen >= level, 0.0, torch.inf).double()
    made = torch.zeros(runs, dtype=torch.int64)
    active = torch.arange(runs)
    while len(active):
        h = torch.minimum(step[active], end - now[active])
        old, slope = y[active], f[active]
        new, error = _rosenbrock(velocity, _jacobian(velocity, old), old, slope, h)
        unit = floor[active] + tolerance * torch.maximum(old.abs(), new.abs())
        size_of_error = ((error / unit).square().mean(1)).sqrt()
        bad = ~(new.isfinite().all(1) & size_of_error.isfinite())
        size_of_error = torch.where(bad, 1e6, size_of_error).clamp_min(1e-10)
        fine = size_of_error <= 1
        factor = (0.9 * size_of_error**-0.25).clamp(0.1, 6.0)
        went = active[fine]
        if len(went):
            before, after = now[went].clone(), now[went] + h[fine]
            after = torch.where(end - after <= 1e-12 * end, torch.full_like(after, end), after)
            new_f = velocity(new[fine])
            inside = (asked > before[:, None]) & (asked <= after[:, None])
            for place in inside.any(0).nonzero()[:, 0].tolist():
                rows = inside[:, place].nonzero()[:, 0]
                share = (asked[place] - before[rows]) / (after - before)[rows]
                states[place, went[rows]] = _cubic(
                    old[fine][rows], slope[fine][rows], new[fine][rows], new_f[rows], (after - before)[rows], share
                )
            if watch is not None:
                value = watch(new[fine])
                for column in range(value.shape[1]):
                    rows = ((value[:, column] >= level) & crossings[went, column].isinf()).nonzero()[:, 0]
                    if len(rows):
                        low, high = torch.zeros(len(rows)).double(), torch.ones(len(rows)).double()
                        args = (old[fine][rows], slope[fine][rows], new[fine][rows], new_f[rows])
                        for _ in range(50):
                            middle = (low + high) / 2
                            above = watch(_cubic(*args, (after - before)[rows], middle))[:, column] >= level
                            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
                        crossings[went[rows], column] = before[rows] + high * (after - before)[rows]
            y[went], f[went], now[went] = new[fine], new_f, after
            made[went] += 1
        step[active] = h * factor
        if bool((step[active] < 1e-15 * now[active].clamp_min(1e-3)).any()) or int(made.max()) > _MOST:
            raise SimonidesError("the flow could not be followed; look at the target and the start.")
        active = active[now[active] < end]
    return Flowed(states=states, crossings=crossings, steps=int(made.max()))


def _jacobian(velocity: Callable[[Tensor], Tensor], y: Tensor) -> Float[Tensor, "R m m"]:
    """By central differences, all in one call: to about 1e-10 for smooth velocities of order one."""
    runs, size = y.shape
    reach = 1e-5 * torch.eye(size, dtype=y.dtype)
    moved = torch.cat([y[:, None] + reach, y[:, None] - reach], 1)
    ahead, behind = velocity(moved.flatten(0, 1)).unflatten(0, (runs, 2 * size)).split(size, 1)
    return ((ahead - behind) / 2e-5).mT


def _rosenbrock(
    velocity: Callable[[Tensor], Tensor], jacobian: Tensor, y: Tensor, f: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """One step, and its error."""
    eye = torch.eye(y.shape[1], dtype=y.dtype)
    factors, pivots = torch.linalg.lu_factor(eye / (_GAMMA * h)[:, None, None] - jacobian)
    stages: list[Tensor] = []
    at = y
    for number in range(6):
        if number:
            at = y + sum(a * stage for a, stage in zip(_A[number], stages, strict=True))
            right = velocity(at) + sum(c * stage for c, stage in zip(_C[number], stages, strict=True)) / h[:, None]
        else:
            right = f
        stages.append(torch.linalg.lu_solve(factors, pivots, right[..., None])[..., 0])
    return at + stages[-1], stages[-1]


def _cubic(y: Tensor, f: Tensor, new: Tensor, new_f: Tensor, h: Tensor, share: Tensor) -> Tensor:
    """Hermite's cubic between two points with their slopes."""
    s, h = share[:, None], h[:, None]
    return (
        (1 + 2 * s) * (1 - s) ** 2 * y
        + s * (1 - s) ** 2 * h * f
        + s**2 * (3 - 2 * s) * new
        + s**2 * (s - 1) * h * new_f
    )
