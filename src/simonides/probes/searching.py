"""Searching truncations: every layer, matrix and share alone, chosen on some questions, reported on the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.probes.answers import Answers, split
from simonides.probes.bench import Bench, Judged, over_random
from simonides.probes.edits import Edit, cut_matrix, matrix_of
from simonides.probes.truncating import Tick, keys_named
from simonides.probes.truncation import decompose
from simonides.probes.truncation_search import answers_after_edits, best_edit, compose_edits

# share of the questions that an edit is chosen by
_CHOSEN_BY = 0.2


@dataclass(frozen=True, kw_only=True)
class TruncationSearch:
    """Many edits of a model, each alone: chosen on some questions, reported on the others.

    Arguments:
        bench: the model and its material; the model is as it was.
        untouched: what it does before.
        answers: after each edit.
        chosen_by, reported_on: rows of the questions.
        chosen: the best edit on those it is chosen by.
        after: what the model does after it.
        random_directions: after as many directions of the same matrix were removed at random.
        composed: edits of several layers taken together, and what the model does then.
    """

    bench: Bench
    untouched: Judged
    answers: Mapping[Edit, Answers]
    chosen_by: Int[Tensor, " a"]
    reported_on: Int[Tensor, " b"]
    chosen: Edit
    after: Judged
    random_directions: tuple[Judged, ...]
    composed: tuple[tuple[Edit, ...], Judged] | None

    def rows(self) -> list[dict[str, Any]]:
        """What is reported, on held-out questions: a row each, with 95 % intervals."""
        named = [("untouched", self.untouched), (str(self.chosen), self.after)]
        named += [(f"random directions of {self.chosen}", judged) for judged in self.random_directions]
        if self.composed is not None:
            named.append((f"composed, {len(self.composed[0])} edits", self.composed[1]))
        rows = [
            {"edit": name, **judged.table(self.untouched, self.reported_on, seed)}
            for seed, (name, judged) in enumerate(named)
        ]
        rows[1] |= over_random(self.after, self.random_directions, self.reported_on)
        return rows

    def table(self) -> pl.DataFrame:
        """A row for each edit: accuracy and probabilities on all questions, and accuracy on either part."""
        everywhere = torch.cat([self.chosen_by, self.reported_on])
        return pl.DataFrame(
            [
                {
                    "layer": edit.layer,
                    "matrix": edit.matrix,
                    "share": edit.share,
                    "accuracy": float(answers.right[everywhere].mean()),
                    "accuracy_chosen_by": float(answers.right[self.chosen_by].mean()),
                    "accuracy_reported_on": float(answers.right[self.reported_on].mean()),
                    "probability": float(answers.probability[everywhere].mean()),
                    "generic": float(answers.watched[everywhere].mean()) if answers.watched.shape[1] else None,
                }
                for edit, answers in self.answers.items()
            ]
        )

    def write(self, folder: Path | str, name: str = "model") -> Path:
        """Write a page with a map of all edits, and their table; returns the page's path."""
        from simonides.probes.truncation_page import write_search

        return write_search(self, Path(folder), name)


def search_truncations(
    bench: Bench,
    shares: Sequence[float] = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5),
    layers: str = "all",
    matrix: str = "W_in",
    controls: int = 3,
    compose: bool = False,
    untouched: Judged | None = None,
    tick: Tick | None = None,
) -> TruncationSearch:
    """Try every layer, matrix and share alone: the best on a fifth of the questions is reported on the rest.

    Arguments:
        bench: the model with its questions, from `make_bench`.
        shares: of the rank that is kept.
        layers, matrix, controls, untouched: as in `truncate`.
        compose: whether edits of several layers are taken together as well, from the last layer.
        tick: told of each edit.

    Raises:
        SimonidesError: when there are no questions, or a share, layer or matrix makes no sense.
    """
    check_at_least("controls", controls, 0)
    if bench.questions is None:
        raise SimonidesError("a search needs questions: a table such as country-capital, or a file.")
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise SimonidesError(f"shares {list(shares)} lie outside [0, 1]; give at least one inside.")
    keys = keys_named(bench.model, layers, matrix)
    before = bench.judge() if untouched is None else untouched
    chosen_by, reported_on = split(len(bench.questions), _CHOSEN_BY, bench.generator)
    edits = [Edit(layer=layer, matrix=role, share=share) for layer, role in keys for share in shares]

    def told(edit: Edit, answers: Answers) -> None:
        if tick is not None:
            tick(f"{edit}: accuracy {float(answers.right[chosen_by].mean()):.3f}")

    with torch.no_grad():
        answers = answers_after_edits(bench.model, bench.questions, edits, told)
        chosen = best_edit(answers, chosen_by)
        key = (chosen.layer, chosen.matrix)
        decomposition = decompose(matrix_of(bench.model, *key))
        rank = decomposition.rank_of_share(chosen.share)
        after = bench.judge({key: decomposition.at_rank(rank)})
        removed = len(decomposition.values) - rank
        random = [
            bench.judge({key: decomposition.without_random(removed, bench.generator)}) for _ in range(controls)
        ]
        composed = None
        if compose:
            taken = [
                edit
                for edit, better in compose_edits(bench.model, bench.questions.rows(chosen_by), answers)
                if better
            ]
            together = bench.judge({(edit.layer, edit.matrix): cut_matrix(bench.model, edit) for edit in taken})
            composed = (tuple(taken), together)
    return TruncationSearch(
        bench=bench,
        untouched=before,
        answers=answers,
        chosen_by=chosen_by,
        reported_on=reported_on,
        chosen=chosen,
        after=after,
        random_directions=tuple(random),
        composed=composed,
    )
