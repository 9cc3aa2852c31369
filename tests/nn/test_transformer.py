"""The transformer against torch.nn, against plain loops, and its fast paths against its slow ones."""

import itertools

import pytest
import torch
from torch import nn

from simonides.base import SimonidesError
from simonides.nn import Transformer, TransformerConfig, rotate, slopes

TOKENS = torch.randint(11, (3, 9), generator=torch.Generator().manual_seed(5))
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def make(seed=0, **settings):
    config = TransformerConfig(**{"vocabulary": 11, "length": 12, "d": 8, **settings})
    return Transformer(config, torch.Generator().manual_seed(seed)).double()


def plain(model, tokens):
    """Every score and average written out, position by position."""
    config = model.config
    places = getattr(model, "positions", torch.zeros(config.length, config.d).double())

    def normed(norm, x):
        return norm(x) if norm is not None else x

    out = []
    for sequence in tokens:
        stream = [model.W_E[z] + places[t] for t, z in enumerate(sequence)]
        for layer in model.layers:
            reads = [normed(getattr(layer, "attention_norm", None), x) for x in stream]
            after = []
            for t, x in enumerate(stream):
                total = x
                for head in range(config.heads):
                    query = reads[t] if config.merged_queries else layer.W_Q[head] @ reads[t]
                    seen = range(t + 1) if config.causal else range(len(stream))
                    scores = []
                    for s in seen:
                        key = layer.W_K[head] @ reads[s]
                        q = query
                        if config.positions == "rotary":
                            key, q = rotate(key[None], torch.tensor([s]))[0], rotate(q[None], torch.tensor([t]))[0]
                        score = q @ key / (config.h**0.5 if config.divide_scores else 1.0)
                        if config.positions == "alibi":
                            score = score - float(slopes(config.heads)[head]) * abs(t - s)
                        scores.append(score)
                    weights = torch.stack(scores)
                    weights = weights if config.attention == "linear" else weights.softmax(0)
                    average = sum(w * (layer.W_V[head] @ reads[s]) for w, s in zip(weights, seen, strict=True))
                    total = total + layer.W_O[head] @ average
                read = normed(getattr(layer, "feed_forward_norm", None), x if config.parallel else total)
                if layer.feed_forward == "linear":
                    total = total + layer.W_F @ read
                if layer.feed_forward == "mlp":
                    total = total + layer.W_out @ torch.relu(layer.W_in @ read)
                after.append(total)
            stream = after
        out.append(torch.stack([model.W_U @ normed(getattr(model, "final_norm", None), x) for x in stream]))
    return torch.stack(out)


SETTINGS = [
    {},
    {"heads": 2, "feed_forward": "none"},
    {"merged_queries": True, "feed_forward": ("none", "linear"), "divide_scores": False},
    {"positions": "none", "attention": "linear", "causal": False, "feed_forward": "none", "layers": 1},
    {"positions": "rotary", "heads": 2, "norm": "pre"},
    {"positions": "rotary", "feed_forward": "linear"},
    {"positions": "alibi", "heads": 4, "parallel": True, "norm": "pre"},
    {"positions": "sinusoidal", "head_dimension": 3, "heads": 2, "tied": True, "hidden": 5},
    {"norm": "pre", "merged_queries": True, "parallel": True, "layers": 3},
    {"attention": "linear", "heads": 2, "positions": "learned"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_equals_the_formulas_written_out(settings):
    model = make(**settings)
    torch.testing.assert_close(model(TOKENS), plain(model, TOKENS), **CLOSE)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_some_positions_are_those_of_all(settings):
    model = make(**settings)
    at = torch.tensor([[0, 3, 8], [1, 1, 2], [7, 6, 5]])
    everything = model(TOKENS)
    expected = everything.gather(1, at[..., None].expand(-1, -1, 11))
    torch.testing.assert_close(model(TOKENS, at=at), expected, **CLOSE)
    (everything.gather(1, at[..., None].expand(-1, -1, 11)) ** 2).sum().backward()
    slow = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    (model(TOKENS, at=at) ** 2).sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, slow[name], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("heads", "causal"), list(itertools.product([1, 2], [True, False])))
def test_equals_torchs_encoder_layer(heads, causal):
    model = make(heads=heads, layers=1, norm="pre", causal=causal)
    theirs = nn.TransformerEncoderLayer(
        8, heads, 32, dropout=0.0, batch_first=True, norm_first=True, bias=False, dtype=torch.float64
    )
    layer = model.layers[0]
    with torch.no_grad():
        for norm in (layer.attention_norm, layer.feed_forward_norm):
            norm.weight.uniform_(0.5, 2.0)
        packed = torch.cat([w.reshape(8, 8) for w in (layer.W_Q, layer.W_K, layer.W_V)])
        theirs.self_attn.in_proj_weight.copy_(packed)
        theirs.self_attn.out_proj.weight.copy_(torch.cat(list(layer.W_O), 1))
        theirs.linear1.weight.copy_(layer.W_in)
        theirs.linear2.weight.copy_(layer.W_out)
        theirs.norm1.weight.copy_(layer.attention_norm.weight)
        theirs.norm2.weight.copy_(layer.feed_forward_norm.weight)
    stream = model.W_E[TOKENS] + model.positions[:9]
    mask = nn.Transformer.generate_square_subsequent_mask(9, dtype=torch.float64) if causal else None
    torch.testing.assert_close(layer(stream), theirs(stream, src_mask=mask), **CLOSE)


def test_weights_by_their_roles():
    model = make(heads=2)
    x = torch.randn(2, 8).double()
    layer = model.layers[1]
    score = (layer.W_K[1] @ x[0]) @ (layer.W_Q[1] @ x[1])
    torch.testing.assert_close(x[0] @ model.W_KQ(1, 1) @ x[1], score, **CLOSE)
    torch.testing.assert_close(model.W_OV(1, 1) @ x[0], layer.W_O[1] @ (layer.W_V[1] @ x[0]), **CLOSE)
    merged = make(merged_queries=True)
    torch.testing.assert_close(x[0] @ merged.W_KQ(0) @ x[1], x[1] @ (merged.layers[0].W_K[0] @ x[0]), **CLOSE)
    with pytest.raises(SimonidesError, match="no head 2 in layer 0"):
        model.W_KQ(0, 2)


def test_traces_hold_streams_and_attention():
    model = make(heads=2, layers=3)
    trace = model.trace(TOKENS)
    assert [tuple(a.shape) for a in trace.attentions] == [(3, 2, 9, 9)] * 3
    assert len(trace.streams) == 4
    torch.testing.assert_close(trace.attentions[1].sum(-1), torch.ones(3, 2, 9).double())
    assert (trace.attentions[0].triu(1) == 0).all()
    torch.testing.assert_close(trace.streams[-1] @ model.W_U.mT, model(TOKENS))


def test_initial_scales():
    model = make(d=256, heads=4, embedding_scale=2.0, weight_scale=0.5, feed_forward="mlp")
    assert model.W_E.std().item() == pytest.approx(2 / 16, rel=0.05)
    assert model.layers[0].W_K.std().item() == pytest.approx(0.5 / 16, rel=0.05)
    assert model.layers[0].W_out.std().item() == pytest.approx(0.5 / 32, rel=0.05)


def test_frozen_roles():
    model = make(frozen=("W_E", "layers.0.W_V", "layers.*.W_O"))
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"W_E", "layers.0.W_V", "layers.0.W_O", "layers.1.W_O"}
    model.freeze()
    assert all(p.requires_grad for p in model.parameters())
    assert make(tied=True).W_U is not None


def test_refusals():
    with pytest.raises(SimonidesError, match="does not part into 3 heads"):
        make(heads=3)
    with pytest.raises(SimonidesError, match="did you mean 'rotary'"):
        make(positions="rotry")
    with pytest.raises(SimonidesError, match="one for each"):
        make(feed_forward=("none",))
    with pytest.raises(SimonidesError, match="one head as wide"):
        make(heads=2, merged_queries=True)
    with pytest.raises(SimonidesError, match="odd"):
        make(positions="rotary", head_dimension=3)
    with pytest.raises(SimonidesError, match="no parameter is called 'W_X'"):
        make(frozen=("W_X",))
    with pytest.raises(SimonidesError, match="made for 12"):
        make()(torch.zeros(1, 13, dtype=torch.long))


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 0.0), (torch.float32, 1e-3), (torch.bfloat16, 0.03)])
def test_rotation_far_out_is_exact_to_the_format(dtype, error, generator):
    vectors = torch.randn(4, 16, generator=generator, dtype=torch.float64).to(dtype)
    places = torch.tensor([0, 300, 999, 4000])
    angles = places[:, None] * 10_000.0 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    first, second = vectors.double().chunk(2, -1)
    expected = [first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()]
    torch.testing.assert_close(
        rotate(vectors, places).double(), torch.cat(expected, -1), atol=error + 1e-12, rtol=error
    )
