"""Beyond the paper: do teleports rescue descent on heavy-tailed classes, where rare classes are learned slowly?

A linear softmax classifier on 2^i classes of 2^(m - i) samples, i = 0 ... m - 1, with uniform features, as Kunstner et
al. (2024) draw them; Armijo's rule with teleports after 5, 15, ... iterations and without.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.papers.teleportation.base_methods import Armijo, Trace, descend
from simonides.papers.teleportation.claims._tables import spaced
from simonides.papers.teleportation.solver import Solving

PENALTY = 1e-5


def measure(runs: Runs, *, m: int, iterations: int, longer: int) -> dict[str, Tensor]:
    """Loss of all and of the rarest classes, with teleports, without, and without at the same work."""
    sizes = torch.cat([torch.full((2**i,), 2 ** (m - i)) for i in range(m)])
    targets = torch.arange(len(sizes)).repeat_interleave(sizes)
    n, classes = len(targets), len(sizes)
    rarest = sizes[targets] == 2

    def one(generator: Generator) -> dict[str, float]:
        x = torch.rand(n, (m + 1) * 2**m, generator=generator, dtype=torch.float64)
        x = torch.cat([x, torch.ones(n, 1, dtype=torch.float64)], 1)

        def losses(w: Float[Tensor, "R p"]) -> Float[Tensor, "R n"]:
            logits = torch.einsum("nd,rcd->rnc", x, w.unflatten(1, (classes, x.shape[1])))
            return torch.logsumexp(logits, 2) - logits[:, torch.arange(n), targets]

        def f(w: Float[Tensor, "R p"]) -> Float[Tensor, " R"]:
            return losses(w).mean(1) + PENALTY * w.square().sum(1)

        start = torch.zeros(1, classes * x.shape[1], dtype=torch.float64)
        plain = descend(f, start, Armijo(), iterations)
        teleported = descend(f, start, Armijo(), iterations, spaced(5, 10), Solving(steps=25))
        work = float(teleported.cost[-1])
        long = descend(f, start, Armijo(), longer * iterations)
        within = int((long.cost[:, 0] <= work).sum()) - 1
        paid = descend(f, start, Armijo(), max(within, 1))

        def rare(trace: Trace) -> float:
            return float(losses(trace.x)[0, rarest].mean())

        return {
            "plain": float(plain.f[-1]),
            "teleported": float(teleported.f[-1]),
            "same_work": float(paid.f[-1]),
            "rare_plain": rare(plain),
            "rare_teleported": rare(teleported),
            "rare_same_work": rare(paid),
            "saved_rare": rare(plain) - rare(teleported),
            "saved_rare_at_same_work": rare(paid) - rare(teleported),
            "covered": float(within < longer * iterations),
        }

    return runs.each(one)


def grid(m: int, iterations: int, longer: int, seeds: int) -> Grid:
    """One setting."""
    return product(m=[m], iterations=[iterations], longer=[longer]).with_seeds(seeds)


claim = Claim(
    question="Do teleports rescue gradient descent on heavy-tailed classes?",
    statement=r"\pi_k \propto 2^{-i}",
    source="Beyond Mishkin, Bietti & Gower (2025); data of Kunstner et al. (2024)",
    references=["mishkin2025teleportation", "kunstner2024heavy"],
    scales={
        "smoke": grid(3, 12, 8, 5),
        "desk": grid(5, 50, 20, 6),
        "paper": grid(7, 100, 20, 6),
    },
    measure=measure,
    rules=[
        Threshold(
            column="saved_rare",
            at_least=0.5,
            says="loss of the rarest classes after the last iteration, plain less with teleports, in nats",
        ),
        Threshold(
            column="saved_rare_at_same_work",
            at_least=0.0,
            says="the same, plain descent being given the same work",
        ),
    ],
    sanity=[Threshold(column="saved_rare", at_least=-1.0)],
    figures=[
        Overlay(
            y=column,
            x="m",
            title=title,
            x_label="m",
            y_label="loss (nats)",
            log="",
            smooth=False,
        )
        for column, title in (
            ("rare_plain", "Rarest classes, Armijo's rule"),
            ("rare_teleported", "Rarest classes, with teleports"),
            ("rare_same_work", "Rarest classes, Armijo's rule at the same work"),
        )
    ],
    stack=1,
    finding="Per iteration teleports make descent even: the rarest classes end at 0.02 to 0.07 nats in all six "
    "draws, where plain descent ends at 0.02 to 1.7 in two modes. Given the same work, plain descent ends "
    "at 0.002 in every draw: it is not rescued, it is out of steps. At m = 4 fifty plain iterations "
    "nearly solve the problem (0.01 to 0.28).",
)
