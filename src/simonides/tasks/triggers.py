"""The in-context bigram task: sequences of bigrams in which a trigger is always followed by its own output.

Bietti et al. (2023), section 3: per sequence each of K triggers q_k has an output o_k; z_1 ~ pi_u, and z_{t+1} is
o_k after z_t = q_k, else ~ pi_b(. | z_t). What follows a trigger's first occurrence cannot be known; what follows
later ones can, by looking back. Letters: `B` sequences, `T` positions, `N` tokens, `K` triggers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name, check_share
from simonides.data import Bigrams

TRIGGERS = ("frequent", "random")
OUTPUTS = ("uniform", "bigram")
REPEATS = ("allowed", "not itself", "no trigger")


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """B sequences of T tokens with what comes next.

    Arguments:
        tokens: z_1 .. z_{T+1}.
        occurrence: c_t, 0 where z_t is no trigger, else how often it has come so far.
        triggers: q_k of each sequence.
        outputs: o_k.
    """

    tokens: Int[Tensor, "B T_and_1"]
    occurrence: Int[Tensor, "B T"]
    triggers: Int[Tensor, "B K"]
    outputs: Int[Tensor, "B K"]

    @property
    def inputs(self) -> Int[Tensor, "B T"]:
        """z_1 .. z_T."""
        return self.tokens[:, :-1]

    @property
    def targets(self) -> Int[Tensor, "B T"]:
        """z_2 .. z_{T+1}."""
        return self.tokens[:, 1:]

    @property
    def in_context(self) -> Bool[Tensor, "B T"]:
        """Where the target can be known from the context: c_t >= 2."""
        return self.occurrence >= 2


@dataclass(frozen=True, kw_only=True)
class TriggeredBigrams:
    """The task.

    Arguments:
        bigrams: where pi_u and pi_b come from.
        length: T.
        triggers: "frequent", the K most frequent tokens after `offset` ones; "random", drawn for each sequence
            from pi_u without repetition; or the numbers of K tokens.
        count: K, where the triggers are not listed.
        offset: how many of the most frequent tokens are passed over.
        outputs: "uniform" over all tokens, or "bigram", pi_b(. | q_k).
        repeats: what an output may be: "allowed" anything, "not itself" no trigger of its own, or "no trigger" at
            all. Where it may, sequences loop, and weak models look better than they are.
        noise: the odds that a trigger is followed by `noise_token` in place of its output (Chen, Bruna & Bietti
            2025): an association that holds in every sequence, beside the one that holds in this one.
        noise_token: a token's number.
    """

    bigrams: Bigrams
    length: int = 256
    triggers: str | Sequence[int] = "random"
    count: int = 5
    offset: int = 0
    outputs: str = "uniform"
    repeats: str = "allowed"
    noise: float = 0.0
    noise_token: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.triggers, str):
            check_name("triggers", self.triggers, TRIGGERS)
        else:
            self._check_listed(self.triggers)
        check_name("outputs", self.outputs, OUTPUTS)
        check_name("repeats", self.repeats, REPEATS)
        check_at_least("length", self.length, 1)
        check_at_least("offset", self.offset, 0)
        check_at_least("count", self.count, 1)
        if self.noise:
            check_share("noise", self.noise)
        if not 0 <= self.noise_token < len(self.bigrams):
            raise SimonidesError(
                f"noise_token = {self.noise_token} is none of {len(self.bigrams)} tokens; count from 0."
            )
        drawn = int((self.bigrams.counts > 0).sum()) if self.triggers == "random" else len(self.bigrams)
        room = drawn - self.offset
        if self.triggers in TRIGGERS and self.count > room:
            raise SimonidesError(
                f"{self.count} triggers, where {max(room, 0)} of {len(self.bigrams)} tokens can be one after the first "
                f"{self.offset}; give fewer, or a larger vocabulary."
            )
        if self.triggers != "frequent" and self.offset:
            raise SimonidesError("an offset is of the most frequent triggers; leave it 0 for others.")

    def _check_listed(self, triggers: Sequence[int]) -> None:
        size = len(self.bigrams)
        if not triggers or len(set(triggers)) != len(triggers):
            raise SimonidesError(f"triggers = {list(triggers)}; give different tokens, at least one.")
        for trigger in triggers:
            check_at_least("trigger", trigger, 0)
            if trigger >= size:
                raise SimonidesError(f"trigger {trigger} is none of {size} tokens; count from 0.")

    @property
    def number(self) -> int:
        """K."""
        return self.count if isinstance(self.triggers, str) else len(self.triggers)

    @property
    def fixed_triggers(self) -> Int[Tensor, " K"] | None:
        """The triggers of all sequences, where they are the same."""
        if self.triggers == "random":
            return None
        if not isinstance(self.triggers, str):
            return torch.tensor(list(self.triggers))
        return self.bigrams.by_frequency[self.offset : self.offset + self.count]

    def sample(self, batch: int, generator: torch.Generator) -> Sequences:
        """B fresh sequences."""
        check_at_least("batch", batch, 1)
        size, length = len(self.bigrams), self.length
        triggers = self._draw_triggers(batch, generator)
        outputs = self._draw_outputs(triggers, generator)
        # what must follow each token, or -1
        forced = torch.full((batch, size), -1).scatter_(1, triggers, outputs).flatten().numpy()
        accept, other = (table.numpy() for table in self._alias)
        uniform = torch.rand(length, batch, generator=generator, dtype=torch.float64).numpy() * size
        column = uniform.astype(np.int64)
        level = uniform - column
        flips = self._flips(batch, generator)
        tokens = np.empty((length + 1, batch), dtype=np.int64)
        tokens[0] = torch.multinomial(self.bigrams.unigram, batch, replacement=True, generator=generator).numpy()
        rows = np.arange(batch) * size
        # one step after the other for the whole batch; numpy's calls on so few numbers cost a third of torch's
        for now, following, high, place, flip in zip(tokens, tokens[1:], level, column, flips, strict=False):
            cell = now * size + place
            free = np.where(high < accept[cell], place, other[cell])
            must = forced[rows + now]
            following[:] = np.where(
                must >= 0, must if flip is None else np.where(flip, self.noise_token, must), free
            )
        sequence = torch.from_numpy(tokens.T.copy())
        return Sequences(
            tokens=sequence,
            occurrence=occurrences(sequence[:, :-1], triggers),
            triggers=triggers,
            outputs=outputs,
        )

    def _flips(self, batch: int, generator: torch.Generator) -> Iterable[np.ndarray | None]:
        """Where a trigger is followed by noise; nothing is drawn where there is none."""
        if not self.noise:
            return repeat(None, self.length)
        return (torch.rand(self.length, batch, generator=generator) < self.noise).numpy()

    def _draw_triggers(self, batch: int, generator: torch.Generator) -> Int[Tensor, "B K"]:
        fixed = self.fixed_triggers
        if fixed is not None:
            return fixed.expand(batch, -1).contiguous()
        return torch.multinomial(self.bigrams.unigram.expand(batch, -1), self.number, generator=generator)

    def _draw_outputs(self, triggers: Int[Tensor, "B K"], generator: torch.Generator) -> Int[Tensor, "B K"]:
        batch, size = len(triggers), len(self.bigrams)
        if self.outputs == "uniform" and self.repeats == "allowed":
            return torch.randint(size, triggers.shape, generator=generator)
        if self.outputs == "uniform":
            odds = torch.ones(batch, self.number, size, dtype=torch.float64)
        else:
            odds = self.bigrams.bigram[triggers]
        if self.repeats == "not itself":
            odds = odds.scatter(-1, triggers[..., None], 0.0)
        elif self.repeats == "no trigger":
            odds = odds.scatter(-1, triggers[:, None, :].expand(-1, self.number, -1), 0.0)
        if (odds.sum(-1) == 0).any():
            raise SimonidesError(
                f"repeats = {self.repeats!r} leaves a trigger without an output that may follow it; "
                "draw uniform outputs, or allow more."
            )
        drawn = torch.multinomial(odds.flatten(0, 1), 1, generator=generator)
        return drawn.reshape(batch, self.number)

    @cached_property
    def _alias(self) -> tuple[Float[Tensor, " NN"], Int[Tensor, " NN"]]:
        """Walker's alias tables of all rows of pi_b (Vose 1991): one uniform number draws from any of them."""
        rows = self.bigrams.bigram
        size = len(rows)
        accept, other = torch.ones(size, size, dtype=torch.float64), torch.arange(size).repeat(size, 1)
        for number, row in enumerate(rows):
            heights = (row * size).tolist()
            small = [i for i, height in enumerate(heights) if height < 1]
            large = [i for i, height in enumerate(heights) if height >= 1]
            while small and large:
                low, high = small.pop(), large[-1]
                accept[number, low], other[number, low] = heights[low], high
                heights[high] -= 1 - heights[low]
                if heights[high] < 1:
                    small.append(large.pop())
        return accept.flatten(), other.flatten()


def occurrences(tokens: Int[Tensor, "B T"], triggers: Int[Tensor, "B K"]) -> Int[Tensor, "B T"]:
    """c_t: 0 where a token is no trigger, else how often it has come up to here.

    >>> occurrences(torch.tensor([[3, 1, 3, 2, 1]]), torch.tensor([[3, 1]]))
    tensor([[1, 1, 2, 0, 2]])
    """
    occurrence = torch.zeros_like(tokens)
    for trigger in triggers.unbind(1):
        here = tokens == trigger[:, None]
        occurrence += here * here.cumsum(1, dtype=torch.int32)
    return occurrence
