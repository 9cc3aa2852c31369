"""A synthetic field of temperatures on the globe, in the form of the paper's weather data (Golkar et al. 2023).

T = zonal mean + season + day + land and sea + weather, in degrees Celsius. Weather is a Gaussian field of correlation
length 0.35 of the globe's radius whose modes forget in 60 hours. Real reanalyses are in no package; what the task
needs is
here: place, season, hour and neighbours all tell something of a station's next value.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from simonides.base import check_at_least
from simonides.papers.numbers.documents import like
from simonides.papers.numbers.sequences import NumberSequences

HOURS = 8.0
_YEAR = 365.25 * 24
_MODES, _LENGTH, _MEMORY = 256, 0.35, 60.0
_MEAN, _SPREAD = 10.6, 16.3


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Temperatures of stations at equal steps of 8 hours.

    Arguments:
        latitude, longitude: of each station, in radians.
        start: hours since the beginning of a year.
        celsius: of each station at each time.
    """

    latitude: Float[Tensor, "B S"]
    longitude: Float[Tensor, "B S"]
    start: Float[Tensor, " B"]
    celsius: Float[Tensor, "B S T"]

    def features(self) -> tuple[Float[Tensor, "B S 3"], Float[Tensor, "B 4"]]:
        """sin(latitude), sin and cos(longitude) of each station; sin and cos of day of the year and time of day."""
        coords = torch.stack([self.latitude.sin(), self.longitude.sin(), self.longitude.cos()], -1)
        year, day = 2 * math.pi * self.start / _YEAR, 2 * math.pi * self.start / 24
        return coords, torch.stack([year.sin(), year.cos(), day.sin(), day.cos()], -1)

    def standardised(self) -> Float[Tensor, "B S T"]:
        """Degrees less the mean of the field, in units of its spread."""
        return (self.celsius - _MEAN) / _SPREAD

    def sequences(self) -> NumberSequences:
        """JSON as in the paper: coords and start of the description, then each station's series."""
        coords, start = self.features()
        stations, times = self.celsius.shape[1:]
        document = {
            "description": {"coords": [[0, 0, 0]] * stations, "start": [0, 0, 0, 0]},
            "data": [[0] * times] * stations,
        }
        return like(document, torch.cat([coords.flatten(1), start, self.standardised().flatten(1)], 1))


def degrees(standardised: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Degrees Celsius again."""
    return standardised * _SPREAD + _MEAN


def draw_weather(count: int, stations: int, times: int, generator: Generator) -> Weather:
    """Random stations at random hours of the year; the land, the sea and the laws are always the same.

    Arguments:
        count: B.
        stations: S of each.
        times: T.
        generator: draws stations, hours and weather.
    """
    for name, value in (("count", count), ("stations", stations), ("times", times)):
        check_at_least(name, value, 1)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    latitude = (2 * uniform(count, stations) - 1).asin()
    longitude = 2 * math.pi * uniform(count, stations)
    start = (_YEAR * uniform(count) / HOURS).floor() * HOURS
    hours = start[:, None] + HOURS * torch.arange(times, dtype=torch.float64)
    points = torch.stack([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()], -1)
    fixed = torch.Generator().manual_seed(0)
    land = torch.sigmoid(3 * (_waves(points, 32, 0.7, fixed).sum(-1) * (2 / 32) ** 0.5))
    zonal = 27 - 45 * latitude.sin().square() - 4 * land * latitude.sin().abs()
    angle = 2 * math.pi * (hours / _YEAR - 0.55)[:, None]
    season = (5 + 13 * land)[..., None] * latitude.sin()[..., None] * angle.cos()
    local = hours[:, None] / 24 + longitude[..., None] / (2 * math.pi) - 0.6
    day = (1 + 5 * land)[..., None] * latitude.cos()[..., None] * (2 * math.pi * local).cos()
    waves = _waves(points, _MODES, _LENGTH, fixed) * (2 / _MODES) ** 0.5
    memory = math.exp(-HOURS / _MEMORY)
    modes = torch.randn(count, _MODES, generator=generator, dtype=torch.float64)
    series = []
    for _ in range(times):
        series.append((waves * modes[:, None]).sum(-1))
        fresh = torch.randn(count, _MODES, generator=generator, dtype=torch.float64)
        modes = memory * modes + (1 - memory**2) ** 0.5 * fresh
    weather = (3.5 * (0.6 + latitude.sin().abs()))[..., None] * torch.stack(series, -1)
    celsius = zonal[..., None] + season + day + weather
    return Weather(latitude=latitude, longitude=longitude, start=start, celsius=celsius)


def _waves(points: Tensor, modes: int, length: float, generator: Generator) -> Tensor:
    """cos(w . x + b) for random w: a Gaussian field of a correlation length, given random amplitudes."""
    directions = torch.randn(3, modes, generator=generator, dtype=torch.float64) / length
    phases = 2 * math.pi * torch.rand(modes, generator=generator, dtype=torch.float64)
    return (points @ directions + phases).cos()
