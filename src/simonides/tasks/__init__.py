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
from simonides.tasks.facts import Facts, Prompts, facts_of, packaged_facts, read_facts, synthetic_facts
from simonides.tasks.triggers import Sequences, TriggeredBigrams
from simonides.tasks.word_counts import language_words, text_words

__all__ = [
    "PACKAGED",
    "Bigrams",
    "FactTable",
    "Facts",
    "Prompts",
    "Sequences",
    "TriggeredBigrams",
    "facts_of",
    "identity",
    "injective",
    "language_words",
    "many_to_one",
    "packaged",
    "packaged_facts",
    "permutation",
    "random_function",
    "read_bigrams",
    "read_csv",
    "read_facts",
    "shakespeare",
    "synthetic",
    "synthetic_facts",
    "text_words",
    "zipf_weights",
]
