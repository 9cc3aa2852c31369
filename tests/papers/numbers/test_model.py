"""The number model against torch's own encoder, padding, masks and causality; training and what is read of it."""

import math

import pytest
import torch
from torch import nn

from simonides.base import SimonidesError
from simonides.papers.numbers.arithmetic import last_number, multiplications, tree_scale, trees
from simonides.papers.numbers.encodings import ENCODINGS, make_encoding
from simonides.papers.numbers.laws import read_through_norm, resolution, usable_range
from simonides.papers.numbers.masking import answers, ask, next_answers, number_loss
from simonides.papers.numbers.model import NumberModel, model_config
from simonides.papers.numbers.sequences import MASK, NUMBER, PAD, SPECIAL, NumberSequences, encode
from simonides.papers.numbers.training import (
    NumberTraining,
    asked_symbols,
    random_symbols,
    read_numbers,
    train_numbers,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mixed():
    """Two sequences of different length: ( 1.5 ) and ( -2 + 3 )."""
    symbols = torch.tensor([[3, NUMBER, 4, PAD, PAD], [3, NUMBER, 5, NUMBER, 4]])
    values = torch.tensor([[0, 1.5, 0, 0, 0], [0, -2.0, 0, 3.0, 0]], dtype=torch.float64)
    return NumberSequences(symbols=symbols, values=values, vocabulary=(*SPECIAL, "(", ")", "+"))


def made(name, sequences, seed=0, **sizes):
    encoding = make_encoding(name)
    length = encode(sequences, encoding).tokens.shape[1]
    sizes = {"d": 16, "layers": 2, "heads": 2} | sizes
    config = model_config(encoding, len(sequences.vocabulary), length, **sizes)
    return encoding, NumberModel(config, seeded(seed)).eval()


def test_the_trunk_is_torchs_encoder():
    _encoding, model = made("xval", mixed())
    d, heads = 16, 2
    layer = nn.TransformerEncoderLayer(
        d, heads, 4 * d, 0.0, nn.functional.gelu, batch_first=True, norm_first=True, bias=False
    )
    theirs = nn.TransformerEncoder(layer, 2, nn.LayerNorm(d, bias=False), enable_nested_tensor=False)
    with torch.no_grad():
        for own, block in zip(theirs.layers, model.trunk.blocks, strict=True):
            attention = block.attention
            own.self_attn.in_proj_weight.copy_(
                torch.cat([w.flatten(0, 1) for w in (attention.W_Q, attention.W_K, attention.W_V)])
            )
            own.self_attn.out_proj.weight.copy_(attention.W_O.transpose(0, 1).flatten(1))
            own.linear1.weight.copy_(block.feed_forward.W_in)
            own.linear2.weight.copy_(block.feed_forward.W_out)
    tokens = torch.randint(0, 6, (3, 5), generator=seeded())
    numbers = torch.randn(3, 5, 1, generator=seeded(1))
    hidden = tokens == 2
    at = torch.arange(5).expand(3, -1)
    embedded = model.trunk.W_E[tokens] * numbers + model.trunk.positions
    expected = theirs(embedded, src_key_padding_mask=hidden)
    stream = model.trunk.streams(
        tokens, ~hidden[:, None, None], at=at, embeddings=model.trunk.W_E[tokens] * numbers
    )
    torch.testing.assert_close(stream, expected, atol=1e-5, rtol=1e-5)
    assert not any("b_" in name for name, _ in model.trunk.named_parameters())


@pytest.mark.parametrize("preset", ["paper", "released"])
@pytest.mark.parametrize("name", ["xval", "p1000"])
def test_heads_are_those_of_the_presets(name, preset):
    _, model = made(name, mixed(), preset=preset)
    shapes = {key: list(value.shape) for key, value in model.named_parameters()}
    hidden = 64 if preset == "released" else 16
    if name == "xval":
        assert shapes["W_number"] == [hidden, 16] and shapes["W_number_out"] == [1, hidden]
        assert shapes["W_token"] == [hidden, 16] and "b_number" in shapes
    else:
        assert "W_number" not in shapes and ("W_token" in shapes) == (preset == "released")
    with pytest.raises(SimonidesError, match="preset"):
        made(name, mixed(), preset="mine")


def test_weights_are_drawn_as_the_paper_says():
    _, model = made("xval", mixed(), d=256, layers=3, heads=4)
    for block in model.trunk.blocks:
        for weight, fan_in in (
            (block.attention.W_Q, 256),
            (block.attention.W_O, 256),
            (block.feed_forward.W_out, 1024),
        ):
            assert float(weight.detach().std()) == pytest.approx((2 * fan_in * 3) ** -0.5, rel=0.05)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("causal", [False, True])
def test_padding_changes_nothing(name, causal):
    sequences = mixed()
    encoding, model = made(name, sequences, causal=causal)
    asked = torch.zeros_like(sequences.is_number)
    asked[:, 1] = True
    words = len(sequences.vocabulary)
    both = read_numbers(model, encoding, words, sequences, asked)
    short = NumberSequences(
        symbols=sequences.symbols[:1, :3], values=sequences.values[:1, :3], vocabulary=sequences.vocabulary
    )
    alone = read_numbers(model, encoding, words, short, asked[:1, :3])
    torch.testing.assert_close(both.outputs[:1], alone.outputs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(both.values[:1], alone.values, atol=1e-5, rtol=1e-4, equal_nan=True)
    # and the losses of both are the mean of the losses of each
    batch = ask(encode(sequences, encoding), encoding, *asked_symbols(asked), causal)
    each = []
    for row in range(2):
        one = encode(sequences[slice(row, row + 1)], encoding)
        each.append(
            number_loss(model, ask(one, encoding, *asked_symbols(asked[row : row + 1]), causal), encoding, words)
        )
    torch.testing.assert_close(number_loss(model, batch, encoding, words), torch.stack(each).mean())


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_is_asked_for_is_not_seen(name):
    sequences = mixed()
    asked = sequences.is_number.clone()
    for causal in (False, True):
        encoding, model = made(name, sequences, causal=causal)
        other = NumberSequences(
            symbols=sequences.symbols,
            values=torch.where(asked & (torch.arange(5) == 3), 4.25, sequences.values),
            vocabulary=sequences.vocabulary,
        )
        words = len(sequences.vocabulary)
        first, second = (read_numbers(model, encoding, words, own, asked) for own in (sequences, other))
        torch.testing.assert_close(first.values, second.values, equal_nan=True)
        assert first.values.shape == (2, 2) and bool(first.values[0, 1].isnan())
        batch = ask(encode(sequences, encoding), encoding, *asked_symbols(asked), causal)
        assert bool((batch.tokens == MASK).any()) != causal


def test_a_batch_without_numbers_has_no_nan_loss():
    sequences = mixed()
    encoding, model = made("xval", sequences)
    encoded = encode(sequences, encoding)
    symbols, valid = torch.zeros(2, 1, dtype=torch.long), torch.ones(2, 1, dtype=torch.bool)
    loss = number_loss(model, ask(encoded, encoding, symbols, valid), encoding, len(sequences.vocabulary))
    loss.backward()
    assert bool(loss.isfinite()) and all(
        p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters()
    )
    none = number_loss(model, ask(encoded, encoding, symbols, ~valid), encoding, len(sequences.vocabulary))
    assert float(none.detach()) == 0.0


def test_zero_and_its_place_are_told_apart():
    """x = 0 leaves the position alone: a model still tells it from 1 and -1, and from a word."""
    encoding, model = made("xval", mixed())
    at = torch.tensor([[0]])
    said = [
        float(model(torch.tensor([[1, 6]]), torch.tensor([[[1.0], [x]]]), at)[1].detach())
        for x in (-1.0, 0.0, 1.0)
    ]
    assert len({round(value, 6) for value in said}) == 3
    assert encoding.name == "xval"


def test_causal_answers_are_read_token_after_token():
    sequences = mixed()
    encoding, model = made("p10", sequences, causal=True)
    words = len(sequences.vocabulary)
    asked = torch.zeros_like(sequences.is_number)
    asked[1, 3] = asked[0, 1] = True
    batch = ask(encode(sequences, encoding), encoding, *asked_symbols(asked), causal=True)
    found = next_answers(model, batch, encoding, words)
    # by hand: the second sequence up to its second number, and on
    tokens = encode(sequences, encoding).tokens[1:2, : 1 + 5 + 1]
    said = torch.zeros(1, 0, dtype=torch.long)
    for _ in range(5):
        at = torch.tensor([[tokens.shape[1] - 1]])
        scores = model(tokens, torch.zeros(1, tokens.shape[1], 0), at)[0][0, 0, words:]
        token = scores.masked_fill(~encoding.next_tokens(said)[0], -torch.inf).argmax().view(1, 1)
        said = torch.cat([said, token], 1)
        tokens = torch.cat([tokens, token + words], 1)
    assert float(found.values[1, 0]) == float(encoding.from_tokens(said)[0])


def test_unconstrained_answers_may_be_no_numbers():
    sequences = mixed()
    encoding, model = made("p1000", sequences)
    asked = torch.zeros_like(sequences.is_number)
    asked[:, 1] = True
    batch = ask(encode(sequences, encoding), encoding, *asked_symbols(asked))
    words = len(sequences.vocabulary)
    assert bool(answers(model, batch, encoding, words).values.isfinite().all())
    assert bool(answers(model, batch, encoding, words, constrained=False).values.isnan().any())


def test_training_learns_and_runs_do_not_see_each_other(tmp_path):
    data = trees(2000, 2, seeded())
    encoding = make_encoding("xval")
    config = model_config(encoding, len(data.vocabulary), 7, d=16, layers=1, heads=2)
    training = NumberTraining(steps=60, batch=32, rate=5e-3, every=20)
    asked = last_number(data)
    both = train_numbers(data, encoding, config, [seeded(1), seeded(2)], training, asked)
    alone = train_numbers(data, encoding, config, [seeded(2)], training, asked)
    torch.testing.assert_close(
        both.history.column("loss")[:, 1], alone.history.column("loss")[:, 0], atol=1e-3, rtol=1e-3
    )
    assert float(alone.history.column("loss")[-1]) < 0.5 * float(alone.history.column("loss")[0])
    said = alone.answers(0, data[slice(0, 10)], asked[:10])
    assert said.values.shape == (10, 1)
    random = train_numbers(data, encoding, config, [seeded(1)], NumberTraining(steps=3, batch=4))
    assert bool(random.history.column("loss").isfinite().all())


def test_what_does_not_go_together_is_refused():
    data = trees(10, 2, seeded())
    encoding = make_encoding("p10")
    config = model_config(encoding, len(data.vocabulary), 7, d=16, layers=1, heads=2)
    with pytest.raises(SimonidesError, match="19 tokens by p10, and the model is made for 7"):
        train_numbers(data, encoding, config, [seeded()], NumberTraining(steps=1))
    longer = model_config(encoding, len(data.vocabulary), 19, d=16, layers=1, heads=2)
    with pytest.raises(SimonidesError, match="mark each or not"):
        train_numbers(
            data, encoding, longer, [seeded()], NumberTraining(steps=1), torch.ones(3, 3, dtype=torch.bool)
        )
    with pytest.raises(SimonidesError, match="is asked for nothing"):
        asked_symbols(torch.tensor([[True, False], [False, False]]))
    with pytest.raises(SimonidesError, match="no number"):
        read_numbers(NumberModel(config, seeded()), encoding, 9, data, torch.ones_like(data.is_number))
    with pytest.raises(SimonidesError, match="padded inside"):
        NumberSequences(symbols=torch.tensor([[3, 0, 3]]), values=torch.zeros(1, 3), vocabulary=(*SPECIAL, "a"))
    with pytest.raises(SimonidesError, match="masked"):
        NumberTraining(masked=0.0)


def test_bits_of_all_64_reach_the_model():
    data = NumberSequences(
        symbols=torch.tensor([[NUMBER, 3]]),
        values=torch.tensor([[0.1, 0.0]], dtype=torch.float64),
        vocabulary=(*SPECIAL, "a"),
    )
    encoding = make_encoding("bits")
    nothing = torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1, dtype=torch.bool)
    batch = ask(encode(data, encoding), encoding, *nothing)
    assert float(encoding.decode(batch.features[:, 0])) == 0.1


def test_sequences_that_were_trained_on_are_left_out():
    data = trees(2000, 2, seeded())
    train, test = data[slice(500, None)], data[slice(0, 500)]
    fresh = test.without(train)
    assert 0 < len(fresh) < len(test)
    known = {tuple(row) for row in train.values.tolist()}
    same = {(tuple(v), tuple(s)) for v, s in zip(train.values.tolist(), train.symbols.tolist(), strict=True)}
    rows = list(zip(fresh.values.tolist(), fresh.symbols.tolist(), strict=True))
    assert not any((tuple(v), tuple(s)) in same for v, s in rows) and known
    with pytest.raises(SimonidesError, match="make them alike"):
        data.without(mixed())


def test_a_sequence_that_is_too_long_or_strange_is_told():
    _, model = made("xval", mixed())
    at = torch.zeros(1, 1, dtype=torch.long)
    with pytest.raises(SimonidesError, match="6 positions; this model was made for 5"):
        model(torch.zeros(1, 6, dtype=torch.long), torch.ones(1, 6, 1), at)
    with pytest.raises(SimonidesError, match="99"):
        model(torch.full((1, 3), 99), torch.ones(1, 3, 1), at)


def test_random_symbols_are_a_share_of_what_is_there():
    encoded = encode(mixed(), make_encoding("p10"))
    symbols, valid = random_symbols(encoded, 0.4, seeded())
    assert valid.sum(1).tolist() == [1, 2]
    assert bool((encoded.sizes.gather(1, symbols)[valid] > 0).all())


def test_trees_say_their_value():
    data = trees(300, 3, seeded())
    scale = tree_scale(3)
    words = data.vocabulary
    for row in range(300):
        parts = [
            f"{float(value) * scale!r}" if symbol == NUMBER else words[symbol]
            for symbol, value in zip(data.symbols[row].tolist(), data.values[row].tolist(), strict=True)
        ]
        left, right = "".join(
            f"({p})" if p.startswith("-0") or (p[:1] == "-" and len(p) > 1) else p for p in parts
        ).split("=")
        assert eval(left) == pytest.approx(float(right.strip("()")), abs=1e-9)
    assert float(data.values.abs().max()) <= 5.0
    products = multiplications(50, 3, seeded())
    a, b, c = products.values[:, 0], products.values[:, 2], products.values[:, 4]
    torch.testing.assert_close(a * b / 5, c)
    with pytest.raises(SimonidesError, match="digits"):
        multiplications(5, 8, seeded())


def test_laws():
    assert read_through_norm(2.0, 0.5) == pytest.approx(1 / 2**0.5)
    low, high = usable_range(0.01, 64, "bfloat16")
    for x in (low, high):
        assert resolution(x, 64, "bfloat16") / x == pytest.approx(0.01)
    assert all(math.isnan(end) for end in usable_range(1e-5, 4, "bfloat16"))
    with pytest.raises(SimonidesError, match="format"):
        resolution(1.0, 4, "int8")
