"""One model of several systems predicts each as well as a model of that system alone, but for shallow water.

McCabe et al. (2024, table 1): a multi-task AViT-B against single-task ones of the same size: .0106 against .0110 on
diffusion-reaction, .0281 against .0316 and .0172 against .0261 on compressible flow, and worse on shallow water.
"""

from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Reported, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.physics.claims._setting import PRETRAINED, SHORT, Draws, Setting, all_sources, folder_of


def one_run(runs: Runs, generator: Generator, setting: Setting) -> dict[str, float]:
    """NRMSE of both models on each system."""
    draws, folder = Draws(generator), folder_of(runs, generator)
    data = {system: setting.data(system, draws) for system in PRETRAINED}
    sources = all_sources(data.values())
    model = setting.model(sources, draws, runs.device)
    together = setting.pretrained(model, sources, draws, folder / "all.safetensors").scores
    row: dict[str, float] = {}
    for system, pair in data.items():
        alone = setting.pretrained(
            setting.model(sources, draws, runs.device),
            pair,
            draws,
            folder / f"{system}.safetensors",
            # as many windows of this system as the model of all has seen
            steps=max(setting.steps // len(PRETRAINED), 1),
        ).scores
        short = SHORT[system]
        row[f"together_{short}"] = together[system].nrmse
        row[f"alone_{short}"] = alone[system].nrmse
        row[f"persistence_{short}"] = together[system].persistence
        row[f"ratio_{short}"] = together[system].nrmse / alone[system].nrmse
    return row


def measure(runs: Runs, *, size: str, cells: int, trajectories: int, steps: int) -> dict[str, Tensor]:
    """Errors of one model of all systems, and of a model of each."""
    setting = Setting(size=size, cells=cells, trajectories=trajectories, steps=steps)
    return runs.each(lambda generator: one_run(runs, generator, setting))


def grid(size: str, cells: int, trajectories: int, steps: int, seeds: int) -> Grid:
    """One setting."""
    return product(size=[size], cells=[cells], trajectories=[trajectories], steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="Does one model of several systems match models of one system each, but for shallow water?",
    statement=r"\mathrm{NRMSE}(\text{one model of all}) \le \mathrm{NRMSE}(\text{a model of each}), "
    r"\text{ shallow water excepted}",
    source="McCabe et al. (2024), table 1",
    references=["mccabe2024mpp"],
    scales={
        "smoke": grid("micro", 16, 8, 6, 5),
        "desk": grid("micro", 32, 40, 300, 5),
        "paper": grid("B", 128, 900, 200_000, 5),
    },
    measure=measure,
    rules=[
        Threshold(
            column="ratio_reaction",
            at_most=1.0,
            paper=Reported(value=0.96, where="table 1, .0106 over .0110"),
            says="NRMSE of diffusion-reaction, one model of all over a model of it alone",
        ),
        Threshold(
            column="ratio_incompressible",
            at_most=1.0,
            says="NRMSE of incompressible flow, one model of all over a model of it alone",
        ),
        Threshold(
            column="ratio_shallow",
            at_least=1.0,
            paper=Reported(value=5.1, where="table 1, .0024 over .00047"),
            says="NRMSE of shallow water, one model of all over a model of it alone",
        ),
    ],
    sanity=[Threshold(column="ratio_reaction", at_most=10.0)],
    figures=[
        Curves(
            ys={
                f"{system}, {kind}": f"{kind}_{SHORT[system]}"
                for system in PRETRAINED
                for kind in ("together", "alone", "persistence")
            },
            x="steps",
            title="One model of all systems, and one of each",
            x_label="updates of the model of all",
            y_label="NRMSE of one step",
            log="y",
        )
    ],
    finding="As in the paper: one model ties or gains on diffusion-reaction (0.990) and incompressible flow "
    "(0.967), and loses on shallow water, whose single model has 1/1.56 of its error.",
    differs="Models of 0.2 million parameters on 32 x 32 cells, 40 trajectories a system, 300 updates; increments are "
    "predicted. Shallow water, incompressible periodic flow and diffusion-reaction; equal samples of each system "
    "rather than models trained to their best.",
)
