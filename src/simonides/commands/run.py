"""`run`: measure what a store does not hold yet, then judge it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from simonides.base import SimonidesError, say, say_json, tell
from simonides.commands.shared import STORE, Json, Quiet, Scale, StoreFolder, Target

if TYPE_CHECKING:
    from simonides.lab import Ran
    from simonides.lab.engines import Engine


@dataclass(frozen=True, kw_only=True)
class Run:
    """Measure what a store does not hold yet, and judge it.

    Broken off at any moment, the same command goes on where it stopped. Any parameter of the claim can be set
    by its own name, to a value or to several with commas between: an exploration, not counted in the verdict, with
    its table and figure in STORE/explorations. On a cluster the command is the same, with --engine ray or slurm.

    Example: simonides run memories/linear-capacity --scale smoke

    Example: simonides run memories/linear-capacity --d 96 --facts 100,200,400

    Example: simonides run all --scale paper --engine slurm --workers 100 --minutes 120 --memory 8
    """

    target: Target
    scale: Scale = "desk"
    store: StoreFolder = STORE
    engine: Annotated[
        Literal["local", "ray", "slurm"],
        arg(help="Where: in processes of this machine, on a Ray cluster, or as an array job of SLURM."),
    ] = "local"
    workers: Annotated[
        int,
        arg(
            metavar="N",
            help="How many stacks at once: processes of one thread each, Ray tasks, or tasks of "
            "the array. 0: all cores, all the cluster takes, up to 32.",
        ),
    ] = 0
    address: Annotated[
        str | None, arg(metavar="HOST:PORT", help="ray: the cluster; by default the one found on this machine.")
    ] = None
    partition: Annotated[str | None, arg(help="slurm: where to submit; by default the cluster's choice.")] = None
    minutes: Annotated[
        int | None, arg(metavar="N", help="slurm: time limit of a task, 60 unless given; then it is requeued.")
    ] = None
    cpus: Annotated[float | None, arg(metavar="N", help="ray, slurm: cores set aside for a task; 1.")] = None
    gpus: Annotated[float | None, arg(metavar="N", help="ray, slurm: GPUs set aside for a task; 0.")] = None
    memory: Annotated[float | None, arg(metavar="GIB", help="ray, slurm: memory set aside for a task.")] = None
    device: Annotated[
        str,
        arg(
            metavar="DEVICE",
            help="Where each run computes: auto, cpu, cuda, cuda:1; auto takes a GPU if "
            "there is one. The records say where.",
        ),
    ] = "auto"
    until_decided: Annotated[
        int,
        arg(metavar="N", help="Add runs where a verdict is undecided for want of them, up to N a cell."),
    ] = 0
    quiet: Quiet = False
    json: Json = False


def execute(options: Run, unknown: Sequence[str]) -> int:
    """Measure what is missing, then judge; `unknown` are parameters of the claim, set by hand."""
    overrides = parse_overrides(unknown)
    if options.engine == "local" and options.workers != 1:
        from simonides.lab import warm_up

        warm_up()
    from simonides.lab import run

    ran = run(
        options.target,
        options.scale,
        options.store,
        _engine(options),
        overrides,
        options.device,
        shown=not options.quiet,
        until_decided=options.until_decided,
    )
    # what was set by hand and is refused is the user's to put right; a claim's own points are not
    code = 2 if overrides and any(one.refused for one in ran) else 0
    entries = []
    for one in ran:
        if one.problem:
            tell(f"error: {one.plan.file.id}: {one.problem}")
            code = 2
            continue
        assert one.gathered is not None
        code = max(code, 1 if one.failed or one.gathered.diverged else 0)
        text, entry = _explored(one, overrides, options.store) if one.verdict is None else _judged(one)
        counts = {"reused": one.reused, "computed": one.computed, "failed": one.failed, "damaged": one.damaged}
        entries.append({**entry, **counts})
        if not options.json:
            say(text)
    if options.json:
        say_json(entries)
    return code


def _engine(options: Run) -> "Engine":
    """The engine asked for, with the options given; those of another engine are refused."""
    from simonides.lab.engines.local import Local
    from simonides.lab.engines.ray_cluster import Ray
    from simonides.lab.engines.slurm_cluster import Slurm

    kinds = {"local": Local, "ray": Ray, "slurm": Slurm}
    asked = {
        name: getattr(options, name) for name in ("address", "partition", "minutes", "cpus", "gpus", "memory")
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    kind = kinds[options.engine]
    known = {field.name for field in fields(kind)}
    if strange := sorted(asked.keys() - known):
        takers = [name for name, other in kinds.items() if strange[0] in {f.name for f in fields(other)}]
        raise SimonidesError(
            f"--{strange[0]} is no option of the engine {options.engine}; add --engine {' or '.join(takers)}."
        )
    return kind(workers=options.workers, **asked)


def _judged(ran: "Ran") -> tuple[str, dict[str, Any]]:
    from simonides.commands.verdict import verdict_line

    assert ran.verdict is not None
    tally = f"{ran.reused} reused, {ran.computed} computed, {len(ran.failed)} failed"
    return f"{verdict_line(ran.verdict)}  ({tally})", ran.verdict.as_json()


def _explored(ran: "Ran", overrides: dict[str, Any], store: Path) -> tuple[str, dict[str, Any]]:
    from simonides.lab import means_table, write_exploration

    assert ran.gathered is not None
    names, rows = means_table(ran.gathered)
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    settings = ", ".join(f"{name} = {value}" for name, value in overrides.items())
    # columns are as wide as they need: in a table cut to the terminal numbers would be worth nothing
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    lines = [
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in [names, *rows]
    ]
    title = f"{ran.plan.file.id}: exploration with {settings}; exploratory, not counted in the verdict"
    entry = {"claim": ran.plan.file.id, "scale": ran.plan.scale, "exploration": overrides, "cells": cells}
    if not ran.gathered.present:
        return "\n".join([title, *lines]), entry
    written = write_exploration(ran, overrides, store)
    places = [f"table: {written.table.resolve()}"]
    places += [f"figure: {written.figure.resolve()}"] if written.figure else []
    files = {"table": str(written.table), "figure": None if written.figure is None else str(written.figure)}
    return "\n".join([title, *lines, *places]), entry | files


def parse_overrides(unknown: Sequence[str]) -> dict[str, Any]:
    """Parameters set by hand, from arguments such as --d 96 or --d=96.

    Raises:
        SimonidesError: when an argument has not this form.

    >>> parse_overrides(["--d", "96", "--kind=sphere"])
    {'d': 96, 'kind': 'sphere'}
    >>> parse_overrides(["--facts", "100,200"])
    {'facts': [100, 200]}
    """
    words = [part for word in unknown for part in (word.split("=", 1) if word.startswith("--") else [word])]
    overrides: dict[str, Any] = {}
    for name, text in zip(words[::2], words[1::2], strict=False):
        if not name.startswith("--") or text.startswith("--"):
            break
        overrides[name[2:].replace("-", "_")] = _values(text)
    if 2 * len(overrides) != len(words):
        raise SimonidesError(
            f"cannot read {' '.join(unknown)!r}; parameters are set once each, as in --d 96. "
            "Options: simonides run --help; parameters: simonides show CLAIM"
        )
    return overrides


def _values(text: str) -> Any:
    """One value, or those between commas."""
    if "," not in text:
        return _value(text)
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SimonidesError(f"cannot read the values {text!r}; give some with commas between, as in 100,200.")
    return [_value(part) for part in parts]


def _value(text: str) -> int | float | str | bool:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
