"""Text to tokens and back, with the tokenizer a checkpoint brings (extra `checkpoints`)."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError, read_json_object
from simonides.checkpoints.gguf_header import read_header

# entries of a GGUF file's tokenizer that are understood, or that change no token of a text
_KNOWN = {
    *("model", "pre", "tokens", "token_type", "merges", "scores", "add_bos_token", "add_eos_token"),
    *("add_space_prefix", "bos_token_id", "eos_token_id", "unknown_token_id", "padding_token_id", "eot_token_id"),
    *("separator_token_id", "seperator_token_id", "cls_token_id", "mask_token_id", "eom_token_id"),
}


class TextTokens:
    """A checkpoint's tokenizer: tokenizer.json of a folder, or what a GGUF file holds.

    Arguments:
        checkpoint: a folder or a GGUF file.

    `beginning` are the tokens that it puts before every text, often one or none; a model was trained to see them.

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
            try:
                self._tokenizer: Any = _from_gguf(path)
                self._unknown: int | None = None  # bytes are all known
                self.beginning = _gguf_beginning(path)
            except SimonidesError:
                raise
            except Exception as error:  # the library raises plain Exception
                raise SimonidesError(f"the tokenizer of {path} is not whole: {error}.") from None
            return
        file = path / "tokenizer.json"
        if not file.exists():
            what = "has no tokenizer.json" if path.is_dir() else "is no folder and no GGUF file"
            raise SimonidesError(f"{path} {what}, so it cannot read text; fetch it with the weights.")
        model = read_json_object(file).get("model")
        if isinstance(model, dict) and model.get("dropout"):
            raise SimonidesError(
                f"{file} drops merges at random (dropout = {model['dropout']}), so a text has no one list of tokens; "
                "set dropout to null."
            )
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises plain Exception
            raise SimonidesError(f"{file} cannot be read: {error}.") from None
        self._unknown = _unknown_token(model)
        # a file may tell how batches were once cut and filled up, which would add tokens to every text
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.beginning = self._put_first()

    def __len__(self) -> int:
        """How many tokens it knows; a model's vocabulary may be padded beyond them."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def save(self, path: Path) -> None:
        """Write a tokenizer.json."""
        self._tokenizer.save(str(path))

    def _put_first(self) -> Int[Tensor, " b"]:
        """What the tokenizer puts before every text, as Llama's puts <s>."""
        for probe in ("a", self.decode([0])):
            try:
                encoding = self._tokenizer.encode(probe, add_special_tokens=True)
                alone = self._tokenizer.encode(probe, add_special_tokens=False)
            except Exception:  # the library raises plain Exception for characters that it lacks
                continue
            for place in range(len(encoding.ids) - len(alone.ids) + 1):
                if alone.ids and encoding.ids[place : place + len(alone.ids)] == alone.ids:
                    return torch.tensor(encoding.ids[:place], dtype=torch.long)
        return torch.zeros(0, dtype=torch.long)

    def encode(self, text: str) -> Int[Tensor, " T"]:
        """The tokens of a text, with none added at its ends; parts that are not known may have one of their own.

        Raises:
            SimonidesError: when the tokenizer has none for a part of it.
        """
        try:
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
        except Exception as error:  # the library raises plain Exception
            raise SimonidesError(
                f"this text has parts that the tokenizer does not know ({error}); give a text in its characters."
            ) from None
        if lost := _not_covered(text, encoding.offsets):
            raise SimonidesError(
                f"the tokenizer drops {lost!r}, which it does not know; give a text in its characters."
            )
        return torch.tensor(encoding.ids, dtype=torch.long)

    def question(self, prompt: str, answer: str, space: bool = True) -> tuple[Int[Tensor, " T"], int]:
        """The tokens of a prompt, with what is put before every text, and the token that the answer begins with.

        Where the space before the answer is a token of its own, as before digits or among characters, it belongs
        to the prompt: it tells nothing of the answer.

        Arguments:
            prompt: without a space at its end.
            answer: a word.
            space: whether one stands between.

        Raises:
            SimonidesError: when a part of either is not known to the tokenizer, or the answer has no token.
        """
        tokens = self.encode(prompt)
        whole = self.encode(prompt + (" " if space else "") + answer)
        if not torch.equal(whole[: len(tokens)], tokens):  # the last word and the answer share a token
            answer_tokens = self.encode((" " if space else "") + answer)
            whole = torch.cat([tokens, answer_tokens])
        place = len(tokens)
        while place + 1 < len(whole) and not self.decode(whole[place : place + 1]).strip():
            place += 1
        if place >= len(whole):
            raise SimonidesError(f"the answer {answer!r} to {prompt!r} has no token; give a word.")
        if self._unknown is not None and self._unknown in whole[: place + 1]:
            which = "answer" if whole[place] == self._unknown else "prompt"
            raise SimonidesError(
                f"the {which} of {prompt!r}, {answer!r} has a part that the tokenizer does not know."
            )
        return torch.cat([self.beginning, whole[:place]]), int(whole[place])

    def decode(self, tokens: Int[Tensor, " T"] | list[int]) -> str:
        """The text of some tokens."""
        return str(self._tokenizer.decode(list(map(int, tokens)), skip_special_tokens=False))


def _unknown_token(model: Any) -> int | None:
    """The token that stands for whatever a tokenizer.json does not know; None where there is none."""
    if not isinstance(model, dict):
        return None
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    vocabulary = model.get("vocab")
    number = vocabulary.get(model.get("unk_token")) if isinstance(vocabulary, dict) else None
    return number if isinstance(number, int) else None


def _not_covered(text: str, offsets: Sequence[tuple[int, int]]) -> str:
    """The first character of a text that is in no token, short of spaces and control characters."""
    change = np.zeros(len(text) + 1, dtype=np.int64)
    places = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    np.add.at(change, places[:, 0], 1)
    np.add.at(change, places[:, 1], -1)
    outside = np.flatnonzero(np.cumsum(change)[:-1] == 0)
    lost = (text[place] for place in outside)
    return next((letter for letter in lost if not letter.isspace() and unicodedata.category(letter)[0] != "C"), "")


def _from_gguf(path: Path) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    fields = read_header(path).entries
    if fields.get("tokenizer.ggml.model") != "gpt2":
        kind = fields.get("tokenizer.ggml.model")
        raise SimonidesError(f"{path} has a tokenizer of kind {kind!r}; only byte-level BPE is supported.")
    own = (name.removeprefix("tokenizer.ggml.") for name in fields if name.startswith("tokenizer.ggml."))
    if strange := sorted(name for name in own if name not in _KNOWN):
        raise SimonidesError(
            f"{path} has the entry tokenizer.ggml.{strange[0]}, which is not known; give a folder with tokenizer.json."
        )
    if fields.get("tokenizer.ggml.add_space_prefix"):
        raise SimonidesError(f"{path} puts a space before every text, which is not supported for byte-level BPE.")
    vocabulary = {token: number for number, token in enumerate(fields["tokenizer.ggml.tokens"])}
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    splits: list[Any] = [pre_tokenizers.ByteLevel(add_prefix_space=False)]
    rule = fields.get("tokenizer.ggml.pre")
    if rule not in ("smollm", "gpt-2"):
        raise SimonidesError(
            f"{path} splits text by the rule {rule!r} (tokenizer.ggml.pre), which is not known; give a folder with "
            "tokenizer.json."
        )
    if rule == "smollm":
        splits.insert(0, pre_tokenizers.Digits(individual_digits=True))  # of any script, as the model's own
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    tokenizer.decoder = decoders.ByteLevel()
    control = [
        t for t, kind in zip(vocabulary, fields.get("tokenizer.ggml.token_type", []), strict=False) if kind == 3
    ]
    tokenizer.add_special_tokens(control)
    return tokenizer


def _gguf_beginning(path: Path) -> Int[Tensor, " b"]:
    fields = read_header(path).entries
    if not fields.get("tokenizer.ggml.add_bos_token", False):
        return torch.zeros(0, dtype=torch.long)
    return torch.tensor([int(fields["tokenizer.ggml.bos_token_id"])])
