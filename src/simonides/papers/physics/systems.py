"""Every system that simonides solves itself, with its domain, its fields and what may be set of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from torch import Generator, Tensor

from simonides.papers.physics import (
    advection_diffusion,
    compressible,
    diffusion_reaction,
    incompressible,
    no_slip,
    shallow_water,
)

Draw = Callable[[int, Generator, Mapping[str, float | str]], tuple[dict[str, Tensor], dict[str, float]]]
Frames = Callable[[Mapping[str, Tensor], Mapping[str, Tensor], Tensor], Iterator[Tensor]]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What may be set of a system.

    Arguments:
        default: its value.
        meaning: in a few words.
        choices: names it may be, where it is a name.
        positive: whether it has to be larger than 0.
    """

    default: float | str
    meaning: str
    choices: tuple[str, ...] = ()
    positive: bool = False


@dataclass(frozen=True, kw_only=True)
class System:
    """A law with its initial data, which `simulate` solves.

    Arguments:
        name: of the system.
        description: one sentence.
        dimensions: of space.
        fields: names of the channels.
        cells: along each axis, if nothing else is asked for.
        frames: of a trajectory, if nothing else is asked for.
        duration: time of the last frame; the first is at 0.
        low, high: ends of each axis.
        boundary: kind of every face.
        draw: initial data and numbers of one trajectory.
        solve: fields of a batch at each time.
        parameters: what may be set, by name.
    """

    name: str
    description: str
    dimensions: int
    fields: tuple[str, ...]
    cells: int
    frames: int
    duration: float
    low: float
    high: float
    boundary: str
    draw: Draw
    solve: Frames
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


_SPEED = {
    "least_speed": Parameter(default=0.5, meaning="smallest speed that is drawn", positive=True),
    "most_speed": Parameter(default=1.5, meaning="largest speed that is drawn", positive=True),
}
_DIFFUSIVITY = {
    "least_diffusivity": Parameter(default=1e-3, meaning="smallest diffusivity that is drawn", positive=True),
    "most_diffusivity": Parameter(default=1e-2, meaning="largest diffusivity that is drawn", positive=True),
}
_FLOW = {
    "viscosity": Parameter(default=2e-3, meaning="kinematic viscosity"),
    "diffusivity": Parameter(default=2e-3, meaning="diffusivity of the tracer"),
    "force": Parameter(default=1.0, meaning="root mean square of the steady random force"),
}


def _line(name: str, description: str, parameters: Mapping[str, Parameter]) -> System:
    return System(
        name=name,
        description=description,
        dimensions=1,
        fields=("concentration",),
        cells=128,
        frames=21,
        duration=1.0,
        low=0.0,
        high=1.0,
        boundary="periodic",
        draw=advection_diffusion.draw,
        solve=advection_diffusion.frames,
        parameters=parameters,
    )


_ALL = (
    System(
        name="shallow-water",
        description="Shallow water behind a circular dam of random radius that breaks.",
        dimensions=2,
        fields=("height",),
        cells=128,
        frames=101,
        duration=1.0,
        low=shallow_water.LOW,
        high=shallow_water.HIGH,
        boundary="open",
        draw=shallow_water.draw,
        solve=shallow_water.frames,
        parameters={
            "least_radius": Parameter(default=0.3, meaning="smallest radius that is drawn", positive=True),
            "most_radius": Parameter(default=0.7, meaning="largest radius that is drawn", positive=True),
        },
    ),
    System(
        name="diffusion-reaction",
        description="FitzHugh and Nagumo's activator and inhibitor, which make patterns from noise.",
        dimensions=2,
        fields=("activator", "inhibitor"),
        cells=128,
        frames=101,
        duration=5.0,
        low=diffusion_reaction.LOW,
        high=diffusion_reaction.HIGH,
        boundary="wall",
        draw=diffusion_reaction.draw,
        solve=diffusion_reaction.frames,
        parameters={
            "activator_diffusivity": Parameter(default=1e-3, meaning="diffusivity of the activator"),
            "inhibitor_diffusivity": Parameter(default=5e-3, meaning="diffusivity of the inhibitor"),
            "threshold": Parameter(default=5e-3, meaning="constant k that inhibits the activator"),
        },
    ),
    System(
        name="incompressible",
        description="Incompressible flow in a periodic square under a steady random force, with a passive tracer.",
        dimensions=2,
        fields=("velocity_x", "velocity_y", "tracer"),
        cells=64,
        frames=51,
        duration=1.0,
        low=0.0,
        high=1.0,
        boundary="periodic",
        draw=incompressible.draw,
        solve=incompressible.frames,
        parameters=_FLOW,
    ),
    System(
        name="incompressible-walls",
        description="Incompressible flow between walls that it sticks to, under a steady random force, with a tracer.",
        dimensions=2,
        fields=("velocity_x", "velocity_y", "tracer"),
        cells=64,
        frames=51,
        duration=1.0,
        low=0.0,
        high=1.0,
        boundary="wall",
        draw=no_slip.draw,
        solve=no_slip.frames,
        parameters=_FLOW,
    ),
    System(
        name="compressible",
        description="Compressible flow of an ideal gas (gamma = 5/3) in a periodic square, from random fields.",
        dimensions=2,
        fields=("velocity_x", "velocity_y", "density", "pressure"),
        cells=64,
        frames=21,
        duration=1.0,
        low=0.0,
        high=1.0,
        boundary="periodic",
        draw=compressible.draw,
        solve=compressible.frames,
        parameters={
            "mach": Parameter(
                default=1.0, meaning="root mean square speed over the speed of sound at first", positive=True
            ),
            "viscosity": Parameter(default=0.0, meaning="shear and bulk viscosity, eta = zeta; 0 is Euler's"),
            "initial": Parameter(
                default="random",
                meaning="smooth random fields, or turbulence: divergence-free velocity, constant density and pressure",
                choices=("random", "turbulence"),
            ),
        },
    ),
    _line("advection", "A smooth random profile carried along a periodic line at a random speed.", _SPEED),
    _line("diffusion", "A smooth random profile that spreads on a periodic line at a random rate.", _DIFFUSIVITY),
    _line(
        "advection-diffusion",
        "A smooth random profile carried along a periodic line while it spreads, at random rates.",
        {**_SPEED, **_DIFFUSIVITY},
    ),
)
SYSTEMS: dict[str, System] = {system.name: system for system in _ALL}
