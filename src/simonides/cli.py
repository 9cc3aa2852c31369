"""The command line: parse, do, exit. Each command is a file of `simonides.commands`: its options, and what it does.

torch and polars are imported by the commands that need them, so that --help and list answer at once.
"""

import os
import sys
from collections.abc import Sequence

import tyro

from simonides import __version__
from simonides.base import SimonidesError, check_name, out_of_memory
from simonides.commands import NAMES, Command, execute
from simonides.commands.inspect import Inspect
from simonides.commands.run import Run
from simonides.commands.truncate import Truncate

_DESCRIPTION = """simonides: a laboratory for memory in transformer weights.

Start with: simonides recall country-capital France; then: simonides run memories --scale smoke"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, do it, and exit: 0 done, 1 a claim or a run failed, 2 bad input."""
    sys.exit(_main(list(sys.argv[1:] if arguments is None else arguments)))


def _main(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(__version__)
        return 0
    if arguments and not arguments[0].startswith("-"):
        try:
            check_name("command", arguments[0], NAMES)
        except SimonidesError as error:
            return _say(f"error: {error}", 2)
    try:
        command, unknown = tyro.cli(
            Command,
            prog="simonides",
            description=_DESCRIPTION,
            args=arguments or ["--help"],
            return_unknown_args=True,
            config=(tyro.conf.OmitArgPrefixes,),
        )
    except SystemExit as done:
        if done.code == 0 and arguments[:1] == ["run"] and not arguments[1].startswith("-"):
            return _parameters(arguments[1])
        raise
    try:
        if unknown and not isinstance(command, Run):
            raise SimonidesError(f"unknown argument {unknown[0]!r}; see: simonides {arguments[0]} --help")
        code = execute(command, unknown)
        sys.stdout.flush()  # a reader that has gone shows here, where it is caught, and not at exit
        return code
    except SimonidesError as error:
        return _say(f"error: {error}", 2)
    except KeyboardInterrupt as stop:
        if isinstance(command, (Inspect, Truncate)):
            return _say("stopped; nothing was written", 130)
        return _say(str(stop) or "stopped; finished runs are kept, the same command goes on from here", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
        return 0
    except OSError as error:
        return _say(f"error: {error.filename or 'the system'}: {error.strerror or error}", 2)
    except Exception as error:
        if out_of_memory(error):
            return _say("error: out of memory; give smaller sizes, or fewer workers", 2)
        if os.environ.get("SIMONIDES_TRACEBACK"):
            raise
        return _say(
            f"error inside simonides: {type(error).__name__}: {error}\n"
            "Set SIMONIDES_TRACEBACK=1 to see where, and please report it.",
            2,
        )


def _parameters(target: str) -> int:
    """What else `run TARGET` takes."""
    from simonides.commands.show import parameters

    try:
        print(parameters(target))
    except SimonidesError as error:
        return _say(f"error: {error}", 2)
    return 0


def _say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
