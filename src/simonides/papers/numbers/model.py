"""A transformer that reads numbers beside its tokens and says numbers beside its logits.

Golkar et al. (2023, section 2): h = h_num * E[token] for xVal, E[token] + W_F features for other encodings; then
positions, the blocks, and two heads.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least
from simonides.nn import Transformer, TransformerConfig, mapped
from simonides.papers.numbers.encodings import NumberEncoding


@dataclass(frozen=True, kw_only=True)
class NumberModelConfig:
    """What a number model is made of, with the paper's choices as defaults.

    Arguments:
        trunk: the transformer: pre-norm, GELU, no biases; make it with `paper_trunk`.
        features: numbers that are read beside each token.
        multiplies: whether the one feature multiplies the embedding.
        outputs: numbers that the number head says; 0 for none.
        token_hidden: hidden units of the token head; 0 for a linear one. The paper has d where there is a number head
            and a linear head tied to the embedding elsewhere; the released code 4 d.
        number_hidden: hidden units of the number head.
    """

    trunk: TransformerConfig
    features: int
    multiplies: bool
    outputs: int
    token_hidden: int
    number_hidden: int

    def __post_init__(self) -> None:
        check_at_least("features", self.features, 0)
        check_at_least("outputs", self.outputs, 0)
        check_at_least("token_hidden", self.token_hidden, 0)
        check_at_least("number_hidden", self.number_hidden, 1)
        if self.multiplies and self.features != 1:
            raise SimonidesError(f"{self.features} features cannot multiply an embedding; give one.")


def model_config(
    encoding: NumberEncoding,
    words: int,
    length: int,
    *,
    d: int = 768,
    layers: int = 6,
    heads: int = 6,
    head_dimension: int | None = None,
    causal: bool = False,
    preset: str = "paper",
) -> NumberModelConfig:
    """The model of an encoding.

    Arguments:
        encoding: of its numbers.
        words: size of the vocabulary of symbols.
        length: the longest T.
        d, layers, heads: of the trunk; the defaults are those of the paper's scientific data.
        head_dimension: by default d/H.
        causal: whether a position sees only what came before; by default all see all, and numbers are masked.
        preset: "paper": heads of d hidden units, the text schemes' linear and tied; "released": 4 d, and untied.

    Raises:
        SimonidesError: when the preset is unknown.
    """
    if preset not in ("paper", "released"):
        raise SimonidesError(f"preset {preset!r} is unknown; give 'paper' or 'released'.")
    released = preset == "released"
    linear = encoding.outputs == 0 and not released
    trunk = TransformerConfig(
        vocabulary=words + len(encoding.tokens),
        length=length,
        d=d,
        layers=layers,
        heads=heads,
        head_dimension=head_dimension,
        feed_forward="mlp",
        activation="gelu",
        norm="pre",
        causal=causal,
        tied=True,  # a head of its own stands beside it
        # block weights are N(0, 1/(2 fan-in layers)), as in the paper
        weight_scale=(2 * layers) ** -0.5,
    )
    hidden = 4 * d if released else d
    return NumberModelConfig(
        trunk=trunk,
        features=encoding.features,
        multiplies=encoding.multiplies,
        outputs=encoding.outputs,
        token_hidden=0 if linear else hidden,
        number_hidden=hidden,
    )


class NumberModel(nn.Module):
    """From tokens with numbers to logits with numbers.

    Arguments:
        config: its parts.
        generator: draws the weights.

    >>> from simonides.papers.numbers.encodings import make_encoding
    >>> config = model_config(make_encoding("xval"), words=5, length=8, d=16, layers=1, heads=2)
    >>> model = NumberModel(config, torch.Generator().manual_seed(0))
    >>> tokens, at = torch.tensor([[3, 5, 1]]), torch.tensor([[2]])
    >>> logits, numbers = model(tokens, torch.tensor([[[1.0], [0.3], [1.0]]]), at)
    >>> logits.shape, numbers.shape
    (torch.Size([1, 1, 6]), torch.Size([1, 1, 1]))
    """

    def __init__(self, config: NumberModelConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.trunk = Transformer(config.trunk, generator)
        d = config.trunk.d

        def draw(rows: int, columns: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(rows, columns, generator=generator) / columns**0.5)

        if config.features and not config.multiplies:
            self.W_features = nn.Parameter(draw(d, config.features) / d**0.5)
        if config.token_hidden:
            self.W_token = draw(config.token_hidden, d)
            self.W_token_out = draw(config.trunk.vocabulary, config.token_hidden)
        if config.outputs:
            self.W_number, self.b_number = (
                draw(config.number_hidden, d),
                nn.Parameter(torch.zeros(config.number_hidden)),
            )
            self.W_number_out = draw(config.outputs, config.number_hidden)
            self.b_number_out = nn.Parameter(torch.zeros(config.outputs))

    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        features: Float[Tensor, "B T f"],
        at: Int[Tensor, "B Q"],
        present: Bool[Tensor, "B T"] | None = None,
    ) -> tuple[Float[Tensor, "B Q vocabulary"], Float[Tensor, "B Q outputs"]]:
        """Logits and numbers at some positions.

        Arguments:
            tokens: the sequences.
            features: beside each token; 1 multiplies nothing, 0 adds nothing.
            at: positions that are read.
            present: false for padding, which nobody sees.

        Raises:
            SimonidesError: when there are more positions than the model was made for, or tokens are not the model's.
        """
        embedded = self.trunk.embed(tokens)
        if self.config.multiplies:
            embedded = embedded * features
        elif self.config.features:
            embedded = embedded + mapped(features, self.W_features)
        mask = None if present is None else present[:, None, None]
        stream = self.trunk.streams(tokens, mask, at=at, embeddings=embedded)
        if self.config.token_hidden:
            logits = mapped(nn.functional.gelu(mapped(stream, self.W_token)), self.W_token_out)
        else:
            logits = mapped(stream, self.trunk.W_U)
        if not self.config.outputs:
            return logits, stream[..., :0]
        hidden = nn.functional.gelu(mapped(stream, self.W_number) + self.b_number)
        return logits, mapped(hidden, self.W_number_out) + self.b_number_out
