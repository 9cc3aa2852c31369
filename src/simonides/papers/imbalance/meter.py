"""Loss, accuracy and gradient by class frequency, gathered along any training loop."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import SimonidesError
from simonides.nn import cross_entropies
from simonides.papers.imbalance.bins import Counts, frequency_bins

Reading = dict[str, float]


class FrequencyMeter:
    """Means over the samples of each bin of classes since the last reset.

    Sums are kept by class, in float64, on the device of what is seen. Means are over samples, not over classes.

    Arguments:
        counts: samples of each class in the training data, the most frequent being in bin 0.
        bins: how many bins of about equal mass.
        ignore_index: targets that are left out.

    Raises:
        SimonidesError: when the counts cannot be binned.

    >>> meter = FrequencyMeter([8, 1, 1], bins=2)
    >>> meter.update(torch.zeros(4, 3), torch.tensor([0, 0, 1, -100]))
    >>> {name: round(value, 3) for name, value in meter.compute().items() if name.startswith(("loss", "count"))}
    {'loss': 1.099, 'loss/bin_0': 1.099, 'loss/bin_1': 1.099, 'count/bin_0': 2.0, 'count/bin_1': 1.0}
    """

    def __init__(self, counts: Counts, bins: int = 10, ignore_index: int = -100) -> None:
        self.bins = frequency_bins(counts, bins)
        self.ignore_index = ignore_index
        self.reset()

    def reset(self) -> None:
        """Forget all that was seen."""
        self._sums: Float[Tensor, "3 C"] | None = None  # loss, right answers, samples, by class
        self._not_finite = torch.zeros((), dtype=torch.float64)
        self._gradients: Float[Tensor, " bins"] | None = None
        self._steps = 0

    @torch.no_grad()
    def update(
        self,
        logits: Float[Tensor, "*samples C"],
        target: Int[Tensor, "*samples"],
        losses: Float[Tensor, "*samples"] | None = None,
    ) -> None:
        """Take up a batch.

        Arguments:
            logits: of every class.
            target: the class of each sample; `ignore_index` leaves it out.
            losses: of each sample in nats, where they are computed anyway; by default the cross-entropy.

        Raises:
            SimonidesError: when shapes do not agree, or a target is no class.
        """
        classes = len(self.bins.of_class)
        kept, chosen = self.chosen(logits, target)
        if losses is not None and losses.shape != target.shape:
            raise SimonidesError(f"losses of shape {list(losses.shape)} for {list(target.shape)} targets.")
        values = cross_entropies(logits.float(), chosen) if losses is None else losses
        finite = values.isfinite()
        right = logits.argmax(-1) == chosen
        seen = kept & finite
        rows = torch.stack([values.double().masked_fill(~seen, 0), (right & seen).double(), seen.double()])
        if self._sums is None or self._sums.device != logits.device:
            before = self._sums
            self._sums = torch.zeros(3, classes, dtype=torch.float64, device=logits.device)
            if before is not None:
                self._sums += before.to(logits.device)
            self._not_finite = self._not_finite.to(logits.device)
        self._sums.index_add_(1, chosen.flatten(), rows.flatten(1))
        self._not_finite += (kept & ~finite).sum()

    def chosen(
        self, logits: Float[Tensor, "*samples C"], target: Int[Tensor, "*samples"]
    ) -> tuple[Bool[Tensor, "*samples"], Int[Tensor, "*samples"]]:
        """Which samples count, and the class of each, 0 where it does not count.

        Raises:
            SimonidesError: when shapes do not agree, or a target is no class.
        """
        classes = len(self.bins.of_class)
        if logits.shape[:-1] != target.shape or logits.shape[-1:] != (classes,):
            raise SimonidesError(
                f"logits of shape {list(logits.shape)} and targets of {list(target.shape)} for {classes} counted "
                "classes; give one logit a class and one target a sample. A model that pads its vocabulary needs "
                "counts with zeros for what it adds."
            )
        if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
            raise SimonidesError(f"targets are of {target.dtype}; give whole numbers, such as target.long().")
        target = target.long()
        kept = target != self.ignore_index
        chosen = target.masked_fill(~kept, 0)
        if bool(((chosen < 0) | (chosen >= classes)).any()):
            raise SimonidesError(
                f"a target lies outside 0 .. {classes - 1} and is not ignore_index = {self.ignore_index}."
            )
        return kept, chosen

    @torch.no_grad()
    def update_gradient(self, gradient: Float[Tensor, "C ..."] | None) -> None:
        """Take up the gradient of the last layer's weights, whose rows are the classes, as it is before a step.

        Raises:
            SimonidesError: when there is none, or it has other rows.
        """
        classes = len(self.bins.of_class)
        if gradient is None or gradient.shape[:1] != (classes,):
            there = "none" if gradient is None else f"of shape {list(gradient.shape)}"
            raise SimonidesError(
                f"the gradient is {there} where one with {classes} rows was expected; give that of the last layer's "
                "weights, after backward()."
            )
        gradient = gradient.to_dense()
        squares = self.bins.sums(gradient.flatten(1).double().square().sum(1))
        norms = squares.sqrt()
        self._gradients = norms if self._gradients is None else self._gradients.to(norms) + norms
        self._steps += 1

    def compute(self, all_processes: bool = False) -> Reading:
        """Means since the last reset: "loss" over all, and by bin "loss/...", "accuracy/...", "count/...".

        With gradients also "gradient/...", the norm of the bin's rows, mean over steps. A bin in which nothing was
        seen is left out. Samples whose loss is not finite are in "not_finite" and in no mean.

        Arguments:
            all_processes: whether to sum over the processes of `torch.distributed`; all of them must call it then.
        """
        if self._sums is None:
            if not all_processes:
                return {}
            # others may have seen something, and wait
            self._sums = torch.zeros(3, len(self.bins.of_class), dtype=torch.float64)
        sums, not_finite = self._sums, self._not_finite
        if all_processes:
            sums, not_finite = sums.clone(), not_finite.clone()
            torch.distributed.all_reduce(sums)
            torch.distributed.all_reduce(not_finite)
        loss, right, samples = self.bins.sums(sums).cpu()
        seen = [(place, name) for place, name in enumerate(self.bins.names()) if samples[place] > 0]
        reading = {"loss": float(loss.sum() / samples.sum())} if seen else {}
        reading |= {f"loss/{name}": float(loss[place] / samples[place]) for place, name in seen}
        reading |= {f"accuracy/{name}": float(right[place] / samples[place]) for place, name in seen}
        reading |= {f"count/{name}": float(samples[place]) for place, name in seen}
        if self._gradients is not None:
            means = (self._gradients / self._steps).cpu().tolist()
            reading |= {
                f"gradient/{name}": mean
                for name, mean, there in zip(self.bins.names(), means, self.bins.classes.tolist(), strict=True)
                if there
            }
        if not_finite:
            reading["not_finite"] = float(not_finite)
        return reading


class FrequencyHistory:
    """Readings of a meter along a training, for figures and tables.

    Arguments:
        bins: the names of the bins, as `FrequencyBins.names`.
    """

    def __init__(self, bins: Iterable[str]) -> None:
        self.bins = tuple(bins)
        self.steps: list[int] = []
        self.readings: list[Reading] = []

    def append(self, step: int, reading: Reading) -> None:
        """Add what was read after so many steps."""
        self.steps.append(step)
        self.readings.append(dict(reading))

    def column(self, name: str) -> list[float]:
        """One number of each reading, NaN where it was not seen."""
        return [reading.get(name, math.nan) for reading in self.readings]
