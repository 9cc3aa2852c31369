"""What every memory must do. A new kind is one line in KINDS."""

import pytest
import torch
from safetensors.torch import load_model, save_model

from simonides.base import SimonidesError
from simonides.memories import (
    HopfieldMemory,
    LinearMemory,
    LowRankMemory,
    MLPMemory,
    NearestMemory,
    SoftmaxMemory,
    WillshawMemory,
    embeddings,
    outer_products,
    recall,
)

D, FACTS, PATTERNS = 48, 20, 3


def stored(generators, runs=(), kind=""):
    facts = PATTERNS if kind == "hopfield" else FACTS
    if kind == "hopfield":
        inputs = outputs = embeddings.signs(facts, D, generators)
    elif kind == "willshaw":
        inputs, outputs = (embeddings.sparse_binary(facts, D, 4, generators) for _ in range(2))
    else:
        inputs, outputs = (embeddings.sphere(facts, D, generators) for _ in range(2))
    return inputs, outputs, torch.arange(facts).expand(*runs, facts)


KINDS = {
    "linear": lambda i, o, t, g: LinearMemory.store(i, o, t),
    "linear, pseudo-inverse": lambda i, o, t, g: LinearMemory.store(i, o, t, rule="pseudo_inverse"),
    "gaussian input side": lambda i, o, t, g: LowRankMemory.project(
        outer_products(i, o, t), 40, g, factor="gaussian"
    ),
    "orthonormal output side": lambda i, o, t, g: LowRankMemory.project(
        outer_products(i, o, t), 40, g, "output", "orthonormal"
    ),
    "truncated": lambda i, o, t, g: LowRankMemory.truncate(outer_products(i, o, t), FACTS),
    "mlp, degree 0": lambda i, o, t, g: MLPMemory.store(i, o, t, 4096, g, degree=0),
    "mlp, degree 1": lambda i, o, t, g: MLPMemory.store(i, o, t, 4096, g, degree=1),
    "mlp, gelu": lambda i, o, t, g: MLPMemory.store(i, o, t, 4096, g, degree=1, activation="gelu"),
    "mlp, thresholds": lambda i, o, t, g: MLPMemory.threshold(i, o, t, 0.4),
    "softmax": lambda i, o, t, g: SoftmaxMemory.store(i, o, t, beta=8.0),
    "nearest": lambda i, o, t, g: NearestMemory.store(i, o, t),
    "hopfield": lambda i, o, t, g: HopfieldMemory.store(i, o, t),
    "willshaw": lambda i, o, t, g: WillshawMemory.store(i, o, t),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def make(kind):
    return KINDS[kind]


def test_recalls_few_facts(make, kind, generator):
    inputs, outputs, targets = stored(generator, kind=kind)
    memory = make(inputs, outputs, targets, generator)
    assert (recall(memory(inputs), outputs) == targets).float().mean() >= 0.95


def test_states_its_parameters_and_bits(make, kind, generator):
    memory = make(*stored(generator, kind=kind), generator)
    kept = sum(p.numel() for p in memory.parameters())
    if kind == "hopfield":  # symmetric, with an empty diagonal
        kept = (kept - D) // 2
    assert memory.parameter_count == kept
    assert memory.bits == kept * (1 if kind == "willshaw" else 32)
    assert memory.double().bits == kept * (1 if kind == "willshaw" else 64)


def test_survives_safetensors(make, kind, generator, tmp_path):
    inputs, outputs, targets = stored(generator, kind=kind)
    memory = make(inputs, outputs, targets, generator)
    save_model(memory, tmp_path / "memory.safetensors")
    other = make(*stored(generator, kind=kind), generator)
    load_model(other, tmp_path / "memory.safetensors")
    assert torch.equal(other(inputs), memory(inputs))


def test_a_stack_is_its_runs(make, kind):
    def generators():
        return [torch.Generator().manual_seed(seed) for seed in range(3)]

    together = make(*stored(gs := generators(), (3,), kind), gs)
    query = torch.ones(3, 1, D)
    for run, generator in enumerate(generators()):
        alone = make(*stored(generator, kind=kind), generator)
        torch.testing.assert_close(together(query)[run], alone(query[run]))


def test_moves_to_another_type(make, kind, generator):
    memory = make(*stored(generator, kind=kind), generator).double()
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
