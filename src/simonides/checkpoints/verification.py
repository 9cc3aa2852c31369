"""Whether the roles of a model are right: its own activations, rebuilt from the roles alone.

What no role tells (a clipped query, a scaled residual, a second norm) shows as a difference, so a kind of model
that does more than its family says is refused instead of read wrongly.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError
from simonides.checkpoints.bridge import CheckpointModel
from simonides.nn import Trace, alibi_slopes, key_value_head

_LENGTH = 7
# of the largest entry
_TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-6, torch.float16: 2e-2, torch.bfloat16: 6e-2}


def verify_roles(model: CheckpointModel, layers: Sequence[int] | None = None) -> dict[str, float]:
    """Rebuild what attention and feed-forward add, the attention weights, the streams and the logits.

    Positions of rotated queries and keys are set to zero meanwhile, so that scores are products of weights alone.

    Arguments:
        model: the model.
        layers: which; by default all.

    Returns:
        The largest difference of each activation, as a share of its largest entry.

    Raises:
        SimonidesError: when one is larger than rounding makes it.
    """
    generator = torch.Generator().manual_seed(0)
    length = min(_LENGTH, model.sizes.longest or _LENGTH)
    tokens = torch.randint(model.sizes.vocabulary, (2, length), generator=generator)
    device = model.weight("W_E").device
    tokens = tokens.to(device)
    parts = ("attention.weights", "attention.output", "feed_forward.output", "output")
    trace = Trace("embedding", *(f"layers.*.{part}" for part in parts))
    settings = {"position_ids": torch.zeros_like(tokens)} if model.family.scores == "rotary" else {}
    with torch.no_grad():
        model.traced_streams(tokens, trace, **settings)
        differences: dict[str, float] = {}
        for layer in range(model.sizes.layers) if layers is None else layers:
            before = trace["embedding"] if layer == 0 else trace[f"layers.{layer - 1}.output"]
            for name, rebuilt in _Rebuilt(model, layer, before, trace).activations().items():
                activation = trace[f"layers.{layer}.{name}"]
                differences[f"layers.{layer}.{name}"] = _difference(rebuilt, activation)
        if model.sizes.decoder:
            whole = model.model(input_ids=tokens, use_cache=False).logits
            differences["logits"] = _difference(model(tokens), whole)
            differences["logits of a passage"] = _difference(_passed(model, tokens), whole)
    tolerance = _TOLERANCES.get(model.weight("W_E").dtype, 0.0)
    for name, difference in differences.items():
        if not difference <= tolerance:
            raise SimonidesError(
                f"this {model.config.model_type} does something that its roles do not tell: {name}, rebuilt from "
                f"them, is off by {difference:.1e} of its largest entry; it is not supported."
            )
    return differences


def _passed(model: CheckpointModel, tokens: Tensor) -> Tensor:
    with model.passage(tokens) as passage:
        passage.advance(model.sizes.layers // 2)
        return passage.finish()


def _difference(rebuilt: Tensor, own: Tensor) -> float:
    return float((rebuilt.float() - own.float()).abs().max() / own.float().abs().max().clamp_min(1e-12))


class _Rebuilt:
    """One layer's activations from the stream before it."""

    def __init__(self, model: CheckpointModel, layer: int, before: Float[Tensor, "B T d"], trace: Trace) -> None:
        self.model, self.layer, self.before = model, layer, before.float()
        self.own_weights = trace[f"layers.{layer}.attention.weights"].float()

    def activations(self) -> dict[str, Tensor]:
        """All of them by name."""
        family = self.model.family
        norm = self.model.attention_norm(self.layer)
        read = self.before if norm is None else norm(self.before)
        added = self._attention(read)
        attended = self.before + added
        if family.encoder:
            attended = self._through(family.attention_norm, attended)
            fed = self._feed_forward(attended)
            after = self._through(family.feed_forward_norm, attended + fed)
        else:
            source = self.before if family.parallel else attended
            fed = self._feed_forward(self._through(family.feed_forward_norm, source))
            after = attended + fed
        weights = self._weights(read)
        return {
            "attention.weights": weights,
            "attention.output": added,
            "feed_forward.output": fed,
            "output": after,
        }

    def _heads(self, letter: str, read: Tensor) -> Float[Tensor, "B heads T h"]:
        weight, bias = self._weight(f"W_{letter}"), self._bias(f"b_{letter}")
        heads = torch.einsum("btd,hkd->bhtk", read, weight)
        return heads if bias is None else heads + bias[:, None]

    def _weights(self, read: Tensor) -> Float[Tensor, "B H T T"]:
        model, family = self.model, self.model.family
        q = self._head_norm(family.query_norm, self._heads("Q", read))
        k = self._grouped(self._head_norm(family.key_norm, self._heads("K", read)))
        scale = model.sizes.head_dimension**-0.5
        if family.score_scale is not None:
            scale = family.score_scale(model.config, self.layer)
        scores = scale * (q @ k.mT)
        cap = getattr(model.config, "attn_logit_softcapping", None)
        if cap is not None:
            scores = torch.tanh(scores / cap) * cap
        if family.scores.endswith("alibi"):
            slopes = torch.tensor(alibi_slopes(model.sizes.heads), device=scores.device)[:, None, None]
            places = torch.arange(scores.shape[-1], device=scores.device)
            scores = scores + slopes * places * (scale if family.scores == "scaled alibi" else 1.0)
        # which positions a layer sees is its own: causality, a window
        return torch.softmax(scores.masked_fill(self.own_weights == 0, -torch.inf), -1)

    def _attention(self, read: Tensor) -> Float[Tensor, "B T d"]:
        mixed = self.own_weights @ self._grouped(self._heads("V", read))
        added = torch.einsum("bhtk,hdk->btd", mixed, self._weight("W_O"))
        bias, norm = self._bias("b_O"), self.model.attention_output_norm(self.layer)
        added = added if bias is None else added + bias
        return added if norm is None else norm(added)

    def _feed_forward(self, read: Tensor) -> Float[Tensor, "B T d"]:
        if "W_router" in self.model.roles(self.layer):
            return self._experts(read)
        hidden = _linear(read, self._weight("W_in"), self._bias("b_in"))
        if "W_gate" in self.model.roles(self.layer):
            hidden = self._activation(_linear(read, self._weight("W_gate"), self._bias("b_gate"))) * hidden
        else:
            hidden = self._activation(hidden)
        return self._through(
            self.model.family.feed_forward_output_norm, _linear(hidden, self._weight("W_out"), self._bias("b_out"))
        )

    def _experts(self, read: Tensor) -> Float[Tensor, "B T d"]:
        shares = torch.softmax(read @ self._weight("W_router").mT, -1)
        best = shares.topk(self.model.config.num_experts_per_tok, -1)
        chosen = best.values / best.values.sum(-1, keepdim=True)
        shares = torch.zeros_like(shares).scatter(-1, best.indices, chosen)
        total = torch.zeros_like(read)
        for expert in range(shares.shape[-1]):
            gate, into, out = (self._weight(f"{role}.{expert}") for role in ("W_gate", "W_in", "W_out"))
            total += shares[..., expert, None] * ((self._activation(read @ gate.mT) * (read @ into.mT)) @ out.mT)
        return total

    def _activation(self, hidden: Tensor) -> Tensor:
        from transformers.activations import ACT2FN

        entry = self.model.family.activation
        named: Tensor = ACT2FN[getattr(self.model.config, entry, entry)](hidden)
        return named

    def _through(self, path: str | None, vectors: Tensor) -> Tensor:
        if path is None:
            return vectors
        module = self.model.layer_module(self.layer, path)
        output: Tensor = module(vectors.to(self.model.weight("W_E").dtype)).float()
        return output

    def _head_norm(self, path: str | None, heads: Float[Tensor, "B heads T h"]) -> Float[Tensor, "B heads T h"]:
        if path is None:
            return heads
        module = self.model.layer_module(self.layer, path)
        width = module.get_parameter("weight").numel()
        if width == heads.shape[-1]:
            return module(heads.to(self.model.weight("W_E").dtype)).float()
        whole = module(heads.transpose(1, 2).flatten(2).to(self.model.weight("W_E").dtype)).float()
        normed: Tensor = whole.unflatten(-1, (heads.shape[1], -1)).transpose(1, 2)
        return normed

    def _grouped(self, heads: Tensor) -> Tensor:
        return heads[:, [key_value_head(self.model, head) for head in range(self.model.sizes.heads)]]

    def _weight(self, role: str) -> Tensor:
        return self.model.weight(role, self.layer).float()

    def _bias(self, role: str) -> Tensor | None:
        return self._weight(role) if role in self.model.roles(self.layer) else None


def _linear(vectors: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.nn.functional.linear(vectors, weight, bias)
