"""`truncate`: matrices of a checkpoint cut to low rank, judged on questions and on a control text."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from simonides.base import (
    SimonidesError,
    check_at_least,
    check_free,
    json_text,
    output_folder,
    progress,
    read_text,
    say,
    say_json,
    tell,
    write_text,
)
from simonides.commands.shared import (
    Checkpoint,
    Columns,
    Header,
    Json,
    Quiet,
    check_there,
    column_names,
    out_folder,
    step_folders,
    tell_beginning,
    tell_table,
)

if TYPE_CHECKING:
    from simonides.probes import Bench, Cut, Judged, Truncation, TruncationSearch


# questions without which a search makes no sense, and below which chance chooses
_FEWEST, _FEW = 3, 100


@dataclass(frozen=True, kw_only=True)
class Truncate:
    """Cut matrices of a checkpoint to low rank, and see what it answers and how a text surprises it then.

    With --search all matched layers, matrices and shares are tried one at a time: the best on a fifth of the
    questions is reported on the rest, beside a control. Without, all matched matrices are cut together.

    Example: simonides truncate pythia-160m --layers 8-11 --matrix W_in --share 0.1 --save checkpoint --out cut

    Example: simonides truncate pythia-160m --search --questions country-capital --layers 8-11
    """

    checkpoint: Checkpoint
    layers: Annotated[str, arg(metavar="L", help="Which, from 0: all, 3, 0-4 or 3,8-11.")] = "all"
    matrix: Annotated[
        str,
        arg(metavar="NAME", help="W_Q W_K W_V W_O W_in W_gate W_out, patterns, attention, feed-forward, all."),
    ] = "W_in"
    rank: Annotated[int | None, arg(metavar="R", help="Directions that are kept.")] = None
    share: Annotated[float | None, arg(metavar="RHO", help="Share of the rank that is kept; 0 removes.")] = None
    energy: Annotated[float | None, arg(metavar="E", help="Share of the squared norm that is kept.")] = None
    svd: Annotated[
        Literal["auto", "exact", "random"],
        arg(help="random: leading directions alone, with measured error; auto: for sides above 4096."),
    ] = "auto"
    search: Annotated[bool, arg(help="Try every layer, matrix and share alone.")] = False
    shares: Annotated[str, arg(metavar="RHO,..", help="search: shares of the rank.")] = "0,0.01,0.05,0.1,0.25,0.5"
    compose: Annotated[bool, arg(help="search: the best of each layer together, from the last layer.")] = False
    questions: Annotated[
        str | None,
        arg(
            metavar="TABLE|FILE", help="country-capital and the like, or a CSV, TSV or JSON of prompt and answer."
        ),
    ] = None
    templates: Annotated[
        Path | None,
        arg(metavar="FILE", help="For questions of subject, relation, attribute: relation and pattern."),
    ] = None
    header: Header = None
    columns: Columns = None
    space: Annotated[bool, arg(help="Put a space between prompt and answer.")] = True
    most: Annotated[int, arg(metavar="N", help="Questions asked at most, drawn at random.")] = 400
    shuffle_answers: Annotated[
        bool, arg(help="Give each question another's answer: a control, in which a search has nothing to find.")
    ] = False
    generic: Annotated[str, arg(metavar="WORD", help="A generic word to watch beside the answers.")] = "the"
    text: Annotated[
        Path | None, arg(metavar="FILE", help="Control text of the perplexity; by default Python's manual.")
    ] = None
    text_tokens: Annotated[int, arg(metavar="N", help="How much of it is read.")] = 2048
    controls: Annotated[int, arg(metavar="N", help="Times that as many directions are removed at random.")] = 3
    save: Annotated[
        Literal["none", "checkpoint", "factors"],
        arg(help="Write what was cut: a whole checkpoint, or pairs of narrow matrices."),
    ] = "none"
    out: Annotated[
        Path | None, arg(metavar="DIR", help="Folder of what is written; by default truncation-NAME.")
    ] = None
    seed: Annotated[int, arg(help="Draws questions, split and controls.")] = 0
    quiet: Quiet = False
    json: Json = False


def execute(options: Truncate) -> int:
    """Check the options, cut or search, print and write."""
    check_there(options.checkpoint)
    from simonides.checkpoints import TextTokens, open_checkpoint
    from simonides.probes import Material, keys_named, make_bench, search_truncations, truncate

    cut = _cut(options)
    shares = _shares(options.shares) if options.search else ()
    out = out_folder(options.out, "truncation", options.checkpoint)
    if steps := step_folders(options.checkpoint):
        raise SimonidesError(
            f"{options.checkpoint} holds the steps of a training; give one, such as {steps[-1][1]}."
        )
    if options.save == "checkpoint":
        check_free(out / "checkpoint")
    material = Material(
        questions=options.questions,
        templates=options.templates,
        header=options.header,
        columns=column_names(options.columns),
        space=options.space,
        most=options.most,
        generic=options.generic,
        shuffled=options.shuffle_answers,
        text=None if options.text is None else read_text(options.text),
        text_tokens=options.text_tokens,
        seed=options.seed,
    )
    check_at_least("controls", options.controls, 0)
    words = material.words()
    if words is not None:
        few = min(len(words), options.most)
        if options.search and few < _FEWEST:
            raise SimonidesError(
                f"{few} question{'s' if few > 1 else ''} to search with; give at least {_FEWEST}: a fifth chooses, the "
                "rest reports."
            )
        if options.search and few < _FEW:
            tell(
                f"{round(few / 5)} of {few} questions choose the edit, so few that chance chooses; give {_FEW} or more"
            )
        tell_table(words.name, words.first_row, words.unused, words.left_out)
    with progress(not (options.json or options.quiet)) as start:
        tokenizer, model = TextTokens(options.checkpoint), open_checkpoint(options.checkpoint)
        tell_beginning(tokenizer)
        matrices = len(keys_named(model, options.layers, options.matrix))
        bench = make_bench(model, material, tokenizer, words)
        if bench.left_out:
            asked = len(bench.left_out) + (0 if bench.questions is None else len(bench.questions))
            tell(f"{len(bench.left_out)} of {asked} questions are left out; {bench.left_out[-1]}")
        if cut is not None:
            cut.check(bench.model, keys_named(bench.model, options.layers, options.matrix))
        before = bench.judge()
        _say_untouched(before, bench, options)
        common: dict[str, Any] = {
            "layers": options.layers,
            "matrix": options.matrix,
            "controls": options.controls,
            "untouched": before,
        }
        if cut is None:
            advance = start("searching", matrices * len(shares))
            search = search_truncations(bench, shares, compose=options.compose, tick=advance, **common)
            shown = _searched(search, options, out)
        else:
            advance = start("cutting", matrices + 2 + options.controls)
            shown = _truncated(truncate(bench, cut, tick=advance, **common), options, out)
    write_text(output_folder(out) / "truncation.json", json_text(shown))
    if options.json:
        say_json(shown)
    else:
        say(f"written: {(out / 'truncation.json').resolve()}")
    return 0


def _cut(options: Truncate) -> "Cut | None":
    """How much is kept; None for a search."""
    ways = [name for name in ("rank", "share", "energy") if getattr(options, name) is not None]
    if options.search:
        if ways or options.save != "none":
            raise SimonidesError("--search tries --shares and saves nothing; leave the others out.")
        if options.questions is None:
            raise SimonidesError("--search needs --questions: a table such as country-capital, or a file.")
        if options.svd == "random":
            raise SimonidesError("--search decomposes exactly; leave --svd random out.")
        return None
    if len(ways) != 1:
        raise SimonidesError(f"give one of --rank, --share and --energy, got {', '.join(ways) or 'none'}.")
    if options.compose:
        raise SimonidesError("--compose belongs to --search; without it all matched matrices are cut together.")
    from simonides.probes import Cut

    return Cut(rank=options.rank, share=options.share, energy=options.energy, svd=options.svd)


def _shares(given: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in given.split(","))
    except ValueError:
        raise SimonidesError(f"shares {given!r} cannot be read; give for example 0,0.01,0.1.") from None
    if not all(0 <= share <= 1 for share in shares):
        raise SimonidesError(f"shares {given!r} lie outside [0, 1].")
    return shares


def _say_untouched(before: "Judged", bench: "Bench", options: Truncate) -> None:
    vocabulary = bench.model.sizes.vocabulary
    if math.log(before.perplexity) > 0.8 * math.log(vocabulary):
        tell(
            f"the untouched model's perplexity is {before.perplexity:.0f} of {vocabulary} tokens, near chance: do "
            "tokenizer and weights belong together, and is the text in its language?"
        )
    if not options.json:
        say(_line("untouched", before, None))


def _truncated(truncation: "Truncation", options: Truncate, out: Path) -> dict[str, Any]:
    before, matrices = truncation.untouched, truncation.matrices()
    output_folder(out)
    if options.save == "factors":
        kept = truncation.save_factors(out / "factors.safetensors")
    elif options.save == "checkpoint":
        truncation.save_checkpoint(options.checkpoint, out / "checkpoint")
    if not options.json:
        for name, judged in truncation.rows[1:]:
            say(_line(name, judged, before))
        if over := truncation.over_random():
            say(f"truncated over random directions: accuracy {_signed(over, 'over_random')}")
        for row in matrices.iter_rows(named=True):
            say(
                f"  layer {row['layer']} {row['matrix']}: rank {row['rank']} of {row['of']}, "
                f"{row['error']:.3f} of its norm left out"
            )
        if options.save == "factors":
            whole = sum(matrix.numel() for matrix in truncation.cut().values())
            say(f"  factors.safetensors: {kept:,} numbers in place of {whole:,}")
    return {
        "untouched": before.table(before),
        "truncated": {**truncation.truncated.table(before), **truncation.over_random()},
        "same_norm": truncation.same_norm.table(before),
        "random_directions": [judged.table(before) for judged in truncation.random_directions],
        "matrices": matrices.to_dicts(),
    }


def _searched(search: "TruncationSearch", options: Truncate, out: Path) -> dict[str, Any]:
    page = search.write(out, options.checkpoint.name)
    rows = search.rows()
    if not options.json:
        say(f"chosen on {len(search.chosen_by)} questions, reported on the other {len(search.reported_on)}:")
        if "accuracy_constant" in rows[0]:
            say(f"  the best constant answer is right in {rows[0]['accuracy_constant']:.3f} of them")
        for row in rows:
            low, high = row["gain_interval"]
            say(
                f"  {row['edit']}: accuracy {row['accuracy']:.3f}, "
                f"gain {row['gain']:+.3f} [{low:+.3f}, {high:+.3f}], "
                f"p(answer) {row['probability']:.3f}, p({options.generic}) {row['generic']:.3f}, "
                f"perplexity {row['perplexity']:.2f}"
            )
            if "over_random" in row:
                say(f"    over random directions: accuracy {_signed(row, 'over_random')}")
        say(f"page: {page.resolve()}")
    composed = None if search.composed is None else {"edits": list(map(str, search.composed[0])), **rows[-1]}
    return {
        "page": str(page.resolve()),
        "chosen_by": len(search.chosen_by),
        "reported_on": len(search.reported_on),
        "rows": rows,
        "composed": composed,
    }


def _line(name: str, judged: "Judged", before: "Judged | None") -> str:
    """All of it, in a line."""
    parts = [f"{name}: perplexity {judged.perplexity:.2f}"]
    row = judged.table(before or judged)
    if "accuracy" in row:
        low, high = row["accuracy_interval"]
        parts.append(f"accuracy {row['accuracy']:.3f} [{low:.3f}, {high:.3f}]")
        if "accuracy_shuffled" in row:
            parts.append(f"{row['accuracy_shuffled']:.3f} with the answers shuffled")
        if "accuracy_constant" in row:
            parts.append(f"{row['accuracy_constant']:.3f} by the best constant answer")
        parts.append(f"p(answer) {row['probability']:.3f}, p(generic) {row['generic']:.3f}")
        if before is not None:
            low, high = row["gain_interval"]
            parts.append(f"gain {row['gain']:+.3f} [{low:+.3f}, {high:+.3f}]")
    return ", ".join(parts)


def _signed(row: dict[str, Any], name: str) -> str:
    """A difference with its interval."""
    low, high = row[f"{name}_interval"]
    return f"{row[name]:+.3f} [{low:+.3f}, {high:+.3f}]"
