"""What is read in heads and hidden units, against the matrices written out."""

import pytest
import torch

from simonides.base import SimonidesError, share_interval
from simonides.checkpoints import Architecture, PretrainedModel, drawn_model, neox_config
from simonides.probes import (
    Spectrum,
    attention_looks,
    copied_share,
    head_weights,
    leading_write,
    looks,
    product_values,
    repeated_tokens,
    units_write,
)


def neox():
    model = drawn_model(neox_config(40, d=16, layers=2, heads=2), torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return model.requires_grad_(False)


def llama():
    generator = torch.Generator().manual_seed(0)
    a = Architecture(
        vocabulary=40, d=16, layers=2, heads=4, groups=2, h=4, hidden=24, norm="rms", rotated=4, gated=True
    )
    layers = [
        {n: torch.randn(s, generator=generator) for n, s in a.shapes().items() if n[0] == "W" or "scale" in n}
        for _ in range(2)
    ]
    whole = {
        "W_E": torch.randn(40, 16, generator=generator),
        "final_scale": torch.randn(16, generator=generator),
    }
    return PretrainedModel(a, whole, layers)


@pytest.mark.parametrize("make", [neox, llama])
def test_heads_are_those_of_the_matrices_written_out(make):
    model = make()
    every = torch.arange(40)
    said = model.directions_said()
    for number, found in enumerate(head_weights(model)):
        read = model.tokens_read(number, every)
        for head in range(model.architecture.heads):
            table = said @ model.W_OV(number, head) @ read.mT  # W_U W_OV W_E
            assert float(found.copied[head]) == pytest.approx(float((table.argmax(0) == every).float().mean()))
            values = torch.linalg.eigvals(table.double())
            expected = values.real.sum() / values.abs().sum()
            assert float(found.positive[head]) == pytest.approx(float(expected), abs=1e-3)
            for name, weight in (("output", model.W_OV(number, head)), ("key_query", model.W_KQ(number, head))):
                whole = torch.linalg.svdvals(weight)[: model.architecture.h]
                torch.testing.assert_close(getattr(found, f"{name}_values")[head], whole, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("make", [neox, llama])
def test_directions_said_order_the_logits(make):
    model = make()
    stream = torch.randn(8, 16, generator=torch.Generator().manual_seed(2))
    logits = model.unembedded(stream)
    logits = logits - (0 if model.final_shift is None else model.W_U @ model.final_shift)
    direct = stream @ model.directions_said().mT
    torch.testing.assert_close(
        logits / logits.norm(dim=1, keepdim=True), direct / direct.norm(dim=1, keepdim=True)
    )


def test_sampled_tokens_are_asked_among_all():
    model = llama()
    tokens = torch.tensor([7, 3, 30])
    found = next(iter(head_weights(model, tokens)))
    table = model.directions_said() @ model.W_OV(0, 1) @ model.tokens_read(0, tokens).mT
    assert float(found.copied[1]) == pytest.approx(float((table.argmax(0) == tokens).float().mean()))


def test_an_identity_copies_everything():
    tokens = torch.arange(2500)
    directions = torch.nn.functional.normalize(torch.randn(2500, 64, generator=torch.Generator().manual_seed(0)))
    eye = torch.eye(64)
    assert copied_share(eye, eye, directions, directions, tokens) == 1.0
    assert copied_share(eye, -eye, directions, directions, tokens) == 0.0


def test_perfect_heads_score_one():
    length = 6
    sequences = repeated_tokens(50, length, 3, torch.Generator().manual_seed(0))
    assert torch.equal(sequences[:, :length], sequences[:, length:])
    assert all(len(set(row.tolist())) == length for row in sequences)
    maps = torch.zeros(1, 3, 2 * length, 2 * length)
    for t in range(2 * length):
        for head, gap in enumerate((1, length, length - 1)):
            maps[0, head, t, t - gap] = float(t >= gap)
    found = looks(maps)
    assert found.previous[:, 0].tolist() == [1, 0, 0]
    assert found.duplicate[:, 0].tolist() == [0, 1, 0]
    assert found.induction[:, 0].tolist() == [0, 0, 1]
    with pytest.raises(SimonidesError, match="the vocabulary has 4"):
        repeated_tokens(4, 5, 1, torch.Generator())


def test_attention_is_read_layer_by_layer():
    model = neox()
    sequences = repeated_tokens(40, 5, 2, torch.Generator().manual_seed(0))
    kept = []
    stream = model.through(model.embedded(sequences), keep=kept)
    found = list(attention_looks(model, sequences))
    for (seen, _), attention in zip(found, kept, strict=True):
        assert torch.equal(seen.previous, looks(attention).previous)
    torch.testing.assert_close(found[-1][1], stream)


def test_singular_values_of_a_product():
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(3, 20, 4, generator=generator), torch.randn(3, 4, 15, generator=generator)
    torch.testing.assert_close(product_values(left, right), torch.linalg.svdvals(left @ right)[:, :4])


def test_units_and_directions_write_what_the_table_says():
    model = neox()
    said = model.directions_said()
    table = said @ model.layers[1].W_out  # tokens by units
    found = units_write(model, 1, said, top=3)
    assert torch.equal(found.tokens, table.topk(3, dim=0).indices.mT)
    peak = (table.max(0).values - table.mean(0)) / table.std(0)
    torch.testing.assert_close(found.peak, peak, rtol=1e-3, atol=1e-4)
    leading, values = leading_write(model, 1, said, count=2, top=1)
    torch.testing.assert_close(values, torch.linalg.svdvals(model.layers[1].W_out))
    best, worst = leading.tokens[0, 0], leading.tokens[1, 0]  # a direction and its opposite
    left = torch.linalg.svd(model.layers[1].W_out).U[:, 0]
    assert {int(best), int(worst)} == {int((said @ left).argmax()), int((said @ left).argmin())}


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_interval_of_a_share_is_scipys(share):
    from scipy.stats import binomtest

    expected = binomtest(int(share * 50), 50).proportion_ci(0.95, method="wilson")
    assert share_interval(share, 50) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_a_head_that_writes_nothing_copies_nothing():
    model = neox()
    model.layers[1].W_O.zero_()
    found = list(head_weights(model))[1]
    assert found.copied.tolist() == [0.0, 0.0] and found.positive.tolist() == [0.0, 0.0]
    assert Spectrum(values=found.output_values).effective_rank.tolist() == [0.0, 0.0]
