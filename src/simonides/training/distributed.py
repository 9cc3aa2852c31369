"""Training in several processes, started by `torchrun`: batches of one update are shared, gradients are summed.

Every process draws all batches of an update and works on its share, so W processes with accumulation A give what
one process gives with the same A, up to the order of sums.
"""

import torch
from torch import distributed, nn


def is_distributed() -> bool:
    """Whether this process belongs to a group."""
    return distributed.is_available() and distributed.is_initialized()


def is_first() -> bool:
    """Whether this process writes files and shows progress: one of a group does."""
    return not is_distributed() or distributed.get_rank() == 0


def share_of(number: int) -> bool:
    """Whether batch `number` of an update is this process's."""
    return not is_distributed() or number % distributed.get_world_size() == distributed.get_rank()


def sum_gradients(model: nn.Module) -> None:
    """Put the sum over all processes in place of each gradient; what no process has a gradient of keeps none."""
    if not is_distributed():
        return
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    known = torch.tensor([float(p.grad is not None) for p in trained], device=trained[0].device)
    distributed.all_reduce(known)
    for parameter, processes in zip(trained, known.tolist(), strict=True):
        if not processes:
            continue
        if parameter.grad is None:  # this process had no batch
            parameter.grad = torch.zeros_like(parameter)
        distributed.all_reduce(parameter.grad)
