"""`pretrain`: a small language model and its steps, as checkpoints."""

import hashlib
import json
import math
import sys
from dataclasses import asdict

import torch

from simonides import options as given
from simonides.base import SimonidesError, check_at_least, check_memory, check_seed, read_json_object, read_text
from simonides.checkpoints import (
    architecture_of,
    drawn_model,
    neox_config,
    parted,
    save_step,
    train_language_model,
)
from simonides.data import manual, text_of

# may change when a training goes on
_FREE = ("out", "steps")


def pretrain(options: given.Pretrain) -> int:
    """Train, and write a checkpoint every so many steps."""
    for name in ("steps", "every", "batch"):
        check_at_least(name, getattr(options, name), 1)
    check_seed(options.seed)
    if not 0 < options.rate < math.inf:
        raise SimonidesError(f"rate = {options.rate} makes no sense; give a number above 0, such as 0.004.")
    content = manual() if options.text is None else read_text(options.text)
    text = text_of(content)
    config = neox_config(len(text.characters), options.d, options.layers, options.heads, options.length)
    # weights, gradients and AdamW's two moments; streams, hidden units, attention and logits of a batch
    a = architecture_of(config)
    weights = a.layers * 12 * a.d**2 + 2 * a.vocabulary * a.d
    row = a.layers * (16 * a.d + 2 * a.heads * options.length) + 3 * a.vocabulary
    needed = 16 * weights + 4 * options.batch * options.length * row
    check_memory("this model and batch need", needed, "give smaller sizes")
    parted(text, options.length, options.repeated)
    _settle(options, content)
    generator = torch.Generator().manual_seed(options.seed)
    model = drawn_model(config, generator)
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
        kept=lambda m, step: save_step(m, config, text, options.out / f"step-{step:06d}"),
        checkpoint=options.out / "training.safetensors",
        progress=sys.stderr.isatty(),
    )
    last = {name: float(value) for name, value in history.rows[-1].items()}
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"{weights:,} weights, {history.steps[-1]} steps: {last['held_out']:.2f} nats a character on unread text;"
    )
    print(
        f"its passages {last['first_reading']:.2f} in a first reading, {last['second_reading']:.2f} in a second."
    )
    print(f"{len(history.steps)} checkpoints: {options.out.resolve()}")
    return 0


def _settle(options: given.Pretrain, content: str) -> None:
    """Write what the training is, or check that it is the one that is there."""
    settings = {name: value for name, value in asdict(options).items() if name not in _FREE}
    settings["text"] = hashlib.sha256(content.encode()).hexdigest()[:16]
    if options.out.exists() and not options.out.is_dir():
        raise SimonidesError(f"{options.out} is a file; give a folder to write to.")
    path = options.out / "settings.json"
    if path.exists():
        there = read_json_object(path)
        other = [name for name in settings if there.get(name) != settings[name]]
        if other:
            raise SimonidesError(
                f"{options.out} holds a training with {other[0]} = {there.get(other[0])}, "
                f"not {settings[other[0]]}; go on with that, or give another folder."
            )
        return
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
