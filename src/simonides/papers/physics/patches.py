"""From cells to tokens and back: the field embedding with the hierarchical stem, and the read-out.

Both stem and read-out of McCabe et al. (2024) are convolutions whose stride is their kernel, so each is one product of
patches with a matrix. The field embedding has no nonlinearity before the first of them: the two matrices are multiplied
first, and the embedding's d/4 channels at full resolution are never made.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional

from simonides.base import SimonidesError
from simonides.nn import mapped

# kernels of the stem for each size of patch; the released models have 16
STRIDES = {16: (4, 2, 2), 8: (4, 2), 4: (4,)}
# a standard deviation below this share of the root mean square counts as that share: a frame without any structure
# would be divided by zero
_FLOOR = 1e-3


def space_axes(tokens: Tensor) -> tuple[int, ...]:
    """Axes of space of a stream of batch x time x space x width."""
    return tuple(range(2, tokens.dim() - 1))


class SpatialScale(nn.Module):
    """x -> gain x / std(x), with the standard deviation over space of each frame and channel; the mean stays.

    The "RMS instance norm" of McCabe et al. (2024), whose deviation is about the mean although the mean is not taken
    off. A deviation of less than a thousandth of the root mean square counts as that.

    Arguments:
        d: channels.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(d))

    def forward(self, tokens: Float[Tensor, "batch time *space d"]) -> Float[Tensor, "batch time *space d"]:
        """The scaled stream."""
        axes = space_axes(tokens)
        count = math.prod(tokens.shape[axis] for axis in axes)
        mean = tokens.mean(axes, keepdim=True)
        variance = (tokens - mean).square().mean(axes, keepdim=True) * (count / (count - 1))
        floor = _FLOOR**2 * (variance + mean.square()) + 1e-16
        return tokens * (self.gain * torch.maximum(variance, floor).rsqrt())


class SpatialNorm(nn.Module):
    """x -> gain (x - mean(x))/sqrt(var(x) + 1e-5) + bias over space of each frame and channel (Ulyanov et al. 2016).

    Arguments:
        d: channels.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))

    def forward(self, tokens: Float[Tensor, "batch time *space d"]) -> Float[Tensor, "batch time *space d"]:
        """The normalised stream."""
        axes = space_axes(tokens)
        mean = tokens.mean(axes, keepdim=True)
        centred = tokens - mean
        scale = (centred.square().mean(axes, keepdim=True) + 1e-5).rsqrt()
        return torch.addcmul(self.bias, centred, self.gain * scale)


def to_patches(
    cells: Float[Tensor, "batch time *space c"], size: int
) -> Float[Tensor, "batch time *coarse features"]:
    """Cells of each patch side by side, in the order of a convolution's kernel: channel, then place within the patch.

    >>> to_patches(torch.arange(4.0).reshape(1, 1, 4, 1), 2).tolist()
    [[[[0.0, 1.0], [2.0, 3.0]]]]
    """
    space = cells.shape[2:-1]
    split = [part for cells_along in space for part in (cells_along // size, size)]
    parted = cells.reshape(*cells.shape[:2], *split, cells.shape[-1])
    coarse = [2 + 2 * axis for axis in range(len(space))]
    within = [3 + 2 * axis for axis in range(len(space))]
    return parted.permute(0, 1, *coarse, parted.dim() - 1, *within).flatten(2 + len(space))


def from_patches(
    features: Float[Tensor, "batch time *coarse features"], size: int
) -> Float[Tensor, "batch time *space c"]:
    """The inverse of `to_patches`."""
    space = features.shape[2:-1]
    axes = len(space)
    parted = features.reshape(*features.shape[:-1], -1, *[size] * axes)
    channel = 2 + axes
    order = [place for axis in range(axes) for place in (2 + axis, channel + 1 + axis)]
    joined = parted.permute(0, 1, *order, channel)
    return joined.reshape(*features.shape[:2], *[cells * size for cells in space], parted.shape[channel])


class Stem(nn.Module):
    """Fields to tokens: each field's column of the embedding, then convolutions with norms and GELU between.

    Arguments:
        fields: of the vocabulary.
        d: width of the tokens.
        patch: cells along each side of a token, a key of `STRIDES`.
        dimensions: of space.
        generator: draws the weights, uniform within 1/sqrt(fan-in) as `torch.nn` does.
    """

    def __init__(self, fields: int, d: int, patch: int, dimensions: int, generator: Generator) -> None:
        super().__init__()
        strides = STRIDES[patch]
        self.strides = strides
        self.columns = nn.Parameter(uniform((d // 4, fields), fields, generator))
        self.bias = nn.Parameter(uniform((d // 4,), fields, generator))
        widths = [*[d // 4] * (len(strides) - 1), d]
        self.kernels = nn.ParameterList(
            nn.Parameter(uniform((width, d // 4, *[size] * dimensions), d // 4 * size**dimensions, generator))
            for size, width in zip(strides, widths, strict=True)
        )
        self.norms = nn.ModuleList(SpatialScale(width) for width in widths)

    def forward(
        self, cells: Float[Tensor, "batch time *space c"], labels: Int[Tensor, " c"]
    ) -> Float[Tensor, "batch time *tokens d"]:
        """Tokens of normalised fields.

        Arguments:
            cells: the fields.
            labels: which fields of the vocabulary they are.
        """
        scale = (self.columns.shape[1] / len(labels)) ** 0.5
        first = self.kernels[0].flatten(2)
        # embedding and first convolution in one: kernel (out, d/4, cells) x columns (d/4, c) -> (out, c, cells)
        joint = scale * torch.einsum("omk,mc->ock", first, self.columns[:, labels])
        offset = scale * (first.sum(2) @ self.bias)
        tokens = mapped(to_patches(cells, self.strides[0]), joint.flatten(1)) + offset
        for number, (kernel, norm) in enumerate(zip(self.kernels, self.norms, strict=True)):
            if number:
                tokens = mapped(to_patches(functional.gelu(tokens), self.strides[number]), kernel.flatten(1))
            tokens = norm(tokens)
        return tokens


class ReadOut(nn.Module):
    """Tokens to fields: transposed convolutions with norms and GELU, the last with a kernel for each field.

    Arguments:
        fields, d, patch, dimensions, generator: as of `Stem`.
    """

    def __init__(self, fields: int, d: int, patch: int, dimensions: int, generator: Generator) -> None:
        super().__init__()
        strides = STRIDES[patch][::-1]
        self.strides = strides
        widths = [d, *[d // 4] * (len(strides) - 1)]
        self.kernels = nn.ParameterList(
            nn.Parameter(uniform((width, d // 4, *[size] * dimensions), d // 4 * size**dimensions, generator))
            for size, width in zip(strides[:-1], widths[:-1], strict=True)
        )
        self.norms = nn.ModuleList(SpatialScale(d // 4) for _ in strides[:-1])
        last = strides[-1]
        fan = fields * last**dimensions
        self.field_kernels = nn.Parameter(uniform((widths[-1], fields, *[last] * dimensions), fan, generator))
        self.field_bias = nn.Parameter(uniform((fields,), fan, generator))

    def forward(
        self, tokens: Float[Tensor, "batch time *tokens d"], labels: Int[Tensor, " c"]
    ) -> Float[Tensor, "batch time *space c"]:
        """The fields that the labels name."""
        for size, kernel, norm in zip(self.strides[:-1], self.kernels, self.norms, strict=True):
            tokens = functional.gelu(norm(from_patches(mapped(tokens, kernel.flatten(1).mT), size)))
        kernel = self.field_kernels[:, labels]
        return from_patches(mapped(tokens, kernel.flatten(1).mT), self.strides[-1]) + self.field_bias[labels]


def uniform(shape: tuple[int, ...], fan: int, generator: Generator) -> Float[Tensor, "..."]:
    """Numbers uniform within 1/sqrt(fan)."""
    return (2 * torch.rand(shape, generator=generator) - 1) / fan**0.5


def check_patches(shape: tuple[int, ...], patch: int, place: str) -> None:
    """Raise `SimonidesError` unless a grid parts into at least two tokens, and into whole ones along each axis."""
    if any(cells % patch for cells in shape) or math.prod(cells // patch for cells in shape) < 2:
        raise SimonidesError(
            f"{place} has {' x '.join(map(str, shape))} cells; patches of {patch} need multiples of {patch}, and more "
            "than one patch. Give another patch (16, 8 or 4), or resample the data."
        )
