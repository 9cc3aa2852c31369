"""Gradient against curvature by class along a training of the linear classifier.

Letters: `C` classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError
from simonides.nn import cross_entropies
from simonides.papers.imbalance.laws import class_curvatures, class_gradients
from simonides.papers.imbalance.linear_data import LinearData
from simonides.papers.imbalance.linear_training import SoftmaxRegression, start
from simonides.papers.imbalance.methods import METHODS
from simonides.training import Records, fit


@dataclass(frozen=True, kw_only=True, eq=False)
class GradientsAndCurvatures:
    """|gradient row k| and Tr H_kk of each class at the recorded steps, and at the mirrored point (-W, -b)."""

    steps: tuple[int, ...]
    gradients: Float[Tensor, "records C"]
    curvatures: Float[Tensor, "records C"]
    mirrored_gradients: Float[Tensor, "records C"]
    mirrored_curvatures: Float[Tensor, "records C"]
    shares: Float[Tensor, " C"]

    def correlation(self, record: int, mirrored: bool = False, with_shares: bool = False) -> float:
        """Pearson's, of the logarithms of gradient and of curvature, or of the classes' shares, over classes."""
        gradients = (self.mirrored_gradients if mirrored else self.gradients)[record]
        curvatures = (self.mirrored_curvatures if mirrored else self.curvatures)[record]
        other = self.shares if with_shares else curvatures
        both = torch.stack([gradients, other]).double().log()
        return float(torch.corrcoef(both[:, both.isfinite().all(0)])[0, 1])


def gradients_and_curvatures(
    data: LinearData,
    method: str,
    rate: float,
    steps: int,
    every: int,
    generator: torch.Generator,
    device: torch.device | None = None,
) -> GradientsAndCurvatures:
    """Train at one rate, and look every few steps.

    Arguments:
        data: the samples.
        method: as in `train_linear`.
        rate: the learning rate.
        steps, every: updates, and updates between looks.
        generator: draws the start.
        device: where to compute.

    Raises:
        SimonidesError: when the number of steps is no multiple of `every`.
    """
    if steps % every:
        raise SimonidesError(f"steps = {steps} is no multiple of every = {every}; give one that is.")
    device = device or torch.device("cpu")
    weight, bias = start(data, generator)
    model = SoftmaxRegression(weight[None], bias[None]).to(device)
    x, targets = data.x.to(device), data.targets.to(device)

    def look(stack: SoftmaxRegression) -> Mapping[str, Tensor]:
        logits = stack(x)
        # logits at (-W, -b) are those at (W, b) with the other sign
        return {
            "gradients": class_gradients(logits, x, targets)[0],
            "curvatures": class_curvatures(logits, x)[0],
            "mirrored_gradients": class_gradients(-logits, x, targets)[0],
            "mirrored_curvatures": class_curvatures(-logits, x)[0],
        }

    history = fit(
        model,
        lambda stack, _: cross_entropies(stack(x), targets[None]).mean(1),
        lambda _: None,
        lambda parameters: METHODS[method](parameters, torch.tensor([rate], device=device)),
        steps,
        torch.Generator(),
        records=Records(every=every, probes={"seen": look}),
    )
    seen: Sequence[str] = ("gradients", "curvatures", "mirrored_gradients", "mirrored_curvatures")
    return GradientsAndCurvatures(
        steps=tuple(history.steps),
        shares=data.counts / len(data.targets),
        **{name: history.column(name) for name in seen},
    )
