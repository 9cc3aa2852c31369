"""Losses and accuracies by occurrence, and the baselines, against loops."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.data import shakespeare
from simonides.nn import Transformer, TransformerConfig
from simonides.probes import baselines, bigram_divergence, masked_loss
from simonides.probes.in_context import in_context
from simonides.tasks import TriggeredBigrams

TASK = TriggeredBigrams(bigrams=shakespeare(), length=30, triggers="frequent")
FOUND = TASK.sample(40, torch.Generator().manual_seed(0))


def model(**settings):
    config = TransformerConfig(vocabulary=65, length=30, d=16, **settings)
    return Transformer(config, torch.Generator().manual_seed(1)).double()


def test_the_loss_where_it_is_asked_for():
    net = model(feed_forward="none", merged_queries=True)
    logits = net(FOUND.inputs)
    for mask in (FOUND.in_context, FOUND.occurrence == 0, torch.ones_like(FOUND.in_context)):
        expected = torch.nn.functional.cross_entropy(logits[mask], FOUND.targets[mask])
        torch.testing.assert_close(masked_loss(net, FOUND.inputs, FOUND.targets, mask), expected)
    with pytest.raises(SimonidesError, match="no position"):
        masked_loss(net, FOUND.inputs, FOUND.targets, torch.zeros_like(FOUND.in_context))


def test_scores_by_occurrence():
    net = model()
    found = in_context(net, FOUND.inputs, FOUND.targets, FOUND.occurrence)
    logits = net(FOUND.inputs).detach()
    known = FOUND.occurrence >= 2
    right = (logits.argmax(-1) == FOUND.targets)[known].double().mean()
    assert found.accuracy == pytest.approx(float(right))
    free = FOUND.occurrence == 0
    nats = torch.nn.functional.cross_entropy(logits[free], FOUND.targets[free])
    assert found.global_loss == pytest.approx(float(nats))


def test_baselines_are_those_of_a_loop():
    rows = []
    for z, following, c in zip(
        FOUND.inputs.tolist(), FOUND.targets.tolist(), FOUND.occurrence.tolist(), strict=True
    ):
        for t in range(30):
            if c[t] >= 2:
                prefix = z[: t + 1]
                commonest = max(range(65), key=prefix.count)
                rows.append((commonest == following[t], z[t] == following[t], z[t - 1] == following[t]))
    expected = torch.tensor(rows).double().mean(0).tolist()
    found = baselines(FOUND.inputs, FOUND.targets, FOUND.occurrence, 65)
    assert [found.commonest, found.repeat, found.last] == pytest.approx(expected)


def test_divergence_from_the_bigrams():
    net = model(feed_forward=("none", "linear"))
    law = TASK.bigrams.bigram
    with torch.no_grad():
        logits = net.W_E @ net.weight("W_F", 1).mT @ net.W_U.mT
    expected = torch.nn.functional.kl_div(torch.log_softmax(logits, -1), law, reduction="none").sum(1)
    assert bigram_divergence(net, TASK.bigrams) == pytest.approx(float(expected.mean()))
    keep = torch.ones(65, dtype=torch.bool)
    keep[TASK.fixed_triggers] = False
    assert bigram_divergence(net, TASK.bigrams, TASK.fixed_triggers) == pytest.approx(float(expected[keep].mean()))
    with pytest.raises(SimonidesError, match="linear feed-forward"):
        bigram_divergence(model(), TASK.bigrams)
