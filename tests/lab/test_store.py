import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.lab import ABOUT, ROWS, Damage, Point, Store, Stored

POINT = Point(claim="a/b", version=1, code="c", parameters=(("d", 8),), seed=0)
TABLE = pl.DataFrame({"recall": [0.5, 0.25]})


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.open_for_writing()
    store.write(POINT, TABLE, {"rule": "r"})
    return store


def test_returns_what_was_written(store):
    found = store.read(POINT)
    assert isinstance(found, Stored)
    assert found.rows.equals(TABLE)
    assert found.about["rule"] == "r"


def test_an_absent_point_is_none(store):
    assert store.read(Point(claim="a/b", version=2, code="c", parameters=(("d", 8),), seed=0)) is None


def cut(folder):
    content = (folder / ROWS).read_bytes()
    (folder / ROWS).write_bytes(content[: len(content) // 2])


def edit_row(folder):
    pl.DataFrame({"recall": [0.5, 0.99]}).write_parquet(folder / ROWS)


def edit_definition(folder):
    about = json.loads((folder / ABOUT).read_text())
    about["definition"]["parameters"]["d"] = 16
    (folder / ABOUT).write_text(json.dumps(about))


DAMAGES = {
    "cut": (cut, "differs from its checksum"),
    "edited row": (edit_row, "differs from its checksum"),
    "edited definition": (edit_definition, "defines another point"),
    "rows missing": (lambda f: (f / ROWS).unlink(), f"{ROWS} is missing"),
    "about missing": (lambda f: (f / ABOUT).unlink(), f"{ABOUT} is missing"),
    "about cut": (lambda f: (f / ABOUT).write_text('{"definition": '), "unreadable"),
    "about is a list": (lambda f: (f / ABOUT).write_text("[]"), "unreadable"),
    "rows empty": (lambda f: (f / ROWS).write_bytes(b""), "differs from its checksum"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_noticed_and_named(store, kind):
    harm, reason = DAMAGES[kind]
    harm(store.folder(POINT))
    found = store.read(POINT)
    assert isinstance(found, Damage)
    assert reason in str(found)
    assert "d = 8, seed = 0" in str(found)


@given(
    name=st.sampled_from([ROWS, ABOUT]),
    places=st.sets(st.integers(0, 10_000), min_size=1),
    value=st.integers(1, 255),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_byte_is_read_as_a_result(store, name, places, value):
    """Neither a table whose header lies nor a record: what does not agree with its checksum is never parsed."""
    path = store.folder(POINT) / name
    whole = path.read_bytes()
    harmed = bytearray(whole)
    for place in {place % len(whole) for place in places}:
        harmed[place] ^= value
    try:
        path.write_bytes(harmed)
        found = store.read(POINT)
        # white space of a record is no part of what it says
        assert isinstance(found, Damage) or (name == ABOUT and json.loads(bytes(harmed)) == json.loads(whole))
    finally:
        path.write_bytes(whole)


def test_damage_is_set_aside_not_deleted(store):
    cut(store.folder(POINT))
    aside = store.set_aside(store.read(POINT))
    assert (aside / ROWS).exists()
    assert store.read(POINT) is None
    store.write(POINT, TABLE, {})
    assert isinstance(store.read(POINT), Stored)


def test_a_second_writer_changes_nothing(store):
    store.write(POINT, pl.DataFrame({"recall": [9.0]}), {"rule": "later"})
    assert store.read(POINT).about["rule"] == "r"
    assert not list(store.root.rglob(".building-*"))


def test_a_failure_is_kept_until_success(store):
    other = Point(claim="a/b", version=1, code="c", parameters=(("d", 9),), seed=0)
    store.write_failure(other, "it broke")
    assert store.read_failure(other) == "it broke"
    store.write(other, TABLE, {})
    assert store.read_failure(other) is None


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(SimonidesError, match="no store of simonides"):
        Store(tmp_path)


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SimonidesError, match="is a file"):
        Store(tmp_path / "file")
