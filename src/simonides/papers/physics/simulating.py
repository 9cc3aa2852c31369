"""Trajectories of any system that simonides solves itself, from a generator."""

from collections.abc import Mapping
from numbers import Real

import torch
from torch import Generator, Tensor

from simonides.base import (
    SimonidesError,
    check_at_least,
    check_memory,
    check_name,
    check_not_negative,
    chosen_device,
)
from simonides.base import progress as progress_display
from simonides.papers.physics.simulations import Simulations, spaced
from simonides.papers.physics.systems import SYSTEMS, System

__all__ = ["LEAST_CELLS", "SYSTEMS", "simulate"]

# the draws of random fields need as many to be resolved
LEAST_CELLS = 16
# tensors of the size of a batch's fields that a solver holds at a time, at most
_WORK = 40
_POSITIVE = ("height", "density", "pressure")


def simulate(
    system: str,
    trajectories: int,
    generator: Generator,
    cells: int | None = None,
    frames: int | None = None,
    device: torch.device | str = "cpu",
    batch: int = 16,
    progress: bool = False,
    **parameters: float | str,
) -> Simulations:
    """Trajectories of one system from random initial data.

    A trajectory is drawn after those before it, whatever `batch` is and however many follow, and solved in single
    precision (a line in double).

    Arguments:
        system: one of `SYSTEMS`.
        trajectories: how many.
        generator: of the CPU, draws the initial data.
        cells: along each axis, at least 16; the system's own number if not given.
        frames: equally spaced over the system's duration, the first at 0; the system's own number if not given.
        device: that solves; the result is on the CPU.
        batch: trajectories solved together.
        progress: whether to show how far it has come.
        parameters: of the system, as `SYSTEMS[system].parameters` lists them.

    Raises:
        SimonidesError: when a system or parameter is unknown or out of bounds, the result does not fit into memory, or
            a solution blows up.

    >>> waves = simulate("advection", 3, torch.Generator().manual_seed(0), frames=5)
    >>> waves.values.shape, waves.times.tolist(), sorted(waves.parameters)
    (torch.Size([3, 5, 1, 128]), [0.0, 0.25, 0.5, 0.75, 1.0], ['diffusivity', 'speed'])
    """
    check_name("system", system, SYSTEMS)
    chosen = SYSTEMS[system]
    cells = chosen.cells if cells is None else cells
    frames = chosen.frames if frames is None else frames
    check_at_least("trajectories", trajectories, 1)
    check_at_least("cells", cells, LEAST_CELLS)
    check_at_least("frames", frames, 2)
    check_at_least("batch", batch, 1)
    if generator.device.type != "cpu":
        raise SimonidesError(f"the generator is on {generator.device}; give one of the CPU.")
    settings = _settings(chosen, parameters)
    place = chosen_device(device)
    frame = len(chosen.fields) * cells**chosen.dimensions * 4
    check_memory(
        f"{trajectories} trajectories of {frames} frames of {cells}^{chosen.dimensions} cells need",
        frame * (trajectories * frames + min(batch, trajectories) * _WORK),
        "give fewer trajectories, frames or cells",
    )
    times = torch.linspace(0.0, chosen.duration, frames, dtype=torch.float64)
    values = torch.empty(trajectories, frames, len(chosen.fields), *[cells] * chosen.dimensions)
    numbers: dict[str, list[float]] = {}
    with progress_display(progress) as start:
        advance = start(f"simulating {system}", trajectories * (frames - 1))
        for first in range(0, trajectories, batch):
            drawn = [
                chosen.draw(cells, generator, settings) for _ in range(first, min(first + batch, trajectories))
            ]
            for _, own in drawn:
                for name, number in own.items():
                    numbers.setdefault(name, []).append(number)
            initial = {name: torch.stack([one[name] for one, _ in drawn]).to(place) for name in drawn[0][0]}
            batch_numbers = {
                name: torch.tensor(all_numbers[first:], dtype=torch.float64, device=place)
                for name, all_numbers in numbers.items()
            }
            for step, state in enumerate(chosen.solve(initial, batch_numbers, times)):
                _check(chosen, state, first, float(times[step]), numbers)
                values[first : first + batch, step] = state.to("cpu", torch.float32)
                advance(f"time {float(times[step]):.3g}", parts=len(drawn) if step else 0)
    return Simulations(
        system=system,
        fields=chosen.fields,
        values=values,
        times=times.float(),
        coordinates=(spaced(chosen.low, chosen.high, cells),) * chosen.dimensions,
        boundaries=((chosen.boundary, chosen.boundary),) * chosen.dimensions,
        parameters={name: torch.tensor(all_numbers) for name, all_numbers in numbers.items()},
        place=" ".join([f"simulated {system}", *(f"{name}={value}" for name, value in settings.items())]),
    )


def _settings(system: System, given: Mapping[str, float | str]) -> dict[str, float | str]:
    for name, value in given.items():
        check_name(f"parameter of {system.name}", name, system.parameters)
        known = system.parameters[name]
        if known.choices:
            check_name(name, str(value), known.choices)
            continue
        if isinstance(value, bool) or not isinstance(value, Real):
            raise SimonidesError(
                f"{name} = {value!r} is no number; give {known.meaning}, such as {known.default}."
            )
        check_not_negative(name, float(value))
        if known.positive and value == 0:
            raise SimonidesError(f"{name} = 0 makes no sense; give a number larger than 0.")
    return {name: given.get(name, known.default) for name, known in system.parameters.items()}


def _check(system: System, state: Tensor, first: int, time: float, numbers: Mapping[str, list[float]]) -> None:
    for channel, name in enumerate(system.fields):
        values = state[:, channel].flatten(1)
        least, sound = values.amin(1), values.isfinite().all(1)
        wrong = ~(sound & (least > 0)) if name in _POSITIVE else ~sound
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            told = ", ".join(f"{one} = {own[first + row]:g}" for one, own in numbers.items())
            what = f"falls to {float(least[row]):.3g}" if bool(sound[row]) else "is no longer finite"
            raise SimonidesError(
                f"{system.name}: {name} of trajectory {first + row} {what} at time {time:.3g}"
                f"{f' ({told})' if told else ''}; milder parameters or more cells may help."
            )
