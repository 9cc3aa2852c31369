"""`truncate --search`: every layer, matrix and share alone, chosen on some questions, reported on others."""

from pathlib import Path
from typing import Any

from simonides import options as given
from simonides.base import SimonidesError
from simonides.commands.judging import Bench, Judged, reported
from simonides.commands.progress import Start
from simonides.commands.truncation_page import write_search
from simonides.probes import Answers, Edit, best, compose, cut_matrix, decompose, matrix_of, split
from simonides.probes.truncation_search import search

# share of the questions that an edit is chosen by
_CHOSEN_BY = 0.2


def search_edits(
    options: given.Truncate,
    bench: Bench,
    layers: list[int],
    matrices: list[str],
    before: Judged,
    out: Path,
    show: Start,
) -> dict[str, Any]:
    """Every edit alone; the best on a fifth of the questions is reported on the rest."""
    assert bench.questions is not None and before.answers is not None
    chosen_by, reported_on = split(len(bench.questions), _CHOSEN_BY, bench.generator)
    shares = shares_of(options.shares)
    edits = [
        Edit(layer=layer, matrix=name, share=share) for layer in layers for name in matrices for share in shares
    ]
    tick = show("searching", len(edits))

    def seen(edit: Edit, answers: Answers) -> None:
        tick(f"{edit}: accuracy {float(answers.right[chosen_by].mean()):.3f}")

    found = search(bench.model, bench.questions, edits, seen)
    edit = best(found, chosen_by)
    parts = decompose(matrix_of(bench.model, edit.layer, edit.matrix))
    rank = parts.rank_of_share(edit.share)
    key = (edit.layer, edit.matrix)
    after = bench.judge({key: parts.at_rank(rank)})
    random = [
        bench.judge({key: parts.without_random(len(parts.values) - rank, bench.generator)})
        for _ in range(options.controls)
    ]
    rows = [("untouched", before), (str(edit), after), *((f"random directions of {edit}", one) for one in random)]
    entries = [
        {"edit": name, "perplexity": one.perplexity, **reported(one, before, reported_on, bench.generator)}
        for name, one in rows
    ]
    composed = None
    if options.compose:
        taken = [e for e, better in compose(bench.model, bench.questions.rows(chosen_by), found) if better]
        together = bench.judge({(e.layer, e.matrix): cut_matrix(bench.model, e) for e in taken})
        composed = {
            "edits": list(map(str, taken)),
            "perplexity": together.perplexity,
            **reported(together, before, reported_on, bench.generator),
        }
        entries.append({"edit": f"composed, {len(taken)} edits", **composed})
    page = write_search(options, found, chosen_by, reported_on, before, entries, out)
    if not options.json:
        print(f"chosen on {len(chosen_by)} questions, reported on the other {len(reported_on)}:")
        for entry in entries:
            low, high = entry["gain_interval"]
            print(
                f"  {entry['edit']}: accuracy {entry['accuracy']:.3f}, "
                f"gain {entry['gain']:+.3f} [{low:+.3f}, {high:+.3f}], "
                f"p(answer) {entry['probability']:.3f}, p({options.generic}) {entry['generic']:.3f}, "
                f"perplexity {entry['perplexity']:.2f}"
            )
        print(f"page: {page.resolve()}")
    return {
        "page": str(page.resolve()),
        "chosen_by": len(chosen_by),
        "reported_on": len(reported_on),
        "rows": entries,
        "composed": composed,
    }


def shares_of(given_shares: str) -> list[float]:
    """The shares in a text such as "0,0.01,0.1".

    Raises:
        SimonidesError: when it cannot be read.
    """
    try:
        found = [float(part) for part in given_shares.split(",")]
    except ValueError:
        raise SimonidesError(f"shares {given_shares!r} cannot be read; give for example 0,0.01,0.1.") from None
    if not all(0 <= share <= 1 for share in found):
        raise SimonidesError(f"shares {given_shares!r} lie outside [0, 1].")
    return found
