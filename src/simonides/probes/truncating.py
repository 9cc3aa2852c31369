"""Truncating a model: matrices cut to low rank together, or each alone to find what helps, beside controls.

Sharma, Ash & Misra (2024), LASER. The controls are ours: the same matrices scaled to the norm that is left, and as
many directions removed at random.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_share
from simonides.checkpoints import CheckpointModel, rewrite_checkpoint, save_factors
from simonides.nn import Roles
from simonides.probes.bench import Bench, Judged, over_random
from simonides.probes.edits import Key, layers_named, matrices_named, matrix_of, replaced
from simonides.probes.truncation import Decomposition, decompose, decompose_leading

# sides from which the leading directions alone are followed, where few are kept
_LARGE = 4096
Tick = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How much of a matrix is kept; one of the first three.

    Arguments:
        rank: how many directions.
        share: of the rank; 0 removes the matrix.
        energy: of the squared norm.
        svd: "exact"; "random", the leading directions alone, with measured error; or "auto", which follows them for
            sides above 4096.
    """

    rank: int | None = None
    share: float | None = None
    energy: float | None = None
    svd: str = "auto"

    def __post_init__(self) -> None:
        ways = [name for name in ("rank", "share", "energy") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise SimonidesError(f"give one of rank, share and energy, got {', '.join(ways) or 'none'}.")
        if self.share is not None and not 0 <= self.share <= 1:
            raise SimonidesError(f"share = {self.share} is no share of the rank; give a number in [0, 1].")
        if self.energy is not None:
            check_share("energy", self.energy)
        if self.rank is not None:
            check_at_least("rank", self.rank, 0)
        if self.svd not in ("auto", "exact", "random"):
            raise SimonidesError(f"svd {self.svd!r} is unknown; give auto, exact or random.")

    def check(self, model: Roles, keys: Sequence[Key]) -> None:
        """Raise `SimonidesError` where a matrix has fewer directions than are to be kept."""
        for layer, role in keys:
            least = min(matrix_of(model, layer, role).shape)
            if self.rank is not None and self.rank > least:
                raise SimonidesError(
                    f"rank = {self.rank}, but {role} of layer {layer} has {least} directions; give fewer."
                )

    def decomposed(self, weight: Float[Tensor, "m n"], generator: torch.Generator) -> tuple[Decomposition, int]:
        """A matrix's directions, and how many are kept, of one that has passed `check`."""
        least = min(weight.shape)
        rank = self.rank
        if self.share is not None:
            rank = Decomposition.rank_of(self.share, least)
        few = rank is not None and 0 < 4 * rank <= least
        if self.svd == "random" and not few:
            raise SimonidesError(
                "a random decomposition follows few directions: keep a quarter of the rank at most."
            )
        if few and rank is not None and (self.svd == "random" or (self.svd == "auto" and least > _LARGE)):
            return decompose_leading(weight, rank, generator), rank
        decomposition = decompose(weight)
        if self.energy is not None:
            return decomposition, decomposition.rank_of_energy(self.energy)
        assert rank is not None
        return decomposition, rank


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """Matrices of a model cut together, and what it does then.

    Arguments:
        bench: the model and its material; the model is as it was.
        untouched, truncated: what it does before and after.
        same_norm: with the matrices whole, scaled to the norm that was left.
        random_directions: with as many directions removed at random, for each draw.
        decompositions, ranks: of the matrices, by layer and role.
    """

    bench: Bench
    untouched: Judged
    truncated: Judged
    same_norm: Judged
    random_directions: tuple[Judged, ...]
    decompositions: Mapping[Key, Decomposition]
    ranks: Mapping[Key, int]

    def cut(self) -> dict[Key, Float[Tensor, "out into"]]:
        """The matrices that are left, for `replaced`."""
        return {key: self.decompositions[key].at_rank(rank) for key, rank in self.ranks.items()}

    @property
    def rows(self) -> list[tuple[str, Judged]]:
        """What was judged, by name."""
        controls = [("random directions", judged) for judged in self.random_directions]
        return [
            ("untouched", self.untouched),
            ("truncated", self.truncated),
            ("same norm", self.same_norm),
            *controls,
        ]

    def table(self) -> pl.DataFrame:
        """A row for each that was judged: perplexity, and of questions accuracy, gain and probability."""
        return pl.DataFrame([{"model": name, **_flat(judged.table(self.untouched))} for name, judged in self.rows])

    def over_random(self) -> dict[str, Any]:
        """How much more is answered right than with as many random directions removed, with its interval."""
        return over_random(self.truncated, self.random_directions)

    def matrices(self) -> pl.DataFrame:
        """A row for each matrix: layer, role, rank, of how many, and the share of its norm that is left out."""
        return pl.DataFrame(
            [
                {
                    "layer": layer,
                    "matrix": role,
                    "rank": rank,
                    "of": min(matrix_of(self.bench.model, layer, role).shape),
                    "error": self.decompositions[layer, role].error(rank),
                }
                for (layer, role), rank in self.ranks.items()
            ]
        )

    def save_factors(self, path: Path | str) -> int:
        """Write two narrow matrices in place of each; returns how many numbers they are."""
        return save_factors(
            {key: self.decompositions[key].factors(rank) for key, rank in self.ranks.items()}, path
        )

    def save_checkpoint(self, source: Path | str, folder: Path | str) -> Path:
        """Write the truncated model as a checkpoint folder, with what its source brought.

        Raises:
            SimonidesError: when the model is no checkpoint, or the folder cannot be written.
        """
        if not isinstance(self.bench.model, CheckpointModel):
            raise SimonidesError("only a checkpoint is written as one; use cut() for the matrices of a toy.")
        with replaced(self.bench.model, self.cut()):
            return rewrite_checkpoint(self.bench.model, source, folder)


def truncate(
    bench: Bench,
    cut: Cut,
    layers: str = "all",
    matrix: str = "W_in",
    controls: int = 3,
    untouched: Judged | None = None,
    tick: Tick | None = None,
) -> Truncation:
    """Cut matrices of a model together, and see what it answers and how a text surprises it then.

    Arguments:
        bench: the model with what it is tried on, from `make_bench`.
        cut: how much is kept.
        layers: which, from 0: "all", "3", "0-4" or "3,8-11".
        matrix: a role, a pattern, "attention", "feed-forward", "all", or several with commas between; cut where
            a layer has it.
        controls: how often as many directions are removed at random.
        untouched: what the model does before, where it is known.
        tick: told of each matrix and of each that is judged.

    Raises:
        SimonidesError: when there is no such layer or matrix, or it has fewer directions than are to be kept.
    """
    check_at_least("controls", controls, 0)
    if not isinstance(bench, Bench):
        raise SimonidesError(
            f"a {type(bench).__name__} is not what a model is tried on; give make_bench(model, Material(...))."
        )
    tick = tick or (lambda glimpse: None)
    model = bench.model
    keys = keys_named(model, layers, matrix)
    cut.check(model, keys)
    before = bench.judge() if untouched is None else untouched
    decompositions: dict[Key, Decomposition] = {}
    ranks: dict[Key, int] = {}
    for key in keys:
        decompositions[key], ranks[key] = cut.decomposed(matrix_of(model, *key), bench.generator)
        tick(f"layer {key[0]} {key[1]}: rank {ranks[key]}")
    matrices = {key: decompositions[key].at_rank(ranks[key]) for key in keys}
    truncated = bench.judge(matrices)
    tick(f"truncated: perplexity {truncated.perplexity:.1f}")
    norms = {key: float(matrices[key].norm() / max(decompositions[key].total ** 0.5, 1e-30)) for key in keys}
    same_norm = bench.judge({key: matrix_of(model, *key) * norms[key] for key in keys})
    tick(f"same norm: perplexity {same_norm.perplexity:.1f}")
    random = []
    for _ in range(controls):
        random.append(bench.judge(_at_random(model, decompositions, ranks, bench.generator)))
        tick(f"random directions: perplexity {random[-1].perplexity:.1f}")
    return Truncation(
        bench=bench,
        untouched=before,
        truncated=truncated,
        same_norm=same_norm,
        random_directions=tuple(random),
        decompositions=decompositions,
        ranks=ranks,
    )


def keys_named(model: Roles, layers: str, matrix: str) -> list[Key]:
    """The matrices that two patterns name, by layer; those that a layer lacks are left out.

    Raises:
        SimonidesError: when they name none.
    """
    roles = matrices_named(model, matrix)
    keys = [(layer, role) for layer in layers_named(model, layers) for role in roles if role in model.roles(layer)]
    if not keys:
        raise SimonidesError(f"layers {layers!r} have none of the matrices {matrix!r}.")
    return keys


def _at_random(
    model: Roles,
    decompositions: Mapping[Key, Decomposition],
    ranks: Mapping[Key, int],
    generator: torch.Generator,
) -> dict[Key, Tensor]:
    """As many directions removed, drawn from all: those of a part that was not decomposed by random rotation."""
    matrices = {}
    for key, known in decompositions.items():
        weight = matrix_of(model, *key)
        least = min(weight.shape)
        if len(known.values) == least:
            matrices[key] = known.without_random(least - ranks[key], generator)
            continue
        kept = torch.linalg.qr(torch.randn(weight.shape[1], ranks[key], generator=generator)).Q.to(weight)
        matrices[key] = weight @ kept @ kept.mT
    return matrices


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Intervals as two columns."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, tuple):
            flat |= {name.replace("interval", side): end for side, end in zip(("low", "high"), value, strict=True)}
        else:
            flat[name] = value
    return flat
