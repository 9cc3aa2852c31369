"""Truncating a real checkpoint, and what it answers then: edits, questions, and a search that shares its work.

Sharma, Ash & Misra (2024), LASER: one matrix of one layer is cut to its best approximation of low rank; layer,
matrix and rank are chosen by the accuracy on some questions and judged on others. Letters: `Q` questions, `T`
positions, `d` width.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.errors import SimonidesError, check_name
from simonides.models.pretrained.network import PretrainedLayer, PretrainedModel
from simonides.probes.truncation import Decomposition, decompose

MATRICES = ("W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A matrix of a layer cut to a share of its rank; 0 removes it.

    Arguments:
        layer: from 0.
        matrix: one of `MATRICES`.
        share: rho, of the rank that is kept.
    """

    layer: int
    matrix: str
    share: float

    def __str__(self) -> str:
        return f"{self.matrix} of layer {self.layer} at {self.share:g} of its rank"


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Prompts with the token that answers each.

    Arguments:
        tokens: prompts, filled up at the right with any token.
        lengths: their own.
        answers: the first token of each answer.
    """

    tokens: Int[Tensor, "Q T"]
    lengths: Int[Tensor, " Q"]
    answers: Int[Tensor, " Q"]

    @classmethod
    def of(cls, prompts: Sequence[Tensor], answers: Sequence[int]) -> "Questions":
        """From prompts of any lengths.

        Raises:
            SimonidesError: when there are none, one is empty, or answers are fewer or more.
        """
        if not prompts or len(prompts) != len(answers) or min(len(prompt) for prompt in prompts) == 0:
            raise SimonidesError(
                f"{len(prompts)} prompts, {len(answers)} answers; give as many, at least one, none of them empty."
            )
        return cls(
            tokens=torch.nn.utils.rnn.pad_sequence(list(prompts), batch_first=True),
            lengths=torch.tensor([len(prompt) for prompt in prompts]),
            answers=torch.tensor(list(answers)),
        )

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model answers.

    Arguments:
        right: whether the likeliest token is the answer.
        probability: of the answer.
    """

    right: Float[Tensor, " Q"]
    probability: Float[Tensor, " Q"]


def answer(model: PretrainedModel, questions: Questions) -> Answers:
    """What a model says after each prompt."""
    return _judged(model, model.through(model.embedded(questions.tokens)), questions)


def search(model: PretrainedModel, questions: Questions, edits: Iterable[Edit]) -> dict[Edit, Answers]:
    """The answers after each of many edits, one at a time; the model is left as it was.

    What lies below an edited layer is computed once for all edits from there on, the attention of the layer once
    for those of its feed-forward, each matrix is decomposed once for all its ranks, and logits are made of the
    last position alone.

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
                if edit.matrix in ("W_in", "W_gate", "W_out"):
                    after = block.completed(stream, attended)
                else:
                    after = block(stream)
                found[edit] = _judged(model, model.through(after, layer + 1), questions)
    return found


class edited:  # noqa: N801 - read as a phrase: with edited(model, ...)
    """A context in which a matrix of a model is cut; it is put back afterwards, bit for bit.

    Arguments:
        model: the model.
        edit: what to cut.
        parts: the matrix's decomposition, where it is known.
    """

    def __init__(self, model: PretrainedModel, edit: Edit, parts: Decomposition | None = None) -> None:
        weight = matrix_of(model, edit.layer, edit.matrix)
        known = decompose(weight) if parts is None else parts
        self._parameter = _parameter(model, edit.layer, edit.matrix)
        self._before = self._parameter.detach().clone()
        cut = known.at_rank(known.rank_of_share(edit.share)).to(weight.dtype)
        self._cut = _parted(cut, edit.matrix, self._before.shape)

    def __enter__(self) -> None:
        self._parameter.data.copy_(self._cut)

    def __exit__(self, *_: object) -> None:
        self._parameter.data.copy_(self._before)


def matrix_of(model: PretrainedModel, layer: int, matrix: str) -> Float[Tensor, "out into"]:
    """A weight as the one matrix it is in the checkpoint, the heads side by side.

    Raises:
        SimonidesError: when there is no such layer or matrix.
    """
    weight = _parameter(model, layer, matrix).detach()
    if matrix == "W_O":
        return weight.transpose(0, 1).flatten(1)
    return weight.flatten(0, 1) if weight.dim() == 3 else weight


def _parted(weight: Tensor, matrix: str, shape: torch.Size) -> Tensor:
    if matrix == "W_O":
        return weight.unflatten(1, (shape[0], shape[2])).transpose(0, 1)
    return weight.reshape(shape)


def _parameter(model: PretrainedModel, layer: int, matrix: str) -> Tensor:
    check_name("matrix", matrix, MATRICES)
    if not 0 <= layer < model.architecture.layers:
        raise SimonidesError(f"no layer {layer}: there are {model.architecture.layers}, from 0.")
    found = getattr(model.layers[layer], matrix, None)
    if found is None:
        raise SimonidesError(f"layer {layer} has no {matrix}: its hidden units have no gate.")
    assert isinstance(found, Tensor)
    return found


def _judged(model: PretrainedModel, stream: Tensor, questions: Questions) -> Answers:
    last = stream[torch.arange(len(questions)), questions.lengths - 1]
    p = model.unembedded(last).float().softmax(-1)
    return Answers(
        right=(p.argmax(-1) == questions.answers).float(),
        probability=p.gather(1, questions.answers[:, None])[:, 0],
    )


def best(found: Mapping[Edit, Answers], rows: Int[Tensor, " chosen"]) -> Edit:
    """The edit with the highest accuracy on some of the questions; of equals, the likeliest answers."""
    return max(
        found,
        key=lambda edit: (
            float(found[edit].right[rows].mean()),
            float(found[edit].probability[rows].log().mean()),
        ),
    )
