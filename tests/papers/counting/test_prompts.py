import math

import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.counting.prompts import KINDS, prompts, score, solution
from simonides.papers.counting.strings import ContextualCounting, read_strings, written


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("law", [{}, {"nested": True}, {"regions": (1, 4)}])
def test_the_solution_that_is_shown_is_right(kind, law):
    task = ContextualCounting(length=40, **law)
    strings = task.sample(20, torch.Generator().manual_seed(0))
    counts = [[n for n in row if n >= 0] for row in strings.counts.tolist()]
    replies = [solution(text, own, kind) for text, own in zip(written(strings), counts, strict=True)]
    found = score(replies, strings)
    assert (found.right, found.all_right, found.error, found.unreadable) == (1.0, 1.0, 0.0, 0)
    for reply, own in zip(replies, counts, strict=True):
        if kind == "regions":
            lines = [line for line in reply.splitlines() if line.startswith("Region")]
            assert [line.count("1") - str(n).count("1") for n, line in enumerate(lines, start=1)] == own


def test_prompts_hold_examples_and_end_at_the_reply():
    task = ContextualCounting(length=20, regions=2)
    strings, examples = (task.sample(n, torch.Generator().manual_seed(n)) for n in (3, 4))
    made = prompts(strings, examples, "direct")
    assert len(made) == 3
    for prompt, text in zip(made, written(strings), strict=True):
        assert prompt.endswith(f"String: {text}\n")
        assert prompt.count("Counts: [") == 4


def test_replies_that_say_nothing_are_counted():
    task = ContextualCounting(length=20, regions=2)
    strings = task.sample(3, torch.Generator().manual_seed(0))
    own = strings.counts.tolist()
    found = score(["I do not know", f"first [9, 9, 9], then {own[1]}", f"[{own[2][0]}, {own[2][1] + 3}]"], strings)
    assert found.unreadable == 1
    assert (found.right, found.all_right, found.error) == (3 / 6, 1 / 3, 3 / 4)
    assert math.isnan(score(["", "", ""], strings).error)


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("Counts: [2]\nbecause the region is [101]", 1.0),
        ("Counts: [9], no, Counts: [2]", 1.0),
        ("The region [101] has 2 of them, so [2]", 1.0),
        ("[" + "1" * 5000 + "]", 0.0),
        ("Counts: [2, 1]", 0.0),
    ],
)
def test_which_list_of_a_reply_is_read(reply, right):
    strings = read_strings(["0[101]"], ContextualCounting(regions=1, length=6))
    assert score([reply], strings).right == right


def test_strings_without_a_region_ask_nothing():
    strings = read_strings(["0101"], ContextualCounting(regions=1, length=4))
    with pytest.raises(SimonidesError, match="no string has a region"):
        score(["none"], strings)


def test_wrong_kinds_and_numbers_are_refused():
    task = ContextualCounting(length=20, regions=2)
    strings = task.sample(3, torch.Generator().manual_seed(0))
    with pytest.raises(SimonidesError):
        prompts(strings, strings, "aloud")
    with pytest.raises(SimonidesError):
        score(["[1, 2]"], strings)
