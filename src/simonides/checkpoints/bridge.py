"""A model of `transformers` as roles: its forward pass is its own, its weights go by their roles.

Activations are seen and changed by hooks on its own modules. Letters as in `simonides.nn.roles`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_name
from simonides.checkpoints.families import Family, family_of
from simonides.checkpoints.hooks import _after, _before, _first, _given, _weights_after, _without_stream
from simonides.checkpoints.packings import Packing
from simonides.checkpoints.watched_attention import seeing
from simonides.nn import Interventions, Norm, Sizes, Trace, Watch, check_head, check_sequences, probed_norm

_EPSILONS = ("eps", "variance_epsilon", "epsilon")


class CheckpointModel(nn.Module):
    """A decoder or encoder of `transformers`, with every weight by its role.

    Arguments:
        model: of a class whose family is known; it is kept, not copied, and put into evaluation mode.

    Raises:
        SimonidesError: when the kind of model is not supported, or its modules are not those of its family.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if not hasattr(getattr(model, "config", None), "model_type"):
            raise SimonidesError(f"a {type(model).__name__} is no model of transformers; give one, or a path.")
        if any(parameter.is_meta for parameter in model.parameters()):
            raise SimonidesError(
                f"this {type(model).__name__} has shapes and no weights (device meta); load them."
            )
        self.model = model
        self.eval()
        self.config: Any = model.config
        self.family: Family = family_of(self.config)
        try:
            self._layers = list(model.get_submodule(self.family.layers).children())
            model.get_submodule(self.family.embedding)
            if self.family.unembedding is not None:
                model.get_submodule(self.family.unembedding)
            for layer in self._layers:
                layer.get_submodule(self.family.attention)
        except AttributeError as error:
            raise SimonidesError(
                f"a {type(model).__name__} has not the modules of its kind: {error}; give the whole model, "
                "with its unembedding, as AutoModelForCausalLM opens it."
            ) from None
        self.sizes = self._sizes()

    def forward(self, tokens: Int[Tensor, "B T"], at: Int[Tensor, "B Q"] | None = None) -> Float[Tensor, "B Q V"]:
        """Logits of what comes next, after every position or only after those in `at`.

        Raises:
            SimonidesError: when this is an encoder, or there are more positions than it has.
        """
        return self._logits(self._streams(tokens), at)

    def run(
        self,
        tokens: Int[Tensor, "B T"],
        at: Int[Tensor, "B Q"] | None = None,
        trace: Trace | None = None,
        interventions: Interventions | None = None,
    ) -> Float[Tensor, "B Q V"]:
        """Logits, with activations kept or changed by name; an encoder gives its last stream in their place.

        Raises:
            SimonidesError: when a name or pattern meets no activation, or cannot be changed in this model.
        """
        if trace is None and not interventions:
            stream = self._streams(tokens)
        else:
            watch = Watch(trace, interventions)
            with self._watched(watch, len(tokens)):
                stream = self._streams(tokens)
            watch.check()
        return self._logits(stream, at) if self.sizes.decoder else _at(stream, at)

    @contextmanager
    def passage(self, tokens: Int[Tensor, "B T"]) -> Iterator["_Passage"]:
        """Sequences before the first layer, to be taken through the layers step by step."""
        yield _Passage(self, tokens)

    def roles(self, layer: int | None = None) -> tuple[str, ...]:
        """The weights that a layer has, or without one the whole, by role."""
        if layer is None:
            return tuple(self._whole())
        check_head(self.sizes, layer)
        packings = self.family.weights.items()
        return tuple(role for role, packing in packings if self._parameter(layer, packing.path) is not None)

    def weight(self, role: str, layer: int | None = None) -> Tensor:
        """A weight by its role (`simonides.nn.Roles.weight`), in the model's own type.

        Raises:
            SimonidesError: when there is no such layer, or no such weight.
        """
        if layer is None:
            whole = self._whole()
            check_name("weight", role, whole)
            return whole[role].detach()
        packing, parameter = self._packed(role, layer)
        return packing.read(parameter, self.sizes)

    def set_weight(self, role: str, layer: int, value: Tensor) -> None:
        """Put another weight in a layer; all others keep their bits.

        Raises:
            SimonidesError: when there is no such layer or weight, or the shape is another.
        """
        packing, parameter = self._packed(role, layer)
        shape = packing.read(parameter, self.sizes).shape
        if shape != value.shape:
            raise SimonidesError(f"{role} of layer {layer} is {list(shape)}, not {list(value.shape)}.")
        packing.write(parameter, self.sizes, value.to(parameter.dtype))

    def attention_norm(self, layer: int) -> Norm | None:
        """What the heads of a layer read through; an encoder's layers read the stream as it is."""
        return None if self.family.encoder else self._norm(layer, self.family.attention_norm)

    def attention_output_norm(self, layer: int) -> Norm | None:
        """What the heads of a layer add through."""
        return self._norm(layer, self.family.attention_output_norm)

    def embedded(self, tokens: Int[Tensor, " S"]) -> Float[Tensor, "S d"]:
        """Tokens as they enter the stream, without positions."""
        with torch.no_grad():
            rows = self._embedding(tokens)
            if self.family.embedding_norm is not None:
                rows = self.model.get_submodule(self.family.embedding_norm)(rows)
        return rows

    def logit_directions(self) -> Float[Tensor, "V d"]:
        """For each token the direction in the stream that raises its logit, up to the size of the last norm."""
        directions = self.weight("W_U")
        if self.family.final_norm is None:
            return directions
        norm = self._probed(self.model.get_submodule(self.family.final_norm))
        return norm.directions(directions.to(torch.promote_types(directions.dtype, torch.float32)))

    def traced_streams(self, tokens: Int[Tensor, "B T"], trace: Trace, **settings: Any) -> Float[Tensor, "B T d"]:
        """The stream behind the last norm, with activations kept; settings such as position_ids go to the model."""
        watch = Watch(trace)
        with self._watched(watch, len(tokens)):
            stream = self._streams(tokens, **settings)
        watch.check()
        return stream

    def layer_module(self, layer: int, path: str) -> nn.Module:
        """A module of a layer by its path."""
        check_head(self.sizes, layer)
        return self._layers[layer].get_submodule(path)

    @property
    def _embedding(self) -> nn.Module:
        return self.model.get_submodule(self.family.embedding)

    def _whole(self) -> dict[str, Tensor]:
        weights: dict[str, Tensor] = {"W_E": self._embedding.get_parameter("weight")}
        weights["W_U"] = weights["W_E"]
        if self.family.unembedding is not None:
            head = self.model.get_submodule(self.family.unembedding)
            weights["W_U"] = head.get_parameter("weight")
            if getattr(head, "bias", None) is not None:
                weights["b_U"] = head.get_parameter("bias")
        if self.family.positions is not None:
            table = self.model.get_submodule(self.family.positions).get_parameter("weight")
            weights["positions"] = table[self.family.first_position :]
        return weights

    def _packed(self, role: str, layer: int) -> tuple[Packing, Tensor]:
        """How a weight lies in a parameter, and the parameter."""
        check_name(f"weight of layer {layer}", role, self.roles(layer))
        packing = self.family.weights[role]
        parameter = self._parameter(layer, packing.path)
        assert parameter is not None
        return packing, parameter.detach()

    def _parameter(self, layer: int, path: str) -> Tensor | None:
        place, _, name = path.rpartition(".")
        try:
            parameter = getattr(self._layers[layer].get_submodule(place), name, None)
        except AttributeError:
            return None
        return parameter if isinstance(parameter, Tensor) else None

    def _norm(self, layer: int, path: str | None) -> Norm | None:
        check_head(self.sizes, layer)
        return None if path is None else self._probed(self._layers[layer].get_submodule(path))

    def _probed(self, module: nn.Module) -> Norm:
        epsilon = next((float(getattr(module, name)) for name in _EPSILONS if hasattr(module, name)), 1e-5)
        if not 0 <= epsilon < 1:
            raise SimonidesError(f"a norm's epsilon is {epsilon}; expected a small number of at least 0.")
        return probed_norm(module, self.sizes.d, epsilon, self._embedding.get_parameter("weight").device)

    def _sizes(self) -> Sizes:
        config = self.config
        heads = int(config.num_attention_heads)
        vocabulary, d = self._embedding.get_parameter("weight").shape
        groups = int(getattr(config, "num_key_value_heads", None) or heads)
        if config.model_type == "falcon":  # its own entry, which its older kinds ignore
            new = config.new_decoder_architecture
            groups = int(config.num_kv_heads) if new else 1 if config.multi_query else heads
        out = self._parameter(0, self.family.weights["W_O"].path)
        if out is None or out.numel() % (heads * d):
            raise SimonidesError(f"W_O of layer 0 does not part into {heads} heads of a stream of {d}.")
        into = self.family.weights.get("W_in")
        width = None if into is None else self._parameter(0, into.path)
        return Sizes(
            vocabulary=vocabulary,
            outputs=len(self._whole()["W_U"]),
            d=d,
            layers=len(self._layers),
            heads=heads,
            key_value_heads=groups,
            head_dimension=out.numel() // (heads * d),
            hidden=0 if width is None or into is None else len(into.matrix(width)),
            longest=self._longest(),
            decoder=not self.family.encoder,
        )

    def _longest(self) -> int:
        longest = int(getattr(self.config, "max_position_embeddings", 0) or 0)
        positions = self._whole().get("positions")
        return longest if positions is None else min(longest or len(positions), len(positions))

    def _streams(self, tokens: Tensor, **settings: Any) -> Tensor:
        """The stream behind the last norm."""
        check_sequences(tokens, self.sizes.vocabulary)
        positions = self._whole().get("positions")
        if positions is not None and tokens.shape[1] > len(positions):
            raise SimonidesError(f"{tokens.shape[1]} positions; this model has {len(positions)}.")
        cache = {} if self.family.encoder else {"use_cache": False}
        base: Any = self.model if self.family.unembedding is None else self.model.base_model
        stream: Tensor = base(input_ids=tokens, **cache, **settings).last_hidden_state
        return stream

    def _logits(self, stream: Tensor, at: Tensor | None) -> Tensor:
        if self.family.unembedding is None:
            raise SimonidesError("an encoder predicts no next token; read its weights and streams instead.")
        logits: Tensor = self.model.get_submodule(self.family.unembedding)(_at(stream, at))
        cap = getattr(self.config, "final_logit_softcapping", None)
        return logits if cap is None else torch.tanh(logits / cap) * cap

    @contextmanager
    def _watched(self, watch: Watch, batch: int) -> Iterator[None]:
        """Hooks on all that has a name."""
        family = self.family

        def seen(name: str) -> Callable[[Tensor], Tensor]:
            # some models fold sequences and positions into one axis
            def see(x: Tensor) -> Tensor:
                return watch(name, x) if x.dim() > 2 else watch(name, x.unflatten(0, (batch, -1))).flatten(0, 1)

            return see

        names = {layer.get_submodule(family.attention): f"layers.{n}" for n, layer in enumerate(self._layers)}
        with ExitStack() as stack:
            stack.callback(_before(self._layers[0], seen("embedding")))
            for n, layer in enumerate(self._layers):
                if family.encoder:  # its norms are of the whole stream
                    added, fed = family.attention_output, family.feed_forward_output
                else:
                    added = family.attention_output_norm or family.attention_output
                    fed = family.feed_forward_output_norm or family.feed_forward_output
                for path, name in ((added, "attention.output"), (fed, "feed_forward.output"), ("", "output")):
                    stack.callback(_after(layer.get_submodule(path), seen(f"layers.{n}.{name}")))
                if "W_out" in family.weights:
                    hidden = layer.get_submodule(family.feed_forward_output)
                    stack.callback(_before(hidden, seen(f"layers.{n}.feed_forward.hidden")))
            if any(watch.wants(f"{name}.attention.weights") for name in names.values()):
                if family.eager:
                    for module, name in names.items():
                        stack.callback(_weights_after(module, watch, f"{name}.attention.weights"))
                else:
                    stack.enter_context(
                        seeing(self.model, lambda module, w: watch(f"{names[module]}.attention.weights", w))
                    )
            yield


class _Passage:
    """Sequences on their way: the stream before a layer, and what each later layer is called with."""

    def __init__(self, model: CheckpointModel, tokens: Tensor) -> None:
        self._model, self.layer = model, 0
        self._calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        layers = model._layers
        with ExitStack() as stack:
            for layer in layers:
                handle = layer.register_forward_pre_hook(
                    lambda module, args, kwargs: self._calls.append((args, kwargs)), with_kwargs=True
                )
                stack.callback(handle.remove)
            model._streams(tokens)
        self._stream = _given(self._calls[0])
        self._calls = [_without_stream(call) for call in self._calls]

    def advance(self, layer: int) -> None:
        """Go on to the input of a layer."""
        if not self.layer <= layer <= len(self._model._layers):
            raise SimonidesError(f"this passage is at layer {self.layer} and cannot go to {layer}.")
        self._stream = self._through(self.layer, layer)
        self.layer = layer

    def finish(self, at: Int[Tensor, "B Q"] | None = None) -> Float[Tensor, "B Q V"]:
        """Logits from here to the end."""
        model = self._model
        stream = self._through(self.layer, len(model._layers))
        norm = model.family.final_norm
        stream = _at(stream, at)
        if norm is not None:
            stream = model.model.get_submodule(norm)(stream)
        return model._logits(stream, None)

    def _through(self, first: int, last: int) -> Tensor:
        stream = self._stream
        for number in range(first, last):
            args, kwargs = self._calls[number]
            stream = _first(self._model._layers[number](stream, *args, **kwargs))
        return stream


def _at(stream: Float[Tensor, "B T d"], at: Int[Tensor, "B Q"] | None) -> Float[Tensor, "B Q d"]:
    return stream if at is None else stream.gather(1, at[..., None].expand(-1, -1, stream.shape[-1]))
