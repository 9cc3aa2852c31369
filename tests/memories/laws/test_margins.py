"""Margins: closed forms against flows and brute force."""

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.memories.laws import margins
from simonides.training import Particles, gradient_flow


@pytest.mark.parametrize(("answers", "frequent"), [(2, 0.3), (10, 0.05)])
def test_orthonormal_margins_solve_the_flow(answers, frequent):
    eye = torch.eye(answers, dtype=torch.float64)[None]
    p = torch.full((answers,), (1 - frequent) / (answers - 1), dtype=torch.float64)
    p[0] = frequent
    particles = Particles.of(eye, eye, torch.arange(answers), p)
    times = [1.0, 100.0, 10_000.0]
    found = gradient_flow(lambda s: -particles.pull(s), particles.start, times)
    for time, scores in zip(times, found, strict=True):
        expected = [margins.orthonormal_margin(answers, float(q), time) for q in p]
        np.testing.assert_allclose(particles.margins(scores)[0].numpy(), expected, rtol=1e-5)


def test_competition_time_near_its_limit():
    inputs = torch.tensor([[[1.0, 0.0], [0.99, (1 - 0.99**2) ** 0.5]]], dtype=torch.float64)
    particles = Particles.of(inputs, torch.eye(2)[None], torch.arange(2), torch.tensor([0.75, 0.25]).double())
    expected = margins.competition_time(0.99, 0.75)
    times = [0.99 * expected, 1.01 * expected]
    before, after = (
        particles.margins(s)[0, 1] for s in gradient_flow(lambda s: -particles.pull(s), particles.start, times)
    )
    assert before < 0 < after
    spread = torch.linalg.eigvalsh((torch.tensor([0.75, 0.25])[:, None] * inputs[0]).mT @ inputs[0])[-1]
    assert float(spread) == pytest.approx(margins.competition_spread(0.99, 0.75), rel=1e-6)
    with pytest.raises(SimonidesError, match="cosine"):
        margins.competition_time(1.0, 0.75)


@pytest.mark.parametrize(
    ("cosine", "frequent"), [(0.5, 0.75), (0.8, 0.6), (0.9, 0.9), (0.95, 0.75), (0.3, 0.95), (0.7, 0.6)]
)
def test_competition_time_is_when_the_margin_returns(cosine, frequent):
    inputs = torch.tensor([[[1.0, 0.0], [cosine, (1 - cosine**2) ** 0.5]]], dtype=torch.float64)
    p = torch.tensor([frequent, 1 - frequent], dtype=torch.float64)
    particles = Particles.of(inputs, torch.eye(2)[None], torch.arange(2), p)
    expected = margins.competition_time(cosine, frequent)
    if cosine * frequent <= 1 - frequent:
        assert expected == 0
        assert particles.margins(particles.start + 1e-3 * particles.pull(particles.start))[0, 1] > 0
        return
    at = [0.5 * expected, 0.999 * expected, 1.001 * expected, 2 * expected]
    flow = gradient_flow(lambda s: -particles.pull(s), particles.start, at)
    assert [bool(particles.margins(s)[0, 1] > 0) for s in flow] == [False, False, True, True]


def test_competition_time_at_the_edges():
    assert margins.competition_time(0.0, 0.75) == margins.competition_time(0.9, 0.5) == 0
    limit = margins.competition_limit(0.75)
    assert (1 - 0.9999) * margins.competition_time(0.9999, 0.75) == pytest.approx(limit, rel=1e-3)
    for frequent in (0.5, 1.0, float("nan")):
        with pytest.raises(SimonidesError, match="frequent"):
            margins.competition_limit(frequent)


def test_best_error_is_that_of_a_fine_scan():
    generator = np.random.default_rng(0)
    for _ in range(20):
        points = generator.normal(size=(9, 2))
        signs, p = generator.choice([-1.0, 1.0], 9), generator.dirichlet(np.ones(9))
        angles = np.linspace(0, 2 * np.pi, 20_001)
        scan = min(margins.linear_error(np.array([np.cos(a), np.sin(a)]), points, signs, p) for a in angles)
        assert margins.best_error(points, signs, p) == pytest.approx(scan, abs=1e-12)


def test_minimiser_has_no_gradient_and_separable_tokens_none():
    generator = np.random.default_rng(1)
    points, signs = generator.normal(size=(30, 2)), generator.choice([-1.0, 1.0], 30)
    p = np.full(30, 1 / 30)
    gamma = margins.cross_entropy_minimiser(points, signs, p)
    pull = (p / (1 + np.exp(signs * (points @ gamma))) * signs) @ points
    assert np.abs(pull).max() < 1e-8
    with pytest.raises(SimonidesError, match="separable"):
        margins.cross_entropy_minimiser(points[:2], signs[:2], p[:2] * 15)
