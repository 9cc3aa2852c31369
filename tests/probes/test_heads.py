"""What is read in heads and hidden units, against the matrices written out."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.nn import W_KQ, W_OV, Trace, read_by_heads
from simonides.probes import (
    Spectrum,
    attention_scores,
    copied_share,
    head_weights,
    product_values,
    repeated_reading,
    repeated_tokens,
    tokens_raised_by_singular_directions,
    tokens_raised_by_units,
)
from tiny_models import FAMILIES, TOYS, VOCABULARY, checkpoint_model, toy

MODELS = [
    *(pytest.param(lambda name=name: toy(name), id=f"toy: {name}") for name in TOYS),
    *(pytest.param(lambda name=name: checkpoint_model(name), id=name) for name in FAMILIES),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", MODELS)
def test_heads_are_those_of_the_matrices_written_out(make):
    model = make()
    every = torch.arange(VOCABULARY)
    directions = model.logit_directions()
    layers = list(head_weights(model))
    assert len(layers) == model.sizes.layers
    for number, found in enumerate(layers):
        read, behind = read_by_heads(model, number, every), model.attention_output_norm(number)
        for head in range(model.sizes.heads):
            circuit = W_OV(model, number, head)
            written = circuit if behind is None else behind.gain[:, None] * circuit
            table = directions @ written @ read.mT  # W_U W_OV W_E
            assert float(found.copied[head]) == pytest.approx(float((table.argmax(0) == every).float().mean()))
            values = torch.linalg.eigvals(table.double())
            expected = values.real.sum() / values.abs().sum()
            assert float(found.positive[head]) == pytest.approx(float(expected), abs=1e-3)
            for name, weight in (("output", circuit), ("key_query", W_KQ(model, number, head))):
                whole = torch.linalg.svdvals(weight)[: model.sizes.head_dimension]
                torch.testing.assert_close(getattr(found, f"{name}_values")[head], whole, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["gpt_neox", "llama", "gemma2", "opt", "olmo"])
def test_logit_directions_order_the_logits(name):
    model = checkpoint_model(name)
    norm = model.model.get_submodule(model.family.final_norm)
    stream = torch.randn(8, model.sizes.d, generator=torch.Generator().manual_seed(2))
    stream[:, 0] += 100.0  # so that a cap on the logits is all that could bend them
    normed = norm(stream) - norm(torch.zeros_like(stream))
    logits = normed @ model.weight("W_U").mT
    direct = stream @ model.logit_directions().mT
    torch.testing.assert_close(
        logits / logits.norm(dim=1, keepdim=True),
        direct / direct.norm(dim=1, keepdim=True),
        rtol=1e-3,
        atol=1e-4,
    )


def test_sampled_tokens_are_asked_among_all():
    model = checkpoint_model("llama")
    tokens = torch.tensor([7, 3, 30])
    found = next(iter(head_weights(model, tokens)))
    table = model.logit_directions() @ W_OV(model, 0, 1) @ read_by_heads(model, 0, tokens).mT
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
    found = attention_scores(maps)
    assert found.previous[:, 0].tolist() == [1, 0, 0]
    assert found.duplicate[:, 0].tolist() == [0, 1, 0]
    assert found.induction[:, 0].tolist() == [0, 0, 1]
    with pytest.raises(SimonidesError, match="the vocabulary has 4"):
        repeated_tokens(4, 5, 1, torch.Generator())


@pytest.mark.parametrize("make", [lambda: toy("post-norm"), lambda: checkpoint_model("gpt_neox")])
def test_attention_is_scored_layer_by_layer(make):
    model = make()
    sequences = repeated_tokens(VOCABULARY, 5, 2, torch.Generator().manual_seed(0))
    trace = Trace("layers.*.attention.weights")
    logits = model.run(sequences, trace=trace)
    scores, repeated = repeated_reading(model, sequences)
    for layer, seen in enumerate(scores):
        whole = attention_scores(trace[f"layers.{layer}.attention.weights"])
        torch.testing.assert_close(seen.previous, whole.previous)
        torch.testing.assert_close(seen.induction, whole.induction)
    assert repeated == pytest.approx(float((logits[:, 5:9].argmax(-1) == sequences[:, 6:]).float().mean()))


def test_an_encoder_is_scored_and_predicts_nothing():
    scores, repeated = repeated_reading(checkpoint_model("bert"), torch.randint(60, (2, 8)))
    assert len(scores) == 2 and repeated is None


def test_singular_values_of_a_product():
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(3, 20, 4, generator=generator), torch.randn(3, 4, 15, generator=generator)
    torch.testing.assert_close(product_values(left, right), torch.linalg.svdvals(left @ right)[:, :4])


def test_units_and_directions_write_what_the_table_says():
    model = checkpoint_model("gpt2")
    said, out = model.logit_directions(), model.weight("W_out", 1)
    table = said @ out  # tokens by units
    found = tokens_raised_by_units(model, 1, said, top=3)
    assert torch.equal(found.tokens, table.topk(3, dim=0).indices.mT)
    peak = (table.max(0).values - table.mean(0)) / table.std(0)
    torch.testing.assert_close(found.peak, peak, rtol=1e-3, atol=1e-4)
    leading, values = tokens_raised_by_singular_directions(model, 1, said, count=2, top=1)
    torch.testing.assert_close(values, torch.linalg.svdvals(out))
    best, worst = leading.tokens[0, 0], leading.tokens[1, 0]  # a direction and its opposite
    left = torch.linalg.svd(out).U[:, 0]
    assert {int(best), int(worst)} == {int((said @ left).argmax()), int((said @ left).argmin())}


def test_a_head_that_writes_nothing_copies_nothing():
    model = checkpoint_model("gpt2")
    model.set_weight("W_O", 1, torch.zeros_like(model.weight("W_O", 1)))
    found = list(head_weights(model))[1]
    assert found.copied.tolist() == [0.0] * 4 and found.positive.tolist() == [0.0] * 4
    assert Spectrum(values=found.output_values).effective_rank.tolist() == [0.0] * 4
