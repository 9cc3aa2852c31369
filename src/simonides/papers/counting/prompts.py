"""The task for language models: prompts with solved examples, and what became of the replies.

Golkar et al. (2024) ask GPT-4o with four examples: 19, 11 and 2 % right at lengths 128, 256 and 512 when it answers at
once, 62, 52 and 21 % when it first writes out each region, 94, 59 and 21 % with a running count. The wording here is
ours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from simonides.base import SimonidesError, check_name
from simonides.papers.counting.strings import CountingStrings, written

KINDS = ("direct", "regions", "running count")
_ASKED = {
    "direct": "Answer with the list of counts alone.",
    "regions": "First write out each region, then the list of counts.",
    "running count": "First write out each region with the running count of 1s in parentheses after every character, "
    "then the list of counts.",
}


@dataclass(frozen=True, kw_only=True)
class Score:
    """What became of replies.

    Arguments:
        right: share of counts that are right; one that cannot be read is wrong.
        all_right: share of strings whose counts are all right.
        error: mean absolute error of the counts that can be read; NaN where none can.
        unreadable: replies without a list of as many numbers as the string has regions.
    """

    right: float
    all_right: float
    error: float
    unreadable: int


def prompts(strings: CountingStrings, examples: CountingStrings, kind: str = "direct") -> list[str]:
    """A prompt for each string, after solved examples; it ends where the reply begins.

    Raises:
        SimonidesError: when the kind is unknown.
    """
    check_name("kind", kind, KINDS)
    task = (
        "Each string has characters 0, 1, [ and ]. A region is what lies between a [ and the ] that closes it. Give "
        f"the number of 1s in each region, in the order in which regions open. {_ASKED[kind]}"
    )
    solved = [
        f"String: {text}\n{solution(text, counts, kind)}"
        for text, counts in zip(written(examples), _counts(examples), strict=True)
    ]
    return ["\n\n".join([task, *solved, f"String: {text}\n"]) for text in written(strings)]


def solution(text: str, counts: Sequence[int], kind: str) -> str:
    """The reply that is wished for.

    >>> print(solution("0[101]", [2], "running count"))
    Region 1: 1(1)0(1)1(2)
    Counts: [2]
    """
    lines = []
    if kind != "direct":
        for number, region in enumerate(_regions(text), start=1):
            shown, ones = "", 0
            for character in region:
                ones += character == "1"
                shown += f"{character}({ones})" if kind == "running count" else character
            lines.append(f"Region {number}: {shown}")
    return "\n".join([*lines, f"Counts: {list(counts)}"])


def score(replies: Sequence[str], strings: CountingStrings) -> Score:
    """Read the last "Counts: [...]" of each reply, or without one its last list of the right length.

    Raises:
        SimonidesError: when there are not as many replies as strings, or none has a region.
    """
    if len(replies) != len(strings):
        raise SimonidesError(f"{len(replies)} replies to {len(strings)} strings; give one for each.")
    if not bool((strings.counts >= 0).any()):
        raise SimonidesError("no string has a region, so nothing was asked; give strings such as '0[1]'.")
    right = total = unreadable = whole = 0
    errors: list[int] = []
    for reply, counts in zip(replies, _counts(strings), strict=True):
        total += len(counts)
        said = _read(reply, len(counts))
        if said is None:
            unreadable += 1
            continue
        right += sum(one == other for one, other in zip(said, counts, strict=True))
        whole += said == counts
        errors += [abs(one - other) for one, other in zip(said, counts, strict=True)]
    return Score(
        right=right / total,
        all_right=whole / len(replies),
        error=sum(errors) / len(errors) if errors else float("nan"),
        unreadable=unreadable,
    )


def _read(reply: str, regions: int) -> list[int] | None:
    """The counts that a reply gives; None where it gives none."""
    lists = re.findall(r"(Counts:\s*)?\[\s*(\d{1,9}(?:\s*,\s*\d{1,9})*)\s*\]", reply)
    read = [(bool(named), [int(number) for number in text.split(",")]) for named, text in lists]
    named = [numbers for is_named, numbers in read if is_named]
    fitting = [numbers for _, numbers in read if len(numbers) == regions]
    said = named[-1] if named else fitting[-1] if fitting else []
    return said if len(said) == regions else None


def _counts(strings: CountingStrings) -> list[list[int]]:
    return [[n for n in row if n >= 0] for row in strings.counts.tolist()]


def _regions(text: str) -> list[str]:
    """The characters of each region, in the order in which regions open."""
    regions: list[list[str]] = []
    inside: list[int] = []
    for character in text:
        if character == "]":
            inside.pop()
        for number in inside:
            regions[number].append(character)
        if character == "[":
            inside.append(len(regions))
            regions.append([])
    return ["".join(region) for region in regions]
