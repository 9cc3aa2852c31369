"""The one-layer transformers of factual recall, as configurations of the one transformer.

Nichani, Lee & Bietti (2025): sections 4 (trained by Adam, softmax attention and a ReLU layer) and 5 (gradient flow
of linear attention on one-hot embeddings). Neither has positions, or a residual stream around its attention.
Letters: `d` width, `H` heads of dimension `h`, `m` hidden units, V tokens, A answers.
"""

import torch

from simonides.base import SimonidesError, check_at_least
from simonides.nn import Transformer, TransformerConfig
from simonides.tasks import Prompts


def recall_transformer(
    prompts: Prompts, d: int, heads: int, head_dimension: int, hidden: int, generator: torch.Generator
) -> Transformer:
    """The model of the experiments: W_E and W_U ~ N(0, 1/d) frozen, scores divided by sqrt(h), hidden bias.

    At the authors' scales: W_Q, W_K, W_V ~ N(0, 1/h), W_O ~ N(0, 1/d), W_in and W_out by fan-in.

    Arguments:
        prompts: the task, for V, A and T.
        d: width.
        heads: H.
        head_dimension: h.
        hidden: m; 0 for attention alone.
        generator: draws the weights.
    """
    check_at_least("hidden", hidden, 0)
    config = TransformerConfig(
        vocabulary=prompts.vocabulary,
        outputs=len(prompts.facts.answer_names),
        length=prompts.length,
        d=d,
        layers=1,
        heads=heads,
        head_dimension=head_dimension,
        feed_forward="mlp" if hidden else "none",
        hidden=hidden or None,
        hidden_bias=True,
        residual=False,
        positions="none",
        frozen=("W_E", "W_U"),
    )
    model = Transformer(config, generator)
    attention = model.blocks[0].attention
    with torch.no_grad():
        for weight in (attention.W_Q, attention.W_K, attention.W_V):
            weight.mul_((d / head_dimension) ** 0.5)
        attention.W_O.mul_((heads * head_dimension / d) ** 0.5)
    return model


def parameter_count(d: int, heads: int, head_dimension: int, hidden: int) -> int:
    """P = 4 H h d + 2 m d, the trained numbers without biases.

    >>> parameter_count(16, 8, 2, 16)
    1536
    """
    return 4 * heads * head_dimension * d + 2 * hidden * d


def check_start(scale: float) -> None:
    """Raise `SimonidesError` unless training can begin with all entries `scale`."""
    if not scale > 0:
        raise SimonidesError(
            f"scale = {scale}: from zero no gradient leads away; give a small number such as 1e-5."
        )


def linear_attention_model(prompts: Prompts, scale: float) -> Transformer:
    """One head of linear attention on one-hot embeddings: logit_a = sum_t W_OV(a, z_t) w_KQ(z_t).

    W_O holds W_OV, and the row of the last token in W_K is w_KQ; both matrices start with all
    entries `scale`. The width is V, or A where there are more answers than tokens.

    Raises:
        SimonidesError: when the scale is not above zero: at zero nothing would ever grow.
    """
    check_start(scale)
    tokens, answers = prompts.vocabulary, len(prompts.facts.answer_names)
    d = max(tokens, answers)
    config = TransformerConfig(
        vocabulary=tokens,
        outputs=answers,
        length=prompts.length,
        d=d,
        layers=1,
        feed_forward="none",
        attention="linear",
        positions="none",
        divide_scores=False,
        merged_queries=True,
        residual=False,
        frozen=("W_E", "W_U", "layers.0.attention.W_V"),
    )
    model = Transformer(config, torch.Generator())
    attention = model.blocks[0].attention
    with torch.no_grad():
        model.W_E.copy_(torch.eye(tokens, d))
        model.W_U.copy_(torch.eye(answers, d))
        attention.W_V.copy_(torch.eye(d)[None])
        attention.W_O.fill_(scale)
        attention.W_K.fill_(scale)
    return model
