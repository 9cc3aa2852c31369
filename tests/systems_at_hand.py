"""Small simulations without a solver, for tests."""

import torch

from simonides.papers.physics.simulations import Simulations, spaced

PERIODIC = ("periodic", "periodic")


def travelling(system="waves", trajectories=12, steps=8, cells=8, fields=("u",), split="", seed=0, speed=1):
    """Smooth random fields that move by whole cells."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(trajectories, len(fields), cells, cells, generator=generator)
    smooth = sum(coarse.roll((i, j), (-2, -1)) for i in range(3) for j in range(3)) / 9
    values = torch.stack([smooth.roll(speed * step, -1) for step in range(steps)], 1)
    axis = spaced(0.0, 1.0, cells)
    return Simulations(
        system=system,
        fields=fields,
        values=values,
        times=torch.arange(float(steps)),
        coordinates=(axis, axis),
        boundaries=(PERIODIC, PERIODIC),
        split=split,
        place=f"{system} {split}",
    )
