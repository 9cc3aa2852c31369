"""The closed form of the noise channel against descent on the whole matrix, and its limit."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.papers.truncation.noise_channel import descend, limit_ratio
from simonides.probes import decompose


@given(st.integers(2, 5), st.integers(1, 3), st.floats(0.05, 0.7), st.integers(1, 200))
@settings(max_examples=25)
def test_three_numbers_stand_for_the_matrix(classes, each, alpha, steps):
    inputs = classes * each
    of = torch.arange(inputs) % classes
    wanted = torch.zeros(inputs, classes + 1, dtype=torch.float64)
    wanted[torch.arange(inputs), of] = 1 - alpha
    wanted[:, classes] = alpha
    weight = torch.zeros(classes + 1, inputs, dtype=torch.float64)
    for _ in range(steps):
        weight += (wanted - weight.mT.softmax(1)).mT / inputs
    found = descend(inputs, classes, alpha, 1.0, steps)
    values = sorted([found.signal_value] * (classes - 1) + [found.noise_value], reverse=True)
    torch.testing.assert_close(
        decompose(weight).values[:classes], torch.tensor(values).double(), atol=1e-9, rtol=1e-7
    )
    p = weight.mT.softmax(1)[:, classes].mean()
    parts = decompose(weight)
    if classes == 2:  # which of two directions is left depends on the larger
        first = found.signal_value > found.noise_value
        left = parts.at_rank(1).mT.softmax(1)[:, classes].mean()
        assert found.noise_probability(signal=first, noise_kept=not first) == pytest.approx(float(left), abs=1e-9)
    assert found.noise_probability() == pytest.approx(float(p), abs=1e-10)


def test_the_ratio_tends_to_its_limit():
    for classes in (2, 3, 5):
        found = descend(classes, classes, 0.3, 1.0, 200_000)
        kappa = math.log(0.3 / 0.7)
        n, m, gap = found.inputs, found.classes, found.gap
        closed = math.sqrt(n * m / (m + 1)) * (gap * (m - 1) / m + kappa)
        assert found.noise_value == pytest.approx(closed, rel=1e-3)
        at_infinity = found.noise_value / found.signal_value + abs(kappa) * m / math.sqrt(m + 1) / gap
        assert at_infinity == pytest.approx(limit_ratio(m), rel=1e-2)


def test_bad_arguments():
    with pytest.raises(SimonidesError, match="balanced classes"):
        descend(5, 2, 0.3, 1.0, 10)
