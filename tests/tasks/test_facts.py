"""Facts and prompts: laws of the draws, counts against tokens, tables of real facts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.data import FactTable, read_fact_table
from simonides.tasks import Prompts, facts_of, synthetic_facts


def facts(subjects=5, relations=3, answers=4, kind="random", seed=0):
    return synthetic_facts(subjects, relations, answers, torch.Generator().manual_seed(seed), kind)


@given(
    st.integers(1, 9), st.integers(1, 5), st.integers(1, 6), st.sampled_from(["random", "balanced", "structured"])
)
@settings(max_examples=30)
def test_answers_belong_to_their_relation(subjects, relations, answers, kind):
    found = facts(subjects, relations, answers, kind)
    assert len(found) == subjects * relations
    assert bool(found.admissible[found.relations, found.answers].all())
    assert found.admissible.sum(1).tolist() == [answers] * relations
    torch.testing.assert_close(found.by_relation.sum(1), torch.ones(relations, dtype=torch.float64))
    if kind != "random":
        counts = torch.bincount(found.answers, minlength=relations * answers)
        assert int(counts.max() - counts.min()) <= 1


def test_injective_answers_all_differ():
    found = facts(6, 3, 8, "injective")
    assert len(found.answers.unique()) == 18
    with pytest.raises(SimonidesError, match="cannot all differ"):
        facts(6, 3, 5, "injective")


def test_power_law_weighs_subjects():
    found = facts(4, 2, 3).power_law(1.0)
    share = found.weights.view(4, 2).sum(1)
    torch.testing.assert_close(share / share[0], 1 / torch.arange(1.0, 5).double())
    task = Prompts(facts=found, noise=2)
    rows = task.rows(40_000, torch.Generator().manual_seed(1))
    torch.testing.assert_close(torch.bincount(found.subjects[rows]).double() / 40_000, share, atol=0.01, rtol=0.0)


@pytest.mark.parametrize("end", ["eos", "relation"])
def test_prompts_hold_their_fact_once_and_noise_else(end, generator):
    task = Prompts(facts=facts(), noise=7, length=12, end=end)
    rows = torch.arange(len(task.facts))
    tokens = task.tokens(rows, generator)
    assert tokens.shape == (15, 12)
    counts = torch.zeros(15, task.vocabulary).scatter_add_(1, tokens, torch.ones(15, 12))
    own = torch.arange(15)
    assert bool((counts[:, :5].sum(1) == 1).all())
    assert bool((counts[own, task.facts.subjects] == 1).all())
    assert bool((counts[own, 5 + task.facts.relations] == 1).all())
    assert torch.equal(tokens[:, -1], task.ends(rows))
    assert bool((counts[:, 8:15].sum(1) == task.fillers).all())


@pytest.mark.parametrize("end", ["eos", "relation"])
def test_counts_have_the_law_of_tokens(end, generator):
    task = Prompts(facts=facts(2, 2, 2), noise=3, length=8, end=end)
    rows = torch.zeros(20_000, dtype=torch.long)
    drawn = task.counts(rows, generator)
    tokens = task.tokens(rows, generator)
    counted = torch.zeros_like(drawn).scatter_add_(1, tokens, torch.ones(tokens.shape))
    expected = task.expected_counts(rows[:1])[0]
    for found in (drawn, counted):
        assert bool((found.sum(1) == 8).all())
        torch.testing.assert_close(found.mean(0), expected, atol=0.05, rtol=0.0)
        torch.testing.assert_close(
            found[:, 4:7].var(0), torch.full((3,), task.fillers * 2 / 9), atol=0.06, rtol=0.0
        )


def test_subject_and_relation_stand_anywhere_before_the_end(generator):
    task = Prompts(facts=facts(1, 1, 2), noise=3, length=5)
    tokens = task.tokens(torch.zeros(8000, dtype=torch.long), generator)
    places = (tokens == 0).float().mean(0)
    torch.testing.assert_close(places, torch.tensor([0.25, 0.25, 0.25, 0.25, 0.0]), atol=0.03, rtol=0.0)


def test_tables_with_relations_become_facts(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(
        'subject,relation,attribute\nParis,country,France\nParis,river,Seine\n"Rome, Italy",river,Tiber\n'
    )
    found = facts_of(read_fact_table(path))
    assert found.subject_names == ("Paris", "Rome, Italy")
    assert found.relation_names == ("country", "river")
    assert [found.answer_names[a] for a in found.answers] == ["France", "Seine", "Tiber"]
    assert found.admissible.sum(1).tolist() == [1, 2]


def test_tables_without_relations_have_one():
    found = facts_of(FactTable(keys=("a", "b"), attributes=("x", "x")))
    assert found.relation_names == ("is",)
    assert found.by_relation.tolist() == [[1.0]]


def test_some_facts_keep_their_names(generator):
    whole = facts(6, 2, 3)
    part = whole.some(5, generator)
    assert (len(part), len(part.subject_names)) == (5, 6)
    assert float(part.weights.sum()) == pytest.approx(1.0)
    with pytest.raises(SimonidesError, match="at most all"):
        whole.some(13, generator)


@pytest.mark.parametrize(("end", "length"), [("eos", 2), ("relation", 1)])
def test_too_short_prompts_are_refused(end, length):
    with pytest.raises(SimonidesError, match="too short"):
        Prompts(facts=facts(), noise=2, length=length, end=end)
