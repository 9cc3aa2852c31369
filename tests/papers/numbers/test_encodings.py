"""Every encoding of numbers through one suite; the text schemes against Python's decimals; losses against autograd."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.papers.numbers.decimal_codes import SCHEMES, TextEncoding
from simonides.papers.numbers.encodings import ENCODINGS, NumberEncoding, make_encoding
from simonides.papers.numbers.number_features import BitFeatures, FourierDigits, ScaledEmbedding

VALUES = torch.tensor([-4.56, -1.0, -0.01, 0.0, 0.25, 1.0, 3.14, 4.99], dtype=torch.float64)
TEXT = [name for name, make in ENCODINGS.items() if not make().outputs]
HEADS = [name for name in ENCODINGS if name not in TEXT]


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding(name):
    encoding = make_encoding(name)
    assert isinstance(encoding, NumberEncoding) and encoding.name in name
    tokens = encoding.to_tokens(VALUES)
    assert tokens.shape == (len(VALUES), encoding.length)
    assert int(tokens.min()) >= 0 and int(tokens.max()) < len(encoding.tokens)
    assert len(set(encoding.tokens)) == len(encoding.tokens)
    # each token of a number may follow those before it
    for place in range(encoding.length):
        allowed = encoding.next_tokens(tokens[:, :place])
        assert bool(allowed.gather(1, tokens[:, place : place + 1]).all())
    assert encoding.to_features(VALUES).shape == (len(VALUES), encoding.features)
    for wrong in (torch.nan, torch.inf):
        with pytest.raises(SimonidesError, match="NaN or infinite"):
            encoding.to_tokens(torch.tensor([wrong], dtype=torch.float64))
    assert not any(encoding.told(VALUES).values())


@pytest.mark.parametrize("name", HEADS)
def test_outputs_of_least_loss_say_the_number(name):
    encoding = make_encoding(name)
    outputs = torch.zeros(len(VALUES), encoding.outputs, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([outputs], lr=0.05)
    for _ in range(2000):
        optimiser.zero_grad()
        encoding.loss(outputs, VALUES).sum().backward()
        optimiser.step()
    said = encoding.decode(outputs.detach())
    torch.testing.assert_close(said.double(), VALUES, atol=0.02, rtol=0)
    with pytest.raises(SimonidesError, match="ask decode"):
        encoding.from_tokens(encoding.to_tokens(VALUES))


@pytest.mark.parametrize("name", TEXT)
def test_text_comes_back_and_ill_formed_text_is_nan(name):
    encoding = make_encoding(name)
    tokens = encoding.to_tokens(VALUES)
    torch.testing.assert_close(encoding.from_tokens(tokens), VALUES, rtol=0, atol=1e-12)
    for wrong in (-1, len(encoding.tokens)):
        broken = tokens.clone()
        broken[:, 0] = wrong
        assert bool(encoding.from_tokens(broken).isnan().all())
    if encoding.length > 1:
        swapped = tokens.flip(1)
        swapped = swapped[(swapped != tokens).any(1)]
        assert bool(encoding.from_tokens(swapped).isnan().all())
    with pytest.raises(SimonidesError, match="ask from_tokens"):
        encoding.decode(torch.zeros(1, 0))


@pytest.mark.parametrize("name", SCHEMES)
@given(st.floats(-9e9, 9e9, allow_nan=False).filter(lambda x: abs(x) >= 1e-5))
def test_three_digits_are_those_of_decimal_arithmetic(name, value):
    encoding = TextEncoding(name)
    said = float(encoding.from_tokens(encoding.to_tokens(torch.tensor([value], dtype=torch.float64)))[0])
    exact = Decimal(value)
    unit = Decimal(10) ** (exact.adjusted() - 2)
    rounded = exact.quantize(unit, rounding=ROUND_HALF_EVEN)
    # a half may go either way: the product with a power of ten is rounded
    assert abs(Decimal(said) - rounded) <= unit * Decimal("1.0000001")
    assert abs(Decimal(said) - exact) <= unit * Decimal("0.5000001")


def test_the_example_of_table_1_and_its_edges():
    words = {
        "p10": ["-", "6", "0", "2", "E-1"],
        "p1000": ["-", "602", "E-1"],
        "b1999": ["-602", "E-1"],
        "fp15": ["-602E-1"],
    }
    for name, expected in words.items():
        encoding = TextEncoding(name)
        assert [encoding.tokens[token] for token in encoding.to_tokens(torch.tensor([-60.2]))[0]] == expected
    encoding = TextEncoding("p1000")
    edges = torch.tensor([9.995, 1e12, 4e-7, 6e-7, -1e-9], dtype=torch.float64)
    assert encoding.from_tokens(encoding.to_tokens(edges)).tolist() == [9.99, 9.99e9, 0.0, 1e-6, 0.0]
    assert encoding.from_tokens(encoding.to_tokens(torch.tensor([9.996], dtype=torch.float64))).tolist() == [10.0]
    assert encoding.told(edges) == {"above 9.99e+09": 1, "below 1e-06": 3}


def test_no_logits_give_an_ill_formed_number(generator):
    for name in SCHEMES:
        encoding = TextEncoding(name)
        logits = torch.randn(200, encoding.length, len(encoding.tokens), generator=generator)
        logits[..., -1] += 3.0
        assert bool(encoding.from_tokens(encoding.best_tokens(logits)).isfinite().all())
        said = torch.zeros(200, 0, dtype=torch.long)
        for place in range(encoding.length):
            masked = logits[:, place].masked_fill(~encoding.next_tokens(said), -torch.inf)
            said = torch.cat([said, masked.argmax(-1, keepdim=True)], 1)
        assert bool(encoding.from_tokens(said).isfinite().all())


def test_number_token_loss_is_the_mean_distance(generator):
    encoding = TextEncoding("p10", number_token_loss=0.5)
    logits = torch.randn(8, len(encoding.tokens), generator=generator)
    tokens = torch.tensor(
        [2, 5, 11, 0, 1, 12, 28, 7]
    )  # digits 0, 3 and 9; signs, an exponent, zero; a 5 that is not asked
    p = logits[:, 2:12].softmax(-1)
    each = [(p[row] * (torch.arange(10) - digit).abs()).sum() for row, digit in enumerate((0, 3, 9))]
    counted = torch.arange(8) < 7
    torch.testing.assert_close(encoding.token_loss(logits, tokens, counted), 0.5 * torch.stack(each).mean())
    assert float(encoding.token_loss(logits[3:7], tokens[3:7], counted[3:7])) == 0.0  # no digit, no 0/0
    assert float(TextEncoding("p10").token_loss(logits, tokens, counted)) == 0.0


def test_number_token_loss_against_the_authors_package(generator):
    ntloss = pytest.importorskip("ntloss")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    encoding = TextEncoding("p10", number_token_loss=1.0)
    # theirs finds digits by their names; the others must not look like numbers
    names = {
        f"word{number}" if not name.isdigit() else name: number for number, name in enumerate(encoding.tokens)
    }
    words = Tokenizer(models.WordLevel(names, unk_token="word0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    theirs = ntloss.NTLoss(
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=words), digit_level=True, reweigh=False
    )
    logits = torch.randn(1, 4, len(encoding.tokens), generator=generator)
    tokens = torch.tensor([[2, 5, 11, 0]])
    ours = encoding.token_loss(logits, tokens, torch.ones_like(tokens, dtype=torch.bool))
    torch.testing.assert_close(theirs(logits, tokens), ours)


def test_bits_are_those_of_the_machine():
    import struct

    value = -1234.5678
    bits = BitFeatures().to_features(torch.tensor([value], dtype=torch.float64))[0]
    expected = f"{int.from_bytes(struct.pack('>d', value), 'big'):064b}"
    assert "".join("1" if bit > 0 else "0" for bit in bits) == expected
    # an infinite number is never said: the bit of the exponent that is least sure is 0
    infinite = BitFeatures().to_features(torch.tensor([torch.inf, torch.nan], dtype=torch.float64))
    infinite[:, 11] = 0.1
    assert bool(BitFeatures().decode(infinite).isfinite().all())
    assert float(BitFeatures().decode(infinite)[0]) == 2.0**1023


def test_fourier_features_are_phases_of_the_digits():
    encoding = FourierDigits(whole=2, decimals=1)
    features = encoding.to_features(torch.tensor([-47.3], dtype=torch.float64))[0]
    phases = 2 * torch.pi * torch.tensor([3 / 10, 73 / 100, 473 / 1000], dtype=torch.float64)
    expected = torch.stack([phases.cos(), phases.sin()], -1).flatten()
    torch.testing.assert_close(features[:-1], expected)
    assert float(features[-1]) == -1.0
    assert encoding.told(torch.tensor([100.0, 0.01]))["of more than 2 digits before the point"] == 1
    with pytest.raises(SimonidesError, match="64 bits hold 15"):
        FourierDigits(whole=10, decimals=10)


def test_the_signed_logarithm_keeps_small_numbers_apart():
    encoding = ScaledEmbedding(smallest=1e-3)
    x = torch.tensor([-5.0, -1e-3, 0.0, 1e-3, 5.0], dtype=torch.float64)
    squeezed = encoding.to_features(x)[:, 0]
    assert float(squeezed[-1]) == pytest.approx(5.0) and float(squeezed[3]) > 0.3
    torch.testing.assert_close(encoding.decode(squeezed[:, None]), x)
    assert encoding.told(torch.tensor([6.0]))["outside [-5, 5]"] == 1
    for wrong in (0.0, -1.0, 7.0):
        with pytest.raises(SimonidesError, match="smallest"):
            ScaledEmbedding(smallest=wrong)


def test_quantiles_are_those_of_the_sample(generator):
    encoding = ScaledEmbedding(quantiles=True)
    sample = torch.randn(4001, generator=generator)
    outputs = torch.zeros(5, requires_grad=True)
    optimiser = torch.optim.Adam([outputs], lr=0.01)
    for _ in range(1500):
        optimiser.zero_grad()
        encoding.loss(outputs.expand(len(sample), -1), sample).mean().backward()
        optimiser.step()
    expected = sample.quantile(torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95]))
    torch.testing.assert_close(outputs.detach(), expected, atol=0.03, rtol=0)
    low, high = encoding.interval(outputs.detach())
    assert float(low) < float(high)
    with pytest.raises(SimonidesError, match="quantiles=True"):
        ScaledEmbedding().interval(outputs)


def test_unknown_names_are_told():
    with pytest.raises(SimonidesError, match="p1000"):
        make_encoding("p100")
    with pytest.raises(SimonidesError, match="unknown"):
        TextEncoding("p100")
    with pytest.raises(SimonidesError, match="number_token_loss"):
        TextEncoding("p10", number_token_loss=-1.0)
