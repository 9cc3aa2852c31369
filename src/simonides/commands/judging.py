"""A checkpoint on the bench of `truncate`: what it answers and how a text surprises it, untouched or cut."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from simonides.base import mean_interval
from simonides.checkpoints import PretrainedModel
from simonides.probes import Answers, Questions, answer, perplexity, replaced

Key = tuple[int, str]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a model answers, and its perplexity on the control text."""

    answers: Answers | None
    perplexity: float


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A checkpoint with what it is tried on.

    Arguments:
        model: the checkpoint.
        questions: with a generic word watched; None where none were given.
        text: of the perplexity.
        generator: draws split and controls.
    """

    model: PretrainedModel
    questions: Questions | None
    text: Tensor
    generator: torch.Generator

    def judge(self, weights: Mapping[Key, Tensor] | None = None) -> Judged:
        """With some matrices replaced."""
        window = min(256, self.model.architecture.longest or 256)
        with replaced(self.model, weights or {}):
            found = None if self.questions is None else answer(self.model, self.questions)
            return Judged(
                answers=found,
                perplexity=perplexity(self.model, self.text, window),
            )


def reported(one: Judged, before: Judged, rows: Tensor, generator: torch.Generator) -> dict[str, Any]:
    """Accuracy, its gain over the untouched model, p(answer) and p(generic) on some questions, with intervals."""
    assert one.answers is not None and before.answers is not None
    gain = one.answers.right[rows] - before.answers.right[rows]
    more = (
        one.answers.probability[rows].clamp_min(1e-30) / before.answers.probability[rows].clamp_min(1e-30)
    ).log()
    return {
        "accuracy": float(one.answers.right[rows].mean()),
        "accuracy_interval": mean_interval(one.answers.right[rows], generator),
        "gain": float(gain.mean()),
        "gain_interval": mean_interval(gain, generator),
        "probability": float(one.answers.probability[rows].mean()),
        "log_gain": float(more.mean()),
        "log_gain_interval": mean_interval(more, generator),
        "median_rank": float(one.answers.rank[rows].double().median()),
        "generic": float(one.answers.watched[rows, 0].mean()),
    }


def as_json(one: Judged, before: Judged | None) -> dict[str, Any]:
    """All of it, for JSON."""
    found: dict[str, Any] = {"perplexity": one.perplexity}
    if one.answers is not None:
        rows = torch.arange(len(one.answers.right))
        found |= reported(one, before or one, rows, torch.Generator().manual_seed(0))
    return found


def line(name: str, one: Judged, before: Judged | None) -> str:
    """All of it, in a line."""
    parts = [f"{name}: perplexity {one.perplexity:.2f}"]
    if one.answers is not None:
        found = as_json(one, before)
        low, high = found["accuracy_interval"]
        parts.append(f"accuracy {found['accuracy']:.3f} [{low:.3f}, {high:.3f}]")
        parts.append(f"p(answer) {found['probability']:.3f}, p(generic) {found['generic']:.3f}")
        if before is not None:
            low, high = found["gain_interval"]
            parts.append(f"gain {found['gain']:+.3f} [{low:+.3f}, {high:+.3f}]")
    return ", ".join(parts)
