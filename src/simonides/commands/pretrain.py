"""`pretrain`: a small language model and its steps, as checkpoints."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from simonides.base import SimonidesError, say
from simonides.commands.shared import SETTINGS, Quiet, is_begun, step_folders

_STATE = "training.safetensors"
# of AdamW: each update moves every weight by about as much
_LARGEST_RATE = 100.0
# may change when a training goes on
_FREE = ("out", "steps", "quiet")


@dataclass(frozen=True, kw_only=True)
class Pretrain:
    """Train a small language model on a text, character by character, and keep its steps as checkpoints.

    The folder then holds step-N folders in the layout of GPT-NeoX, for inspect, truncate and any other library. A
    training that was broken off goes on.

    Example: simonides pretrain small --steps 3000 --repeated 0.7

    Example: simonides inspect small
    """

    out: Annotated[Positional[Path], arg(metavar="DIR", help="Folder of the steps.")]
    text: Annotated[Path | None, arg(metavar="FILE", help="UTF-8 text; by default Python's manual.")] = None
    d: Annotated[int, arg(help="Width.")] = 128
    layers: Annotated[int, arg(help="Attention and feed-forward.")] = 2
    heads: Annotated[int, arg(help="Of each layer.")] = 4
    length: Annotated[int, arg(help="Characters of a piece.")] = 64
    batch: Annotated[int, arg(help="Pieces a step.")] = 32
    steps: Annotated[int, arg(help="Updates.")] = 2000
    every: Annotated[int, arg(help="Steps between checkpoints.")] = 200
    rate: Annotated[float, arg(help="Learning rate of AdamW.")] = 4e-3
    repeated: Annotated[
        float, arg(help="Share of the pieces that is a passage read again and again, which calls for induction.")
    ] = 0.0
    seed: Annotated[int, arg(help="Draws weights and pieces.")] = 0
    quiet: Quiet = False


def execute(options: Pretrain) -> int:
    """Train, and write a checkpoint every so many steps."""
    import torch

    from simonides.base import check_at_least, check_memory, check_seed, read_text
    from simonides.checkpoints import neox_config, parted, save_step, small_language_model, train_language_model
    from simonides.data import manual, text_of

    for name in ("steps", "every", "batch"):
        check_at_least(name, getattr(options, name), 1)
    check_seed(options.seed)
    if not 0 < options.rate <= _LARGEST_RATE:
        raise SimonidesError(
            f"rate = {options.rate} makes no sense; give a number above 0 and up to {_LARGEST_RATE:g}, such as 0.004."
        )
    content = manual() if options.text is None else read_text(options.text)
    text = text_of(content)
    config = neox_config(len(text.characters), options.d, options.layers, options.heads, options.length)
    # weights, gradients and AdamW's two moments; streams, hidden units, attention and logits of a batch
    d, layers, vocabulary = options.d, options.layers, len(text.characters)
    weights = layers * 12 * d**2 + 2 * vocabulary * d
    row = layers * (16 * d + 2 * options.heads * options.length) + 3 * vocabulary
    needed = 16 * weights + 4 * options.batch * options.length * row
    check_memory("this model and batch need", needed, "give smaller sizes")
    parted(text, options.length, options.repeated)
    _settle(options, content)
    generator = torch.Generator().manual_seed(options.seed)
    model = small_language_model(config, generator)
    history = train_language_model(
        model,
        text,
        options.steps,
        generator,
        length=options.length,
        batch=options.batch,
        rate=options.rate,
        repeated=options.repeated,
        every=options.every,
        keep=lambda m, step: save_step(m, text, options.out / f"step-{step:06d}"),
        checkpoint=options.out / _STATE,
        progress=not options.quiet,
    )
    last = {name: float(values[-1]) for name, values in history.columns.items()}
    weights = sum(parameter.numel() for parameter in model.parameters())
    say(
        f"{weights:,} weights, {history.steps[-1]} steps: {last['held_out']:.2f} nats per character on held-out text;"
    )
    first, second = last["first_reading"], last["second_reading"]
    say(f"repeated passages: {first:.2f} nats at first occurrence, {second:.2f} at second.")
    say(f"{len(step_folders(options.out))} checkpoints: {options.out.resolve()}")
    return 0


def _settle(options: Pretrain, content: str) -> None:
    """Write what the training is, or check that it is the one that is there."""
    from simonides.base import check_output_folder, output_folder, write_text

    settings = {name: value for name, value in asdict(options).items() if name not in _FREE}
    settings["text"] = hashlib.sha256(content.encode()).hexdigest()[:16]
    check_output_folder(options.out)
    if is_begun(options.out, _STATE, settings):
        return
    # one that ended before its first checkpoint, as one that diverges does, leaves nothing to go on from
    for number, folder in step_folders(options.out):
        if number:
            raise SimonidesError(
                f"{options.out} holds {folder.name} of a training and not its state ({_STATE}); give another folder."
            )
        shutil.rmtree(folder)
    output_folder(options.out)
    write_text(options.out / SETTINGS, json.dumps(settings, indent=1))
