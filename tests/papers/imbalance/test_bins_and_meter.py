"""Bins of equal mass against brute force, and the meter against direct means."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.papers.imbalance.bins import frequency_bins
from simonides.papers.imbalance.meter import FrequencyHistory, FrequencyMeter


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any), st.integers(1, 12))
def test_bins_are_cut_after_the_first_class_that_reaches_each_share(counts, bins):
    found = frequency_bins(counts, bins)
    order = sorted(range(len(counts)), key=lambda k: (-counts[k], k))
    cumulative = np.cumsum([counts[k] for k in order])
    cuts = [
        next(j for j, c in enumerate(cumulative) if bins * c >= i * cumulative[-1]) + 1 for i in range(1, bins)
    ]
    expected = [sum(place >= cut for cut in cuts) for place in range(len(order))]
    assert [int(found.of_class[k]) for k in order] == expected
    assert int(found.classes.sum()) == len(counts)
    assert float(found.mass.sum()) == pytest.approx(1.0)


def test_zipf_deciles_have_a_tenth_of_the_mass_each():
    counts = (1e6 / torch.arange(1, 5001)).long()
    mass = frequency_bins(counts).mass
    assert mass[2:].sub(0.1).abs().max() < 0.02


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([], "one number for each class"),
        ([[1, 2]], "one number for each class"),
        ([1, -1], "negative or not finite"),
        ([1, float("nan")], "negative or not finite"),
        ([0, 0], "all counts are zero"),
        (["a"], "give a number a class"),
    ],
)
def test_counts_that_are_none_are_refused(counts, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        frequency_bins(counts)


def test_the_meter_gives_the_means_of_each_bin():
    generator = torch.Generator().manual_seed(0)
    counts = torch.tensor([50, 20, 10, 10, 5, 5])
    meter = FrequencyMeter(counts, bins=3)
    seen = []
    for _ in range(4):
        logits = torch.randn(3, 7, 6, generator=generator)
        target = torch.randint(-1, 6, (3, 7), generator=generator)
        target[target < 0] = -100
        meter.update(logits, target)
        seen.append((logits.flatten(0, 1), target.flatten()))
    logits, target = (torch.cat(part) for part in zip(*seen, strict=True))
    losses = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    reading = meter.compute()
    kept = target != -100
    assert reading["loss"] == pytest.approx(float(losses[kept].mean()), rel=1e-6)
    for number in range(3):
        inside = kept & (meter.bins.of_class[target.clamp_min(0)] == number)
        assert reading[f"count/bin_{number}"] == int(inside.sum())
        assert reading[f"loss/bin_{number}"] == pytest.approx(float(losses[inside].mean()), rel=1e-6)
        right = (logits.argmax(-1) == target)[inside].float().mean()
        assert reading[f"accuracy/bin_{number}"] == pytest.approx(float(right))
    meter.reset()
    assert meter.compute() == {}


def test_losses_that_are_not_finite_are_counted_and_in_no_mean():
    meter = FrequencyMeter([2, 1], bins=2)
    meter.update(torch.zeros(3, 2), torch.tensor([0, 0, 1]), torch.tensor([1.0, torch.inf, 2.0]))
    reading = meter.compute()
    assert reading["not_finite"] == 1
    assert reading["loss/bin_0"] == 1.0 and reading["count/bin_0"] == 1


def test_gradients_are_norms_of_the_rows_of_a_bin():
    meter = FrequencyMeter([5, 1, 1], bins=2)
    gradient = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 1.0]])
    meter.update(torch.zeros(1, 3), torch.tensor([0]))
    meter.update_gradient(gradient)
    meter.update_gradient(3 * gradient)
    reading = meter.compute()
    assert reading["gradient/bin_0"] == pytest.approx(10.0)
    assert reading["gradient/bin_1"] == pytest.approx(2 * 2**0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.update(torch.zeros(2, 4), torch.tensor([0, 1])), "pads its vocabulary"),
        (lambda m: m.update(torch.zeros(2, 3), torch.tensor([0, 3])), "outside 0 .. 2"),
        (lambda m: m.update(torch.zeros(2, 3), torch.tensor([0, 1]), torch.zeros(3)), "losses of shape"),
        (lambda m: m.update_gradient(None), "the gradient is none"),
        (lambda m: m.update_gradient(torch.zeros(2, 3)), "3 rows"),
    ],
)
def test_what_does_not_fit_is_refused(call, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        call(FrequencyMeter([3, 2, 1], bins=2))


def test_a_history_has_nan_where_nothing_was_seen():
    history = FrequencyHistory(["bin_0", "bin_1"])
    history.append(1, {"loss/bin_0": 1.0})
    history.append(2, {"loss/bin_0": 0.5, "loss/bin_1": 2.0})
    assert history.column("loss/bin_0") == [1.0, 0.5]
    assert np.isnan(history.column("loss/bin_1")[0])


def test_sums_are_those_of_all_processes(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    try:
        meter = FrequencyMeter([2, 1], bins=2)
        meter.update(torch.zeros(3, 2), torch.tensor([0, 0, 1]))
        assert meter.compute(all_processes=True) == meter.compute()
    finally:
        torch.distributed.destroy_process_group()
