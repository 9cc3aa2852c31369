"""Factual recall written by hand: heads that find subject and relation, and values or an MLP that know the answer.

Nichani, Lee & Bietti (2025), theorems 2 and 3, in a form that can be run. Subjects and relations are parted into
blocks of at most h tokens, a head for each: it attends to its token if the prompt has it, else to EOS. Values are
read by the dual basis of the block, so that no token of it disturbs another. Letters: `S` subjects, `R` relations,
`d` width, `h` head dimension, `m` hidden units, V tokens.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.memories import MLPMemory, embeddings
from simonides.nn import Transformer, TransformerConfig
from simonides.tasks import Facts, Prompts

KEYS = ("solved", "summed")
# what the MLP says is to drown the stream it is added to
_LOUD = 30.0
# scores of the token, of EOS and of all others
_FOUND, _EOS = 1.0, 0.5


def construct_recall(
    prompts: Prompts,
    d: int,
    head_dimension: int,
    generator: torch.Generator,
    hidden: int = 0,
    keys: str = "solved",
    sharpness: float = 80.0,
) -> Transformer:
    """A one-layer transformer that holds the facts, without training, in float64.

    Without hidden units the head of a subject says all the subject's answers and that of a relation all of A_r:
    the right one comes twice (theorem 2; H h of about S + R). With them the heads say which subject and relation
    there are, and the MLP, a memory of two tokens, the answer (theorem 3; m d of about S R).

    Arguments:
        prompts: the task, ending with EOS.
        d: width.
        head_dimension: h, tokens of a block; less than d.
        generator: draws embeddings, and hidden weights.
        hidden: m, an even number; 0 for attention alone.
        keys: "solved", key directions that meet every token's score as well as can be (exactly while V <= d), or
            "summed", the plain sum over the block, whose noise is about sqrt(h/d).
        sharpness: factor of all scores: attention leaks about T e^{-sharpness/2}.

    Raises:
        SimonidesError: when prompts do not end with EOS, or blocks do not fit in d.
    """
    check_name("keys", keys, KEYS)
    check_at_least("head_dimension", head_dimension, 1)
    if prompts.end != "eos":
        raise SimonidesError("the construction looks from EOS; give prompts with end='eos'.")
    if head_dimension >= d:
        raise SimonidesError(f"head_dimension = {head_dimension} and EOS do not fit d = {d}; give fewer.")
    facts = prompts.facts
    s, r = len(facts.subject_names), len(facts.relation_names)
    blocks = [*torch.arange(s).split(head_dimension), *(s + torch.arange(r)).split(head_dimension)]
    config = TransformerConfig(
        vocabulary=prompts.vocabulary,
        outputs=len(facts.answer_names),
        length=prompts.length,
        d=d,
        layers=1,
        heads=len(blocks),
        head_dimension=head_dimension,
        feed_forward="mlp" if hidden else "none",
        hidden=hidden or None,
        activation="quadratic_derivative",
        residual=False,
        positions="none",
        divide_scores=False,
    )
    model = Transformer(config, generator).double()
    attention = model.blocks[0].attention
    with torch.no_grad():
        model.W_E.copy_(embeddings.sphere(prompts.vocabulary, d, generator))
        model.W_U.copy_(embeddings.sphere(config.outputs or 0, d, generator))
        written = model.W_E[: s + r] / math.sqrt(2) if hidden else _answers(facts) @ model.W_U
        for weight in (attention.W_Q, attention.W_K, attention.W_V, attention.W_O):
            weight.zero_()
        eos = model.W_E[-1]
        for head, block in enumerate(blocks):
            attention.W_Q[head, 0] = eos / (eos @ eos)
            attention.W_K[head, 0] = sharpness * _key(model.W_E, block, keys)
            attention.W_V[head, : len(block)] = _dual(torch.cat([model.W_E[block], eos[None]]))[:-1]
            attention.W_O[head, :, : len(block)] = written[block].mT
        if hidden:
            memory = _memory(model, facts, hidden, generator)
            model.weight("W_in", 0).copy_(memory.hidden_weight)
            model.weight("W_out", 0).copy_(_LOUD * memory.output_weight)
    return model


def _memory(model: Transformer, facts: Facts, hidden: int, generator: torch.Generator) -> MLPMemory:
    subjects, relations = model.W_E[facts.subjects], model.W_E[len(facts.subject_names) + facts.relations]
    return MLPMemory.store_tokens([subjects, relations], model.W_U.detach(), facts.answers, hidden, generator)


def _answers(facts: Facts) -> Float[Tensor, "S_and_R A"]:
    """Which answers a subject has, and which a relation can have."""
    return torch.cat([facts.by_subject > 0, facts.admissible]).double()


def _key(rows: Float[Tensor, "V d"], block: Int[Tensor, " b"], keys: str) -> Float[Tensor, " d"]:
    """A direction that scores the block's tokens 1, EOS one half, and others about 0."""
    if keys == "summed":
        return _FOUND * rows[block].sum(0) + _EOS * rows[-1]
    wanted = rows.new_zeros(len(rows))
    wanted[block] = _FOUND
    wanted[-1] = _EOS
    return torch.linalg.lstsq(rows, wanted[:, None], driver="gelsd").solution[:, 0]


def _dual(rows: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """Vectors whose product with row j is 1 for their own and 0 for the others."""
    return torch.linalg.pinv(rows).mT
