"""Attention: the definition against torch, the module against the definition, and an encoder that prompts read."""

import pytest
import torch
from torch import nn

from simonides.base import SimonidesError
from simonides.nn import (
    Attention,
    AttentionConfig,
    EncoderDecoder,
    EncoderDecoderConfig,
    RelativeBuckets,
    Trace,
    TransformerConfig,
    mask,
    replace,
    scale,
)
from simonides.nn.attention import attention

CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def draws(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


def test_the_definition_is_torchs():
    q, k, v, bias = draws((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6), (3, 5, 7))
    seen = torch.rand(5, 7, generator=torch.Generator().manual_seed(1)) < 0.6
    seen[:, 0] = True
    out, weights = attention(q, k, v, 4**-0.5, bias, seen)
    wanted = nn.functional.scaled_dot_product_attention(q, k, v, bias.masked_fill(~seen, -torch.inf))
    torch.testing.assert_close(out, wanted, **CLOSE)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5).double())


def test_a_query_that_may_see_nothing_takes_zero():
    q, k, v = draws((1, 2, 4), (1, 3, 4), (1, 3, 4))
    out, weights = attention(q, k, v, mask=torch.tensor([[True, True, False], [False, False, False]]))
    assert (out[0, 1] == 0).all() and (weights[0, 1] == 0).all() and out.isfinite().all()


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("kind", ["softmax", "linear"])
def test_cross_attention_is_the_definition_head_by_head(heads, kind):
    config = AttentionConfig(d=6, heads=heads, kind=kind, causal=False)
    module = Attention(config, torch.Generator().manual_seed(0)).double()
    keys, queries = draws((2, 7, 6), (2, 4, 6))
    seen = torch.ones(2, 1, 1, 7, dtype=torch.bool)
    seen[1, ..., 5:] = False
    total = torch.zeros(2, 4, 6).double()
    for h in range(heads):
        q, k, v = (x @ w[h].mT for x, w in ((queries, module.W_Q), (keys, module.W_K), (keys, module.W_V)))
        total = total + attention(q, k, v, config.h**-0.5, mask=seen[:, 0], kind=kind)[0] @ module.W_O[h].mT
    torch.testing.assert_close(module(keys, queries, mask=seen), total, **CLOSE)


def test_buckets_are_those_of_the_reference_library():
    t5 = pytest.importorskip("transformers").models.t5.modeling_t5.T5Attention
    distance = torch.arange(-200, 201)
    for causal in (True, False):
        ours = RelativeBuckets(2, 32, 128, causal).bucket(distance)
        theirs = t5._relative_position_bucket(-distance, not causal, 32, 128)
        assert torch.equal(ours, theirs)


def encoder(**settings):
    return TransformerConfig(
        vocabulary=5, length=8, d=6, outputs=3, layers=1, feed_forward="none", causal=False, **settings
    )


def test_prompts_read_an_encoder_linearly_in_its_values():
    config = EncoderDecoderConfig(encoder=encoder(), prompts=2)
    model = EncoderDecoder(config, torch.Generator().manual_seed(0)).double()
    tokens = torch.randint(5, (4, 8), generator=torch.Generator().manual_seed(1))
    stream = model.encoder.streams(tokens)
    cross = model.layers[0].cross_attention
    q, k, v = (x @ w[0].mT for x, w in ((model.prompts, cross.W_Q), (stream, cross.W_K), (stream, cross.W_V)))
    out, _ = attention(q.expand(4, -1, -1), k, v, 6**-0.5)
    torch.testing.assert_close(model(tokens), out @ cross.W_O[0].mT @ model.encoder.W_U.mT, **CLOSE)
    seen = torch.ones(4, 8, dtype=torch.bool)
    seen[:, 6:] = False
    torch.testing.assert_close(model(tokens, seen), model(tokens[:, :6]), **CLOSE)


@pytest.mark.parametrize("norm", ["none", "pre", "post"])
def test_a_whole_decoder_runs_and_is_watched(norm):
    config = EncoderDecoderConfig(
        encoder=encoder(norm=norm), prompts=3, layers=2, self_attention=True, residual=True, feed_forward="mlp"
    )
    model = EncoderDecoder(config, torch.Generator().manual_seed(0))
    tokens = torch.zeros(2, 8, dtype=torch.long)
    trace = Trace("decoder.*.cross_attention.weights", "encoder.layers.*.attention.weights")
    logits = model.run(tokens, trace=trace)
    assert logits.shape == (2, 3, 3) and trace["decoder.1.cross_attention.weights"].shape == (2, 1, 3, 8)
    changed = model.run(tokens, interventions={"decoder.0.cross_attention.output": scale(0.0)})
    assert not torch.allclose(changed, logits)


def test_what_an_intervention_does():
    weights = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    hidden = torch.tensor([True, False, False])
    assert torch.allclose(mask(hidden, normalise=True)(weights)[0], torch.tensor([0.0, 0.6, 0.4]))
    assert (mask(hidden, normalise=True)(weights)[1] == 0).all()
    assert torch.equal(mask(hidden)(weights)[0], torch.tensor([0.0, 0.3, 0.2]))
    assert torch.equal(replace(torch.tensor(2.0))(weights), torch.full((2, 3), 2.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 4}, "does not part into 4 heads"),
        ({"positions": "alibi", "heads": 2, "alibi_slopes": (1.0,)}, "1 ALiBi slopes for 2 heads"),
        ({"kind": "hard"}, "attention 'hard' is unknown"),
        ({"positions": "rotary", "rotary_dimension": 8}, "turn pairs of the 6 dimensions"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(SimonidesError, match=message):
        AttentionConfig(d=6, **settings)
