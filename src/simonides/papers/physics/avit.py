"""The axial vision transformer (AViT) of multiple physics pretraining: frames of named fields in, the next frame out.

McCabe et al. (2024): fields of every system are normalised by the window that is seen, embedded by a column for each
field of a vocabulary, and processed by blocks that all systems share. Space may have one, two or three axes.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Generator, Tensor, nn

from simonides.base import (
    SimonidesError,
    json_text,
    new_folder,
    read_json_object,
    suggest,
    write_tensors,
    write_text,
)
from simonides.papers.physics.avit_config import AViTConfig, check_names
from simonides.papers.physics.patches import ReadOut, Stem, check_patches, uniform
from simonides.papers.physics.simulations import BOUNDARY_KINDS, check_boundaries, is_periodic
from simonides.papers.physics.spacetime import Block

Boundaries = tuple[tuple[str, str], ...]


class AViT(nn.Module):
    """Predicts the frame behind a window of frames.

    Arguments:
        config: its parts.
        generator: draws the weights.

    >>> generator = torch.Generator().manual_seed(0)
    >>> model = AViT(AViTConfig(fields=("swe:h",), d=16, heads=2, blocks=1, patch=4), generator)
    >>> walls = (("wall", "wall"), ("wall", "wall"))
    >>> model(torch.randn(2, 3, 1, 8, 8, generator=generator), ["swe:h"], walls).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, config: AViTConfig, generator: Generator) -> None:
        super().__init__()
        self.config = config
        sizes = (len(config.fields), config.d, config.patch, config.dimensions)
        self.stem = Stem(*sizes, generator)
        rates = torch.linspace(0, config.drop_path, config.blocks).tolist()
        self.blocks = nn.ModuleList(
            Block(config.d, config.heads, config.layer_scale, rate, generator) for rate in rates
        )
        self.read_out = ReadOut(*sizes, generator)
        if config.predict == "delta":
            # an untrained model then predicts that nothing changes
            nn.init.zeros_(self.read_out.field_kernels)
            nn.init.zeros_(self.read_out.field_bias)
        if config.faces:
            self.faces = nn.Parameter(torch.zeros(len(BOUNDARY_KINDS), config.d))

    @property
    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters())

    def labels(self, fields: Iterable[str]) -> list[int]:
        """Places of fields in the vocabulary.

        Raises:
            SimonidesError: when a field is not in it.
        """
        known = {name: place for place, name in enumerate(self.config.fields)}
        fields = list(fields)
        for name in fields:
            if name not in known:
                raise SimonidesError(
                    f"the model does not know the field {name!r}; {suggest(name, known)} Fine-tuning adds new ones."
                )
        return [known[name] for name in fields]

    def forward(
        self,
        window: Float[Tensor, "batch time fields *space"],
        fields: Iterable[str],
        boundaries: Boundaries,
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch fields *space"]:
        """The frame behind each window, in the window's own units.

        Arguments:
            window: frames at equal times; all of one system.
            fields: their names in the vocabulary, "system:field".
            boundaries: kinds of the lower and upper face of each axis of space.
            generator: draws who skips a path, in training mode; None for nobody.

        Raises:
            SimonidesError: when fields are unknown, or the grid does not part into patches.
        """
        labels = torch.tensor(self.labels(fields), device=window.device)
        self._check(window, len(labels), boundaries)
        space = tuple(range(3, window.dim()))
        with torch.no_grad():
            if self.config.normalise:
                scale, mean = torch.std_mean(window, (1, *space), keepdim=True)
                scale = scale + 1e-7
            else:
                mean = torch.zeros_like(window[:, :1].mean(space, keepdim=True))
                scale = torch.ones_like(mean)
        cells = ((window - mean) / scale).movedim(2, -1)
        stream = self.stem(cells, labels)
        if self.config.faces:
            stream = self._with_faces(stream, boundaries)
        periodic = is_periodic(boundaries)
        for number, block in enumerate(self.blocks, start=1):
            drawn = generator if self.training else None
            stream = block(stream, periodic, self.config.wrap, number == len(self.blocks), drawn)
        answer = self.read_out(stream, labels)[:, 0].movedim(-1, 1)
        if self.config.predict == "state":
            return answer * scale[:, 0] + mean[:, 0]
        last = window[:, -1]
        return last + answer * (self._increment(window, space, scale) if self.config.normalise else 1.0)

    def _increment(
        self, window: Float[Tensor, "batch time fields *space"], space: tuple[int, ...], scale: Tensor
    ) -> Float[Tensor, "batch fields *ones"]:
        """The root mean square of what the window's frames differ by, at least a hundredth of its deviation."""
        floor = 0.01 * scale[:, 0]
        if window.shape[1] < 2:
            return scale[:, 0]
        with torch.no_grad():
            moved = window.diff(dim=1).square().mean((1, *space)).sqrt()
            return torch.maximum(moved.reshape(floor.shape), floor)

    def _with_faces(self, stream: Tensor, boundaries: Boundaries) -> Tensor:
        for axis, kinds in enumerate(boundaries):
            along = torch.zeros(stream.shape[2 + axis], self.config.d, device=stream.device, dtype=stream.dtype)
            for place, kind in ((0, kinds[0]), (-1, kinds[1])):
                if kind != "periodic":
                    along = along.index_add(
                        0,
                        torch.tensor([place % len(along)], device=stream.device),
                        self.faces[BOUNDARY_KINDS.index(kind)][None].to(stream.dtype),
                    )
            shape = [1] * stream.dim()
            shape[2 + axis], shape[-1] = along.shape
            stream = stream + along.reshape(shape)
        return stream

    def _check(self, window: Tensor, fields: int, boundaries: Boundaries) -> None:
        if window.dim() != 3 + self.config.dimensions or window.shape[2] != fields or 0 in window.shape:
            raise SimonidesError(
                f"the window has shape {list(window.shape)}; expected batch x time x {fields} fields x "
                f"{self.config.dimensions} axes of space, none of them empty."
            )
        kind = self.stem.columns.dtype
        if window.dtype != kind:
            raise SimonidesError(f"the window is {window.dtype}; the model computes in {kind}. Convert it.")
        check_patches(tuple(window.shape[3:]), self.config.patch, "the window")
        check_boundaries("the window", boundaries, self.config.dimensions)

    def add_fields(self, fields: Iterable[str], generator: Generator) -> None:
        """Append fields to the vocabulary: new columns and kernels, the old ones kept.

        Make the optimiser afterwards: the embedding and the read-out are new parameters.

        Arguments:
            fields: their names; those that are known already stay as they are.
            generator: draws what is new.
        """
        new = [name for name in fields if name not in self.config.fields]
        if not new:
            return
        every = (*self.config.fields, *new)
        check_names(every)
        stem, read_out, count = self.stem, self.read_out, len(self.config.fields)
        # the embedding is multiplied by the root of the vocabulary's size; what is known keeps its product
        ratio = (count / len(every)) ** 0.5
        drawn = uniform((stem.columns.shape[0], len(new)), count, generator).to(stem.columns)
        stem.columns = nn.Parameter(torch.cat([stem.columns.detach(), drawn], 1) * ratio)
        stem.bias = nn.Parameter(stem.bias.detach() * ratio)
        kernels, bias = read_out.field_kernels.detach(), read_out.field_bias.detach()
        if self.config.predict == "delta":
            more, offset = (
                torch.zeros_like(kernels[:, :1]).expand(-1, len(new), *kernels.shape[2:]),
                bias.new_zeros(len(new)),
            )
        else:
            fan = kernels[0].numel()
            more = uniform((len(kernels), len(new), *kernels.shape[2:]), fan, generator).to(kernels)
            offset = uniform((len(new),), fan, generator).to(bias)
        read_out.field_kernels = nn.Parameter(torch.cat([kernels, more], 1))
        read_out.field_bias = nn.Parameter(torch.cat([bias, offset]))
        self.config = dataclasses.replace(self.config, fields=every)

    def save_pretrained(self, folder: Path | str, about: Mapping[str, Any] | None = None) -> None:
        """Write config.json, with the names of the fields, and model.safetensors into a new folder.

        Arguments:
            folder: that does not exist, or is empty.
            about: what else is told of the model, such as the data of its training.

        Raises:
            SimonidesError: when something is there, or it cannot be written.
        """
        with new_folder(Path(folder)) as building:
            write_tensors(building / "model.safetensors", self.state_dict())
            content = {
                "model_type": "simonides-avit",
                **dataclasses.asdict(self.config),
                "about": dict(about or {}),
            }
            write_text(building / "config.json", json_text(content))

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> "AViT":
        """The model that `save_pretrained` has written.

        Raises:
            SimonidesError: when the folder holds none, or files are damaged or of another model.
        """
        folder = Path(folder)
        content = read_json_object(folder / "config.json")
        known = {field.name for field in dataclasses.fields(AViTConfig)}
        settings = {name: value for name, value in content.items() if name in known}
        strange = content.keys() - known - {"model_type", "about"}
        if content.get("model_type") != "simonides-avit" or known - settings.keys() or strange:
            raise SimonidesError(
                f"{folder / 'config.json'} is of no model of simulations: it lacks or adds "
                f"{', '.join(sorted((known - settings.keys()) | strange)) or 'the right model_type'}."
            )
        try:
            fields = settings.pop("fields")
            config = AViTConfig(**settings, fields=tuple(fields))
            model = cls(config, torch.Generator().manual_seed(0))
            stored = load_file(folder / "model.safetensors")
        except (OSError, SafetensorError, TypeError, KeyError, RuntimeError) as error:
            raise SimonidesError(f"the model in {folder} cannot be read: {error}.") from None
        load_weights(model, stored, str(folder))
        return model


def load_weights(model: nn.Module, stored: Mapping[str, Tensor], place: str) -> None:
    """Give a model its weights.

    Raises:
        SimonidesError: when names or shapes are others, or numbers are not finite.
    """
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    there = {name: tuple(value.shape) for name, value in stored.items()}
    if wanted != there:
        wrong = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
        name = wrong[0]
        raise SimonidesError(
            f"{place} is of another model: {name} is {there.get(name, 'missing')}, expected "
            f"{wanted.get(name, 'nothing of this name')} ({len(wrong)} tensors differ)."
        )
    for name, value in stored.items():
        if not bool(torch.isfinite(value).all()):
            raise SimonidesError(f"{place}: {name} holds numbers that are not finite.")
    model.load_state_dict(stored)
