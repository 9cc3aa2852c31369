"""How weights move: training loops over stacked runs. Knows callables and tensors alone."""

from simonides.dynamics.flow import gradient_flow
from simonides.dynamics.optimisers import SGD, Adam, NormalisedDescent, SignDescent
from simonides.dynamics.stacked import Problem, Trained, train
from simonides.dynamics.stacking import StackedModel
from simonides.dynamics.training import DivergenceError, History, fit, replay

__all__ = [
    "SGD",
    "Adam",
    "DivergenceError",
    "History",
    "NormalisedDescent",
    "Problem",
    "SignDescent",
    "StackedModel",
    "Trained",
    "fit",
    "gradient_flow",
    "replay",
    "train",
]
