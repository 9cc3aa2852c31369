"""Gradient lemmas against autograd, to 1e-12 in float64, over random sizes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.memories.laws import gradients

sizes = st.integers(1, 7)
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def draw(seed, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def loss(weight, inputs, outputs, labels, probabilities):
    logits = inputs @ weight.T @ outputs.T
    return -(probabilities[:, None] * labels * torch.log_softmax(logits, -1)).sum()


@settings(deadline=None, max_examples=60)
@given(n=sizes, m=sizes, d_in=sizes, d_out=sizes, scale=st.floats(0, 5), seed=st.integers(0, 10**6))
def test_the_population_gradient_is_a_sum_of_outer_products(n, m, d_in, d_out, scale, seed):
    inputs, outputs = draw(seed, n, d_in), draw(seed + 1, m, d_out)
    labels, p = draw(seed + 2, n, m).softmax(-1), draw(seed + 3, n).softmax(-1)
    weight = (scale * draw(seed + 4, d_out, d_in)).requires_grad_()
    (expected,) = torch.autograd.grad(loss(weight, inputs, outputs, labels, p), weight)
    found = gradients.population_gradient(weight.detach(), inputs, outputs, labels, p)
    torch.testing.assert_close(found, expected, **EXACT)


@settings(deadline=None, max_examples=60)
@given(m=sizes, repeats=st.integers(1, 4), d_in=sizes, d_out=sizes, seed=st.integers(0, 10**6))
def test_noisy_inputs(m, repeats, d_in, d_out, seed):
    targets = torch.arange(m).repeat(repeats)
    samples, outputs = draw(seed, m * repeats, d_in), draw(seed + 1, m, d_out)
    p = draw(seed + 3, m * repeats).softmax(-1)
    weight = draw(seed + 4, d_out, d_in).requires_grad_()
    labels = torch.nn.functional.one_hot(targets, m).double()
    (expected,) = torch.autograd.grad(loss(weight, samples, outputs, labels, p), weight)
    found = gradients.noisy_gradient(weight.detach(), samples, outputs, targets, p)
    torch.testing.assert_close(found, expected, **EXACT)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 12), m=sizes, d_in=sizes, d_out=sizes, rate=st.floats(0.1, 100), seed=st.integers(0, 10**6)
)
def test_one_step(n, m, d_in, d_out, rate, seed):
    inputs, outputs, targets = draw(seed, n, d_in), draw(seed + 1, m, d_out), torch.arange(n) % m
    weight = torch.zeros(d_out, d_in, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.cross_entropy(inputs @ weight.T @ outputs.T, targets).backward()
    expected = -rate * weight.grad
    torch.testing.assert_close(gradients.one_step_weight(inputs, outputs, targets, rate), expected, **EXACT)


def test_one_step_scores_of_orthonormal_embeddings():
    eye = torch.eye(6, dtype=torch.float64)
    scores = eye @ gradients.one_step_weight(eye, eye, torch.arange(6), 3.0) @ eye
    right = gradients.one_step_score(6, 6, 3.0, right=True)
    wrong = gradients.one_step_score(6, 6, 3.0, right=False)
    torch.testing.assert_close(scores, wrong + (right - wrong) * eye, **EXACT)


def test_exogenous_noise_cancels():
    """x = u_y + p_t with t independent of y: the positional part is not written."""
    answers, positions = 5, 7
    eye = torch.eye(answers + positions, dtype=torch.float64)
    y, t = torch.meshgrid(torch.arange(answers), torch.arange(positions), indexing="ij")
    samples = eye[y.ravel()] + eye[answers + t.ravel()]
    even = torch.full((answers * positions,), 1 / (answers * positions), dtype=torch.float64)
    outputs = draw(0, answers, 9)
    weight = torch.zeros(9, answers + positions, dtype=torch.float64)
    found = gradients.noisy_gradient(weight, samples, outputs, y.ravel(), even)
    assert found[:, answers:].abs().max() < 1e-15
    assert found[:, :answers].abs().max() > 0.01
    with pytest.raises(SimonidesError, match="answer 5 never occurs"):
        gradients.noisy_gradient(weight, samples, draw(0, 6, 9), y.ravel(), even)


@settings(deadline=None, max_examples=30)
@given(n=sizes, m=st.integers(2, 5), d_in=st.integers(1, 4), d_out=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_hessian_and_its_bound(n, m, d_in, d_out, seed):
    inputs, outputs, p = draw(seed, n, d_in), draw(seed + 1, m, d_out), draw(seed + 3, n).softmax(-1)
    labels = draw(seed + 2, n, m).softmax(-1)
    weight = draw(seed + 4, d_out, d_in)
    expected = torch.autograd.functional.hessian(lambda w: loss(w, inputs, outputs, labels, p), weight)
    found = gradients.hessian(weight, inputs, outputs, p)
    torch.testing.assert_close(found, expected.reshape(found.shape), rtol=1e-10, atol=1e-10)
    assert torch.linalg.eigvalsh(found)[-1] <= gradients.curvature_bound(inputs, outputs, p) + 1e-10


def test_the_bound_is_attained_at_zero_for_two_outputs():
    inputs, outputs = draw(0, 6, 3), torch.eye(2, dtype=torch.float64)
    p = draw(1, 6).softmax(-1)
    found = torch.linalg.eigvalsh(gradients.hessian(torch.zeros(2, 3, dtype=torch.float64), inputs, outputs, p))[
        -1
    ]
    assert float(found) == pytest.approx(gradients.curvature_bound(inputs, outputs, p), rel=1e-12)
