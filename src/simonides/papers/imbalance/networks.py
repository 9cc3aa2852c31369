"""Networks for images: the small convolutional one of the paper, and a residual one."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least


def drawn_from(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """The model with weights and biases uniform within 1/sqrt(fan-in), as torch has them, drawn from a generator."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                bound = module.weight[0].numel() ** -0.5
                for parameter in module.parameters(recurse=False):
                    parameter.uniform_(-bound, bound, generator=generator)
    return model


class SmallCNN(nn.Module):
    """Convolution, ReLU, halving by maxima, twice, and a linear layer (Kunstner et al. 2024, barcoded MNIST).

    There: 28 x 28 pixels, kernels of 5, 32 and 100 channels, without padding in the first convolution's input.

    Arguments:
        classes: C.
        size: of the square images, in pixels.
        channels: of the two convolutions.
        kernel: odd; images are padded to keep their size.
    """

    def __init__(self, classes: int, size: int, channels: tuple[int, int] = (32, 100), kernel: int = 5) -> None:
        super().__init__()
        check_at_least("classes", classes, 2)
        check_at_least("size", size, 4)
        if kernel % 2 == 0:
            raise SimonidesError(f"kernel = {kernel} is even; give an odd one.")
        first, second = channels
        self.first = nn.Conv2d(1, first, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(first, second, kernel, padding=kernel // 2)
        self.head = nn.Linear(second * (size // 4) ** 2, classes)

    def forward(self, x: Float[Tensor, "n h w"]) -> Float[Tensor, "n C"]:
        """Logits."""
        hidden = nn.functional.max_pool2d(self.first(x[:, None]).relu(), 2)
        hidden = nn.functional.max_pool2d(self.second(hidden).relu(), 2)
        logits: Tensor = self.head(hidden.flatten(1))
        return logits


class ResidualNetwork(nn.Module):
    """Stages of two residual blocks each, every stage with half the side and twice the channels, as ResNet-18.

    Group normalisation in place of batch normalisation: no sample sees another, so losses by class are of the classes.

    Arguments:
        classes: C.
        channels: of the first stage.
        stages: how many.
        inputs: channels of the images, 1 for grey.
    """

    def __init__(self, classes: int, channels: int = 64, stages: int = 4, inputs: int = 1) -> None:
        super().__init__()
        for name, value in (("classes", classes), ("channels", channels), ("stages", stages), ("inputs", inputs)):
            check_at_least(name, value, 1)
        self.stem = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        width = channels
        for stage in range(stages):
            wider = channels * 2**stage
            blocks += [_Block(width, wider, 1 if stage == 0 else 2), _Block(wider, wider, 1)]
            width = wider
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.GroupNorm(min(8, width), width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n C"]:
        """Logits, of images (n, h, w) or (n, channels, h, w)."""
        hidden = self.blocks(self.stem(x[:, None] if x.dim() == 3 else x))
        logits: Tensor = self.head(self.norm(hidden).relu().mean((2, 3)))
        return logits


class _Block(nn.Module):
    """x + f(x), f of two normalised convolutions of 3 x 3."""

    def __init__(self, width: int, wider: int, stride: int) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(min(8, width), width)
        self.first = nn.Conv2d(width, wider, 3, stride, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(min(8, wider), wider)
        self.second = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        same = stride == 1 and width == wider
        self.shortcut = nn.Identity() if same else nn.Conv2d(width, wider, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(self.first_norm(x).relu())
        hidden = self.second(self.second_norm(hidden).relu())
        return torch.add(self.shortcut(x), hidden)
