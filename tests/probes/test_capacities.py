import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.memories import LinearMemory, NearestMemory
from simonides.memories.laws.recall import linear_capacity
from simonides.memories.laws.similarity import nearest_capacity
from simonides.probes import capacity, on_spheres, search, trained_capacity


def generators(count=5):
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


@given(
    limits=st.lists(st.integers(1, 10**6), min_size=1, max_size=4),
    start=st.integers(1, 10**6),
)
def test_search_finds_the_last_size_that_is_reached(limits, start):
    asked = []

    def accuracies(sizes):
        asked.append(len(sizes))
        return {run: 1.0 if size <= limits[run] else 0.5 for run, size in sizes.items()}

    found = search(accuracies, len(limits), start, ratio=1.0000001)
    assert found.stored == tuple(limits)
    assert found.refused == tuple(limit + 1 for limit in limits)
    assert len(asked) < 60


@given(limit=st.integers(50, 10**5), start=st.integers(2, 10**5))
def test_search_stops_at_the_ratio_asked_for(limit, start):
    found = search(lambda sizes: {run: float(n <= limit) for run, n in sizes.items()}, 1, start, ratio=1.05)
    assert found.stored[0] <= limit < found.refused[0] <= max(found.stored[0] * 1.05, found.stored[0] + 1)


def test_search_says_where_nothing_is_stored_or_all():
    with pytest.raises(SimonidesError, match="stores not even 4 facts"):
        search(lambda sizes: dict.fromkeys(sizes, 0.1), 2, start=100, least=4)
    found = search(lambda sizes: dict.fromkeys(sizes, 1.0), 1, start=10, most=500)
    assert (found.stored, found.refused) == ((500,), (math.inf,))
    assert found.tried[0][-1] == (500, 1.0)


def test_capacity_of_the_linear_memory_is_the_theorys():
    found = capacity(
        lambda i, o, t, g: LinearMemory.store(i, o, t), on_spheres(48), generators(), start=40, repeats=16
    )
    low, high = found.interval
    assert low * 0.93 < linear_capacity(48) < high * 1.07
    assert all(dict(tried)[n] >= 0.99 for n, tried in zip(found.stored, found.tried, strict=True))
    assert all(dict(tried)[int(n)] < 0.99 for n, tried in zip(found.refused, found.tried, strict=True))


def test_capacity_does_not_depend_on_where_it_starts_or_who_else_runs():
    def found(start, seeds):
        return capacity(
            lambda i, o, t, g: LinearMemory.store(i, o, t),
            on_spheres(24),
            [torch.Generator().manual_seed(seed) for seed in seeds],
            start=start,
            ratio=1.0001,
        )

    assert found(10, [3]).tried[0][0] != found(60, [3]).tried[0][0]
    assert dict(found(10, [3]).tried[0]).items() <= dict(found(10, [2, 3]).tried[1]).items()


def test_capacity_from_noisy_queries_is_the_exact_law():
    found = capacity(
        lambda i, o, t, g: NearestMemory.store(i, o, t),
        on_spheres(16),
        generators(),
        start=100,
        repeats=40,
        cosine=0.8,
        asked=64,
    )
    assert found.mean == pytest.approx(nearest_capacity(16, 0.8), rel=0.35)


def test_trained_matrix_stores_more_than_the_sum():
    found = trained_capacity("linear", 8, generators(3))
    assert 1.0 < found.mean * math.log(found.mean) / 64 < 1.4
    assert found.mean > 3 * linear_capacity(8)


def test_trained_mlp():
    found = trained_capacity("mlp", 6, generators(2), width=6, steps=1024)
    assert 10 < found.mean < 40


def test_a_single_run_has_no_interval():
    assert search(lambda sizes: dict.fromkeys(sizes, 1.0), 1, 5, most=6).interval == (0.0, math.inf)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "linaer", "d": 8}, "did you mean 'linear'"),
        ({"kind": "mlp", "d": 8}, "width = 0"),
        ({"kind": "linear", "d": 1}, "d = 1"),
        ({"kind": "linear", "d": 8, "accuracy": 1.5}, "accuracy"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(SimonidesError, match=message):
        trained_capacity(generators=generators(1), **options)
