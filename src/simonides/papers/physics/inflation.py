"""A model of one more axis of space, from one of fewer."""

import dataclasses

import torch
from torch import Tensor

from simonides.base import SimonidesError
from simonides.papers.physics.avit import AViT


def inflated(model: AViT) -> AViT:
    """The model for data with one more axis, the last: kernels are repeated along it (Carreira & Zisserman 2017).

    Kernels that read are divided by their new length, so that data that do not change along the new axis make the same
    tokens; attention has one set of weights for all axes.

    Arguments:
        model: of one or two axes of space; it stays as it is.

    Raises:
        SimonidesError: when it has three already.
    """
    if model.config.dimensions == 3:
        raise SimonidesError("the model has three axes of space already.")
    config = dataclasses.replace(model.config, dimensions=model.config.dimensions + 1)
    larger = AViT(config, torch.Generator().manual_seed(0)).to(next(model.parameters()).device)
    wanted = {name: value.shape for name, value in larger.state_dict().items()}

    def fitted(name: str, value: Tensor) -> Tensor:
        if value.shape == wanted[name]:
            return value
        length = wanted[name][-1]
        repeated = value.unsqueeze(-1).expand(wanted[name])
        return repeated / length if name.startswith("stem.") else repeated

    larger.load_state_dict({name: fitted(name, value) for name, value in model.state_dict().items()})
    return larger
