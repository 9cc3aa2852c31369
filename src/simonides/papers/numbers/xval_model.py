"""The paper's model in the shape of Hugging Face: `XValConfig` and `XValModel`, known to AutoConfig and AutoModel."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError
from simonides.nn import cross_entropies
from simonides.papers.numbers.model import NumberModel, model_config
from simonides.papers.numbers.number_features import ScaledEmbedding

try:
    from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
    from transformers.utils.generic import ModelOutput
except ModuleNotFoundError:
    raise SimonidesError(
        "XValModel needs transformers, which is not installed; run: pip install 'simonides[numbers]'"
    ) from None


class XValConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes of an xVal model; the defaults are those of the paper's scientific data.

    Arguments:
        vocab_size: tokens, [NUM] included.
        hidden_size, num_hidden_layers, num_attention_heads, head_dim: of the trunk.
        max_position_embeddings: the longest sequence.
        causal: whether a position sees only what came before.
        preset: "paper" or "released", of the heads.
    """

    model_type = "xval"

    def __init__(
        self,
        vocab_size: int = 1000,
        hidden_size: int = 768,
        num_hidden_layers: int = 6,
        num_attention_heads: int = 6,
        head_dim: int | None = 128,
        max_position_embeddings: int = 1024,
        causal: bool = False,
        preset: str = "paper",
        **kwargs: Any,
    ) -> None:
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.num_hidden_layers, self.num_attention_heads = num_hidden_layers, num_attention_heads
        self.head_dim, self.max_position_embeddings = head_dim, max_position_embeddings
        self.causal, self.preset = causal, preset
        super().__init__(**kwargs)


@dataclass
class XValOutput(ModelOutput):
    """What an xVal model says.

    Arguments:
        loss: token_loss plus number_loss, where labels were given.
        logits: of each position.
        numbers: the number head's value at each position, in the tokenizer's scale.
        token_loss: mean cross-entropy of labels that are not -100.
        number_loss: mean squared error of number labels that are not NaN; 0 where there are none.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    numbers: Tensor | None = None
    token_loss: Tensor | None = None
    number_loss: Tensor | None = None


def xval_output(
    logits: Float[Tensor, "B T V"],
    numbers: Float[Tensor, "B T"],
    labels: Int[Tensor, "B T"] | None,
    number_labels: Float[Tensor, "B T"] | None,
    causal: bool,
) -> XValOutput:
    """Logits and numbers with their losses: means over labels alone, in 32 bits, and zero where there are none.

    Of a causal model the label of a position is the next token.
    """
    if labels is None and number_labels is None:
        return XValOutput(logits=logits, numbers=numbers)
    for given in (labels, number_labels):
        if given is not None and given.shape != numbers.shape:
            raise SimonidesError(f"labels of shape {list(given.shape)} beside tokens of {list(numbers.shape)}.")
    wanted = torch.full_like(numbers, -100, dtype=torch.long) if labels is None else labels
    said, guessed = logits, numbers
    truth = torch.full_like(numbers, torch.nan) if number_labels is None else number_labels.to(numbers)
    if bool(((wanted != -100) & ((wanted < 0) | (wanted >= logits.shape[-1]))).any()):
        raise SimonidesError(f"a label is not in the vocabulary of {logits.shape[-1]}; -100 stands for none.")
    if causal:
        said, guessed, wanted, truth = said[:, :-1], guessed[:, :-1], wanted[:, 1:], truth[:, 1:]
    kept, known = wanted != -100, ~truth.isnan()
    losses = cross_entropies(said.float(), wanted.masked_fill(~kept, 0)).masked_fill(~kept, 0.0)
    token_loss = losses.sum() / kept.sum().clamp_min(1)
    errors = (guessed.float() - truth.float().masked_fill(~known, 0.0)).square().masked_fill(~known, 0.0)
    number_loss = errors.sum() / known.sum().clamp_min(1)
    return XValOutput(
        loss=token_loss + number_loss,
        logits=logits,
        numbers=numbers,
        token_loss=token_loss,
        number_loss=number_loss,
    )


def check_numbers(numbers: Float[Tensor, "B T"], tokens: Int[Tensor, "B T"]) -> None:
    """Raise `SimonidesError` unless there is a finite number beside each token."""
    if numbers.shape != tokens.shape or not bool(numbers.isfinite().all()):
        raise SimonidesError(
            f"numbers of shape {list(numbers.shape)} beside tokens of {list(tokens.shape)}; give a finite one for each."
        )


class XValModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """The model of Golkar et al. (2023, section 2) behind the interface of Hugging Face.

    >>> config = XValConfig(vocab_size=9, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, head_dim=None)
    >>> model = XValModel(config)
    >>> out = model(torch.tensor([[3, 8]]), input_number_embeddings=torch.tensor([[1.0, 0.5]]))
    >>> out.logits.shape, out.numbers.shape
    (torch.Size([1, 2, 9]), torch.Size([1, 2]))
    """

    config_class = XValConfig
    base_model_prefix = "numbers"
    _tied_weights_keys = {"numbers.trunk.W_U": "numbers.trunk.W_E"}  # noqa: RUF012 - as the library has it

    def __init__(self, config: XValConfig) -> None:
        super().__init__(config)
        encoding = ScaledEmbedding()
        sizes = model_config(
            encoding,
            config.vocab_size - len(encoding.tokens),
            config.max_position_embeddings,
            d=config.hidden_size,
            layers=config.num_hidden_layers,
            heads=config.num_attention_heads,
            head_dimension=config.head_dim,
            causal=config.causal,
            preset=config.preset,
        )
        # the library makes models without storage when it opens a checkpoint, where no generator can draw
        with torch.device("cpu"):
            # and gives no generator: the weights are those of torch's own seed
            seed = int(torch.randint(2**31, (1,)))
            self.numbers = NumberModel(sizes, torch.Generator().manual_seed(seed))
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Nothing: weights are drawn where they are made."""

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Int[Tensor, "B T"] | None = None,
        input_number_embeddings: Float[Tensor, "B T"] | None = None,
        labels: Int[Tensor, "B T"] | None = None,
        number_labels: Float[Tensor, "B T"] | None = None,
    ) -> XValOutput:
        """Logits and numbers of all positions, with losses where labels are given.

        Arguments:
            input_ids: tokens.
            attention_mask: 0 for padding.
            input_number_embeddings: what each embedding is multiplied by; 1 off numbers.
            labels: tokens, -100 where none is asked for.
            number_labels: numbers, NaN where none is asked for.
        """
        shape = input_ids.shape
        numbers = input_number_embeddings
        if numbers is None:
            numbers = torch.ones(shape, device=input_ids.device)
        check_numbers(numbers, input_ids)
        at = torch.arange(shape[1], device=input_ids.device).expand(shape)
        present = None if attention_mask is None else attention_mask.bool()
        logits, said = self.numbers(input_ids, numbers[..., None].to(self.dtype), at, present)
        return xval_output(logits, said[..., 0], labels, number_labels, self.config.causal)


def register() -> None:
    """Make AutoConfig and AutoModel know xVal; done when this module is loaded."""
    AutoConfig.register("xval", XValConfig, exist_ok=True)
    AutoModel.register(XValConfig, XValModel, exist_ok=True)


register()
