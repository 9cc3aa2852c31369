"""Loss by class frequency inside a Lightning training."""

from collections.abc import Mapping
from typing import Any

import torch

from simonides.base import SimonidesError
from simonides.papers.imbalance.bins import Counts
from simonides.papers.imbalance.meter import FrequencyHistory, FrequencyMeter

try:
    from lightning.pytorch import Callback
except ModuleNotFoundError:
    raise SimonidesError(
        "loss by frequency in a Lightning training needs lightning, which is not installed; run: "
        "pip install 'simonides[lightning]'"
    ) from None


class FrequencyLightningCallback(Callback):
    """Logs "loss/decile_0" ... "loss/decile_9" of a LightningModule.

    `training_step` returns a dictionary: "loss", "logits" of shape (..., C) and "target" of shape (...), already
    shifted where a target is the next token. Lightning keeps what is beside the loss without its gradient.

    Arguments:
        counts: samples of each class in the training data.
        bins: how many bins of about equal mass.
        head: the name of the last layer's weights among the module's parameters, such as "head.weight"; its
            gradient's rows are read too.
        ignore_index: targets that are left out.
    """

    def __init__(self, counts: Counts, bins: int = 10, head: str | None = None, ignore_index: int = -100) -> None:
        self.meter = FrequencyMeter(counts, bins, ignore_index)
        self.history = FrequencyHistory(self.meter.bins.names())
        self.head = head
        self._last = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Forget what an earlier training left."""
        self.meter.reset()
        self._last = 0

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Read the gradient of the last layer."""
        if self.head is None:
            return
        try:
            gradient = pl_module.get_parameter(self.head).grad
        except AttributeError:
            raise SimonidesError(
                f"the module has no parameter {self.head!r}; give the name of the last layer's weights."
            ) from None
        if gradient is not None:  # none where training_step skipped the batch
            self.meter.update_gradient(gradient)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take up a batch, and log every `log_every_n_steps` updates."""
        if outputs is None:  # training_step skipped the batch
            return
        if not isinstance(outputs, Mapping) or not {"logits", "target"} <= outputs.keys():
            raise SimonidesError(
                f"training_step returned {type(outputs).__name__} without 'logits' and 'target'; return "
                "{'loss': loss, 'logits': logits, 'target': target}."
            )
        self.meter.update(outputs["logits"].detach(), outputs["target"])
        step = trainer.global_step
        every = trainer.log_every_n_steps
        if step == self._last or not every or step % every:
            return
        self._last = step
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        reading = self.meter.compute(all_processes=together)
        self.meter.reset()
        self.history.append(step, reading)
        pl_module.log_dict({name: value for name, value in reading.items() if name != "loss"})
