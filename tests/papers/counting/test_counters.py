from dataclasses import replace

import pytest
import torch

from simonides.base import SimonidesError
from simonides.nn import Trace, Transformer, TransformerConfig
from simonides.papers.counting.bias_report import bias_report, usual_shifts
from simonides.papers.counting.constructed import BIASES, constructed_counter
from simonides.papers.counting.model import counter_config, make_counter
from simonides.papers.counting.strings import ContextualCounting
from simonides.papers.counting.training import CounterTraining, answers_of, train_counters


def right(model, task, count=100):
    strings = task.sample(count, torch.Generator().manual_seed(3))
    return float((answers_of(model, strings) == task.labels(strings)[0]).double().mean())


@pytest.mark.parametrize(("length", "regions"), [(12, 1), (64, 4), (512, 4), (200, 30), (600, 60)])
def test_counting_against_the_beginning_is_exact(length, regions):
    task = ContextualCounting(length=length, regions=regions)
    assert right(constructed_counter(task), task) == 1.0


@pytest.mark.parametrize("bias", ["beginning", "[", "]"])
def test_what_is_constructed_generalises_as_its_bias_says(bias):
    task = ContextualCounting(length=128, regions=4)
    model = constructed_counter(task, bias)
    assert right(model, task) == 1.0
    assert right(model, task.shifted(length=70)) == 1.0
    assert (right(model, task.shifted(regions=3)) == 1.0) is (bias == "beginning")


def test_how_many_ones_are_counted_without_error():
    for n in (0, 1, 2, 100, 250, 500):
        task = ContextualCounting(length=502, regions=1, ones=1.0, fixed_region=n, classes=600)
        assert right(constructed_counter(task), task, 1) == 1.0


@pytest.mark.parametrize("bias", BIASES)
def test_the_report_names_what_a_counter_compares_with(bias):
    task = ContextualCounting(length=64, regions=4)
    report = bias_report(constructed_counter(task, bias), task, strings=100)
    for reader in report.readers:
        assert reader.bias == {"0": "zeros"}.get(bias, bias)
        # of behaviour alone; the last region sees no shift in the number of regions
        if reader.region < 4:
            expected = {"beginning": "nothing that changes", "0": "number of zeros"}.get(bias, "number of regions")
            assert reader.leans_on == expected
            assert reader.unexplained < 0.1
        for shift in reader.shifts.values():
            assert shift.slope == pytest.approx(shift.slope_by_attention, rel=0.12)
            assert shift.slope_by_tokens == pytest.approx(shift.slope_by_attention, rel=0.05)
        assert reader.doubled == pytest.approx(0.5, abs=0.08)
        assert reader.halved == pytest.approx(2.0, rel=0.12)
        assert reader.classes["ones inside"].accuracy_without <= report.constant + 0.1


def test_brackets_as_bias_give_four_thirds_on_three_of_four_regions():
    task = ContextualCounting(length=256, regions=4)
    shift = bias_report(constructed_counter(task, "]"), task, strings=100).readers[0].shifts["one region fewer"]
    assert shift.slope_by_attention == pytest.approx(4 / 3, rel=1e-6)
    assert shift.slope == pytest.approx(4 / 3, rel=0.01)
    assert shift.bias_tokens == 0.75


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    "parts",
    [
        {"norm": "pre", "activation": "gelu"},
        {"norm": "none", "heads": 2, "d": 66},
        {"norm": "pre", "norm_kind": "rms", "residual": False, "hidden_bias": True},
        {"norm": "pre", "feed_forward": "gated"},
        {"norm": "pre", "feed_forward": "none"},
        {"norm": "pre", "parallel": True},
        {"merged_queries": True},
    ],
)
def test_a_layer_from_running_counts_is_the_layer(causal, parts):
    config = TransformerConfig(
        **{"vocabulary": 5, "length": 70, "d": 64, "layers": 1, "positions": "none", "causal": causal, **parts}
    )
    model = Transformer(config, torch.Generator().manual_seed(0)).double()
    tokens = torch.randint(0, 5, (3, 70), generator=torch.Generator().manual_seed(1))
    everything = torch.ones(70, 70, dtype=torch.bool)
    fast, dense = model(tokens), model(tokens, mask=everything)
    assert torch.allclose(fast, dense, atol=1e-10)
    gradients = [
        torch.autograd.grad(
            out.square().sum(), [p for p in model.parameters() if p.requires_grad], allow_unused=True
        )
        for out in (fast, dense)
    ]
    for one, other in zip(*gradients, strict=True):
        assert (one is None and other is None) or torch.allclose(one, other, atol=1e-8)


def test_running_counts_know_no_other_tokens():
    model = make_counter(counter_config(ContextualCounting(length=40)), torch.Generator().manual_seed(0))
    with pytest.raises(SimonidesError, match="it knows 5"):
        model(torch.full((1, 41), 7))
    with pytest.raises(SimonidesError, match="made for 41"):
        model(torch.zeros(1, 50, dtype=torch.long))


def test_a_model_without_order_cannot_tell_permuted_strings():
    task = ContextualCounting(length=40)
    model = make_counter(counter_config(task, causal=False), torch.Generator().manual_seed(0))
    tokens = task.sample(3, torch.Generator().manual_seed(0)).tokens
    shuffled = tokens[:, torch.randperm(41, generator=torch.Generator().manual_seed(1))]
    assert torch.allclose(model(tokens), model(shuffled), atol=1e-5)


def test_stacked_counters_are_each_trained_as_alone():
    task = ContextualCounting(length=16, regions=2)
    config = counter_config(task, d=16)
    training = CounterTraining(steps=12, batch=4, every=5, tested=20)
    together = train_counters(task, config, [torch.Generator().manual_seed(s) for s in (0, 1)], training)
    alone = train_counters(task, config, [torch.Generator().manual_seed(1)], training)
    for one, other in zip(together.models[1].parameters(), alone.models[0].parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert torch.allclose(together.history.column("accuracy_2")[:, 1], alone.history.column("accuracy_2")[:, 0])


@pytest.mark.parametrize(
    "law", [{"regions": (1, 3)}, {"length": (12, 24)}, {"target": "density"}, {"nested": True}]
)
def test_every_law_can_be_trained_on(law):
    task = ContextualCounting(**{"length": 24, "regions": 3, **law})
    training = CounterTraining(steps=3, batch=4, every=2, tested=20)
    generators = [torch.Generator().manual_seed(s) for s in (0, 1)]
    trained = train_counters(task, counter_config(task, d=16), generators, training)
    assert bool(trained.history.finite().all())


def test_shifts_that_a_task_does_not_allow_are_left_out():
    assert list(usual_shifts(ContextualCounting(regions=1, length=2, ones=0.8))) == []
    assert "one region fewer" not in usual_shifts(ContextualCounting(regions=(1, 4)))


def test_reports_refuse_what_they_cannot_read():
    task = ContextualCounting(length=24, regions=2)
    model = constructed_counter(task)
    with pytest.raises(SimonidesError, match="density"):
        bias_report(model, replace(task, target="density"))
    with pytest.raises(SimonidesError, match="made for 2"):
        bias_report(model, task, {"more": task.shifted(regions=3)})
    with pytest.raises(SimonidesError, match="no activation"):
        bias_report(model, task, attention="decoder.7.weights")
    with pytest.raises(SimonidesError, match="expected strings x heads x 2 readers"):
        bias_report(model, task, attention="encoder.layers.0.attention.output")


@pytest.mark.parametrize("bias", ["one", "beginning", "]"])
def test_constructions_that_are_none_are_refused(bias):
    task = ContextualCounting(length=24, regions=(1, 3), beginning=False)
    with pytest.raises(SimonidesError):
        constructed_counter(task, bias)
    with pytest.raises(SimonidesError):
        constructed_counter(ContextualCounting(length=24, regions=2, nested=True))


@pytest.mark.parametrize(
    "wrong", [{"positions": "sinusoid"}, {"norm": "post"}, {"alibi_slope": 0.1}, {"decoder": "gate"}, {"d": 0}]
)
def test_wrong_models_are_refused(wrong):
    with pytest.raises(SimonidesError):
        make_counter(counter_config(ContextualCounting(length=24, regions=2), **wrong), torch.Generator())


def a_layer():
    config = TransformerConfig(
        vocabulary=5, length=40, d=16, layers=1, positions="none", norm="pre", activation="gelu"
    )
    model = Transformer(config, torch.Generator().manual_seed(0)).double()
    return model, torch.randint(0, 5, (2, 40), generator=torch.Generator().manual_seed(1))


def energy(model, tokens, dense):
    mask = torch.ones(40, 40, dtype=torch.bool) if dense else None
    return model(tokens, mask=mask).square().mean()


def test_gradients_of_gradients_are_those_of_the_layer():
    model, tokens = a_layer()
    parameters = list(model.parameters())
    products = []
    for dense in (False, True):
        first = torch.autograd.grad(energy(model, tokens, dense), parameters, create_graph=True)
        products.append(torch.autograd.grad(sum(g.sin().sum() for g in first), parameters))
    for one, other in zip(*products, strict=True):
        assert torch.allclose(one, other, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # of torch's own forward mode
def test_transforms_of_torch_are_those_of_the_layer():
    model, tokens = a_layer()
    weights = {name: value.detach() for name, value in model.named_parameters()}

    def loss(own, sequence, dense):
        mask = torch.ones(40, 40, dtype=torch.bool) if dense else None
        return torch.func.functional_call(model, own, (sequence[None],), {"mask": mask}).square().mean()

    each = [
        torch.func.vmap(torch.func.grad(lambda w, s, dense=dense: loss(w, s, dense)), (None, 0))(weights, tokens)
        for dense in (False, True)
    ]
    for name in weights:
        assert torch.allclose(each[0][name], each[1][name], atol=1e-10)
    direction = {name: torch.ones_like(value) for name, value in weights.items()}
    along = [
        torch.func.jvp(lambda w, dense=dense: loss(w, tokens[0], dense), (weights,), (direction,))[1]
        for dense in (False, True)
    ]
    assert torch.allclose(*along, atol=1e-10)


def test_hooks_are_called_and_autocast_chooses_types():
    model, tokens = a_layer()
    called = []
    handle = model.layers[0].feed_forward.register_forward_hook(lambda *_: called.append(1))
    model(tokens)
    assert called == [1]
    handle.remove()
    model.float()
    with torch.autocast("cpu", torch.bfloat16):
        fast, dense = model(tokens), model(tokens, mask=torch.ones(40, 40, dtype=torch.bool))
    assert torch.equal(fast, dense)


def test_what_is_watched_elsewhere_leaves_the_encoder_fast():
    task = ContextualCounting(length=40)
    model = make_counter(counter_config(task), torch.Generator().manual_seed(0))
    tokens = task.sample(2, torch.Generator().manual_seed(0)).tokens
    names = []
    plain = model(tokens)
    watched = model.run(tokens, interventions={"decoder.0.output": lambda x: names.append("seen") or x})
    assert names == ["seen"] and torch.equal(plain, watched)
    trace = Trace("*.layers.0.attention.weights")
    assert torch.allclose(model.run(tokens, trace=trace), plain, atol=1e-5)
    assert trace["encoder.layers.0.attention.weights"].shape == (2, 1, 41, 41)
