"""A reader looks at the 1s of its region, all alike, and at tokens of comparison.

Golkar et al. (2024), the circuit of the best model: cross-attention of about 0.7 on the beginning and 0.025 on each
1 of the region, nothing elsewhere; the effective values of 1s rise with the count, those of the beginning fall.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.nn import EncoderDecoder
from simonides.papers.counting.bias_report import COUNTED, WOULD_BE_BIASES, token_class
from simonides.papers.counting.circuit import effective_values, reading
from simonides.papers.counting.claims._training import best_counters
from simonides.papers.counting.strings import ContextualCounting


def measure(runs: Runs, *, length: int, regions: int, steps: int) -> dict[str, Tensor]:
    """Where the best region's reader looks, and the values it takes, answer by answer."""
    task = ContextualCounting(length=length, regions=regions)
    found = [
        circuit_of(counter.model, task, regions - 1, generator)
        for counter, generator in zip(best_counters(runs, task, steps), runs.generators, strict=True)
    ]
    return {name: torch.stack([one[name] for one in found]) for name in found[0]}


def circuit_of(
    model: EncoderDecoder, task: ContextualCounting, region: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Attention elsewhere than on counted and compared tokens, its unevenness among counted ones, and values."""
    strings = task.sample(1000, generator).on(model.prompts.device)
    classes = {name: members[:, region] for name, members in token_class(strings).items()}
    weights = reading(model, strings.tokens)[:, region].double()
    counted = classes[COUNTED]
    groups = {n: torch.stack([classes[c] for c in of]).any(0) for n, of in WOULD_BE_BIASES.items()}
    bias = max(groups, key=lambda name: float((weights * groups[name]).sum()))
    elsewhere = 1 - float((weights * (counted | groups[bias])).sum(1).mean())
    several = strings.counts[:, region] > 1
    count = counted[several].sum(1)
    mean = (weights * counted)[several].sum(1) / count
    square = (weights**2 * counted)[several].sum(1) / count
    uneven = float(((square / mean**2 - 1).clamp_min(0).sqrt()).mean())
    answers = torch.arange(task.answers, dtype=torch.float64)
    values = [effective_values(model, strings.tokens, c).double().cpu() for c in (counted, groups[bias])]
    values = [v - v.mean() for v in values]
    # answers that are seen in training: the others' values are whatever they are
    seen = answers[: int(strings.counts[:, region].max()) + 1].long()
    along = [float(torch.corrcoef(torch.stack([answers[seen], v[seen]]))[0, 1]) for v in values]
    whole = {"elsewhere": elsewhere, "uneven": uneven, "rises": along[0], "falls": along[1]}
    same = {name: torch.full((task.answers,), value, dtype=torch.float64) for name, value in whole.items()}
    return {"answer": answers, **same, "value_of_ones": values[0], "value_compared": values[1]}


def grid(length: int, regions: int, steps: int, seeds: int) -> Grid:
    """One setting."""
    return product(length=[length], regions=[regions], steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="What does a reader look at, and what does it take from there?",
    statement=r"\frac{n \, v_1 + B \, v_b}{n + B}",
    source="Golkar et al. (2024), circuit of the best model",
    references=["golkar2024contextual"],
    scales={
        "smoke": grid(12, 2, 100, 5),
        "desk": grid(32, 2, 2000, 5),
        "paper": grid(512, 4, 60_000, 6),
    },
    measure=measure,
    rules=[
        Threshold(
            column="elsewhere",
            at_most=0.15,
            says="attention on other tokens than counted 1s and one kind to compare with",
        ),
        Threshold(column="uneven", at_most=0.3, says="spread of the attention on counted 1s over its mean"),
        Threshold(column="rises", at_least=0.7, says="correlation of the 1s' effective value with the answer"),
        Threshold(column="falls", at_most=-0.7, says="the same of the tokens of comparison"),
    ],
    sanity=[Threshold(column="uneven", at_most=1.0)],
    figures=[
        Curves(
            ys={"of counted 1s": "value_of_ones", "of tokens to compare with": "value_compared"},
            x="answer",
            log="",
            title="Effective values, mean taken off",
            x_label="answer",
            y_label="logit",
        )
    ],
    stack=3,
    finding="Counted 1s are attended to alike, and what is compared with lowers large counts, in all five runs. "
    "Trained counters of this size compare with several kinds of tokens at once: 7 to 40 % of the "
    "attention is on others than the commonest. In one run the counted 1s' own value falls with the "
    "answer: it is the difference of the two values that decides. The paper shows its best model of "
    "twelve at T = 512.",
    untested="the decomposition of rotary scores by plane; keys of the decoder in two dimensions",
    differs="T = 32 and R = 2, in place of T = 512 and R = 4; means over runs in place of the best model.",
)
