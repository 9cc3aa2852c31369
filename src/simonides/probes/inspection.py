"""Inspecting a model: every head and hidden unit, in tables.

Letters: `V` tokens, `d` width, `H` heads, `B` sequences of `T` positions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from simonides.base import (
    mean_estimate,
    share_interval,
)
from simonides.checkpoints import TextTokens, open_checkpoint
from simonides.nn import Roles, Sizes
from simonides.probes.heads import AttentionScores, HeadWeights, head_weights, repeated_reading
from simonides.probes.neurons import RaisedTokens, tokens_raised_by_singular_directions, tokens_raised_by_units
from simonides.probes.reading import (
    Reading,
    _known_tokens,
    beginning_of,
    check_reading,
    named_token,
    opened_with_tokenizer,
    sequences_read_twice,
)
from simonides.probes.spectrum import Spectrum

Tick = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was read in one model.

    Arguments:
        sizes: of the model.
        parameters: how many numbers it has.
        heads: a row for each: `layer`, `head`, `induction`, `previous`, `duplicate` and `copied` with the ends of
            their 95 % intervals, `positive` (eigenvalues), `output_rank` and `key_query_rank`.
        units: a row for each hidden unit, and for each leading direction of W_out and its opposite.
        spectra: singular values and eigenvalues by layer and head.
        repeated: share of tokens of the second reading that were predicted; None for an encoder.
        history: the foremost heads at each step of a training, where one was inspected.
        reading: how it was read.
    """

    sizes: Sizes
    parameters: int
    heads: pl.DataFrame
    units: pl.DataFrame
    spectra: dict[str, Tensor]
    repeated: float | None
    history: pl.DataFrame | None
    reading: Reading

    def __repr__(self) -> str:
        best = self.heads.sort("induction", descending=True).row(0, named=True)
        return (
            f"Inspection({self.sizes.layers} layers of {self.sizes.heads} heads; most induction: layer "
            f"{best['layer']} head {best['head']}, {best['induction']:.2f})"
        )

    def write(self, folder: Path | str, name: str = "model") -> Path:
        """Write a page with maps of layers by heads, its figures and its tables; returns the page's path.

        Raises:
            SimonidesError: when the folder cannot be written.
        """
        from simonides.probes.inspection_page import write_inspection

        return write_inspection(self, Path(folder), name)


def inspect(
    model: Roles | Path | str,
    tokenizer: TextTokens | None = None,
    reading: Reading | None = None,
    tick: Tick | None = None,
) -> Inspection:
    """Read every head and hidden unit of a model, toy or real.

    Arguments:
        model: a model with roles, the folder of a checkpoint, or a GGUF file.
        tokenizer: names tokens, and reads a text; by default a checkpoint's own, and numbers without one.
        reading: how; by default 16 sequences of 50 random tokens read twice, and 1,024 tokens asked for.
        tick: told of each of 3 times the layers as it is done.

    Raises:
        SimonidesError: when the model cannot be opened, has fewer than two tokens a sequence, or its attention
            would not fit in memory.

    >>> from simonides.nn import Transformer, TransformerConfig
    >>> config = TransformerConfig(vocabulary=40, length=24, d=16, heads=2)
    >>> inspection = inspect(Transformer(config, torch.Generator().manual_seed(0)), reading=Reading(length=8))
    >>> inspection.heads.shape[0], inspection.sizes.layers
    (4, 2)
    """
    reading = reading or Reading()
    tick = tick or (lambda glimpse: None)
    opened, tokenizer = opened_with_tokenizer(model, tokenizer)
    with torch.no_grad():
        check_reading(opened, reading, tokenizer)
        generator = torch.Generator().manual_seed(reading.seed)
        sequences = sequences_read_twice(opened, reading, tokenizer, generator)
        known = _known_tokens(opened, tokenizer)
        asked = torch.randperm(known, generator=generator)[: reading.tokens]
        scores, repeated = repeated_reading(
            opened,
            sequences,
            lambda layer: tick(f"induction up to {float(layer.induction.mean(1).max()):.2f}"),
            beginning_of(tokenizer),
        )
        weights = []
        if opened.sizes.outputs == opened.sizes.vocabulary:
            for layer in head_weights(opened, asked):
                weights.append(layer)
                tick(f"a head copies {float(layer.copied.max()):.0%}")
        heads = _heads_table(scores, weights, len(asked), len(asked) == known)
        units, values = _units_table(opened, tokenizer, tick)
    spectra = {}
    if weights:
        spectra = {
            "output_values": torch.stack([layer.output_values for layer in weights]),
            "key_query_values": torch.stack([layer.key_query_values for layer in weights]),
            "eigenvalues": torch.view_as_real(torch.stack([layer.eigenvalues for layer in weights])).contiguous(),
        }
    if values:
        spectra["W_out_values"] = torch.stack(values)
    return Inspection(
        sizes=opened.sizes,
        parameters=sum(p.numel() for p in opened.parameters()) if isinstance(opened, torch.nn.Module) else 0,
        heads=heads,
        units=units,
        spectra=spectra,
        repeated=repeated,
        history=None,
        reading=reading,
    )


def foremost_heads(model: Roles, tokenizer: TextTokens | None, reading: Reading) -> dict[str, Any]:
    """The highest scores of any head, and where the foremost induction head is: a row of a training's history."""
    check_reading(model, reading, tokenizer)
    sequences = sequences_read_twice(model, reading, tokenizer, torch.Generator().manual_seed(reading.seed))
    with torch.no_grad():
        scores, repeated = repeated_reading(model, sequences, beginning=beginning_of(tokenizer))
    induction = torch.stack([layer.induction.mean(1) for layer in scores])
    previous = torch.stack([layer.previous.mean(1) for layer in scores])
    layer, head = divmod(int(induction.argmax()), model.sizes.heads)
    return {
        "induction": float(induction.max()),
        "previous": float(previous.max()),
        "repeated": repeated,
        "layer": layer,
        "head": head,
    }


def inspect_training(
    steps: Sequence[tuple[int, Path]], tokenizer: TextTokens | None, reading: Reading, tick: Tick | None = None
) -> pl.DataFrame:
    """The foremost heads and the predictions at each step of a training.

    Arguments:
        steps: numbers of updates, and the checkpoints.
        tokenizer, reading: as in `inspect`.
        tick: told of each step as it is done.
    """
    rows = []
    for step, folder in steps:
        row = foremost_heads(open_checkpoint(folder), tokenizer, reading)
        rows.append({"step": step, **row})
        if tick is not None:
            tick(f"step {step}: induction up to {row['induction']:.2f}")
    return pl.DataFrame(rows)


def _heads_table(
    scores: list[AttentionScores], weights: list[HeadWeights], asked: int, whole: bool
) -> pl.DataFrame:
    tables = []
    for layer, looked in enumerate(scores):
        heads = len(looked.induction)
        columns: dict[str, Any] = {"layer": [layer] * heads, "head": list(range(heads))}
        for name in ("induction", "previous", "duplicate"):
            estimates = [mean_estimate(values) for values in getattr(looked, name).double().numpy()]
            ends = [one.interval() for one in estimates]
            columns |= {name: [one.value for one in estimates]}
            columns |= {f"{name}_{side}": [pair[n] for pair in ends] for n, side in enumerate(("low", "high"))}
        if weights:
            read = weights[layer]
            copied = read.copied.tolist()
            # where every token was asked nothing was sampled
            ends = [(share, share) if whole else share_interval(share * asked, asked) for share in copied]
            columns |= {
                "copied": copied,
                "copied_low": [low for low, _ in ends],
                "copied_high": [high for _, high in ends],
                "positive": read.positive.tolist(),
                "output_rank": Spectrum(values=read.output_values).effective_rank.tolist(),
                "key_query_rank": Spectrum(values=read.key_query_values).effective_rank.tolist(),
            }
        tables.append(pl.DataFrame(columns))
    return pl.concat(tables)


def _units_table(model: Roles, tokenizer: TextTokens | None, tick: Tick) -> tuple[pl.DataFrame, list[Tensor]]:
    """What hidden units and leading directions of W_out raise; the singular values of layers that have one."""
    columns = {
        "layer": pl.Int64,
        "written by": pl.String,
        "peak": pl.Float64,
        "norm": pl.Float64,
        "tokens": pl.String,
    }
    tables, values = [pl.DataFrame(schema=columns)], []
    directions = model.logit_directions().float()
    for layer in range(model.sizes.layers):
        best = "no hidden units"
        for role in (role for role in model.roles(layer) if role.partition(".")[0] == "W_out"):
            units = tokens_raised_by_units(model, layer, directions, role)
            leading, spectrum = tokens_raised_by_singular_directions(model, layer, directions, role)
            values.append(spectrum)
            expert = role.partition(".")[2]
            tables.append(_unit_rows(layer, f"expert {expert} " if expert else "", units, leading, tokenizer))
            best = named_token(tokenizer, int(units.tokens[int(units.peak.argmax()), 0]))
        tick(f"a unit writes {best}")
    return pl.concat(tables), values


def _unit_rows(
    layer: int, prefix: str, units: RaisedTokens, leading: RaisedTokens, tokenizer: TextTokens | None
) -> pl.DataFrame:
    names = [f"{prefix}unit {n}" for n in range(len(units.norm))]
    names += [f"{prefix}direction {n // 2} {'+-'[n % 2]}" for n in range(len(leading.norm))]
    tokens = torch.cat([units.tokens, leading.tokens]).tolist()
    return pl.DataFrame(
        {
            "layer": [layer] * len(names),
            "written by": names,
            "peak": torch.cat([units.peak, leading.peak]).double().tolist(),
            "norm": torch.cat([units.norm, leading.norm]).double().tolist(),
            "tokens": ["\t".join(named_token(tokenizer, token) for token in row) for row in tokens],
        }
    )
