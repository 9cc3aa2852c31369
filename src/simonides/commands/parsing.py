"""From the words of a command line to a command that is done."""

import tyro

from simonides import __version__
from simonides.base import SimonidesError, check_name, say
from simonides.commands import NAMES, Command, execute
from simonides.commands.pretrain import Pretrain
from simonides.commands.run import Run

_DESCRIPTION = """simonides: a laboratory for memory in transformer weights.

Start with: simonides recall country-capital France; then: simonides run memories --scale smoke

simonides --version tells the version; simonides --tyro-print-completion bash (zsh, tcsh) prints what completes
commands and options."""

# what a command that is broken off leaves behind
_STOPPED = {
    Run: "stopped; finished runs are kept, the same command goes on from here",
    Pretrain: "stopped; the same command goes on from the last checkpoint",
}


def run(arguments: list[str]) -> int:
    """Parse a command line and do what it asks for; returns the exit code.

    Raises:
        SimonidesError: when it cannot be understood or done.
        SystemExit: when the parser has said all, help or what is wrong.
        KeyboardInterrupt: when stopped, with a word on what is kept.
    """
    if arguments == ["--version"]:
        say(__version__)
        return 0
    if arguments and not arguments[0].startswith("-"):
        check_name("command", arguments[0], NAMES)
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
        if not done.code and arguments[:1] == ["run"] and not arguments[1].startswith("-"):
            from simonides.commands.show import parameters

            say(parameters(arguments[1]))
            return 0
        raise
    if unknown and not isinstance(command, Run):
        raise SimonidesError(f"unknown argument {unknown[0]!r}; see: simonides {arguments[0]} --help")
    try:
        return execute(command, unknown)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(stop) or _STOPPED.get(type(command), "stopped")) from None
