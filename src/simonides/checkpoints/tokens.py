"""Text to tokens and back, with the tokenizer a checkpoint brings (extra `checkpoints`)."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError
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
                self.beginning = _gguf_beginning(path)
            except SimonidesError:
                raise
            except Exception as error:  # the library raises plain Exception
                raise SimonidesError(f"the tokenizer of {path} is not whole: {error}.") from None
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
        """The tokens of a text, with none added at its ends.

        Raises:
            SimonidesError: when the tokenizer has none for a part of it.
        """
        try:
            tokens = self._tokenizer.encode(text, add_special_tokens=False).ids
        except Exception as error:  # the library raises plain Exception
            raise SimonidesError(
                f"this text has parts that the tokenizer does not know ({error}); give a text in its characters."
            ) from None
        return torch.tensor(tokens, dtype=torch.long)

    def question(self, prompt: str, answer: str, space: bool = True) -> tuple[Int[Tensor, " T"], int]:
        """The tokens of a prompt, with what is put before every text, and the token that the answer begins with.

        Where the space before the answer is a token of its own, as before digits or among characters, it belongs
        to the prompt: it tells nothing of the answer.

        Arguments:
            prompt: without a space at its end.
            answer: a word.
            space: whether one stands between.
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
        return torch.cat([self.beginning, whole[:place]]), int(whole[place])

    def decode(self, tokens: Int[Tensor, " T"] | list[int]) -> str:
        """The text of some tokens."""
        return str(self._tokenizer.decode(list(map(int, tokens)), skip_special_tokens=False))


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
