"""Questions, texts, and edits of several layers together."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch

from simonides.base import SimonidesError, mean_interval
from simonides.checkpoints import neox_config, small_language_model
from simonides.data import read_questions
from simonides.probes import (
    Edit,
    Material,
    Questions,
    answer,
    answers_after_edits,
    compose_edits,
    edited,
    layers_named,
    make_bench,
    matrices_named,
    perplexity,
    split,
)


def model():
    found = small_language_model(neox_config(30, d=16, layers=3, heads=2), torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.mul_(8.0)
    return found.requires_grad_(False)


def questions(count=12):
    generator = torch.Generator().manual_seed(1)
    prompts = [torch.randint(30, (4,), generator=generator) for _ in range(count)]
    return Questions.of(prompts, torch.randint(30, (count,), generator=generator).tolist(), watched=[5])


def test_ranks_and_watched_tokens():
    net, asked = model(), questions()
    found = answer(net, asked)
    p = net(asked.tokens)[:, -1].softmax(-1)
    torch.testing.assert_close(found.watched[:, 0], p[:, 5])
    assert found.rank.tolist() == [int((row > row[a]).sum()) for row, a in zip(p, asked.answers, strict=True)]
    some = answer(net, asked.rows(torch.tensor([3, 1])))
    torch.testing.assert_close(some.probability, found.probability[[3, 1]])


def test_what_is_not_finite_is_wrong_and_not_first():
    net, asked = model(), questions()
    net.weight("W_U")[asked.answers[0]] = torch.nan
    found = answer(net, asked)
    assert not found.right.any() and (found.probability == 0).all() and (found.rank == 30).all()
    assert perplexity(net, asked.tokens[0]) == math.inf
    with pytest.raises(SimonidesError, match="it knows 30"):
        answer(net, Questions.of([torch.tensor([1])], [30]))


def test_perplexity_is_that_of_the_windows():
    net = model()
    text = torch.randint(30, (23,), generator=torch.Generator().manual_seed(2))
    nats = []
    for first in (0, 8, 16):
        row = text[first : first + 8]
        log = net(row[None])[0].log_softmax(-1)
        nats += [-float(log[t, row[t + 1]]) for t in range(len(row) - 1)]
    assert perplexity(net, text, window=8) == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-4)
    with pytest.raises(SimonidesError, match="no perplexity"):
        perplexity(net, text[:1])


def test_composition_takes_what_does_not_hurt_and_puts_the_model_back():
    net, asked = model(), questions()
    before = copy.deepcopy(net.state_dict())
    edits = [Edit(layer=n, matrix="W_in", share=s) for n in range(3) for s in (0.0, 0.25, 0.5)]
    taken = list(compose_edits(net, asked, edits))
    assert [edit.layer for edit, _ in taken] == [2, 1, 0]
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    # the last layer's choice is the search's own
    first = taken[0][0]
    found = answers_after_edits(net, asked, [e for e in edits if e.layer == 2])
    assert float(found[first].right.mean()) == max(float(one.right.mean()) for one in found.values())
    with edited(net, first):
        better = float(answer(net, asked).right.mean()) >= float(found[first].right.mean())
    assert better


def test_layers_and_matrices_by_name():
    net = model()
    assert layers_named(net, "all") == [0, 1, 2]
    assert layers_named(net, "2,0-1") == [0, 1, 2]
    assert matrices_named(net, "feed-forward") == ["W_in", "W_out"]
    assert matrices_named(net, "W_o*,attention") == ["W_Q", "W_K", "W_V", "W_O", "W_out"]
    for pattern, message in (
        ("5", "there are 3"),
        ("x", "cannot be read"),
        ("2-1", "go backwards"),
        ("", "cannot"),
    ):
        with pytest.raises(SimonidesError, match=message):
            layers_named(net, pattern)
    for pattern, message in (("W_gate", "names none of this model"), ("", "names none")):
        with pytest.raises(SimonidesError, match=message):
            matrices_named(net, pattern)


def test_split_and_mean_interval():
    a, b = split(50, 0.2, torch.Generator().manual_seed(0))
    assert len(a) == 10 and sorted([*a.tolist(), *b.tolist()]) == list(range(50))
    with pytest.raises(SimonidesError, match="none on one side"):
        split(2, 0.2, torch.Generator())
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high = mean_interval(values, torch.Generator().manual_seed(1))
    half = 1.96 * float(values.std()) / 20
    assert (low, high) == pytest.approx((float(values.mean()) - half, float(values.mean()) + half), abs=0.02)


def test_questions_from_tables_and_files(tmp_path):
    capitals = read_questions("country-capital")
    assert "The capital of France is" in capitals.prompts and len(capitals) > 200
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{n} is", "answer": "odd"}) + "\n" for n in (1, 3)))
    assert read_questions(path).prompts == ("1 is", "3 is")
    own = tmp_path / "q.csv"
    own.write_text("prompt,answer\nLima is in,Peru\n")
    assert read_questions(own).answers == ("Peru",)
    facts = tmp_path / "f.tsv"
    facts.write_text("relation\tsubject\tattribute\nP1\tLima\tPeru\nP2\tx\ty\n")
    patterns = tmp_path / "p.tsv"
    patterns.write_text("relation\tpattern\nP1\t[Y] holds [X]\nP1\t[X] is in [Y] .\n")
    found = read_questions(facts, patterns)
    assert (found.prompts, found.answers) == (("Lima is in",), ("Peru",))
    with pytest.raises(SimonidesError, match="give --templates FILE"):
        read_questions(facts)
    with pytest.raises(SimonidesError, match="did you mean 'country-capital'"):
        read_questions("country-capitol")
    path.write_text('{"prompt": "a"}\n')
    with pytest.raises(SimonidesError, match="objects of prompt; expected prompt and answer"):
        read_questions(path)
    patterns.write_text("P1\t[Y] holds [X]\n")
    with pytest.raises(SimonidesError, match="has no pattern such as"):
        read_questions(facts, patterns)


def test_prompts_keep_their_lines_and_may_come_twice(tmp_path):
    own = tmp_path / "q.csv"
    own.write_text('prompt,answer\n"Q: sky\nA:",blue\n"Q: sky\nA:",grey\n', encoding="utf-8-sig")
    found = read_questions(own)
    assert found.prompts == ("Q: sky\nA:",) * 2 and found.answers == ("blue", "grey")
    lines = tmp_path / "q.jsonl"
    lines.write_text(json.dumps({"prompt": "a\u2028b", "answer": "c"}, ensure_ascii=False), encoding="utf-8-sig")
    assert read_questions(lines).prompts == ("a\u2028b",)


def test_texts_in_tokens_are_the_models():
    for text, message in (
        (torch.arange(60), "it knows 30"),
        (torch.zeros(0, dtype=torch.long), "no perplexity"),
    ):
        with pytest.raises(SimonidesError, match=message):
            make_bench(model(), Material(text=text))
    with pytest.raises(SimonidesError, match="templates without a file of questions"):
        Material(templates=Path("patterns.tsv"))
    with pytest.raises(SimonidesError, match="generic word is empty"):
        Material(generic=" ")
