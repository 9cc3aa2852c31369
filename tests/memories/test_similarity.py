import pytest
import torch

from simonides.base import SimonidesError
from simonides.memories import NearestMemory, SoftmaxMemory, embeddings


def drawn(generator, facts=40, d=8):
    return (*(embeddings.sphere(facts, d, generator).double() for _ in range(2)), torch.arange(facts))


def test_softmax_is_its_formula(generator):
    inputs, outputs, targets = drawn(generator)
    query = torch.randn(7, 8, generator=generator).double()
    expected = torch.softmax(3.0 * query @ inputs.T, -1) @ outputs
    torch.testing.assert_close(SoftmaxMemory.store(inputs, outputs, targets, 3.0)(query), expected)


def test_nearest_is_softmax_at_infinite_beta(generator):
    inputs, outputs, targets = drawn(generator)
    query = torch.randn(7, 8, generator=generator).double()
    nearest = NearestMemory.store(inputs, outputs, targets)(query)
    torch.testing.assert_close(SoftmaxMemory.store(inputs, outputs, targets, 1e6)(query), nearest)


def test_many_to_one(generator):
    inputs, outputs, _ = drawn(generator)
    targets = torch.arange(40) % 3
    assert torch.equal(NearestMemory.store(inputs, outputs, targets)(inputs), outputs[targets])


def test_gradients_reach_the_query(generator):
    inputs, outputs, targets = drawn(generator)
    query = inputs[:2].clone().requires_grad_()
    SoftmaxMemory.store(inputs, outputs, targets, 2.0)(query).sum().backward()
    assert query.grad.abs().sum() > 0


@pytest.mark.parametrize("beta", [0.0, -1.0, float("nan")])
def test_beta_must_be_positive(beta, generator):
    with pytest.raises(SimonidesError, match="inverse temperature"):
        SoftmaxMemory.store(*drawn(generator), beta)


def test_noisy_queries_have_the_cosine_asked_for(generator):
    inputs = embeddings.sphere(50, 16, generator)
    query = embeddings.at_cosine(inputs, 0.7, generator)
    torch.testing.assert_close((query * inputs).sum(-1), torch.full((50,), 0.7))
    torch.testing.assert_close(query.norm(dim=-1), torch.ones(50))
    with pytest.raises(SimonidesError, match="outside"):
        embeddings.at_cosine(inputs, 1.5, generator)
