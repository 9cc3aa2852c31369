"""What the first norm leaves of a number: saturation, and the resolution of a number format.

Golkar et al. (2023, section 2): with orthonormal u (the direction of [NUM]) and p (the position) the norm makes (x u
+ p)/sqrt(1 + x^2) of x u + p.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least

# bits of the significand, the hidden one included
FORMATS = {"bfloat16": 8, "float16": 11, "float32": 24}


def read_through_norm(x: float, ratio: float = 1.0) -> float:
    """u . (x u + p)/|x u + p| = r x/sqrt(1 + r^2 x^2), with r = |u|/|p| (Golkar et al. 2023, section 2).

    Arguments:
        x: the number.
        ratio: r, 1 in the paper.

    >>> round(read_through_norm(1.0), 4), round(read_through_norm(5.0), 4)
    (0.7071, 0.9806)
    """
    return ratio * x / math.hypot(1.0, ratio * x)


def rounding(bits: int) -> float:
    """Root mean square of the relative error of rounding to so many bits: 2^(1 - bits) sqrt(3/(96 log 2)).

    The spacing of numbers is 2^(1 - bits) of their power of two, its uniform error has variance 1/12, and
    significands M are taken to be log-uniform on [1, 2), so that the mean of 1/M^2 is 3/(8 log 2).

    >>> round(rounding(8), 5)
    0.00166
    """
    check_at_least("bits", bits, 1)
    return 2.0 ** (1 - bits) * math.sqrt(3 / (96 * math.log(2)))


def resolution(x: float, d: int, number_format: str) -> float:
    """Error of x as it is read from a normed stream of width d in a floating-point format: s (1 + x^2)/sqrt(d).

    s is `rounding`. The reader takes x = (v . u)/(v . p) of the rounded v. For entries of u and p as of Gaussian
    vectors the rounding errors of v . u and v . p have variances s^2 (3 x^2 + 1)/(d (1 + x^2)) and s^2 (x^2 + 3)/(d
    (1 + x^2)) and covariance 2 s^2 x/(d (1 + x^2)); together s^2 (1 + x^2)^2/d. Ours; large d, and errors that are
    small beside 1.

    Arguments:
        x: the number.
        d: width.
        number_format: a key of `FORMATS`.

    >>> round(resolution(1.0, 64, "bfloat16"), 6)
    0.000415
    """
    check_at_least("d", d, 2)
    if number_format not in FORMATS:
        raise SimonidesError(f"format {number_format!r} is unknown; known: {', '.join(FORMATS)}.")
    return rounding(FORMATS[number_format]) * (1 + x**2) / math.sqrt(d)


def usable_range(precision: float, d: int, number_format: str) -> tuple[float, float]:
    """The smallest and largest |x| whose relative error `resolution`/|x| is at most a precision; (nan, nan) if none.

    >>> low, high = usable_range(0.01, 64, "bfloat16")
    >>> round(low, 3), round(high, 1)
    (0.021, 48.2)
    """
    half = precision * math.sqrt(d) / (2 * rounding(FORMATS[number_format]))
    if half < 1:
        return math.nan, math.nan
    high = half + math.sqrt(half**2 - 1)
    return 1 / high, high


def read_numbers_of_norm(
    x: Float[Tensor, " n"],
    u: Float[Tensor, " d"],
    p: Float[Tensor, " d"],
    dtype: torch.dtype,
) -> Float[Tensor, " n"]:
    """x as it is read from the layer norm of x u + p, the norm's values rounded to a format.

    Arguments:
        x: numbers.
        u, p: orthonormal, each of mean zero.
        dtype: of the normed values.
    """
    stream = x[:, None] * u + p
    normed = torch.nn.functional.layer_norm(stream, stream.shape[-1:], eps=0.0).to(dtype).to(x.dtype)
    return (normed @ u) / (normed @ p)


def orthonormal_pair(d: int, generator: torch.Generator) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Two random orthonormal vectors of mean zero, in 64 bits."""
    drawn = torch.randn(d, 2, generator=generator, dtype=torch.float64)
    basis, triangle = torch.linalg.qr(drawn - drawn.mean(0))
    signed = basis * torch.diagonal(triangle).sign()
    return signed[:, 0], signed[:, 1]
