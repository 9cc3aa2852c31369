"""The commands' options: one frozen dataclass a command, whose docstring is its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from tyro.conf import FlagConversionOff, Positional, arg, subcommand

Scale = Literal["smoke", "desk", "paper"]
_STORE = Path("simonides-store")
Target = Annotated[
    Positional[str],
    arg(
        metavar="CLAIM|PAPER|all|FILE",
        help="What: a claim such as "
        "memories/linear-capacity, a paper such as memories, all, or the path of a claim file.",
    ),
]
AScale = Annotated[Scale, arg(help="How large: smoke takes seconds, desk minutes, paper a cluster.")]
AStore = Annotated[Path, arg(metavar="DIR", help="Folder of the results.")]
Json = Annotated[bool, arg(help="Print JSON instead of text.")]


@dataclass(frozen=True, kw_only=True)
class List:
    """List all claims, a line each.

    Example: simonides list
    """

    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Show:
    """Show one claim: question, source, sizes, rules.

    Example: simonides show memories/linear-capacity
    """

    target: Target


@dataclass(frozen=True, kw_only=True)
class Run:
    """Measure what a store does not hold yet, and judge it.

    Broken off at any moment, the same command goes on where it stopped. Any parameter of the claim can be set
    by its own name for exploration, which never moves a verdict.

    Example: simonides run memories/linear-capacity --scale smoke

    Example: simonides run memories/linear-capacity --d 96
    """

    target: Target
    scale: AScale = "desk"
    store: AStore = _STORE
    workers: Annotated[int, arg(metavar="N", help="Processes, of one thread each; 0 takes all cores.")] = 0
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Status:
    """Count the runs a store holds, lacks, and found failed or damaged.

    Example: simonides status memories --scale desk
    """

    target: Target = "all"
    scale: AScale = "desk"
    store: AStore = _STORE
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Judge what a store holds; exits with 1 when a claim fails.

    Example: simonides verdict memories --json
    """

    target: Target = "all"
    scale: AScale = "desk"
    store: AStore = _STORE
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write offline pages with verdicts, figures and tables; prints the index's path.

    Example: simonides report memories --out pages
    """

    target: Target = "all"
    scale: AScale = "desk"
    store: AStore = _STORE
    out: Annotated[Path | None, arg(metavar="DIR", help="Folder of the pages; by default STORE/report.")] = None


@dataclass(frozen=True, kw_only=True)
class Cite:
    """Print the BibTeX of what a claim or paper rests on.

    Example: simonides cite memories/linear-capacity
    """

    target: Target


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Store a table of facts in one d x d matrix and ask it.

    The table is country-capital, country-continent, country-currency, element-symbol, or your own CSV of two
    columns (subject, attribute) or three (subject, relation, attribute; ask for "subject, relation").

    Example: simonides recall country-capital France Japan --d 64
    """

    table: Annotated[Positional[str], arg(metavar="TABLE|CSV", help="Which facts.")] = "country-capital"
    keys: Annotated[
        Positional[tuple[str, ...]], arg(metavar="KEY", help="What to ask; by default a few keys.")
    ] = ()
    d: Annotated[int, arg(help="Width of the embeddings: the matrix has d x d numbers.")] = 64
    seed: Annotated[int, arg(help="Seed of the random embeddings.")] = 0
    embedding: Annotated[Literal["sphere", "gaussian", "orthonormal", "one_hot"], arg(help="Their kind.")] = (
        "sphere"
    )
    rule: Annotated[Literal["outer_products", "pseudo_inverse"], arg(help="How the matrix is written.")] = (
        "outer_products"
    )
    top: Annotated[int, arg(help="How many answers to show.")] = 3
    delimiter: Annotated[str | None, arg(help="Of the CSV; by default a tab for .tsv, else a comma.")] = None
    header: Annotated[
        FlagConversionOff[bool | None], arg(help="Whether the CSV's first row is a header; None guesses.")
    ] = None
    json: Json = False


Command = (
    Annotated[List, subcommand("list")]
    | Annotated[Show, subcommand("show")]
    | Annotated[Run, subcommand("run")]
    | Annotated[Status, subcommand("status")]
    | Annotated[Verdict, subcommand("verdict")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Cite, subcommand("cite")]
    | Annotated[Recall, subcommand("recall")]
)

NAMES = tuple(get_args(command)[0].__name__.lower() for command in get_args(Command))
