"""Options that several commands take, and where what they read and write is."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import FlagConversionOff, Positional, arg

from simonides.base import SimonidesError, check_output_folder, read_json_object, tell

if TYPE_CHECKING:
    from simonides.checkpoints import TextTokens

STORE = Path("simonides-store")
# beside the state of a training: what it is
SETTINGS = "settings.json"
Scale = Annotated[
    Literal["smoke", "desk", "paper"], arg(help="How large: smoke takes seconds, desk minutes, paper a cluster.")
]
Target = Annotated[
    Positional[str],
    arg(
        metavar="CLAIM|PAPER|talk|all|FILE",
        help="What: a claim such as memories/linear-capacity, a paper such as memories, talk (ten claims that "
        "show it all), all, the path of a claim file, or several with commas between.",
    ),
]
StoreFolder = Annotated[Path, arg(metavar="DIR", help="Folder of the results.")]
Checkpoint = Annotated[Positional[Path], arg(metavar="CHECKPOINT", help="Folder or GGUF file.")]
Header = Annotated[
    FlagConversionOff[bool | None], arg(help="Whether a file's first row names its columns; None guesses.")
]
Columns = Annotated[
    str | None,
    arg(
        metavar="NAME,..",
        help="A file's columns by name or number, in this order: subject, (relation,) attribute, or prompt, answer.",
    ),
]
Quiet = Annotated[bool, arg(help="Show no progress.")]
Recorded = Annotated[bool, arg(help="What was recorded with the code, in place of a store.")]
Json = Annotated[bool, arg(help="Print JSON instead of text.")]


def tell_table(name: str, first_row: str, unused: Sequence[str], left_out: Mapping[str, int]) -> None:
    """On standard error what was guessed of a file, and what of it was left out."""
    if first_row:
        tell(f"{name}: the first row was taken as {first_row} (--header True or False)")
    if unused:
        tell(f"{name}: columns that are not used: {', '.join(unused)}")
    for reason, rows in left_out.items():
        tell(f"{name}: {rows} row{'s' if rows > 1 else ''} left out: {reason}")


def tell_beginning(tokenizer: "TextTokens | None") -> None:
    """On standard error what every text begins with, where a tokenizer puts something first."""
    if tokenizer is not None and len(tokenizer.beginning):
        tell(f"every text begins with {tokenizer.decode(tokenizer.beginning)!r}, as the tokenizer puts it")


def column_names(given: str | None) -> tuple[str, ...] | None:
    """What --columns names, between commas."""
    return None if given is None else tuple(part.strip() for part in given.split(","))


def listed_names(given: str) -> list[str]:
    """Names between commas; blanks are none."""
    return [name.strip() for name in given.split(",") if name.strip()]


def is_begun(out: Path, state: str, settings: Mapping[str, object]) -> bool:
    """Whether a folder holds a training that can go on: its state, and settings.json with the same settings.

    Raises:
        SimonidesError: when the training there has other settings, or does not say which.
    """
    if not (out / state).exists():
        return False
    if not (out / SETTINGS).exists():
        raise SimonidesError(
            f"{out} holds a training ({state}) and not what it is ({SETTINGS}); give another folder."
        )
    there = read_json_object(out / SETTINGS)
    other = [name for name in settings if there.get(name) != settings[name]]
    if other:
        raise SimonidesError(
            f"{out} holds a training with {other[0]} = {there.get(other[0])}, not {settings[other[0]]}; go on with "
            "that, or give another folder."
        )
    return True


def check_there(checkpoint: Path) -> None:
    """Raise `SimonidesError` where a checkpoint is neither a folder nor a GGUF file."""
    if not checkpoint.exists():
        raise SimonidesError(f"{checkpoint} does not exist; give the folder of a checkpoint, or a GGUF file.")
    if checkpoint.is_file() and checkpoint.suffix != ".gguf":
        raise SimonidesError(f"{checkpoint} is no folder and no GGUF file; give the folder of a checkpoint.")


def out_folder(wanted: Path | None, kind: str, checkpoint: Path) -> Path:
    """The folder asked for, or one named after the checkpoint.

    Raises:
        SimonidesError: when it is a file, or holds files that simonides did not write.
    """
    source = checkpoint.resolve()
    name = source.name.removesuffix(".gguf")
    if re.fullmatch(r"step-?\d+", name):  # every training has such steps
        name = f"{source.parent.name}-{name}"
    folder = wanted or Path(f"{kind}-{name}")
    check_output_folder(folder)
    return folder


def step_folders(checkpoint: Path) -> list[tuple[int, Path]]:
    """The checkpoints along a training in a folder, step-100 or step100, in order; [] where it has none.

    Those that are not finished are left out, with a word.
    """
    if not checkpoint.is_dir() or (checkpoint / "config.json").exists():
        return []
    matches = ((re.fullmatch(r"step-?(\d+)", path.name), path) for path in checkpoint.iterdir() if path.is_dir())
    steps = sorted((int(match[1]), path) for match, path in matches if match)
    whole = [(n, p) for n, p in steps if (p / "config.json").exists() and any(p.glob("*.safetensors"))]
    for _, path in steps:
        if all(path != other for _, other in whole):
            tell(f"{path} is not finished, and is left out")
    return whole
