"""A linear memory with a noise channel: which singular direction holds the noise, and when truncation removes it.

After Chen, Bruna & Bietti (2025), whose first version has the setting; the closed form is derived here. n inputs
in m balanced classes; p(y | x) = (1 - alpha) 1{y = f(x)} + alpha 1{y = noise}. Logits W e_x with orthonormal e_x,
gradient descent on the population from W = 0. By symmetry every column of W has three entries: a for the right
class, b for the m - 1 others, c for the noise, with a + (m - 1) b + c = 0.
"""

import math
from dataclasses import dataclass

from simonides.base import SimonidesError, check_at_least


@dataclass(frozen=True, kw_only=True)
class Channel:
    """W after some steps.

    Arguments:
        inputs, classes: n, m.
        gap: Delta = a - b, the right class over the others.
        noise: c, the noise's logit.
    """

    inputs: int
    classes: int
    gap: float
    noise: float

    @property
    def signal_value(self) -> float:
        """The m - 1 equal singular values that tell classes apart: Delta sqrt(n/m)."""
        return self.gap * math.sqrt(self.inputs / self.classes)

    @property
    def noise_value(self) -> float:
        """The singular value of the direction (noise) - (mean of classes): |c| sqrt(n (m + 1)/m).

        With kappa = c - a the log odds of noise it is sqrt(n m/(m + 1)) (Delta (m - 1)/m + kappa).
        """
        return abs(self.noise) * math.sqrt(self.inputs * (self.classes + 1) / self.classes)

    def noise_probability(self, signal: bool = True, noise_kept: bool = True) -> float:
        """p(noise | x), of W as it is, or without its signal or noise directions."""
        m = self.classes
        gap, noise = self.gap * signal, self.noise * noise_kept
        others = -(gap + noise) / m
        top = max(others + gap, noise)
        right, other, wrong = (math.exp(x - top) for x in (others + gap, others, noise))
        return wrong / (right + (m - 1) * other + wrong)


def limit_ratio(classes: int) -> float:
    """(m - 1)/sqrt(m + 1), what noise_value/signal_value tends to as the gap grows.

    Below one the noise is the least direction, and rank m - 1 leaves it out: for m = 2, and for m = 3 as long as
    alpha < 1/2, where the ratio tends to one from below. For m >= 4 the noise becomes the leading direction.

    >>> [round(limit_ratio(m), 2) for m in (2, 3, 4)]
    [0.58, 1.0, 1.34]
    """
    check_at_least("classes", classes, 2)
    return (classes - 1) / math.sqrt(classes + 1)


def descend(inputs: int, classes: int, alpha: float, rate: float, steps: int) -> Channel:
    """The exact W of gradient descent on the mean loss, through its three different entries.

    Raises:
        SimonidesError: unless 0 < alpha < 1 and classes divide the inputs.
    """
    if not 0 < alpha < 1 or inputs % classes:
        raise SimonidesError(
            f"alpha = {alpha}, {inputs} inputs in {classes} classes: give 0 < alpha < 1 and balanced classes."
        )
    a = b = c = 0.0
    pace = rate / inputs
    for _ in range(steps):
        top = max(a, b, c)
        right, other, noise = (math.exp(x - top) for x in (a, b, c))
        total = right + (classes - 1) * other + noise
        a += pace * (1 - alpha - right / total)
        b -= pace * other / total
        c += pace * (alpha - noise / total)
    return Channel(inputs=inputs, classes=classes, gap=a - b, noise=c)
