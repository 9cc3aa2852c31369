"""`frequency`: how heavy the tail of a text's words or a table's classes is, and what that does to an optimiser."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from simonides.base import SimonidesError, check_output_folder, check_seed, say, say_json, tell
from simonides.commands.shared import Header, Json, Quiet, column_names, tell_table

if TYPE_CHECKING:
    from torch import Tensor

    from simonides.data import Text
    from simonides.papers.imbalance.corpus import CorpusReport
    from simonides.papers.imbalance.rate_runs import RateRuns

_MANUAL = "manual"
_DEFAULT_RATES = {
    "gd-momentum": (0.03, 0.1, 0.3, 1.0),
    "gd": (0.1, 0.3, 1.0, 3.0),
    "adam": (1e-3, 3e-3, 1e-2, 3e-2),
}


@dataclass(frozen=True, kw_only=True)
class Frequency:
    """Report how often the classes of a text or table come, and train on it by Adam and by gradient descent.

    Prints Zipf's exponent, bins of equal numbers of samples, and what follows for the optimiser. With --train a small
    causal transformer is trained by each method over a grid of learning rates, and a page shows the loss by bin.

    Example: simonides frequency notes.txt --train 300

    Or: simonides frequency labels.csv --column species
    """

    file: Annotated[
        Positional[str],
        arg(metavar="FILE|manual", help="A UTF-8 text, a table with --column, or Python's language reference."),
    ] = _MANUAL
    unit: Annotated[Literal["words", "characters"], arg(help="What a class of a text is.")] = "words"
    tokenizer: Annotated[
        Path | None, arg(metavar="CHECKPOINT", help="Count the tokens of this folder or GGUF file instead.")
    ] = None
    column: Annotated[
        str | None, arg(metavar="NAME", help="Count the values of a table's column, by name or number.")
    ] = None
    header: Header = None
    most: Annotated[int, arg(help="Words that are told apart; the others are one class.")] = 10_000
    bins: Annotated[int, arg(help="How many bins of about equal numbers of samples.")] = 10
    train: Annotated[int, arg(metavar="STEPS", help="Train a transformer on the text for so many steps.")] = 0
    methods: Annotated[str, arg(metavar="NAME,..", help="By which methods.")] = "gd-momentum,adam"
    rates: Annotated[
        str | None,
        arg(metavar="RATE,..", help="Learning rates, for all methods; by default four half-decades of each."),
    ] = None
    batch: Annotated[int, arg(help="Windows of an update.")] = 32
    length: Annotated[int, arg(help="Tokens of a window.")] = 32
    d: Annotated[int, arg(help="Width of the transformer.")] = 64
    layers: Annotated[int, arg(help="Its layers.")] = 2
    seed: Annotated[int, arg(help="Of weights and windows.")] = 0
    out: Annotated[Path | None, arg(metavar="DIR", help="Write a page, figures and tables here.")] = None
    json: Json = False
    quiet: Quiet = False


def execute(options: Frequency) -> int:
    """Count, report, train."""
    from simonides.papers.imbalance.corpus import corpus_report

    check_seed(options.seed)
    _check_options(options)
    out = options.out or (Path("frequency") if options.train else None)
    if out is not None:
        check_output_folder(out)
    text, counts = _read(options)
    report = corpus_report(counts, options.bins)
    if not options.json:
        _say_report(report)
    runs = _trained(options, text) if text is not None and options.train else {}
    if options.json:
        told = {name: _as_json(run) for name, run in runs.items()}
        say_json({"report": asdict(report), "trainings": told})
    for name, run in runs.items():
        _say_run(options, name, run)
    if out is not None:
        from simonides.papers.imbalance.frequency_page import names_of, write_frequencies

        names = names_of(list(runs))
        shown = {names[name]: run for name, run in runs.items()}
        source = "Python's language reference" if options.file == _MANUAL else Path(options.file).name
        index = write_frequencies(out, f"Class frequencies: {source}", shown, counts, report)
        if not options.json:
            say(f"page: {index.resolve()}")
    return 0


def _check_options(options: Frequency) -> None:
    """Refuse what does not go together, before anything is read."""
    from simonides.papers.imbalance.methods import METHODS
    from simonides.papers.imbalance.text_training import HEAD_APART, TextTraining

    usual = Frequency()
    if options.column is not None and (options.train or options.tokenizer or options.unit != usual.unit):
        raise SimonidesError(
            "--column counts a table's values, which are no text; leave --train, --unit and --tokenizer out."
        )
    if options.column is None and options.header is not None:
        raise SimonidesError("--header is of a table; add --column NAME, or leave it out.")
    if options.most != usual.most and (options.column is not None or options.tokenizer is not None):
        raise SimonidesError("--most is of words or characters; leave it out.")
    if options.tokenizer is not None and options.unit != usual.unit:
        raise SimonidesError("--unit and --tokenizer both say what a class is; give one.")
    if not options.train:
        for field in ("methods", "rates", "batch", "length", "d", "layers", "seed"):
            if getattr(options, field) != getattr(usual, field):
                raise SimonidesError(f"--{field} is of a training; add --train STEPS, or leave it out.")
        return
    TextTraining(
        steps=options.train,
        batch=options.batch,
        length=options.length,
        d=options.d,
        layers=options.layers,
        heads=1,
    )
    for name in _methods(options):
        if name not in (*METHODS, HEAD_APART) or name == "armijo":
            known = ", ".join(method for method in (*METHODS, HEAD_APART) if method != "armijo")
            raise SimonidesError(f"method {name!r} is unknown; give some of {known}.")
    _rates(options, "adam")


def _methods(options: Frequency) -> list[str]:
    return list(dict.fromkeys(column_names(options.methods) or ()))


def _rates(options: Frequency, method: str) -> tuple[float, ...]:
    from simonides.papers.imbalance.methods import RATES, half_decades

    if options.rates is None:
        known = _DEFAULT_RATES.get(method)
        return known or half_decades(*RATES.get(method, (-1.5, 0.0)))
    try:
        rates = sorted({float(part) for part in options.rates.split(",")})
    except ValueError:
        raise SimonidesError(
            f"--rates {options.rates}: give numbers with commas between, such as 0.1,0.3."
        ) from None
    if not all(0 < rate < float("inf") for rate in rates):
        raise SimonidesError(f"--rates {options.rates}: learning rates are positive and finite.")
    return tuple(rates)


def _read(options: Frequency) -> "tuple[Text | None, Tensor]":
    """The text, where it is one, and how often each class comes."""
    import torch

    from simonides.base import read_text
    from simonides.data import Column, Text, manual, read_table, text_of, words_of
    from simonides.papers.imbalance.text_training import word_counts

    if options.column is not None:
        column = Column(name=options.column, words=(frozenset({options.column.casefold()}),))
        table = read_table(options.file, [column], header=options.header, columns=[options.column])
        tell_table(Path(options.file).name, table.first_row, (), {})
        for row, cells in table.rows:
            table.refuse_empty(row, cells)
        values = [cells[0] for _, cells in table.rows]
        names = sorted(set(values))
        place = {name: number for number, name in enumerate(names)}
        return None, torch.bincount(torch.tensor([place[value] for value in values]))
    content = manual() if options.file == _MANUAL else read_text(options.file)
    if options.tokenizer is not None:
        from simonides.checkpoints import TextTokens

        tokenizer = TextTokens(options.tokenizer)
        tokens = tokenizer.encode(content)
        seen, numbers = tokens.unique(return_inverse=True)
        text = Text(characters=tuple(tokenizer.decode([token]) for token in seen.tolist()), tokens=numbers)
    else:
        text = (words_of if options.unit == "words" else text_of)(content, options.most)
    return text, word_counts(text)


def _trained(options: Frequency, text: "Text") -> "dict[str, RateRuns]":
    import torch

    from simonides.base import chosen_device
    from simonides.papers.imbalance.text_training import TextTraining, train_on_text

    training = TextTraining(
        steps=options.train,
        batch=options.batch,
        length=options.length,
        d=options.d,
        layers=options.layers,
        heads=4 if options.d % 4 == 0 else 1,
        every=max(1, options.train // 12),
        bins=options.bins,
    )
    show = sys.stderr.isatty() and not (options.quiet or options.json)
    generator = torch.Generator().manual_seed(options.seed)
    return {
        method: train_on_text(
            text, method, _rates(options, method), generator, training, chosen_device("auto"), show
        )
        for method in _methods(options)
    }


def _say_report(report: "CorpusReport") -> None:
    say(f"{report.samples:,.0f} samples of {report.classes:,} classes" + _unseen(report))
    if report.exponent is not None:
        low, high = report.exponent.interval
        parts = ", ".join(f"{one.ranks[0]}-{one.ranks[1]}: {one.value:.2f}" for one in report.local)
        say(f"Zipf's exponent {report.exponent.value:.3f} [{low:.3f}, {high:.3f}]; by ranks {parts}")
    say("classes of each bin: " + ", ".join(map(str, report.bin_classes)))
    for line in report.advice:
        say(line)


def _unseen(report: "CorpusReport") -> str:
    return f"; {report.unseen:,} more classes were never seen" if report.unseen else ""


def _say_run(options: Frequency, name: str, run: "RateRuns") -> None:
    best = run.by_bin[-1, run.best]
    there = best[best.isfinite()]
    diverged = int(run.diverged.sum())
    if not options.json:
        if diverged == len(run.rates):
            say(f"{name}: all {diverged} rates diverged")
        else:
            say(
                f"{name}: loss {float(run.mean[-1, run.best]):.3f} at rate {run.rates[run.best]:g}; most frequent bin "
                f"{float(there[0]):.2f}, rarest {float(there[-1]):.2f}"
                + (f"; {diverged} of {len(run.rates)} rates diverged" if diverged else "")
            )
    if run.on_edge:
        tell(
            f"{name}: the best rate is an end of the grid, {run.rates[run.best]:g}; a better one may lie beyond it"
        )


def _as_json(run: "RateRuns") -> dict[str, object]:
    return {
        "rates": run.rates,
        "losses": run.mean[-1].tolist(),
        "best_rate": None if bool(run.diverged.all()) else run.rates[run.best],
        "on_edge": run.on_edge,
        "diverged": int(run.diverged.sum()),
        "steps": run.steps,
        "loss_by_bin": run.by_bin[:, run.best].tolist(),
    }
