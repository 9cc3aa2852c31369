"""`teleport` and `Teleported` on modules and optimisers as users have them."""

import copy

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.teleportation.teleporting import teleport
from simonides.papers.teleportation.wrapper import Teleported


@pytest.fixture
def problem():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Softplus(), torch.nn.Linear(8, 1)).double()
    x, y = torch.randn(40, 5).double(), torch.randn(40, 1).double()

    def loss():
        penalty = sum(parameter.square().sum() for parameter in model.parameters())
        return (model(x) - y).square().mean() + 0.01 * penalty

    return model, loss


def gradient_norm(model, loss):
    gradients = torch.autograd.grad(loss(), list(model.parameters()))
    return float(torch.cat([gradient.flatten() for gradient in gradients]).norm())


def test_the_gradient_grows_and_the_loss_does_not(problem):
    model, loss = problem
    f0, g0 = loss().item(), gradient_norm(model, loss)
    report = teleport(model, loss, steps=20)
    assert report.f0 == pytest.approx(f0) and report.g0 == pytest.approx(g0)
    assert loss().item() <= f0 * (1 + 1e-9)
    assert report.g1 == pytest.approx(gradient_norm(model, loss)) and report.g1 > 2 * g0
    assert report.hvps <= 20 and report.distance > 0
    assert report.cost == report.forwards + 2 * report.gradients + 5 * report.hvps


def test_what_is_not_the_weights_is_left_as_it_was(problem):
    model, _ = problem
    model = torch.nn.Sequential(model, torch.nn.BatchNorm1d(1).double())
    x, y = torch.randn(40, 5).double(), torch.randn(40, 1).double()

    def loss():
        torch.rand(1)  # draws, and uses it for nothing
        return (model(x) - y).square().mean()

    loss().backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    buffers = [buffer.clone() for buffer in model.buffers()]
    random = torch.get_rng_state()
    frozen = next(model.parameters())
    frozen.requires_grad_(False)
    before = frozen.clone()
    teleport(model, loss, steps=5)
    assert torch.equal(frozen, before)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert all(torch.equal(b, old) for b, old in zip(model.buffers(), buffers, strict=True))
    assert torch.equal(torch.get_rng_state(), random)


def test_single_precision_and_parameters_alone(problem):
    model, _ = problem
    model = model.float()
    x, y = torch.randn(40, 5), torch.randn(40, 1)

    def loss():
        return (model(x) - y).square().mean() + 0.01 * sum(p.square().sum() for p in model.parameters())

    f0 = loss().item()
    report = teleport(list(model.parameters()), loss, steps=10)
    assert loss().item() <= f0 * (1 + 1e-4) and report.g1 > report.g0
    with torch.autocast("cpu", torch.bfloat16):
        mixed = teleport(model, loss, steps=2, tolerance=1e-2)
    assert mixed.g1 >= mixed.g0


def test_the_reference_says_where_it_ends(problem):
    model, loss = problem
    report = teleport(model, loss, steps=10, solver="reference")
    assert report.f1 == pytest.approx(loss().item())


def dropout(model):
    layers = torch.nn.Sequential(model, torch.nn.Dropout(0.5))
    x = torch.randn(9, 5).double()
    return layers, lambda: layers(x).square().mean()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m, f: (m, lambda: f().detach()), "has no graph"),
        (lambda m, f: (m, lambda: f().item()), "returned float"),
        (lambda m, f: (m, lambda: torch.stack([f(), f()])), "shape"),
        (lambda m, f: (m, lambda: f() * torch.inf), "the loss is inf"),
        (lambda m, f: dropout(m), "1 in training mode"),
        (lambda m, f: (m.half(), f), "master weights"),
        (lambda m, f: (m.requires_grad_(False), f), "no parameter that is trained"),
        (lambda m, f: (next(m.parameters()), f), "one tensor"),
    ],
)
def test_what_cannot_be_teleported_is_refused(problem, make, message, unchecked):
    given, closure = make(*problem)
    with pytest.raises(SimonidesError, match=message):
        teleport(given, closure)


def test_a_closure_that_calls_backward_is_refused_and_adds_to_no_gradient(problem):
    model, loss = problem
    loss().backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    before = [parameter.clone() for parameter in model.parameters()]

    def lbfgs_style():
        value = loss()
        value.backward()
        return value

    with pytest.raises(SimonidesError, match="calls backward"):
        teleport(model, lbfgs_style)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


def test_weights_are_put_back_when_a_closure_breaks(problem):
    model, loss = problem
    before = [parameter.clone() for parameter in model.parameters()]
    calls = []

    def breaks():
        calls.append(1)
        if len(calls) > 6:
            raise RuntimeError("no more")
        return loss()

    with pytest.raises(RuntimeError, match="no more"):
        teleport(model, breaks)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.01),
    "momentum": lambda p: torch.optim.SGD(p, 0.01, momentum=0.9),
    "adam": lambda p: torch.optim.AdamW(p, 0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01),
    "lbfgs": lambda p: torch.optim.LBFGS(p, 0.1, max_iter=4),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_without_teleports_the_steps_are_the_wrapped_ones(problem, name):
    model, _ = problem
    other = copy.deepcopy(model)
    plain = OPTIMISERS[name](other.parameters())
    wrapped = Teleported(OPTIMISERS[name](model.parameters()), every=1000)
    x, y = torch.randn(30, 5).double(), torch.randn(30, 1).double()

    def plain_closure():
        plain.zero_grad()
        value = (other(x) - y).square().mean()
        value.backward()
        return value

    for _ in range(5):
        plain.step(plain_closure)
        wrapped.step(lambda: (model(x) - y).square().mean())
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_teleports_come_where_they_were_asked_for(problem, name):
    model, loss = problem
    wrapped = Teleported(OPTIMISERS[name](model.parameters()), at=[0, 3], steps=5)
    for _ in range(5):
        wrapped.step(loss)
    assert [done for done, _ in wrapped.reports] == [0, 3]
    assert all(report.g1 >= report.g0 for _, report in wrapped.reports)
    whenever = Teleported(
        OPTIMISERS[name](model.parameters()), when=lambda done, value: done == 2 and value > 0, steps=2
    )
    for _ in range(3):
        whenever.step(loss)
    assert [done for done, _ in whenever.reports] == [2]


def test_plain_loops_with_accumulation_and_an_objective(problem):
    model, loss = problem
    wrapped = Teleported(torch.optim.SGD(model.parameters(), 0.01), loss, every=2, steps=3)
    for _ in range(4):
        wrapped.zero_grad()
        for _ in range(2):
            (loss() / 2).backward()
        wrapped.step()
    assert [done for done, _ in wrapped.reports] == [2, 4]


def test_both_conventions_of_closures(problem):
    model, loss = problem
    wrapped = Teleported(torch.optim.SGD(model.parameters(), 0.01), loss, every=1, steps=2)

    def lbfgs_style():
        wrapped.zero_grad()
        value = loss()
        value.backward()
        return value

    wrapped.step(lbfgs_style)
    assert len(wrapped.reports) == 1
    alone = Teleported(torch.optim.SGD(model.parameters(), 0.01), every=1, steps=2)
    with pytest.raises(SimonidesError, match="calls backward"):
        alone.step(lbfgs_style)
    with pytest.raises(SimonidesError, match="no objective"):
        Teleported(torch.optim.SGD(model.parameters(), 0.01), every=1).step()
    with pytest.raises(SimonidesError, match="stale"):
        Teleported(torch.optim.SGD(model.parameters(), 0.01), loss, at=[0]).step()


def test_schedulers_groups_and_state(problem):
    model, loss = problem
    wrapped = Teleported(
        torch.optim.SGD(model[0].parameters(), 0.1, momentum=0.9), loss, every=3, steps=2, momentum="keep"
    )
    wrapped.add_param_group({"params": list(model[2].parameters()), "lr": 0.05})
    scheduler = torch.optim.lr_scheduler.StepLR(wrapped, 1, gamma=0.5)
    for _ in range(4):
        wrapped.step(loss)
        scheduler.step()
    assert [group["lr"] for group in wrapped.optimiser.param_groups] == pytest.approx([0.1 / 16, 0.05 / 16])
    assert wrapped.param_groups is wrapped.optimiser.param_groups and len(wrapped.state) == 4

    other = Teleported(torch.optim.SGD(model[0].parameters(), 0.1, momentum=0.9), loss, every=3, steps=2)
    other.add_param_group({"params": list(model[2].parameters()), "lr": 0.05})
    other.load_state_dict(copy.deepcopy(wrapped.state_dict()))
    assert other.done == 4 and other.param_groups[0]["lr"] == pytest.approx(0.1 / 16)
    assert other.param_groups is other.optimiser.param_groups
    with pytest.raises(SimonidesError, match="not wrapped"):
        other.load_state_dict(torch.optim.SGD(model.parameters(), 0.1).state_dict())


def test_momentum_is_dropped_or_kept(problem):
    model, loss = problem
    for momentum, kept in ((None, False), ("keep", True), ("reset", False)):
        wrapped = Teleported(
            torch.optim.SGD(model.parameters(), 0.01, momentum=0.9), loss, every=1, steps=2, momentum=momentum
        )
        wrapped.step(loss)
        assert any("momentum_buffer" in state for state in wrapped.state.values()) is kept
    adam = Teleported(torch.optim.Adam(model.parameters(), 0.01), loss, every=1, steps=2)
    adam.step(loss)
    assert all("exp_avg" in state for state in adam.state.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give one of"),
        ({"every": 1, "at": [1]}, "give one of"),
        ({"every": 0}, "every"),
        ({"at": [-1]}, "0 or more"),
        ({"every": 1, "momentum": "carry"}, "'keep' or 'reset'"),
        ({"every": 1, "closure": None}, "not an option"),
    ],
)
def test_wrong_settings_are_refused(problem, options, message, unchecked):
    model, _ = problem
    with pytest.raises(SimonidesError, match=message):
        Teleported(torch.optim.SGD(model.parameters(), 0.01), **options)
    with pytest.raises(SimonidesError, match=r"give a torch\.optim\.Optimizer"):
        Teleported(model, every=1)


def test_a_parameter_given_twice_is_one(problem, unchecked):
    model, loss = problem
    other = copy.deepcopy(model)
    parameters = list(model.parameters())
    report = teleport(parameters + parameters, loss, steps=5)
    assert report.g1 == pytest.approx(gradient_norm(model, loss))
    shared = [torch.nn.Parameter(parameters[0].data), *other.parameters()]
    with pytest.raises(SimonidesError, match="share their memory"):
        teleport([parameters[0], *shared], loss)
    for given in (model.named_parameters(), {"a": parameters[0]}, None, 3):
        with pytest.raises(SimonidesError, match="parameters"):
            teleport(given, loss)


def test_it_works_where_gradients_are_off(problem):
    model, loss = problem
    with torch.no_grad():
        report = teleport(model, loss, steps=3)
    assert report.g1 > report.g0
    with torch.inference_mode(), pytest.raises(SimonidesError, match="inference_mode"):
        teleport(model, loss, steps=3)


def test_buffers_of_a_module_are_left_when_parameters_are_given():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1)).double()
    x = torch.randn(20, 3).double()

    def loss():
        return model(x).square().mean() + 0.1 * sum(p.square().sum() for p in model.parameters())

    before = [buffer.clone() for buffer in model.buffers()]
    teleport(model.parameters(), loss, steps=3, module=model)
    Teleported(torch.optim.SGD(model.parameters(), 0.0), loss, every=1, steps=2, module=model)
    assert all(torch.equal(a, b) for a, b in zip(model.buffers(), before, strict=True))


def test_only_what_the_optimiser_holds_is_moved(problem):
    model, loss = problem
    before = model[0].weight.clone()
    Teleported(torch.optim.SGD(model[2].parameters(), 0.01), loss, every=1, steps=3, module=model).step(loss)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("kind", ["clears", "float"])
def test_closures_that_make_no_gradients(problem, kind):
    model, loss = problem
    wrapped = Teleported(torch.optim.SGD(model.parameters(), 0.05), loss, every=1000)

    def clears():
        wrapped.zero_grad()
        return loss()

    if kind == "clears":
        seen = [float(wrapped.step(clears)) for _ in range(5)]
        assert (np.diff(seen) < 0).all()
    else:
        with pytest.raises(SimonidesError, match="made no gradients"):
            wrapped.step(lambda: float(loss().detach()))


def test_copies_and_hooks_and_a_wrapped_optimiser_that_is_loaded(problem):
    import pickle

    model, loss = problem
    inner = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    wrapped = Teleported(inner, every=2, steps=2)
    wrapped.step(loss)
    copied = copy.deepcopy(wrapped)
    assert copied.done == 1 and copied.param_groups is copied.optimiser.param_groups
    assert (
        pickle.loads(
            pickle.dumps(Teleported(torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], 0.1), every=2))
        ).done
        == 0
    )
    inner.load_state_dict(inner.state_dict())
    torch.optim.lr_scheduler.StepLR(wrapped, 1, gamma=0.5)
    wrapped.param_groups[0]["lr"] = 0.025
    assert inner.param_groups[0]["lr"] == 0.025
    seen = []
    wrapped.register_state_dict_post_hook(lambda optimiser, state: seen.append(1))
    wrapped.state_dict()
    assert seen == [1]
    for options in ({"steps": 0}, {"rate": -1.0}, {"solver": "newton"}):
        with pytest.raises(SimonidesError):
            Teleported(inner, loss, every=2, **options)
