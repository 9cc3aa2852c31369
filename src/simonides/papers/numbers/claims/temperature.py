"""Temperatures of stations eight hours on: xVal predicts better than text, than persistence, and than small networks.

Golkar et al. (2023, table 4), squared errors in degrees: xVal 1.75, P1000 20, B1999 20, FP15 2.14; networks that are
given all stations 2.31, one station 1.57 and its past alone 1.79. The field here is synthetic.
"""

import torch
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Ordered, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.numbers.claims._training import columns, quality, trained
from simonides.papers.numbers.sequences import NumberSequences
from simonides.papers.numbers.temperature import Weather, degrees, draw_weather

_DAY = 3  # steps of eight hours


def last_step(sequences: NumberSequences, stations: int, times: int) -> Tensor:
    """The last number of each station's series."""
    order = sequences.is_number.cumsum(1) - 1
    first = 3 * stations + 4
    wanted = torch.tensor([first + times * station + times - 1 for station in range(stations)])
    return torch.isin(order, wanted) & sequences.is_number


def network_error(train: Weather, test: Weather, steps: int, generator: Generator, device: torch.device) -> float:
    """Squared error in degrees of a network of two hidden layers, given one station's past, place and start."""

    def rows(weather: Weather) -> tuple[Tensor, Tensor]:
        coords, start = weather.features()
        series = weather.standardised()
        own = start[:, None].expand(-1, series.shape[1], -1)
        read = torch.cat([series[..., :-1], coords, own], -1).flatten(0, 1).float()
        return read.to(device), series[..., -1].flatten().float().to(device)

    x, y = rows(train)
    shapes = ((128, x.shape[1]), (128, 128), (1, 128))
    weights = [torch.randn(shape, generator=generator) * (2 / shape[1]) ** 0.5 for shape in shapes]
    parameters = [torch.nn.Parameter(w.to(device)) for w in weights]
    biases = [torch.nn.Parameter(torch.zeros(len(w), device=device)) for w in weights]

    def predict(read: Tensor) -> Tensor:
        hidden = read
        for place, (w, b) in enumerate(zip(parameters, biases, strict=True)):
            hidden = hidden @ w.mT + b
            hidden = torch.relu(hidden) if place < 2 else hidden
        return hidden[:, 0]

    optimiser = torch.optim.Adam([*parameters, *biases], lr=2e-3)
    for _ in range(steps):
        picked = torch.randint(len(y), (512,), generator=generator).to(device)
        loss = (predict(x[picked]) - y[picked]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    read, truth = rows(test)
    with torch.no_grad():
        return float((degrees(predict(read).double()) - degrees(truth.double())).square().mean())


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
    gains = {f"over_{name}": table[name] - table["model"] for name in ("network", "persistence", "yesterday")}
    return {**table, **gains}


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
        "desk": grid(["xval", "b1999"], 6, 5, 600, 32, 20_000, 5),
        "paper": grid(["xval", "p10", "p1000", "b1999", "fp15"], 75, 12, 500_000, 768, 1_000_000, 5),
    },
    measure=measure,
    rules=[
        Ordered(
            column="model",
            by="encoding",
            order=("xval", "b1999"),
            says="squared error of B1999 less that of xVal, degrees squared",
        ),
        Threshold(
            column="over_network",
            at_least=0.0,
            where={"encoding": "xval"},
            says="squared error of a network of one station less that of xVal, degrees squared",
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
    differs="A synthetic field, six stations of five times, d = 32 and 600 steps, in place of ERA5, 60 to 90 "
    "stations, 43 million parameters and 500,000 steps.",
)
