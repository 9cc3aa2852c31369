"""The particle system against gradient descent on the matrix by autograd."""

import pytest
import torch

from simonides.base import SimonidesError, zipf
from simonides.memories import embeddings
from simonides.tasks import many_to_one
from simonides.training import Particles, batch_counts


def setting(runs=3, n=7, m=3, d=5):
    generators = [torch.Generator().manual_seed(seed) for seed in range(runs)]
    inputs = embeddings.gaussian(n, d, generators).double()
    outputs = embeddings.sphere(m, d, generators).double()
    return inputs, outputs, many_to_one(n, m), zipf(n, 1.0), generators


def test_scores_move_as_the_matrix_does():
    inputs, outputs, targets, p, generators = setting()
    weights = batch_counts(p, 20, 4, generators)
    weight = embeddings.gaussian(5, 5, generators).double().requires_grad_()
    particles = Particles.of(inputs, outputs, targets, p, weight.detach())
    rates = torch.tensor([0.5, 1.0, 20.0])
    found = particles.descend(20, lambda step: rates / (1 + step), weights)
    for step in range(20):
        logits = inputs @ weight.mT @ outputs.mT
        nats = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.repeat(3), reduction="none"
        ).reshape(3, -1)
        torch.testing.assert_close(found.loss[:, step], (nats * p).sum(1))
        (gradient,) = torch.autograd.grad((nats * weights[:, step]).sum(), weight)
        weight = (weight - (rates / (1 + step))[:, None, None] * gradient).detach().requires_grad_()
    logits = (inputs @ weight.mT @ outputs.mT).detach()
    torch.testing.assert_close(found.scores, logits, rtol=1e-9, atol=1e-9)
    right = logits.argmax(-1) == targets
    torch.testing.assert_close(found.error[:, -1], ((~right) * p).sum(1))
    torch.testing.assert_close(found.margins[:, -1] > 0, right)


def test_a_stack_equals_its_runs_and_notes_are_taken_where_wanted():
    inputs, outputs, targets, p, _ = setting()
    whole = Particles.of(inputs, outputs, targets, p).descend(10, 1.0, record=[0, 3, 10])
    assert whole.steps.tolist() == [0, 3, 10]
    for run in range(3):
        alone = Particles.of(inputs[run : run + 1], outputs[run : run + 1], targets, p).descend(10, 1.0)
        torch.testing.assert_close(alone.loss[0, [0, 3, 10]], whole.loss[run])


def test_counts_are_shares_of_a_batch():
    p = torch.tensor([0.5, 0.3, 0.2])
    found = batch_counts(p, 2000, 8, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found.sum(-1), torch.ones(2000, dtype=torch.float64))
    torch.testing.assert_close(found.mean(0), p.double(), atol=0.02, rtol=0)


def test_sizes_must_agree():
    inputs, outputs, targets, p, _ = setting()
    with pytest.raises(SimonidesError, match="7 inputs, 7 targets and 6 probabilities"):
        Particles.of(inputs, outputs, targets, p[:6])


def test_a_published_loss_spike():
    """Two tokens at cosine 0.95, p = 3/4: Cabannes, Simsek & Bietti (2024), figure 2; independent values."""
    inputs = torch.tensor([[[1.0, 0.0], [0.95, (1 - 0.95**2) ** 0.5]]], dtype=torch.float64)
    particles = Particles.of(inputs, torch.eye(2)[None], torch.arange(2), torch.tensor([0.75, 0.25]).double())
    large = particles.descend(34, 10.0)
    expected = [0.693, 1.163, 0.498, 0.753, 0.644, 1.349, 0.290, 0.334, 0.559]
    assert large.loss[0, :9].tolist() == pytest.approx(expected, abs=6e-4)
    assert float(large.error[0, -1]) == 0
    small = particles.descend(60, 1.0)
    assert float(small.loss[0, 34]) == pytest.approx(0.372, abs=6e-4)
    assert (small.loss.diff() < 0).all()
    assert int((small.error[0, 1:] == 0).nonzero()[0]) + 1 == 52


@pytest.mark.parametrize(
    ("rate", "losses"),
    [
        (3.0, [1.125, 0.819, 0.731, 0.653, 0.597]),
        (10.0, [1.525, 0.687, 0.694, 0.640, 0.535]),
        (20.0, [2.754, 1.615, 1.362, 0.910, 0.933]),
    ],
)
def test_five_published_particles(rate, losses):
    """Figure 6 of the same in three dimensions, seed 43: embeddings drawn as there, inputs first."""
    generator = torch.Generator().manual_seed(43)
    e, u = (torch.randn(5, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    e, u = (rows / rows.norm(dim=1, keepdim=True) for rows in (e, u))
    particles = Particles.of(e[None], u[None], torch.arange(5), zipf(5, 1.0))
    found = particles.descend(99, rate, record=[1, 5, 10, 29, 99])
    assert found.loss[0].tolist() == pytest.approx(losses, abs=2e-3)
