"""Rollouts step by step by hand, and the baselines."""

import math

import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.avit_config import AViTConfig
from simonides.papers.physics.baselines import fit_linear, train_baseline
from simonides.papers.physics.metrics import vrmse
from simonides.papers.physics.pretraining import PhysicsTraining
from simonides.papers.physics.rollout import roll_out
from simonides.papers.physics.scoring import score
from simonides.papers.physics.windows import pools
from systems_at_hand import travelling


def test_predictions_are_fed_back():
    source = travelling("a", steps=9)
    config = AViTConfig(fields=("a:u",), d=16, heads=2, blocks=1, patch=4, predict="state", layer_scale=0.1)
    model = AViT(config, torch.Generator().manual_seed(0))
    (pool,) = pools([source], "valid", 3, stride=2, ahead=2)
    found = roll_out(model, pool, 2)
    batch = pool.batch([0, len(pool) - 1])
    with torch.no_grad():
        first = model(batch.seen, batch.fields, batch.boundaries)
        second = model(torch.cat([batch.seen[:, 1:], first[:, None]], 1), batch.fields, batch.boundaries)
    torch.testing.assert_close(found.predicted, torch.stack([first, second], 1))
    torch.testing.assert_close(found.errors[:, 1], vrmse(second, batch.following[:, 1], 2))
    last, before = batch.seen[:, -1], batch.seen[:, -2]
    torch.testing.assert_close(found.persistence[:, 1], vrmse(last, batch.following[:, 1], 2))
    torch.testing.assert_close(found.extrapolation[:, 1], vrmse(3 * last - 2 * before, batch.following[:, 1], 2))
    assert found.times.tolist() == [2.0, 4.0]


def test_when_a_rollout_leaves_the_truth():
    (pool,) = pools([travelling("a", steps=9)], "valid", 2, ahead=4)
    exact = iter(range(4))

    def leaves_at_the_third(windows):
        step = next(exact)
        right = windows.seen[:, -1].roll(1, -1)
        return right if step < 2 else right + 100

    found = roll_out(leaves_at_the_third, pool, 1)
    assert found.blow_up_times().tolist() == [3.0]
    kept = roll_out(lambda windows: windows.seen[:, -1].roll(1, -1), pool, 3)
    assert kept.blow_up_times().tolist() == [math.inf] * 3
    assert float(kept.errors.max()) < 1e-5


def test_a_rollout_that_is_not_finite_is_told():
    (pool,) = pools([travelling("a", steps=9)], "valid", 2, ahead=3)
    found = roll_out(lambda windows: windows.seen[:, -1] * torch.nan, pool, 1)
    assert found.blow_up_times().tolist() == [1.0]


def test_a_local_linear_map_finds_a_local_linear_law():
    source = travelling("a", trajectories=30)
    (train,) = pools([source], "train", 2)
    found = fit_linear(train, torch.Generator().manual_seed(0))
    scores = score(found, pools([source], "valid", 2))["a"]
    assert scores.nrmse < 1e-3 * scores.persistence


@pytest.mark.parametrize("kind", ["unet", "fno"])
def test_baselines_learn(kind):
    source = travelling("a", trajectories=30)
    training = PhysicsTraining(steps=150, batch=8, accumulate=1, frames=2, stride=1, rate=5e-3)
    baseline = train_baseline(kind, source, training, torch.Generator().manual_seed(0), width=8)
    with torch.no_grad():
        scores = score(baseline, pools([source], "valid", 2))["a"]
    assert scores.nrmse < 0.6 * scores.persistence


def test_what_baselines_refuse():
    training = PhysicsTraining(steps=1, frames=2, stride=1)
    with pytest.raises(SimonidesError, match="network 'cnn'"):
        train_baseline("cnn", travelling("a"), training, torch.Generator())
    with pytest.raises(SimonidesError, match="multiples of 4"):
        train_baseline("unet", travelling("a", cells=6), training, torch.Generator())
    with pytest.raises(SimonidesError, match="width = 6"):
        train_baseline("unet", travelling("a"), training, torch.Generator(), width=6)
    with pytest.raises(SimonidesError, match="gives frames of shape"):
        roll_out(lambda windows: windows.seen[:, -1, :, :4], pools([travelling("a")], "valid", 2)[0])
