"""Every system through the same suite: draws, shapes, refusals, and what each promises of its data."""

from functools import cache

import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics import systems
from simonides.papers.physics.simulating import SYSTEMS, simulate
from simonides.papers.physics.simulations import Source

NAMES = sorted(SYSTEMS)


@cache
def small(system, trajectories=3, seed=0, **more):
    return simulate(system, trajectories, torch.Generator().manual_seed(seed), cells=16, frames=3, **more)


@pytest.mark.parametrize("system", NAMES)
def test_a_trajectory_is_the_same_in_every_company(system):
    alone, together = small(system, 2, batch=1), small(system)
    torch.testing.assert_close(together.values[:2], alone.values, rtol=1e-5, atol=1e-5)
    assert torch.equal(together.values[:2, 0], alone.values[:, 0])
    for name, values in alone.parameters.items():
        assert torch.equal(together.parameters[name][:2], values)
    assert not torch.equal(alone.values[0], alone.values[1])
    assert not torch.equal(small(system, 1, seed=1).values, alone.values[:1])


@pytest.mark.parametrize("system", NAMES)
def test_shapes_and_names_are_those_promised(system):
    known = SYSTEMS[system]
    found = small(system)
    assert isinstance(found, Source)
    assert found.values.shape == (3, 3, len(known.fields), *[16] * known.dimensions)
    assert found.values.dtype == torch.float32 and bool(found.values.isfinite().all())
    assert found.system == known.name == system and known.description.endswith(".")
    assert found.boundaries == ((known.boundary,) * 2,) * known.dimensions
    assert found.times.tolist() == [0.0, known.duration / 2, known.duration]
    width = (known.high - known.low) / 16
    for axis in found.coordinates:
        assert float(axis[0]) == pytest.approx(known.low + width / 2)
        assert float(axis[-1]) == pytest.approx(known.high - width / 2)
    assert float((found.values[:, -1] - found.values[:, 0]).abs().mean()) > 1e-3


@pytest.mark.parametrize("system", NAMES)
def test_fewer_frames_are_of_the_same_solution(system):
    few = simulate(system, 1, torch.Generator().manual_seed(0), cells=16, frames=6)
    many = simulate(system, 1, torch.Generator().manual_seed(0), cells=16, frames=11)
    assert torch.equal(few.values[:, 0], many.values[:, 0])
    difference = (few.values - many.values[:, ::2]).norm() / few.values.norm()
    assert float(difference) < 0.02


def test_refusals():
    generator = torch.Generator()
    for words, message in (
        ({"system": "shalow-water"}, "did you mean 'shallow-water'"),
        ({"system": "compressible", "mack": 1.0}, "did you mean 'mach'"),
        ({"system": "compressible", "initial": "randm"}, "did you mean 'random'"),
        ({"system": "compressible", "mach": 0.0}, "mach = 0 makes no sense"),
        ({"system": "compressible", "mach": "fast"}, "mach = 'fast' is no number"),
        ({"system": "compressible", "viscosity": float("nan")}, "viscosity = nan makes no sense"),
        ({"system": "shallow-water", "most_radius": 3.0}, "give 0 < least <= most < 2.5"),
        ({"system": "diffusion", "least_diffusivity": 1.0}, "give 0 < least <= most"),
        ({"system": "diffusion", "trajectories": 0}, "trajectories = 0 is too small"),
        ({"system": "diffusion", "cells": 8}, "cells = 8 is too small"),
        ({"system": "diffusion", "cells": 0}, "cells = 0 is too small"),
        ({"system": "diffusion", "frames": 1}, "frames = 1 is too small"),
        ({"system": "diffusion", "batch": 0}, "batch = 0 is too small"),
        ({"system": "diffusion", "device": "gpu"}, "device 'gpu' is not known"),
        ({"system": "compressible", "trajectories": 10**6, "cells": 512}, "GB"),
    ):
        with pytest.raises(SimonidesError, match=message):
            simulate(**{"trajectories": 1, "generator": generator, **words})


def test_what_blows_up_is_named(monkeypatch):
    whole, batches = SYSTEMS["compressible"], []

    def solve(initial, numbers, times):
        batches.append(initial)
        for step, state in enumerate(whole.solve(initial, numbers, times)):
            if step == 1 and len(batches) == 2:
                state[1, 3, 0, 0] = -0.5
            yield state

    fields = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    monkeypatch.setitem(SYSTEMS, "compressible", systems.System(**{**fields, "solve": solve}))
    told = r"pressure of trajectory 3 falls to -0.5 at time 0.5 \(mach = 1, viscosity = 0\)"
    with pytest.raises(SimonidesError, match=told):
        small("compressible", 4, batch=2)


def test_a_flow_too_fast_for_its_grid_is_refused_and_ends():
    with pytest.raises(SimonidesError, match=r"trajectory 0 is no longer finite .* force = 1e\+30"):
        small("incompressible", 1, force=1e30)


def test_gas_of_both_kinds():
    rough = small("compressible", 2, mach=0.5, viscosity=0.01, initial="turbulence")
    first = rough.values[:, 0]
    assert bool((first[:, 2] == 1).all())
    torch.testing.assert_close(first[:, 3], torch.full_like(first[:, 3], 0.6 / 0.25))
    speed = first[:, :2].square().sum(1).mean((1, 2)).sqrt()
    torch.testing.assert_close(speed, torch.ones(2))
    assert rough.parameters["mach"].tolist() == [0.5, 0.5] and rough.place.endswith("initial=turbulence")
    # mass and, in single precision, energy stay
    density = rough.values[:, :, 2].mean((2, 3))
    torch.testing.assert_close(density, density[:, :1].expand_as(density), rtol=1e-5, atol=0)
    assert bool((small("compressible", 2).values[:, 0, 2:] > 0).all())


def test_water_keeps_its_mass_until_waves_reach_the_faces():
    found = simulate("shallow-water", 3, torch.Generator().manual_seed(0), cells=64, frames=11)
    mass = found.values.mean((2, 3, 4))
    torch.testing.assert_close(mass, mass[:, :1].expand_as(mass), rtol=2e-6, atol=0)
    torch.testing.assert_close(found.values.mT, found.values)
    torch.testing.assert_close(found.values.flip(3), found.values)
    area = (mass[:, 0] - 1) * 25
    torch.testing.assert_close(area, torch.pi * found.parameters["radius"] ** 2, rtol=0.1, atol=0)
    assert bool((found.parameters["radius"] >= 0.3).all() and (found.parameters["radius"] <= 0.7).all())


def test_progress_is_shown_where_asked(capsys, monkeypatch):
    monkeypatch.setattr("simonides.base.bars._PAUSE", 0.0)
    small("diffusion", progress=True)
    assert "simulating diffusion" in capsys.readouterr().err
    small("diffusion", progress=False)
    assert capsys.readouterr().err == ""
