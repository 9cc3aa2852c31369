"""What there is to learn: associations, and tables of real facts."""

from simonides.tasks.associations import (
    identity,
    injective,
    many_to_one,
    permutation,
    random_function,
    zipf_weights,
)
from simonides.tasks.bigrams import Bigrams, read_bigrams, shakespeare, synthetic
from simonides.tasks.fact_table import PACKAGED, FactTable, packaged, read_csv
from simonides.tasks.triggers import Sequences, TriggeredBigrams
from simonides.tasks.word_counts import language_words, text_words

__all__ = [
    "PACKAGED",
    "Bigrams",
    "FactTable",
    "Sequences",
    "TriggeredBigrams",
    "identity",
    "injective",
    "language_words",
    "many_to_one",
    "packaged",
    "permutation",
    "random_function",
    "read_bigrams",
    "read_csv",
    "shakespeare",
    "synthetic",
    "text_words",
    "zipf_weights",
]
