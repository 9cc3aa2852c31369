"""The training loop: exact resume, early stop, divergence, stacked models, flows."""

import math

import pytest
import torch
from torch import nn

from simonides.base import SimonidesError
from simonides.training import SGD, Adam, DivergenceError, StackedModel, fit, gradient_flow, replay


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def loss(model, batch):
    inputs, targets = batch
    return nn.functional.cross_entropy(model(inputs), targets)


def batches(generator):
    inputs = torch.randn(16, 4, generator=generator)
    return inputs, inputs[:, :3].argmax(1)


def train(model, steps, optimiser=lambda p: Adam(p, 0.01), **more):
    generator = torch.Generator().manual_seed(1)
    return fit(model, loss, batches, optimiser, steps, generator, every=5, **more)


OPTIMISERS = {
    "adam": lambda p: Adam(p, 0.01),
    "momentum": lambda p: SGD(p, 0.05, momentum=0.9),
    "torch adam": lambda p: torch.optim.AdamW(p, 0.01),
}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("cut", [7, 10])
def test_resumed_training_has_the_same_bits(name, cut, tmp_path):
    whole, broken = net(), net()
    probes = {"norm": lambda m: m[0].weight.norm()}
    expected = train(whole, 20, OPTIMISERS[name], probes=probes)
    train(broken, cut, OPTIMISERS[name], probes=probes, checkpoint=tmp_path / "c.safetensors")
    fresh = net()
    found = train(fresh, 20, OPTIMISERS[name], probes=probes, checkpoint=tmp_path / "c.safetensors")
    for a, b in zip(whole.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(a, b)
    rows = dict(zip(found.steps, found.rows, strict=True))
    for step, row in zip(expected.steps, expected.rows, strict=True):
        assert all(torch.equal(rows[step][column], row[column]) for column in row)


def test_a_training_killed_between_checkpoints_goes_on_from_the_last(tmp_path):
    path = tmp_path / "c.safetensors"
    expected = train(net(), 30)

    def interrupted(model):
        if interrupted.calls == 4:
            raise KeyboardInterrupt
        interrupted.calls += 1
        return 0.0

    interrupted.calls = 0
    with pytest.raises(KeyboardInterrupt):
        train(net(), 30, checkpoint=path, checkpoint_every=4, probes={"x": interrupted})
    found = train(net(), 30, checkpoint=path, checkpoint_every=4, probes={"x": lambda m: 0.0})
    assert torch.equal(found.column("loss"), expected.column("loss"))


def test_stops_early_and_stays_stopped(tmp_path):
    path = tmp_path / "c.safetensors"
    history = train(net(), 2000, stop=lambda row: row["loss"] < 0.7, checkpoint=path)
    assert history.stopped
    assert history.steps[-1] < 2000
    assert history.column("loss")[-1] < 0.7
    assert train(net(), 2000, checkpoint=path).steps == history.steps


def test_divergence_is_told_and_keeps_what_was_seen():
    model = nn.Linear(2, 1)
    with pytest.raises(DivergenceError, match="no longer finite after") as caught:
        fit(
            model,
            lambda m, b: m(b).square().mean(),
            lambda g: torch.ones(1, 2),
            lambda p: SGD(p, 1e20),
            100,
            torch.Generator(),
            every=1,
        )
    assert caught.value.history.steps
    assert caught.value.history.finite()


def test_one_diverging_run_does_not_stop_the_others():
    stacked = StackedModel([nn.Linear(2, 1) for _ in range(2)])
    history = fit(
        stacked,
        lambda m, b: m.each(lambda model, own: model(own).square().mean(), b),
        lambda g: torch.ones(2, 1, 2),
        lambda p: SGD(p, torch.tensor([0.1, 1e20])),
        50,
        torch.Generator(),
        every=1,
    )
    assert history.finite().tolist() == [True, False]
    assert history.column("loss")[-1, 0] < 1e-6


def test_checkpoints_of_another_model_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    train(net(), 5, checkpoint=path)
    with pytest.raises(SimonidesError, match="another model"):
        fit(nn.Linear(4, 3), loss, batches, lambda p: Adam(p, 0.01), 5, torch.Generator(), checkpoint=path)
    with pytest.raises(SimonidesError, match="trained by Adam"):
        train(net(), 5, lambda p: SGD(p, 0.1), checkpoint=path)
    path.write_bytes(b"\x10" * 100)
    with pytest.raises(SimonidesError, match="cannot be read"):
        train(net(), 5, checkpoint=path)


def test_a_stacked_model_returns_what_its_models_do():
    models = [net() for _ in range(3)]
    models[1][0].weight.data.mul_(2)
    stacked = StackedModel(models)
    inputs = torch.randn(3, 5, 4)
    for run, model in enumerate(models):
        torch.testing.assert_close(stacked(inputs)[run], model(inputs[run]))
        torch.testing.assert_close(stacked.run(run)(inputs[run]), model(inputs[run]))
    with pytest.raises(SimonidesError, match="different shapes"):
        StackedModel([nn.Linear(2, 2), nn.Linear(2, 3)])


def test_frozen_parameters_stay_frozen():
    frozen = net()
    frozen[0].weight.requires_grad_(False)
    other = net()
    other[0].weight.requires_grad_(False)
    stacked = StackedModel([frozen, other])
    before = stacked.run(0)[0].weight.clone()
    fit(
        stacked,
        lambda m, b: m.each(loss, b),
        lambda g: tuple(torch.stack([part] * 2) for part in batches(g)),
        lambda p: SGD(p, 0.1),
        3,
        torch.Generator().manual_seed(0),
    )
    assert torch.equal(stacked.run(0)[0].weight, before)
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(SimonidesError, match="no parameter to train"):
        train(frozen, 1)


def test_the_bar_shows_loss_and_probes(capsys):
    train(net(), 10, probes={"norm": lambda m: m[0].weight.norm()}, progress=True)
    assert "norm" in capsys.readouterr().err


def test_flow_is_the_limit_of_small_steps():
    curvature = torch.diag(torch.tensor([1.0, 10.0], dtype=torch.float64))
    start = torch.ones(2, dtype=torch.float64)
    found = gradient_flow(lambda w: curvature @ w, start, [0.5, 1.0])
    expected = [[math.exp(-0.5), math.exp(-5)], [math.exp(-1), math.exp(-10)]]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-8)
    with pytest.raises(SimonidesError, match="must rise"):
        gradient_flow(lambda w: w, start, [1.0, 0.5])


def test_probes_thought_of_later_see_what_those_in_training_saw(tmp_path):
    probes = {"norm": lambda m: m[0].weight.norm()}
    history = train(net(), 12, probes=probes, kept=tmp_path / "kept")
    again = replay(net(), tmp_path / "kept", probes)
    assert again.steps == history.steps == [0, 5, 10, 12]
    assert torch.equal(again.column("norm"), history.column("norm"))


def test_kept_models_are_checked(tmp_path):
    with pytest.raises(SimonidesError, match="no snapshots"):
        replay(net(), tmp_path, {})
    train(net(), 1, kept=tmp_path)
    with pytest.raises(SimonidesError, match="another model"):
        replay(nn.Linear(2, 2), tmp_path, {})
    (tmp_path / "step-000001.safetensors").write_bytes(b"rubbish")
    with pytest.raises(SimonidesError, match="cannot be read"):
        replay(net(), tmp_path, {})


def test_a_probe_may_see_several_things_at_once():
    both = {"both": lambda m: {"norm": m[0].weight.norm(), "bias": m[0].bias.norm()}}
    apart = {"norm": lambda m: m[0].weight.norm(), "bias": lambda m: m[0].bias.norm()}
    found, expected = train(net(), 6, probes=both), train(net(), 6, probes=apart)
    for name in apart:
        assert torch.equal(found.column(name), expected.column(name))
