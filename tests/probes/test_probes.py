"""Probes on matrices whose reading is known."""

import math

import pytest
import torch

from simonides.memories import LinearMemory, embeddings
from simonides.probes import accuracy, interference_spectrum, margin_summary, recalled, weight_spectrum


def test_accuracy_and_margins_against_the_full_table(generator):
    inputs, outputs = (embeddings.sphere(60, 16, generator) for _ in range(2))
    targets = torch.arange(60)
    memory = LinearMemory.store(inputs, outputs, targets)
    table = inputs @ memory.weight.T @ outputs.T
    right = table.argmax(1) == targets
    assert torch.equal(recalled(memory, inputs, outputs, targets), right)
    assert accuracy(memory, inputs, outputs, targets) == right.float().mean()
    rivals = table - torch.diag(torch.full((60,), torch.inf))
    margins = table.diagonal() - rivals.amax(1)
    summary = margin_summary(memory, inputs, outputs, targets)
    assert summary.least.item() == pytest.approx(margins.min().item(), abs=1e-5)
    assert summary.median.item() == pytest.approx(margins.quantile(0.5).item(), abs=1e-5)
    assert summary.positive == right.float().mean()


def test_any_map_can_be_probed(generator):
    """A layer of torch is read by what it returns, as a memory is."""
    e = embeddings.orthonormal(8, 8, generator)
    layer = torch.nn.Linear(8, 8, bias=False)
    layer.weight.data = e.T.roll(1, 1) @ e
    targets = (torch.arange(8) - 1) % 8
    assert accuracy(layer, e, e, targets).item() == 1.0


def test_spectrum_of_a_matrix_of_known_rank(generator):
    left, right = embeddings.orthonormal(3, 20, generator), embeddings.orthonormal(3, 20, generator)
    spectrum = weight_spectrum(left.T @ right)
    torch.testing.assert_close(spectrum.values[:3], torch.ones(3))
    assert spectrum.effective_rank.item() == pytest.approx(3, abs=1e-3)
    assert spectrum.energy[2].item() == pytest.approx(1, abs=1e-5)
    assert spectrum.energy[0].item() == pytest.approx(1 / 3, abs=1e-5)


def test_interference_grows_as_facts_over_width(generator):
    """For N >> d the largest singular value is of the order of N/d."""
    largest = []
    for facts in (1024, 4096):
        inputs, outputs = (embeddings.sphere(facts, 32, generator) for _ in range(2))
        weight = LinearMemory.store(inputs, outputs, torch.arange(facts)).weight
        largest.append(interference_spectrum(weight, inputs, outputs, torch.arange(facts)).values[0].item())
    assert math.log(largest[1] / largest[0]) / math.log(4) == pytest.approx(1, abs=0.2)


def test_orthonormal_inputs_leave_no_interference(generator):
    inputs = embeddings.orthonormal(12, 16, generator)
    outputs = embeddings.gaussian(12, 16, generator)
    weight = LinearMemory.store(inputs, outputs, torch.arange(12)).weight
    assert interference_spectrum(weight, inputs, outputs, torch.arange(12)).values.max() < 1e-5
