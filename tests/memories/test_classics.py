import pytest
import torch

from simonides.base import SimonidesError
from simonides.memories import HopfieldMemory, WillshawMemory, embeddings


def test_hopfield_completes_a_damaged_pattern(generator):
    patterns = embeddings.signs(5, 200, generator)
    memory = HopfieldMemory.store(patterns, patterns, torch.arange(5))
    damaged = patterns.clone()
    damaged[:, :40] *= -1
    assert torch.equal(memory(damaged), patterns)


def test_hopfield_rests_where_no_entry_wants_to_change(generator):
    patterns = embeddings.signs(30, 150, generator)
    memory = HopfieldMemory.store(patterns, patterns, torch.arange(30), updates=200)
    rest = memory(embeddings.signs(20, 150, generator))
    assert ((rest @ memory.weight.mT) * rest).min() > -1e-5


def test_hopfield_lowers_its_energy(generator):
    patterns = embeddings.signs(30, 150, generator)
    memory = HopfieldMemory.store(patterns, patterns, torch.arange(30))
    query = embeddings.signs(20, 150, generator)

    def energy(state):
        return -0.5 * torch.einsum("qi,ij,qj->q", state, memory.weight, state)

    assert (energy(memory(query)) <= energy(query)).all()


def test_hopfield_wants_signs_and_itself(generator):
    patterns = embeddings.signs(3, 10, generator)
    with pytest.raises(SimonidesError, match="-1 and 1"):
        HopfieldMemory.store(patterns / 2, patterns, torch.arange(3))
    with pytest.raises(SimonidesError, match="auto-associative"):
        HopfieldMemory.store(patterns, -patterns, torch.arange(3))


def test_willshaw_never_misses_a_one_and_is_clipped(generator):
    inputs, outputs = (embeddings.sparse_binary(60, 64, 5, generator) for _ in range(2))
    memory = WillshawMemory.store(inputs, outputs, torch.arange(60))
    expected = (torch.einsum("xj,xi->ji", outputs, inputs) > 0).float()
    assert torch.equal(memory.weight.data, expected)
    assert (memory(inputs) >= outputs).all()


def test_willshaw_wants_zeros_and_ones(generator):
    inputs = embeddings.sphere(3, 8, generator)
    with pytest.raises(SimonidesError, match="0 and 1"):
        WillshawMemory.store(inputs, inputs, torch.arange(3))


def test_patterns_have_the_ones_asked_for(generator):
    assert (embeddings.sparse_binary(20, 32, 6, generator).sum(-1) == 6).all()
    with pytest.raises(SimonidesError, match="does not fit"):
        embeddings.sparse_binary(3, 4, 5, generator)
