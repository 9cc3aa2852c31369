"""What every memory must do. A new kind is one line in KINDS."""

import pytest
import torch
from safetensors.torch import load_model, save_model

from simonides.errors import SimonidesError
from simonides.memories import LinearMemory, LowRankMemory, embeddings, outer_products, recall

D, FACTS = 48, 20


def stored(generators, runs=()):
    inputs, outputs = (embeddings.sphere(FACTS, D, generators) for _ in range(2))
    return inputs, outputs, torch.arange(FACTS).expand(*runs, FACTS)


KINDS = {
    "linear": lambda i, o, t, g: LinearMemory.store(i, o, t),
    "linear, pseudo-inverse": lambda i, o, t, g: LinearMemory.store(i, o, t, rule="pseudo_inverse"),
    "gaussian input side": lambda i, o, t, g: LowRankMemory.project(outer_products(i, o, t), 40, g),
    "orthonormal output side": lambda i, o, t, g: LowRankMemory.project(
        outer_products(i, o, t), 40, g, "output", "orthonormal"
    ),
    "truncated": lambda i, o, t, g: LowRankMemory.truncate(outer_products(i, o, t), FACTS),
}


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


def test_recalls_few_facts(make, generator):
    inputs, outputs, targets = stored(generator)
    memory = make(inputs, outputs, targets, generator)
    assert (recall(memory(inputs), outputs) == targets).float().mean() >= 0.95


def test_states_its_parameters(make, generator):
    memory = make(*stored(generator), generator)
    assert memory.parameter_count == sum(p.numel() for p in memory.parameters())


def test_survives_safetensors(make, generator, tmp_path):
    inputs, outputs, targets = stored(generator)
    memory = make(inputs, outputs, targets, generator)
    save_model(memory, tmp_path / "memory.safetensors")
    other = make(*stored(generator), generator)
    load_model(other, tmp_path / "memory.safetensors")
    assert torch.equal(other(inputs), memory(inputs))


def test_a_stack_is_its_runs(make):
    def generators():
        return [torch.Generator().manual_seed(seed) for seed in range(3)]

    together = make(*stored(gs := generators(), (3,)), gs)
    query = torch.ones(3, 1, D)
    for run, generator in enumerate(generators()):
        alone = make(*stored(generator), generator)
        torch.testing.assert_close(together(query)[run], alone(query[run]))


def test_moves_to_another_type(make, generator):
    memory = make(*stored(generator), generator).double()
    assert memory(torch.ones(1, D, dtype=torch.float64)).dtype == torch.float64


def test_truncation_is_the_best_of_its_rank(generator):
    weight = torch.randn(10, 8, generator=generator)
    memory = LowRankMemory.truncate(weight, 3)
    lost = (weight - memory.left @ memory.right).square().sum()
    torch.testing.assert_close(lost, torch.linalg.svdvals(weight)[3:].square().sum())


def test_projection_is_the_identity_on_average():
    """sum_i v_i v_i^T has mean I for both kinds of directions."""
    generators = [torch.Generator().manual_seed(seed) for seed in range(2000)]
    for factor in ("gaussian", "orthonormal"):
        memory = LowRankMemory.project(torch.eye(6).expand(2000, 6, 6), 3, generators, "output", factor)
        mean = (memory.left @ memory.right).mean(0)
        torch.testing.assert_close(mean, torch.eye(6), atol=0.08, rtol=0)


@pytest.mark.parametrize("rank", [0, 9, -1])
def test_rank_must_fit(rank, generator):
    with pytest.raises(SimonidesError, match="does not fit a width of 8"):
        LowRankMemory.project(torch.eye(8), rank, generator)
