"""Loss by frequency inside a real Lightning training."""

import warnings

import pytest
import torch

from simonides.base import SimonidesError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lightning = pytest.importorskip("lightning.pytorch")
    from simonides.papers.imbalance.lightning_callback import FrequencyLightningCallback

pytestmark = pytest.mark.filterwarnings("ignore")


class Classifier(lightning.LightningModule):
    def __init__(self, whole=True):
        super().__init__()
        self.head = torch.nn.Linear(4, 3)
        self.whole = whole

    def training_step(self, batch, _):
        x, target = batch
        logits = self.head(x)
        loss = torch.nn.functional.cross_entropy(logits, target)
        return {"loss": loss, "logits": logits, "target": target} if self.whole else loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(callback, module):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 4, generator=generator)
    target = torch.arange(40).remainder(7).clamp_max(2)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, target), batch_size=5)
    trainer = lightning.Trainer(
        max_epochs=1,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        log_every_n_steps=4,
    )
    trainer.fit(module, loader)
    return trainer, torch.bincount(target)


def test_bins_are_logged_and_kept():
    counts = torch.bincount(torch.arange(40).remainder(7).clamp_max(2))
    callback = FrequencyLightningCallback(counts, bins=2, head="head.weight")
    trainer, _ = fit(callback, Classifier())
    assert callback.history.steps == [4, 8]
    reading = callback.history.readings[0]
    assert reading["count/bin_0"] + reading["count/bin_1"] == 20
    assert reading["gradient/bin_0"] > 0
    assert {"loss/bin_0", "loss/bin_1"} <= set(trainer.logged_metrics)


def test_what_it_cannot_read_is_refused():
    with pytest.raises(SimonidesError, match="'logits' and 'target'"):
        fit(FrequencyLightningCallback([3, 2, 1], bins=2), Classifier(whole=False))
    with pytest.raises(SimonidesError, match="no parameter"):
        fit(FrequencyLightningCallback([3, 2, 1], bins=2, head="nothing.weight"), Classifier())
