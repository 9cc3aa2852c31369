"""The written induction head and the three gradient steps."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.data import shakespeare
from simonides.nn import Trace, Transformer, TransformerConfig
from simonides.papers.induction.construction import write_induction_head
from simonides.papers.induction.three_steps import (
    MATRICES,
    ThreeSteps,
    all_sequences,
    draw_sequences,
    one_hot_directions,
    random_directions,
)
from simonides.probes import attention_targets, induction_recalls
from simonides.probes.in_context import in_context
from simonides.tasks import TriggeredBigrams


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def written(d, gain=10.0):
    config = TransformerConfig(
        vocabulary=65, length=48, d=d, feed_forward="none", merged_queries=True, divide_scores=False
    )
    model = Transformer(config, generator())
    write_induction_head(model, gain)
    return model


def test_a_written_head_copies_from_context():
    model = written(512)
    task = TriggeredBigrams(bigrams=shakespeare(), length=48, triggers="frequent")
    found = task.sample(64, generator(1))
    recalls = induction_recalls(model, task.fixed_triggers)
    assert (recalls.output, recalls.key_query, recalls.previous) == (1.0, 1.0, 1.0)
    assert in_context(model, found.inputs, found.targets, found.occurrence).accuracy > 0.93
    trace = Trace("layers.*.attention.weights")
    model.run(found.inputs, trace=trace)
    seen = attention_targets(trace, found.inputs, found.occurrence)
    assert seen.previous > 0.99
    assert seen.induction > 0.9


def test_a_narrow_head_recalls_less():
    assert induction_recalls(written(16)).previous < 0.9


def test_heads_are_written_where_they_fit():
    config = TransformerConfig(vocabulary=65, length=8, d=16, layers=1, merged_queries=True)
    with pytest.raises(SimonidesError, match="two layers"):
        write_induction_head(Transformer(config, generator()), 1.0)
    with pytest.raises(SimonidesError, match="need two layers"):
        induction_recalls(Transformer(config, generator()))


def test_sequences_of_three_steps():
    z, y = draw_sequences(10, 8, 5000, generator())
    assert (z == z[:, -1:]).sum(1).eq(2).all(), "the trigger comes twice"
    first = (z == z[:, -1:]).int().argmax(1)
    assert int(first.max()) == 5
    assert torch.equal(z[torch.arange(5000), first + 1], y)
    late = draw_sequences(10, 8, 1000, generator(), first=1)[0]
    assert not (late[:, 0] == late[:, -1]).any()


def test_three_steps_recall_everything():
    model = ThreeSteps.start(one_hot_directions(32, 8))
    source = generator()
    model.train((64.0, 4e3, 4e4), lambda: draw_sequences(32, 8, 60_000, source))
    assert model.recalls() == (1.0, 1.0, 1.0)
    model.saturate()
    z, y = draw_sequences(32, 8, 10_000, source)
    assert float((model.logits(z).argmax(-1) == y).double().mean()) == pytest.approx(1 - 1 / 12, abs=0.01)


def test_three_steps_on_all_sequences_are_exact():
    model = ThreeSteps.start(one_hot_directions(8, 6))
    z, y = all_sequences(8, 6)
    model.train((12.0, 720.0, 7200.0), lambda: (z, y))
    assert model.recalls() == (1.0, 1.0, 1.0)
    model.saturate()
    assert float((model.logits(z).argmax(-1) == y).double().mean()) == pytest.approx(1 - 1 / 8, abs=1e-9)


def test_tables_and_streams_agree_where_every_matrix_keeps_to_its_block():
    directions = random_directions(6, 5, 9, generator())
    tables = ThreeSteps.start(directions)
    z, y = draw_sequences(6, 5, 50, generator())
    for name in MATRICES:
        setattr(tables, name, torch.randn(9, 9, generator=generator(len(name)), dtype=torch.float64))
    torch.testing.assert_close(tables.logits(z), tables._by_streams(z))
    before = tables.W_KQ1
    tables.step("W_KQ1", 1.0, z, y)
    streams = ThreeSteps.start(directions)
    streams.W_KQ2, streams.W_OV2, streams.W_KQ1 = tables.W_KQ2, tables.W_OV2, before
    streams._by_tables = streams._by_streams
    streams.step("W_KQ1", 1.0, z, y)
    torch.testing.assert_close(streams.W_KQ1, tables.W_KQ1)


@pytest.mark.parametrize("directions", [one_hot_directions(6, 5), random_directions(6, 5, 9, generator())])
def test_whole_streams_are_those_of_a_transformer_written_out(directions):
    model = ThreeSteps.start(directions, ())
    d = directions.tokens.shape[1]
    model.W_KQ1, model.W_KQ2, model.W_OV2 = (torch.randn(d, d, generator=generator(s)).double() for s in range(3))
    z, _ = draw_sequences(6, 5, 3, generator())
    for sequence, logits in zip(z, model.logits(z), strict=True):
        stream = [directions.tokens[k] + directions.positions[t] for t, k in enumerate(sequence)]
        left = [directions.remapped[k] + directions.remapped_positions[t] for t, k in enumerate(sequence)]
        after = []
        for t, x in enumerate(stream):
            weights = torch.stack([stream[s] @ model.W_KQ1 @ x for s in range(t + 1)]).softmax(0)
            after.append(x + sum(w * v for w, v in zip(weights, left, strict=False)))
        weights = torch.stack([x @ model.W_KQ2 @ after[-1] for x in after]).softmax(0)
        expected = directions.outputs @ model.W_OV2 @ sum(w * x for w, x in zip(weights, after, strict=True))
        torch.testing.assert_close(logits, expected)


def test_unknown_matrices_are_refused():
    with pytest.raises(SimonidesError, match="matrix 'W_K' is unknown"):
        ThreeSteps.start(one_hot_directions(4, 4)).step("W_K", 1.0, *draw_sequences(4, 4, 2, generator()))
