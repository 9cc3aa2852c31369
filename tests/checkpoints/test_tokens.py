"""A checkpoint's tokenizer gives the tokens that `transformers` gives: what it puts first, digits of any script."""

import math
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.checkpoints import TextTokens
from simonides.checkpoints import tokens as module
from simonides.checkpoints.gguf_header import Header
from simonides.nn import Transformer, TransformerConfig
from simonides.probes import Material, Reading, inspect, make_bench, perplexity
from simonides.probes.heads import repeated_reading

WORDS = ["<s>", "</s>", "<unk>", "The", "capital", "of", "Peru", "is", "Lima", "the", "a"]


def tokenizer_in(folder, single, words=WORDS):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token=words[2]))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if single:
        made.post_processor = processors.TemplateProcessing(
            single=single, special_tokens=[("<s>", 0), ("</s>", 1)]
        )
    made.save(str(folder / "tokenizer.json"))
    return TextTokens(folder)


@pytest.mark.parametrize(
    ("single", "beginning"),
    [("<s> $A", [0]), ("<s> $A </s>", [0]), ("$A </s>", []), ("<s> <s> $A", [0, 0]), ("", [])],
)
def test_prompts_begin_as_the_tokenizer_begins_every_text(single, beginning, tmp_path):
    from transformers import PreTrainedTokenizerFast

    tokenizer = tokenizer_in(tmp_path, single)
    prompt, answer = tokenizer.question("The capital of Peru is", "Lima")
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    whole = theirs("The capital of Peru is").input_ids
    assert tokenizer.beginning.tolist() == beginning
    assert prompt.tolist() == [token for token in whole if token != 1] and answer == WORDS.index("Lima")


def model():
    config = TransformerConfig(vocabulary=len(WORDS), length=24, d=16, heads=2, positions="learned")
    return Transformer(config, torch.Generator().manual_seed(0))


def test_windows_begin_as_texts_do(tmp_path):
    net, text, first = model(), torch.arange(3, 11).repeat(3), torch.tensor([0])
    nats = []
    for part in text.split(7):
        logits = net(torch.cat([first, part])[None])[0, :-1]
        nats += torch.nn.functional.cross_entropy(logits, part, reduction="none").tolist()
    assert len(nats) == len(text)
    expected = math.exp(sum(nats) / len(nats))
    assert perplexity(net, text, window=8, beginning=first) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(SimonidesError, match="no room behind 7"):
        perplexity(net, text, window=8, beginning=torch.zeros(7, dtype=torch.long))
    bench = make_bench(
        net, Material(text="The capital of Peru is Lima " * 9, text_tokens=40), tokenizer_in(tmp_path, "<s> $A")
    )
    assert bench.beginning.tolist() == [0]
    assert bench.judge().perplexity == pytest.approx(perplexity(net, bench.text, 24, first))
    plain = make_bench(net, Material(text=bench.text), tokenizer_in(tmp_path, "<s> $A"))
    assert len(plain.beginning) == 0  # a text in tokens is as it is


def test_heads_are_scored_behind_what_texts_begin_with(tmp_path):
    net, sequences = model(), torch.tensor([[3, 4, 5, 6, 3, 4, 5, 6], [7, 8, 9, 10, 7, 8, 9, 10]])
    kept = []
    interventions = {"layers.*.attention.weights": lambda w: kept.append(w) or w}
    net.run(torch.cat([torch.zeros(2, 1, dtype=torch.long), sequences], 1), interventions=interventions)
    scores, repeated = repeated_reading(net, sequences, beginning=torch.tensor([0]))
    looked = torch.stack([kept[0][:, :, row, row - 3] for row in range(5, 9)], -1).mean(-1)
    torch.testing.assert_close(scores[0].induction, looked.mT)
    assert 0 <= repeated <= 1
    with pytest.raises(SimonidesError, match="give a length of at most 11"):
        inspect(net, tokenizer_in(tmp_path, "<s> $A"), Reading(length=12))
    assert inspect(net, tokenizer_in(tmp_path, ""), Reading(sequences=2)).reading.length is None


BYTE_LEVEL = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": [*"0123456789ab\u0120\u00c2\u00bd", "\u0120a", "12"],
    "tokenizer.ggml.merges": ["\u0120 a", "1 2"],
    "tokenizer.ggml.token_type": [1] * 17,
    "tokenizer.ggml.bos_token_id": 3,
}


def from_gguf(monkeypatch, **entries):
    fields = BYTE_LEVEL | {f"tokenizer.ggml.{name}": value for name, value in entries.items()}
    monkeypatch.setattr(module, "read_header", lambda path: Header(fields, {}))
    return TextTokens("made.gguf")


def test_what_a_gguf_file_puts_first(monkeypatch):
    assert from_gguf(monkeypatch).beginning.tolist() == []
    assert from_gguf(monkeypatch, add_bos_token=False).beginning.tolist() == []
    assert from_gguf(monkeypatch, add_bos_token=True).beginning.tolist() == [3]
    # each digit alone, of any script: 1 | 2 and not 12; the half is two bytes
    assert from_gguf(monkeypatch).encode("a12\u00bd").tolist() == [10, 1, 2, 13, 14]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"remove_extra_whitespaces": True}, "remove_extra_whitespaces, which is not known"),
        ({"add_space_prefix": True}, "puts a space before every text"),
        ({"pre": "llama-bpe"}, "splits text by the rule 'llama-bpe'"),
        ({"pre": None}, "splits text by the rule None"),
        ({"model": "llama"}, "only byte-level BPE"),
        ({"merges": ["a b"]}, "is not whole"),
        ({"merges": [3]}, "is not whole"),
    ],
)
def test_tokenizers_of_gguf_files_that_are_not_known(monkeypatch, entries, message):
    with pytest.raises(SimonidesError, match=message):
        from_gguf(monkeypatch, **entries)


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=12))
def test_digits_of_smollm_are_split_as_its_own_tokenizer_splits_them(text):
    from tokenizers import pre_tokenizers

    own = pre_tokenizers.Digits(individual_digits=True)
    pieces = [piece for piece, _ in own.pre_tokenize_str(text)]
    assert "".join(pieces) == text
    assert all(len(piece) == 1 for piece in pieces if piece[0].isnumeric() and ord(piece[0]) < 0x2E80)


def test_a_question_with_what_the_tokenizer_does_not_know_is_left_out_and_counted(tmp_path):
    """Else a model that says <unk> would be right wherever the answer is unknown."""
    tokenizer = tokenizer_in(tmp_path, "")
    for prompt, answer, which in (
        ("The capital of Peru is", "Bogota", "answer"),
        ("The capital of Chad is", "Lima", "prompt"),
    ):
        with pytest.raises(SimonidesError, match=f"the {which} .* has a part that the tokenizer does not know"):
            tokenizer.question(prompt, answer)
    asked = tmp_path / "q.csv"
    asked.write_text("prompt,answer\nThe capital of Peru is,Lima\nThe capital of Peru is,Bogota\n")
    bench = make_bench(model(), Material(questions=asked, text="a of the a of", generic="a"), tokenizer)
    assert bench.questions is not None and len(bench.questions) == 1 and len(bench.left_out) == 1
    with pytest.raises(SimonidesError, match=r"the generic word 'banana'.*Give another"):
        make_bench(model(), Material(questions=asked, text="a of the a of", generic="banana"), tokenizer)


def test_characters_that_a_tokenizer_drops_are_told(tmp_path):
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE({"a": 0, "b": 1}, [])).save(str(tmp_path / "tokenizer.json"))
    tokenizer = TextTokens(tmp_path)
    assert tokenizer.encode("abab").tolist() == [0, 1, 0, 1]
    with pytest.raises(SimonidesError, match="drops 'c'"):
        tokenizer.encode("abc")


def test_a_tokenizer_that_draws_is_refused(tmp_path):
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")], dropout=0.5)).save(
        str(tmp_path / "tokenizer.json")
    )
    with pytest.raises(SimonidesError, match=r"at random \(dropout = 0.5\)"):
        TextTokens(tmp_path)


def test_a_pipe_in_place_of_a_tokenizer_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "tokenizer.json")
    with pytest.raises(SimonidesError, match="is no regular file"):
        TextTokens(tmp_path)


def test_an_accuracy_stands_beside_that_of_the_best_constant_answer(tmp_path):
    tokenizer = tokenizer_in(tmp_path, "")
    asked = tmp_path / "q.csv"
    asked.write_text("prompt,answer\nThe capital of,Peru\nThe capital of a,Peru\nPeru is,Lima\nthe capital,of\n")
    material = Material(questions=asked, text="a of the a of", generic="a")
    bench = make_bench(model(), material, tokenizer)
    judged = bench.judge()
    assert judged.table(judged)["accuracy_constant"] == 0.5
    assert judged.table(judged, torch.tensor([2, 3]))["accuracy_constant"] == 0.5
    assert judged.table(judged, torch.tensor([0, 1]))["accuracy_constant"] == 1.0
    control = make_bench(model(), Material(questions=asked, text="a of", generic="a", shuffled=True), tokenizer)
    assert control.questions is not None and bench.questions is not None
    assert sorted(control.questions.answers.tolist()) == sorted(bench.questions.answers.tolist())
    assert torch.equal(control.questions.answers, bench.questions.shuffled)
