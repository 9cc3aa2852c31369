"""Optimisers against torch's own, and stacked runs against runs alone."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.training import SGD, Adam, NormalisedDescent, SignDescent, StackedModel, fit

FAMILY = {
    "sgd": lambda p, lr: SGD(p, lr),
    "momentum": lambda p, lr: SGD(p, lr, momentum=0.9),
    "adam": lambda p, lr: Adam(p, lr),
    "sign-like adam": lambda p, lr: Adam(p, lr, betas=(0.0, 0.0)),
    "sign": lambda p, lr: SignDescent(p, lr),
    "sign with momentum": lambda p, lr: SignDescent(p, lr, momentum=0.5),
    "normalised": lambda p, lr: NormalisedDescent(p, lr, stacked=isinstance(lr, torch.Tensor)),
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
