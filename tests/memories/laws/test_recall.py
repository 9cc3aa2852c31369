"""Finite-size recall curves against brute force that does not know them."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.memories.laws import interference
from simonides.memories.laws.recall import (
    linear_capacity,
    linear_recall,
    low_rank_recall,
    recall_of_classes,
    width_for,
)


def simulate(d, targets, kind="sphere", rule="outer", projection=None, facts_wanted=12_000, seed=0):
    """Mean recall of independent memories by plain loops and float32 argmax."""
    g = torch.Generator().manual_seed(seed)
    targets = torch.as_tensor(targets)
    facts, answers = len(targets), int(targets.max()) + 1
    right = []
    for _ in range(max(4, facts_wanted // facts)):
        e, u = torch.randn(facts, d, generator=g), torch.randn(answers, d, generator=g)
        if kind == "sphere":
            e, u = e / e.norm(dim=1, keepdim=True), u / u.norm(dim=1, keepdim=True)
        else:
            e, u = e / d**0.5, u / d**0.5
        w = u[targets].T @ e if rule == "outer" else (torch.linalg.pinv(e) @ u[targets]).T
        if projection is not None:
            side, rank, orthonormal = projection
            v = torch.randn(d, rank, generator=g)
            v = torch.linalg.qr(v)[0] if orthonormal else v
            w = w @ v @ v.T if side == "input" else v @ v.T @ w
        right.append(((e @ w.T @ u.T).argmax(1) == targets).float().mean())
    return torch.stack(right).mean().item()


@pytest.mark.parametrize(
    ("d", "facts"), [(8, 7), (16, 30), (32, 30), (32, 61), (64, 122), (64, 245), (64, 600), (128, 700)]
)
def test_injective(d, facts):
    assert linear_recall(d, facts) == pytest.approx(simulate(d, range(facts)), abs=0.015)


@pytest.mark.parametrize(("d", "facts"), [(32, 30), (64, 122), (64, 400)])
def test_gaussian_embeddings(d, facts):
    assert linear_recall(d, facts, kind="gaussian") == pytest.approx(
        simulate(d, range(facts), "gaussian"), abs=0.025
    )


@pytest.mark.parametrize(
    ("d", "facts", "answers"), [(32, 16, 2), (64, 64, 2), (64, 32, 4), (32, 96, 4), (64, 192, 16)]
)
def test_many_to_one(d, facts, answers):
    targets = [x % answers for x in range(facts)]
    assert linear_recall(d, facts, answers) == pytest.approx(simulate(d, targets), abs=0.015)


@pytest.mark.parametrize(
    ("d", "sizes"),
    [
        (48, [30, 1, 1, 1]),
        (48, [12, 8, 4, 2, 1, 1]),
        (48, [20, *[1] * 30]),
        (32, [100, 1, 1, 1]),
        (32, [50, 50, 1, 1, 1, 1]),
        (64, [1000, *[1] * 20]),
        (64, [300, *[10] * 30]),
    ],
)
def test_uneven_classes(d, sizes):
    """Measured worst: 0.02, also where one answer owns most inputs."""
    targets = [k for k, size in enumerate(sizes) for _ in range(size)]
    wanted = 12_000 if sum(sizes) < 200 else 60_000
    assert recall_of_classes(d, sizes) == pytest.approx(simulate(d, targets, facts_wanted=wanted), abs=0.02)


@pytest.mark.parametrize("d", [2, 4, 8])
def test_gaussian_answers_of_an_exact_memory_are_not_all_nearest_to_themselves(d):
    measured = simulate(d, range(d), "gaussian", "pinv")
    assert recall_of_classes(d, [1] * d, "gaussian", "pseudo_inverse") == pytest.approx(measured, abs=0.015)
    assert recall_of_classes(d, [1] * d, "sphere", "pseudo_inverse") == 1.0


@pytest.mark.parametrize("facts", [40, 100, 200])
def test_pseudo_inverse(facts):
    expected = simulate(48, range(facts), rule="pseudo-inverse")
    assert linear_recall(48, facts, rule="pseudo_inverse") == pytest.approx(expected, abs=0.035)


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("rank", [16, 48])
@pytest.mark.parametrize("share", [0.6, 1.5])
def test_orthonormal_directions(side, rank, share):
    facts = round(share * rank)
    found = low_rank_recall(64, facts, rank, side=side, factor="orthonormal")
    assert found == pytest.approx(simulate(64, range(facts), projection=(side, rank, True)), abs=0.02)


@pytest.mark.parametrize(("side", "off"), [("input", 0.02), ("output", 0.045)])
@pytest.mark.parametrize("rank", [16, 48])
@pytest.mark.parametrize("share", [0.6, 1.5])
def test_gaussian_directions(side, off, rank, share):
    facts = round(share * rank)
    found = low_rank_recall(64, facts, rank, side=side, factor="gaussian")
    assert found == pytest.approx(simulate(64, range(facts), projection=(side, rank, False)), abs=off)


@given(d=st.integers(2, 300), facts=st.integers(1, 2000), kind=st.sampled_from(["sphere", "gaussian"]))
@settings(max_examples=40)
def test_a_share_that_falls_with_facts_and_rises_with_width(d, facts, kind):
    here = linear_recall(d, facts, kind=kind)
    assert 0 <= here <= 1
    assert linear_recall(d, facts + 1 + facts // 10, kind=kind) <= here + 1e-3
    assert linear_recall(d + 1 + d // 10, facts, kind=kind) >= here - 1e-3


def test_far_past_capacity_recall_is_small_but_above_chance():
    assert 1 / 1000 < linear_recall(16, 1000) == pytest.approx(simulate(16, range(1000)), abs=0.001)


def test_capacity_and_width_invert_one_another():
    for d in (24, 64, 100):
        facts = linear_capacity(d)
        assert linear_recall(d, facts) >= 0.99 > linear_recall(d, facts + 1)
        assert width_for([1] * facts) <= d
        assert width_for([1] * (facts + 2)) > d


def test_capacity_grows_as_d_squared_for_own_answers_and_as_d_for_shared_ones():
    assert 3.8 < linear_capacity(256) / linear_capacity(128) < 4.3
    few = [linear_capacity(d, inputs_per_answer=d // 16) / d for d in (128, 256)]
    assert all(0.3 < share < 4 for share in few)


@pytest.mark.parametrize(
    "call",
    [
        lambda: linear_recall(0, 5),
        lambda: linear_recall(8, 0),
        lambda: linear_recall(8, 3, answers=4),
        lambda: linear_recall(8, 3, kind="cube"),
        lambda: linear_recall(8, 3, rule="magic"),
        lambda: recall_of_classes(8, []),
        lambda: recall_of_classes(8, [3, 0]),
        lambda: low_rank_recall(8, 3, 9),
        lambda: low_rank_recall(8, 3, 4, side="left"),
        lambda: linear_capacity(8, accuracy=1.0),
        lambda: width_for([1, 1], accuracy=0.0),
    ],
)
def test_bad_sizes_are_refused(call):
    with pytest.raises(SimonidesError):
        call()


@pytest.mark.parametrize("variance", [1e-6, 0.1, 1.0, 2.0])
def test_gamma_nodes_have_the_laws_moments(variance):
    nodes, weights = interference.gamma_nodes(3.0, variance)
    law = scipy.stats.gamma(1 / variance, scale=3.0 * variance)
    for power in range(10):  # five nodes are exact up to the ninth
        assert weights @ nodes**power == pytest.approx(law.moment(power), rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1.0, 1.0), (0.5, 1.5), (3.0, 40.0)])
def test_beta_nodes_have_the_laws_moments(a, b):
    nodes, weights = interference.beta_nodes(a, b)
    for power in range(14):
        moment = math.prod((a + i) / (a + b + i) for i in range(power))
        assert weights @ nodes**power == pytest.approx(moment, rel=1e-8, abs=1e-9)


def test_many_different_sizes_of_classes_are_grouped_without_harm(monkeypatch):
    sizes = [max(1, 300 // rank) for rank in range(1, 120)]
    grouped = recall_of_classes(128, sizes)
    monkeypatch.setattr(interference, "_SIZES", len(sizes))
    assert len(set(sizes)) > 24
    assert grouped == pytest.approx(recall_of_classes(128, sizes), abs=1e-3)
