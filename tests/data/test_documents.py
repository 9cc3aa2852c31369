"""Documents from every kind of file, and back."""

import json

import pytest

from simonides.base import SimonidesError
from simonides.data import read_documents, write_documents

ROWS = [{"x": 1.5, "name": "a", "list": [1, 2]}, {"x": -2, "name": "é", "list": []}]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_records_come_back(tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    write_documents(path, ROWS)
    assert read_documents(path) == ROWS
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    assert read_documents(tmp_path / "rows.json") == ROWS


def test_cells_are_numbers_text_or_nothing(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b,c\n1e3,007,\n-.5,2024-11-23,nan\n+2,1_000,x\n")
    assert read_documents(path) == [
        {"a": 1000.0, "b": "007", "c": None},
        {"a": -0.5, "b": "2024-11-23", "c": "nan"},
        {"a": 2.0, "b": "1_000", "c": "x"},
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", "", "holds no rows"),
        ("x.jsonl", "[1]\n", "list where an object"),
        ("x.jsonl", '{"a": NaN}\n', "row 1: a is NaN"),
        ("x.jsonl", '{"a": {"b": [1, Infinity]}}\n', r"a.b\[1\] is NaN or an infinite"),
        ("x.jsonl", '{"a": 1e400}\n', "a is NaN or an infinite"),
        ("x.jsonl", "{}\n", "is an empty object"),
        ("x.jsonl", '{"a": 1', "is no sound JSON"),
        ("x.csv", "a,b\n", "no rows below a header"),
        ("x.csv", "a,a\n1,2\n", "two have the same"),
        ("x.csv", "a,b\n1\n", "1 cells where 2"),
        ("x.parquet", "nonsense", "cannot be read as Parquet"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(SimonidesError, match=said):
        read_documents(tmp_path / name)


def test_a_file_is_read_under_its_own_name_alone(tmp_path):
    write_documents(tmp_path / "data[1].parquet", [{"x": 1}])
    write_documents(tmp_path / "data1.parquet", [{"x": 2}])
    assert read_documents(tmp_path / "data[1].parquet") == [{"x": 1}]


def test_dates_and_decimals_of_parquet_are_read_and_bytes_refused_by_name(tmp_path):
    import datetime
    import decimal

    import polars as pl

    table = pl.DataFrame({"day": [datetime.date(2024, 11, 23)], "price": [decimal.Decimal("1.50")]})
    table.write_parquet(tmp_path / "x.parquet")
    assert read_documents(tmp_path / "x.parquet") == [{"day": "2024-11-23", "price": 1.5}]
    pl.DataFrame({"raw": [b"abc"]}).write_parquet(tmp_path / "y.parquet")
    with pytest.raises(SimonidesError, match="the column raw is Binary"):
        read_documents(tmp_path / "y.parquet")
    with pytest.raises(SimonidesError, match=r"write \.jsonl or \.parquet"):
        write_documents(tmp_path / "x.csv", ROWS)
    with pytest.raises(SimonidesError, match="no JSON"):
        write_documents(tmp_path / "x.jsonl", [{"x": float("nan")}])


def test_deep_nesting_and_half_characters_are_told(tmp_path):
    (tmp_path / "deep.jsonl").write_text('{"z": ' + "[" * 700 + "1" + "]" * 700 + "}\n")
    (tmp_path / "half.jsonl").write_text('{"\\ud800": 1}\n')
    with pytest.raises(SimonidesError, match="half a character"):
        read_documents(tmp_path / "half.jsonl")
    try:
        assert len(read_documents(tmp_path / "deep.jsonl")) == 1
    except SimonidesError as error:
        assert "deep.jsonl" in str(error)


def test_what_is_not_there_or_not_to_be_written(tmp_path):
    for name in ("none.jsonl", "none.parquet", "none.csv"):
        with pytest.raises(SimonidesError, match="does not exist"):
            read_documents(tmp_path / name)
    with pytest.raises(SimonidesError, match="no records"):
        write_documents(tmp_path / "x.jsonl", [])
