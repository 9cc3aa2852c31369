"""Text to tokens and back, with the tokenizer a checkpoint brings (extra `checkpoints`)."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.errors import SimonidesError


class TextTokens:
    """A checkpoint's tokenizer: tokenizer.json of a folder, or what a GGUF file holds.

    Arguments:
        checkpoint: a folder or a GGUF file.

    Raises:
        SimonidesError: when there is no tokenizer, or the package tokenizers is missing.
    """

    def __init__(self, checkpoint: Path | str) -> None:
        try:
            import tokenizers
        except ImportError:
            raise SimonidesError(
                "text needs the package tokenizers; run: pip install 'simonides[checkpoints]'"
            ) from None
        path = Path(checkpoint)
        if path.suffix == ".gguf":
            self._tokenizer: Any = _from_gguf(path)
            return
        file = path / "tokenizer.json"
        if not file.exists():
            raise SimonidesError(
                f"{path} has no tokenizer.json, so it cannot read text; fetch it with the weights."
            )
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises plain Exception
            raise SimonidesError(f"{file} cannot be read: {error}.") from None

    def save(self, path: Path) -> None:
        """Write a tokenizer.json."""
        self._tokenizer.save(str(path))

    def encode(self, text: str) -> Int[Tensor, " T"]:
        """The tokens of a text, with none added at its ends."""
        return torch.tensor(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=torch.long)

    def decode(self, tokens: Int[Tensor, " T"] | list[int]) -> str:
        """The text of some tokens."""
        return str(self._tokenizer.decode(list(map(int, tokens)), skip_special_tokens=False))


def _from_gguf(path: Path) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    from simonides.models.pretrained.gguf_files import fields_of

    fields = fields_of(path, "tokenizer.")
    if fields.get("tokenizer.ggml.model") != "gpt2":
        kind = fields.get("tokenizer.ggml.model")
        raise SimonidesError(f"{path} has a tokenizer of kind {kind!r}; only byte-level BPE is supported.")
    vocabulary = {token: number for number, token in enumerate(fields["tokenizer.ggml.tokens"])}
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    found = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    splits: list[Any] = [pre_tokenizers.ByteLevel(add_prefix_space=False)]
    if fields.get("tokenizer.ggml.pre") == "smollm":
        splits.insert(0, pre_tokenizers.Split(Regex(r"\d"), "isolated"))
    found.pre_tokenizer = pre_tokenizers.Sequence(splits)
    found.decoder = decoders.ByteLevel()
    return found
