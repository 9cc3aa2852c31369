"""The training loop: exact resume, early stop, divergence, stacked models, flows."""

import math

import pytest
import torch
from torch import nn

from simonides.base import DivergenceError, SimonidesError
from simonides.training import (
    SGD,
    Adam,
    Checkpoint,
    Constant,
    Cosine,
    DivergedTraining,
    LineSearch,
    NormalisedDescent,
    Records,
    StackedModel,
    Update,
    fit,
    gradient_flow,
    replay,
    sweep,
)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def loss(model, batch):
    inputs, targets = batch
    return nn.functional.cross_entropy(model(inputs), targets)


def batches(generator):
    inputs = torch.randn(16, 4, generator=generator)
    return inputs, inputs[:, :3].argmax(1)


def train(model, steps, optimiser=lambda p: Adam(p, 0.01), checkpoint=None, update=None, **records):
    generator = torch.Generator().manual_seed(1)
    place = Checkpoint(path=checkpoint, every=4) if checkpoint else None
    return fit(
        model,
        loss,
        batches,
        optimiser,
        steps,
        generator,
        update=update,
        records=Records(**{"every": 5, **records}),
        checkpoint=place,
    )


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
    assert found.steps == expected.steps
    for name, values in expected.columns.items():
        assert torch.equal(found.column(name), values)


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
        train(net(), 30, checkpoint=path, probes={"x": interrupted})
    found = train(net(), 30, checkpoint=path, probes={"x": lambda m: 0.0})
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
    with pytest.raises(DivergedTraining, match="no longer finite after") as caught:
        fit(
            model,
            lambda m, b: m(b).square().mean(),
            lambda g: torch.ones(1, 2),
            lambda p: SGD(p, 1e20),
            100,
            torch.Generator(),
        )
    assert caught.value.history.steps == [0], "noticed when it happened, not at the next record"
    assert caught.value.history.finite()
    assert isinstance(caught.value, DivergenceError)


def test_one_diverging_run_does_not_stop_the_others():
    stacked = StackedModel([nn.Linear(2, 1) for _ in range(2)])
    history = fit(
        stacked,
        lambda m, b: m.each(lambda model, own: model(own).square().mean(), b),
        lambda g: torch.ones(2, 1, 2),
        lambda p: SGD(p, torch.tensor([0.1, 1e20])),
        50,
        torch.Generator(),
        records=Records(every=1),
    )
    assert history.finite().tolist() == [True, False]
    assert history.column("loss")[-1, 0] < 1e-6


def test_checkpoints_of_another_model_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    train(net(), 5, checkpoint=path)
    with pytest.raises(SimonidesError, match="another model"):
        fit(
            nn.Linear(4, 3),
            loss,
            batches,
            lambda p: Adam(p, 0.01),
            5,
            torch.Generator(),
            checkpoint=Checkpoint(path=path),
        )
    with pytest.raises(SimonidesError, match="trained with optimiser settings"):
        train(net(), 5, lambda p: SGD(p, 0.1), checkpoint=path)
    with pytest.raises(SimonidesError, match=r"rate.: 0\.01"):
        train(net(), 5, lambda p: Adam(p, 0.02), checkpoint=path)
    with pytest.raises(SimonidesError, match=r"trained with update .*clip=None"):
        train(net(), 5, update=Update(clip=1.0), checkpoint=path)
    path.write_bytes(b"\x10" * 100)
    with pytest.raises(SimonidesError, match="is damaged"):
        train(net(), 5, checkpoint=path)


def test_a_stacked_model_returns_what_its_models_do():
    models = [net() for _ in range(3)]
    models[1][0].weight.data.mul_(2)
    stacked = StackedModel(models)
    inputs = torch.randn(3, 5, 4)
    for run, model in enumerate(models):
        torch.testing.assert_close(stacked(inputs)[run], model(inputs[run]))
        torch.testing.assert_close(stacked.run(run)(inputs[run]), model(inputs[run]))
    with pytest.raises(SimonidesError, match="settings or shapes"):
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


def test_progress_shows_loss_and_probes_in_a_log(capsys, monkeypatch):
    monkeypatch.setattr("simonides.base.bars._PAUSE", 0.0)
    train(net(), 10, probes={"norm": lambda m: m[0].weight.norm()}, progress=True)
    assert "training: 5 of 10" in (told := capsys.readouterr().err) and "norm" in told


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
    history = train(net(), 12, probes=probes, keep=tmp_path / "kept")
    again = replay(net(), tmp_path / "kept", probes)
    assert again.steps == history.steps == [0, 5, 10, 12]
    assert torch.equal(again.column("norm"), history.column("norm"))


def test_kept_models_are_checked(tmp_path):
    with pytest.raises(SimonidesError, match="no snapshots"):
        replay(net(), tmp_path, {})
    train(net(), 1, keep=tmp_path)
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


def stack(runs=3):
    models = []
    for seed in range(runs):
        torch.manual_seed(seed)
        models.append(nn.Linear(4, 3))
    return StackedModel(models)


def draw_stacked(generators, runs):
    drawn = [batches(generator) for generator in generators]
    return tuple(torch.stack(part) for part in zip(*drawn, strict=True))


def train_stack(model, steps, checkpoint=None, **records):
    return fit(
        model,
        lambda m, b: m.each(loss, b),
        draw_stacked,
        lambda p: Adam(p, torch.tensor([0.1, 0.02, 0.005])),
        steps,
        [torch.Generator().manual_seed(seed) for seed in range(3)],
        records=Records(every=4, **records),
        checkpoint=checkpoint,
    )


def test_runs_that_are_finished_leave_and_the_others_do_not_notice():
    left = []

    def first_leaves(record, step):
        done = torch.zeros(len(record["loss"]), dtype=torch.bool)
        if step == 8:
            done[0] = True
            left.append(step)
        return done

    whole, parted = stack(), stack()
    expected = train_stack(whole, 20)
    found = train_stack(parted, 20, retire=first_leaves)
    assert left and parted.runs == 3
    for one, other in zip(whole.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(one[1:], other[1:])
        assert not torch.equal(one[0], other[0])
    torch.testing.assert_close(found.column("loss")[:, 1:], expected.column("loss")[:, 1:])
    assert (found.column("loss")[2:, 0] == found.column("loss")[2, 0]).all()


def test_a_training_that_runs_have_left_is_resumed_to_the_bit(tmp_path):
    def at_eight(record, step):
        done = torch.zeros(len(record["loss"]), dtype=torch.bool)
        done[0] = step == 8 and len(done) == 3
        return done

    whole, parted, fresh = stack(), stack(), stack()
    expected = train_stack(whole, 20, retire=at_eight)
    path = Checkpoint(path=tmp_path / "c", every=2)

    def broken(record, step):
        if step == 16:
            raise KeyboardInterrupt
        return at_eight(record, step)

    with pytest.raises(KeyboardInterrupt):
        train_stack(parted, 20, path, retire=broken)
    found = train_stack(fresh, 20, path, retire=at_eight)
    assert torch.equal(found.column("loss"), expected.column("loss"))
    for one, other in zip(whole.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(one, other)


def test_batches_are_asked_as_often_as_there_are_steps():
    asked = []

    def counted(generator):
        asked.append(1)
        return batches(generator)

    fit(net(), loss, counted, lambda p: SGD(p, 0.1), 7, torch.Generator())
    assert len(asked) == 7
    fit(net(), loss, counted, lambda p: SGD(p, 0.1), 7, torch.Generator(), Update(accumulate=3))
    assert len(asked) == 7 + 21


def test_accumulated_batches_are_one_large_batch():
    def large(generator):
        drawn = [batches(generator) for _ in range(4)]
        return tuple(torch.cat(part) for part in zip(*drawn, strict=True))

    one, other = net(), net()
    fit(one, loss, large, lambda p: SGD(p, 0.1), 5, torch.Generator().manual_seed(0))
    fit(other, loss, batches, lambda p: SGD(p, 0.1), 5, torch.Generator().manual_seed(0), Update(accumulate=4))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_clipping_is_torchs_run_by_run():
    stacked = stack()
    fit(
        stacked,
        lambda m, b: m.each(loss, b),
        draw_stacked,
        lambda p: SGD(p, 0.5),
        4,
        [torch.Generator().manual_seed(seed) for seed in range(3)],
        Update(clip=0.1),
    )
    for run in range(3):
        torch.manual_seed(run)
        alone, generator = nn.Linear(4, 3), torch.Generator().manual_seed(run)
        method = torch.optim.SGD(alone.parameters(), 0.5)
        for _ in range(4):
            method.zero_grad()
            loss(alone, batches(generator)).backward()
            nn.utils.clip_grad_norm_(alone.parameters(), 0.1)
            method.step()
        for got, expected in zip(stacked.run(run).parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)


def test_a_schedule_multiplies_the_rate_of_each_step():
    schedule, rates = Cosine(steps=10, warmup=3, floor=0.1), []
    model = net()
    method = SGD(model.parameters(), 0.2)
    fit(
        model,
        loss,
        batches,
        lambda p: method,
        10,
        torch.Generator(),
        Update(schedule=schedule),
        after_update=[lambda state: rates.append(state.optimiser.param_groups[0]["lr"])],
    )
    assert rates == pytest.approx([0.2 * schedule(step) for step in range(10)])
    assert rates[2] == pytest.approx(0.2) and Constant(warmup=2)(5) == 1.0
    with pytest.raises(SimonidesError, match="shorter warm-up"):
        Cosine(steps=3, warmup=3)


def test_a_line_search_never_rises_and_counts_its_cost():
    searches = []

    def make(parameters):
        searches.append(LineSearch(parameters, 10.0, slope=0.5))
        return searches[0]

    curvature = torch.tensor([1.0, 4.0])
    model = nn.Linear(2, 1, bias=False)
    history = fit(
        model,
        lambda m, _: (curvature * m.weight[0].square()).sum(),
        lambda _: None,
        make,
        30,
        torch.Generator(),
        records=Records(every=1),
    )
    losses = history.column("loss")
    assert (losses.diff() <= 0).all() and losses[-1] < 1e-3 * losses[0]
    assert searches[0].evaluations >= 30


def test_a_sweep_tells_when_the_best_rate_is_on_the_edge():
    def model():
        torch.manual_seed(0)
        return nn.Linear(2, 1, bias=False)

    def quadratic(m, batch):
        return (m(batch) ** 2).mean()

    def draw(generator):
        return torch.eye(2) * 2**0.5

    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    inside = sweep([model(), model()], quadratic, draw, SGD, [0.01, 0.45, 2.0], 20, generators)
    assert inside.best.tolist() == [1, 1] and not inside.on_edge.any() and inside.warning() == ""
    edge = sweep([model(), model()], quadratic, draw, SGD, [0.001, 0.01, 0.1], 20, generators)
    assert edge.on_edge.all() and "highest for 2 of 2 seeds" in edge.warning()
    with pytest.raises(SimonidesError, match="at least three"):
        sweep([model()], quadratic, draw, SGD, [0.1, 0.2], 20, generators[:1])


def test_validation_and_events():
    seen = []
    held = [batches(torch.Generator().manual_seed(9)) for _ in range(2)]
    model = net()
    history = fit(
        model,
        loss,
        batches,
        lambda p: SGD(p, 0.1),
        4,
        torch.Generator(),
        records=Records(validation=held),
        before_update=[lambda state: seen.append(state.model[0].weight.grad is not None)],
        after_update=[lambda state: seen.append(state.done)],
    )
    assert seen == [True, 1, True, 2, True, 3, True, 4]
    with torch.no_grad():
        expected = sum(float(loss(model, batch)) for batch in held) / 2
    assert float(history.column("validation_loss")[-1]) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(SimonidesError, match="no column 'los' was recorded; did you mean 'loss'"):
        history.column("los")


def test_the_forward_pass_may_be_in_a_short_type():
    kinds = []

    def seen(model, batch):
        kinds.append(model(batch[0]).dtype)
        return loss(model, batch)

    fit(net(), seen, batches, lambda p: SGD(p, 0.1), 1, torch.Generator(), Update(autocast=torch.bfloat16))
    assert kinds[0] == torch.bfloat16
    with pytest.raises(SimonidesError, match=r"give torch\.bfloat16"):
        Update(autocast=torch.float16)


def test_a_training_that_all_runs_have_left_stays_ended(tmp_path):
    def all_at_eight(record, step):
        return torch.full((len(record["loss"]),), step == 8)

    path = Checkpoint(path=tmp_path / "c", every=2)
    parted, fresh, updates = stack(), stack(), []
    found = train_stack(parted, 20, path, retire=all_at_eight)
    again = fit(
        fresh,
        lambda m, b: m.each(loss, b),
        draw_stacked,
        lambda p: Adam(p, torch.tensor([0.1, 0.02, 0.005])),
        20,
        [torch.Generator().manual_seed(seed) for seed in range(3)],
        records=Records(every=4, retire=all_at_eight),
        checkpoint=path,
        after_update=[lambda state: updates.append(state.done)],
    )
    assert found.steps == again.steps == [0, 4, 8] and updates == []
    for one, other in zip(parted.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_finished_training_that_runs_have_left_may_be_asked_again(tmp_path):
    def one_at_four(record, step):
        done = torch.zeros(len(record["loss"]), dtype=torch.bool)
        done[0] = step == 4 and len(done) == 3
        return done

    path = Checkpoint(path=tmp_path / "c")
    parted, fresh, whole = stack(), stack(), stack()
    train_stack(parted, 8, path, retire=one_at_four)
    found = train_stack(fresh, 12, path, retire=one_at_four)
    expected = train_stack(whole, 12, retire=one_at_four)
    assert torch.equal(found.column("loss"), expected.column("loss"))
    for one, other in zip(whole.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_kill_before_the_last_record_costs_no_record(tmp_path):
    path = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        train(net(), 8, checkpoint=path, probes={"odd": _interrupting(2)}, every=0)
    assert train(net(), 8, checkpoint=path, probes={"odd": lambda m: 0.0}, every=0).steps == [0, 8]


def _interrupting(call):
    calls = []

    def probe(model):
        calls.append(0)
        if len(calls) == call:
            raise KeyboardInterrupt
        return 0.0

    return probe


def test_a_training_that_has_diverged_leaves_its_checkpoint(tmp_path):
    def broken(state):
        if state.done == 8:
            with torch.no_grad():
                state.model[0].weight.fill_(torch.nan)

    path = Checkpoint(path=tmp_path / "c", every=4)
    with pytest.raises(DivergedTraining):
        fit(net(), loss, batches, lambda p: SGD(p, 0.1), 8, torch.Generator(), None, None, path, (), [broken])
    found = fit(net(), loss, batches, lambda p: SGD(p, 0.1), 8, torch.Generator(), None, None, path)
    assert torch.isfinite(found.column("loss")).all()


def test_probes_and_validation_leave_each_module_in_its_mode():
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    model[1].eval()
    modes = []

    def seen(m, batch):
        modes.append(m.training)
        return loss(m, batch)

    held = [batches(torch.Generator().manual_seed(9))]
    records = Records(every=1, probes={"mode": lambda m: float(m.training)}, validation=held)
    history = fit(model, seen, batches, lambda p: SGD(p, 0.1), 1, torch.Generator(), records=records)
    assert history.column("mode").tolist() == [0.0, 0.0] and modes == [True, False, True, False]
    assert model.training and not model[1].training


def test_norms_are_those_of_each_run_of_a_stack():
    def lone(seed):
        torch.manual_seed(seed)
        return nn.Linear(4, 3)

    stacked = stack()
    fit(
        stacked,
        lambda m, b: m.each(loss, b),
        draw_stacked,
        lambda p: NormalisedDescent(p, 0.1),
        5,
        [torch.Generator().manual_seed(seed) for seed in range(3)],
    )
    for seed in range(3):
        model = lone(seed)
        fit(model, loss, batches, lambda p: NormalisedDescent(p, 0.1), 5, torch.Generator().manual_seed(seed))
        torch.testing.assert_close(stacked.run(seed).weight, model.weight)


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(SimonidesError, match="accumulate = 2"):
        train(net(), 2, LineSearch, update=Update(accumulate=2))
    with pytest.raises(SimonidesError, match="classes, settings"):
        StackedModel([nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2), nn.Tanh())])


def test_settings_in_words_hold_no_addresses():
    def halves(step):
        return 0.5

    assert "0x" not in Update(schedule=halves).told()


def test_a_probe_of_the_whole_stack_may_be_one_number():
    def at_four(record, step):
        return torch.arange(len(record["loss"])) == (0 if step == 4 else 9)

    history = train_stack(stack(), 8, retire=at_four, probes={"runs": lambda m: float(m.runs)})
    assert history.column("runs").tolist() == [3.0, 3.0, 2.0]


def test_a_checkpoint_is_a_file_that_has_not_gone_further(tmp_path):
    path = str(tmp_path / "c")
    train(net(), 8, checkpoint=path)
    with pytest.raises(SimonidesError, match="has done 8 steps already, 4 are asked for"):
        train(net(), 4, checkpoint=path)
    with pytest.raises(SimonidesError, match="is a folder"):
        Checkpoint(path=tmp_path)
    with pytest.raises(SimonidesError, match="'odd' gave a str"):
        train(net(), 2, probes={"odd": lambda m: "s"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": lambda m, b: nn.functional.cross_entropy(m(b[0]), b[1], reduction="none")}, r"has shape \[16\]"),
        ({"loss": lambda m, b: loss(m, b)[None]}, r"has shape \[1\]"),
        ({"loss": lambda m, b: 1.0}, "the loss is float"),
        ({"loss": lambda m, b: None}, "the loss is NoneType"),
        ({"loss": lambda m, b: loss(m, b).detach()}, "does not hang on the model"),
        ({"generator": []}, "0 generators for 1 runs"),
        ({"generator": 3}, "generator came as int"),
        ({"generator": [3]}, "generator came as list"),
        ({"optimiser": None}, "optimiser came as NoneType"),
        ({"optimiser": Adam(net().parameters(), 0.1)}, "optimiser came as Chain"),
        ({"optimiser": lambda p: Adam(net().parameters(), 0.1)}, "holds parameters that the model does not train"),
        ({"optimiser": lambda p: None}, "makes NoneType"),
    ],
)
def test_what_would_train_otherwise_than_meant_is_refused(change, message, unchecked):
    given = {
        "loss": loss,
        "optimiser": lambda p: Adam(p, 0.01),
        "generator": torch.Generator().manual_seed(0),
        **change,
    }
    with pytest.raises(SimonidesError, match=message):
        fit(net(), given["loss"], batches, given["optimiser"], 2, given["generator"])


def test_a_stack_takes_one_loss_or_one_for_each_run():
    stacked = StackedModel([net(), net()])
    pair = lambda g: tuple(t.expand(2, *t.shape) for t in batches(g))  # noqa: E731
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(SimonidesError, match=r"shape \[3\]; return one for each of 2 runs"):
        fit(stacked, lambda m, b: m(b[0]).mean((0, 1)), pair, lambda p: Adam(p, 0.01), 1, generator)


def test_a_loss_that_begins_as_no_number_is_not_blamed_on_the_rate():
    with pytest.raises(DivergedTraining, match="after 0 steps; look at the first batch"):
        fit(net(), lambda m, b: m(b[0]).mean() * torch.nan, batches, lambda p: Adam(p, 0.01), 2, torch.Generator())


def test_models_of_one_class_with_other_numbers_are_not_stacked():
    class Scaled(nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.linear, self.scale = nn.Linear(4, 1), scale

        def forward(self, x):
            return self.linear(x * self.scale)

    StackedModel([Scaled(2.0), Scaled(2.0)])
    for other in (5.0, torch.ones(4)):
        with pytest.raises(SimonidesError, match="cannot be stacked"):
            StackedModel([Scaled(2.0), Scaled(other)])


def test_events_may_come_from_an_iterator_and_are_called_at_every_step():
    seen = []
    fit(
        net(),
        loss,
        batches,
        lambda p: Adam(p, 0.01),
        5,
        torch.Generator().manual_seed(0),
        after_update=(event for event in [lambda state: seen.append(state.done)]),
    )
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"after_update": print}, "after_update came as builtin_function"),
        ({"optimiser": lambda p: torch.optim.Adafactor(p, 0.1)}, "Adafactor is not supported"),
        ({"optimiser": lambda p: torch.optim.LBFGS(p)}, "LBFGS is not supported"),
        ({"records": Records(retire=lambda seen, step: torch.ones(1, dtype=torch.bool))}, "this model is none"),
    ],
)
def test_what_would_be_ignored_or_mixed_is_refused(change, message, unchecked):
    given = {"optimiser": lambda p: Adam(p, 0.01), **change}
    with pytest.raises(SimonidesError, match=message):
        fit(net(), loss, batches, steps=2, generator=torch.Generator(), **given)


def test_settings_are_told_alike_in_every_process_and_differ_with_what_they_do():
    from functools import partial

    def scaled(factor, step):
        return factor

    told = [
        Update(schedule=s).told()
        for s in (lambda s: 0.5, lambda s: 50.0, partial(scaled, 0.5), partial(scaled, 1.0))
    ]
    assert len(set(told)) == 4 and not any(" at 0x" in one for one in told)
    assert Update(schedule=partial(scaled, 0.5)).told() == told[2]
    with pytest.raises(SimonidesError, match="autocast = torch"):
        Update(autocast=torch.int64)
    with pytest.raises(SimonidesError, match="a probe is called 'loss'"):
        Records(probes={"loss": lambda m: 0.0})


def test_a_norm_over_all_parameters_is_over_all_groups_or_refused(unchecked):
    groups = [{"params": [torch.ones(1, requires_grad=True)]}, {"params": [torch.ones(1, requires_grad=True)]}]
    with pytest.raises(SimonidesError, match="give one group"):
        NormalisedDescent(groups, 1.0)
