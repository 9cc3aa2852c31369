"""How weights move: training loops over stacked runs. Knows callables and tensors alone."""

from simonides.dynamics.stacked import Problem, Trained, train

__all__ = ["Problem", "Trained", "train"]
