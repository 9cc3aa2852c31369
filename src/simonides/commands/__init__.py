"""The commands: each file has a command's options, one call down, and what it prints.

What a command needs is imported when it is done: `list` needs neither torch nor polars.
"""

from typing import Annotated, get_args

from tyro.conf import subcommand

from simonides.commands import (
    cite,
    compare,
    count,
    directions,
    explore,
    frequency,
    inspect,
    list_claims,
    numbers,
    physics,
    pretrain,
    recall,
    record,
    report,
    rules,
    run,
    show,
    status,
    teleport,
    truncate,
    verdict,
)

_MODULES = {
    list_claims.List: list_claims,
    show.Show: show,
    status.Status: status,
    verdict.Verdict: verdict,
    report.Report: report,
    record.Record: record,
    compare.Compare: compare,
    rules.Rules: rules,
    cite.Cite: cite,
    recall.Recall: recall,
    pretrain.Pretrain: pretrain,
    inspect.Inspect: inspect,
    truncate.Truncate: truncate,
    count.Count: count,
    frequency.Frequency: frequency,
    teleport.Teleport: teleport,
    directions.Directions: directions,
    numbers.Numbers: numbers,
    physics.Physics: physics,
    explore.Explore: explore,
}

Command = (
    Annotated[list_claims.List, subcommand("list")]
    | Annotated[show.Show, subcommand("show")]
    | Annotated[run.Run, subcommand("run")]
    | Annotated[status.Status, subcommand("status")]
    | Annotated[verdict.Verdict, subcommand("verdict")]
    | Annotated[report.Report, subcommand("report")]
    | Annotated[record.Record, subcommand("record")]
    | Annotated[compare.Compare, subcommand("compare")]
    | Annotated[rules.Rules, subcommand("rules")]
    | Annotated[cite.Cite, subcommand("cite")]
    | Annotated[recall.Recall, subcommand("recall")]
    | Annotated[pretrain.Pretrain, subcommand("pretrain")]
    | Annotated[inspect.Inspect, subcommand("inspect")]
    | Annotated[truncate.Truncate, subcommand("truncate")]
    | Annotated[count.Count, subcommand("count")]
    | Annotated[frequency.Frequency, subcommand("frequency")]
    | Annotated[teleport.Teleport, subcommand("teleport")]
    | Annotated[directions.Directions, subcommand("directions")]
    | Annotated[numbers.Numbers, subcommand("numbers")]
    | Annotated[physics.Physics, subcommand("physics")]
    | Annotated[explore.Explore, subcommand("explore")]
)
NAMES = tuple(get_args(command)[0].__name__.lower() for command in get_args(Command))


def execute(command: object, unknown: list[str]) -> int:
    """Do what the command line asked for; `unknown` are parameters set by hand, which only `run` takes."""
    if isinstance(command, run.Run):
        return run.execute(command, unknown)
    done: int = _MODULES[type(command)].execute(command)
    return done
