"""Text files of a user."""

from pathlib import Path

from simonides.errors import SimonidesError


def text_content(path: Path | str) -> str:
    """What a UTF-8 text file holds.

    Raises:
        SimonidesError: when the file cannot be read as text.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SimonidesError(f"{path} cannot be read as UTF-8 text: {error}.") from None
