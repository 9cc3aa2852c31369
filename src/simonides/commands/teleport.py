"""`teleport`: does it pay to teleport on a table of one's own?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from simonides.base import (
    SimonidesError,
    check_at_least,
    check_not_negative,
    check_output_folder,
    say,
    say_json,
    tell,
)
from simonides.commands.shared import Json


@dataclass(frozen=True, kw_only=True)
class Teleport:
    """Compare gradient descent with level-set teleports, without, and Newton's method on a table.

    Logistic regression, or a network with --hidden, on the columns of a CSV or TSV, standardised, with Armijo's rule.
    Prints iterations and units of work (a value 1, a gradient 2, a Hessian-vector product 5) to several gaps, and which
    pays.

    Example: simonides teleport patients.csv --target diagnosis --penalty 1e-3

    Or: simonides teleport "breast cancer"
    """

    table: Annotated[
        Positional[str],
        arg(metavar="FILE|NAME", help="A CSV or TSV, or a table of scikit-learn such as wine or 'breast cancer'."),
    ] = "breast cancer"
    target: Annotated[str | None, arg(metavar="COLUMN", help="The column with the classes, of a file.")] = None
    positive: Annotated[
        str | None, arg(metavar="VALUE", help="The class asked for, where the target has more than two.")
    ] = None
    penalty: Annotated[float, arg(help="Times the sum of squared weights, biases included.")] = 1e-3
    hidden: Annotated[
        int, arg(metavar="M", help="Hidden units of a softplus network; 0 is logistic regression.")
    ] = 0
    iterations: Annotated[
        int, arg(help="Of descent, at most; a tenth of it with a teleport before each, and of Newton's.")
    ] = 400
    steps: Annotated[int, arg(help="Of each teleport.")] = 50
    seed: Annotated[int, arg(help="Of a network's first weights.")] = 0
    out: Annotated[Path | None, arg(metavar="DIR", help="Write a page, its figure and tables here.")] = None
    json: Json = False


def execute(options: Teleport) -> int:
    """Read, run, say."""
    import torch

    from simonides.base import check_seed
    from simonides.papers.teleportation.comparison import compare_methods
    from simonides.papers.teleportation.problems import (
        TABLES,
        BinaryTable,
        logistic,
        network,
        packaged_table,
        start_of_network,
    )

    check_not_negative("penalty", options.penalty)
    check_at_least("hidden", options.hidden, 0)
    check_seed(options.seed)
    if options.out is not None:
        check_output_folder(options.out)
    if options.table in TABLES:
        if options.target is not None or options.positive is not None:
            raise SimonidesError("--target and --positive are of a file; leave them out, or give a CSV.")
        table = packaged_table(options.table)
    else:
        from simonides.data import read_numeric_table

        if options.target is None:
            raise SimonidesError(
                f"{options.table} is none of {', '.join(TABLES)}; of a file give --target COLUMN, its classes."
            )
        read = read_numeric_table(options.table, options.target, options.positive)
        table = BinaryTable.of(read.x, read.positive, Path(options.table).name, read.columns)
    if options.hidden:
        f, _ = network(table, options.hidden, options.penalty)
        start = start_of_network(table, options.hidden, torch.Generator().manual_seed(options.seed))[None]
    else:
        f, start = logistic(table, options.penalty), torch.zeros(1, table.x.shape[1] + 1, dtype=torch.float64)
    if table.constant:
        tell(f"columns that do not vary are left out: {', '.join(table.constant)}")
    found = compare_methods(f, start, options.iterations, options.steps)
    if options.json:
        say_json(
            {
                "table": table.name,
                "rows": len(table.x),
                "gaps": found.gaps,
                "iterations": found.iterations,
                "work": found.work,
                "pays": [found.pays(gap) for gap in found.gaps],
            }
        )
    else:
        kind = f"a network of {options.hidden} units" if options.hidden else "logistic regression"
        say(
            f"{table.name}: {len(table.x):,} rows, {table.x.shape[1]} columns, {kind}, penalty {options.penalty:g}"
        )
        for name in found.traces:
            parts = [
                f"{gap:g}: {_count(iterations, len(found.traces[name].f) - 1)} ({_count(work)})"
                for gap, iterations, work in zip(found.gaps, found.iterations[name], found.work[name], strict=True)
            ]
            say(f"{name:32} iterations (work) to {', '.join(parts)}")
        for gap in found.gaps:
            say(found.pays(gap))
    if options.out is not None:
        from simonides.papers.teleportation.teleport_page import write_comparison

        index = write_comparison(options.out, f"Teleports on {table.name}", found)
        if not options.json:
            say(f"page: {index.resolve()}")
    return 0


def _count(value: float, most: int | None = None) -> str:
    if value < float("inf"):
        return f"{value:.0f}"
    return "-" if most is None else f"not reached in {most}"
