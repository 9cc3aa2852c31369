"""A language model asked to count, read by the same report: its attention from the last token of the prompt.

What it compares with is then a mean over the heads of one layer, and logits are linear in nothing: look at accuracy
beside the best constant answer before anything else.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.nn import Interventions, Roles, Trace, check_head, device_of
from simonides.papers.counting.prompts import prompts
from simonides.papers.counting.strings import BEGINNING, CHARACTERS, ContextualCounting

READING = "reading.weights"


@runtime_checkable
class Encodes(Protocol):
    """A tokenizer: `encode` gives a text's token numbers, without what is put before every text."""

    beginning: Int[Tensor, " beginning"]

    def encode(self, text: str) -> Int[Tensor, " tokens"]:
        """Tokens of a text."""


class PromptedCounter:
    """A decoder that answers how many 1s the one region of a string holds, with one digit.

    Arguments:
        model: a decoder with its roles, such as `open_checkpoint` gives.
        tokenizer: its own; each of 0, 1, [ and ] must be one token.
        task: of one region, without beginning and registers, and with up to ten answers.
        layer: whose attention is read, from 0.
        examples: solved ones in the prompt.

    Raises:
        SimonidesError: when the task has more regions or answers, or a character is no single token.
    """

    def __init__(
        self, model: Roles, tokenizer: Encodes, task: ContextualCounting, layer: int, examples: int = 4
    ) -> None:
        check_head(model.sizes, layer)
        check_at_least("examples", examples, 1)
        if task.most_regions != 1 or task.before or task.answers > 10:
            raise SimonidesError(
                f"{task.regions} regions, {task.before} tokens before the string and {task.answers} answers; give a "
                "task with regions=1, beginning=False and classes=10 or fewer."
            )
        self.model, self.layer = model, layer
        shown = task.sample(examples, torch.Generator().manual_seed(0))
        text = prompts(shown, shown)[0]
        # the last example's string is in the prompt itself, behind the solved ones
        head, _, _ = text.rpartition("String: ")
        self._head = torch.cat([tokenizer.beginning, tokenizer.encode(head + "String: ")])
        self._tail = tokenizer.encode("\nCounts: [")
        self._characters = _single(tokenizer, CHARACTERS[:BEGINNING])
        self._answers = _single(tokenizer, "".join(map(str, range(task.answers))))

    def run(
        self, tokens: Int[Tensor, "B T"], *, trace: Trace | None = None, interventions: Interventions | None = None
    ) -> Float[Tensor, "B 1 answers"]:
        """Logits of the digits; "reading.weights" is the attention of the last token to the string, B x H x 1 x T."""
        count, length = tokens.shape
        first = len(self._head)
        head, tail = (part.expand(count, -1) for part in (self._head, self._tail))
        prompt = torch.cat([head, self._characters[tokens.cpu()], tail], 1).to(device_of(self.model))
        name = f"layers.{self.layer}.attention.weights"
        inner = None if trace is None else Trace(name)
        changes: dict[str, Callable[[Tensor], Tensor]] = {}
        for asked, change in (interventions or {}).items():
            if asked != READING:
                raise SimonidesError(f"no activation is called {asked!r}; there is {READING}.")
            changes[name] = _of_last_row(change, first, length)
        at = torch.full((count, 1), prompt.shape[1] - 1, device=prompt.device)
        logits = self.model.run(prompt, at, trace=inner, interventions=changes or None)
        if trace is not None and inner is not None:
            if not trace.keeps(READING):
                raise SimonidesError(f"no activation is called {trace.patterns[0]!r}; there is {READING}.")
            trace[READING] = inner[name][:, :, -1:, first : first + length]
        return logits[..., self._answers.to(logits.device)]


def _of_last_row(change: Callable[[Tensor], Tensor], first: int, length: int) -> Callable[[Tensor], Tensor]:
    """A change of the last query's attention to the string, the rest left."""

    def changed(weights: Float[Tensor, "B H Q T"]) -> Float[Tensor, "B H Q T"]:
        whole = weights.clone()
        whole[:, :, -1:, first : first + length] = change(weights[:, :, -1:, first : first + length])
        return whole

    return changed


def _single(tokenizer: Encodes, characters: str) -> Int[Tensor, " characters"]:
    """The token of each character."""
    encoded = [tokenizer.encode(character) for character in characters]
    if many := [c for c, tokens in zip(characters, encoded, strict=True) if len(tokens) != 1]:
        raise SimonidesError(f"the tokenizer has no single token for {', '.join(many)}; take another model.")
    return torch.cat(encoded)
