"""What a model answers to questions, and how surprised it is by a text.

Letters: `Q` questions, `T` positions, `k` tokens watched.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.nn import Roles, check_tokens, device_of, last_positions


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Prompts with the token that answers each.

    Arguments:
        tokens: prompts, filled up at the right with any token.
        lengths: their own.
        answers: the first token of each answer.
        watched: other tokens whose probability is wanted, such as a generic word.
        shuffled: the answers in another order, the baseline: how often is another question's answer said?
    """

    tokens: Int[Tensor, "Q T"]
    lengths: Int[Tensor, " Q"]
    answers: Int[Tensor, " Q"]
    watched: Int[Tensor, " k"] = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    shuffled: Int[Tensor, " Q"] | None = None

    @classmethod
    def of(cls, prompts: Sequence[Tensor], answers: Sequence[int], watched: Sequence[int] = ()) -> "Questions":
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
            watched=torch.tensor(list(watched), dtype=torch.long),
        )

    def rows(self, chosen: Int[Tensor, " chosen"]) -> "Questions":
        """Some of the questions."""
        return Questions(
            tokens=self.tokens[chosen],
            lengths=self.lengths[chosen],
            answers=self.answers[chosen],
            watched=self.watched,
            shuffled=None if self.shuffled is None else self.shuffled[chosen],
        )

    def to(self, device: torch.device) -> "Questions":
        """The questions on a device."""
        return Questions(
            tokens=self.tokens.to(device),
            lengths=self.lengths.to(device),
            answers=self.answers.to(device),
            watched=self.watched.to(device),
            shuffled=None if self.shuffled is None else self.shuffled.to(device),
        )

    def with_shuffled(self, generator: torch.Generator) -> "Questions":
        """The same with their answers in a random order as a baseline."""
        return replace(self, shuffled=self.answers[torch.randperm(len(self), generator=generator)])

    @property
    def last(self) -> Int[Tensor, "Q 1"]:
        """The last position of each prompt."""
        return last_positions(self.lengths)

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model answers.

    Where logits are not finite, as those of a broken edit, the answer is wrong, with probability zero behind all
    tokens. Everything is in memory of the processor.

    Arguments:
        right: whether the likeliest token is the answer.
        probability: of the answer.
        rank: how many tokens are likelier than the answer.
        watched: probabilities of the watched tokens.
        right_shuffled: whether the likeliest token is the answer in the shuffled order; None without one.
        truth: the answers themselves.
    """

    right: Float[Tensor, " Q"]
    probability: Float[Tensor, " Q"]
    rank: Int[Tensor, " Q"]
    watched: Float[Tensor, "Q k"]
    right_shuffled: Float[Tensor, " Q"] | None = None
    truth: Int[Tensor, " Q"] | None = None

    def constant(self, rows: Int[Tensor, " chosen"]) -> float | None:
        """The accuracy on some questions of the best constant answer: a model that always says it knows nothing."""
        return None if self.truth is None else float(self.truth[rows].bincount().max()) / len(rows)


def answer(model: Roles, questions: Questions) -> Answers:
    """What a model says after each prompt.

    Raises:
        SimonidesError: when prompts, answers or watched tokens are not of its vocabulary.
    """
    check_tokens(torch.cat([questions.answers, questions.watched]), model.sizes.outputs)
    questions = questions.to(device_of(model))
    return answers_from(model.run(questions.tokens, questions.last), questions)


def answers_from(logits: Float[Tensor, "Q 1 V"], questions: Questions) -> Answers:
    """What a model says, from its logits after each prompt's last token."""
    questions = questions.to(logits.device)
    finite = logits[:, 0].isfinite().all(-1)
    p = logits[:, 0].float().softmax(-1).masked_fill(~finite[:, None], 0.0)
    probability = p.gather(1, questions.answers[:, None])
    said = p.argmax(-1)
    shuffled = None if questions.shuffled is None else ((said == questions.shuffled) & finite).float().cpu()
    return Answers(
        right=((said == questions.answers) & finite).float().cpu(),
        probability=probability[:, 0].cpu(),
        rank=torch.where(finite, (p > probability).sum(1), p.shape[1]).cpu(),
        watched=p[:, questions.watched].cpu(),
        right_shuffled=shuffled,
        truth=questions.answers.cpu(),
    )


def perplexity(
    model: Roles, tokens: Int[Tensor, " T"], window: int = 256, beginning: Int[Tensor, " b"] | None = None
) -> float:
    """exp of the mean cross-entropy of a text read in windows, each token given those before it in its window.

    Each window begins with `beginning`, what a tokenizer puts before every text, and has `window` tokens with it.
    Infinite where it is beyond what a float holds, or logits are not finite.

    Raises:
        SimonidesError: when the text is shorter than two tokens.
    """
    check_at_least("window", window, 2)
    if len(tokens) < 2:
        raise SimonidesError(f"a text of {len(tokens)} tokens has no perplexity; give a longer one.")
    first = tokens.new_zeros(0) if beginning is None else beginning.to(tokens)
    if len(first) > window - 2:
        raise SimonidesError(f"a window of {window} tokens has no room behind {len(first)} that begin it.")
    total, count = 0.0, 0
    for part in tokens.split(window - len(first)):
        row = torch.cat([first, part]).to(device_of(model))
        if len(row) > 1:
            known = max(len(first), 1)  # what begins a window is given, or its first token
            with torch.no_grad():
                logits = model.run(row[None])[0, known - 1 : -1].float()
            total += float(torch.nn.functional.cross_entropy(logits, row[known:], reduction="sum"))
            count += len(row) - known
    mean = total / count
    # exp of more than 709 is beyond a float
    return math.exp(mean) if mean < 709 else math.inf


def split(count: int, share: float, generator: torch.Generator) -> tuple[Int[Tensor, " a"], Int[Tensor, " b"]]:
    """Rows to choose an edit by, a share of all, and the rest to report it on.

    Raises:
        SimonidesError: when one of the two would be empty.
    """
    first = round(count * share)
    if not 0 < first < count:
        raise SimonidesError(f"a share of {share:g} of {count} questions leaves none on one side; give more.")
    order = torch.randperm(count, generator=generator)
    return order[:first], order[first:]
