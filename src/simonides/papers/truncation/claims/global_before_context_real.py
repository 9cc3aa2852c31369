"""On real text too the bigrams come first, and copying from the context long after.

Bietti et al. (2023) and Chen, Bruna & Bietti (2025) watch it in toy models and in Pythia's checkpoints. Here a
small GPT-NeoX learns the characters of Python's manual, seven tenths of its pieces a passage read again and again;
it is asked for passages it never saw, in a first and a second reading.
"""

import math

import torch
from torch import Tensor

from simonides.checkpoints import HELD_OUT, neox_config, small_language_model, train_language_model
from simonides.data import manual, text_of
from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves

REPEATED = 0.7
# share of the way from chance to the bigrams' loss after which they count as learned
MADE = 0.9


def bigram_loss() -> float:
    """Cross-entropy of the text held out under the bigrams of the rest, each pair counted once more, in nats."""
    text = text_of(manual())
    learned, held_out = text.split(HELD_OUT)
    size = len(text.characters)
    pairs = torch.ones(size * size, dtype=torch.float64)
    pairs += torch.bincount(learned.tokens[:-1] * size + learned.tokens[1:], minlength=size * size)
    law = (pairs.view(size, size) / pairs.view(size, size).sum(1, keepdim=True)).log()
    return -float(law[held_out.tokens[:-1], held_out.tokens[1:]].mean())


def measure(runs: Runs, *, d: int, length: int, batch: int, steps: int) -> dict[str, Tensor]:
    """Losses along training, and how long after the bigrams half of a second reading is copied."""
    text, level = text_of(manual()), bigram_loss()
    rows = []
    for run, generator in enumerate(runs.generators):
        config = neox_config(len(text.characters), d, length=length)
        model = small_language_model(config, generator).to(runs.device)
        history = train_language_model(
            model,
            text,
            steps,
            generator,
            length=length,
            batch=batch,
            repeated=REPEATED,
            every=steps // 20,
            checkpoint=runs.scratch_of(run) / "training.safetensors",
        )
        held_out, first, second = (
            history.column(n).double() for n in ("held_out", "first_reading", "second_reading")
        )
        taken = torch.tensor(history.steps, dtype=torch.float64)
        made = (held_out[0] - held_out) / (held_out[0] - level)
        bigrams, context = first_where(made >= MADE, taken), first_where(second <= first / 2, taken)
        gap = torch.full_like(taken, context - bigrams)
        rows.append(torch.stack([taken, held_out, first, second, gap, torch.full_like(taken, bigrams)], 1))
    names = ("step", "held_out", "first_reading", "second_reading", "context_after_bigrams", "bigrams_at")
    return dict(zip(names, torch.stack(rows).unbind(2), strict=True))


def first_where(reached: Tensor, steps: Tensor) -> float:
    """The first step where something is reached; NaN where it never is."""
    return float(steps[int(reached.nonzero()[0])]) if bool(reached.any()) else math.nan


def grid(d: int, length: int, batch: int, steps: int) -> Grid:
    """One setting."""
    return product(d=[d], length=[length], batch=[batch], steps=[steps]).with_seeds(5)


claim = Claim(
    question="Are bigrams learned before copying from the context on real text?",
    statement=r"t(\pi_b) < t(\text{copying})",
    source="Bietti et al. (2023), figure 3; Chen, Bruna & Bietti (2025), section 4, on Pythia",
    references=["bietti2023birth", "chen2025distributional"],
    scales={
        "smoke": grid(64, 32, 16, 300),
        "desk": grid(128, 64, 32, 2000),
        "paper": grid(256, 256, 64, 20000),
    },
    measure=measure,
    rules=[Threshold(column="context_after_bigrams", at_least=100.0)],
    figures=[
        Curves(
            ys={
                "text held out": "held_out",
                "a passage, first reading": "first_reading",
                "the same, second reading": "second_reading",
            },
            x="step",
            log="",
            title="A small GPT-NeoX on the characters of Python's manual",
            x_label="step of training",
            y_label="cross-entropy (nats a character)",
        )
    ],
    stack=1,  # each run takes minutes: they are shared among workers
    finding="Nine tenths of the way to the bigrams' loss are made within the first recorded steps. Two of five runs do "
    "not copy half of a second reading within 2,000 steps, the others do so some thousand steps after the bigrams: "
    "the order is as stated in all five, the time of the two is not known. With 24 pieces a step and 1,400 steps no "
    "run copied; without repeated passages no copying was seen within 3,000 steps.",
    differs="A small model on Python's manual, in place of Pythia.",
)
