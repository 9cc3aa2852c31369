"""The Hugging Face side: tokenizer, collator, model and adapter, with the library's own loading and training."""

import math

import pytest
import torch

from simonides.base import SimonidesError

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from simonides.papers.numbers.adapter import AttachedXVal, attach_xval  # noqa: E402
from simonides.papers.numbers.number_tokenizer import NumberCollator, XValTokenizer  # noqa: E402
from simonides.papers.numbers.xval_model import XValConfig, XValModel  # noqa: E402

TEXTS = ['{"a":[1.5,-2],"b":3}', '{"a":[12],"day":"2024-11-23"}']


def plain_tokenizer():
    """Byte-level, so that it knows every text."""
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    special = ["[PAD]", "[MASK]", "[CLS]"]
    vocabulary = {token: number for number, token in enumerate([*special, *letters])}
    model = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=model, pad_token="[PAD]", mask_token="[MASK]", cls_token="[CLS]"
    )


@pytest.fixture
def tokenizer():
    return XValTokenizer(plain_tokenizer(), centre=1.0, spread=4.0)


def tiny(tokenizer, **sizes):
    config = XValConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        head_dim=None,
        max_position_embeddings=64,
        **sizes,
    )
    torch.manual_seed(0)
    return XValModel(config)


def llama(tokenizer):
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(tokenizer) - 1,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
        )
    )


@pytest.mark.parametrize("text", [*TEXTS, "it is -0.5 or 1e5", "no number", ""])
def test_texts_come_back(tokenizer, text):
    encoded = tokenizer(text)
    assert len(encoded["input_ids"]) == len(encoded["number_embeddings"]) == len(encoded["attention_mask"])
    again = tokenizer.decode(encoded["input_ids"], encoded["number_embeddings"])
    assert again == text.replace("1e5", "100000")


def test_numbers_stand_beside_their_token(tokenizer):
    encoded = tokenizer(TEXTS[0])
    beside = [
        number
        for token, number in zip(encoded["input_ids"], encoded["number_embeddings"], strict=True)
        if token == tokenizer.number_token_id
    ]
    assert beside == [(x - 1) / 4 for x in (1.5, -2, 3)]
    assert tokenizer(TEXTS)["input_ids"][0] == encoded["input_ids"]
    assert len(tokenizer(TEXTS[0], max_length=5)["number_embeddings"]) == 5
    scaled = tokenizer.fit_scale(TEXTS)
    assert scaled.centre == pytest.approx((1.5 - 2 + 3 + 12) / 4)
    assert tokenizer.outside(["100"]) == 1 and tokenizer.outside(["3"]) == 0
    with pytest.raises(SimonidesError, match="stands for numbers"):
        tokenizer("a [NUM]")
    with pytest.raises(SimonidesError, match="spread"):
        XValTokenizer(plain_tokenizer(), spread=0.0)
    with pytest.raises(SimonidesError, match="no spread"):
        tokenizer.fit_scale(["one 5"])


def test_batches_are_padded_with_neutral_numbers(tokenizer):
    rows = [tokenizer(text) for text in TEXTS]
    batch = NumberCollator(tokenizer=tokenizer)(rows)
    absent = batch["attention_mask"] == 0
    assert bool(absent.any()) and bool((batch["input_number_embeddings"][absent] == 1).all())
    assert bool((batch["labels"][absent] == -100).all()) and bool(batch["number_labels"][absent].isnan().all())
    here = batch["input_ids"] == tokenizer.number_token_id
    assert torch.equal(batch["number_labels"].isnan(), ~here)
    draws = torch.Generator().manual_seed(0)
    masked = NumberCollator(tokenizer=tokenizer, masked=0.3, generator=draws)(rows)
    asked = masked["labels"] != -100
    assert bool((masked["input_ids"][asked] == tokenizer.tokenizer.mask_token_id).all())
    assert bool((masked["input_number_embeddings"][asked] == 1).all())
    assert torch.equal(masked["labels"][asked], batch["input_ids"][asked])
    for wrong, said in (({"masked": 0.3}, "generator"), ({"masked": 1.5}, "masked = 1.5")):
        with pytest.raises(SimonidesError, match=said):
            NumberCollator(tokenizer=tokenizer, **wrong)
    with pytest.raises(SimonidesError, match="number_embeddings"):
        NumberCollator(tokenizer=tokenizer)([{"input_ids": [1]}])


def test_special_tokens_are_not_masked(tokenizer):
    row = tokenizer("a 5")
    start = tokenizer.tokenizer.cls_token_id
    row = {
        "input_ids": [start, *row["input_ids"]],
        "attention_mask": [1, *row["attention_mask"]],
        "number_embeddings": [1.0, *row["number_embeddings"]],
    }
    collate = NumberCollator(tokenizer=tokenizer, masked=0.9, generator=torch.Generator().manual_seed(0))
    batches = [collate([row]) for _ in range(20)]
    assert all(int(batch["labels"][0, 0]) == -100 for batch in batches)
    assert any(bool((batch["number_labels"] == 1.0).any()) for batch in batches)  # (5 - 1)/4


def test_the_library_loads_what_it_saved(tokenizer, tmp_path):
    model = tiny(tokenizer).eval()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = transformers.AutoModel.from_pretrained(tmp_path).eval()
    assert isinstance(again, XValModel)
    assert transformers.AutoConfig.from_pretrained(tmp_path).model_type == "xval"
    batch = NumberCollator(tokenizer=tokenizer)([tokenizer(text) for text in TEXTS])
    ours, theirs = model(**batch), again(**batch)
    assert torch.equal(ours.logits, theirs.logits) and torch.equal(ours.numbers, theirs.numbers)
    same = XValTokenizer.from_pretrained(tmp_path)
    assert same(TEXTS[0]) == tokenizer(TEXTS[0])
    (tmp_path / "xval.json").write_text("{}")
    with pytest.raises(SimonidesError, match="another version"):
        XValTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("causal", [False, True])
def test_losses_are_means_over_what_is_asked(tokenizer, causal):
    model = tiny(tokenizer, causal=causal).eval()
    batch = NumberCollator(tokenizer=tokenizer)([tokenizer(text) for text in TEXTS])
    out = model(**batch)
    logits, labels, numbers, truth = out.logits, batch["labels"], out.numbers, batch["number_labels"]
    if causal:
        logits, labels, numbers, truth = logits[:, :-1], labels[:, 1:], numbers[:, :-1], truth[:, 1:]
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    torch.testing.assert_close(out.token_loss, expected)
    known = ~truth.isnan()
    torch.testing.assert_close(out.number_loss, (numbers - truth)[known].square().mean())
    torch.testing.assert_close(out.loss, out.token_loss + out.number_loss)
    none = model(**{**batch, "number_labels": torch.full_like(batch["number_labels"], torch.nan)})
    assert float(none.number_loss.detach()) == 0.0 and bool(none.loss.isfinite())
    nothing = model(**{**batch, "labels": torch.full_like(batch["labels"], -100), "number_labels": None})
    assert float(nothing.loss.detach()) == 0.0
    with pytest.raises(SimonidesError, match="finite one for each"):
        model(**{**batch, "input_number_embeddings": torch.full_like(batch["number_labels"], torch.nan)})


def test_an_attached_model_reads_sizes_and_learns_them(tokenizer):
    attached = attach_xval(llama(tokenizer), tokenizer, torch.Generator().manual_seed(0))
    assert attached.next_number("it is ") == pytest.approx(1.0)  # the head says the centre at first
    texts = [f"x {n / 2} y {n}" for n in range(-4, 8)]
    collate = NumberCollator(tokenizer=tokenizer)
    batch = collate([tokenizer(text) for text in texts])
    first = attached(**batch)
    assert not torch.allclose(first.logits[0, 3:], first.logits[-1, 3:])  # not the sign alone
    optimiser = torch.optim.Adam(attached.parameters(), lr=3e-3)
    for _ in range(120):
        out = attached(**batch)
        optimiser.zero_grad()
        out.loss.backward()
        optimiser.step()
    said = [attached.next_number(f"x {n / 2} y ") for n in (-3, 1, 6)]
    assert max(abs(a - b) for a, b in zip(said, (-3, 1, 6), strict=True)) < 1.0
    assert len(attached.number_parameters()) == 5


def test_attaching_draws_nothing_from_torchs_own_generator(tokenizer):
    before = torch.random.get_rng_state()
    rows = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = llama(tokenizer)
        model.resize_token_embeddings(len(tokenizer) - 4)
        torch.manual_seed(seed)
        state = torch.random.get_rng_state()
        attached = attach_xval(model, tokenizer, torch.Generator().manual_seed(0))
        assert torch.equal(torch.random.get_rng_state(), state)
        rows.append(attached.model.get_input_embeddings().weight.detach()[-5:])
    torch.testing.assert_close(rows[0], rows[1])
    torch.random.set_rng_state(before)


def test_dropout_does_not_reach_an_answer(tokenizer):
    attached = attach_xval(llama(tokenizer), tokenizer, torch.Generator().manual_seed(0))
    with torch.no_grad():
        attached.W_number_out.normal_(generator=torch.Generator().manual_seed(1))
    for layer in attached.model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    attached.train()
    assert len({attached.next_number("x 3 y ") for _ in range(3)}) == 1 and attached.training


def test_an_attached_model_comes_back(tokenizer, tmp_path):
    attached = attach_xval(llama(tokenizer), tokenizer, torch.Generator().manual_seed(0))
    with torch.no_grad():
        attached.W_number_out.normal_(generator=torch.Generator().manual_seed(1))
    attached.save_pretrained(tmp_path / "model")
    again = AttachedXVal.from_pretrained(tmp_path / "model")
    assert again.next_number("x 3 y ") == pytest.approx(attached.next_number("x 3 y "))
    with pytest.raises(SimonidesError, match="holds something already"):
        attached.save_pretrained(tmp_path / "model")


def test_what_cannot_be_attached_to_is_told(tokenizer):
    with pytest.raises(SimonidesError, match="no embeddings of tokens"):
        attach_xval(torch.nn.Linear(2, 2), tokenizer, torch.Generator())
    bert = transformers.BertModel(
        transformers.BertConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    )
    with pytest.raises(SimonidesError, match="no causal language model"):
        attach_xval(bert, tokenizer, torch.Generator())


def test_a_trained_row_is_left_as_it_is_and_digits_are_kept(tokenizer, tmp_path):
    model = llama(tokenizer)
    attached = attach_xval(model, tokenizer, torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.get_input_embeddings().weight[tokenizer.number_token_id] = 7.0
    again = attach_xval(model, XValTokenizer(tokenizer.tokenizer), torch.Generator().manual_seed(0))
    assert bool((again.model.get_input_embeddings().weight[tokenizer.number_token_id] == 7.0).all())
    plain = XValTokenizer(tokenizer.tokenizer)
    encoded = plain("id 1700000000123")
    assert plain.decode(encoded["input_ids"], encoded["number_embeddings"]) == "id 1700000000123"
    single = torch.tensor(plain("x 0.1")["number_embeddings"], dtype=torch.float32)
    assert plain.decode(plain("x 0.1")["input_ids"], single) == "x 0.1"
    with pytest.raises(SimonidesError, match="not finite in 32 bits"):
        NumberCollator(tokenizer=plain)([plain("x 1e300")])
    with pytest.raises(SimonidesError, match="empty text"):
        attached.next_number("")
    attached.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "number_head.safetensors").write_bytes(b"broken")
    with pytest.raises(SimonidesError, match="cannot be opened"):
        AttachedXVal.from_pretrained(tmp_path / "model")


def test_labels_are_checked(tokenizer, unchecked):
    model = tiny(tokenizer).eval()
    batch = NumberCollator(tokenizer=tokenizer)([tokenizer(text) for text in TEXTS])
    alone = model(**{**batch, "labels": None})
    torch.testing.assert_close(alone.loss, alone.number_loss)
    with pytest.raises(SimonidesError, match="labels of shape"):
        model(**{**batch, "number_labels": torch.zeros(1, 1)})
    with pytest.raises(SimonidesError, match="not in the vocabulary"):
        model(**{**batch, "labels": torch.full_like(batch["labels"], 10_000)})
    with pytest.raises(SimonidesError, match="positions"):
        model(torch.zeros(1, 200, dtype=torch.long))


def test_a_trainer_trains_it(tokenizer, tmp_path):
    pytest.importorskip("accelerate")
    model = tiny(tokenizer)
    rows = [tokenizer(f"x {n / 4} y {n / 2}") for n in range(16)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=5,
        per_device_train_batch_size=4,
        remove_unused_columns=False,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        save_strategy="no",
    )
    collate = NumberCollator(tokenizer=tokenizer, masked=0.3, generator=torch.Generator().manual_seed(0))
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate)
    assert math.isfinite(trainer.train().training_loss)
