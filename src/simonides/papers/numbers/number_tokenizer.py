"""Any tokenizer of Hugging Face with numbers beside its tokens, and a collator that pads both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, read_json_object, write_text
from simonides.papers.numbers.grammar import extract_numbers, spelled

try:
    from transformers import AutoTokenizer, PreTrainedTokenizerBase
except ModuleNotFoundError:
    raise SimonidesError(
        "numbers beside tokens need transformers, which is not installed; run: pip install 'simonides[numbers]'"
    ) from None

NUMBER_TOKEN = "[NUM]"
_SETTINGS = "xval.json"
_IGNORED = -100


class XValTokenizer:
    """A tokenizer that writes every number of a text as the token [NUM] and gives its value beside it.

    Numbers are those of `simonides.papers.numbers.grammar`. They are scaled by one line, (x - centre)/spread, that
    should bring them into [-5, 5], where the first norm keeps them apart.

    `added` says whether it has added [NUM] to the tokenizer.

    Arguments:
        tokenizer: of the library; the token [NUM] is added where it is missing.
        centre, spread: of the scale.

    >>> from transformers import PreTrainedTokenizerFast
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> words = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "it": 2, "is": 3, "degrees": 4}, unk_token="[UNK]"))
    >>> words.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> plain = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]")
    >>> tokenizer = XValTokenizer(plain, spread=10.0)
    >>> encoded = tokenizer("it is -12.5 degrees")
    >>> encoded["number_embeddings"]
    [1.0, 1.0, -1.25, 1.0]
    >>> tokenizer.decode(encoded["input_ids"], encoded["number_embeddings"])
    'it is -12.5 degrees'
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, centre: float = 0.0, spread: float = 1.0) -> None:
        if not 0 < spread < float("inf") or not abs(centre) < float("inf"):
            raise SimonidesError(
                f"centre = {centre}, spread = {spread}; give finite numbers, the spread above zero."
            )
        self.tokenizer, self.centre, self.spread = tokenizer, float(centre), float(spread)
        self.added = NUMBER_TOKEN not in tokenizer.get_vocab()
        if self.added:
            tokenizer.add_special_tokens({"additional_special_tokens": [NUMBER_TOKEN]}, False)
        self.number_token_id = int(tokenizer.get_vocab()[NUMBER_TOKEN])

    def __len__(self) -> int:
        """Tokens of the vocabulary, [NUM] included."""
        return len(self.tokenizer)

    def fit_scale(self, texts: Sequence[str]) -> "XValTokenizer":
        """The same tokenizer with mean and standard deviation of the numbers of texts as its scale.

        Raises:
            SimonidesError: when the texts have fewer than two numbers, or all are the same.
        """
        if isinstance(texts, str):
            raise SimonidesError("a scale is fitted to a list of texts, and one text came; put it in a list.")
        values = torch.tensor([v for text in texts for v in extract_numbers(text).values], dtype=torch.float64)
        if len(values) < 2 or float(values.std()) == 0:
            raise SimonidesError(f"{len(texts)} texts have {len(values)} numbers, and no spread; set it by hand.")
        return XValTokenizer(self.tokenizer, float(values.mean()), float(values.std()))

    def __call__(self, text: str | Sequence[str], max_length: int | None = None) -> dict[str, list[Any]]:
        """Token numbers, attention mask and "number_embeddings": the scaled number at [NUM], elsewhere 1.

        Arguments:
            text: one, or several, each of which gives a list.
            max_length: what is longer is cut at its end.

        Raises:
            SimonidesError: when a text holds the word [NUM], or a number is too large for 64 bits.
        """
        if not isinstance(text, str):
            rows = [self(one, max_length) for one in text]
            return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
        if NUMBER_TOKEN in text:
            raise SimonidesError(f"a text holds the word {NUMBER_TOKEN}, which stands for numbers; write another.")
        found = extract_numbers(text)
        written = found.filled([NUMBER_TOKEN] * len(found.values))
        encoded = self.tokenizer(written)
        ids = list(encoded["input_ids"])
        places = [place for place, token in enumerate(ids) if token == self.number_token_id]
        if len(places) != len(found.values):
            raise SimonidesError(
                f"{len(found.values)} numbers became {len(places)} tokens {NUMBER_TOKEN}; this tokenizer changes it."
            )
        numbers = [1.0] * len(ids)
        for place, value in zip(places, found.values, strict=True):
            numbers[place] = (value - self.centre) / self.spread
        return {
            "input_ids": ids[:max_length],
            "attention_mask": list(encoded["attention_mask"])[:max_length],
            "number_embeddings": numbers[:max_length],
        }

    def outside(self, texts: Sequence[str], most: float = 5.0) -> int:
        """How many numbers of texts are scaled to outside [-5, 5], where the norm tells them badly apart."""
        values = [v for text in texts for v in extract_numbers(text).values]
        return sum(abs((value - self.centre) / self.spread) > most for value in values)

    def decode(
        self, ids: Sequence[int] | Int[Tensor, " T"], numbers: Sequence[float] | Float[Tensor, " T"]
    ) -> str:
        """The text of tokens, their numbers scaled back and written in it; special tokens are left out.

        Raises:
            SimonidesError: when there is not a number beside each token, or one is not finite.
        """
        ids, values = [int(one) for one in ids], [float(one) for one in numbers]
        if len(ids) != len(values):
            raise SimonidesError(f"{len(values)} numbers beside {len(ids)} tokens; give one for each.")
        special = set(self.tokenizer.all_special_ids) - {self.number_token_id}
        kept = [token for token in ids if token not in special]
        pieces = str(self.tokenizer.decode(kept, skip_special_tokens=False)).split(NUMBER_TOKEN)
        beside = [value for token, value in zip(ids, values, strict=True) if token == self.number_token_id]
        if len(pieces) != len(beside) + 1:
            raise SimonidesError(f"{len(beside)} tokens {NUMBER_TOKEN} became {len(pieces) - 1} in the text.")
        # so many digits hide the rounding of the scale, and are all that 64 or 32 bits hold
        digits = 7 if isinstance(numbers, Tensor) and numbers.dtype != torch.float64 else 15
        written = [spelled(float(f"{value * self.spread + self.centre:.{digits}g}")) for value in beside]
        return "".join(text for pair in zip(pieces, (*written, ""), strict=True) for text in pair)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the tokenizer's files, and the scale beside them."""
        self.tokenizer.save_pretrained(str(folder))
        settings = {"centre": self.centre, "spread": self.spread, "grammar": 1}
        write_text(Path(folder) / _SETTINGS, json.dumps(settings) + "\n")

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> "XValTokenizer":
        """What `save_pretrained` has written.

        Raises:
            SimonidesError: when the folder has no scale, or one of another version.
        """
        settings = read_json_object(Path(folder) / _SETTINGS)
        kinds = [isinstance(settings.get(name), (int, float)) for name in ("centre", "spread")]
        if settings.get("grammar") != 1 or not all(kinds):
            raise SimonidesError(f"{Path(folder) / _SETTINGS} is of another version, or not whole; save it again.")
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        except Exception as error:  # whatever damaged files do to the library is told with their place
            line = " ".join(str(error).split())[:200]
            raise SimonidesError(f"the tokenizer in {folder} cannot be opened: {line}") from None
        return cls(tokenizer, settings["centre"], settings["spread"])


@dataclass(frozen=True, kw_only=True)
class NumberCollator:
    """Pads what `XValTokenizer` gives, and makes labels: of masked tokens, or of all for a causal model.

    Numbers are padded by 1, `labels` by -100 and `number_labels` by NaN, which `tokenizer.pad` does not do.

    Arguments:
        tokenizer: whose padding and mask tokens are used.
        masked: share of the tokens that are masked, 0 for a causal model; a masked number is [MASK] beside 1.
        generator: draws what is masked; needed where something is.
    """

    tokenizer: XValTokenizer
    masked: float = 0.0
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.masked < 1:
            raise SimonidesError(f"masked = {self.masked}; give a share from 0 to below 1.")
        if self.masked and self.generator is None:
            raise SimonidesError("masks are drawn by a generator; give torch.Generator().manual_seed(0).")
        if self.masked and self.tokenizer.tokenizer.mask_token_id is None:
            raise SimonidesError("the tokenizer has no mask token; add one, or give masked=0 for a causal model.")

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """A batch: input_ids, attention_mask, input_number_embeddings, labels and number_labels.

        Raises:
            SimonidesError: when there are no rows, or one has no numbers beside its tokens.
        """
        if not rows or any("number_embeddings" not in row for row in rows):
            raise SimonidesError("a batch needs rows with number_embeddings; make them with XValTokenizer.")
        plain = self.tokenizer.tokenizer
        padding = plain.pad_token_id if plain.pad_token_id is not None else plain.eos_token_id
        if padding is None:
            raise SimonidesError("the tokenizer has neither a padding nor an end token; set tokenizer.pad_token.")

        def padded(name: str, fill: float, dtype: torch.dtype) -> Tensor:
            tensors = [torch.as_tensor(row[name], dtype=dtype) for row in rows]
            return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=fill)

        ids = padded("input_ids", padding, torch.long)
        present = padded("attention_mask", 0, torch.long)
        numbers = padded("number_embeddings", 1.0, torch.float32)
        if not bool(numbers.isfinite().all()):
            raise SimonidesError("a number of the batch is not finite in 32 bits; set the tokenizer's scale.")
        asked = present.bool()
        if self.masked:
            draws = torch.rand(ids.shape, generator=self.generator)
            special = set(plain.all_special_ids) - {self.tokenizer.number_token_id}
            asked = asked & ~torch.isin(ids, torch.tensor(sorted(special), dtype=torch.long))
            # of an unlucky row without a mask the most likely one is taken: its loss is no 0/0
            least = draws.masked_fill(~asked, 2.0).amin(1, keepdim=True)
            asked = asked & ((draws < self.masked) | (draws == least))
        labels = torch.where(asked, ids, _IGNORED)
        number_labels = torch.where(asked & (ids == self.tokenizer.number_token_id), numbers, torch.nan)
        if self.masked:
            ids = torch.where(asked, torch.tensor(plain.mask_token_id), ids)
            numbers = torch.where(asked, 1.0, numbers)
        return {
            "input_ids": ids,
            "attention_mask": present,
            "input_number_embeddings": numbers,
            "labels": labels,
            "number_labels": number_labels,
        }
