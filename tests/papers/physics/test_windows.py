"""Windows: the right frames of the right trajectories, drawn as they should be."""

import collections
import dataclasses

import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.windows import Mixture, flat_frames, pools, vocabulary
from systems_at_hand import travelling


def test_windows_are_the_frames_they_say():
    source = travelling(trajectories=10, steps=9)
    (pool,) = pools([source], "train", 2, stride=2, ahead=2)
    assert len(pool) == 8 * (9 - 3 * 2)
    for number in range(len(pool)):
        trajectory, start = divmod(number, pool.starts)
        batch = pool.batch([number])
        frames = [start, start + 2, start + 4, start + 6]
        assert torch.equal(batch.seen[0], source.values[trajectory, frames[:2]])
        assert torch.equal(batch.following[0], source.values[trajectory, frames[2:]])
        assert batch.fields == ("waves:u",)


def test_no_trajectory_is_in_two_splits():
    source = travelling(trajectories=23)
    numbers = [n for split in ("train", "valid", "test") for n in pools([source], split, 2)[0].trajectories]
    assert sorted(numbers) == list(range(23))


def test_short_trajectories_give_shorter_windows_and_too_short_ones_are_refused():
    source = travelling(steps=4)
    assert pools([source], "train", 16)[0].frames == 3
    with pytest.raises(SimonidesError, match="give a smaller stride"):
        pools([source], "train", 2, stride=4)


def test_constant_frames_are_passed_over_and_counted():
    source = travelling(trajectories=10, steps=4)
    source.values[:4, 1] = 2.5
    assert flat_frames(source.values[0]).tolist() == [False, True, False, False]
    skipped = [0]
    (pool,) = pools([source], "train", 2)
    batch = pool.drawn(200, torch.Generator().manual_seed(0), skipped)
    assert skipped[0] > 50
    assert not any(flat_frames(window).any() for window in torch.cat([batch.seen, batch.following], 1))
    source.values[:] = 1.0
    with pytest.raises(SimonidesError, match="constant in every field"):
        pool.drawn(1, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("sampling", "share"), [("systems", 1 / 2), ("sources", 3 / 4)])
def test_batches_are_drawn_by_system_or_by_source(sampling, share):
    sources = [travelling("a", seed=place) for place in range(3)] + [travelling("b")]
    mixture = Mixture(pools=pools(sources, "train", 2), batch=1, sampling=sampling, skipped=[0])
    generator = torch.Generator().manual_seed(0)
    counts = collections.Counter(mixture(generator).fields for _ in range(1000))
    assert counts["a:u",] / 1000 == pytest.approx(share, abs=0.05)


def test_the_vocabulary_holds_each_field_once():
    sources = [travelling("a"), travelling("b", fields=("u", "v")), travelling("a")]
    assert vocabulary(sources) == ("a:u", "b:u", "b:v")


def test_a_split_that_is_told_is_kept():
    train = travelling(split="train")
    held_out = dataclasses.replace(travelling(trajectories=3), split="valid")
    assert [len(pool.trajectories) for pool in pools([train, held_out], "train", 2)] == [12]
    assert [len(pool.trajectories) for pool in pools([train, held_out], "valid", 2)] == [3]
    with pytest.raises(SimonidesError, match="no trajectory is in the split 'test'; there are train 12, valid 3"):
        pools([train, held_out], "test", 2)
