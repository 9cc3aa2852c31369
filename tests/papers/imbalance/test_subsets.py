"""Heavy-tailed subsets and their balanced twins."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.papers.imbalance.subsets import imbalanced_subset


def seeded():
    return torch.Generator().manual_seed(0)


@given(st.integers(2, 8), st.floats(0.0, 1.5), st.integers(60, 90))
def test_counts_follow_the_law_and_the_twin_is_even(classes, exponent, each):
    targets = torch.arange(classes).repeat_interleave(each)
    kept = imbalanced_subset(targets, exponent, seeded())
    counts = torch.bincount(targets[kept], minlength=classes)
    assert len(kept.unique()) == len(kept) and int(counts[0]) == each
    expected = each * torch.arange(1, classes + 1).double() ** -exponent
    assert bool(((counts - expected).abs() < 1 + 1e-6).all())
    twin = imbalanced_subset(targets, exponent, seeded(), balanced=True)
    even = torch.bincount(targets[twin], minlength=classes)
    assert len(twin) == len(kept) and int(even.max() - even.min()) <= 1


@pytest.mark.parametrize(
    ("targets", "exponent", "options", "message"),
    [
        ([0, 2], 1.0, {}, "class 1 has no samples"),
        ([0] * 9 + [1], 5.0, {}, "leaves the rarest without"),
        ([], 1.0, {}, "no row of classes"),
        ([0] * 100 + [1] * 10, 3.0, {"balanced": True}, "balanced twin needs"),
    ],
)
def test_what_cannot_be_drawn_is_refused(targets, exponent, options, message):
    with pytest.raises(SimonidesError, match=message):
        imbalanced_subset(torch.tensor(targets, dtype=torch.long), exponent, seeded(), **options)
