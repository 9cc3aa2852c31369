"""`inspect`: every head and hidden unit of a checkpoint, or of the steps of a training, on one page."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from simonides.base import SimonidesError, say, say_json, tell
from simonides.commands.shared import (
    Checkpoint,
    Json,
    Quiet,
    check_there,
    out_folder,
    step_folders,
    tell_beginning,
)

if TYPE_CHECKING:
    from simonides.checkpoints import TextTokens

# heads that are printed
_BEST = 8


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Read every head and hidden unit of a checkpoint, and write a page with maps of layers by heads.

    The checkpoint is a folder (config.json and safetensors, of one of two dozen kinds: GPT-2, Pythia, Llama, Qwen,
    Gemma, BERT, ...), a GGUF file of Llama's kind, or a folder of step-N folders: then the training is followed.

    Example: simonides inspect pythia-160m
    """

    checkpoint: Checkpoint
    out: Annotated[
        Path | None, arg(metavar="DIR", help="Folder of the page and tables; by default inspection-NAME.")
    ] = None
    tokens: Annotated[int, arg(help="How many tokens each head is asked to copy, drawn at random.")] = 1024
    sequences: Annotated[int, arg(help="How many sequences of random tokens are read twice.")] = 16
    length: Annotated[
        int | None, arg(help="Tokens of each, read twice; by default 50, or half of the model's own if less.")
    ] = None
    text: Annotated[
        Path | None, arg(metavar="FILE", help="Read passages of this text twice in place of random tokens.")
    ] = None
    seed: Annotated[int, arg(help="Draws tokens and passages.")] = 0
    quiet: Quiet = False
    json: Json = False


def execute(options: Inspect) -> int:
    """Read a checkpoint, write its page, print its foremost heads."""
    check_there(options.checkpoint)
    out = out_folder(options.out, "inspection", options.checkpoint)
    from simonides.base import progress, read_text
    from simonides.checkpoints import open_checkpoint
    from simonides.probes import Reading, inspect, inspect_training

    text = None if options.text is None else read_text(options.text)
    reading = Reading(
        tokens=options.tokens,
        sequences=options.sequences,
        length=options.length,
        text=text,
        seed=options.seed,
    )
    steps = step_folders(options.checkpoint)
    last = steps[-1][1] if steps else options.checkpoint
    with progress(not (options.json or options.quiet)) as start:
        tokenizer = _tokenizer(last)
        tell_beginning(tokenizer)
        history = inspect_training(steps, tokenizer, reading, start("history", len(steps))) if steps else None
        model = open_checkpoint(last)
        inspection = inspect(model, tokenizer, reading, start("reading", 3 * model.sizes.layers))
    inspection = replace(inspection, history=history)
    index = inspection.write(out, options.checkpoint.name)
    best = inspection.heads.sort("induction", descending=True).head(_BEST)
    if options.json:
        shown = {
            "checkpoint": str(options.checkpoint),
            "layers": inspection.sizes.layers,
            "heads": inspection.sizes.heads,
            "repeated": inspection.repeated,
            "induction_heads": best.to_dicts(),
            "history": None if history is None else history.to_dicts(),
            "page": str(index.resolve()),
        }
        say_json(shown)
        return 0
    for row in best.to_dicts():
        say(
            f"layer {row['layer']:2} head {row['head']:2}: induction {row['induction']:.2f} "
            f"[{row['induction_low']:.2f}, {row['induction_high']:.2f}], previous token {row['previous']:.2f}, "
            f"copies {row['copied']:.2f} of tokens{_asked_interval(row)}, "
            f"positive eigenvalues {row['positive']:+.2f}"
        )
    if inspection.repeated is not None:
        say(f"{reading.material} read a second time: {inspection.repeated:.0%} predicted")
    say(f"page: {index.resolve()}")
    return 0


def _asked_interval(row: dict[str, Any]) -> str:
    """None where every token was asked."""
    low, high = row["copied_low"], row["copied_high"]
    return "" if low == high else f" [{low:.2f}, {high:.2f}]"


def _tokenizer(checkpoint: Path) -> "TextTokens | None":
    """The checkpoint's tokenizer; without one tokens are shown by their numbers."""
    from simonides.checkpoints import TextTokens

    try:
        return TextTokens(checkpoint)
    except SimonidesError as error:
        tell(f"no tokenizer found; showing token ids: {error}")
        return None
