"""Beyond the paper: on this library's memories. Do heavy tails cost facts under descent, and not under Adam?

One d x d matrix of N associations with random embeddings, the population loss, a grid of methods and rates. Inputs have
mean zero, or share a direction that is as long as what is their own. What is counted is the share of all facts, each
counting alike, that are recalled after the last step.
"""

import torch
from torch import Generator, Tensor

from simonides.base import zipf
from simonides.lab import Claim, Grid, Ordered, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.memories import Population, PopulationMemory, embeddings
from simonides.papers.imbalance.methods import METHODS, half_decades
from simonides.training import Records, fit

RATES = {  # wide enough for the best to lie inside
    "gd": half_decades(0, 5),
    "gd-momentum": half_decades(-1, 4),
    "adam": half_decades(-3, 1),
    "adam-no-momentum": half_decades(-3, 1),
    "sign": half_decades(-3, 1),
}


def measure(
    runs: Runs, *, method: str, alpha: float, shared: float, d: int, load: float, steps: int
) -> dict[str, Tensor]:
    """Facts recalled at the rate that recalls most, and the loss at the rate of the least loss."""
    rates = RATES[method]
    facts = round(load * d * d)

    def one(generator: Generator) -> dict[str, float]:
        e, u, direction = (embeddings.sphere(rows, d, generator).to(runs.device) for rows in (facts, facts, 1))
        e = torch.nn.functional.normalize(e + shared * direction, dim=-1)
        p = zipf(facts, alpha).float().to(runs.device)
        memory = PopulationMemory(
            Population(
                inputs=e.expand(len(rates), -1, -1),
                outputs=u.expand(len(rates), -1, -1),
                targets=torch.arange(facts, device=e.device),
                probabilities=p,
            )
        )
        history = fit(
            memory,
            lambda model, _: model.loss(),
            lambda _: None,
            lambda parameters: METHODS[method](parameters, torch.tensor(rates, device=e.device)),
            steps,
            torch.Generator(),
            records=Records(probes={"recall": lambda m: (m().argmax(-1) == m.targets).float().mean(-1)}),
        )
        recall = history.column("recall")[-1]
        losses = history.column("loss")[-1].nan_to_num(torch.inf)
        best = int(recall.argmax())
        return {
            "recall": float(recall[best]),
            "loss": float(losses.min()),
            "edge": float(best in (0, len(rates) - 1)),
        }

    return runs.each(one)


def grid(methods: list[str], d: int, steps: int, seeds: int) -> Grid:
    """Uniform and Zipf frequencies, with a shared direction and without, an eighth of d^2 facts."""
    return product(
        method=methods, alpha=[0.0, 1.0], shared=[0.0, 1.0], d=[d], load=[0.125], steps=[steps]
    ).with_seeds(seeds)


ALL = ["gd", "gd-momentum", "adam-no-momentum", "adam", "sign"]
claim = Claim(
    question="Do heavy-tailed frequencies cost a memory facts under gradient descent, and not under Adam?",
    statement=r"\text{recall}_\text{Adam} - \text{recall}_\text{GD}: \; \text{Zipf} \gg \text{uniform}",
    source="Beyond Kunstner, Yadav, Milligan, Schmidt & Bietti (2024): linear associative memories",
    references=["kunstner2024heavy", "nichani2025factual"],
    scales={
        "smoke": grid(["gd", "adam-no-momentum"], 16, 50, 5),
        "desk": grid(ALL, 64, 100, 8),
        "paper": grid(ALL, 128, 1000, 8),
    },
    measure=measure,
    rules=[
        Ordered(
            column="recall",
            by="method",
            order=("gd", "adam-no-momentum"),
            least=0.2,
            where={"alpha": 1.0},
            says="share of facts recalled, Adam less descent, without momentum, Zipf frequencies",
        ),
        Ordered(
            column="recall",
            by="method",
            order=("gd", "sign"),
            least=0.2,
            where={"alpha": 1.0},
            says="the same, sign descent less descent",
        ),
        Ordered(
            column="recall",
            by="alpha",
            order=(1.0, 0.0),
            least=0.2,
            where={"method": "gd"},
            says="share of facts recalled by descent, uniform less Zipf frequencies",
        ),
        Threshold(
            column="recall",
            at_least=0.9,
            where={"method": "gd", "alpha": 0.0},
            says="share of facts recalled by descent under uniform frequencies",
        ),
        Threshold(
            column="recall",
            at_least=0.9,
            where={"method": "adam-no-momentum", "alpha": 1.0},
            says="share of facts recalled by Adam under Zipf frequencies",
        ),
    ],
    sanity=[
        Ordered(column="recall", by="method", order=("gd", "adam-no-momentum"), least=-0.1, where={"alpha": 1.0})
    ],
    figures=[
        Overlay(
            y="recall",
            x="method",
            by="alpha",
            where={"shared": shared},
            title=f"Facts recalled at the best rate, inputs with {text}",
            x_label="method",
            y_label="recall (share of facts)",
            log="",
            smooth=False,
        )
        for shared, text in ((0.0, "mean zero"), (1.0, "a shared direction"))
    ],
    finding="Neither our code nor the finite size: the effect needs inputs with a shared mean. Random embeddings "
    "have mean zero, and descent recalls 0.99 of the facts under Zipf frequencies as under uniform ones, "
    "Adam without momentum 0.84, sign descent 0.76. With a shared direction all lose: descent 0.44, Adam "
    "without momentum 0.48 under Zipf (0.46 and 0.53 under uniform frequencies); with momentum 0.61 and "
    "0.85, where Adam's best rate is the largest of its grid, 10, so that 0.85 is a lower bound. "
    "Imbalance is not what costs this memory its facts.",
    stack=2,
)
