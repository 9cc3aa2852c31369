"""The command line's one boundary: whatever happens inside ends in words and an exit code.

Exit codes: 0 done, 1 a verdict fails or a run could not be measured, 2 bad input, 70 an error of simonides' own,
130 stopped by Ctrl-C. What a command needs is imported inside, so that a stop at any moment is met here.
"""

import sys
from collections.abc import Sequence

DONE, FAILED, BAD_INPUT, OUR_FAULT, STOPPED = 0, 1, 2, 70, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, do it, and exit."""
    sys.exit(_ended(list(sys.argv[1:] if arguments is None else arguments)))


def _ended(arguments: list[str]) -> int:
    try:
        from simonides.base import open_streams, tell

        has_output = open_streams()
        if not has_output:
            tell("error: standard output is closed; give it somewhere to go, such as > /dev/null.")
            return BAD_INPUT
        from simonides.commands.parsing import run

        code = run(arguments)
        sys.stdout.flush()  # a reader that has gone shows here, where it is met, and not at exit
        return code
    except SystemExit as end:  # of the parser, which has said why
        return _flushed(end.code if isinstance(end.code, int) else BAD_INPUT if end.code else DONE)
    except BaseException as error:
        return _told(error)


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError as error:
        return _told(error)
    return code


def _told(error: BaseException) -> int:
    """What became of a command, in words on standard error, and its exit code."""
    import contextlib
    import os
    import signal
    import threading

    if isinstance(error, KeyboardInterrupt):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one may not break into the ending
        with contextlib.suppress(OSError, ValueError):
            print(str(error) or "stopped", file=sys.stderr, flush=True)
        return STOPPED
    from simonides.base import SimonidesError, leave_streams, out_of_memory, tell

    if isinstance(error, BrokenPipeError):
        leave_streams()
        return DONE
    if isinstance(error, SimonidesError):
        tell(f"error: {error}")
        return BAD_INPUT
    if isinstance(error, OSError) and error.errno is not None:
        leave_streams()
        tell(f"error: {error.filename or 'standard output'}: {error.strerror or error}")
        return BAD_INPUT
    if out_of_memory(error):
        tell("error: out of memory; give smaller sizes, or fewer workers")
        return BAD_INPUT
    if os.environ.get("SIMONIDES_TRACEBACK"):
        import traceback

        tell("".join(traceback.format_exception(error)))
        return OUR_FAULT
    text = " ".join(str(error).split())
    tell(f"error inside simonides: {type(error).__name__}: {text}")
    tell("Set SIMONIDES_TRACEBACK=1 to see where, and please report it.")
    return OUR_FAULT
