"""`attach_xval`: numbers for any causal language model of Hugging Face, as multiples of a direction and from a head.

xVal multiplies the embedding of [NUM] by the number and adds a position (Golkar et al. 2023). Most models of today add
none, and the first norm would leave of x E[NUM] nothing but the sign. So here the embedding is E[NUM] + x u, with a
learned direction u: E[NUM] stands where the position stood.
"""

import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn

from simonides.base import SimonidesError, new_folder, read_json_object, write_tensors, write_text
from simonides.papers.numbers.number_tokenizer import XValTokenizer
from simonides.papers.numbers.xval_model import XValOutput, check_numbers, xval_output
from simonides.training import in_eval_mode

_SETTINGS, _WEIGHTS, _BASE = "attached.json", "number_head.safetensors", "model"


class AttachedXVal(nn.Module):
    """A causal language model that reads numbers beside its tokens and says them from its last hidden state.

    Arguments:
        model: of the library, with a row for [NUM].
        tokenizer: gives numbers beside tokens.
        generator: draws direction and head.
    """

    def __init__(self, model: Any, tokenizer: XValTokenizer, generator: torch.Generator) -> None:
        super().__init__()
        self.model, self.tokenizer = model, tokenizer
        embeddings = model.get_input_embeddings().weight
        d = embeddings.shape[1]
        scale = float(embeddings.detach().float().pow(2).mean().sqrt())
        self.direction = nn.Parameter(scale * torch.randn(d, generator=generator))
        self.W_number = nn.Parameter(torch.randn(d, d, generator=generator) / d**0.5)
        self.b_number = nn.Parameter(torch.zeros(d))
        self.W_number_out = nn.Parameter(torch.zeros(1, d))
        self.b_number_out = nn.Parameter(torch.zeros(1))
        self.to(embeddings.device)

    def number_parameters(self) -> list[nn.Parameter]:
        """What is new: the direction and the head; the row of [NUM] is in the model's embeddings."""
        return [self.direction, self.W_number, self.b_number, self.W_number_out, self.b_number_out]

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Int[Tensor, "B T"] | None = None,
        input_number_embeddings: Float[Tensor, "B T"] | None = None,
        labels: Int[Tensor, "B T"] | None = None,
        number_labels: Float[Tensor, "B T"] | None = None,
    ) -> XValOutput:
        """Logits and numbers of what comes next after each position, with losses where labels are given."""
        embedded = self.model.get_input_embeddings()(input_ids)
        if input_number_embeddings is not None:
            check_numbers(input_number_embeddings, input_ids)
            here = input_ids == self.tokenizer.number_token_id
            size = torch.where(here, input_number_embeddings, 0.0)[..., None]
            embedded = embedded + (size * self.direction).to(embedded.dtype)
        out = self.model(inputs_embeds=embedded, attention_mask=attention_mask, output_hidden_states=True)
        hidden = out.hidden_states[-1].float()
        inside = nn.functional.gelu(hidden @ self.W_number.mT + self.b_number)
        numbers = (inside @ self.W_number_out.mT + self.b_number_out)[..., 0]
        return xval_output(out.logits, numbers, labels, number_labels, causal=True)

    @torch.no_grad()
    def next_number(self, text: str) -> float:
        """The number that comes next after a text, in its own unit, whatever the token head says."""
        encoded = self.tokenizer(text)
        if not encoded["input_ids"]:
            raise SimonidesError("an empty text has nothing that a number could come after; give a text.")
        device = self.direction.device
        with in_eval_mode(self):
            out = self(
                torch.tensor([encoded["input_ids"]], device=device),
                input_number_embeddings=torch.tensor([encoded["number_embeddings"]], device=device),
            )
        assert out.numbers is not None
        return float(out.numbers[0, -1]) * self.tokenizer.spread + self.tokenizer.centre

    def save_pretrained(self, folder: Path | str) -> None:
        """Write model, tokenizer, direction and head to a new folder, whole or not at all.

        Raises:
            SimonidesError: when there is something already.
        """
        with new_folder(Path(folder)) as partial:
            self.model.save_pretrained(str(partial / _BASE))
            self.tokenizer.save_pretrained(partial / _BASE)
            write_tensors(partial / _WEIGHTS, dict(self.named_parameters(recurse=False)))
            write_text(partial / _SETTINGS, json.dumps({"format": 1}) + "\n")

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> "AttachedXVal":
        """What `save_pretrained` has written.

        Raises:
            SimonidesError: when the folder is none of these.
        """
        from transformers import AutoModelForCausalLM

        place = Path(folder)
        if read_json_object(place / _SETTINGS).get("format") != 1:
            raise SimonidesError(f"{place / _SETTINGS} is of another version; save it again.")
        try:
            model = AutoModelForCausalLM.from_pretrained(
                str(place / _BASE), local_files_only=True, trust_remote_code=False, use_safetensors=True
            )
            tensors = load_file(place / _WEIGHTS)
        except Exception as error:  # whatever damaged files do to the library is told with their place
            line = " ".join(str(error).split())[:200]
            raise SimonidesError(f"the model in {place} cannot be opened: {line}") from None
        attached = cls(model, XValTokenizer.from_pretrained(place / _BASE), torch.Generator())
        own = dict(attached.named_parameters(recurse=False))
        if tensors.keys() != own.keys() or any(tensors[name].shape != own[name].shape for name in own):
            raise SimonidesError(f"{place / _WEIGHTS} does not belong to the model beside it.")
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(tensors[name])
        return attached


def attach_xval(model: Any, tokenizer: Any, generator: torch.Generator) -> AttachedXVal:
    """Numbers for a causal language model: one more embedding row, a direction, and a number head.

    The head says 0, the centre of the scale, before it is trained. Train `number_parameters()` alone with the
    embeddings, or all; batches come from `NumberCollator(tokenizer)`.

    Arguments:
        model: of `transformers`, such as `AutoModelForCausalLM` opens; it is changed in place.
        tokenizer: its own, or an `XValTokenizer` of it, which has a scale.
        generator: draws direction and head.

    Raises:
        SimonidesError: when the model has no embeddings, or is no causal language model.
    """
    wrapped = tokenizer if isinstance(tokenizer, XValTokenizer) else XValTokenizer(tokenizer)
    if not hasattr(model, "get_input_embeddings") or not hasattr(model, "resize_token_embeddings"):
        raise SimonidesError(f"{type(model).__name__} has no embeddings of tokens; give a model of transformers.")
    if getattr(model.config, "is_encoder_decoder", False) or model.get_output_embeddings() is None:
        raise SimonidesError(
            f"{type(model).__name__} is no causal language model; give one of AutoModelForCausalLM."
        )
    rows = len(model.get_input_embeddings().weight)
    if rows < len(wrapped):
        with torch.random.fork_rng():  # the library draws new rows from torch's global generator
            model.resize_token_embeddings(len(wrapped), mean_resizing=False)
    with torch.no_grad():
        for embeddings in (model.get_input_embeddings(), model.get_output_embeddings()):
            # the mean of the others says no word louder than another
            mean = embeddings.weight[:rows].mean(0)
            embeddings.weight[rows:] = mean
            if wrapped.added:  # else it may have been trained
                embeddings.weight[wrapped.number_token_id] = mean
    return AttachedXVal(model, wrapped, generator)
