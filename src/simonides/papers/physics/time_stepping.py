"""Each trajectory of a batch takes time steps of its own to the same moment."""

from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

State = TypeVar("State")
# steps to the next frame; a solution that needs more has blown up
_MOST_STEPS = 1e6


def advance(
    state: State,
    duration: float,
    trajectories: int,
    step: Callable[[State, Tensor], tuple[State, Tensor]],
    device: torch.device,
) -> State:
    """A batch of states after some time, each with steps of its own, so that none depends on the others.

    Arguments:
        state: of all trajectories.
        duration: time to go.
        trajectories: how many.
        step: takes a state and the time left for each trajectory, gives the next state and the time steps taken.
        device: of the state.
    """
    remaining = torch.full((trajectories,), duration, dtype=torch.float64, device=device)
    while bool((remaining > 0).any()):
        state, taken = step(state, remaining)
        remaining = remaining - taken
    return state


def fitted_steps(
    remaining: Float[Tensor, " trajectories"], rate: Float[Tensor, " trajectories"]
) -> Float[Tensor, " trajectories"]:
    """Time steps no longer than 1 / rate of which a whole number fits into the time left.

    They are NaN where the solution has blown up, which ends the trajectory with NaN in place of an endless loop.

    Arguments:
        remaining: time left.
        rate: reciprocal of the longest stable step.

    >>> fitted_steps(torch.tensor([1.0, 0.0]), torch.tensor([2.5, 2.5])).tolist()
    [0.3333333432674408, 0.0]
    """
    count = (remaining * rate).ceil().clamp(min=1)
    return remaining / count.masked_fill(count > _MOST_STEPS, torch.nan)
