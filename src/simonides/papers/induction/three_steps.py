"""Three gradient steps make an induction head: one each on W_OV2, W_KQ2 and W_KQ1, from zero.

Bietti et al. (2023), section 6 (theorem 3), in a runnable form. A sequence holds a trigger q twice, at the last
place and at one before, each other token uniform; the loss is on what follows the last: the token y that came
after the first. Attention is read through tables: P = p W_KQ1 p^T over positions, M = (W_OV1 e) W_KQ2 e^T and
V = W_U W_OV2 e over tokens. Letters: `B` sequences, `T` positions, `N` tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name

# in the order of their steps
MATRICES = ("W_OV2", "W_KQ2", "W_KQ1")
# sequences held at once
_CHUNK = 4096
_MOST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Directions:
    """The fixed directions of the stream, rows in R^d.

    Arguments:
        tokens: e_k.
        positions: p_t.
        remapped: W_OV1 e_k, what layer 1 leaves of a token.
        remapped_positions: W_OV1 p_t.
        outputs: rows of W_U.
    """

    tokens: Float[Tensor, "N d"]
    positions: Float[Tensor, "T d"]
    remapped: Float[Tensor, "N d"]
    remapped_positions: Float[Tensor, "T d"]
    outputs: Float[Tensor, "N d"]

    def to(self, device: torch.device | str) -> "Directions":
        """The same on a device."""
        return Directions(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def one_hot_directions(tokens: int, length: int) -> Directions:
    """All orthonormal, in d = 2 N + 2 T: tokens, positions, and both remapped; outputs are the tokens."""
    check_at_least("tokens", tokens, 2)
    check_at_least("length", length, 3)
    eye = torch.eye(2 * (tokens + length), dtype=torch.float64)
    e, p, remapped, remapped_p = eye.split([tokens, length, tokens, length])
    return Directions(tokens=e, positions=p, remapped=remapped, remapped_positions=remapped_p, outputs=e)


def random_directions(tokens: int, length: int, d: int, generator: torch.Generator) -> Directions:
    """Entries N(0, 1/d), and a random W_OV1 of such entries that remaps."""
    e, u, p, w = (
        torch.randn(rows, d, generator=generator, dtype=torch.float64) / d**0.5
        for rows in (tokens, tokens, length, d)
    )
    return Directions(tokens=e, positions=p, remapped=e @ w.mT, remapped_positions=p @ w.mT, outputs=u)


def draw_sequences(
    tokens: int, length: int, batch: int, generator: torch.Generator, first: int = 0
) -> tuple[Int[Tensor, "B T"], Int[Tensor, " B"]]:
    """Sequences and the token y to be said: q at a place t_0 in first .. T - 3 and at the end, y after t_0.

    q is uniform, y uniform among the others, and so is every other token.
    """
    q = torch.randint(tokens, (batch,), generator=generator)
    # uniform among the tokens other than q
    z = torch.randint(tokens - 1, (batch, length), generator=generator)
    z += z >= q[:, None]
    rows = torch.arange(batch)
    at = torch.randint(first, length - 2, (batch,), generator=generator)
    z[rows, at] = q
    z[:, -1] = q
    return z, z[rows, at + 1]


def all_sequences(tokens: int, length: int) -> tuple[Int[Tensor, "B T"], Int[Tensor, " B"]]:
    """Every sequence of `draw_sequences`, each as likely as the others: a step on them is the population's.

    There are N (T - 2) (N - 1)^(T - 2) of them.

    Raises:
        SimonidesError: when they are more than a million.
    """
    check_at_least("tokens", tokens, 2)
    check_at_least("length", length, 3)
    count = tokens * (length - 2) * (tokens - 1) ** (length - 2)
    if count > _MOST:
        raise SimonidesError(
            f"{count:,} sequences of {length} among {tokens} tokens; draw some, or make both smaller."
        )
    others = torch.cartesian_prod(*[torch.arange(tokens - 1)] * (length - 2)).reshape(-1, length - 2)
    parts, targets = [], []
    for q in range(tokens):
        rest = others + (others >= q)
        trigger = torch.full((len(rest), 1), q)
        for at in range(length - 2):
            parts.append(torch.cat([rest[:, :at], trigger, rest[:, at:], trigger], 1))
            targets.append(rest[:, at])
    return torch.cat(parts), torch.cat(targets)


@dataclass(kw_only=True)
class ThreeSteps:
    """The three matrices, and the model they make.

    Arguments:
        directions: the stream's fixed directions.
        blocks: the matrices that see their own block of the stream alone: W_KQ1 positions, W_KQ2 remapped tokens
            as keys and tokens as queries, W_OV2 tokens. The others see the whole stream.
        W_KQ1, W_KQ2, W_OV2: the matrices, key by query; zero at first.
    """

    directions: Directions
    blocks: tuple[str, ...]
    W_KQ1: Float[Tensor, "d d"]
    W_KQ2: Float[Tensor, "d d"]
    W_OV2: Float[Tensor, "d d"]

    @classmethod
    def start(cls, directions: Directions, blocks: tuple[str, ...] = MATRICES) -> "ThreeSteps":
        """All three zero."""
        for name in blocks:
            check_name("matrix", name, MATRICES)
        d = directions.tokens.shape[1]
        zero = [directions.tokens.new_zeros(d, d) for _ in range(3)]
        return cls(directions=directions, blocks=blocks, W_KQ1=zero[0], W_KQ2=zero[1], W_OV2=zero[2])

    def logits(self, sequences: Int[Tensor, "B T"]) -> Float[Tensor, "B N"]:
        """After the last position."""
        sequences = sequences.to(self.W_OV2.device)
        return self._by_tables(sequences) if set(self.blocks) == set(MATRICES) else self._by_streams(sequences)

    def step(self, name: str, rate: float, sequences: Int[Tensor, "B T"], targets: Int[Tensor, " B"]) -> None:
        """One gradient step on one of the matrices; the others stay."""
        check_name("matrix", name, MATRICES)
        weight = getattr(self, name).detach().clone().requires_grad_()
        setattr(self, name, weight)
        for z, y in zip(sequences.split(_CHUNK), targets.split(_CHUNK), strict=True):
            logits = self.logits(z)
            loss = torch.nn.functional.cross_entropy(logits, y.to(logits.device), reduction="sum")
            (loss / len(sequences)).backward()
        setattr(self, name, (weight - rate * weight.grad).detach())

    def train(self, rates: tuple[float, float, float], draw: Callable[[], tuple[Tensor, Tensor]]) -> None:
        """The three steps, each on fresh sequences."""
        for name, rate in zip(MATRICES, rates, strict=True):
            self.step(name, rate, *draw())

    def saturate(self, factor: float = 1e6) -> None:
        """Scale both key-query matrices, so that attention goes to the largest scores alone."""
        for name in ("W_KQ1", "W_KQ2"):
            weight = getattr(self, name)
            largest = weight.abs().max()
            setattr(self, name, weight * factor / largest if largest > 0 else weight)

    def recalls(self) -> tuple[float, float, float]:
        """R(W_OV2), R(W_KQ2), R(W_KQ1): tokens to themselves, to their remapped selves, positions to the last."""
        at = self.directions
        tables = (
            at.outputs @ self.W_OV2 @ at.tokens.mT,
            at.remapped @ self.W_KQ2 @ at.tokens.mT,
            (at.positions @ self.W_KQ1 @ at.positions.mT)[:, 1:],
        )
        return tuple(  # type: ignore[return-value]
            float((table.argmax(0).cpu() == torch.arange(table.shape[1])).double().mean()) for table in tables
        )

    def _by_tables(self, z: Tensor) -> Tensor:
        at = self.directions
        length = z.shape[1]
        # softmax over the keys s <= t of each query t
        scores = (at.positions @ self.W_KQ1 @ at.positions.mT).mT[:length, :length]
        first = torch.softmax(scores.masked_fill(_future(length).to(scores.device), -torch.inf), -1)
        meets = at.remapped @ self.W_KQ2 @ at.tokens.mT
        asked = meets[z, z[:, -1:]]  # what the token at each place is as a key, for the last token as query
        second = torch.softmax(asked @ first.mT, -1)
        says = (at.outputs @ self.W_OV2 @ at.tokens.mT).mT
        return torch.einsum("bt,btn->bn", second, says[z])

    def _by_streams(self, z: Tensor) -> Tensor:
        at = self.directions
        length = z.shape[1]
        tokens = at.tokens[z]
        stream = tokens + at.positions[:length]
        seen = at.positions[:length].expand_as(stream) if "W_KQ1" in self.blocks else stream
        scores = (seen @ self.W_KQ1.mT) @ seen.mT
        first = torch.softmax(scores.masked_fill(_future(length).to(scores.device), -torch.inf), -1)
        remapped = first @ at.remapped[z]
        after = stream + remapped + first @ at.remapped_positions[:length]
        keys, query = (remapped, tokens[:, -1]) if "W_KQ2" in self.blocks else (after, after[:, -1])
        second = torch.softmax(torch.einsum("bd,btd->bt", query @ self.W_KQ2.mT, keys), -1)
        values = tokens if "W_OV2" in self.blocks else after
        return torch.einsum("bt,btd->bd", second, values) @ self.W_OV2.mT @ at.outputs.mT


def _future(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).triu(1)
