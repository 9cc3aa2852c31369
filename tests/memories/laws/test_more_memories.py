"""Finite-size laws of MLP, similarity and classical memories against brute force."""

import math

import pytest
import torch

from simonides.base import SimonidesError, coefficient
from simonides.memories import MLPMemory, NearestMemory, WillshawMemory, embeddings, recall, token_query
from simonides.memories.laws import classics, mlp, orthogonality, similarity
from simonides.memories.laws.recall import linear_recall


@pytest.mark.parametrize("degree", range(8))
def test_relus_coefficients_in_closed_form(degree):
    assert mlp.relu_coefficient(degree) == pytest.approx(coefficient(mlp.step, degree), abs=1e-10)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_moments_of_overlaps(power, generator):
    draws = embeddings.sphere(400_000, 6, generator)[:, 0].double()
    assert mlp.overlap_moment(6, power) == pytest.approx(float((draws ** (2 * power)).mean()), rel=0.03)


def share(memory, inputs, outputs, targets):
    return float((recall(memory(inputs), outputs) == targets).double().mean())


@pytest.mark.parametrize(
    ("d", "width", "degree", "facts"),
    [
        (32, 256, 1, 20),
        (32, 256, 1, 100),
        (32, 1024, 1, 200),
        (64, 2048, 1, 428),
        (32, 2048, 0, 60),
        (64, 256, 1, 60),
    ],
)
def test_mlp_recall(d, width, degree, facts):
    found = []
    for seed in range(12):
        g = torch.Generator().manual_seed(seed)
        inputs, outputs = (embeddings.sphere(facts, d, g) for _ in range(2))
        targets = torch.arange(facts)
        memory = MLPMemory.store(inputs, outputs, targets, width, g, degree)
        found.append(share(memory, inputs, outputs, targets))
    assert mlp.mlp_recall(d, facts, width, degree) == pytest.approx(sum(found) / 12, abs=0.04)


def test_infinite_width_of_degree_zero_is_one_matrix():
    assert mlp.mlp_recall(32, 60, 2**50, 0) == pytest.approx(linear_recall(32, 60), abs=1e-3)


@pytest.mark.parametrize(("subjects", "width"), [(11, 2048), (16, 4096)])
def test_token_recall(subjects, width):
    found = []
    for seed in range(8):
        g = torch.Generator().manual_seed(seed)
        left, right = (embeddings.sphere(subjects, 64, g) for _ in range(2))
        tokens = [left.repeat_interleave(subjects, 0), right.repeat(subjects, 1)]
        outputs = embeddings.sphere(8 * subjects, 64, g)
        targets = torch.randint(8 * subjects, (subjects**2,), generator=g)
        memory = MLPMemory.store_tokens(tokens, outputs, targets, width, g)
        found.append(share(memory, token_query(tokens), outputs, targets))
    assert mlp.token_recall(64, subjects, subjects, 8 * subjects, width) == pytest.approx(sum(found) / 8, abs=0.04)


def test_degrees_and_their_refusal():
    assert mlp.degree_for(16, 3000) > mlp.degree_for(16, 100)
    for degree, width in ((2, 64), (3, 256), (1, 6)):
        with pytest.raises(SimonidesError, match="known to be near for degrees 0 and 1"):
            mlp.mlp_recall(16, 10, width, degree)
    with pytest.raises(SimonidesError, match="no Hermite coefficient"):
        mlp.mlp_recall(16, 10, 64, 1, derivative=torch.ones_like)


def test_nearest_recall_is_exact():
    found = []
    for seed in range(400):
        g = torch.Generator().manual_seed(seed)
        keys = embeddings.sphere(60, 10, g)
        queries = embeddings.at_cosine(keys, 0.7, g)
        found.append(share(NearestMemory.store(keys, keys, torch.arange(60)), queries, keys, torch.arange(60)))
    expected = similarity.nearest_recall(10, 60, 0.7)
    assert sum(found) / 400 == pytest.approx(
        expected, abs=4 * math.sqrt(expected * (1 - expected) / 24000) + 0.002
    )


def test_tail_of_overlaps(generator):
    draws = embeddings.sphere(200_000, 7, generator)[:, 0]
    for cosine in (-0.3, 0.0, 0.4, 0.8):
        assert orthogonality.inner_product_tail(cosine, 7) == pytest.approx(
            float((draws > cosine).float().mean()), abs=0.004
        )


def test_hopfields_limit_is_0138():
    assert classics.hopfield_overlap(0.137) > 0.95
    assert classics.hopfield_overlap(0.139) == 0.0
    assert pytest.approx(0.138, abs=0.001) == classics.HOPFIELD_LIMIT


def test_willshaws_density_and_false_share(generator):
    inputs, outputs = (embeddings.sparse_binary(900, 128, 7, generator) for _ in range(2))
    memory = WillshawMemory.store(inputs, outputs, torch.arange(900))
    density = float(memory.weight.mean())
    assert classics.willshaw_density(128, 128, 7, 7, 900) == pytest.approx(density, abs=0.01)
    wrong = float((memory(inputs) - outputs).sum(-1).mean()) / 121
    assert classics.willshaw_false_share(128, 128, 7, 7, 900) == pytest.approx(wrong, rel=0.1)


def test_willshaws_bits_stay_below_ln_2_and_come_near_it():
    for ones, d in ((8, 256), (12, 4096)):
        best = max(
            classics.willshaw_bits(d, d, ones, n, classics.willshaw_false_share(d, d, ones, ones, n))
            for n in (int(share * (d / ones) ** 2) for share in (0.4, 0.6, 0.7, 0.8))
        )
        assert 0.4 < best < math.log(2)
    with pytest.raises(SimonidesError, match="load"):
        classics.hopfield_overlap(0.0)
