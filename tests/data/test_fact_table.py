"""Tables: what is accepted, and that every refusal names row and column."""

import pytest

from simonides.base import SimonidesError
from simonides.data import PACKAGED, packaged, read_fact_table


@pytest.fixture
def write(tmp_path):
    def to(content, name="facts.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to


@pytest.mark.parametrize(
    ("content", "name", "keys", "attributes"),
    [
        ("France,Paris\nPeru,Lima\n", "f.csv", ("France", "Peru"), ("Paris", "Lima")),
        ("subject,attribute\nFrance,Paris\n", "f.csv", ("France",), ("Paris",)),
        ("answer,question\nParis,France\n", "f.csv", ("France",), ("Paris",)),
        ("France,capital,Paris\n", "f.csv", ("France, capital",), ("Paris",)),
        ("relation\tsubject\tattribute\ncapital\tFrance\tParis\n", "f.tsv", ("France, capital",), ("Paris",)),
        ("\ufeffFrance,Paris\n\n  \nPeru, Lima \n", "f.csv", ("France", "Peru"), ("Paris", "Lima")),
        ('"Bonn, Germany",West\n', "f.csv", ("Bonn, Germany",), ("West",)),
        ("France,Paris", "f.txt", ("France",), ("Paris",)),
    ],
)
def test_reads(write, content, name, keys, attributes):
    table = read_fact_table(write(content, name))
    assert (table.keys, table.attributes) == (keys, attributes)


def test_header_may_be_told(write):
    path = write("Land,Hauptstadt\nFrankreich,Paris\n")
    assert len(read_fact_table(path)) == 2
    assert read_fact_table(path, header=True).keys == ("Frankreich",)
    assert len(read_fact_table(write("subject,attribute\nx,y\n"), header=False)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no rows"),
        ("\n\n", "holds no rows"),
        ("subject,attribute\n", "a header and no rows"),
        ("France\nPeru\n", "row 1: 1 column where 2"),
        ("a,b,c,d\n", "row 1: 4 columns where 2"),
        ("France,Paris\nPeru\n", "row 2: 1 cells where 2 were expected"),
        ("France,Paris\nPeru,Lima,x\n", "row 2: 3 cells where 2 were expected"),
        ("France,Paris\nPeru,\n", r"row 2, column 2 \(attribute\) is empty"),
        ("France,Paris\n  ,Lima\n", r"row 2, column 1 \(subject\) is empty"),
        ("France,capital,Paris\nPeru,,Lima\nChile,capital,Santiago\n", r"row 2, column 2 \(relation\) is empty"),
        ("France,Paris\nPeru,Lima\nfrance,Lyon\n", r"row 3: the subject 'france' came in row 1"),
        ("answer,key\nParis,France\nLyon,France\n", r"row 3: the subject 'France' came in row 2"),
        (b"France,Paris\nPeru,\xff\xfe\n", "line 2: byte 0xff is not UTF-8"),
        ('France,"Par\n', "no part of a well-formed table"),
    ],
)
def test_refuses_with_row_and_column(write, content, message):
    with pytest.raises(SimonidesError, match=message):
        read_fact_table(write(content))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(SimonidesError, match="does not exist"):
        read_fact_table(tmp_path / "none.csv")
    with pytest.raises(SimonidesError, match="is a folder"):
        read_fact_table(tmp_path)


def test_delimiter(write):
    path = write("France;Paris\n")
    assert read_fact_table(path, delimiter=";").keys == ("France",)
    with pytest.raises(SimonidesError, match="not one character"):
        read_fact_table(path, delimiter="::")


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_tables_are_real(name):
    table = packaged(name)
    assert len(table) > 100
    assert len(set(table.keys)) == len(table)
    assert sum(table.class_sizes) == len(table)
    known = {"country-capital": ("france", "Paris"), "element-symbol": ("gold", "Au")}
    if name in known:
        key, answer = known[name]
        assert table.attributes[table.row_of(key)] == answer


def test_unknown_table_and_key():
    with pytest.raises(SimonidesError, match="did you mean 'element-symbol'"):
        packaged("element-symbols")
    with pytest.raises(SimonidesError, match="did you mean 'gold'"):
        packaged("element-symbol").row_of("goold")
    with pytest.raises(SimonidesError, match="did you mean 'France'"):
        packaged("country-capital").row_of("frnace")


def test_a_bar_or_a_comma_parts_subject_and_relation(write):
    table = read_fact_table(write("France,capital,Paris\n"))
    assert table.row_of("france | Capital") == table.row_of("France,capital") == 0
    assert read_fact_table(write("a|b,x\n")).row_of("a|b") == 0


def test_a_missing_data_package_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "periodictable", None)
    with pytest.raises(SimonidesError, match=r"pip install 'simonides\[facts\]'"):
        packaged("element-symbol")


def test_the_first_of_repeated_keys_may_stay(write):
    path = write("a,1\nb,2\na,3\nA,4\n")
    table = read_fact_table(path, repeats="first")
    assert (table.keys, table.attributes, table.left_out) == (("a", "b"), ("1", "2"), 2)
    with pytest.raises(SimonidesError, match="came in row 1 already"):
        read_fact_table(path)
    with pytest.raises(SimonidesError, match="repeats"):
        read_fact_table(path, repeats="last")
