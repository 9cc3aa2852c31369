"""Loss by class frequency inside a Hugging Face `Trainer`, which shows logits to the loss function alone."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError
from simonides.nn import cross_entropies
from simonides.papers.imbalance.bins import Counts
from simonides.papers.imbalance.meter import FrequencyHistory, FrequencyMeter

try:
    from transformers import Trainer, TrainerCallback
    from transformers.models.auto import modeling_auto
except ModuleNotFoundError:
    raise SimonidesError(
        "loss by frequency in a Trainer needs transformers, which is not installed; run: "
        "pip install 'simonides[checkpoints]' accelerate"
    ) from None


class FrequencyLoss:
    """The cross-entropy that `Trainer(compute_loss_func=...)` takes, which also reads it by class frequency.

    The loss is what the Trainer computes without it: the sum over labels that are not -100, divided by
    `num_items_in_batch`, or their mean where that is not given. Losses in training and in evaluation (without
    gradients) are read apart.

    Arguments:
        counts: samples of each class in the training data; of a language model those of its tokens.
        bins: how many bins of about equal mass.
        causal: whether the label of a position is the next token, as of a causal language model; labels of one axis,
            as of a classifier of whole texts, are never shifted.

    >>> loss = FrequencyLoss([3, 1], bins=2, causal=False)
    >>> round(float(loss({"logits": torch.zeros(4, 2)}, torch.tensor([0, 0, 0, 1]))), 3)
    0.693
    """

    def __init__(self, counts: Counts, bins: int = 10, causal: bool = True) -> None:
        self.causal = causal
        self.training = FrequencyMeter(counts, bins)
        self.evaluation = FrequencyMeter(counts, bins)
        self.history = FrequencyHistory(self.training.bins.names())

    def __call__(
        self,
        outputs: Any,
        labels: Int[Tensor, "*samples"] | None,
        num_items_in_batch: Int[Tensor, "..."] | Float[Tensor, "..."] | int | None = None,
    ) -> Float[Tensor, ""]:
        """The loss of a batch.

        Arguments:
            outputs: of the model, with "logits".
            labels: a class for each sample or position, -100 where there is none.
            num_items_in_batch: labels in all batches of one update, as the Trainer counts them.

        Raises:
            SimonidesError: when there are no labels or logits, or shapes do not agree.
        """
        get = outputs.get if hasattr(outputs, "get") else lambda name: getattr(outputs, name, None)
        if get("aux_loss") is not None:
            raise SimonidesError(
                "the model adds a loss of its own (aux_loss, as of routers), which a compute_loss_func would silently "
                "drop; use FrequencyMeter in a compute_loss of your own."
            )
        logits = outputs.get("logits") if hasattr(outputs, "get") else getattr(outputs, "logits", None)
        if not isinstance(logits, Tensor) or labels is None:
            missing = "labels" if labels is None else "logits"
            raise SimonidesError(
                f"the model's batch has no {missing}: FrequencyLoss needs both; give batches with labels, and a model "
                "that returns logits."
            )
        labels = labels.to(logits.device)
        if self.causal and labels.dim() > 1:
            logits, labels = logits[..., :-1, :], labels[..., 1:]
        meter = self.training if torch.is_grad_enabled() else self.evaluation
        kept, chosen = meter.chosen(logits, labels)
        # as transformers does: half precision is summed in float32
        losses = cross_entropies(logits.float(), chosen).masked_fill(~kept, 0.0)
        meter.update(logits.detach(), labels, losses.detach())
        count = kept.sum() if num_items_in_batch is None else num_items_in_batch
        return losses.sum() / (count.to(losses.device) if isinstance(count, Tensor) else count)


class FrequencyCallback(TrainerCallback):
    r"""Adds "loss/decile_0" ... "loss/decile_9" to what a Trainer logs, and the gradients of the last layer's rows.

    Beside losses there are "accuracy/...", "count/..." and "gradient/..." (before an update, after clipping; with
    tied embeddings it holds those of the input side too). In evaluations names begin with "eval\_". Reporters that
    were given to the Trainer before this callback do not see what it adds: `follow` puts it first.

    Arguments:
        loss: the Trainer's `compute_loss_func`.
        gradients: whether to read gradients.
    """

    def __init__(self, loss: FrequencyLoss, gradients: bool = True) -> None:
        self.loss, self.gradients = loss, gradients

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Forget what an earlier training left."""
        self.loss.training.reset()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep what was seen since the last log."""
        if state.global_step > (self.loss.history.steps[-1] if self.loss.history.steps else 0):
            reading = self.loss.training.compute(all_processes=getattr(args, "world_size", 1) > 1)
            if reading:
                self.loss.history.append(state.global_step, reading)
        self.loss.training.reset()

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Forget an evaluation that is over."""
        self.loss.evaluation.reset()

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """Forget what was seen of a test set."""
        self.loss.evaluation.reset()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Read the gradient of the output embeddings."""
        head = (
            model.get_output_embeddings() if self.gradients and hasattr(model, "get_output_embeddings") else None
        )
        gradient = None if head is None else head.weight.grad
        if gradient is not None and len(gradient) == len(self.loss.training.bins.of_class):
            self.loss.training.update_gradient(gradient)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        """Add the readings since the last log, and forget them."""
        if logs is None:
            return
        # "eval_loss", and "eval_NAME_loss" where there are several sets
        evaluated = [name for name in logs if name.endswith("_loss") and name != "train_loss"]
        if "loss" in logs:
            meter, prefix = self.loss.training, ""
        elif evaluated:
            meter, prefix = self.loss.evaluation, evaluated[0].removesuffix("loss")
        else:  # the summary at the end
            return
        reading = meter.compute(all_processes=getattr(args, "world_size", 1) > 1)
        meter.reset()
        if not prefix:
            self.loss.history.append(state.global_step, reading)
        added = {prefix + name: value for name, value in reading.items() if name != "loss"}
        logs.update(added)
        if state.log_history:  # where the Trainer keeps a copy, made before callbacks
            state.log_history[-1].update(added)


def follow(trainer: Any, counts: Counts, bins: int = 10, causal: bool | None = None) -> FrequencyLoss:
    """Make a Trainer tell its loss by class frequency, before its reporters.

    Arguments:
        trainer: a `transformers.Trainer`, before `train()`.
        counts, bins, causal: as of `FrequencyLoss`; by default `causal` is told by the class of the model.

    Returns:
        The loss, with its `history`.

    Raises:
        SimonidesError: when the Trainer has a loss function, a `compute_loss` or label smoothing of its own, or the
            model's class does not tell whether labels are shifted.
    """
    if type(trainer).compute_loss is not Trainer.compute_loss:
        raise SimonidesError(
            f"{type(trainer).__name__} computes its loss itself and would call no other; use FrequencyMeter in it."
        )
    if getattr(trainer, "compute_loss_func", None) is not None:
        raise SimonidesError("this Trainer has a compute_loss_func already; use FrequencyMeter inside it.")
    if getattr(trainer, "label_smoother", None) is not None:
        raise SimonidesError(
            "this Trainer smooths labels, which a compute_loss_func would silently undo; set label_smoothing_factor=0."
        )
    loss = FrequencyLoss(counts, bins, _is_causal(trainer) if causal is None else causal)
    trainer.compute_loss_func = loss
    trainer.callback_handler.callbacks.insert(0, FrequencyCallback(loss))
    return loss


def _is_causal(trainer: Any) -> bool:
    """Whether the model's own loss shifts labels by one.

    Raises:
        SimonidesError: when its class is of no kind that is known.
    """
    model = trainer.model
    while hasattr(model, "base_model") and hasattr(model, "peft_config"):
        model = model.base_model.model
    name = type(model).__name__
    if name in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values() and not model.config.is_encoder_decoder:
        return True
    classifiers = ("TOKEN", "SEQUENCE", "IMAGE", "AUDIO", "VIDEO")
    for kind in ("SEQ_TO_SEQ_CAUSAL_LM", "MASKED_LM", *(f"{one}_CLASSIFICATION" for one in classifiers)):
        if name in getattr(modeling_auto, f"MODEL_FOR_{kind}_MAPPING_NAMES", {}).values():
            return False
    raise SimonidesError(
        f"it cannot be told whether {name} shifts its labels by one; say follow(..., causal=True) for a causal "
        "language model, or causal=False."
    )
