"""Which truncation answers best: many edits of a model on the same questions, sharing their work.

Sharma, Ash & Misra (2024), LASER: layer, matrix and rank are chosen by the accuracy on some questions, and
judged on others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.nn import Roles, device_of
from simonides.probes.answers import Answers, Questions, answer, answers_from
from simonides.probes.edits import Edit, cut_matrix, edited, matrix_of, replaced
from simonides.probes.truncation import Decomposition, decompose


def answers_after_edits(
    model: Roles,
    questions: Questions,
    edits: Iterable[Edit],
    tick: Callable[[Edit, Answers], None] | None = None,
) -> dict[Edit, Answers]:
    """The answers after each of many edits, one at a time; the model is left as it was.

    What lies below an edited layer is computed once for all edits from there on, each matrix is decomposed once
    for all its ranks, and logits are made of the last position alone.

    Arguments:
        model: the model.
        questions: what is asked.
        edits: the candidates.
        tick: told of each edit when it is done.

    Raises:
        SimonidesError: when an edit names a layer or matrix that the model has not.
    """
    by_layer: dict[int, list[Edit]] = {}
    for edit in edits:
        matrix_of(model, edit.layer, edit.matrix)
        by_layer.setdefault(edit.layer, []).append(edit)
    answers: dict[Edit, Answers] = {}
    questions = questions.to(device_of(model))
    with model.passage(questions.tokens) as passage:
        for layer in sorted(by_layer):
            passage.advance(layer)
            decompositions: dict[str, Decomposition] = {}
            for edit in by_layer[layer]:
                if edit.matrix not in decompositions:
                    decompositions[edit.matrix] = decompose(matrix_of(model, layer, edit.matrix))
                with edited(model, edit, decompositions[edit.matrix]):
                    answers[edit] = answers_from(passage.finish(questions.last), questions)
                if tick is not None:
                    tick(edit, answers[edit])
    return answers


def best_edit(answers: Mapping[Edit, Answers], rows: Int[Tensor, " chosen"]) -> Edit:
    """The edit with the highest accuracy on some of the questions; of equals, the likeliest answers."""
    return max(answers, key=lambda edit: _merit(answers[edit], rows))


def compose_edits(model: Roles, questions: Questions, edits: Iterable[Edit]) -> Iterator[tuple[Edit, bool]]:
    """Edits of many layers together, layer by layer from the last: each layer's best, if accuracy does not fall.

    Sharma et al. (2024), the greedy composition. Yields each layer's best edit and whether it was taken; the model
    is put back at the end.

    Arguments:
        model: the model.
        questions: on which edits are chosen.
        edits: the candidates.
    """
    by_layer: dict[int, list[Edit]] = {}
    for edit in edits:
        by_layer.setdefault(edit.layer, []).append(edit)
    every = torch.arange(len(questions))
    taken: dict[tuple[int, str], Tensor] = {}
    accuracy = _merit(answer(model, questions), every)[0]
    for layer in sorted(by_layer, reverse=True):
        with replaced(model, taken):
            answers = answers_after_edits(model, questions, by_layer[layer])
        chosen = best_edit(answers, every)
        better = _merit(answers[chosen], every)[0] >= accuracy
        if better:
            accuracy = _merit(answers[chosen], every)[0]
            taken[layer, chosen.matrix] = cut_matrix(model, chosen)
        yield chosen, better


def _merit(answers: Answers, rows: Tensor) -> tuple[float, float]:
    return float(answers.right[rows].mean()), float(answers.probability[rows].clamp_min(1e-30).log().mean())
