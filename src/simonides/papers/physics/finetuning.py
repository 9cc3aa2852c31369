"""Fine-tuning a pretrained model on new systems: what is trained, and fields that are added by name."""

from collections.abc import Sequence
from pathlib import Path

from torch import Generator

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.low_rank import add_low_rank, merge_low_rank
from simonides.papers.physics.pretraining import PhysicsTraining, Trained, check_shapes, pretrain
from simonides.papers.physics.simulations import Source
from simonides.papers.physics.windows import vocabulary

TUNED = ("full", "middle", "processor", "low-rank", "official")
# the field embedding and the kernels of the read-out: what belongs to fields
_OF_FIELDS = ("stem.columns", "stem.bias", "read_out.field_kernels", "read_out.field_bias")


def finetune(
    model: AViT,
    sources: Sequence[Source],
    training: PhysicsTraining,
    generator: Generator,
    tuned: str = "full",
    rank: int = 8,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> Trained:
    """Train a pretrained model in place on other systems; fields that it does not know are added first.

    Arguments:
        model: as it was pretrained.
        sources, training, generator, checkpoint, progress: as of `pretrain`.
        tuned: "full"; "middle", the blocks stay and so do stem and read-out, but for what belongs to fields;
            "processor", the blocks stay; "low-rank", an update of low rank for every matrix of the blocks (Hu et al.
            2022) beside stem and read-out; "official", as the released code does: everything but what belongs to
            fields, because its optimiser is made before the fields are added.
        rank: of the updates.

    Raises:
        SimonidesError: as of `pretrain`; the model is then as it was.
    """
    check_name("tuned", tuned, TUNED)
    check_at_least("rank", rank, 1)
    if rank > model.config.d:
        raise SimonidesError(f"rank = {rank} is above the width of the model, {model.config.d}; give less.")
    check_shapes(model, sources, training)
    if tuned == "official" and model.config.predict == "delta":
        raise SimonidesError(
            "the released fine-tuning never trains the read-out, which begins at zero in a model that predicts "
            "increments; give a model of predict='state', or tuned='full'."
        )
    model.add_fields(vocabulary(sources), generator)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    # every parameter that is to be trained exists before `fit` makes the optimiser
    if tuned == "low-rank":
        add_low_rank(model.blocks, rank, generator)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_is_tuned(name, tuned))
    try:
        return pretrain(model, sources, training, generator, checkpoint, progress, f"{tuned}, rank {rank}")
    finally:
        if tuned == "low-rank":
            merge_low_rank(model.blocks)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name not in frozen)


def _is_tuned(name: str, tuned: str) -> bool:
    if tuned == "full":
        return True
    if tuned == "official":
        return name not in _OF_FIELDS
    if tuned == "middle":
        return name in _OF_FIELDS
    return not name.startswith("blocks.") or (tuned == "low-rank" and name.endswith((".down", ".up")))
