"""`inspect`: every head and hidden unit of a checkpoint, or of the steps of a training, on one page."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from simonides import options as given
from simonides.base import (
    SimonidesError,
    check_at_least,
    check_memory,
    check_seed,
    read_text,
    resampled_means,
    share_interval,
)
from simonides.checkpoints import PretrainedModel, TextTokens, load_pretrained
from simonides.commands.inspection_page import Inspection, write_inspection
from simonides.commands.places import check_there, out_folder, step_folders
from simonides.commands.progress import Start, Tick, ticking
from simonides.probes import Spectrum, attention_looks, head_weights, leading_write, repeated_tokens, units_write

# heads that are printed
_BEST = 8


def inspect(options: given.Inspect) -> int:
    """Read a checkpoint, write its page, print its foremost heads."""
    check_at_least("tokens", options.tokens, 1)
    check_at_least("sequences", options.sequences, 2)
    check_at_least("length", options.length, 2)
    check_seed(options.seed)
    check_there(options.checkpoint)
    steps = step_folders(options.checkpoint)
    last = steps[-1][1] if steps else options.checkpoint
    out = out_folder(options.out, "inspection", options.checkpoint)
    with torch.no_grad(), ticking(options.json) as ticks:
        text = _texts(last)
        history = _history(steps, options, text, ticks) if steps else None
        model = load_pretrained(last)
        check_looks(model, options)
        tick = ticks("reading", 3 * model.architecture.layers)
        found = read_model(model, text, options, tick)
    index = write_inspection(options.checkpoint.name, model, found, history, _read_twice(options), out)
    best = found.heads.sort("induction", descending=True).head(_BEST)
    if options.json:
        shown = {
            "checkpoint": str(options.checkpoint),
            "layers": model.architecture.layers,
            "heads": model.architecture.heads,
            "repeated": found.repeated,
            "induction_heads": best.to_dicts(),
            "history": None if history is None else history.to_dicts(),
            "page": str(index.resolve()),
        }
        print(json.dumps(shown, indent=1))
        return 0
    for row in best.to_dicts():
        print(
            f"layer {row['layer']:2} head {row['head']:2}: induction {row['induction']:.2f} "
            f"[{row['induction_low']:.2f}, {row['induction_high']:.2f}], previous token {row['previous']:.2f}, "
            f"copies {row['copied']:.2f} of tokens{_asked_interval(row)}, "
            f"positive eigenvalues {row['positive']:+.2f}"
        )
    if found.repeated is not None:
        print(f"{_read_twice(options)} read a second time: {found.repeated:.0%} predicted")
    print(f"page: {index.resolve()}")
    return 0


def _asked_interval(row: dict[str, Any]) -> str:
    """None where every token was asked."""
    low, high = row["copied_low"], row["copied_high"]
    return "" if low == high else f" [{low:.2f}, {high:.2f}]"


def _read_twice(options: given.Inspect) -> str:
    return "random tokens" if options.text is None else "passages"


def check_looks(model: PretrainedModel, options: given.Inspect) -> None:
    """Raise `SimonidesError` where the sequences' attention and streams would not fit in memory."""
    a, length = model.architecture, 2 * _passage(model, options)
    needed = 4 * options.sequences * length * (3 * a.heads * length + 8 * a.d)
    check_memory(f"{options.sequences} sequences of {length} need", needed, "give fewer or shorter ones")


def read_model(model: PretrainedModel, text: TextTokens | None, options: given.Inspect, tick: Tick) -> Inspection:
    """Everything of one checkpoint."""
    a = model.architecture
    generator = torch.Generator().manual_seed(options.seed)
    sequences = _sequences(model, options, generator, text)
    asked = torch.randperm(a.vocabulary, generator=generator)[: options.tokens]
    heads: list[pl.DataFrame] = []
    stream = None
    for number, (looked, after) in enumerate(attention_looks(model, sequences)):
        stream = after
        columns: dict[str, Any] = {"layer": [number] * a.heads, "head": list(range(a.heads))}
        for name in ("induction", "previous", "duplicate"):
            columns |= _interval(name, getattr(looked, name).double().numpy())
        heads.append(pl.DataFrame(columns))
        tick(f"layer {number}: induction up to {max(columns['induction']):.2f}")
    assert stream is not None
    repeated = None if a.encoder else _repeated(model, stream, sequences)
    weights = []
    for number, read in enumerate(head_weights(model, asked)):
        weights.append(read)
        ends = [share_interval(share, len(asked)) for share in read.copied.tolist()]
        whole = len(asked) == a.vocabulary  # then nothing was sampled
        heads[number] = heads[number].with_columns(
            copied=pl.Series(read.copied.tolist()),
            copied_low=pl.Series(read.copied.tolist() if whole else [low for low, _ in ends]),
            copied_high=pl.Series(read.copied.tolist() if whole else [high for _, high in ends]),
            positive=pl.Series(read.positive.tolist()),
            output_rank=pl.Series(Spectrum(values=read.output_values).effective_rank.tolist()),
            key_query_rank=pl.Series(Spectrum(values=read.key_query_values).effective_rank.tolist()),
        )
        tick(f"layer {number}: a head copies {float(read.copied.max()):.0%}")
    said = model.directions_said()
    units, values = [], []
    for number in range(a.layers):
        own = units_write(model, number, said)
        leading, spectrum = leading_write(model, number, said)
        values.append(spectrum)
        names = [f"unit {n}" for n in range(len(own.norm))]
        names += [f"direction {n // 2} {'+-'[n % 2]}" for n in range(len(leading.norm))]
        tokens = torch.cat([own.tokens, leading.tokens]).tolist()
        units.append(
            pl.DataFrame(
                {
                    "layer": [number] * len(names),
                    "written by": names,
                    "peak": torch.cat([own.peak, leading.peak]).tolist(),
                    "norm": torch.cat([own.norm, leading.norm]).tolist(),
                    "tokens": ["\t".join(_named(text, token) for token in row) for row in tokens],
                }
            )
        )
        tick(f"layer {number}: a unit writes {_named(text, tokens[int(own.peak.argmax())][0])}")
    spectra = {
        "output_values": torch.stack([read.output_values for read in weights]),
        "key_query_values": torch.stack([read.key_query_values for read in weights]),
        "eigenvalues": torch.view_as_real(torch.stack([read.eigenvalues for read in weights])).contiguous(),
        "W_out_values": torch.stack(values),
    }
    return Inspection(heads=pl.concat(heads), units=pl.concat(units), spectra=spectra, repeated=repeated)


def _history(
    steps: Sequence[tuple[int, Path]], options: given.Inspect, text: TextTokens | None, ticks: Start
) -> pl.DataFrame:
    """The foremost heads and the predictions at each step of a training."""
    tick, rows = ticks("history", len(steps)), []
    for step, folder in steps:
        model = load_pretrained(folder)
        check_looks(model, options)
        sequences = _sequences(model, options, torch.Generator().manual_seed(options.seed), text)
        found = [
            (looked.induction.mean(1), looked.previous.mean(1), stream)
            for looked, stream in attention_looks(model, sequences)
        ]
        induction, previous = (torch.stack([layer[part] for layer in found]) for part in (0, 1))
        layer, head = divmod(int(induction.argmax()), model.architecture.heads)
        encoder = model.architecture.encoder
        rows.append(
            {
                "step": step,
                "induction": float(induction.max()),
                "previous": float(previous.max()),
                "repeated": None if encoder else _repeated(model, found[-1][2], sequences),
                "layer": layer,
                "head": head,
            }
        )
        tick(f"step {step}: induction up to {float(induction.max()):.2f}")
    return pl.DataFrame(rows)


def _passage(model: PretrainedModel, options: given.Inspect) -> int:
    """Tokens that are read twice: so many as asked for, and no more than the model was made for."""
    return min(options.length, model.architecture.longest // 2 or options.length)


def _sequences(
    model: PretrainedModel, options: given.Inspect, generator: torch.Generator, text: TextTokens | None
) -> Tensor:
    """Random tokens, or passages of a text, read twice."""
    a = model.architecture
    if options.text is not None:
        if text is None:
            raise SimonidesError("--text needs the checkpoint's tokenizer; leave it out for random tokens.")
        tokens = text.encode(read_text(options.text))
        longest = _passage(model, options)
        if len(tokens) < longest:
            raise SimonidesError(f"{options.text} has {len(tokens)} tokens, a passage {longest}; give more.")
        starts = torch.randint(len(tokens) - longest + 1, (options.sequences, 1), generator=generator)
        return tokens[starts + torch.arange(longest)].repeat(1, 2)
    return repeated_tokens(a.vocabulary, min(_passage(model, options), a.vocabulary), options.sequences, generator)


def _repeated(model: PretrainedModel, stream: Tensor, sequences: Tensor) -> float:
    """The share of the second reading's tokens, but its first, that are predicted."""
    half = sequences.shape[1] // 2
    said = model.unembedded(stream[:, half:-1]).argmax(-1)
    return float((said == sequences[:, half + 1 :]).float().mean())


def _interval(name: str, values: np.ndarray) -> dict[str, list[float]]:
    means = resampled_means(values)
    low, high = np.quantile(means[1:], [0.025, 0.975], axis=0)
    return {name: means[0].tolist(), f"{name}_low": low.tolist(), f"{name}_high": high.tolist()}


def _texts(checkpoint: Path) -> TextTokens | None:
    """The checkpoint's tokenizer; without one tokens are shown by their numbers."""
    try:
        return TextTokens(checkpoint)
    except SimonidesError as error:
        print(f"tokens are shown by their numbers: {error}", file=sys.stderr)
        return None


def _named(text: TextTokens | None, token: int) -> str:
    """A token's text, with what cannot be printed escaped; its number where there is no tokenizer."""
    if text is None:
        return str(token)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text.decode([token])) or "(nothing)"
