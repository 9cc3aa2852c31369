"""A transformer on words: rates see the same windows, and a head apart is torch's Adam beside torch's SGD."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.data import UNKNOWN, manual, words_of
from simonides.papers.imbalance.methods import HeadApart
from simonides.papers.imbalance.text_training import HEAD_APART, TextTraining, train_on_text, word_counts
from simonides.training import Chain

TEXT = words_of(manual()[:30_000], 80)
SMALL = TextTraining(steps=20, batch=8, length=8, d=16, layers=1, heads=2, every=10, bins=4)


def test_words_are_numbered_and_the_rest_is_one():
    assert len(TEXT.characters) == 81 and TEXT.characters[-1] == UNKNOWN
    counts = word_counts(TEXT)
    assert int(counts.sum()) == len(TEXT)


@pytest.mark.parametrize("method", ["gd-momentum", "adam", HEAD_APART, "muon"])
def test_every_rate_of_a_stack_is_what_it_is_alone(method):
    generator = torch.Generator().manual_seed(0)
    together = train_on_text(TEXT, method, [1e-3, 1e-2], generator, SMALL)
    alone = train_on_text(TEXT, method, [1e-2], generator, SMALL)
    assert torch.allclose(together.losses[:, 1:], alone.losses, rtol=1e-3, atol=1e-4)
    assert together.steps == (0, 10, 20)
    assert float(together.mean[-1].min()) < float(together.mean[0].min())


def test_the_head_alone_leaves_the_rest_as_it_was():
    training = TextTraining(steps=5, batch=4, length=8, d=16, layers=1, heads=2, every=5, trained="head")
    found = train_on_text(TEXT, "adam", [1e-2], torch.Generator().manual_seed(0), training)
    assert float(found.mean[-1, 0]) < float(found.mean[0, 0])


def test_a_head_apart_is_adam_beside_momentum():
    torch.manual_seed(0)
    start = [torch.randn(3, 2), torch.randn(4, 2)]
    own, other = ([torch.nn.Parameter(value.clone()) for value in start] for _ in range(2))
    chain = Chain(own, 0.1, [HeadApart(1, ratio=0.5)])
    rest, head = torch.optim.SGD(other[:1], 0.1, momentum=0.9), torch.optim.Adam(other[1:], 0.05)
    for step in range(6):
        for parameters in (own, other):
            for parameter in parameters:
                parameter.grad = torch.sin(parameter.detach() * 3 + step)
        chain.step()
        rest.step()
        head.step()
    for a, b in zip(own, other, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_a_training_of_which_all_rates_diverge_is_a_result():
    found = train_on_text(TEXT, "gd", [1e20], torch.Generator().manual_seed(0), SMALL)
    assert bool(found.diverged.all()) and found.steps[-1] == 20


@pytest.mark.parametrize(
    ("method", "rates", "message"),
    [
        ("armijo", [1.0], "along noise"),
        ("adamw", [1.0], "unknown"),
        ("adam", [], "positive ones that rise"),
        ("adam", [1.0, 0.1], "positive ones that rise"),
    ],
)
def test_wrong_settings_are_refused(method, rates, message):
    with pytest.raises(SimonidesError, match=message):
        train_on_text(TEXT, method, rates, torch.Generator(), SMALL)
    with pytest.raises(SimonidesError, match="'all' or 'head'"):
        TextTraining(trained="body")
