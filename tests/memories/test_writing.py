import pytest
import torch

from simonides.base import SimonidesError
from simonides.memories import LinearMemory, embeddings, outer_products, pseudo_inverse


def draw(generator, facts=40, answers=7, d_in=12, d_out=9, runs=()):
    inputs = torch.randn(*runs, facts, d_in, generator=generator, dtype=torch.float64)
    outputs = torch.randn(*runs, answers, d_out, generator=generator, dtype=torch.float64)
    targets = torch.randint(answers, (*runs, facts), generator=generator)
    return inputs, outputs, targets


def test_sum_of_outer_products_term_by_term(generator, monkeypatch):
    monkeypatch.setattr("simonides.memories.writing._ROWS", 13)
    inputs, outputs, targets = draw(generator)
    weights = torch.rand(40, generator=generator, dtype=torch.float64)
    expected = sum(weights[x] * torch.outer(outputs[targets[x]], inputs[x]) for x in range(40))
    torch.testing.assert_close(outer_products(inputs, outputs, targets, weights), expected)


def test_own_answers_take_the_other_path_to_the_same_sum(generator, monkeypatch):
    monkeypatch.setattr("simonides.memories.writing._ROWS", 5)
    inputs, outputs, _ = draw(generator, facts=12, answers=12)
    targets = torch.randperm(12, generator=generator)
    torch.testing.assert_close(outer_products(inputs, outputs, targets), outputs[targets].T @ inputs)


def test_stacked_runs_are_the_runs_one_by_one(generator):
    inputs, outputs, targets = draw(generator, runs=(3,))
    for rule in (outer_products, pseudo_inverse):
        stacked = rule(inputs, outputs, targets)
        for r in range(3):
            torch.testing.assert_close(stacked[r], rule(inputs[r], outputs[r], targets[r]))


def test_pseudo_inverse_is_the_least_squares_solution(generator):
    inputs, outputs, targets = draw(generator)
    expected = torch.linalg.lstsq(inputs, outputs[targets]).solution.T
    torch.testing.assert_close(pseudo_inverse(inputs, outputs, targets), expected)


def test_pseudo_inverse_is_exact_for_independent_inputs(generator):
    inputs, outputs, targets = draw(generator, facts=12, d_in=12)
    weight = pseudo_inverse(inputs, outputs, targets)
    torch.testing.assert_close(inputs @ weight.T, outputs[targets])


@pytest.mark.parametrize(
    ("facts", "targets", "message"),
    [
        (0, [], "nothing to store"),
        (2, [0], "targets have shape"),
        (2, [0, 5], "outside 0 .. 2"),
        (2, [-1, 0], "outside 0 .. 2"),
    ],
)
def test_bad_associations_are_refused(facts, targets, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        outer_products(torch.ones(facts, 4), torch.ones(3, 4), torch.tensor(targets, dtype=torch.int64))


def test_unknown_rule_names_the_nearest():
    with pytest.raises(SimonidesError, match="did you mean 'pseudo_inverse'"):
        LinearMemory.store(torch.eye(2), torch.eye(2), torch.arange(2), rule="pseudoinverse")


def test_pseudo_inverse_refuses_weights():
    with pytest.raises(SimonidesError, match="takes no weights"):
        LinearMemory.store(torch.eye(2), torch.eye(2), torch.arange(2), torch.ones(2), rule="pseudo_inverse")


def test_types_are_promoted_where_it_is_plain_and_refused_in_words_elsewhere():
    """Weights follow the embeddings; embeddings of two types are refused."""
    generator = torch.Generator().manual_seed(0)
    e, u = (embeddings.sphere(6, 4, generator) for _ in range(2))
    targets = torch.arange(6)
    weights = torch.rand(6, generator=generator, dtype=torch.float64)
    for answers in (u, u[:3]):
        written = outer_products(e, answers, targets % len(answers), weights)
        assert written.dtype == torch.float32
        torch.testing.assert_close(written, outer_products(e, answers, targets % len(answers), weights.float()))
    with pytest.raises(SimonidesError, match="inputs are float64, outputs are float32; bring them to one type"):
        outer_products(e.double(), u, targets)
    memory = LinearMemory.store(e, u, targets)
    with pytest.raises(SimonidesError, match="weights are float32, queries are float64"):
        memory(e.double())
