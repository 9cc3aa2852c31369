"""`recall`: a table of facts in one matrix or in a trained transformer, asked from the command line."""

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from simonides.base import SimonidesError, check_at_least, check_memory, say, say_json
from simonides.commands.shared import Columns, Header, Json, column_names, tell_table

# updates of a training, at most
_STEPS = 1000

if TYPE_CHECKING:
    from simonides.data import FactTable
    from simonides.papers.facts.fact_memory import Answer, FactMemory


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Store a table of facts in one d x d matrix, or in a trained transformer, and ask it.

    The table is country-capital, country-continent, country-currency, capital-country, element-symbol, some of
    them joined by a plus, or your own CSV, TSV, JSON Lines or JSON of two columns (subject, attribute) or three
    (subject, relation, attribute; ask for "subject, relation").

    Example: simonides recall country-capital France Japan --d 64

    Or: simonides recall country-capital+country-currency "France, capital" --model transformer
    """

    table: Annotated[Positional[str], arg(metavar="TABLE|FILE", help="Which facts.")] = "country-capital"
    keys: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="KEY ...", help="What to ask, one or several; by default a few keys."),
    ] = ()
    model: Annotated[
        Literal["matrix", "transformer"],
        arg(help="What keeps them: a d x d matrix, or a one-layer transformer of 6 d^2 weights, trained now."),
    ] = "matrix"
    d: Annotated[int, arg(help="Width of the embeddings: the matrix has d x d numbers.")] = 64
    seed: Annotated[int, arg(help="Seed of the random embeddings.")] = 0
    embedding: Annotated[Literal["sphere", "gaussian", "orthonormal", "one_hot"], arg(help="Their kind.")] = (
        "sphere"
    )
    rule: Annotated[Literal["outer_products", "pseudo_inverse"], arg(help="How the matrix is written.")] = (
        "outer_products"
    )
    steps: Annotated[int | None, arg(help="Of the transformer's training, at most; by default 1000.")] = None
    top: Annotated[int, arg(help="How many answers to show.")] = 3
    delimiter: Annotated[
        str | None, arg(metavar="CHARACTER", help="Between columns; by default a tab for .tsv, else a comma.")
    ] = None
    header: Header = None
    columns: Columns = None
    repeats: Annotated[
        Literal["refuse", "first"],
        arg(help="What to do with a key that comes again: refuse the file, or keep the first."),
    ] = "refuse"
    json: Json = False


def execute(options: Recall) -> int:
    """Store a table and ask it."""
    from simonides.data import read_facts

    columns = column_names(options.columns)
    table = read_facts(options.table, options.delimiter, options.header, options.repeats, columns)
    left_out = {"their key had come before": table.left_out} if table.left_out else {}
    tell_table(table.name, table.first_row, table.unused, left_out)
    if options.model == "transformer":
        return _trained(options, table)
    if options.steps is not None:
        raise SimonidesError("--steps are of a training; leave them out, or add --model transformer.")
    from simonides.papers.facts.fact_memory import FactMemory

    memory = FactMemory.store(
        table, d=options.d, seed=options.seed, embedding=options.embedding, rule=options.rule
    )
    answers = [memory.ask(key, options.top) for key in options.keys or _examples(memory)]
    expected = memory.expected_right
    if options.json:
        say_json(
            {
                "table": table.name,
                "facts": len(table),
                "answers": len(table.answers),
                "d": memory.d,
                "right": memory.right,
                "expected_right": expected,
                "asked": [_as_json(answer) for answer in answers],
            }
        )
        return 0
    for answer in answers:
        best = ", ".join(f"{name} {score:.2f}" for name, score in answer.best)
        mark = "right" if answer.right else f"wrong, stored was {answer.expected}"
        say(f"{answer.key}: {best}  (margin {answer.margin:+.2f}, {mark})")
    say(
        f"{memory.right} of {len(table)} facts recalled from one {memory.d} x {memory.d} matrix"
        f" ({len(table.answers)} different answers)."
    )
    if expected is not None:
        say(
            f"Theory expects {expected:.1f} at this d and N, and d = {memory.width_needed()} for 99 % "
            "of this table by outer products."
        )
    return 0


def _trained(options: Recall, table: "FactTable") -> int:
    from simonides.papers.facts.trained_facts import TrainedFacts

    if (options.embedding, options.rule) != ("sphere", "outer_products"):
        raise SimonidesError("--embedding and --rule are for the matrix; leave them out with --model transformer.")
    for key in options.keys:
        table.row_of(key)  # a misspelt key is told before the training
    # weights, gradients and moments, and the answers of every fact
    if options.steps is not None:
        check_at_least("steps", options.steps, 1)
    needed = 16 * 6 * options.d**2 + 8 * len(table) * (options.d + len(table.answers))
    check_memory(f"d = {options.d} and {len(table)} facts need", needed, "give a smaller d")
    show = sys.stderr.isatty() and not options.json
    known = TrainedFacts.train(table, options.d, options.seed, options.steps or _STEPS, progress=show)
    answers = [known.ask(key, options.top) for key in options.keys or table.keys[:3]]
    astray = known.hallucinating
    worst = int(astray.argmax())
    if options.json:
        summary = {
            "table": table.name,
            "facts": len(table),
            "answers": len(table.answers),
            "d": options.d,
            "parameters": known.parameters,
            "steps": known.steps[-1],
            "right": known.right,
            "hallucinating": {"step": known.steps[worst], "share": float(astray[worst])},
            "asked": [asdict(answer) for answer in answers],
        }
        say_json(summary)
        return 0
    for answer in answers:
        best = ", ".join(f"{name} {p:.2f}" for name, p in answer.best)
        say(f"{answer.key}: {best}  ({'right' if answer.right else f'wrong, the table has {answer.expected}'})")
        if (stage := answer.hallucinated) is not None:
            say(
                f"  after {stage.step} steps it said {stage.answer} ({stage.probability:.2f}): hallucination: a valid "
                f"answer for another subject (total variation to p(a|r) {stage.distance:.2f})"
            )
        if answer.known_from is not None:
            say(f"  right since step {answer.known_from}")
    say(
        f"{known.right} of {len(table)} facts recalled by a one-layer transformer of {known.parameters:,} trained "
        f"weights after {known.steps[-1]} steps ({len(table.answers)} different answers)."
    )
    if astray[worst] > 0:
        say(
            f"It hallucinated most after {known.steps[worst]} steps: {astray[worst]:.0%} of its answers fitted "
            "the relation and belonged to another subject."
        )
    return 0


def _as_json(answer: "Answer") -> dict[str, Any]:
    return {
        "key": answer.key,
        "expected": answer.expected,
        "best": answer.best,
        "margin": answer.margin,
        "right": answer.right,
    }


def _examples(memory: "FactMemory") -> list[str]:
    """A few keys to show when none was asked for: the first three, and up to two that were forgotten."""
    forgotten = (~memory.recalled).nonzero()[:, 0].tolist()[:2]
    return [memory.table.keys[row] for row in dict.fromkeys([*range(min(3, len(memory.table))), *forgotten])]
