"""The contextual counting task: strings over 0, 1, [ and ], and how many 1s each bracketed region holds.

Golkar et al. (2024), section 2. The law of the delimiters is not stated there; with 2R of T places drawn uniformly the
best constant guess has the accuracy at which the paper's figures bottom out (3.1 % at T = 512, R = 4). Letters: `B`
strings, `T` places, `R` regions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name

ZERO, ONE, OPEN, CLOSE, BEGINNING = range(5)
CHARACTERS = "01[]^"
TARGETS = ("count", "density")

# a number, or the least and the largest of what is drawn anew
Range = int | tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class CountingStrings:
    """B strings with their answers.

    Arguments:
        tokens: 0, 1, 2 for [, 3 for ], 4 for the beginning, 5, 6, ... for registers.
        counts: the ones inside each region, in the order in which regions open; -1 where a string has fewer regions.
        opens: the place of each region's [, or -1.
        closes: the place of its ], or -1.
    """

    tokens: Int[Tensor, "B T"]
    counts: Int[Tensor, "B R"]
    opens: Int[Tensor, "B R"]
    closes: Int[Tensor, "B R"]

    def __len__(self) -> int:
        return len(self.tokens)

    def on(self, device: torch.device) -> "CountingStrings":
        """The same on a device."""
        return CountingStrings(
            tokens=self.tokens.to(device),
            counts=self.counts.to(device),
            opens=self.opens.to(device),
            closes=self.closes.to(device),
        )

    @property
    def sizes(self) -> Int[Tensor, "B R"]:
        """Places inside each region; -1 where there is none."""
        return torch.where(self.opens < 0, -1, self.closes - self.opens - 1)

    @property
    def densities(self) -> Float[Tensor, "B R"]:
        """The share of ones inside each region: 0 where it is empty, -1 where there is none."""
        share = self.counts / self.sizes.clamp_min(1)
        return torch.where(self.opens < 0, -1.0, share)

    def region_of(self) -> Int[Tensor, "B T"]:
        """For each place the innermost region around it; -1 outside of all, and on delimiters."""
        region = torch.full_like(self.tokens, -1)
        places = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        for number, (start, end) in enumerate(zip(self.opens.unbind(1), self.closes.unbind(1), strict=True)):
            inside = (places > start[:, None]) & (places < end[:, None]) & (start[:, None] >= 0)
            region[inside] = number  # a region that opens later lies inside
        return region.masked_fill(self.tokens >= OPEN, -1)


@dataclass(frozen=True, kw_only=True)
class ContextualCounting:
    """The law of strings.

    Arguments:
        regions: R, or the least and largest R of a string.
        length: T with the delimiters, without beginning and registers; or the least and largest, drawn for each batch.
        ones: how likely a digit is a 1; or the least and largest probability of a string.
        min_region: the fewest places inside a region.
        fixed_region: how many places are inside each region, where it is the same for all.
        nested: whether regions may lie in one another: a uniform sequence of balanced brackets.
        beginning: whether a token stands before the string.
        registers: how many further tokens of their own stand behind the beginning.
        target: "count", the ones of a region; or "density", their share, in `levels` classes from 0 to 1.
        levels: classes of a density.
        classes: of a count, 0 ... classes - 1; by default half of the largest length, and 0.

    >>> task = ContextualCounting(regions=2, length=12)
    >>> strings = task.sample(3, torch.Generator().manual_seed(0))
    >>> strings.tokens.shape, strings.counts.shape
    (torch.Size([3, 13]), torch.Size([3, 2]))
    """

    regions: Range = 4
    length: Range = 64
    ones: float | tuple[float, float] = 0.5
    min_region: int = 0
    fixed_region: int | None = None
    nested: bool = False
    beginning: bool = True
    registers: int = 0
    target: str = "count"
    levels: int = 11
    classes: int | None = None

    def __post_init__(self) -> None:
        _check_range("regions", self.regions, 1)
        _check_range("length", self.length, 2)
        for name, least in (("min_region", 0), ("registers", 0), ("levels", 2)):
            check_at_least(name, getattr(self, name), least)
        check_name("target", self.target, TARGETS)
        if self.classes is not None:
            check_at_least("classes", self.classes, 2)
        shares = self.ones if isinstance(self.ones, tuple) else (self.ones, self.ones)
        numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in shares)
        if len(shares) != 2 or not numbers or not 0 <= shares[0] <= shares[1] <= 1:
            raise SimonidesError(
                f"ones = {self.ones}; give a probability, or the least and the largest of several."
            )
        for name in ("nested", "beginning"):
            if not isinstance(getattr(self, name), bool):
                raise SimonidesError(f"{name} = {getattr(self, name)!r}; give True or False.")
        if self.fixed_region is not None:
            check_at_least("fixed_region", self.fixed_region, 0)
            if self.min_region:
                raise SimonidesError("fixed_region and min_region both say how long regions are; give one.")
        if self.nested and (self.min_region or self.fixed_region is not None):
            raise SimonidesError(
                "nested regions have no least or fixed length; leave min_region and fixed_region out."
            )
        room, needed = _ends(self.length)[0], self.most_regions * (2 + (self.fixed_region or self.min_region))
        if room < needed:
            inside = self.fixed_region or self.min_region
            raise SimonidesError(
                f"length = {self.length} has no room for {self.most_regions} regions, which take {needed} places with "
                f"{inside} inside each; give fewer regions, or a larger length."
            )

    @property
    def most_regions(self) -> int:
        """The largest R."""
        return _ends(self.regions)[1]

    @property
    def longest(self) -> int:
        """The largest T, with beginning and registers."""
        return _ends(self.length)[1] + self.before

    @property
    def before(self) -> int:
        """Places before the string: beginning and registers."""
        return int(self.beginning) + self.registers

    @property
    def vocabulary(self) -> int:
        """Tokens."""
        return BEGINNING + 1 + self.registers

    @property
    def share_of_ones(self) -> tuple[float, float]:
        """The least and the largest probability of a 1."""
        return self.ones if isinstance(self.ones, tuple) else (self.ones, self.ones)

    @property
    def answers(self) -> int:
        """Classes that an answer may be."""
        if self.target == "density":
            return self.levels
        return self.classes or _ends(self.length)[1] // 2 + 1

    def sample(self, batch: int, generator: torch.Generator) -> CountingStrings:
        """Fresh strings, on the CPU."""
        check_at_least("batch", batch, 1)
        length = int(_drawn(self.length, 1, generator))
        regions = _drawn(self.regions, batch, generator)
        opens, closes = self._delimiters(length, regions, generator)
        low, high = self.share_of_ones
        share = torch.full((batch, 1), low)
        if high > low:
            share = low + (high - low) * torch.rand(batch, 1, generator=generator)
        digits = (torch.rand(batch, length, generator=generator) < share).long()
        return _assembled(digits, opens, closes, self.before, self.beginning)

    def shifted(self, **changes: object) -> "ContextualCounting":
        """The same law but for some of its fields, with the same classes."""
        classes = {} if self.target == "density" else {"classes": self.answers}
        return replace(self, **{**classes, **changes})  # type: ignore[arg-type]

    def labels(self, strings: CountingStrings) -> tuple[Int[Tensor, "B R"], int]:
        """The class of each answer, -1 where there is no region, and how many counts were beyond the last class."""
        if self.target == "density":
            level = (strings.densities * (self.levels - 1) + 0.5).floor().long()  # halves go up
            return torch.where(strings.counts < 0, -1, level), 0
        beyond = int((strings.counts >= self.answers).sum())
        return strings.counts.clamp_max(self.answers - 1), beyond

    def _delimiters(
        self, length: int, regions: Int[Tensor, " B"], generator: torch.Generator
    ) -> tuple[Int[Tensor, "B R"], Int[Tensor, "B R"]]:
        """Places of [ and ] of each region in the string; -1 where there is none."""
        most = self.most_regions
        there = torch.arange(most) < regions[:, None]
        if self.fixed_region is not None:
            # a region counts as one place where its [ stands, and is then made as long as it is
            free = length - regions * (self.fixed_region + 1)
            starts = _places(free, regions, length, most, generator)
            opens = starts + torch.arange(most) * (self.fixed_region + 1)
            closes = opens + self.fixed_region + 1
        else:
            free = length - regions * self.min_region
            places = _places(free, 2 * regions, length, 2 * most, generator)
            if self.nested:
                opens, closes = _matched(places, _balanced(regions, most, generator))
            else:
                opens, closes = places[:, ::2], places[:, 1::2]
                shift = torch.arange(most) * self.min_region
                opens, closes = opens + shift, closes + shift + self.min_region
        return opens.masked_fill(~there, -1), closes.masked_fill(~there, -1)


def read_strings(texts: Sequence[str], task: ContextualCounting) -> CountingStrings:
    """Strings such as "[01]0[1]", with their answers; spaces mean nothing.

    Raises:
        SimonidesError: when one has other characters or unmatched brackets, more regions or places than the task
            has, or other than the others' length.

    >>> read_strings(["[0][101]0[1]1[]0"], ContextualCounting(regions=4, length=16)).counts
    tensor([[0, 2, 1, 0]])
    """
    if not texts:
        raise SimonidesError("no string was given; give at least one, such as '[01]0[1]'.")
    plain = ["".join(text.split()) for text in texts]
    for text in plain:
        if not text:
            raise SimonidesError("a string is empty; give one such as '[01]0[1]'.")
        if strange := sorted(set(text) - set("01[]")):
            raise SimonidesError(
                f"{text[:40]!r} has the characters {''.join(strange)!r}; write 0, 1, [ and ] alone."
            )
        if len(text) != len(plain[0]):
            raise SimonidesError(
                f"strings of {len(plain[0])} and {len(text)} characters; give strings of one length."
            )
        if len(text) > task.longest - task.before:
            raise SimonidesError(f"{text[:40]!r} has {len(text)} characters; this task has {task.length} at most.")
    opens = torch.full((len(plain), task.most_regions), -1)
    closes = opens.clone()
    for row, text in enumerate(plain):
        for number, (start, end) in enumerate(_brackets(text, task)):
            opens[row, number], closes[row, number] = start, end
    digits = torch.tensor([[int(c == "1") for c in text] for text in plain])
    return _assembled(digits, opens, closes, task.before, task.beginning)


def written(strings: CountingStrings) -> list[str]:
    """Strings as text, without beginning and registers."""
    return ["".join(CHARACTERS[token] for token in row if token < BEGINNING) for row in strings.tokens.tolist()]


def _brackets(text: str, task: ContextualCounting) -> list[tuple[int, int]]:
    regions: list[tuple[int, int]] = []
    waiting: list[int] = []
    for place, character in enumerate(text):
        if character == "[":
            if waiting and not task.nested:
                raise SimonidesError(f"{text[:40]!r}: the [ at {place} lies in another region; give nested=True.")
            waiting.append(len(regions))
            regions.append((place, -1))
        elif character == "]":
            if not waiting:
                raise SimonidesError(f"{text[:40]!r}: the ] at {place} has no [ before it.")
            number = waiting.pop()
            regions[number] = (regions[number][0], place)
    if waiting:
        raise SimonidesError(f"{text[:40]!r}: the [ at {regions[waiting[-1]][0]} has no ] behind it.")
    if len(regions) > task.most_regions:
        raise SimonidesError(f"{text[:40]!r} has {len(regions)} regions; this task has {task.regions}.")
    return regions


def _assembled(
    digits: Int[Tensor, "B T"],
    opens: Int[Tensor, "B R"],
    closes: Int[Tensor, "B R"],
    before: int,
    beginning: bool,
) -> CountingStrings:
    """Digits with their delimiters, counted, behind what stands before the string."""
    batch = len(digits)
    there = opens >= 0
    # one place more takes what is written where there is no region
    padded = torch.cat([digits, torch.zeros_like(digits[:, :1])], 1)
    end = digits.shape[1]
    for places, token in ((opens, OPEN), (closes, CLOSE)):
        padded.scatter_(1, places.masked_fill(~there, end), token)
    string = padded[:, :end]
    ones = (string == ONE).cumsum(1)
    counts = ones.gather(1, closes.clamp_min(0)) - ones.gather(1, opens.clamp_min(0))
    head = torch.arange(before) + BEGINNING + int(not beginning)
    starts, ends = (places.masked_fill(~there, -1 - before) + before for places in (opens, closes))
    tokens = torch.cat([head.expand(batch, -1), string], 1)
    return CountingStrings(tokens=tokens, counts=counts.masked_fill(~there, -1), opens=starts, closes=ends)


def _places(
    free: Int[Tensor, " B"], count: Int[Tensor, " B"], most_free: int, most: int, generator: torch.Generator
) -> Int[Tensor, "B K"]:
    """`count` of `free` places without repetition, uniformly, in order; the rest of a row comes last."""
    keys = torch.rand(len(free), most_free, generator=generator)
    keys = keys.masked_fill(torch.arange(most_free) >= free[:, None], 2.0)
    chosen = keys.topk(most, largest=False).indices
    # beyond a row's count: larger than any place
    return chosen.masked_fill(torch.arange(most) >= count[:, None], most_free).sort(1).values


def _balanced(regions: Int[Tensor, " B"], most: int, generator: torch.Generator) -> Int[Tensor, "B K"]:
    """A uniform balanced sequence of R [ (+1) and R ] (-1) a row, by the cycle lemma; zeros behind it."""
    batch = len(regions)
    keys = torch.rand(batch, 2 * most + 1, generator=generator)
    place = torch.arange(2 * most + 1)
    length = 2 * regions[:, None] + 1
    keys = keys.masked_fill(place >= length, 2.0)
    order = keys.argsort(1).argsort(1)
    # R + 1 ups and R downs in any order: of its rotations one stays above zero, and its first step is an up
    steps = torch.where(order <= regions[:, None], 1, -1).masked_fill(place >= length, 0)
    heights = steps.cumsum(1).masked_fill(place >= length, 10**6)
    # the last place of the least height
    least = heights.min(1, keepdim=True).values
    last = torch.where(heights == least, place, -1).max(1, keepdim=True).values
    turned = steps.gather(1, (place + last + 1) % length)
    return turned[:, 1:].masked_fill(place[:-1] >= length - 1, 0)


def _matched(
    places: Int[Tensor, "B K"], steps: Int[Tensor, "B K"]
) -> tuple[Int[Tensor, "B R"], Int[Tensor, "B R"]]:
    """For the n-th [ of each row its place and that of its ]."""
    batch, count = steps.shape
    opens = torch.full((batch, count // 2), -1)
    closes, waiting = opens.clone(), torch.zeros_like(opens)
    rows = torch.arange(batch)
    depth, number = torch.zeros(batch, dtype=torch.long), torch.zeros(batch, dtype=torch.long)
    for place, step in zip(places.unbind(1), steps.unbind(1), strict=True):
        up, down = step > 0, step < 0
        waiting[rows[up], depth[up]] = number[up]
        opens[rows[up], number[up]] = place[up]
        depth, number = depth + up.long(), number + up.long()
        depth = depth - down.long()
        closes[rows[down], waiting[rows[down], depth[down]]] = place[down]
    return opens, closes


def _drawn(values: Range, count: int, generator: torch.Generator) -> Int[Tensor, " count"]:
    low, high = _ends(values)
    if low == high:
        return torch.full((count,), low)
    return torch.randint(low, high + 1, (count,), generator=generator)


def _ends(values: Range) -> tuple[int, int]:
    return values if isinstance(values, tuple) else (values, values)


def _check_range(name: str, values: Range, least: int) -> None:
    if isinstance(values, tuple) and len(values) != 2:
        raise SimonidesError(f"{name} = {values}; give a number, or (least, largest).")
    low, high = _ends(values)
    check_at_least(name, low, least)
    check_at_least(name, high, least)
    if low > high:
        raise SimonidesError(f"{name} = {values}: the least is above the largest; give (least, largest).")
