"""Storage weights and the population error of what they write."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.memories import LinearMemory, embeddings, storage_weights
from simonides.probes import population_errors, recalled


def test_weights():
    counts = torch.tensor([4, 0, 9, 1, 9])
    assert storage_weights(counts).tolist() == [1, 0, 1, 1, 1]
    assert storage_weights(counts, 1.0, keep=2).tolist() == [0, 0, 9, 0, 9]
    assert storage_weights(counts, 0.5, keep=1).tolist() == [0, 0, 3, 0, 0]
    assert storage_weights(counts, at_least=4).tolist() == [1, 0, 1, 0, 1]
    stacked = storage_weights(torch.stack([counts, counts.flip(0)]), keep=1)
    assert stacked.argmax(-1).tolist() == [2, 0]
    with pytest.raises(SimonidesError, match="not negative"):
        storage_weights(torch.tensor([1.0, -1.0]))
    with pytest.raises(SimonidesError, match="keep"):
        storage_weights(counts, keep=0)


def test_population_errors_are_those_of_the_matrix():
    generator = torch.Generator().manual_seed(0)
    inputs, outputs = embeddings.gaussian(60, 12, generator), embeddings.gaussian(4, 12, generator)
    targets = torch.randint(4, (60,), generator=generator)
    p, weights = torch.rand(60, generator=generator).softmax(0), torch.rand(3, 60, generator=generator)
    found = population_errors(inputs, outputs, targets, weights, p)
    for error, q in zip(found, weights, strict=True):
        memory = LinearMemory.store(inputs, outputs, targets, q)
        right = recalled(memory, inputs, outputs, targets)
        assert float(error) == pytest.approx(float((p * ~right).sum()), abs=1e-6)


def test_nothing_stored_is_nothing_recalled():
    eye = torch.eye(3)
    found = population_errors(eye, eye, torch.arange(3), torch.zeros(1, 3), torch.ones(3) / 3)
    assert found.tolist() == pytest.approx([1.0])
