"""Images of frequent classes, and many rare classes that a barcode tells apart.

Kunstner et al. (2024, figure on barcoded MNIST): half of the samples are of ten frequent classes, half of thousands
of classes with five images each: a digit with a code of bits in its first pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.data import Images

PARTS = ("both", "frequent", "rare")


@dataclass(frozen=True, kw_only=True, eq=False)
class BarcodedImages:
    """Standardised images x of classes; those below `frequent` are the images' own classes."""

    x: Float[Tensor, "n h w"]
    targets: Int[Tensor, " n"]
    classes: int
    frequent: int

    @property
    def counts(self) -> Int[Tensor, " C"]:
        """Images of each class."""
        return torch.bincount(self.targets, minlength=self.classes)


def barcoded(
    images: Images,
    generator: torch.Generator,
    bits: int = 6,
    copies: int = 3,
    part: str = "both",
    all_zero_code: bool = False,
) -> BarcodedImages:
    """Add a class for each class of the images and each code, of `copies` images drawn with replacement.

    The code is written at full intensity into the first pixels of the first row. Pixels that vary are then
    standardised over all images.

    Arguments:
        images: of the frequent classes.
        generator: draws the images of the rare classes.
        bits: of a code.
        copies: images of each rare class.
        part: "both", or one of the balanced twins: the "frequent" classes alone, or the "rare" ones alone.
        all_zero_code: whether the code of zeros counts, as in the released code: its images look like the frequent
            classes' under another label, which no model can tell apart.

    Raises:
        SimonidesError: when a code does not fit into a row.
    """
    check_at_least("bits", bits, 1)
    check_at_least("copies", copies, 1)
    if bits > images.pixels.shape[2]:
        raise SimonidesError(f"a code of {bits} bits does not fit into rows of {images.pixels.shape[2]} pixels.")
    if part not in PARTS:
        raise SimonidesError(f"part = {part!r}; give one of {', '.join(PARTS)}.")
    own = len(images.names)
    if int(torch.bincount(images.targets, minlength=own).min()) == 0:
        raise SimonidesError("a class has no images; leave it out.")
    codes = torch.arange(0 if all_zero_code else 1, 2**bits)
    written = (codes[:, None] >> torch.arange(bits) & 1).float()
    pixels, targets = [], []
    for digit in range(own):
        members = (images.targets == digit).nonzero()[:, 0]
        chosen = members[torch.randint(len(members), (len(codes), copies), generator=generator)]
        drawn = images.pixels[chosen]  # (codes, copies, h, w)
        drawn[:, :, 0, :bits] = written[:, None]
        pixels.append(drawn.flatten(0, 1))
        targets.append((own + digit * len(codes) + torch.arange(len(codes))).repeat_interleave(copies))
    rare, rare_targets = torch.cat(pixels), torch.cat(targets)
    if part == "both":
        x, y, frequent = torch.cat([images.pixels, rare]), torch.cat([images.targets, rare_targets]), own
    elif part == "frequent":
        x, y, frequent = images.pixels, images.targets, own
    else:
        x, y, frequent = rare, rare_targets - own, 0
    spread = x.std(0, correction=0)
    x = torch.where(spread > 0, (x - x.mean(0)) / spread.clamp_min(1e-12), 0.0)
    return BarcodedImages(x=x, targets=y, classes=int(y.max()) + 1, frequent=frequent)
