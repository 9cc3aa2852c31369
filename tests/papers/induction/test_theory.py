"""Gradients of an induction head's memories against autograd, and step one against all sequences there are."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.papers.induction.theory import (
    attention_errors,
    first_key_query_gradient,
    first_output_step,
    key_query_gradient,
)
from simonides.papers.induction.three_steps import (
    MATRICES,
    ThreeSteps,
    all_sequences,
    draw_sequences,
    one_hot_directions,
    random_directions,
)


def some_model(tokens, length, d, seed):
    """A model of random directions and weights, with sequences and targets."""
    generator = torch.Generator().manual_seed(seed)
    model = ThreeSteps.start(random_directions(tokens, length, d, generator))
    for name in MATRICES:
        setattr(model, name, torch.randn(d, d, generator=generator, dtype=torch.float64))
    return model, *draw_sequences(tokens, length, 7, generator)


def by_autograd(model, name, z, y):
    before = getattr(model, name).clone()
    model.step(name, 1.0, z, y)
    return before - getattr(model, name)


def inside(model, z):
    """What each place says, the second layer's weights, matches, and the first layer's weights."""
    at, length = model.directions, z.shape[1]
    scores = at.positions @ model.W_KQ1.mT @ at.positions.mT
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    first = torch.softmax(scores.masked_fill(future, -torch.inf), -1).expand(len(z), -1, -1)
    keys, query = first @ at.remapped[z], at.tokens[z[:, -1]]
    matches = torch.einsum("bsd,bd->bs", at.remapped[z], query @ model.W_KQ2.mT)
    weights = torch.softmax(torch.einsum("btd,bd->bt", keys, query @ model.W_KQ2.mT), -1)
    says = at.tokens[z] @ model.W_OV2.mT @ at.outputs.mT
    return says, weights, matches, first, keys, query


@given(st.integers(3, 9), st.integers(3, 7), st.integers(4, 12), st.integers(0, 99))
@settings(max_examples=25)
def test_key_query_gradients_equal_autograd(tokens, length, d, seed):
    model, z, y = some_model(tokens, length, d, seed)
    says, weights, matches, first, keys, query = inside(model, z)
    errors = attention_errors(says, weights, y)
    places = model.directions.positions.expand(len(z), -1, -1)
    second = key_query_gradient(errors, keys, query)
    torch.testing.assert_close(second, by_autograd(model, "W_KQ2", z, y), rtol=1e-10, atol=1e-12)
    model, z, y = some_model(tokens, length, d, seed)
    earlier = first_key_query_gradient(errors, matches, first, places, places)
    torch.testing.assert_close(earlier, by_autograd(model, "W_KQ1", z, y), rtol=1e-10, atol=1e-12)


def test_at_zero_it_is_lemma_three():
    model, z, y = some_model(6, 5, 8, 0)
    model.W_KQ2.zero_()
    model.W_KQ1.zero_()
    says, weights, _, _, keys, query = inside(model, z)
    said = says.mean(1)
    excess = torch.softmax(said, -1) - torch.nn.functional.one_hot(y, 6)
    centred = keys - keys.mean(1, keepdim=True)
    lemma = torch.einsum("bk,btk,btd,be->de", excess, says, centred, query) / (len(z) * z.shape[1])
    found = key_query_gradient(attention_errors(says, weights, y), keys, query)
    torch.testing.assert_close(found, lemma, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("tokens", "length"), [(4, 3), (5, 5), (8, 6)])
def test_step_one_is_exact_on_all_sequences(tokens, length):
    z, y = all_sequences(tokens, length)
    assert len(z.unique(dim=0)) == len(z)
    model = ThreeSteps.start(one_hot_directions(tokens, length))
    model.step("W_OV2", 1.0, z, y)
    at = model.directions
    table = at.outputs @ model.W_OV2 @ at.tokens.mT * tokens * length
    own, other = first_output_step(tokens, length)
    expected = torch.full((tokens, tokens), other, dtype=torch.float64).fill_diagonal_(own)
    torch.testing.assert_close(table[:tokens], expected, rtol=1e-9, atol=1e-12)


def test_all_sequences_are_those_that_are_drawn(generator):
    z, y = all_sequences(4, 5)
    drawn, answers = draw_sequences(4, 5, 40_000, generator)
    both = torch.cat([z, y[:, None]], 1)
    seen, counts = torch.cat([drawn, answers[:, None]], 1).unique(dim=0, return_counts=True)
    known = {tuple(row) for row in both.tolist()}
    assert {tuple(row) for row in seen.tolist()} == known
    expected = 40_000 / len(both)
    assert ((counts - expected) ** 2 / expected).sum() < len(both) + 6 * (2 * len(both)) ** 0.5  # chi-square


def test_too_many_sequences_are_refused_before_they_are_made():
    with pytest.raises(SimonidesError, match="draw some"):
        all_sequences(64, 16)
