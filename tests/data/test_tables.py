"""One reader for every table: columns by their names, quotes where a format has them, nothing left out unsaid."""

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simonides import FactMemory
from simonides.base import SimonidesError
from simonides.data import FactTable, read_fact_table, read_facts, read_questions


@pytest.fixture
def write(tmp_path):
    def to(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to


ASKED = (("The capital of Peru is",), ("Lima",))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.csv", "answer,prompt\nLima,The capital of Peru is\n"),
        ("q.csv", "id,Question,Answer\n7,The capital of Peru is,Lima\n"),
        ("q.TSV", "completion\tinput\nLima\tThe capital of Peru is\n"),
        ("q.JSONL", json.dumps({"prompt": "The capital of Peru is", "answer": "Lima"})),
        ("q.json", json.dumps([{"subject": "Peru", "prompt": "The capital of Peru is", "attribute": "Lima"}])),
        ("q.csv", b"\xef\xbb\xbfprompt,answer\rThe capital of Peru is,Lima\r"),
    ],
)
def test_questions_by_the_words_of_a_header(write, name, content):
    found = read_questions(write(name, content))
    assert (found.prompts, found.answers) == ASKED


def test_between_tabs_nothing_is_quoted(write):
    table = read_fact_table(write("f.tsv", '"Heroes"\tDavid Bowie\n"Low\tIggy\nPeru\tLima\n'))
    assert table.keys == ('"Heroes"', '"Low', "Peru") and table.attributes == ("David Bowie", "Iggy", "Lima")
    triples = '"Weird Al" Yankovic\tperformer\tEat It\nQueen\tperformer\tInnuendo\n'
    assert read_fact_table(write("g.tsv", triples)).keys[0] == '"Weird Al" Yankovic, performer'
    assert read_fact_table(write("f.csv", '"Bonn, Germany",West\n')).keys == ("Bonn, Germany",)


THREE = "country,capital,type\nPeru,Lima,countryCapital\nChile,Santiago,countryCapital\n"


def test_a_header_in_other_words_is_asked_about(write):
    path = write("f.csv", THREE)
    with pytest.raises(SimonidesError, match=r"is its first row \(country, capital, type\) a header"):
        read_fact_table(path)
    with pytest.raises(SimonidesError, match="name them in the order subject, relation, attribute"):
        read_fact_table(path, header=True)
    for columns in (["country", "capital"], ["Country ", "CAPITAL"]):
        table = read_fact_table(path, columns=columns)
        assert (table.keys, table.attributes, table.unused) == (("Peru", "Chile"), ("Lima", "Santiago"), ("type",))
    assert read_fact_table(path, columns=["2", "1"], header=True).attributes == ("Peru", "Chile")
    assert len(read_fact_table(path, header=False)) == 3
    with pytest.raises(SimonidesError, match=r"is its first row \(question, wort\) a header"):
        read_questions(write("q.csv", "question,wort\nLima is in,Peru\n"))
    assert len(read_questions(write("q.csv", "key,door\nkey,lock\n"))) == 2  # a word that comes again is no name


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["country"], "names 1 columns; expected 2 or 3"),
        (["country", "cap"], "has not one column 'cap'; its first row is country, capital, type"),
        (["1", "4"], "none of number 4"),
        (["0", "1"], "none of number 0"),
        (["1", "1"], "names one column twice"),
        (["country", "country"], "names one column twice"),
    ],
)
def test_columns_that_are_not_there(write, columns, message):
    with pytest.raises(SimonidesError, match=message):
        read_fact_table(write("f.csv", THREE), columns=columns)


def test_two_columns_that_may_be_the_same_are_asked_about(write):
    with pytest.raises(SimonidesError, match="'answer' and 'value' may both be the attribute"):
        read_fact_table(write("f.csv", "key,answer,value\nPeru,Lima,3\n"))


def test_rows_that_are_no_questions_are_counted(write):
    table = write(
        "q.tsv", "subject\trelation\tattribute\nPeru\tP36\tLima\nChile\tP27\tChilean\nx\tP1\ty\nz\tP36\t\n"
    )
    for templates in (
        write("t.tsv", "P36\tThe capital of [X] is [Y] .\nP27\t[X] is a [Y] citizen .\n"),
        write(
            "t.jsonl",
            '{"relation": "P36", "template": "The capital of [X] is [Y] .", "label": "capital"}\n'
            '{"relation": "P27", "template": "[X] is a [Y] citizen .", "label": "citizen"}\n',
        ),
    ):
        found = read_questions(table, templates)
        assert (found.prompts, found.answers) == ASKED
        assert sum(found.left_out.values()) == 3
        assert set(found.left_out) == {
            "no pattern of relation P27 ends with [Y]",
            "no pattern for relation P1",
            "an empty subject or attribute",
        }


def test_a_word_is_one_key_however_it_was_typed(write):
    composed, decomposed = "S\u00e3o Paulo", "Sa\u0303o Paulo"
    memory = FactMemory.store(read_fact_table(write("f.csv", f"{decomposed},Brazil\nLima,Peru\n")), d=32)
    assert memory.ask(composed).expected == memory.ask(decomposed).expected == "Brazil"
    with pytest.raises(SimonidesError, match="came in row 1 already"):
        read_fact_table(write("g.csv", f"{decomposed},Brazil\n{composed},Brasil\n"))
    with pytest.raises(SimonidesError, match=r"has the key .* twice"):
        read_facts({composed: "Brazil", decomposed: "Brasil"})


def test_no_fact_is_stored_twice(unchecked):
    with pytest.raises(SimonidesError, match="names a table twice"):
        read_facts("country-capital+country-capital")
    with pytest.raises(SimonidesError, match="has the key 'Peru' twice"):
        FactTable(keys=("Peru", "peru"), attributes=("Lima", "Lima"))
    with pytest.raises(SimonidesError, match="attribute 0 is 3; expected a text"):
        read_facts({"a": 3})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "is no sound JSON"),
        ("a.json", "[" * 100_000, "is no sound JSON"),
        ("a.jsonl", "\n" + "[" * 100_000, "line 2 is no sound JSON"),
        ("a.json", "[]", "holds no rows"),
        ("a.json", "[3]", "row 1: int where an object"),
        ("a.json", '[{"prompt": "a", "answer": 3}]', "row 1 has answer = 3; expected a text"),
        ("a.json", '[{"prompt": "a", "answer": "b"}, {"prompt": "a"}]', "row 2 lacks answer"),
        ("a.jsonl", '{"prompt": "a", "answer": "\\ud800"}', "row 1: answer holds half a character"),
        ("a.csv", "a,b\n\x00,\n", r"row 2, column 2 \(answer\) is empty"),
        ("a.csv", "a,b,c,d\n", "4 columns where"),
        ("a.csv", b"a,\xff", "line 1: byte 0xff is not UTF-8"),
        ("a.csv", 'a,"b', "no part of a well-formed table"),
        ("a.csv", "", "holds no rows"),
    ],
)
def test_damaged_tables_are_told_with_their_place(write, name, content, message):
    with pytest.raises(SimonidesError, match=message):
        read_questions(write(name, content))


@pytest.mark.parametrize("delimiter", ["", "::", '"', "\n"])
def test_what_is_no_delimiter(write, delimiter):
    with pytest.raises(SimonidesError, match="is not one character between cells"):
        read_fact_table(write("f.csv", "a,b\n"), delimiter=delimiter)


def test_only_regular_files_are_read(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", "/dev/zero"):
        with pytest.raises(SimonidesError, match="no regular file"):
            read_fact_table(path)


UNTIMED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@UNTIMED
@given(content=st.binary(max_size=80), name=st.sampled_from(["a.csv", "a.tsv", "a.json", "a.jsonl"]))
def test_any_bytes_are_a_table_or_refused(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    for read in (read_fact_table, read_questions):
        with contextlib.suppress(SimonidesError):
            read(tmp_path / name)


CELLS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=6)


@UNTIMED
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_what_is_written_by_the_book_is_read_back(tmp_path, rows):
    import csv

    path = tmp_path / "q.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("prompt", "answer"), *rows])
    (tmp_path / "q.jsonl").write_text("".join(json.dumps({"prompt": p, "answer": a}) + "\n" for p, a in rows))
    for found in (read_questions(path), read_questions(tmp_path / "q.jsonl")):
        assert list(zip(found.prompts, found.answers, strict=True)) == rows


def test_columns_by_number_know_a_header_by_its_words(write):
    table = read_fact_table(write("f.csv", "id,subject,attribute\n1,Peru,Lima\n"), columns=["2", "3"])
    assert (table.keys, table.first_row) == (("Peru",), "a header")
    table = read_fact_table(write("f.csv", "1,Peru,Lima\n2,Chad,Bern\n"), columns=[2, 3])
    assert (table.keys, table.first_row) == (("Peru", "Chad"), "data")
    with pytest.raises(SimonidesError, match="is its first row"):
        read_fact_table(write("f.csv", "id,subject,capital\n1,Peru,Lima\n"), columns=["2", "3"])
    assert (
        read_fact_table(write("f.csv", "id,subject\n1,Peru\n"), columns=["2", "1"], header=False).keys[0]
        == "subject"
    )
    with pytest.raises(SimonidesError, match="2 is the name of a column and the number of another"):
        read_fact_table(write("f.csv", "2,subject,attribute\n1,Peru,Lima\n"), columns=["2", "3"])


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("f.json", '[{"subject": "Peru", "attribute": "Lima", "attribute": "Cusco"}]', {}, "'attribute' twice"),
        ("f.jsonl", '{"subject": "Peru", "attribute": ' + "9" * 5000 + "}", {}, "has 5000 digits"),
        ("f.csv", "Peru,Lima\n".encode("utf-16"), {}, "is UTF-16; save the file as UTF-8"),
        (
            "f.json",
            '[{"subject": "Peru", "attribute": "Lima"}]',
            {"header": True},
            "leave delimiter and header out",
        ),
        (
            "f.json",
            '[{"subject": "Peru", "attribute": "Lima"}]',
            {"delimiter": ";"},
            "leave delimiter and header out",
        ),
        ("f.csv", "Peru,Lima\n", {"header": "False"}, "header = 'False'"),
        ("f.csv", "Peru,Lima\n", {"delimiter": 5}, "delimiter 5 is not one character"),
        ("f.csv", "Peru,Lima\n", {"columns": "1,2"}, "columns came as the text"),
        (
            "f.csv",
            '"a, b",r,c\na,"b, r",d\n',
            {"header": False},
            "subject with its relation, 'a, b, r' came in row 1",
        ),
    ],
)
def test_what_may_be_meant_otherwise_is_refused(write, name, content, options, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        read_fact_table(write(name, content), **options)


def test_what_is_no_path_is_named(unchecked):
    for source in (None, 5, b"f.csv"):
        with pytest.raises(SimonidesError, match="give the path"):
            read_fact_table(source)
        with pytest.raises(SimonidesError, match="questions came as"):
            read_questions(source)


def test_a_cell_may_hold_a_passage(write):
    assert read_fact_table(write("f.csv", f"Peru,{'x' * 200_000}\n")).attributes[0] == "x" * 200_000
