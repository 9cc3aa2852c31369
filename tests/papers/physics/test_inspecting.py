"""Summaries against brute force, and figures of fields."""

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.inspecting import fields_figure, inspect_sources
from simonides.papers.physics.simulations import Simulations


def simulations(generator, shape=(6, 4), steps=7, **more):
    fields = ("velocity_x", "velocity_y", "pressure")
    return Simulations(
        **{
            "system": "flow",
            "fields": fields,
            "values": torch.randn(3, steps, 3, *shape, generator=generator) + 2,
            "times": torch.linspace(0, 3, steps),
            "coordinates": tuple(torch.linspace(0, 1, cells) for cells in shape),
            "boundaries": (("periodic", "periodic"),) * len(shape),
            "parameters": {"viscosity": torch.tensor([0.3, 0.1, 0.2])},
            "split": "valid",
            **more,
        }
    )


def test_a_small_source_is_summed_up_whole(generator):
    source = simulations(generator)
    (summary,) = inspect_sources([source])
    assert (summary.system, summary.split, summary.place) == ("flow", "valid", "memory")
    assert (summary.trajectories, summary.steps, summary.shape) == (3, 7, (6, 4))
    assert (summary.first_time, summary.last_time) == (0, 3)
    np.testing.assert_allclose(summary.parameters["viscosity"], (0.1, 0.3), rtol=1e-6)
    assert summary.sample == "frames 0, 1, 2, 3, 4, 5, 6 of trajectories 0, 1, 2"
    assert summary.constant_frames == 0 and summary.constant_fields == summary.left_out == ()
    values = source.values.double().numpy()
    for c, name in enumerate(source.fields):
        one, found = values[:, :, c], summary.fields[name]
        expected = (one.min(), one.mean(), one.std(), one.max())
        np.testing.assert_allclose((found.least, found.mean, found.std, found.most), expected, rtol=1e-12)
        for stride in (1, 5):
            errors = [
                np.sqrt(((one[t, s + stride] - one[t, s]) ** 2).mean() / (1e-7 + (one[t, s + stride] ** 2).mean()))
                for t in range(3)
                for s in range(7 - stride)
            ]
            np.testing.assert_allclose(found.persistence[stride], np.mean(errors), rtol=1e-12)


def test_strides_longer_than_a_trajectory_are_left_out(generator):
    (one,) = inspect_sources([simulations(generator, steps=1)])
    (three,) = inspect_sources([simulations(generator, steps=3)])
    assert one.fields["pressure"].persistence == {} and set(three.fields["pressure"].persistence) == {1}


def test_frames_that_are_constant_in_every_channel_are_counted(generator):
    source = simulations(generator)
    source.values[1, 3] = torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    source.values[2, :, 0] = 1.0  # in one channel alone
    (summary,) = inspect_sources([source])
    assert summary.constant_frames == 1


def test_of_a_large_source_few_frames_are_read(generator):
    class Counting:
        """Ten thousand trajectories that are made when they are read."""

        system, fields, shape, trajectories, steps = "large", ("u",), (512, 512), 10_000, 1000
        times = torch.arange(1000.0)
        boundaries = (("open", "open"),) * 2
        split, place = "", "nowhere"
        frames = 0

        def read(self, trajectory, start, stop, stride=1):
            self.frames += len(range(start, stop, stride))
            return torch.full((stop - start, 1, 512, 512), float(trajectory))

    source = Counting()
    (summary,) = inspect_sources([source])
    assert source.frames <= 8 * 8 * 3
    assert (summary.fields["u"].least, summary.fields["u"].most) == (0, 9999)
    assert summary.constant_frames == 64


@pytest.mark.parametrize("shape", [(8,), (6, 4), (4, 6, 5)])
def test_a_figure_in_all_formats(shape, generator):
    figure = fields_figure(simulations(generator, shape), trajectory=2, frames=3)
    assert figure["png"].startswith(b"\x89PNG") and figure["pdf"].startswith(b"%PDF")
    svg = figure["svg"].decode()
    for text in ("t = 0", "t = 1.5", "t = 3", ">x<", "pressure", "flow, trajectory 2"):
        assert text in svg
    assert (">y<" in svg) == (len(shape) > 1)


def test_a_figure_of_constant_fields(generator):
    source = simulations(generator)
    source.values[:] = 1.0
    assert fields_figure(source, frames=1)["png"]


def test_frames_that_are_not_there_are_refused(generator):
    source = simulations(generator)
    with pytest.raises(SimonidesError, match="has trajectories 0 to 2; there is no 3"):
        fields_figure(source, trajectory=3)
    with pytest.raises(SimonidesError, match="frames = 0 is too small"):
        fields_figure(source, frames=0)
