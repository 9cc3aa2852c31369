import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.papers.counting.laws import (
    answer_law,
    best_constant,
    contextual_position,
    count_law,
    invariant_ceiling,
    least_rank,
    predicted_slope,
    profile,
    read_out,
    region_share,
    slope_of,
)
from simonides.papers.counting.strings import ContextualCounting, read_strings, written

LAWS = {
    "plain": {},
    "random regions": {"regions": (1, 5)},
    "nested": {"nested": True},
    "nested, random regions": {"nested": True, "regions": (1, 5)},
    "least length": {"min_region": 3},
    "fixed length": {"fixed_region": 4, "regions": (1, 3)},
    "no beginning, registers": {"registers": 2, "beginning": False},
    "random length and share": {"length": (30, 70), "ones": (0.1, 0.9)},
}


def by_hand(text):
    """Counts by going through the characters one by one."""
    counts, waiting = [], []
    for character in text:
        if character == "[":
            waiting.append(len(counts))
            counts.append(0)
        elif character == "]":
            waiting.pop()
        elif character == "1":
            for number in waiting:
                counts[number] += 1
    return counts


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_counts_are_those_of_the_text(law):
    task = ContextualCounting(**{"length": 40, **law})
    strings = task.sample(60, torch.Generator().manual_seed(1))
    for text, counts in zip(written(strings), strings.counts.tolist(), strict=True):
        there = [count for count in counts if count >= 0]
        assert by_hand(text) == there
        assert len(text) == strings.tokens.shape[1] - task.before


def test_the_papers_string():
    task = ContextualCounting(length=16)
    assert read_strings(["[0][101]0[1]1[]0"], task).counts.tolist() == [[0, 2, 1, 0]]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(LAWS)))
def test_strings_are_read_as_they_were_written(seed, name):
    task = ContextualCounting(**{"length": 40, **LAWS[name]})
    strings = task.sample(4, torch.Generator().manual_seed(seed))
    nested = task.shifted(nested=True, min_region=0, fixed_region=None)
    again = read_strings(written(strings), nested)
    assert torch.equal(again.tokens, strings.tokens)
    assert torch.equal(again.counts, strings.counts)


def test_regions_know_their_places():
    task = ContextualCounting(regions=2, length=12, nested=True)
    strings = read_strings(["0[1[10]1]011"], task)
    # behind the beginning
    assert strings.region_of().tolist() == [[-1, -1, -1, 0, -1, 1, 1, -1, 0, -1, -1, -1, -1]]
    assert strings.sizes.tolist() == [[6, 2]]
    assert strings.densities.tolist() == [[0.5, 0.5]]


def test_delimiters_are_uniform():
    task = ContextualCounting(regions=2, length=6, beginning=False)
    strings = task.sample(30_000, torch.Generator().manual_seed(0))
    found = Counter(map(tuple, torch.stack([strings.opens, strings.closes], 2).flatten(1).tolist()))
    expected = list(itertools.combinations(range(6), 4))
    assert sorted(found) == expected
    assert all(abs(count - 2000) < 5 * 2000**0.5 for count in found.values())


def test_nested_brackets_are_uniform():
    task = ContextualCounting(regions=3, length=6, nested=True, beginning=False)
    found = Counter(written(task.sample(20_000, torch.Generator().manual_seed(0))))
    assert len(found) == 5
    assert all(abs(count - 4000) < 5 * 4000**0.5 for count in found.values())


@pytest.mark.parametrize(("length", "regions", "ones"), [(10, 2, 0.5), (9, 1, 0.3)])
def test_the_law_of_counts_by_brute_force(length, regions, ones):
    law = torch.zeros(length - 2 * regions + 1, dtype=torch.float64)
    ceiling = 0.0
    together = Counter()
    places = list(itertools.combinations(range(length), 2 * regions))
    for chosen in places:
        digits = length - 2 * regions
        inside = chosen[1] - chosen[0] - 1
        for bits in itertools.product((0, 1), repeat=digits):
            odds = ones ** sum(bits) * (1 - ones) ** (digits - sum(bits)) / len(places)
            count = sum(bits[:inside])
            law[count] += odds
            together[sum(bits), count] += odds
    for total in range(length - 2 * regions + 1):
        ceiling += max(odds for (s, _), odds in together.items() if s == total)
    assert torch.allclose(count_law(length, regions, ones), law, atol=1e-12)
    assert abs(invariant_ceiling(length, regions, ones) - ceiling) < 1e-12


def test_the_papers_floors():
    """Figures of Golkar et al. (2024): models that see no order answer right in 3, 5 and 2 % of cases."""
    assert round(best_constant(ContextualCounting(regions=4, length=512)), 3) == 0.031
    assert round(best_constant(ContextualCounting(regions=4, length=300)), 3) == 0.052
    assert round(best_constant(ContextualCounting(regions=3, length=512)), 3) == 0.023


def test_a_law_by_samples_is_near_the_exact_one():
    exact = answer_law(ContextualCounting(length=24, regions=2))
    sampled = answer_law(ContextualCounting(length=24, regions=2, ones=(0.5, 0.5)))
    assert (exact - sampled).abs().max() < 0.01
    assert abs(float(answer_law(ContextualCounting(length=24, target="density")).sum()) - 1) < 1e-12


def test_inside_a_region_the_share_of_openings_is_known():
    task = ContextualCounting(regions=4, length=64)
    strings = task.sample(50, torch.Generator().manual_seed(0))
    position, region = contextual_position(strings.tokens), strings.region_of()
    assert torch.equal(position[region >= 0], region_share(4)[region[region >= 0]])
    ones = (strings.tokens < 2) & (region < 0)
    between = position[ones]
    assert set(between[~between.isnan()].tolist()) == {0.5}


@pytest.mark.parametrize("kind", ["causal", "self-only"])
def test_no_constant_of_rows_makes_a_profile_of_lower_rank(kind):
    hidden = profile(6, kind)
    generator = torch.Generator().manual_seed(0)
    tried = [
        int(
            torch.linalg.matrix_rank(hidden.double() + torch.randn(6, 1, generator=generator, dtype=torch.float64))
        )
        for _ in range(50)
    ]
    assert least_rank(hidden) == 5 <= min(tried)


def test_the_read_out_mixes_values():
    one, bias = torch.tensor([0.0, 3.0]), torch.tensor([1.0, -1.0])
    expected = torch.softmax((5 * one + 2 * bias) / 7, -1)
    assert torch.allclose(read_out(torch.tensor(5.0), one, bias, 2.0), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"regions": 0},
        {"regions": (3, 1)},
        {"length": 7},
        {"length": True},
        {"ones": 1.5},
        {"ones": (0.9, 0.1)},
        {"ones": float("nan")},
        {"min_region": 30},
        {"fixed_region": 20},
        {"min_region": 1, "fixed_region": 2},
        {"nested": True, "min_region": 1},
        {"target": "sum"},
        {"levels": 1},
        {"classes": 1},
        {"registers": -1},
    ],
)
def test_wrong_tasks_are_refused(wrong):
    with pytest.raises(SimonidesError):
        ContextualCounting(**{"regions": 4, "length": 64, **wrong})


@pytest.mark.parametrize("text", ["", "01a", "0]1", "[0", "[[0]]", "[][][]", "0" * 20, "[0] ["])
def test_wrong_strings_are_refused(text):
    with pytest.raises(SimonidesError):
        read_strings([text], ContextualCounting(regions=2, length=12))


def test_strings_of_several_lengths_are_refused():
    with pytest.raises(SimonidesError, match="one length"):
        read_strings(["[0]", "[0]0"], ContextualCounting(regions=2, length=12))


def test_counts_beyond_the_classes_are_told():
    task = ContextualCounting(regions=1, length=12, classes=3, fixed_region=8, ones=1.0)
    labels, beyond = task.labels(task.sample(5, torch.Generator().manual_seed(0)))
    assert labels.flatten().tolist() == [2] * 5
    assert beyond == 5


def test_a_slope_needs_tokens():
    with pytest.raises(SimonidesError):
        predicted_slope(1.0, 0.0)


@pytest.mark.parametrize(("regions", "length"), [(2, (8, 12)), ((1, 2), (8, 12)), ((1, 3), 12)])
def test_the_law_of_random_lengths_is_the_mixture(regions, length):
    task = ContextualCounting(regions=regions, length=length)
    lengths = range(length[0], length[1] + 1) if isinstance(length, tuple) else [length]
    numbers = range(regions[0], regions[1] + 1) if isinstance(regions, tuple) else [regions]
    expected = torch.zeros(12, dtype=torch.float64)
    for t, r in itertools.product(lengths, numbers):
        own = count_law(t, r)
        expected[: len(own)] += r * own
    expected /= expected.sum()
    law = answer_law(task)
    assert len(law) == task.answers
    assert torch.allclose(law, expected[: len(law)], atol=1e-12)


def test_the_law_of_random_shares_is_that_of_samples():
    task = ContextualCounting(regions=2, length=20, ones=(0.1, 0.9))
    labels, _ = task.labels(task.sample(40_000, torch.Generator().manual_seed(0)))
    found = torch.bincount(labels.flatten(), minlength=task.answers) / labels.numel()
    assert (answer_law(task) - found).abs().max() < 0.01


@pytest.mark.parametrize("wrong", [(4, 0, 0.5), (4, 3, 0.5), (10, 2, 1.5), (10, 2, float("nan"))])
def test_laws_that_are_none_are_refused(wrong):
    with pytest.raises(SimonidesError):
        count_law(*wrong)
    with pytest.raises(SimonidesError):
        invariant_ceiling(*wrong)


def test_numbers_that_mean_nothing_are_refused():
    ones = torch.zeros(3)
    with pytest.raises(SimonidesError):
        read_out(ones, ones, ones, 0.0)
    with pytest.raises(SimonidesError):
        slope_of(torch.tensor([1]), torch.tensor([0]))
    with pytest.raises(SimonidesError):
        predicted_slope(float("inf"), 1.0)


def test_half_levels_go_up():
    task = ContextualCounting(regions=1, length=6, target="density", levels=3)
    assert task.labels(read_strings(["[0001]"], task))[0].tolist() == [[1]]
