r"""What is a number in a text: a written grammar, and texts taken apart and put together by it.

    number   = [sign] (whole ["." digits] | "." digits) [("e" | "E") [sign] digits]
    whole    = "0", or digits that do not begin with 0
    sign     = "+" | "-" | the minus sign U+2212

A sign belongs to a number unless a letter, digit, point, closing bracket or quotation mark stands before it:
`5-3` is 5, "-", 3 and `-5--3` is -5, "-", -3.

No number is what touches a letter, digit, underscore or quotation mark, or a point with either behind it (`planet0`,
`3x`, `0x1F`, `1.2.3`, `"12"`); what begins with a zero before another digit (`007`); dates (`2024-11-23`,
`3/4/2024`), times of day (`12:30`, `12:30:45`), and words such as NaN. All that stays text.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from simonides.base import SimonidesError

_BEFORE = r"(?<![\w.'\"])"
_AFTER = r"(?![\w'\"]|\.\w)"
_DATE = (
    r"[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:T[0-9:.]+Z?)?|[0-9][0-9]?/[0-9][0-9]?/[0-9]{2,4}|"
    r"[0-9]{4}/[0-9][0-9]?/[0-9][0-9]?"
)
_TIME = r"[0-9][0-9]?:[0-9][0-9](?::[0-9][0-9](?:\.[0-9]+)?)?"
_SIGN = r"(?:(?<![\w.'\")\]}])[+\-\u2212]|(?<![\w.'\"]))"
_NUMBER = rf"{_SIGN}(?:(?:0(?![0-9])|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# most numbers can be no date, and are met first
_PARTS = re.compile(
    r"(?=[-+.\u22120-9])"
    rf"(?:({_NUMBER})(?![\w'\"/:-]|\.\w)|((?<![\w.])(?:{_DATE}|{_TIME})(?!\w|\.\w))|({_NUMBER}){_AFTER})"
)


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """A text taken apart: pieces[0] numbers[0] pieces[1] ... pieces[-1].

    Arguments:
        pieces: the text between the numbers, one more than there are numbers.
        literals: the numbers as they were written.
        values: what they say.
    """

    pieces: tuple[str, ...]
    literals: tuple[str, ...]
    values: tuple[float, ...]

    def restored(self) -> str:
        """The text as it was."""
        return self.filled(self.literals)

    def filled(self, numbers: Sequence[float | str]) -> str:
        """The text with other numbers, written as shortly as they can be read back.

        Raises:
            SimonidesError: when there are more or fewer, or one is not finite.
        """
        if len(numbers) != len(self.values):
            raise SimonidesError(f"{len(numbers)} numbers for a text of {len(self.values)}; give one for each.")
        written = [number if isinstance(number, str) else spelled(number) for number in numbers]
        parts = [text for pair in zip(self.pieces, (*written, ""), strict=True) for text in pair]
        return "".join(parts)


def extract_numbers(text: str) -> Extracted:
    """The numbers of a text, in order, and what stands between them.

    Raises:
        SimonidesError: when a number is too large for 64 bits, such as 1e400.

    >>> found = extract_numbers("{'planet0':{'m':1.5,'x':[-2e-1,.5]}} on 2024-11-23")
    >>> found.values
    (1.5, -0.2, 0.5)
    >>> found.filled([2, 3.25, -1])
    "{'planet0':{'m':2,'x':[3.25,-1]}} on 2024-11-23"
    """
    parts = _PARTS.split(text)
    pieces, first, skipped, second = parts[0::4], parts[1::4], parts[2::4], parts[3::4]
    literals = first
    if None in first:  # a date or time stays with the text around it
        whole, literals = [pieces[0]], []
        for number, text_only, late, after in zip(first, skipped, second, pieces[1:], strict=True):
            if text_only is not None:
                whole[-1] += text_only + after
            else:
                literals.append(late if number is None else number)
                whole.append(after)
        pieces = whole
    try:
        values = tuple(map(float, literals))
    except ValueError:  # a minus sign that Python does not know
        values = tuple(float(literal.replace("\u2212", "-")) for literal in literals)
    if math.inf in values or -math.inf in values:
        which = next(literal for literal, value in zip(literals, values, strict=True) if math.isinf(value))
        raise SimonidesError(
            f"the number {_cut(which)} is too large for 64 bits; scale the data, or leave it out."
        )
    return Extracted(pieces=tuple(pieces), literals=tuple(literals), values=values)


def spelled(number: float) -> str:
    """A finite number as shortly as it can be read back.

    Raises:
        SimonidesError: when it is not finite.

    >>> spelled(3.0), spelled(-0.1), spelled(1e22)
    ('3', '-0.1', '1e+22')
    """
    if not math.isfinite(number):
        raise SimonidesError(f"the number {number} cannot be written; give a finite one.")
    text = repr(float(number))
    return text.removesuffix(".0")


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)} characters)"
