"""Random draws for stacked runs: each run from a generator of its own."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Generators = torch.Generator | Sequence[torch.Generator]


def drawn(sample: Callable[[torch.Generator], Tensor], generators: Generators) -> Tensor:
    """`sample` with one generator, or with each of several, stacked in front."""
    if isinstance(generators, torch.Generator):
        return sample(generators)
    return torch.stack([sample(generator) for generator in generators])
