"""Pretraining on advection and on diffusion apart helps to learn advection with diffusion from few examples.

McCabe et al. (2024, motivating figure): fine-tuned beats scratch from few to very many examples.
"""

import copy

from torch import Generator, Tensor, tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.physics.claims._setting import Draws, Setting, all_sources, folder_of

MULTIPLES = {"few": 1, "some": 8, "many": 64}


def one_run(runs: Runs, generator: Generator, setting: Setting, tuning: int) -> dict[str, float | Tensor]:
    """Errors on advection with diffusion by number of trajectories."""
    draws, folder = Draws(generator), folder_of(runs, generator)
    parts = all_sources(setting.data(system, draws) for system in ("advection", "diffusion"))
    train, held_out = setting.data("advection-diffusion", draws, 2 * max(MULTIPLES.values()))
    begin = setting.model(parts, draws, runs.device, dimensions=1)
    pretrained = copy.deepcopy(begin)
    setting.pretrained(pretrained, parts, draws, folder / "pretrained.safetensors")
    errors: dict[str, list[float]] = {"tuned": [], "scratch": []}
    for name, multiple in MULTIPLES.items():
        few = train.part(slice(2 * multiple))
        for kind, start in (("tuned", pretrained), ("scratch", begin)):
            trained = setting.finetuned(
                copy.deepcopy(start), [few, held_out], draws, folder / f"{kind}-{name}.safetensors", steps=tuning
            )
            scores = trained.scores["advection-diffusion"]
            errors[kind].append(scores.nrmse)
    ratios = {name: errors["tuned"][place] / errors["scratch"][place] for place, name in enumerate(MULTIPLES)}
    return {
        "samples": tensor([2.0 * multiple for multiple in MULTIPLES.values()]),
        **{kind: tensor(values) for kind, values in errors.items()},
        "persistence": scores.persistence,
        **ratios,
    }


def measure(runs: Runs, *, size: str, cells: int, trajectories: int, steps: int, tuning: int) -> dict[str, Tensor]:
    """NRMSE of one step."""
    setting = Setting(size=size, cells=cells, trajectories=trajectories, steps=steps)
    return runs.each(lambda generator: one_run(runs, generator, setting, tuning))


def grid(size: str, cells: int, trajectories: int, steps: int, tuning: int, seeds: int) -> Grid:
    """One setting."""
    return product(
        size=[size], cells=[cells], trajectories=[trajectories], steps=[steps], tuning=[tuning]
    ).with_seeds(seeds)


claim = Claim(
    question="Does a model that has learned advection and diffusion apart predict both together better?",
    statement=r"\partial_t u + c \, \partial_x u = 0, \quad \partial_t u = \nu \, \partial_x^2 u \;\Rightarrow\; "
    r"\partial_t u + c \, \partial_x u = \nu \, \partial_x^2 u",
    source="McCabe et al. (2024), motivating figure",
    references=["mccabe2024mpp"],
    scales={
        "smoke": grid("micro", 32, 8, 6, 4, 5),
        "desk": grid("micro", 64, 100, 400, 120, 5),
        "paper": grid("Ti", 128, 10_000, 100_000, 20_000, 5),
    },
    measure=measure,
    rules=[
        Threshold(column=name, at_most=1.0, says=f"NRMSE, fine-tuned over scratch, {name} trajectories")
        for name in MULTIPLES
    ],
    sanity=[Threshold(column="few", at_most=100.0)],
    figures=[
        Curves(
            ys={"fine-tuned": "tuned", "from scratch": "scratch", "last frame": "persistence"},
            x="samples",
            title="Advection with diffusion",
            x_label="trajectories in training",
            y_label="NRMSE of one step",
            log="xy",
        )
    ],
    finding="Fine-tuned is better by 12 % on 2 trajectories (0.177 against 0.203, the last frame 0.498) and by 11 "
    "% and 6 % on 16 and 128, where the scatter between seeds does not decide with five.",
    differs="One dimension of 64 cells and a model of 0.2 million parameters; the paper's dimension, architecture and "
    "grid are not told. 2 to 128 trajectories in place of 16 to 100,000 examples.",
)
