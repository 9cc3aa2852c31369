"""Planets around a star: initial conditions, an integrator of many systems at once, and their records.

Golkar et al. (2023) integrate with REBOUND's IAS15. Here each step is leapfrog extrapolated from 2, 4, ..., 2 K
substeps (Gragg, Bulirsch & Stoer): of even order in the step, so that K columns give order 2 K, and a batch costs no
more Python than one system. Units: G = 1, the star's mass 1.

Letters: `B` systems, `P` planets, `T` times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.papers.numbers.documents import like
from simonides.papers.numbers.sequences import NumberSequences

STEP_SIZES = (0.2, 0.3, 0.5, 0.8)
# columns of the extrapolation, and the longest step in units of time: a period at a = 1 is 2 pi
_COLUMNS, _STEP = 6, 0.4


@dataclass(frozen=True, kw_only=True)
class Systems:
    """Planets by their elements, and where they are at equal steps of time.

    Arguments:
        masses: in units of the star's.
        axes: semi-major, of Jacobi orbits, in order.
        eccentricities: of the same.
        step_sizes: time between two records.
        positions: x and y of each planet at each time, from the star at the start.
    """

    masses: Float[Tensor, "B P"]
    axes: Float[Tensor, "B P"]
    eccentricities: Float[Tensor, "B P"]
    step_sizes: Float[Tensor, " B"]
    positions: Float[Tensor, "B T P 2"]


def draw_systems(
    count: int,
    planets: int,
    times: int,
    generator: Generator,
    innermost: Float[Tensor, " B"] | None = None,
    step_sizes: Float[Tensor, " B"] | None = None,
) -> Systems:
    """Systems of the paper's law, integrated.

    Masses U[1, 5] 1e-5, semi-major axes equally spaced from 1 to U[1.5, 3], eccentricities U[0, 0.1], a step size of
    {0.2, 0.3, 0.5, 0.8}, and angles that are all 0 for 30 % of the systems, else U[-pi/6, pi/6].

    Arguments:
        count: B.
        planets: P, at least 2.
        times: T, the start included.
        generator: draws them.
        innermost: semi-major axes of the first planet, in place of 1.
        step_sizes: in place of the four.

    Raises:
        SimonidesError: when sizes are too small, or axes or step sizes are not above zero.
    """
    check_at_least("count", count, 1)
    check_at_least("planets", planets, 2)
    check_at_least("times", times, 1)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)

    masses = uniform(1e-5, 5e-5, count, planets)
    last = uniform(1.5, 3.0, count)
    axes = 1 + (last[:, None] - 1) * torch.linspace(0, 1, planets, dtype=torch.float64)
    eccentricities = uniform(0.0, 0.1, count, planets)
    anomalies = uniform(-torch.pi / 6, torch.pi / 6, count, planets)
    anomalies[torch.rand(count, generator=generator) < 0.3] = 0.0
    sizes = torch.tensor(STEP_SIZES, dtype=torch.float64)[torch.randint(4, (count,), generator=generator)]
    for name, given in (("innermost", innermost), ("step_sizes", step_sizes)):
        if given is not None and (given.shape != (count,) or not bool(((given > 0) & given.isfinite()).all())):
            raise SimonidesError(f"{name} of shape {list(given.shape)}: give {count} finite numbers above zero.")
    if innermost is not None:
        axes[:, 0] = innermost
    if step_sizes is not None:
        sizes = step_sizes.double()
    positions, velocities, all_masses = start_of_orbits(masses, axes, eccentricities, anomalies)
    records = integrate(positions, velocities, all_masses, sizes, times)
    return Systems(
        masses=masses,
        axes=axes,
        eccentricities=eccentricities,
        step_sizes=sizes,
        positions=records[:, :, 1:],
    )


def planet_sequences(systems: Systems, order: Int[Tensor, "B P"]) -> NumberSequences:
    """Systems as JSON of the paper's form, planets in some order: masses times 1e5, eccentricities times 20.

    Arguments:
        systems: all of as many planets and times.
        order: which planet is listed first, second, ...
    """
    times, planets = systems.positions.shape[1:3]
    document = {
        "description": {
            **{f"planet{planet}": {"m": 0, "a": 0, "e": 0} for planet in range(planets)},
            "stepsize": 0,
        },
        "data": [[[0, 0]] * planets] * times,
    }
    elements = torch.stack([systems.masses * 1e5, systems.axes, systems.eccentricities * 20], -1)
    listed = elements.gather(1, order[..., None].expand(-1, -1, 3))
    places = systems.positions.gather(2, order[:, None, :, None].expand(-1, times, -1, 2))
    return like(document, torch.cat([listed.flatten(1), systems.step_sizes[:, None], places.flatten(1)], 1))


def described(sequences: NumberSequences, numbers: Sequence[int]) -> Bool[Tensor, "n S"]:
    """Some of the numbers of each sequence, told by their places: 0, 1, 2 are m, a and e of the first planet."""
    order = sequences.is_number.cumsum(1) - 1
    wanted = torch.isin(order, torch.tensor(list(numbers)))
    return wanted & sequences.is_number


def start_of_orbits(
    masses: Float[Tensor, "B P"],
    axes: Float[Tensor, "B P"],
    eccentricities: Float[Tensor, "B P"],
    anomalies: Float[Tensor, "B P"],
) -> tuple[Float[Tensor, "B N 2"], Float[Tensor, "B N 2"], Float[Tensor, "B N"]]:
    """Positions, velocities and masses of star and planets, the star first, at rest in the origin.

    Elements are those of Jacobi orbits, each around the centre of mass of all bodies inside it, with the periapsis on
    the x axis and the true anomaly given, as REBOUND takes them.
    """
    count, planets = masses.shape
    every = torch.cat([torch.ones(count, 1, dtype=masses.dtype), masses], 1)
    positions = torch.zeros(count, planets + 1, 2, dtype=masses.dtype)
    velocities = torch.zeros_like(positions)
    for planet in range(planets):
        inside = every[:, : planet + 1]
        total = inside.sum(1, keepdim=True)
        centre, drift = (
            (inside[..., None] * own[:, : planet + 1]).sum(1) / total for own in (positions, velocities)
        )
        a, e, f = axes[:, planet], eccentricities[:, planet], anomalies[:, planet]
        radius = a * (1 - e**2) / (1 + e * f.cos())
        speed = ((total[:, 0] + masses[:, planet]) / (a * (1 - e**2))).sqrt()
        positions[:, planet + 1] = centre + torch.stack([radius * f.cos(), radius * f.sin()], -1)
        velocities[:, planet + 1] = drift + torch.stack([-speed * f.sin(), speed * (e + f.cos())], -1)
    return positions, velocities, every


def integrate(
    positions: Float[Tensor, "B N 2"],
    velocities: Float[Tensor, "B N 2"],
    masses: Float[Tensor, "B N"],
    step_sizes: Float[Tensor, " B"],
    times: int,
) -> Float[Tensor, "B T N 2"]:
    """Positions of bodies at 0, 1, ..., T - 1 steps of time.

    Raises:
        SimonidesError: when bodies come so near to each other that positions are no longer finite.
    """
    records = [positions]
    parts = int((step_sizes.max() / _STEP).ceil())
    for _ in range(times - 1):
        for _ in range(parts):
            positions, velocities = _extrapolated(
                positions, velocities, masses, (step_sizes / parts)[:, None, None]
            )
        records.append(positions)
    found = torch.stack(records, 1)
    if not bool(found.isfinite().all()):
        raise SimonidesError("two bodies came too near to each other; draw the system anew.")
    return found


def _extrapolated(
    positions: Tensor, velocities: Tensor, masses: Tensor, step: Float[Tensor, "B 1 1"]
) -> tuple[Tensor, Tensor]:
    """One step by leapfrogs of 2, 4, ... substeps, extrapolated to none (Neville, in the squared substep)."""
    start = _accelerations(positions, masses)
    rows: list[list[tuple[Tensor, Tensor]]] = []
    for column in range(1, _COLUMNS + 1):
        count = 2 * column
        h = step / count
        x, v, a = positions, velocities, start
        for _ in range(count):
            v = v + h / 2 * a
            x = x + h * v
            a = _accelerations(x, masses)
            v = v + h / 2 * a
        row = [(x, v)]
        for back in range(1, column):
            ratio = (column / (column - back)) ** 2 - 1
            row.append(
                tuple(now + (now - old) / ratio for now, old in zip(row[-1], rows[-1][back - 1], strict=True))  # type: ignore[arg-type]
            )
        rows.append(row)
    return rows[-1][-1]


def _accelerations(positions: Tensor, masses: Tensor) -> Tensor:
    apart = positions[:, None] - positions[:, :, None]
    squared = apart.square().sum(-1)
    squared.diagonal(dim1=1, dim2=2).fill_(1.0)  # a body does not pull itself: its distance is zero
    pull = masses[:, None] * squared.pow(-1.5)
    return (pull[..., None] * apart).sum(2)
