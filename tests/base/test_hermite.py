import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import eval_hermitenorm

from simonides.base import SimonidesError, coefficient, normal_mean
from simonides.base.hermite import hermite


@given(degree=st.integers(0, 12), z=st.floats(-4, 4))
def test_are_scipys_polynomials_normalised(degree, z):
    ours = float(hermite(degree, torch.tensor([z], dtype=torch.float64)))
    assert ours == pytest.approx(
        eval_hermitenorm(degree, z) / math.sqrt(math.factorial(degree)), rel=1e-9, abs=1e-9
    )


@given(first=st.integers(0, 8), second=st.integers(0, 8))
def test_are_orthonormal_under_the_normal_law(first, second):
    product = normal_mean(lambda z: hermite(first, z) * hermite(second, z))
    assert product == pytest.approx(float(first == second), abs=1e-10)


def test_coefficients_of_known_functions():
    assert coefficient(torch.relu, 0) == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-12)
    assert coefficient(torch.exp, 3) == pytest.approx(math.exp(0.5) / math.sqrt(6), rel=1e-9)


def test_a_negative_degree_is_refused():
    with pytest.raises(SimonidesError, match="degree = -1"):
        hermite(-1, torch.zeros(1))
