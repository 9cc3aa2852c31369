"""Baselines at equal budget: a local linear map, a U-Net and a Fourier neural operator, for one system each."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional

from simonides.base import SimonidesError, check_name
from simonides.papers.physics.metrics import nmse
from simonides.papers.physics.patches import uniform
from simonides.papers.physics.pretraining import PhysicsTraining, validation_pools
from simonides.papers.physics.scoring import Predictor, score
from simonides.papers.physics.simulations import Source, is_periodic
from simonides.papers.physics.windows import Mixture, Pool, Windows, pools
from simonides.training import Cosine, Update, fit

NETWORKS = ("unet", "fno")
BASELINES = ("linear", *NETWORKS)
# windows that a linear map is fitted to
_WINDOWS = 64


@dataclass(frozen=True, kw_only=True)
class LinearMap:
    """What is added to the last frame, as a linear function of the cells around in the last two frames.

    Arguments:
        weights: from all fields of both frames in a square of 3 cells a side, and a constant.
    """

    weights: Float[Tensor, "inputs fields"]

    def __call__(self, windows: Windows) -> Float[Tensor, "batch fields *space"]:
        """The next frames."""
        last = windows.seen[:, -1]
        change = _neighbours(windows) @ self.weights
        return last + change.movedim(-1, 1)


def fit_linear(pool: Pool, generator: Generator) -> LinearMap:
    """Least squares for the increments of windows drawn at random.

    Raises:
        SimonidesError: when space has not two axes, or windows hold fewer than two frames.
    """
    if len(pool.source.shape) != 2 or pool.frames < 2:
        raise SimonidesError("the linear map needs two axes of space and windows of two frames.")
    windows = pool.drawn(_WINDOWS, generator)
    rows = _neighbours(windows).flatten(0, 2).double()
    change = (windows.following[:, 0] - windows.seen[:, -1]).movedim(1, -1).flatten(0, 2).double()
    # fields of any unit count alike
    units = rows.square().mean(0).sqrt().clamp_min(1e-30)
    rows = rows / units
    # fields that repeat each other leave directions free: a tiny ridge keeps to the smallest solution
    gram = rows.mT @ rows
    ridge = 1e-8 * len(rows) * torch.eye(len(gram), dtype=torch.float64)
    return LinearMap(weights=(torch.linalg.solve(gram + ridge, rows.mT @ change) / units[:, None]).float())


def _neighbours(windows: Windows) -> Float[Tensor, "batch nx ny inputs"]:
    frames = windows.seen[:, -2:].flatten(1, 2)
    padded = _padded(frames, windows.boundaries, 1)
    parts = [padded[..., i : i + frames.shape[-2], j : j + frames.shape[-1]] for i in range(3) for j in range(3)]
    return torch.cat([*parts, torch.ones_like(frames[:, :1])], 1).movedim(1, -1)


def _padded(
    values: Float[Tensor, "batch c nx ny"], boundaries: tuple[tuple[str, str], ...], cells: int
) -> Float[Tensor, "batch c px py"]:
    """Cells around: the other side of a periodic axis, the outermost cells of another one."""
    across, along = ("circular" if closed else "replicate" for closed in is_periodic(boundaries))
    values = functional.pad(values, (0, 0, cells, cells), mode=across)
    return functional.pad(values, (cells, cells, 0, 0), mode=along)


class UNet(nn.Module):
    """Increments by convolutions at three resolutions with shortcuts (Ronneberger et al. 2015).

    Arguments:
        inputs: fields times frames.
        fields: that are predicted.
        width: channels of the finest resolution, doubled at each coarser one.
        generator: draws the weights.
    """

    def __init__(self, inputs: int, fields: int, width: int, generator: Generator) -> None:
        super().__init__()
        sizes = [
            (inputs, width),
            (width, 2 * width),
            (2 * width, 4 * width),
            (6 * width, 2 * width),
            (3 * width, width),
        ]
        self.kernels = nn.ParameterList(
            nn.Parameter(uniform((out, into, 3, 3), 9 * into, generator)) for into, out in sizes
        )
        self.norms = nn.ModuleList(nn.GroupNorm(4, out) for _, out in sizes)
        self.last = nn.Parameter(torch.zeros(fields, width, 1, 1))

    def forward(self, frames: Float[Tensor, "batch c nx ny"], boundaries: tuple[tuple[str, str], ...]) -> Tensor:
        """The increments, in units of the normalised fields."""

        def stage(values: Tensor, number: int) -> Tensor:
            found = functional.conv2d(_padded(values, boundaries, 1), self.kernels[number])
            return functional.gelu(self.norms[number](found))

        def finer(values: Tensor) -> Tensor:
            return functional.interpolate(values, scale_factor=2, mode="nearest")

        first = stage(frames, 0)
        second = stage(functional.avg_pool2d(first, 2), 1)
        third = stage(functional.avg_pool2d(second, 2), 2)
        second = stage(torch.cat([second, finer(third)], 1), 3)
        return functional.conv2d(stage(torch.cat([first, finer(second)], 1), 4), self.last)


class FourierOperator(nn.Module):
    """Increments by four layers that multiply low wave numbers by learned matrices (Li et al. 2021).

    Arguments:
        inputs, fields, width, generator: as of `UNet`.
        modes: wave numbers that are kept along each axis.
    """

    def __init__(self, inputs: int, fields: int, width: int, generator: Generator, modes: int = 8) -> None:
        super().__init__()
        self.modes = modes
        self.first = nn.Parameter(uniform((width, inputs), inputs, generator))
        self.spectral = nn.ParameterList(
            nn.Parameter(torch.randn(2, modes, modes, width, width, 2, generator=generator) / width)
            for _ in range(4)
        )
        self.pointwise = nn.ParameterList(
            nn.Parameter(uniform((width, width), width, generator)) for _ in range(4)
        )
        self.last = nn.Parameter(torch.zeros(fields, width))

    def forward(self, frames: Float[Tensor, "batch c nx ny"], boundaries: tuple[tuple[str, str], ...]) -> Tensor:
        """The increments, in units of the normalised fields."""
        values = torch.einsum("oc,bcxy->boxy", self.first, frames)
        for spectral, pointwise in zip(self.spectral, self.pointwise, strict=True):
            found = torch.fft.rfft2(values, norm="ortho")
            rows = min(self.modes, found.shape[-2] // 2)
            columns = min(self.modes, found.shape[-1])
            weights = torch.view_as_complex(spectral)
            out = torch.zeros_like(found)
            for part, place in ((0, slice(0, rows)), (1, slice(-rows, None))):
                out[..., place, :columns] = torch.einsum(
                    "bixy,xyio->boxy", found[..., place, :columns], weights[part, :rows, :columns]
                )
            mixed = torch.fft.irfft2(out, s=values.shape[-2:], norm="ortho")
            values = functional.gelu(mixed + torch.einsum("oc,bcxy->boxy", pointwise, values))
        return torch.einsum("fc,bcxy->bfxy", self.last, values)


class Baseline(nn.Module):
    """A network in the frame of the AViT: its input is normalised by the window, and it adds to the last frame.

    Arguments:
        network: a `UNet` or a `FourierOperator`.
    """

    def __init__(self, network: UNet | FourierOperator) -> None:
        super().__init__()
        self.network = network

    def forward(self, windows: Windows) -> Float[Tensor, "batch fields nx ny"]:
        """The next frames."""
        seen = windows.seen
        scale, mean = torch.std_mean(seen, (1, 3, 4), keepdim=True)
        scale = scale + 1e-7
        increment = seen.diff(dim=1).square().mean((1, 3, 4), keepdim=True).sqrt()
        change = self.network(((seen - mean) / scale).flatten(1, 2), windows.boundaries)
        return seen[:, -1] + change * torch.maximum(increment[:, 0], 0.01 * scale[:, 0])


def train_baseline(
    kind: str, source: Source, training: PhysicsTraining, generator: Generator, width: int = 24
) -> Baseline:
    """A network for one system, trained as `pretrain` trains the AViT.

    Arguments:
        kind: "unet" or "fno".
        source: of two axes of space.
        training: how.
        generator: draws weights and batches.
        width: channels, a multiple of 4.

    Raises:
        SimonidesError: when the kind is unknown or space has not two axes.
    """
    check_name("network", kind, NETWORKS)
    if len(source.shape) != 2 or training.frames < 2:
        raise SimonidesError(f"{source.place}: these networks need two axes of space and windows of two frames.")
    if min(source.shape) < 4:
        raise SimonidesError(f"{source.place} has {source.shape} cells; give at least 4 along each axis.")
    if kind == "unet" and any(cells % 4 for cells in source.shape):
        raise SimonidesError(
            f"{source.place} has {source.shape} cells; a U-Net needs multiples of 4 along each axis."
        )
    if width < 4 or width % 4:
        raise SimonidesError(f"width = {width}; give a multiple of 4.")
    mixture = Mixture(
        pools=pools([source], "train", training.frames, training.stride), batch=training.batch, skipped=[0]
    )
    if mixture.pools[0].frames < 2:
        raise SimonidesError(f"{source.place} has too few frames for windows of two at stride {training.stride}.")
    fields, frames = len(source.fields), mixture.pools[0].frames
    make = UNet if kind == "unet" else FourierOperator
    baseline = Baseline(make(fields * frames, fields, width, generator))

    def loss(model: nn.Module, windows: Windows) -> Tensor:
        return nmse(model(windows), windows.following[:, 0], 2).mean()

    fit(
        baseline,
        loss,
        mixture,
        training.optimiser_of,
        training.steps,
        generator,
        Update(
            accumulate=training.accumulate,
            clip=training.clip,
            schedule=Cosine(steps=training.steps, warmup=min(training.warmup, training.steps // 10), floor=0.01),
        ),
    )
    return baseline.eval()


def baseline_scores(
    sources: Sequence[Source], training: PhysicsTraining, names: Sequence[str], generator: Generator
) -> dict[str, dict[str, float]]:
    """NRMSE of one step of each baseline by system, each trained on the largest source of the system alone.

    Networks have as many updates as `training` has for all systems together, divided by the systems.

    Arguments:
        sources: of two axes of space.
        training: how the model they stand beside was trained.
        names: "linear", "unet", "fno".
        generator: draws weights and windows.

    Raises:
        SimonidesError: when a name is unknown, or a network cannot be trained on a source.
    """
    for name in names:
        check_name("baseline", name, BASELINES)
    systems: dict[str, list[Source]] = {}
    for pool in pools(sources, "train", training.frames, training.stride):
        systems.setdefault(pool.source.system, []).append(pool.source)
    share = dataclasses.replace(training, steps=max(training.steps // len(systems), 1), every=0, jitter=False)
    found: dict[str, dict[str, float]] = {}
    for system, own in systems.items():
        largest = max(own, key=lambda source: source.trajectories)
        watched = validation_pools([one for one in sources if one.system == system], training)
        watched = tuple(pool for pool in watched if pool.source.fields == largest.fields)
        for name in names:
            if name == "linear":
                (train,) = pools([largest], "train", training.frames, training.stride)
                predict: Predictor = fit_linear(train, generator)
            else:
                predict = train_baseline(name, largest, share, generator)
            found.setdefault(system, {})[name] = score(predict, watched, training.validation)[system].nrmse
    return found
