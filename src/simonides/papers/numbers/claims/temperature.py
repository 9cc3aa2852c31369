"""Temperatures of stations eight hours on: xVal predicts better than text and persistence, and about as small networks.

Golkar et al. (2023, table 4), squared errors in degrees at equal samples: xVal 1.75, P1000 20, B1999 20, FP15 2.14;
networks of all stations 2.31, of one station 1.57. The field here is synthetic.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from simonides.lab import Claim, Grid, Ordered, Reported, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.nn import mapped
from simonides.papers.numbers.claims._training import columns, quality, trained
from simonides.papers.numbers.sequences import NumberSequences
from simonides.papers.numbers.temperature import Weather, degrees, draw_weather
from simonides.training import fit

_DAY = 3  # steps of eight hours


def last_step(sequences: NumberSequences, stations: int, times: int) -> Tensor:
    """The last number of each station's series."""
    order = sequences.is_number.cumsum(1) - 1
    first = 3 * stations + 4
    wanted = torch.tensor([first + times * station + times - 1 for station in range(stations)])
    return torch.isin(order, wanted) & sequences.is_number


class Network(nn.Module):
    """Two hidden layers of 128 units.

    Arguments:
        inputs: numbers that are read.
        generator: draws the weights.
    """

    def __init__(self, inputs: int, generator: Generator) -> None:
        super().__init__()
        shapes = ((128, inputs), (128, 128), (1, 128))
        self.weights = nn.ParameterList(
            torch.randn(shape, generator=generator) * (2 / shape[1]) ** 0.5 for shape in shapes
        )
        self.biases = nn.ParameterList(torch.zeros(shape[0]) for shape in shapes)

    def forward(self, read: Float[Tensor, "n inputs"]) -> Float[Tensor, " n"]:
        """One number of each row."""
        hidden = read
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = mapped(torch.relu(hidden) if place else hidden, weight) + bias
        return hidden[:, 0]


def station_rows(weather: Weather) -> tuple[Float[Tensor, "n inputs"], Float[Tensor, " n"]]:
    """One station's past, its place and the start, with what comes next, standardised."""
    coords, start = weather.features()
    series = weather.standardised()
    own = start[:, None].expand(-1, series.shape[1], -1)
    read = torch.cat([series[..., :-1], coords, own], -1).flatten(0, 1)
    return read.float(), series[..., -1].flatten().float()


def network_error(train: Weather, test: Weather, steps: int, generator: Generator, device: torch.device) -> float:
    """Squared error in degrees of a network that is given one station."""
    x, y = station_rows(train)
    network = Network(x.shape[1], generator).to(device)

    def draw(own: Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(y), (512,), generator=own)
        return x[rows], y[rows]

    fit(
        network,
        lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
        draw,
        lambda parameters: torch.optim.Adam(parameters, lr=2e-3),
        steps,
        generator,
    )
    read, truth = station_rows(test)
    with torch.no_grad():
        said = network(read.to(device)).cpu().double()
    return float((degrees(said) - degrees(truth.double())).square().mean())


def measure(
    runs: Runs, *, encoding: str, stations: int, times: int, steps: int, d: int, samples: int
) -> dict[str, Tensor]:
    """Squared errors in degrees of the model, of a network, of the last value and of the same hour yesterday."""
    weather = draw_weather(samples, stations, times, torch.Generator().manual_seed(0))
    ahead = draw_weather(1000, stations, times, torch.Generator().manual_seed(1))
    train, test = weather.sequences(), ahead.sequences()
    found = trained(runs, train, encoding, steps=steps, d=d, batch=32, asked=last_step(train, stations, times))
    truth = ahead.celsius[..., -1]
    constant = float(truth.var(correction=0))
    rows = []
    for run, generator in enumerate(runs.generators):
        answers = degrees(found.answers(run, test, last_step(test, stations, times)).values)
        rows.append(
            {
                "model": quality(answers.flatten(), truth.flatten()).squared,
                "network": network_error(weather, ahead, 2 * steps, generator, runs.device),
                "persistence": float((ahead.celsius[..., -2] - truth).square().mean()),
                "yesterday": float((ahead.celsius[..., -1 - _DAY] - truth).square().mean()),
                "constant": constant,
            }
        )
    table = columns(rows)
    gains = {f"over_{name}": table[name] - table["model"] for name in ("persistence", "yesterday")}
    return {**table, **gains, "against_network": table["model"] / table["network"]}


def grid(encodings: list[str], stations: int, times: int, steps: int, d: int, samples: int, seeds: int) -> Grid:
    """Encodings."""
    return product(
        encoding=encodings, stations=[stations], times=[times], steps=[steps], d=[d], samples=[samples]
    ).with_seeds(seeds)


claim = Claim(
    question="Does a model of numbers forecast temperatures better than one of text, and than plain methods?",
    statement=r"T_{s,1}, \dots, T_{s,t} \mapsto T_{s,t+1} \text{ for all stations } s",
    source="Golkar et al. (2023), table 4",
    references=["golkar2023xval"],
    scales={
        "smoke": grid(["xval", "b1999"], 3, 5, 20, 16, 200, 5),
        "desk": grid(["xval", "b1999"], 6, 5, 1000, 32, 20_000, 5),
        "paper": grid(["xval", "p10", "p1000", "b1999", "fp15"], 75, 12, 500_000, 768, 1_000_000, 5),
    },
    measure=measure,
    rules=[
        Ordered(
            column="model",
            by="encoding",
            order=("xval", "b1999"),
            paper=Reported(value=18.25, where="table 4, 20 less 1.75"),
            says="squared error of B1999 less that of xVal, degrees squared",
        ),
        Threshold(
            column="against_network",
            at_most=1.15,
            where={"encoding": "xval"},
            paper=Reported(value=1.115, where="table 4, 1.75 over 1.57"),
            says="squared error of xVal over that of a network of one station",
        ),
        Threshold(
            column="over_persistence",
            at_least=0.0,
            where={"encoding": "xval"},
            says="squared error of the last value less that of xVal, degrees squared",
        ),
        Threshold(
            column="over_yesterday",
            at_least=0.0,
            where={"encoding": "xval"},
            says="squared error of the same hour yesterday less that of xVal, degrees squared",
        ),
    ],
    sanity=[Threshold(column="model", at_most=5000.0)],
    figures=[
        Curves(
            ys={
                "model": "model",
                "network of one station": "network",
                "last value": "persistence",
                "same hour yesterday": "yesterday",
            },
            x="encoding",
            title="Temperatures eight hours on",
            x_label="encoding",
            y_label="squared error (°C²)",
            log="y",
        )
    ],
    finding="8.2 degrees squared by xVal, 4.4 by the network of one station, 22 by the last value, 10 by the same "
    "hour yesterday, 265 by a constant; B1999 is at 216 and falling. The paper's ratio to the network, "
    "1.1, is that of 43 million parameters after 500,000 steps: the setting here is short of it, a "
    "thousand steps of a small model.",
    untested="P10, P1000 and FP15, the closest rival (2.14).",
    differs="A synthetic field, six stations of five times, d = 32 and 1,000 steps, in place of ERA5, 60 to 90 "
    "stations, 43 million parameters and 500,000 steps.",
)
