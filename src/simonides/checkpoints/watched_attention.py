"""Attention of a `transformers` model whose weights are seen and changed on their way.

`transformers` lets an attention function be registered by a name; models built of it call it in every layer. Ours
is the plain definition, and tells the watch that is set for the time of a run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

from simonides.base import SimonidesError

NAME = "simonides"
# of an attention module and its weights, the weights as they go on
See = Callable[[nn.Module, Tensor], Tensor]
_SEE: ContextVar[See | None] = ContextVar("see", default=None)
# what models pass beside tensors, scaling, dropout and soft cap, and what changes nothing here: masks hold it
_IGNORED = frozenset(
    {"sliding_window", "position_ids", "output_attentions", "use_cache", "cache_position", "is_causal"}
    | {"output_hidden_states", "return_dict", "logits_to_keep", "output_router_logits", "head_mask"}
)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    **settings: Any,
) -> tuple[Tensor, Tensor]:
    unknown = [name for name, given in settings.items() if given is not None and name not in _IGNORED]
    if unknown:
        raise SimonidesError(
            f"this model's attention is told {unknown[0]}, which is not known here; its weights are not traced."
        )
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, 1) if groups > 1 else x for x in (key, value))
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
    see = _SEE.get()
    if see is not None:
        weights = see(module, weights)
    return (weights @ value).transpose(1, 2).contiguous(), weights


def register() -> None:
    """Make the attention known to `transformers` under `NAME`, with plain masks of minus infinity."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, eager_mask)


@contextmanager
def seeing(model: Any, see: See) -> Iterator[None]:
    """A context in which `see` is told of every attention module's weights, and may change them."""
    register()
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    token = _SEE.set(see)
    try:
        yield
    finally:
        _SEE.reset(token)
        model.set_attn_implementation(before)
