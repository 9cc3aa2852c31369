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
            from simonides.commands.run import parse_overrides, run

            return run(command, parse_overrides(unknown))
        case options.Status() | options.Verdict() | options.Report():
            from simonides.commands import results

            return results.execute(command)
        case options.Recall():
            from simonides.commands.recall import recall

            return recall(command)
    raise AssertionError(f"no command for {command}")
