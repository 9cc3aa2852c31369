"""Base methods against torch and closed forms, their work counted; a user's table; the command and its page."""

import json

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.data import read_numeric_table
from simonides.papers.teleportation.base_methods import Armijo, Descent, NewtonCG, descend
from simonides.papers.teleportation.comparison import compare_methods
from simonides.papers.teleportation.functions import Quadratic, booth, rosenbrock
from simonides.papers.teleportation.problems import BinaryTable, logistic, packaged_table
from simonides.papers.teleportation.solver import Solving
from simonides.papers.teleportation.teleport_page import path_figure


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("method", "make"),
    [
        (Descent(rate=0.5), lambda p: torch.optim.SGD(p, 0.5)),
        (Descent(rate=0.5, momentum=0.9), lambda p: torch.optim.SGD(p, 0.5, momentum=0.9, dampening=0.9)),
    ],
)
def test_descent_is_torchs(method, make):
    f = Quadratic.draw(4, 20.0, seeded())
    x0 = torch.randn(1, 4, generator=seeded(1), dtype=torch.float64)
    found = descend(f, x0, method, 10)
    x = x0.clone().requires_grad_()
    optimiser = make([x])
    if method.momentum:  # torch's first step is not dampened: a buffer of zeros stands for what came before
        optimiser.state[x]["momentum_buffer"] = torch.zeros_like(x)
    for _ in range(10):
        optimiser.zero_grad()
        f(x).sum().backward()
        optimiser.step()
    assert torch.allclose(found.x, x.detach())
    assert found.cost[:, 0].tolist() == [2.0 * (step + 1) for step in range(11)]


def test_steps_of_each_row_are_its_own():
    rates = torch.tensor([0.01, 0.1], dtype=torch.float64)
    x0 = torch.tensor([[3.0, 1.0]], dtype=torch.float64).expand(2, -1).clone()
    both = descend(booth, x0, Descent(rate=rates, normalised=True), 5)
    alone = descend(booth, x0[1:], Descent(rate=0.1, normalised=True), 5)
    assert torch.allclose(both.f[:, 1:], alone.f)
    polyak = descend(booth, x0, Descent(rate=100.0, polyak=True), 200)
    assert float(polyak.f[-1].max()) < 1e-3


def test_armijo_and_newton_end_at_the_minimum():
    x0 = torch.tensor([[-1.2, 1.0], [2.0, 2.0]], dtype=torch.float64)
    newton = descend(rosenbrock, x0, NewtonCG(), 60)
    assert float(newton.f[-1].max()) < 1e-10
    armijo = descend(booth, x0, Armijo(), 60)
    assert float(armijo.f[-1].max()) < 1e-8
    assert bool((armijo.f.diff(dim=0) <= 1e-12).all())


def test_work_counts_every_call():
    calls = {"value": 0, "gradient": 0}

    def counted(x):
        calls["gradient" if x.requires_grad else "value"] += 1
        return booth(x)

    found = descend(counted, torch.tensor([[4.0, 0.0]], dtype=torch.float64), Armijo(), 12)
    assert int(found.cost[-1]) == calls["value"] + 2 * calls["gradient"]


def test_a_run_that_is_not_finite_is_told():
    found = descend(booth, torch.tensor([[4.0, 0.0], [1.0, 3.1]], dtype=torch.float64), Descent(rate=10.0), 400)
    assert bool(found.f[-1].isnan().all())
    assert float(found.iterations_to(1e-3, torch.zeros(2))[0]) == float("inf")
    with pytest.raises(SimonidesError, match="not finite at the start"):
        descend(booth, torch.full((1, 2), torch.nan, dtype=torch.float64), Armijo(), 3)


def test_teleports_come_when_asked_and_save_iterations():
    f = logistic(packaged_table("wine"), 1e-3)
    x0 = torch.zeros(1, 14, dtype=torch.float64)
    found = descend(f, x0, Armijo(), 20, lambda done: done in (0, 7), Solving(steps=20))
    assert found.teleports == (0, 7) and bool((found.gains >= 1).all())
    compared = compare_methods(f, x0, 100)
    plain, spaced, always, newton = compared.iterations.values()
    assert all(one >= other for one, other in zip(plain, always, strict=True)) and newton[-1] < plain[-1]
    assert spaced[0] <= plain[0]
    assert "teleports" in compared.pays(1e-2)
    with pytest.raises(SimonidesError, match="was not measured"):
        compared.pays(0.5)
    with pytest.raises(SimonidesError, match="in \\(0, 1\\)"):
        compare_methods(f, x0, 100, gaps=[2.0])


@pytest.fixture
def table(tmp_path):
    generator = np.random.default_rng(0)
    lines = ["age,size,kind"]
    for _ in range(60):
        age, size = generator.normal(size=2)
        lines.append(f"{age:.3f},{100 * size:.2f},{'yes' if age + size + generator.normal() > 0 else 'no'}")
    path = tmp_path / "own.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_of_ones_own(table):
    read = read_numeric_table(table, "kind")
    assert read.columns == ("age", "size") and read.classes == ("no", "yes") and read.x.shape == (60, 2)
    scaled = BinaryTable.of(read.x, read.positive, "own")
    assert torch.allclose(scaled.x.mean(0), torch.zeros(2).double(), atol=1e-12)
    assert set(scaled.y.tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("a,kind\n1,x\n2,y\n3,z\n", {}, "3 values"),
        ("a,kind\n1,x\n2,y\n", {"positive": "w"}, "is never 'w'"),
        ("a,kind\n1,x\n2,x\n", {"positive": "x"}, "always 'x'"),
        ("a,kind\n1,x\n,y\n", {}, "row 3: a is ''"),
        ("a,kind\n1,x\ninf,y\n", {}, "no finite number"),
        ("kind\nx\ny\n", {}, "no column beside"),
        ("a,a,kind\n1,2,x\n3,4,y\n", {}, "two columns 'a'"),
        ("a,sort\n1,x\n3,y\n", {}, "kind"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(tmp_path, content, options, message):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(SimonidesError, match=message):
        read_numeric_table(tmp_path / "t.csv", "kind", **options)
    with pytest.raises(SimonidesError, match="is JSON"):
        read_numeric_table(tmp_path / "t.json", "kind")


def test_constant_columns_and_single_classes():
    x = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    assert BinaryTable.of(x, np.array([True, False, True]), "t").x.shape == (3, 1)
    with pytest.raises(SimonidesError, match="one class alone"):
        BinaryTable.of(x, np.array([True, True, True]), "t")
    with pytest.raises(SimonidesError, match="no column that varies"):
        BinaryTable.of(x[:, 1:], np.array([True, False, True]), "t")


def test_the_command_says_which_pays(table, tmp_path, simonides):
    words = ("teleport", table, "--target", "kind", "--iterations", 40, "--steps", 5)
    code, out, _ = simonides(*words, "--out", tmp_path / "page")
    assert code == 0
    assert "own.csv: 60 rows, 2 columns, logistic regression" in out and "teleports" in out
    page = (tmp_path / "page" / "index.html").read_text()
    assert "units of work" in page and (tmp_path / "page" / "curves.csv").exists()
    code, out, _ = simonides(*words, "--hidden", 3, "--json")
    assert code == 0 and len(json.loads(out)["pays"]) == 3
    code, _, err = simonides("teleport", table)
    assert code == 2 and "--target" in err
    code, _, err = simonides("teleport", "wine", "--target", "kind")
    assert code == 2 and "of a file" in err


def test_paths_on_level_sets_are_drawn():
    x = [torch.tensor([[7.5, -4.0]], dtype=torch.float64), torch.tensor([[1.0, 3.0]], dtype=torch.float64)]
    figure = path_figure(booth, {"descent": x}, (-6, 10, -6, 10), "Booth")
    assert figure["svg"].startswith(b"<svg") and figure["png"][:4] == b"\x89PNG"


def test_columns_of_any_scale_are_standardised():
    random = np.random.default_rng(0)
    x = random.normal(size=(50, 3)) * np.array([1e-200, 1e180, 1.0])
    table = BinaryTable.of(np.concatenate([x, np.ones((50, 1))], 1), random.normal(size=50) > 0, "t", list("abcd"))
    assert table.x.shape == (50, 3) and table.constant == ("d",)
    assert torch.allclose(table.x.std(0, correction=0), torch.ones(3).double())


def test_what_is_reached_before_a_teleport_is_said(tmp_path, simonides):
    (tmp_path / "xor.csv").write_text("a,b,y\n" + "0,0,n\n0,1,p\n1,0,p\n1,1,n\n" * 5)
    words = ("teleport", tmp_path / "xor.csv", "--target", "y", "--iterations", 20, "--steps", 3)
    code, out, _ = simonides(*words, "--out", tmp_path / "page")
    assert code == 0 and "the start is a minimum already" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0,1,y\n1,2,p\n3,5,n\n2,2,p\n", ""),
        (",a,y\n0,1.5,p\n1,2.5,n\n2,2.0,p\n", ""),
        ("a;b;y\n1;2;p\n", "save it with commas"),
        ("a,y\n1,p\n2,\n3,n\n", "is empty"),
        ("a,y\n1_0,p\n2,n\n", "no finite number"),
        ("a,y\nTrue,p\nfalse,n\n", ""),
        ("a,y\n1,p\n2,p\n", "always 'p'"),
    ],
)
def test_tables_as_they_are_written(tmp_path, content, message):
    (tmp_path / "t.csv").write_text(content)
    if message:
        with pytest.raises(SimonidesError, match=message):
            read_numeric_table(tmp_path / "t.csv", "y")
    else:
        assert read_numeric_table(tmp_path / "t.csv", "y").positive.tolist()[:2] == [True, False]
