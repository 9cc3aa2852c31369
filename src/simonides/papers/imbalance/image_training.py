"""Full-batch training of a network on images, at every rate of a method, with losses by class frequency."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.nn import cross_entropies
from simonides.papers.imbalance.barcodes import BarcodedImages
from simonides.papers.imbalance.bins import frequency_bins
from simonides.papers.imbalance.methods import METHODS
from simonides.papers.imbalance.rate_runs import RateRuns
from simonides.training import DivergedTraining, Records, fit


def train_on_images(
    images: BarcodedImages,
    make: Callable[[], nn.Module],
    method: str,
    rates: Sequence[float],
    steps: int = 60,
    every: int = 10,
    bins: int = 2,
    device: torch.device | None = None,
) -> RateRuns:
    """Train at one rate after the other: convolutions of a stack are no faster than one by one.

    Arguments:
        images: the samples.
        make: makes the network, the same each time.
        method: a name of `METHODS`.
        rates: the grid, rising.
        steps: updates, each on all images.
        every: updates between records.
        bins: of the classes by frequency.
        device: where; by default the CPU.

    Raises:
        SimonidesError: when the method is unknown, or the rates do not rise.
    """
    check_name("method", method, METHODS)
    check_at_least("steps", steps, 1)
    check_at_least("every", every, 1)
    if not rates or any(not rate > 0 for rate in rates) or list(rates) != sorted(rates):
        raise SimonidesError(f"rates {list(rates)}: give positive ones that rise.")
    device = device or torch.device("cpu")
    x, targets, counts = images.x.to(device), images.targets.to(device), images.counts.to(device)

    def by_class(model: nn.Module) -> Float[Tensor, " C"]:
        losses = cross_entropies(model(x), targets)
        return torch.zeros(images.classes, device=device).index_add_(0, targets, losses) / counts.clamp_min(1)

    # records at the same steps for all rates, also for those that diverge
    steps_at = sorted({*range(0, steps, every), steps})
    losses = torch.full((len(steps_at), len(rates), images.classes), torch.nan, dtype=torch.float64)
    for place, rate in enumerate(rates):
        try:
            history = fit(
                make().to(device),
                lambda model, _: cross_entropies(model(x), targets).mean(),
                lambda _: None,
                lambda parameters, rate=rate: METHODS[method](parameters, rate),  # type: ignore[misc]
                steps,
                torch.Generator(),
                records=Records(every=every, probes={"by_class": by_class}),
            )
        except DivergedTraining as stopped:  # that is a result
            history = stopped.history
        seen = history.column("by_class").double()
        losses[: len(seen), place] = seen
    return RateRuns(
        method=method,
        rates=tuple(rates),
        steps=tuple(steps_at),
        losses=losses,
        measured=images.counts.double(),
        bins=frequency_bins(images.counts, bins),
    )
