"""The transformer against torch.nn, against plain loops, and its fast paths against its slow ones."""

import itertools

import pytest
import torch
from torch import nn

from simonides.base import SimonidesError
from simonides.nn import (
    W_KQ,
    W_OV,
    Trace,
    Transformer,
    TransformerConfig,
    alibi_slopes,
    rotate,
)

TOKENS = torch.randint(11, (3, 9), generator=torch.Generator().manual_seed(5))
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def make(seed=0, **settings):
    config = TransformerConfig(**{"vocabulary": 11, "length": 12, "d": 8, **settings})
    return Transformer(config, torch.Generator().manual_seed(seed)).double()


def plain(model, tokens):
    """Every score and average written out, position by position."""
    config = model.config
    places = torch.zeros(config.length, config.d).double() if model.positions is None else model.positions

    def normed(norm, x):
        return norm(x) if norm is not None else x

    out = []
    for sequence in tokens:
        stream = [model.W_E[z] + places[t] for t, z in enumerate(sequence)]
        for layer in model.layers:
            heads, forward = layer.attention, layer.feed_forward
            before = getattr(layer, "attention_norm", None) if config.norm == "pre" else None
            reads = [normed(before, x) for x in stream]
            after = []
            for t, x in enumerate(stream):
                total = x
                for head in range(config.heads):
                    query = reads[t] if config.merged_queries else heads.W_Q[head] @ reads[t]
                    seen = range(t + 1) if config.causal else range(len(stream))
                    scores = []
                    for s in seen:
                        key = heads.W_K[head] @ reads[s]
                        q = query
                        if config.positions == "rotary":
                            key, q = rotate(key[None], torch.tensor([s]))[0], rotate(q[None], torch.tensor([t]))[0]
                        score = q @ key / (config.h**0.5 if config.divide_scores else 1.0)
                        if config.positions == "alibi":
                            slopes = config.alibi_slopes or alibi_slopes(config.heads)
                            score = score - slopes[head] * abs(t - s)
                        if config.positions == "t5":
                            bucket = heads.relative.bucket(torch.tensor(t - s))
                            score = score + heads.relative.table[bucket, head]
                        scores.append(score)
                    weights = torch.stack(scores)
                    weights = weights if config.attention == "linear" else weights.softmax(0)
                    average = sum(w * (heads.W_V[head] @ reads[s]) for w, s in zip(weights, seen, strict=True))
                    total = total + heads.W_O[head] @ average
                if config.norm == "post":
                    total = layer.attention_norm(total)
                if forward is not None:
                    read = x if config.parallel else total
                    read = layer.feed_forward_norm(read) if config.norm == "pre" else read
                    if forward.kind == "linear":
                        total = total + forward.W_F @ read
                    elif forward.kind == "mlp":
                        total = total + forward.W_out @ torch.relu(forward.W_in @ read)
                    else:
                        gate = torch.relu(forward.W_gate @ read)
                        total = total + forward.W_out @ (gate * (forward.W_in @ read))
                    total = layer.feed_forward_norm(total) if config.norm == "post" else total
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
    {"positions": "t5", "heads": 2, "feed_forward": "gated"},
    {"positions": "t5", "causal": False, "norm": "post"},
    {"positions": "alibi", "heads": 1, "alibi_slopes": (1.0,), "norm": "post", "norm_kind": "rms"},
    {"feed_forward": "gated", "norm": "pre", "norm_kind": "rms", "positions": "none"},
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
        heads_of, forward = layer.attention, layer.feed_forward
        packed = torch.cat([w.reshape(8, 8) for w in (heads_of.W_Q, heads_of.W_K, heads_of.W_V)])
        theirs.self_attn.in_proj_weight.copy_(packed)
        theirs.self_attn.out_proj.weight.copy_(torch.cat(list(heads_of.W_O), 1))
        theirs.linear1.weight.copy_(forward.W_in)
        theirs.linear2.weight.copy_(forward.W_out)
        theirs.norm1.weight.copy_(layer.attention_norm.weight)
        theirs.norm2.weight.copy_(layer.feed_forward_norm.weight)
    stream = model.W_E[TOKENS] + model.positions[:9]
    mask = nn.Transformer.generate_square_subsequent_mask(9, dtype=torch.float64) if causal else None
    torch.testing.assert_close(layer(stream), theirs(stream, src_mask=mask), **CLOSE)


def test_weights_by_their_roles():
    model = make(heads=2)
    x = torch.randn(2, 8).double()
    heads = model.layers[1].attention
    score = (heads.W_K[1] @ x[0]) @ (heads.W_Q[1] @ x[1])
    torch.testing.assert_close(x[0] @ W_KQ(model, 1, 1) @ x[1], score, **CLOSE)
    torch.testing.assert_close(W_OV(model, 1, 1) @ x[0], heads.W_O[1] @ (heads.W_V[1] @ x[0]), **CLOSE)
    merged = make(merged_queries=True)
    own = merged.layers[0].attention.W_K[0]
    torch.testing.assert_close(x[0] @ W_KQ(merged, 0) @ x[1], x[1] @ (own @ x[0]), **CLOSE)
    with pytest.raises(SimonidesError, match="there is no head 2"):
        W_KQ(model, 0, 2)
    with pytest.raises(SimonidesError, match="weight of layer 0 'W_gate' is unknown"):
        model.weight("W_gate", 0)


def test_traces_hold_streams_and_attention():
    model = make(heads=2, layers=3)
    trace = Trace("layers.*.attention.weights", "layers.*.output")
    model.run(TOKENS, torch.tensor([[0], [1], [2]]), trace)
    maps = [trace[f"layers.{n}.attention.weights"] for n in range(3)]
    assert [tuple(a.shape) for a in maps] == [(3, 2, 9, 9)] * 3
    torch.testing.assert_close(maps[1].sum(-1), torch.ones(3, 2, 9).double())
    assert (maps[0].triu(1) == 0).all()
    torch.testing.assert_close(trace["layers.2.output"] @ model.W_U.mT, model(TOKENS))
    with pytest.raises(SimonidesError, match=r"no activation .layers\.3\.output. was kept"):
        trace["layers.3.output"]


def test_initial_scales():
    model = make(d=256, heads=4, embedding_scale=2.0, weight_scale=0.5, feed_forward="mlp")
    assert model.W_E.std().item() == pytest.approx(2 / 16, rel=0.05)
    assert model.layers[0].attention.W_K.std().item() == pytest.approx(0.5 / 16, rel=0.05)
    assert model.layers[0].feed_forward.W_out.std().item() == pytest.approx(0.5 / 32, rel=0.05)


def test_frozen_roles():
    model = make(frozen=("W_E", "layers.0.attention.W_V", "layers.*.W_O"))
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"W_E", "layers.0.attention.W_V", "layers.0.attention.W_O", "layers.1.attention.W_O"}
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
    with pytest.raises(SimonidesError, match="turn pairs of the 3 dimensions"):
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


@pytest.mark.parametrize("name", ["embedding_scale", "weight_scale", "unembedding_scale"])
def test_scales_are_numbers(name):
    for value in (torch.nan, torch.inf, -1.0):
        with pytest.raises(SimonidesError, match="makes no sense"):
            TransformerConfig(vocabulary=9, length=8, d=16, **{name: value})


@pytest.mark.parametrize("name", ["outputs", "head_dimension", "hidden"])
def test_a_size_of_zero_is_no_default(name):
    for value in (0, -1):
        with pytest.raises(SimonidesError, match="is too small"):
            TransformerConfig(vocabulary=9, length=8, d=16, **{name: value})
