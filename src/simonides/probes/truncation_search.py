"""Which truncation answers best: many edits of a checkpoint on the same questions, sharing their work.

Sharma, Ash & Misra (2024), LASER: layer, matrix and rank are chosen by the accuracy on some questions, and
judged on others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.checkpoints import PretrainedLayer, PretrainedModel
from simonides.probes.answers import Answers, Questions, answer, judged
from simonides.probes.edits import GROUPS, Edit, cut_matrix, edited, matrix_of, replaced
from simonides.probes.truncation import Decomposition, decompose


def search(
    model: PretrainedModel,
    questions: Questions,
    edits: Iterable[Edit],
    seen: Callable[[Edit, Answers], None] | None = None,
) -> dict[Edit, Answers]:
    """The answers after each of many edits, one at a time; the model is left as it was.

    What lies below an edited layer is computed once for all edits from there on, the attention of the layer once
    for those of its feed-forward, each matrix is decomposed once for all its ranks, and logits are made of the
    last position alone.

    Arguments:
        model: the model.
        questions: what is asked.
        edits: the candidates.
        seen: told of each edit when it is done.

    Raises:
        SimonidesError: when an edit names a layer or matrix that the model has not.
    """
    by_layer: dict[int, list[Edit]] = {}
    for edit in edits:
        matrix_of(model, edit.layer, edit.matrix)
        by_layer.setdefault(edit.layer, []).append(edit)
    found: dict[Edit, Answers] = {}
    stream, reached = model.embedded(questions.tokens), 0
    for layer in sorted(by_layer):
        stream, reached = model.through(stream, reached, layer), layer
        block = model.layers[layer]
        assert isinstance(block, PretrainedLayer)
        parts: dict[str, Decomposition] = {}
        attended = stream + block.attention(stream)
        for edit in by_layer[layer]:
            if edit.matrix not in parts:
                parts[edit.matrix] = decompose(matrix_of(model, layer, edit.matrix))
            with edited(model, edit, parts[edit.matrix]):
                if edit.matrix in GROUPS["feed-forward"]:
                    after = block.completed(stream, attended)
                else:
                    after = block(stream)
                found[edit] = judged(model, model.through(after, layer + 1), questions)
            if seen is not None:
                seen(edit, found[edit])
    return found


def best(found: Mapping[Edit, Answers], rows: Int[Tensor, " chosen"]) -> Edit:
    """The edit with the highest accuracy on some of the questions; of equals, the likeliest answers."""
    return max(found, key=lambda edit: _merit(found[edit], rows))


def compose(model: PretrainedModel, questions: Questions, edits: Iterable[Edit]) -> Iterator[tuple[Edit, bool]]:
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
            found = search(model, questions, by_layer[layer])
        chosen = best(found, every)
        better = _merit(found[chosen], every)[0] >= accuracy
        if better:
            accuracy = _merit(found[chosen], every)[0]
            taken[layer, chosen.matrix] = cut_matrix(model, chosen)
        yield chosen, better


def _merit(answers: Answers, rows: Tensor) -> tuple[float, float]:
    return float(answers.right[rows].mean()), float(answers.probability[rows].clamp_min(1e-30).log().mean())
