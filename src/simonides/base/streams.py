"""What commands print: text that no terminal can misread, on whatever streams there are."""

import contextlib
import json
import math
import os
import re
import sys
from pathlib import Path
from typing import Any

# control characters but line feeds and tabs, and what turns the direction of a line
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    r"""A text with its control characters written out: a name from a file cannot move the cursor.

    >>> plain("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def say(text: str = "") -> None:
    """Print a result on standard output."""
    print(plain(text), flush=True)


def say_json(value: Any) -> None:
    """Print a result as JSON, in characters that standard output has; what is not finite is null."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    as_it_is = encoding.lower().startswith("utf")
    print(json_text(value, ensure_ascii=not as_it_is), flush=True)


def json_text(value: Any, ensure_ascii: bool = True) -> str:
    """A result as JSON; what is not finite is null, which any reader of JSON takes."""
    return json.dumps(_finite(value), indent=1, ensure_ascii=ensure_ascii, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def tell(text: str) -> None:
    """Print on standard error what is no result; where that is closed or full, nothing is lost by silence."""
    with contextlib.suppress(OSError, ValueError):
        print(plain(text), file=sys.stderr, flush=True)


def open_streams() -> bool:
    """Make streams that take any text, and stand in for those that are closed; returns whether standard output is open.

    A file that is opened later must not get the number of a closed stream, or what is printed would go into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    is_open = sys.stdout is not None
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return is_open


def leave_streams() -> None:
    """Point standard output to nowhere, where nobody reads it any more, or Python complains at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
