"""Numbers: documents to symbols against a plain port of what xVal released; a training step against its products.

The port: one regular expression with a function a number, the text joined again, the tokens looked up by
`tokenizers`, as the released preprocessing does (Golkar et al. 2023, code of 2023). 2 MB of planets as JSON.
"""

import json
import random
import re
import time
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.timing import HotPath, interleaved
from simonides.papers.numbers.documents import Vocabulary
from simonides.papers.numbers.encodings import make_encoding
from simonides.papers.numbers.masking import ask, number_loss
from simonides.papers.numbers.model import NumberModel, model_config
from simonides.papers.numbers.planets import draw_systems, planet_sequences
from simonides.papers.numbers.sequences import encode
from simonides.papers.numbers.training import random_symbols


def documents(count: int) -> list[str]:
    draws = random.Random(0)
    return [
        json.dumps(
            {
                "description": {"planet0": {"m": draws.random(), "a": draws.random(), "e": 0.03}, "stepsize": 0.3},
                "data": [[[round(draws.gauss(0, 1), 4) for _ in "xy"] for _ in range(3)] for _ in range(40)],
            },
            separators=(",", ":"),
        )
        for _ in range(count)
    ]


def port() -> "tuple[object, re.Pattern[str]]":
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    words = [
        "[UNK]",
        "[NUM]",
        *"{}[],:",
        '"m"',
        '"a"',
        '"e"',
        '"data"',
        '"description"',
        '"planet0"',
        '"stepsize"',
    ]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\[NUM\]|\"\w+\"|."), "isolated")  # type: ignore[assignment]
    return tokenizer, re.compile(r"(?<!')-?\d+(\.\d+)?([eE][-+]?\d+)?(?!'|\d)")


def lines() -> Iterator[str | HotPath]:
    texts = documents(800)
    size = sum(map(len, texts)) / 1e6
    vocabulary = Vocabulary.learn(texts)
    tokenizer, pattern = port()

    def ours() -> None:
        vocabulary.sequences(texts)

    def theirs() -> None:
        for text in texts:
            numbers: list[str] = []

            def taken(match: "re.Match[str]", own: list[str] = numbers) -> str:
                own.append(match.group())
                return "¬"

            bare = pattern.sub(taken, text.replace(" ", ""))
            joined = bare.replace("¬,¬", "¬¬").replace("¬,¬", "¬¬").replace("¬", "[NUM]")
            ids = np.array(tokenizer.encode(joined).ids)  # type: ignore[attr-defined]
            beside = np.ones(len(ids), dtype=np.float16)
            beside[ids == 1] = numbers

    timed = interleaved({"ours": ours, "released": theirs}, rounds=5)
    yield HotPath(
        name=f"documents to symbols and numbers, {size:.1f} MB of JSON",
        floor="a port of the released preprocessing",
        seconds=timed["ours"],
        least=timed["released"],
    )
    yield f"documents: {size / timed['ours']:.1f} MB of JSON a second (wanted: 5)"
    generator = torch.Generator().manual_seed(0)
    sequences = planet_sequences(draw_systems(32, 2, 10, generator), torch.arange(2).repeat(32, 1))
    encoding = make_encoding("xval")
    encoded = encode(sequences, encoding)
    tokens, words = encoded.tokens.shape[1], len(sequences.vocabulary)
    model = NumberModel(model_config(encoding, words, tokens, d=128, layers=3, heads=4), generator)
    symbols, valid = random_symbols(encoded, 0.2, generator)
    batch = ask(encoded, encoding, symbols, valid)
    optimiser = torch.optim.AdamW(model.parameters())

    def step() -> None:
        optimiser.zero_grad()
        number_loss(model, batch, encoding, words).backward()
        optimiser.step()

    products = _products(len(encoded.tokens), tokens, batch.at.shape[1], 128, 3, 4, words + 1)
    timed = interleaved({"step": step, "products": products}, rounds=9)
    yield HotPath(
        name=f"a training step, d = 128, 3 layers, 32 x {tokens} tokens",
        floor="its products",
        seconds=timed["step"],
        least=timed["products"],
    )
    began = time.process_time()
    draw_systems(1000, 3, 10, generator)
    yield f"planets: {1000 / (time.process_time() - began):.0f} systems of three, ten times, a CPU-second"


def _products(batch: int, length: int, read: int, d: int, layers: int, heads: int, vocabulary: int):  # type: ignore[no-untyped-def]
    """The products of a step with their two gradients each: what is left if all else were free."""
    h = d // heads
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    for layer in range(layers):
        asked = read if layer == layers - 1 else length
        rows, every = batch * asked, batch * length
        shapes += [((rows, d), (d, d)), ((every, d), (d, d)), ((every, d), (d, d)), ((rows, d), (d, d))]
        shapes += [((rows, d), (d, 4 * d)), ((rows, 4 * d), (4 * d, d))]
        shapes += [((batch * heads, asked, h), (batch * heads, h, length))]
        shapes += [((batch * heads, asked, length), (batch * heads, length, h))]
    shapes += [((batch * read, d), (d, d)), ((batch * read, d), (d, vocabulary)), ((batch * read, d), (d, d))]
    pairs = [(torch.randn(a), torch.randn(b), torch.randn(*a[:-1], b[-1])) for a, b in shapes]

    def run() -> None:
        for a, b, out in pairs:
            _ = a @ b, out @ b.mT, a.mT @ out

    return run


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines():
        print(line)
