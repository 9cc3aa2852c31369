"""Looking again at a training: probes thought of after it, asked of the models that were kept."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from simonides.training.checkpoint import load_snapshot, snapshots
from simonides.training.evaluation import asked
from simonides.training.settings import Probe
from simonides.training.state import History


def replay(model: nn.Module, kept: Path, probes: Mapping[str, Probe]) -> History:
    """Ask the models that `fit` kept: probes thought of after the training, a record for every step.

    Arguments:
        model: takes the weights of each step in turn, and ends with the last.
        kept: the folder.
        probes: `probe(model)` by name, a number each, or several by names of their own.

    Raises:
        SimonidesError: when the folder holds no snapshots, or those of another model.
    """
    history = History()
    for step, path in snapshots(kept).items():
        load_snapshot(model, path)
        history.append(step, asked(model, probes))
    return history
