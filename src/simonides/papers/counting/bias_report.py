"""Which token does a model count with, and what will break when its number changes?

Golkar et al. (2024), section 5. A reader that attends with weight w to each of n counted tokens, and with B w to all
others together, sees the share n/(n + B) and nothing else. It must have learned B, so it answers n B_train/B_test
when B changes. The report names the tokens that B is made of, predicts slopes under shifted laws before it measures
them, and checks the cause by changing attention. Letters: `B` strings, `P` readers, `T` places, `K` classes
of tokens.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least
from simonides.nn import Interventions, Trace, mask
from simonides.papers.counting.laws import best_constant, predicted_slope, slope_of
from simonides.papers.counting.strings import (
    BEGINNING,
    CLOSE,
    ONE,
    OPEN,
    ZERO,
    ContextualCounting,
    CountingStrings,
)

CLASSES = ("ones inside", "ones elsewhere", "zeros inside", "zeros elsewhere", "[", "]", "beginning", "registers")
COUNTED = CLASSES[0]
# stands for a slope of zero
_LEAST_SLOPE = 1e-3
# what a reader may compare with, by the classes that it is made of
WOULD_BE_BIASES = {
    "ones elsewhere": ("ones elsewhere",),
    "zeros": ("zeros inside", "zeros elsewhere"),
    **{name: (name,) for name in ("[", "]", "beginning", "registers")},
}

# what may be the same in all strings of training; answers scale by its value there over that in other strings
STATISTICS: dict[str, Callable[[CountingStrings], Tensor]] = {
    "nothing that changes": lambda strings: torch.ones(len(strings)),
    "number of regions": lambda strings: (strings.opens >= 0).sum(1),
    "number of zeros": lambda strings: (strings.tokens == ZERO).sum(1),
    "number of ones": lambda strings: (strings.tokens == ONE).sum(1),
    "length": lambda strings: torch.full((len(strings),), strings.tokens.shape[1]),
}


@runtime_checkable
class ShowsAttention(Protocol):
    """A model that gives logits of each region's answer, and lets its reading attention be seen and changed."""

    def run(
        self, tokens: Int[Tensor, "B T"], *, trace: Trace | None = None, interventions: Interventions | None = None
    ) -> Float[Tensor, "B P answers"]:
        """Logits, with activations kept or changed by name (`simonides.nn.watching`)."""


@dataclass(frozen=True, kw_only=True)
class ClassReport:
    """What a reader does with one class of tokens.

    Arguments:
        attention: the share of the reader's attention that they take together, where something is to be counted.
        value: the size of what they add to the logits when they alone are attended to, the logits' mean taken off;
            NaN where no string has such a token.
        accuracy_without: when attention to them is cut and the rest scaled up.
    """

    attention: float
    value: float
    accuracy_without: float


@dataclass(frozen=True, kw_only=True)
class ShiftReport:
    """What a reader does on strings of another law.

    Arguments:
        bias_tokens: B by number: how many tokens there are of the class that is compared with, over training's.
        bias_attention: B by attention, over training's.
        slope_by_tokens, slope_by_attention: the slopes predicted from them; NaN where there are no such tokens.
        beyond: how many counts were beyond the model's last answer, and so could not be answered.
        slope: of the answers in the counts, through the origin, over counts that training has and whose predicted
            answer it has too: at most the reader's `largest`.
        accuracy: share of right answers.
        constant: accuracy of the best constant answer.
    """

    bias_tokens: float
    bias_attention: float
    slope_by_tokens: float
    slope_by_attention: float
    slope: float
    accuracy: float
    constant: float
    beyond: int


@dataclass(frozen=True, kw_only=True)
class ReaderReport:
    """What the reader of one region does.

    Arguments:
        region: its number, from 1.
        accuracy, slope: on strings of the law it was trained on.
        largest: the count below or at which 95 % of the counts of training lie.
        classes: by name of the class.
        bias: of `WOULD_BE_BIASES` the one that takes most attention.
        bias_share: of the reader's attention, on `bias`.
        bias_attention: B, the attention of all others in units of one counted token.
        doubled, halved: slope when attention to the tokens of `bias` is doubled or halved against all else; 1/2 and 2
            where they alone are compared with.
        shifts: by name of the shift.
        leans_on: of the statistics that may be constant in training, `STATISTICS`, the one whose change explains the
            slopes under all shifts best: what behaviour says, as `bias` is what attention says. Empty without shifts.
        unexplained: root mean square of log slope, measured over explained by it; NaN without shifts.
    """

    region: int
    accuracy: float
    slope: float
    largest: int
    classes: Mapping[str, ClassReport]
    bias: str
    bias_share: float
    bias_attention: float
    doubled: float
    halved: float
    shifts: Mapping[str, ShiftReport]
    leans_on: str
    unexplained: float


@dataclass(frozen=True, kw_only=True)
class BiasReport:
    """The report on a model.

    Arguments:
        readers: one for each region.
        constant: accuracy of the best constant answer on the law of training.
        beyond: how many counts were beyond the model's last answer, and so could not be answered.
    """

    readers: tuple[ReaderReport, ...]
    constant: float
    beyond: int


def usual_shifts(task: ContextualCounting) -> dict[str, ContextualCounting]:
    """Laws that change one would-be constant each: fewer regions, shorter strings, fewer zeros.

    A shift that the task does not allow is left out: no fewer than one region, no fewer places than brackets need.
    """
    shifts: dict[str, ContextualCounting] = {}
    if isinstance(task.regions, int) and task.regions > 1:
        shifts["one region fewer"] = task.shifted(regions=task.regions - 1)
    if isinstance(task.length, int):
        shorter = round(0.6 * task.length)
        if shorter >= task.most_regions * (2 + (task.fixed_region or task.min_region)):
            shifts["shorter strings"] = task.shifted(length=shorter)
    if not isinstance(task.ones, tuple) and 0 < task.ones < 0.7:
        shifts["fewer zeros"] = task.shifted(ones=(1 + 2 * task.ones) / 3)
    return shifts


def bias_report(
    model: ShowsAttention,
    task: ContextualCounting,
    shifts: Mapping[str, ContextualCounting] | None = None,
    strings: int = 500,
    seed: int = 0,
    attention: str = "decoder.0.cross_attention.weights",
) -> BiasReport:
    """Read a model's bias token, predict what shifted laws do to it, and measure that.

    Arguments:
        model: gives logits of P readers, one for each region, and its attention.
        task: the law that it was trained on; its targets are counts.
        shifts: other laws by name; by default `usual_shifts`. Laws of fewer regions ask the first readers alone.
        strings: of each law.
        seed: of the strings.
        attention: name of the weights with which readers read, B x H x P x T; heads are averaged.

    Raises:
        SimonidesError: when the task is not of counts, a shift has more regions, or the model shows no such weights.
    """
    check_at_least("strings", strings, 10)
    if task.target != "count":
        raise SimonidesError(f"the report is about counts, and this task's target is {task.target!r}.")
    if isinstance(task.length, tuple):
        raise SimonidesError(
            f"length = {task.length}: a report is of one length; give task.shifted(length=...), and others as shifts."
        )
    shifts = usual_shifts(task) if shifts is None else shifts
    for name, law in shifts.items():
        if law.most_regions > task.most_regions:
            raise SimonidesError(
                f"shift {name!r} has {law.regions} regions; this model was made for {task.regions}."
            )
    generator = torch.Generator().manual_seed(seed)
    sample = task.sample(strings, generator)
    trained = _Seen(model, task, sample, attention)
    shifted = {name: _Seen(model, law, law.sample(strings, generator), attention) for name, law in shifts.items()}
    constants = {name: best_constant(law) for name, law in shifts.items()}
    classes = {name: _class_reports(trained, name) for name in CLASSES if bool(trained.members(name).any())}
    scaled: dict[str, tuple[Tensor, Tensor]] = {}
    readers = []
    for region in range(sample.counts.shape[1]):
        own = {name: reports[region] for name, reports in classes.items()}
        shares = {name: trained.share(of, region) for name, of in WOULD_BE_BIASES.items()}
        bias = max(shares, key=shares.__getitem__)
        if bias not in scaled:
            scaled[bias] = (_scaled(trained, bias, 2.0), _scaled(trained, bias, 0.5))
        doubled, halved = scaled[bias]
        reports = {
            name: _shift_report(trained, seen, bias, region, trained.largest(region), constants[name])
            for name, seen in shifted.items()
            if region < seen.strings.counts.shape[1]
        }
        leans_on, unexplained = _explained(trained, {name: shifted[name] for name in reports}, reports)
        readers.append(
            ReaderReport(
                region=region + 1,
                accuracy=trained.accuracy(region),
                slope=trained.slope(region),
                largest=(largest := trained.largest(region)),
                classes=own,
                bias=bias,
                bias_share=shares[bias],
                bias_attention=trained.bias(region),
                doubled=trained.slope(region, doubled, largest),
                halved=trained.slope(region, halved, largest / 2),
                shifts=reports,
                leans_on=leans_on,
                unexplained=unexplained,
            )
        )
    return BiasReport(readers=tuple(readers), constant=best_constant(task), beyond=trained.beyond)


class _Seen:
    """Strings of a law with what a model answered and attended to."""

    def __init__(
        self, model: ShowsAttention, task: ContextualCounting, strings: CountingStrings, attention: str
    ) -> None:
        if isinstance(model, nn.Module):
            strings = strings.on(next(model.parameters()).device)
        self.model, self.strings, self.name = model, strings, attention
        self.beyond = task.labels(strings)[1]
        self.count = strings.counts.shape[1]
        trace = Trace(attention)
        self.logits = self.run(trace=trace)
        weights = trace[attention]
        if weights.dim() != 4 or weights.shape[2] != self.readers or weights.shape[3] != strings.tokens.shape[1]:
            raise SimonidesError(
                f"{attention} has shape {list(weights.shape)}; expected strings x heads x {self.readers} readers x "
                f"{strings.tokens.shape[1]} places."
            )
        self.weights = weights.double().mean(1)[:, : self.count]
        self._classes = token_class(strings)

    def run(self, trace: Trace | None = None, change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Logits of the readers of these strings' regions."""
        interventions = None if change is None else {self.name: change}
        with torch.no_grad():
            logits = self.model.run(self.strings.tokens, trace=trace, interventions=interventions)
        self.readers = logits.shape[1]
        return logits[:, : self.count]

    def members(self, *names: str) -> Bool[Tensor, "B P T"]:
        """For each reader the places of some classes of tokens."""
        return torch.stack([self._classes[name] for name in names]).any(0)

    def taken(self, names: Sequence[str]) -> Float[Tensor, "B P"]:
        """The attention that classes take together."""
        return (self.weights * self.members(*names)).sum(-1)

    def share(self, names: Sequence[str], region: int) -> float:
        """The mean attention that classes take of a reader, over strings where it has something to count."""
        return float(self.taken(names)[self.strings.counts[:, region] > 0, region].mean())

    def bias(self, region: int) -> float:
        """B: the mean attention beside the counted tokens over that to one of them, where there is one."""
        there = self.strings.counts[:, region] > 0
        if not bool(there.any()):
            raise SimonidesError(
                f"none of {len(there)} strings has a 1 inside region {region + 1}, so nothing is counted; give longer "
                "strings, or more of them."
            )
        share = self.taken([COUNTED])[there, region]
        each = share / self.strings.counts[there, region]
        return float((1 - share).mean() / each.mean())

    def accuracy(self, region: int, logits: Tensor | None = None) -> float:
        """Share of right answers, of the strings that have the region."""
        counts = self.strings.counts[:, region]
        answers = (self.logits if logits is None else logits)[:, region].argmax(-1)
        return float((answers == counts)[counts >= 0].double().mean())

    def largest(self, region: int) -> int:
        """The count below or at which 95 % of all lie."""
        counts = self.strings.counts[:, region]
        return int(counts[counts >= 0].double().quantile(0.95).ceil())

    def slope(self, region: int, logits: Tensor | None = None, most: float = float("inf")) -> float:
        """Of the answers in the counts up to one, through the origin."""
        answers = (self.logits if logits is None else logits)[:, region].argmax(-1)
        counts = self.strings.counts[:, region]
        # 1 at least, or there would be no slope
        return slope_of(answers, counts.masked_fill(counts > max(most, 1), -1))


def token_class(strings: CountingStrings) -> dict[str, Bool[Tensor, "B R T"]]:
    """For each region the places of each class of tokens."""
    tokens = strings.tokens[:, None].expand(-1, strings.counts.shape[1], -1)
    places = torch.arange(tokens.shape[-1], device=tokens.device)
    inside = (places > strings.opens[..., None]) & (places < strings.closes[..., None])
    return {
        "ones inside": (tokens == ONE) & inside,
        "ones elsewhere": (tokens == ONE) & ~inside,
        "zeros inside": (tokens == ZERO) & inside,
        "zeros elsewhere": (tokens == ZERO) & ~inside,
        "[": tokens == OPEN,
        "]": tokens == CLOSE,
        "beginning": tokens == BEGINNING,
        "registers": tokens > BEGINNING,
    }


def _class_reports(seen: _Seen, name: str) -> list[ClassReport]:
    """A class as each reader sees it."""
    members = seen.members(name)
    there = members.any(-1)
    alone = (members / members.sum(-1, keepdim=True).clamp_min(1)).to(seen.logits.dtype)
    values = seen.run(change=_readers_alone(lambda _: alone, seen.count))
    sizes = (values - values.mean(-1, keepdim=True)).norm(dim=-1)
    without = seen.run(change=_readers_alone(mask(members[:, None], normalise=True), seen.count))
    return [
        ClassReport(
            attention=seen.share([name], region),
            value=float(sizes[there[:, region], region].mean()),
            accuracy_without=seen.accuracy(region, without),
        )
        for region in range(seen.count)
    ]


def _readers_alone(change: Callable[[Tensor], Tensor], count: int) -> Callable[[Tensor], Tensor]:
    """A change of the first readers' weights, the others left."""

    def changed(weights: Float[Tensor, "B H P T"]) -> Float[Tensor, "B H P T"]:
        own = change(weights[:, :, :count])
        own = own if own.dim() == 4 else own[:, None].expand_as(weights[:, :, :count])
        return torch.cat([own, weights[:, :, count:]], 2)

    return changed


def _scaled(seen: _Seen, bias: str, factor: float) -> Tensor:
    """Logits when a would-be bias takes `factor` times as much attention against all else."""
    members = seen.members(*WOULD_BE_BIASES[bias])[:, None]

    def change(weights: Tensor) -> Tensor:
        scaled = torch.where(members, factor * weights, weights)
        return scaled / scaled.sum(-1, keepdim=True)

    return seen.run(change=_readers_alone(change, seen.count))


def _explained(
    trained: _Seen, shifted: Mapping[str, _Seen], reports: Mapping[str, ShiftReport]
) -> tuple[str, float]:
    """The statistic that explains a reader's slopes best, and the root mean square of what it leaves."""
    best, least = "", math.nan
    for name, statistic in STATISTICS.items():
        before = float(statistic(trained.strings).double().mean())
        errors = []
        for shift, seen in shifted.items():
            now = float(statistic(seen.strings).double().mean())
            slope = max(reports[shift].slope, _LEAST_SLOPE)
            errors.append((math.log(slope) - math.log(max(before, 1e-9) / max(now, 1e-9))) ** 2)
        if errors and not math.sqrt(sum(errors) / len(errors)) >= least:
            best, least = name, math.sqrt(sum(errors) / len(errors))
    return best, least


def _shift_report(
    trained: _Seen, seen: _Seen, bias: str, region: int, largest: int, constant: float
) -> ShiftReport:
    classes = WOULD_BE_BIASES[bias]
    tokens = [float(one.members(*classes)[:, region].sum(-1).double().mean()) for one in (trained, seen)]
    before, now = trained.bias(region), seen.bias(region)
    by_tokens = predicted_slope(*tokens) if min(tokens) > 0 else math.nan
    return ShiftReport(
        bias_tokens=tokens[1] / max(tokens[0], 1e-12),
        bias_attention=now / before,
        slope_by_tokens=by_tokens,
        slope_by_attention=(expected := predicted_slope(before, now)),
        slope=seen.slope(region, most=largest / max(expected, 1.0)),
        accuracy=seen.accuracy(region),
        constant=constant,
        beyond=seen.beyond,
    )
