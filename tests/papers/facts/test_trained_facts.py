"""Real facts in a trained transformer, from Python and from the command line."""

import json

import pytest

from simonides.base import SimonidesError
from simonides.cli import main
from simonides.data import FactTable
from simonides.papers.facts.trained_facts import TrainedFacts

TABLE = FactTable(
    keys=tuple(f"{s}, {r}" for s in "abcdef" for r in ("colour", "size")),
    attributes=tuple(f"{v}{i % 3}" for i in range(6) for v in ("red", "tall")),
    pairs=tuple((s, r) for s in "abcdef" for r in ("colour", "size")),
)


@pytest.fixture(scope="module")
def known():
    return TrainedFacts.train(TABLE, d=16)


def test_it_knows_the_table(known):
    assert known.right == len(TABLE)
    answer = known.ask("B, SIZE")
    assert (answer.best[0][0], answer.expected, answer.right) == ("tall1", "tall1", True)
    assert sum(p for _, p in answer.best) <= 1.0 + 1e-6
    assert answer.known_from is not None
    assert known.parameters == 6 * 16**2 + 16


def test_on_the_way_it_answers_the_relation_for_another_subject(known):
    stages = [known.ask(key).hallucinated for key in TABLE.keys]
    seen = [(key, stage) for key, stage in zip(TABLE.keys, stages, strict=True) if stage is not None]
    assert seen
    for key, stage in seen:
        assert stage.answer.startswith("red" if key.endswith("colour") else "tall")
        assert stage.answer != TABLE.attributes[TABLE.keys.index(key)]
        assert 0 <= stage.distance <= 1
    assert 0 < float(known.hallucinating.max()) <= 1


def test_bad_sizes_are_refused():
    with pytest.raises(SimonidesError, match="multiple of 8"):
        TrainedFacts.train(TABLE, d=12)


def test_command_line(capsys, tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("\n".join(f"{s},colour,red{i % 3}" for i, s in enumerate("abcdef")))
    main_with = ["recall", str(path), "c, colour", "--model", "transformer", "--d", "16", "--header", "False"]
    with pytest.raises(SystemExit) as code:
        main([*main_with, "--json"])
    assert code.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["right"], found["asked"][0]["best"][0][0]) == (6, "red2")
    with pytest.raises(SystemExit):
        main(main_with)
    out = capsys.readouterr().out
    assert "6 of 6 facts recalled" in out
    assert ("It hallucinated most after" in out) == (found["hallucinating"]["share"] > 0)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--rule", "pseudo_inverse"], "--embedding and --rule are for the matrix"),
        (["--d", "20"], "multiple of 8"),
        (["nobody"], "has no key 'nobody'"),
    ],
)
def test_bad_input(more, said, capsys, tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("a,x\nb,y\n")
    with pytest.raises(SystemExit) as code:
        main(
            ["recall", str(path), *[m for m in more if not m.startswith("-")][:0], *more, "--model", "transformer"]
        )
    assert code.value.code == 2
    assert said in capsys.readouterr().err
