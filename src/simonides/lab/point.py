"""Points: everything that can change a number, and nothing else.

A point's hash names its folder in the store. Its random generator is seeded from what is measured (claim,
parameters, seed), so neither order nor worker matters, and an edited `measure` meets the same draws.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from simonides.lab.grid import Value

if TYPE_CHECKING:  # `status` counts points without torch, which takes seconds to import
    import torch


KEY_LENGTH = 24


@dataclass(frozen=True, kw_only=True)
class Point:
    """One seed of one cell of a claim.

    Arguments:
        claim: its identifier, such as "memories/linear-capacity".
        version: the claim's own version number.
        code: fingerprint of its `measure` and what that uses in the claim's file.
        parameters: (name, value) pairs, sorted by name.
        seed: which repetition.
    """

    claim: str
    version: int
    code: str
    parameters: tuple[tuple[str, Value], ...]
    seed: int

    @cached_property
    def key(self) -> str:
        """Hash of the whole definition, 24 hexadecimal digits."""
        return _digest(self.definition)[:KEY_LENGTH]

    @property
    def definition(self) -> dict[str, object]:
        """The definition as it is hashed and stored."""
        return {
            "claim": self.claim,
            "version": self.version,
            "code": self.code,
            "parameters": dict(self.parameters),
            "seed": self.seed,
        }

    def generator(self) -> "torch.Generator":
        """A fresh generator on the CPU for this point.

        torch keeps 32 bits of a CPU seed. Counting seeds up from the hash of the cell keeps all seeds of one
        cell apart; two different cells may share a stream once in 2^32, which does no harm.
        """
        import torch

        cell = _digest({"claim": self.claim, "parameters": dict(self.parameters)})
        return torch.Generator().manual_seed((int(cell[:8], 16) + self.seed) % 2**32)

    def __str__(self) -> str:
        return settings_text(dict(self.parameters), self.seed)


def settings_text(parameters: Mapping[str, Value], seed: int) -> str:
    """How a point is called: its parameters and seed."""
    return ", ".join(f"{name} = {value}" for name, value in {**parameters, "seed": seed}.items())


def digest_of(definition: dict[str, object]) -> str:
    """The key that a stored definition hashes to."""
    return _digest(definition)[:KEY_LENGTH]


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
