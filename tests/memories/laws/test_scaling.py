"""Scaling laws: exponents and bounds against simulation, finite sizes against brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError, zipf
from simonides.memories import embeddings, storage_weights
from simonides.memories.laws import scaling
from simonides.probes import population_errors


def simulate(p, q, d, answers, draws, seed=0):
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(len(p)) % answers
    found = torch.stack(
        [
            population_errors(
                embeddings.gaussian(len(p), d, generator),
                embeddings.sphere(answers, d, generator),
                targets,
                torch.as_tensor(q)[None].float(),
                torch.as_tensor(p).float(),
            )[0]
            for _ in range(draws)
        ]
    )
    return float(found.mean()), float(found.std() / draws**0.5)


@pytest.mark.parametrize("answers", [2, 5, 9])
@pytest.mark.parametrize("rho", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("d", [10, 60])
def test_the_error_at_finite_sizes(answers, rho, d):
    p = zipf(300, 1.5).numpy()
    measured, spread = simulate(p, p**rho, d, answers, 800)
    expected = scaling.weighted_error(p, p**rho, np.arange(300) % answers, d)
    assert abs(measured - expected) < 0.015 + 3 * spread


def test_it_takes_any_probabilities_and_targets():
    generator = np.random.default_rng(0)
    p, targets = generator.dirichlet(np.ones(80)), np.sort(generator.integers(4, size=80))
    targets[:4] = range(4)
    g = torch.Generator().manual_seed(0)
    found = [
        population_errors(
            embeddings.gaussian(80, 16, g),
            embeddings.sphere(4, 16, g),
            torch.as_tensor(targets),
            torch.ones(1, 80),
            torch.as_tensor(p).float(),
        )
        for _ in range(1000)
    ]
    assert float(torch.stack(found).mean()) == pytest.approx(
        scaling.weighted_error(p, np.ones(80), targets, 16), abs=0.015
    )


@pytest.mark.parametrize(("rho", "keep"), [(0.0, None), (1.0, None), (0.0, 15)])
@pytest.mark.parametrize("samples", [30, 1000])
def test_errors_of_weights_taken_from_samples(rho, keep, samples):
    p = zipf(200, 1.5).numpy()
    generator = torch.Generator().manual_seed(1)
    tokens = torch.multinomial(torch.from_numpy(p), samples * 300, replacement=True, generator=generator)
    found = []
    for part in tokens.reshape(300, samples):
        q = storage_weights(part.bincount(minlength=200), rho, keep)
        found.append(simulate(p, q, 40, 5, 2, seed=len(found))[0])
    expected = scaling.sampled_error(p, np.arange(200) % 5, 40, samples, rho, keep)
    assert np.mean(found) == pytest.approx(expected, abs=0.02)


def test_unseen_mass_is_its_average():
    p = zipf(50, 1.2).numpy()
    drawn = np.random.default_rng(0).multinomial(40, p, size=20_000)
    assert ((drawn == 0) * p).sum(1).mean() == pytest.approx(scaling.unseen_mass(p, 40), abs=2e-3)
    for alpha in (1.5, 2.0, 3.0):
        p, samples = zipf(1_000_000, alpha).numpy(), np.array([100, 10_000])
        slope = np.diff(np.log([scaling.unseen_mass(p, int(t)) for t in samples]))[0] / np.log(100)
        assert -slope == pytest.approx(scaling.data_exponent(alpha), abs=0.01)


def test_exponents_are_those_of_the_finite_size_curves():
    for alpha, rho in ((2.0, 1.0), (2.0, 0.5), (3.0, 0.5)):
        p, widths = zipf(20_000, alpha).numpy(), np.array([2000, 20_000])
        errors = [scaling.weighted_error(p, p**rho, np.arange(20_000) % 2, int(d)) for d in widths]
        slope = np.diff(np.log(errors))[0] / np.log(10)
        assert -slope == pytest.approx(scaling.width_exponent(alpha, rho), rel=0.08)
    with pytest.raises(SimonidesError, match="below 1/"):
        scaling.width_exponent(2.0, 0.1)
    with pytest.raises(SimonidesError, match="above 1"):
        scaling.data_exponent(1.0)


@settings(deadline=None, max_examples=40)
@given(
    d=st.integers(5, 2000),
    rho=st.floats(0, 1.5),
    alpha=st.floats(0.5, 3),
    n=st.integers(10, 200),
    answers=st.integers(2, 6),
)
def test_bounds_enclose_the_error(d, rho, alpha, n, answers):
    p = zipf(n, alpha).numpy()
    setting = (p, p**rho, np.arange(n) % answers, d)
    error = scaling.weighted_error(*setting)
    assert scaling.lower_bound(*setting) <= error + 1e-3
    assert error <= scaling.upper_bound(*setting) + 1e-3


def test_the_overflow_condition():
    """With q = 1 the lower bound is active iff 3 (d + 1) <= N p*."""
    p, targets = zipf(100, 1.0).numpy(), np.arange(100) % 5
    assert scaling.lower_bound(p, np.ones(100), targets, 5) == pytest.approx(1 / 20)
    assert scaling.lower_bound(p, np.ones(100), targets, 6) == 0


def test_stored_by_steps_is_what_a_wide_memory_learns():
    """One token at a time, orthonormal embeddings: the right score gains rate (1 - p_W(y|x))."""
    answers, rate = 6, 0.7
    scores, gained = torch.zeros(answers, dtype=torch.float64), [0.0]
    for _ in range(10):
        gained.append(gained[-1] + rate * float(1 - scores.softmax(0)[0]))
        scores = scores + rate * (torch.eye(answers)[0] - scores.softmax(0))
    off = [abs(scaling.stored_by_steps(n, rate, answers) / gained[n] - 1) for n in (1, 2, 10)]
    assert off[0] < 1e-12
    # the recursion leaves out that the other scores fall, so it is right early and drifts
    assert off[1] < 0.03 < off[2] < 0.15
    p = zipf(50, 2.0).numpy()
    powers = [
        scaling.fitted_power(p, np.array([scaling.stored_by_steps(int(1e5 * x), rate, 10) for x in p]))
        for rate in (1e-4, 0.1, 10.0)
    ]
    assert powers[0] > 0.9 > powers[1] > powers[2]
    assert powers[2] < 0.2


def test_threshold_ranks():
    assert scaling.threshold_rank(1000, 2.0) == int(1000 / np.log(1000))
    assert scaling.threshold_rank(2, 2.0, 5.0) == 1
    with pytest.raises(SimonidesError, match="one for every input"):
        scaling.weighted_error(np.ones(3) / 3, np.ones(2), np.arange(3), 5)


def test_facts_recovered_by_one_step():
    """One weight a fact, as frequent as it comes: against sums of outer products."""
    p, d = zipf(256, 1.5).numpy(), 32
    found = []
    for seed in range(60):
        g = torch.Generator().manual_seed(seed)
        e, u = (embeddings.sphere(256, d, g).double() for _ in range(2))
        scores = e @ (u.mT @ (torch.from_numpy(p)[:, None] * e)).mT @ u.mT
        found.append(float((scores.argmax(1) == torch.arange(256)).sum()))
    assert np.mean(found) == pytest.approx(scaling.recovered_facts(p, d), rel=0.12)
