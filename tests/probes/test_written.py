"""What a step writes: against the written-out gradient, for layers of several models."""

import pytest
import torch
from torch import nn

from simonides.base import SimonidesError
from simonides.memories.laws.gradients import one_step_weight
from simonides.probes import written_memory


class Copy(nn.Module):
    """Embedding, a linear map from zero, a fixed unembedding."""

    def __init__(self, tokens, d, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.embed = nn.Embedding.from_pretrained(torch.randn(tokens, d, generator=generator) / d**0.5)
        self.inner = nn.Linear(d, d, bias=False)
        self.unembed = nn.Linear(d, tokens, bias=False)
        self.unembed.weight.data = torch.randn(tokens, d, generator=generator) / d**0.5
        self.double()
        nn.init.zeros_(self.inner.weight)

    def forward(self, tokens):
        return self.unembed(self.inner(self.embed(tokens)))


def test_one_step_is_the_outer_products_of_the_facts():
    model, tokens = Copy(20, 64), torch.arange(20)
    targets = tokens.roll(3)
    sides = {"inputs": {"token": model.embed.weight}, "outputs": {"unembedding": model.unembed.weight}}
    memory = written_memory(model, "inner", (tokens, targets), rate=2.0, **sides)
    expected = one_step_weight(model.embed.weight, model.unembed.weight.detach(), targets, 2.0)
    torch.testing.assert_close(memory.update, expected, rtol=1e-12, atol=1e-12)
    assert memory.share("unembedding", "token").value == pytest.approx(1.0, abs=1e-9)
    assert memory.share("unembedding", "token").chance == pytest.approx(20 * 20 / 64**2)
    facts = memory.share_of_pairs("unembedding", "token", torch.stack([targets, tokens], 1))
    wrong = memory.share_of_pairs("unembedding", "token", torch.stack([tokens, tokens], 1))
    assert facts.value > 0.9 > 0.2 > wrong.value
    assert facts.chance == pytest.approx(20 / 64**2)
    strongest = memory.strongest("unembedding", "token", 20)
    assert {(o, i) for o, i, _ in strongest} == set(zip(targets.tolist(), tokens.tolist(), strict=True))


def test_any_layer_of_a_transformer_and_nothing_is_changed():
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.Embedding(11, 16), block, nn.Linear(16, 11))
    tokens = torch.randint(11, (3, 7))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for name in ("1.linear1", "1.self_attn.out_proj", "2"):
        memory = written_memory(model, name, (tokens, tokens))
        model.zero_grad()
        nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
        expected = -model.get_submodule(name).weight.grad
        torch.testing.assert_close(memory.update, expected)
        assert memory.share("coordinate", "coordinate").value == pytest.approx(1.0, rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_frozen_and_tied_layers():
    model = Copy(6, 8)
    model.requires_grad_(False)
    memory = written_memory(model, model.inner, (torch.arange(6), torch.arange(6)))
    assert memory.update.abs().sum() > 0
    assert model.inner.weight.grad is None


def test_refusals():
    model, batch = Copy(6, 8), (torch.arange(6), torch.arange(6))
    with pytest.raises(SimonidesError, match="did you mean 'inner'"):
        written_memory(model, "iner", batch)
    with pytest.raises(SimonidesError, match="not part of the model"):
        written_memory(model, nn.Linear(2, 2), batch)
    with pytest.raises(SimonidesError, match="no weight matrix"):
        written_memory(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), "1", batch)
    with pytest.raises(SimonidesError, match="rows of 8"):
        written_memory(model, "inner", batch, inputs={"token": torch.eye(5)})
    with pytest.raises(SimonidesError, match="takes no part"):
        written_memory(model, "inner", batch, loss=lambda m, b: torch.ones(1, requires_grad=True).sum())
    with pytest.raises(SimonidesError, match="unknown"):
        written_memory(model, "inner", batch).table("coordinate", "token")


def test_pairs_that_depend_on_each_other_are_counted_once():
    model, tokens = Copy(20, 8).float(), torch.arange(20)
    sides = {"inputs": {"token": model.embed.weight}, "outputs": {"unembedding": model.unembed.weight}}
    memory = written_memory(model, "inner", (tokens, tokens.roll(3)), rate=2.0, **sides)
    every = torch.cartesian_prod(tokens, tokens)  # spans all 64 directions many times over
    assert memory.share_of_pairs("unembedding", "token", every).chance == 1.0
    assert memory.share_of_pairs("unembedding", "token", every).value == pytest.approx(1.0, abs=1e-4)
    few = torch.stack([tokens[:5], tokens[:5]], 1)
    once, twice = (memory.share_of_pairs("unembedding", "token", rows) for rows in (few, torch.cat([few, few])))
    assert twice.chance == once.chance == 5 / 64
    assert twice.value == pytest.approx(once.value, rel=1e-4)
