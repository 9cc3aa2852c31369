import pytest
import torch
from torch import nn

from simonides.base import SimonidesError, coefficient
from simonides.base.hermite import hermite
from simonides.memories import MLPMemory, derivative, embeddings, token_query


def drawn(facts, d, generator):
    return (
        embeddings.sphere(facts, d, generator).double(),
        embeddings.sphere(facts, d, generator).double(),
        torch.arange(facts),
    )


def linearised(query, inputs, outputs, w, p, degree):
    """(1/m) sum_i p_i s'(<w_i, e>) <q_i, e> / c_k for ReLU, written as in the paper."""
    q = torch.einsum("xi,xi,xd->id", hermite(degree, inputs @ w.T), outputs @ p.T, inputs)
    step = (query @ w.T > 0).double()
    scale = coefficient(lambda z: (z > 0).to(z), degree)
    return (step * (query @ q.T)) @ p / len(w) / scale


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_is_the_linearised_memory(degree, generator):
    inputs, outputs, targets = drawn(20, 16, generator)
    memory = MLPMemory.store(inputs, outputs, targets, 64, torch.Generator().manual_seed(5), degree)
    draws = torch.Generator().manual_seed(5)
    w, p = (torch.randn(32, 16, generator=draws).double() for _ in range(2))
    expected = linearised(inputs, inputs, outputs, w, p, degree)
    torch.testing.assert_close(memory(inputs), expected, rtol=1e-4, atol=1e-4)


def test_many_units_return_the_power_of_the_overlaps(generator):
    """E[G(e)] = sum_x u_{f(x)} <e, e_x>^{k+1}."""
    inputs, outputs, targets = drawn(6, 8, generator)
    memory = MLPMemory.store(inputs, outputs, targets, 400_000, generator, degree=1)
    torch.testing.assert_close(memory(inputs), (inputs @ inputs.T) ** 2 @ outputs, rtol=0, atol=0.05)


def test_is_two_linear_layers(generator):
    memory = MLPMemory(
        torch.randn(7, 4, generator=generator),
        torch.randn(3, 7, generator=generator),
        "gelu",
        torch.randn(7, generator=generator),
    )
    network = nn.Sequential(nn.Linear(4, 7), nn.GELU(), nn.Linear(7, 3, bias=False))
    network[0].weight.data, network[0].bias.data = memory.hidden_weight.data, memory.hidden_bias.data
    network[2].weight.data = memory.output_weight.data
    query = torch.randn(5, 4, generator=generator)
    torch.testing.assert_close(memory(query), network(query))


def test_blocks_change_nothing(generator, monkeypatch):
    inputs, outputs, targets = (x.float() if x.is_floating_point() else x for x in drawn(30, 16, generator))
    whole = MLPMemory.store(inputs, outputs, targets, 64, torch.Generator().manual_seed(1))
    monkeypatch.setattr("simonides.memories.mlp._BLOCK", 200)
    parts = MLPMemory.store(inputs, outputs, targets, 64, torch.Generator().manual_seed(1))
    torch.testing.assert_close(parts.hidden_weight, whole.hidden_weight)
    torch.testing.assert_close(parts(inputs), whole(inputs), rtol=1e-3, atol=1e-3)


def test_two_tokens_are_recalled_with_the_right_activation_and_not_with_relu(generator):
    subjects = embeddings.sphere(5, 64, generator).repeat_interleave(5, 0)
    relations = embeddings.sphere(5, 64, generator).repeat(5, 1)
    outputs, targets = embeddings.sphere(25, 64, generator), torch.arange(25)
    memory = MLPMemory.store_tokens([subjects, relations], outputs, targets, 4096, generator)
    answers = memory(token_query([subjects, relations])) @ outputs.T
    assert (answers.argmax(-1) == targets).float().mean() >= 0.96
    with pytest.raises(SimonidesError, match="no Hermite coefficient of degree 2"):
        MLPMemory.store_tokens([subjects, relations], outputs, targets, 64, generator, activation="relu")


def test_relu_has_no_degree_two(generator):
    inputs, outputs, targets = drawn(4, 8, generator)
    with pytest.raises(SimonidesError, match="degree 2"):
        MLPMemory.store(inputs, outputs, targets, 64, generator, degree=2)


@pytest.mark.parametrize(("width", "message"), [(7, "odd"), (0, "too small")])
def test_width_must_fit(width, message, generator):
    with pytest.raises(SimonidesError, match=message):
        MLPMemory.store(*drawn(4, 8, generator), width, generator)


def test_an_unknown_activation_is_named():
    with pytest.raises(SimonidesError, match="relu"):
        MLPMemory(torch.zeros(2, 2), torch.zeros(2, 2), "rellu")


def test_threshold_is_its_formula(generator):
    inputs, outputs, targets = drawn(9, 6, generator)
    memory = MLPMemory.threshold(inputs, outputs, targets, 0.2)
    torch.testing.assert_close(memory(inputs), torch.relu(inputs @ inputs.T - 0.2) @ outputs)


def test_derivative_is_autograds():
    z = torch.linspace(-2, 2, 9)
    torch.testing.assert_close(derivative(torch.tanh)(z), 1 - torch.tanh(z) ** 2)
