"""Gradient flow, dw/dt = -grad L(w), by scipy's ODE solvers: for small systems and as the limit of small steps."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import solve_ivp
from torch import Tensor

from simonides.base import SimonidesError


def gradient_flow(
    gradient: Callable[[Tensor], Tensor],
    start: Float[Tensor, "*shape"],
    times: Sequence[float],
    method: str = "LSODA",
    tolerance: float = 1e-9,
) -> Float[Tensor, " times *shape"]:
    """w(t) at the given times, from w(0) = start, in float64.

    Arguments:
        gradient: of the loss, in the shape of `start`; it is followed downhill.
        start: w(0).
        times: rising, from zero on; w(0) is returned where the first is zero.
        method: of `scipy.integrate.solve_ivp`.
        tolerance: relative, and absolute at a thousandth of it.

    Raises:
        SimonidesError: when the times do not rise, or the solver gives up.

    >>> gradient_flow(lambda w: w, torch.ones(1), [0.0, 1.0])[:, 0]
    tensor([1.0000, 0.3679], dtype=torch.float64)
    """
    moments = np.asarray(times, dtype=float)
    if len(moments) == 0 or moments[0] < 0 or (np.diff(moments) <= 0).any():
        raise SimonidesError("times of a flow must rise from zero or later; sort them and drop doubles.")
    shape = start.shape

    def downhill(_: float, w: np.ndarray) -> np.ndarray:
        return -gradient(torch.from_numpy(w).reshape(shape)).detach().cpu().numpy().ravel()

    solution = solve_ivp(
        downhill,
        (0.0, float(moments[-1])) if moments[-1] > 0 else (0.0, 1e-300),
        start.detach().double().cpu().numpy().ravel(),
        method=method,
        t_eval=moments,
        rtol=tolerance,
        atol=tolerance * 1e-3,
    )
    if not solution.success:
        raise SimonidesError(f"the flow could not be followed to t = {moments[-1]:g}: {solution.message}")
    return torch.from_numpy(solution.y.T.copy()).reshape(len(moments), *shape)
