"""Optimisers against torch's own, and stacked runs against runs alone."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.training import (
    SGD,
    AdagradScaling,
    Adam,
    AdamScaling,
    AdamW,
    Adan,
    Chain,
    ClipNorm,
    Momentum,
    Muon,
    NormalisedDescent,
    Orthogonalise,
    Sign,
    SignDescent,
    StackedModel,
    WeightDecay,
    fit,
)

FAMILY = {
    "sgd": lambda p, lr: SGD(p, lr),
    "momentum": lambda p, lr: SGD(p, lr, momentum=0.9),
    "adam": lambda p, lr: Adam(p, lr),
    "sign-like adam": lambda p, lr: Adam(p, lr, betas=(0.0, 0.0)),
    "sign": lambda p, lr: SignDescent(p, lr),
    "sign with momentum": lambda p, lr: SignDescent(p, lr, momentum=0.5),
    "normalised": lambda p, lr: NormalisedDescent(p, lr),
    "momentum of the normalised": lambda p, lr: NormalisedDescent(p, lr, momentum=0.9, momentum_last=True),
    "momentum of the signs": lambda p, lr: SignDescent(p, lr, momentum=0.9, momentum_last=True),
    "scaled sign": lambda p, lr: Chain(p, lr, [Sign(scaled=True)]),
    "clipped": lambda p, lr: Chain(p, lr, [ClipNorm(0.1), Momentum(0.5, average=True)]),
    "adagrad": lambda p, lr: Chain(p, lr, [AdagradScaling()]),
    "decayed": lambda p, lr: Chain(p, lr, [AdamScaling(), WeightDecay(0.1)]),
    "muon": lambda p, lr: Muon(p, lr),
}


def model(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()


def error(model, batch):
    inputs, wanted = batch
    return (model(inputs) - wanted).square().mean()


@pytest.mark.parametrize("name", FAMILY)
def test_a_stack_equals_its_runs_one_at_a_time(name):
    rates = torch.tensor([0.01, 0.05, 0.1], dtype=torch.float64)
    inputs, wanted = torch.randn(3, 8, 3, dtype=torch.float64), torch.randn(3, 8, 2, dtype=torch.float64)
    stacked = StackedModel([model(seed) for seed in range(3)])
    fit(
        stacked,
        lambda m, batch: m.each(error, batch),
        lambda g: (inputs, wanted),
        lambda p: FAMILY[name](p, rates),
        steps=20,
        generator=torch.Generator(),
    )
    for run in range(3):
        alone = model(run)
        fit(
            alone,
            error,
            lambda g, run=run: (inputs[run], wanted[run]),
            lambda p, run=run: FAMILY[name](p, float(rates[run])),
            steps=20,
            generator=torch.Generator(),
        )
        for got, expected in zip(stacked.run(run).parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda p: SGD(p, 0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (lambda p: Adam(p, 0.01), lambda p: torch.optim.Adam(p, 0.01)),
        (lambda p: Adam(p, 0.01, betas=(0.5, 0.9)), lambda p: torch.optim.Adam(p, 0.01, betas=(0.5, 0.9))),
        (
            lambda p: SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
        ),
        (
            lambda p: Chain(p, 0.01, [AdamScaling(), WeightDecay(0.1)]),
            lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
        ),
        (lambda p: Chain(p, 0.1, [AdagradScaling()]), lambda p: torch.optim.Adagrad(p, 0.1)),
    ],
)
def test_equals_torchs(ours, theirs):
    one, other = model(0), model(0)
    inputs, wanted = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    for net, make in ((one, ours), (other, theirs)):
        fit(net, error, lambda g: (inputs, wanted), make, steps=30, generator=torch.Generator())
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_normalised_steps_have_the_length_of_the_rate():
    p = torch.nn.Parameter(torch.zeros(2, 3))
    p.grad = torch.randn(2, 3)
    NormalisedDescent([p], 0.5).step()
    assert p.norm().item() == pytest.approx(0.5)
    p.grad = torch.zeros(2, 3)
    before = p.detach().clone()
    NormalisedDescent([p], 0.5).step()
    assert torch.equal(p, before), "no direction, no step, and no NaN"


def test_refusals():
    p = torch.nn.Parameter(torch.zeros(2, 3))
    with pytest.raises(SimonidesError, match="its first axis must be the runs"):
        SGD([p], torch.ones(3))
    with pytest.raises(SimonidesError, match="finite"):
        SGD([p], float("nan"))
    with pytest.raises(SimonidesError, match="betas"):
        Adam([p], 0.1, betas=(1.0, 0.9))


def test_orthogonalised_steps_are_nearly_so():
    matrices = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
    (found,) = Orthogonalise()([matrices], [matrices], [{}], stacked=True)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6 and values.max() < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(found.flatten(1), (left @ right).flatten(1)).min() > 0.95


def test_muon_is_torchs_up_to_its_short_type():
    one, other = model(0)[0].float(), model(0)[0].float()
    one.bias.requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    ours, theirs = Muon([one.weight], 0.1), torch.optim.Muon([other.weight], lr=0.1, weight_decay=0.0)
    for _ in range(5):
        gradient = torch.randn(4, 3, generator=generator)
        one.weight.grad, other.weight.grad = gradient, gradient.clone()
        ours.step()
        theirs.step()
    # torch's iteration is in bfloat16
    moved, wanted = one.weight - model(0)[0].weight.float(), other.weight - model(0)[0].weight.float()
    torch.testing.assert_close(moved, wanted, rtol=0.05, atol=0.02)


def test_adan_is_its_definition():
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(3, 2, generator=generator).requires_grad_()
    target = torch.randn(3, 2, generator=generator)
    expected = w.detach().clone().double()
    optimiser = Adan([w], 0.1, weight_decay=0.01)
    m, v, n, before = (torch.zeros(3, 2, dtype=torch.float64) for _ in range(4))
    for step in range(1, 8):
        gradient = (expected - target) * 3
        difference = gradient - before if step > 1 else torch.zeros_like(gradient)
        m = 0.98 * m + 0.02 * gradient
        v = 0.92 * v + 0.08 * difference
        n = 0.99 * n + 0.01 * (gradient + 0.92 * difference) ** 2
        top = m / (1 - 0.98**step) + 0.92 * v / (1 - 0.92**step)
        expected = expected - 0.1 * (top / ((n / (1 - 0.99**step)).sqrt() + 1e-8) + 0.01 * expected)
        before = gradient
        optimiser.zero_grad()
        (1.5 * (w - target).square().sum()).backward()
        optimiser.step()
    torch.testing.assert_close(w.detach(), expected.float(), rtol=1e-4, atol=1e-5)


def test_adamw_is_torchs_for_matrices_and_spares_vectors():
    generator = torch.Generator().manual_seed(0)
    matrix, vector = torch.randn(3, 2, generator=generator), torch.randn(1, 4, 1, generator=generator)
    ours = [matrix.clone().requires_grad_(), vector.clone().requires_grad_()]
    theirs = [matrix.clone().requires_grad_(), vector.clone().requires_grad_()]
    one = AdamW(ours, 0.01, weight_decay=0.1)
    other = torch.optim.AdamW(
        [{"params": theirs[:1], "weight_decay": 0.1}, {"params": theirs[1:], "weight_decay": 0.0}], 0.01
    )
    for _ in range(5):
        for optimiser, parameters in ((one, ours), (other, theirs)):
            optimiser.zero_grad()
            sum(p.pow(4).sum() for p in parameters).backward()
            optimiser.step()
    for p, q in zip(ours, theirs, strict=True):
        # the chain decays with the step, torch before it: they differ by rate^2 decay
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
