"""What a model is tried on before and after an edit: questions it answers, and a text it is surprised by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_memory, check_seed, mean_interval
from simonides.checkpoints import TextTokens
from simonides.data import WordQuestions, manual, read_questions
from simonides.nn import Roles, check_tokens
from simonides.probes.answers import Answers, Questions, answer, perplexity
from simonides.probes.edits import Key, replaced
from simonides.probes.reading import opened_with_tokenizer

# positions of a window of the control text
_WINDOW = 256


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a model is tried on, as a user gives it.

    Arguments:
        questions: a packaged table such as "country-capital", the path of a CSV, TSV or JSONL of prompt and answer,
            or questions in tokens; None for the text alone.
        templates, header, columns: of a file of questions (`simonides.data.read_questions`).
        space: whether a space stands between prompt and answer.
        most: questions asked at most, drawn at random.
        generic: a word whose probability is watched beside the answers'.
        text: the control text, as words or tokens; by default Python's manual.
        text_tokens: how much of it is read.
        seed: draws questions, split and controls.
        shuffled: whether each question is given another's answer: a control, by which a search has nothing to find.
    """

    questions: Questions | Path | str | None = None
    templates: Path | None = None
    header: bool | None = None
    columns: Sequence[str | int] | None = None
    space: bool = True
    most: int = 400
    generic: str = "the"
    text: Int[Tensor, " T"] | str | None = None
    text_tokens: int = 2048
    seed: int = 0
    shuffled: bool = False

    def __post_init__(self) -> None:
        for name in ("templates", "header", "columns"):
            if getattr(self, name) is not None and not isinstance(self.questions, (str, Path)):
                raise SimonidesError(f"{name} without a file of questions; give the file that they are of.")
        if not self.generic.strip():
            raise SimonidesError("the generic word is empty; give a word, such as 'the'.")
        check_at_least("text_tokens", self.text_tokens, 2)
        check_at_least("most", self.most, 1)
        check_seed(self.seed)

    def words(self) -> WordQuestions | None:
        """The questions as words, read before any model is opened.

        Raises:
            SimonidesError: when they cannot be read.
        """
        if self.questions is None or isinstance(self.questions, Questions):
            return None
        return read_questions(self.questions, self.templates, self.header, self.columns)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a model answers, and its perplexity on the control text."""

    answers: Answers | None
    perplexity: float

    def table(self, before: "Judged", rows: Tensor | None = None, seed: int = 0) -> dict[str, Any]:
        """All of it against the untouched model, with 95 % intervals: a bootstrap over questions.

        Arguments:
            before: the untouched model's.
            rows: which questions count; by default all.
            seed: of the bootstrap.
        """
        row: dict[str, Any] = {"perplexity": self.perplexity}
        if self.answers is None or before.answers is None:
            return row
        chosen = torch.arange(len(self.answers.right)) if rows is None else rows
        generator = torch.Generator().manual_seed(seed)
        right, probability = self.answers.right[chosen], self.answers.probability[chosen]
        gain = right - before.answers.right[chosen]
        log_gain = (probability.clamp_min(1e-30) / before.answers.probability[chosen].clamp_min(1e-30)).log()
        row |= {
            "accuracy": float(right.mean()),
            "accuracy_interval": mean_interval(right, generator),
            "gain": float(gain.mean()),
            "gain_interval": mean_interval(gain, generator),
            "probability": float(probability.mean()),
            "log_gain": float(log_gain.mean()),
            "log_gain_interval": mean_interval(log_gain, generator),
            "median_rank": float(self.answers.rank[chosen].double().median()),
        }
        if self.answers.right_shuffled is not None:
            row["accuracy_shuffled"] = float(self.answers.right_shuffled[chosen].mean())
        if (constant := self.answers.constant(chosen)) is not None:
            row["accuracy_constant"] = constant
        if self.answers.watched.shape[1]:
            row["generic"] = float(self.answers.watched[chosen, 0].mean())
        return row


def over_random(
    judged: Judged, controls: Sequence[Judged], rows: Tensor | None = None, seed: int = 0
) -> dict[str, Any]:
    """How much more is answered right than with as many random directions removed, and its 95 % interval.

    Question by question against the mean of the controls; a bootstrap over questions. Nothing without both.

    Arguments:
        judged: after the cut.
        controls: after the random ones.
        rows: which questions count; by default all.
        seed: of the bootstrap.
    """
    known = [control.answers for control in controls if control.answers is not None]
    if judged.answers is None or not known:
        return {}
    gain = judged.answers.right - torch.stack([answers.right for answers in known]).mean(0)
    gain = gain if rows is None else gain[rows]
    interval = mean_interval(gain, torch.Generator().manual_seed(seed))
    return {"over_random": float(gain.mean()), "over_random_interval": interval}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A model with what it is tried on.

    Arguments:
        model: the model.
        tokenizer: its own, where it has one.
        questions: with a generic word watched; None where none were given.
        left_out: why questions could not be asked, in words.
        text: of the perplexity.
        beginning: what the tokenizer puts before every text, where there are words.
        generator: draws split and controls.
    """

    model: Roles
    tokenizer: TextTokens | None
    questions: Questions | None
    left_out: tuple[str, ...]
    text: Int[Tensor, " T"]
    beginning: Int[Tensor, " b"]
    generator: torch.Generator

    def judge(self, matrices: Mapping[Key, Tensor] | None = None) -> Judged:
        """The model with some matrices replaced."""
        window = min(_WINDOW, self.model.sizes.longest or _WINDOW)
        with torch.no_grad(), replaced(self.model, matrices or {}):
            answers = None if self.questions is None else answer(self.model, self.questions)
            return Judged(answers=answers, perplexity=perplexity(self.model, self.text, window, self.beginning))


def make_bench(
    model: Roles | Path | str,
    material: Material,
    tokenizer: TextTokens | None = None,
    words: WordQuestions | None = None,
) -> Bench:
    """A model, opened where a path is given, with its material in tokens.

    Arguments:
        model: a decoder.
        material: what it is tried on.
        tokenizer: by default a checkpoint's own.
        words: the material's questions, where they were read already.

    Raises:
        SimonidesError: when the model is no decoder, words are given without a tokenizer, a prompt is longer than
            what the model was made for, or the questions would not fit in memory.
    """
    words = material.words() if words is None else words
    if tokenizer is None and isinstance(model, (str, Path)):
        tokenizer = TextTokens(model)
    opened, tokenizer = opened_with_tokenizer(model, tokenizer)
    if not opened.sizes.decoder:
        raise SimonidesError("an encoder predicts no next token; inspect reads it.")
    generator = torch.Generator().manual_seed(material.seed)
    questions = material.questions if isinstance(material.questions, Questions) else None
    left_out: tuple[str, ...] = ()
    if words is not None:
        questions, left_out = _in_tokens(opened, words, material, _needed(tokenizer), generator)
    text = material.text
    beginning = torch.zeros(0, dtype=torch.long)
    if not isinstance(text, Tensor):
        beginning = _needed(tokenizer).beginning
        text = _needed(tokenizer).encode(manual() if text is None else text)
    if text.dim() != 1 or text.is_floating_point():
        raise SimonidesError(
            f"the text is {text.dtype} of shape {list(text.shape)}; give words, or a list of tokens in whole numbers."
        )
    if len(text) < 2:
        raise SimonidesError(f"a text of {len(text)} tokens has no perplexity; give a longer one.")
    check_tokens(text, opened.sizes.vocabulary)
    return Bench(
        model=opened,
        tokenizer=tokenizer,
        questions=questions,
        left_out=left_out,
        text=text[: material.text_tokens],
        beginning=beginning,
        generator=generator,
    )


def _needed(tokenizer: TextTokens | None) -> TextTokens:
    if tokenizer is None:
        raise SimonidesError("words need a tokenizer; give one, or questions and text in tokens.")
    return tokenizer


def _in_tokens(
    model: Roles, words: WordQuestions, material: Material, tokenizer: TextTokens, generator: torch.Generator
) -> tuple[Questions, tuple[str, ...]]:
    """Some of the questions, and why others, in characters that the tokenizer lacks, are left out."""
    rows = torch.randperm(len(words), generator=generator)[: material.most].sort().values.tolist()
    pairs, reasons, asked = [], [], []
    for row in rows:
        try:
            pairs.append(tokenizer.question(words.prompts[row], words.answers[row], material.space))
            asked.append(row)
        except SimonidesError as error:
            reasons.append(f"{words.prompts[row]!r}: {error}")
    if not pairs:
        raise SimonidesError(f"no question can be read; the last, {reasons[-1]}")
    sizes, longest = model.sizes, max(len(prompt) for prompt, _ in pairs)
    if sizes.longest and longest > sizes.longest:
        raise SimonidesError(f"a prompt has {longest} tokens, the model was made for {sizes.longest}; shorten it.")
    needed = 4.0 * len(pairs) * (longest * (6 * sizes.d + 3 * sizes.hidden) + 3 * sizes.vocabulary)
    check_memory(f"{len(pairs)} questions of up to {longest} tokens need", needed, "give fewer or shorter ones")
    try:
        _, generic = tokenizer.question(words.prompts[asked[0]], material.generic, material.space)
    except SimonidesError as error:
        raise SimonidesError(
            f"the generic word {material.generic!r}: {error} Give another with --generic."
        ) from None
    questions = Questions.of([prompt for prompt, _ in pairs], [answer for _, answer in pairs], [generic])
    # a generator of its own: what else is drawn stays as it is
    questions = questions.with_shuffled(torch.Generator().manual_seed(material.seed + 1))
    if material.shuffled and questions.shuffled is not None:
        questions = replace(questions, answers=questions.shuffled, shuffled=questions.answers)
    return questions, tuple(reasons)
