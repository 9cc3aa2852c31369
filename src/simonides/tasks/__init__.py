"""What there is to learn: associations, and tables of real facts."""

from simonides.tasks.associations import (
    identity,
    injective,
    many_to_one,
    permutation,
    random_function,
    zipf_weights,
)
from simonides.tasks.fact_table import PACKAGED, FactTable, packaged, read_csv

__all__ = [
    "PACKAGED",
    "FactTable",
    "identity",
    "injective",
    "many_to_one",
    "packaged",
    "permutation",
    "random_function",
    "read_csv",
    "zipf_weights",
]
