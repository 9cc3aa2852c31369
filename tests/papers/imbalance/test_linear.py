"""Linear classifiers on heavy-tailed data: the span of the samples against the weights, and both against torch."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.imbalance.correlation import gradients_and_curvatures
from simonides.papers.imbalance.laws import class_curvatures, class_gradients
from simonides.papers.imbalance.linear_data import HeavyTailedData, LinearData
from simonides.papers.imbalance.linear_training import needed_memory, start, train_linear
from simonides.papers.imbalance.methods import METHODS, default_rates


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def data():
    return HeavyTailedData(m=4).sample(seeded())


def test_the_data_have_the_papers_sizes():
    law = HeavyTailedData(m=5)
    data = law.sample(seeded())
    assert data.x.shape == (5 * 32, 6 * 32) and data.classes == 31
    assert data.counts.tolist() == [2 ** (5 - i) for i in range(5) for _ in range(2**i)]
    twin = law.twin.sample(seeded())
    assert torch.equal(twin.x, data.x)
    assert int(twin.counts.max() - twin.counts.min()) <= 1
    assert HeavyTailedData(m=3, features="one-hot").sample(seeded()).x.shape == (24, 7)
    far = HeavyTailedData(m=3, features="gaussian", mean=3.0, scale=0.1).sample(seeded()).x
    assert abs(float(far.mean()) - 3) < 0.05 and abs(float(far.std()) - 0.1) < 0.01


def by_torch(data, make, steps, weights=None):
    weight, bias = start(data, seeded(1))
    model = torch.nn.Linear(data.x.shape[1], data.classes)
    with torch.no_grad():
        model.weight.copy_(weight)
        model.bias.copy_(bias)
    optimiser = make(model.parameters())
    for _ in range(steps):
        losses = torch.nn.functional.cross_entropy(model(data.x), data.targets, reduction="none")
        loss = losses.mean() if weights is None else (losses * weights).sum() / weights.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return torch.nn.functional.cross_entropy(model(data.x), data.targets).item()


@pytest.mark.parametrize(
    ("method", "make", "rate"),
    [
        ("gd", lambda p: torch.optim.SGD(p, 0.03), 0.03),
        ("gd-momentum", lambda p: torch.optim.SGD(p, 0.01, momentum=0.9), 0.01),
        ("adam", lambda p: torch.optim.Adam(p, 0.01), 0.01),
    ],
)
def test_losses_are_those_of_torch(data, method, make, rate):
    found = train_linear(data, method, seeded(1), 20, [rate / 2, rate])
    assert float(found.mean[-1, 1]) == pytest.approx(by_torch(data, make, 20), rel=1e-4)


def test_reweighting_weighs_the_steps_and_not_what_is_told(data):
    weights = (data.counts / len(data.targets)).rsqrt()[data.targets]
    found = train_linear(data, "gd", seeded(1), 20, [0.03], reweighting="inverse root")
    expected = by_torch(data, lambda p: torch.optim.SGD(p, 0.03), 20, weights)
    assert float(found.mean[-1, 0]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", ["gd", "gd-momentum", "normalised", "normalised-momentum"])
def test_the_span_of_the_samples_gives_what_the_weights_give(data, method):
    # with the first columns twice and fewer features than samples, the weights are trained
    narrow = LinearData(x=data.x[:, :40], targets=data.targets, classes=data.classes)
    assert narrow.x.shape[0] > narrow.x.shape[1]
    direct = train_linear(narrow, method, seeded(1), 15, [0.01, 0.1])
    padded = LinearData(
        x=torch.cat([narrow.x, torch.zeros(len(narrow.x), 30)], 1), targets=data.targets, classes=data.classes
    )
    weight, bias = start(narrow, seeded(1))
    # the start of the wider problem, with nothing on the features that are zero
    import simonides.papers.imbalance.linear_training as module

    wider = torch.cat([weight, torch.zeros(len(weight), 30)], 1)
    original, module.start = module.start, lambda *_: (wider, bias)
    try:
        spanned = train_linear(padded, method, seeded(1), 15, [0.01, 0.1])
    finally:
        module.start = original
    assert torch.allclose(spanned.losses, direct.losses, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_lowers_the_loss_at_some_rate(method):
    small = HeavyTailedData(m=3).sample(seeded())
    found = train_linear(small, method, seeded(1), 30)
    assert float(found.mean[-1, found.best]) < 0.8 * float(found.mean[0, found.best])
    assert found.steps == (0, 10, 20, 30)


def test_groups_and_classes_agree(data):
    found = train_linear(data, "adam", seeded(1), 10, [0.01], bins=4)
    shares = found.bins.mass
    assert float((found.by_bin[-1, 0] * shares).sum()) == pytest.approx(float(found.mean[-1, 0]))


def test_diverged_runs_are_counted(data):
    huge = LinearData(x=data.x * 1e20, targets=data.targets, classes=data.classes)
    found = train_linear(huge, "adam", seeded(1), 5, [1e-3, 1e25])
    assert found.diverged.tolist()[-1]
    alone = train_linear(huge, "sign", seeded(1), 5, [1e30])
    assert bool(alone.diverged.all()) and alone.stable is None


def test_edges_and_stable_rates(data):
    found = train_linear(data, "gd", seeded(1), 40, [1e-4, 1e-3, 1e-2])
    assert found.on_edge and found.best == 2 and found.stable == 2
    assert not train_linear(data, "armijo", seeded(1), 5).on_edge


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gd2"}, "gd2"),
        ({"rates": [0.1, 0.01]}, "positive ones that rise"),
        ({"rates": [0.0]}, "positive ones that rise"),
        ({"reweighting": "root"}, "root"),
        ({"steps": 0}, "steps"),
    ],
)
def test_wrong_settings_are_refused(data, options, message):
    with pytest.raises(SimonidesError, match=message):
        train_linear(data, options.pop("method", "gd"), seeded(), **{"steps": 5, **options})


def test_memory_is_told_before_it_is_taken(monkeypatch, data):
    assert needed_memory(22528, 24576, 2047, 7, True) > 5e9
    monkeypatch.setattr("simonides.base.machine.machine_memory", lambda: 1000)
    with pytest.raises(SimonidesError, match="fewer rates"):
        train_linear(data, "gd", seeded(), 5)
    assert default_rates("gd")[0] < default_rates("gd")[-1]


def test_correlations_are_those_of_the_laws(data):
    found = gradients_and_curvatures(data, "adam", 0.003, 40, 20, seeded(1))
    weight, bias = start(data, seeded(1))
    logits = data.x @ weight.mT + bias
    assert torch.allclose(found.gradients[0], class_gradients(logits[None], data.x, data.targets)[0], rtol=1e-4)
    assert torch.allclose(found.curvatures[0], class_curvatures(logits, data.x), rtol=1e-4)
    assert torch.allclose(found.mirrored_curvatures[0], class_curvatures(-logits, data.x), rtol=1e-4)
    pair = torch.stack([found.gradients[2], found.curvatures[2]]).double().log()
    assert found.correlation(2) == pytest.approx(float(torch.corrcoef(pair)[0, 1]))
    with pytest.raises(SimonidesError, match="multiple"):
        gradients_and_curvatures(data, "adam", 0.003, 41, 20, seeded(1))
