"""What each command does: each takes its options, prints, and returns the exit code.

A command's module is imported when it is used: `list` needs neither torch nor polars.
"""

from simonides import options


def execute(command: object, unknown: list[str]) -> int:
    """Do what the command line asked for; `unknown` are parameters set by hand, which only `run` takes."""
    match command:
        case options.List() | options.Show() | options.Cite():
            from simonides.commands import catalogue

            return catalogue.execute(command)
        case options.Run():
            if command.engine == "local" and command.workers != 1:
                from simonides.lab import warm_up

                warm_up()
            from simonides.commands.run import parse_overrides, run

            return run(command, parse_overrides(unknown))
        case options.Status():
            from simonides.commands.status import status

            return status(command)
        case options.Verdict() | options.Report():
            from simonides.commands import results

            return results.execute(command)
        case options.Recall():
            from simonides.commands.recall import recall

            return recall(command)
        case options.Pretrain():
            from simonides.commands.pretrain import pretrain

            return pretrain(command)
        case options.Inspect():
            from simonides.commands.inspect import inspect

            return inspect(command)
        case options.Truncate():
            from simonides.commands.truncate import truncate

            return truncate(command)
        case options.Explore():
            from simonides.commands.explore import explore

            return explore(command)
    raise AssertionError(f"no command for {command}")
