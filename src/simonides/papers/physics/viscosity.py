"""Viscous stress in compressible flow: its divergence and its work, by central differences at the faces of cells."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Viscosity:
    """The stress eta (grad v + grad v^T - 2/3 div v) + zeta div v with zeta = eta; nothing conducts heat.

    Arguments:
        eta: shear and bulk viscosity of each trajectory.
    """

    eta: Float[Tensor, " b"]

    def step_rate(self, density: Float[Tensor, "b nx ny"], widths: tuple[float, float]) -> Float[Tensor, " b"]:
        """Reciprocal of the longest step that two stages bear: half the fastest decay, that of alternating cells.

        Arguments:
            density: in the cells; the smallest decides.
            widths: of a cell along x and y.
        """
        along_x, along_y = (width**-2 for width in widths)
        # velocity diffuses along itself with 4/3 eta + zeta, across itself with eta
        fastest = 4 * max(7 / 3 * along_x + along_y, along_x + 7 / 3 * along_y)
        return self.eta * fastest / 2 / density.amin((1, 2))

    def rate(
        self, velocity: Float[Tensor, "b 2 px py"], widths: tuple[float, float]
    ) -> Float[Tensor, "b 3 nx ny"]:
        """Change of momentum along x, along y, and of energy.

        Arguments:
            velocity: with one ghost cell on every side.
            widths: of a cell along x and y.
        """
        eta = self.eta.to(velocity.dtype).view(-1, 1, 1)
        b, _, px, py = velocity.shape
        total = velocity.new_zeros(b, 3, px - 2, py - 2)
        for axis in (0, 1):
            dim, other = 1 + axis, 2 - axis
            count, count_other = velocity.shape[2 + axis] - 1, velocity.shape[3 - axis] - 2
            along, across = velocity[:, axis], velocity[:, 1 - axis]
            inner_along, inner_across = (one.narrow(other, 1, count_other) for one in (along, across))
            # derivatives across the face are differences, along it means of central differences on both sides
            along_slope, across_slope = inner_along.diff(dim=dim), inner_across.diff(dim=dim)
            along_turn, across_turn = (
                (one.narrow(dim, 1, count) + one.narrow(dim, 0, count)) for one in (along, across)
            )
            along_turn, across_turn = (
                one.narrow(other, 2, count_other) - one.narrow(other, 0, count_other)
                for one in (along_turn, across_turn)
            )
            scale, scale_turn = 1 / widths[axis], 0.25 / widths[1 - axis]
            # with zeta = eta: 2 d_n v_n + (zeta / eta - 2/3) div v
            normal = (along_slope * (7 / 3 * scale)).add_(across_turn, alpha=scale_turn / 3).mul_(eta)
            shear = (across_slope * scale).add_(along_turn, alpha=scale_turn).mul_(eta)
            along_face, across_face = (
                one.narrow(dim, 1, count) + one.narrow(dim, 0, count) for one in (inner_along, inner_across)
            )
            work = (along_face * normal).addcmul_(across_face, shear).mul_(0.5)
            for row, flux in ((axis, normal), (1 - axis, shear), (2, work)):
                total[:, row].add_(flux.diff(dim=dim), alpha=scale)
        return total
