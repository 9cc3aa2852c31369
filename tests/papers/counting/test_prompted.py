import pytest
import torch

from simonides.base import SimonidesError
from simonides.nn import Trace, Transformer, TransformerConfig, mask
from simonides.papers.counting.bias_report import bias_report
from simonides.papers.counting.prompted import READING, PromptedCounter
from simonides.papers.counting.strings import ContextualCounting

TASK = ContextualCounting(regions=1, length=12, beginning=False, classes=10)


class Characters:
    """A tokenizer of characters; of those in `pairs` two tokens."""

    beginning = torch.tensor([0])

    def __init__(self, pairs=""):
        self.pairs = pairs

    def encode(self, text):
        return torch.tensor([part for c in text for part in ([ord(c)] * (1 + (c in self.pairs)))])


def decoder():
    config = TransformerConfig(vocabulary=128, length=900, d=16, layers=2, heads=2)
    return Transformer(config, torch.Generator().manual_seed(0))


def test_it_answers_as_the_decoder_does_on_the_prompt():
    model, tokenizer = decoder(), Characters()
    counter = PromptedCounter(model, tokenizer, TASK, layer=1)
    strings = TASK.sample(3, torch.Generator().manual_seed(1))
    trace = Trace(READING)
    logits = counter.run(strings.tokens, trace=trace)
    prompt = torch.cat(
        [
            counter._head.expand(3, -1),
            torch.tensor([[ord("01[]"[t]) for t in row] for row in strings.tokens.tolist()]),
            tokenizer.encode("\nCounts: [").expand(3, -1),
        ],
        1,
    )
    whole = Trace("layers.1.attention.weights")
    expected = model.run(prompt, trace=whole)[:, -1:, [ord(c) for c in "0123456789"]]
    assert torch.allclose(logits, expected, atol=1e-6)
    first = len(counter._head)
    assert torch.equal(trace[READING], whole["layers.1.attention.weights"][:, :, -1:, first : first + 12])
    text = "".join(map(chr, prompt[0].tolist()))
    assert text.count("String: ") == 5
    assert text.count("Counts: [") == 5


def test_attention_to_the_string_can_be_cut():
    counter = PromptedCounter(decoder(), Characters(), TASK, layer=1)
    strings = TASK.sample(3, torch.Generator().manual_seed(1))
    untouched = counter.run(strings.tokens)
    cut = counter.run(strings.tokens, interventions={READING: mask(torch.ones(12, dtype=torch.bool))})
    assert not torch.allclose(untouched, cut, atol=1e-6)


def test_the_report_reads_it():
    counter = PromptedCounter(decoder(), Characters(), TASK, layer=0)
    report = bias_report(counter, TASK, strings=10, attention=READING)
    assert len(report.readers) == 1
    taken = sum(one.attention for one in report.readers[0].classes.values())
    assert 0 < taken < 1


def test_what_it_cannot_ask_is_refused():
    with pytest.raises(SimonidesError, match="regions=1"):
        PromptedCounter(decoder(), Characters(), ContextualCounting(regions=2, length=12), layer=0)
    with pytest.raises(SimonidesError, match="single token"):
        PromptedCounter(decoder(), Characters("["), TASK, layer=0)
    with pytest.raises(SimonidesError, match="no layer 5"):
        PromptedCounter(decoder(), Characters(), TASK, layer=5)
    counter = PromptedCounter(decoder(), Characters(), TASK, layer=0)
    with pytest.raises(SimonidesError, match="no activation"):
        counter.run(TASK.sample(1, torch.Generator()).tokens, trace=Trace("reading.scores"))
