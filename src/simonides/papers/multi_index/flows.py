"""Gradient flow on multi-index models, in closed form: the spans that two time scales find, and the planted problem.

Letters: `d` dimensions, `q` directions of the target, `r` of the student, `R` starts. G = M M^T with M = W*^T W, the
overlaps of the target's directions and the student's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import Generators, SimonidesError, check_at_least, drawn
from simonides.papers.multi_index.stiff import flow
from simonides.papers.multi_index.targets import HermiteTarget, kept, pulled


@dataclass(frozen=True, kw_only=True, eq=False)
class IndexFlow:
    """What became of R starts.

    Arguments:
        times: at which the others are given.
        loss: (1/2) E (f - F)^2 with the best link for the span, or the planted problem's.
        overlaps: eigenvalues of G, that is squared singular values of M, falling.
        escapes: when each eigenvalue, the largest first, first rose through a quarter; infinite where it did not.
    """

    times: Float[Tensor, " times"]
    loss: Float[Tensor, "times R"]
    overlaps: Float[Tensor, "times R q"]
    escapes: Float[Tensor, "R q"]


def haar_overlaps(d: int, q: int, r: int, generators: Generators) -> Float[Tensor, "*R q r"]:
    """M = W*^T W of an orthonormal d x r matrix drawn by Haar's measure, in float64.

    The first q rows of the Q of a Gaussian matrix; Q's columns get the signs of R's diagonal, without which they are
    not Haar distributed.

    Raises:
        SimonidesError: when r or q exceeds d.
    """
    for name, value in (("d", d), ("q", q), ("r", r)):
        check_at_least(name, value, 1)
    if max(q, r) > d:
        raise SimonidesError(f"q = {q} and r = {r} directions do not fit into d = {d} dimensions.")

    def one(generator: torch.Generator) -> Tensor:
        q_factor, upper = torch.linalg.qr(torch.randn(d, r, generator=generator, dtype=torch.float64))
        return (q_factor * upper.diagonal().sign())[:q]

    return drawn(one, generators)


def two_time_scales(
    target: HermiteTarget, overlaps: Float[Tensor, "R q r"], times: Sequence[float], tolerance: float = 1e-8
) -> IndexFlow:
    """Flow of the span while the link is always the best one: dG/dt = 2 [(I - G) P G + G P (I - G)], P = dF/dG.

    F(G) = 1/2 <A_G f, f>, and the loss is 1/2 |f|^2 - F(G). It holds for any d and r >= q: d enters through the start
    alone (derived here from Bietti, Bruna & Pillaud-Vivien 2023, equations 30 and 31).

    Arguments:
        target: F.
        overlaps: M at the start.
        times: rising, above zero.
        tolerance: of the solver.

    Raises:
        SimonidesError: when overlaps are of another q, or their singular values exceed one.
    """
    q = target.q
    _check(target, overlaps)
    start = overlaps.double() @ overlaps.double().mT
    eye = torch.eye(q, dtype=torch.float64)

    def velocity(flat: Tensor) -> Tensor:
        g = flat.unflatten(1, (q, q))
        g = 0.5 * (g + g.mT)
        pull = 0.5 * pulled(target, g)
        half = (eye - g) @ pull @ g
        return (2 * (half + half.mT)).flatten(1)

    def eigenvalues(flat: Tensor) -> Tensor:
        g = flat.unflatten(-1, (q, q))
        return torch.linalg.eigvalsh(0.5 * (g + g.mT)).flip(-1)

    found = flow(velocity, start.flatten(1), times, eigenvalues, 0.25, tolerance)
    flat = found.states.flatten(0, 1)
    losses = 0.5 * (target.variance - kept(target, flat.unflatten(1, (q, q))))
    return IndexFlow(
        times=torch.as_tensor(list(times), dtype=torch.float64),
        loss=losses.unflatten(0, (len(times), -1)),
        overlaps=eigenvalues(found.states),
        escapes=found.crossings,
    )


def planted(
    target: HermiteTarget, overlaps: Float[Tensor, "R q q"], times: Sequence[float], tolerance: float = 1e-8
) -> IndexFlow:
    """Flow of the directions where the link is known, f = F's own: dM/dt = C - M sym(M^T C), C = d<A_M f, f>/dM.

    The loss is |f|^2 - <A_M f, f>; rotations within the span matter (Bietti, Bruna & Pillaud-Vivien 2023, section 4).

    Raises:
        SimonidesError: when M is not q x q, or its singular values exceed one.
    """
    q = target.q
    _check(target, overlaps)
    if overlaps.shape[2] != q:
        raise SimonidesError(f"the planted problem has r = q = {q} directions, not {overlaps.shape[2]}.")

    def velocity(flat: Tensor) -> Tensor:
        m = flat.unflatten(1, (q, q))
        c = pulled(target, m)
        inner = m.mT @ c
        return (c - m @ (0.5 * (inner + inner.mT))).flatten(1)

    def squares(flat: Tensor) -> Tensor:
        return torch.linalg.svdvals(flat.unflatten(-1, (q, q))).square()

    found = flow(velocity, overlaps.double().flatten(1), times, squares, 0.25, tolerance)
    flat = found.states.flatten(0, 1)
    losses = target.variance - kept(target, flat.unflatten(1, (q, q)))
    return IndexFlow(
        times=torch.as_tensor(list(times), dtype=torch.float64),
        loss=losses.unflatten(0, (len(times), -1)),
        overlaps=squares(found.states),
        escapes=found.crossings,
    )


def _check(target: HermiteTarget, overlaps: Tensor) -> None:
    if overlaps.dim() != 3 or overlaps.shape[1] != target.q or overlaps.shape[2] < target.q:
        raise SimonidesError(
            f"overlaps have shape {list(overlaps.shape)}; expected (R, {target.q}, r) with r at least {target.q}."
        )
    if float(torch.linalg.svdvals(overlaps).max()) > 1 + 1e-9:
        raise SimonidesError("overlaps of orthonormal directions have no singular value above one.")
