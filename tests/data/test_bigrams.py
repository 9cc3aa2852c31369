"""Bigram counts and the in-context task: checks of the shipped table, exact marginals, every option."""

import pytest
import torch
from scipy.stats import chisquare

from simonides.base import SimonidesError
from simonides.data import Bigrams, count_bigrams, read_bigrams, shakespeare, synthetic
from simonides.tasks import TriggeredBigrams, occurrences

TABLE = shakespeare()


def sample(batch=2000, seed=0, **settings):
    return TriggeredBigrams(bigrams=TABLE, **settings).sample(batch, torch.Generator().manual_seed(seed))


def test_the_shipped_counts():
    assert len(TABLE) == 65
    assert TABLE.tokens[:3] == ("\n", " ", "!")
    assert int(TABLE.counts.sum()) == 1_115_394
    assert int(TABLE.pairs.sum()) == 1_115_393
    assert int((TABLE.pairs > 0).sum()) == 1403
    assert [TABLE.tokens[i] for i in TABLE.by_frequency[:5]] == [" ", "e", "t", "o", "a"]
    assert float(TABLE.unigram.max()) == pytest.approx(0.1523, abs=1e-4)
    assert TABLE.entropy() == pytest.approx((3.3128, 2.4526), abs=1e-4)
    outside = TABLE.by_frequency[5:]
    rows = TABLE.bigram[outside]
    to_uniform = (torch.special.xlogy(rows, rows).sum(1) + torch.log(torch.tensor(65.0))).mean()
    to_unigram = (torch.special.xlogy(rows, rows) - torch.special.xlogy(rows, TABLE.unigram)).sum(1).mean()
    assert float(to_uniform) == pytest.approx(2.3271, abs=1e-4)
    assert float(to_unigram) == pytest.approx(1.8314, abs=1e-4)


def test_bigrams_follow_the_counts():
    found = sample(4000, length=64, triggers="frequent", offset=40)
    free = found.occurrence == 0
    before, after = found.inputs[free], found.targets[free]
    # the commonest rows, by chi-square against pi_b
    for token in TABLE.by_frequency[:6]:
        seen = torch.bincount(after[before == token], minlength=65)
        expected = TABLE.bigram[token] * seen.sum()
        assert seen[expected == 0].sum() == 0
        likely = expected > 5
        rare = (seen[~likely].sum()[None], expected[~likely].sum()[None])
        observed = torch.cat([seen[likely], rare[0]]).numpy()
        wanted = torch.cat([expected[likely], rare[1]]).numpy()
        assert chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-4


def test_first_tokens_triggers_and_outputs_follow_their_laws():
    found = sample(20_000, length=1, count=1)
    for observed, law in (
        (found.tokens[:, 0], TABLE.unigram),
        (found.triggers[:, 0], TABLE.unigram),
        (found.outputs[:, 0], torch.full((65,), 1 / 65).double()),
    ):
        seen, expected = torch.bincount(observed, minlength=65).double(), law * 20_000
        assert chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > 1e-4
    likely = sample(20_000, length=1, count=1, triggers="frequent", outputs="bigram")
    seen, law = torch.bincount(likely.outputs[:, 0], minlength=65).double(), TABLE.bigram[TABLE.by_frequency[0]]
    assert seen[law == 0].sum() == 0
    assert chisquare(seen[law > 0], law[law > 0] / law.sum() * 20_000).pvalue > 1e-4


@pytest.mark.parametrize("triggers", ["frequent", "random"])
def test_a_trigger_is_followed_by_its_output(triggers):
    found = sample(300, length=100, triggers=triggers)
    for sequence in range(300):
        rule = dict(zip(found.triggers[sequence].tolist(), found.outputs[sequence].tolist(), strict=True))
        assert len(rule) == 5
        for z, following, c in zip(
            found.inputs[sequence].tolist(),
            found.targets[sequence].tolist(),
            found.occurrence[sequence].tolist(),
            strict=True,
        ):
            assert (c > 0) == (z in rule)
            if z in rule:
                assert following == rule[z]


def test_shares_of_tokens_in_context():
    """The shares that Bietti et al.'s setting gives at K = 5 with fixed triggers."""
    for length, share in ((64, 0.23), (128, 0.27), (256, 0.28)):
        found = sample(4000, length=length, triggers="frequent")
        assert float(found.in_context.float().mean()) == pytest.approx(share, abs=0.025)
        assert float((found.occurrence > 0).float().mean()) == pytest.approx(0.30, abs=0.03)


def test_outputs_that_are_excluded():
    itself = sample(3000, length=2, triggers="frequent", outputs="bigram", repeats="not itself")
    assert not (itself.outputs == itself.triggers).any()
    none = sample(3000, length=2, repeats="no trigger")
    assert not (none.outputs[:, :, None] == none.triggers[:, None, :]).any()
    assert (sample(3000, length=2).outputs[:, :, None] == sample(3000, length=2).triggers[:, None, :]).any()


def test_same_generator_same_sequences():
    assert torch.equal(sample(5).tokens, sample(5).tokens)
    assert not torch.equal(sample(5).tokens, sample(5, seed=1).tokens)


def test_a_text_of_ones_own(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("The cat. The dog! the cat", encoding="utf-8")
    words = read_bigrams(path, "words")
    assert words.tokens == ("!", ".", "cat", "dog", "the")
    assert int(words.pairs[4, 2]) == 2
    capped = read_bigrams(path, "words", most=2)
    assert capped.tokens == ("cat", "the")
    assert int(capped.pairs.sum()) == 2
    assert torch.allclose(capped.bigram.sum(1), torch.ones(2).double())
    characters = read_bigrams(path)
    assert sum(characters.counts.tolist()) == 25
    with pytest.raises(SimonidesError, match="unit"):
        read_bigrams(path, "letters")
    path.write_bytes(b"\xff")
    with pytest.raises(SimonidesError, match="UTF-8"):
        read_bigrams(path)
    path.write_text("a")
    with pytest.raises(SimonidesError, match="1 tokens make no bigrams"):
        read_bigrams(path)


def test_synthetic_counts():
    table = synthetic(40, torch.Generator().manual_seed(0))
    assert isinstance(table, Bigrams)
    assert ((table.pairs > 0).sum(1) <= 8).all()
    assert torch.allclose(table.bigram.sum(1), torch.ones(40).double())
    found = TriggeredBigrams(bigrams=table, length=20).sample(10, torch.Generator().manual_seed(0))
    assert found.tokens.shape == (10, 21)


def test_refusals():
    with pytest.raises(SimonidesError, match="did you mean 'frequent'"):
        TriggeredBigrams(bigrams=TABLE, triggers="frequnt")
    with pytest.raises(SimonidesError, match="6 triggers, where 5 of 65 tokens"):
        TriggeredBigrams(bigrams=TABLE, triggers="frequent", count=6, offset=60)
    with pytest.raises(SimonidesError, match="of the most frequent triggers"):
        TriggeredBigrams(bigrams=TABLE, offset=3)
    loops = count_bigrams("aaab" * 5)
    only_itself = Bigrams(tokens=loops.tokens, pairs=torch.tensor([[3, 0], [1, 0]]), counts=loops.counts)
    stuck = TriggeredBigrams(
        bigrams=only_itself, count=1, outputs="bigram", repeats="not itself", triggers="frequent"
    )
    with pytest.raises(SimonidesError, match="without an output"):
        stuck.sample(1, torch.Generator())
    assert occurrences(torch.tensor([[1, 1]]), torch.tensor([[1]])).tolist() == [[1, 2]]


def test_noise_follows_triggers_at_its_odds():
    bigrams = shakespeare()
    task = TriggeredBigrams(bigrams=bigrams, length=64, triggers="frequent", count=1, noise=0.3, noise_token=2)
    found = task.sample(4000, torch.Generator().manual_seed(0))
    after = found.targets[found.occurrence > 0]
    own = found.outputs.expand(-1, 64)[found.occurrence > 0]
    assert bool(((after == 2) | (after == own)).all())
    assert float((after[own != 2] == 2).double().mean()) == pytest.approx(0.3, abs=0.01)


def test_without_noise_the_draws_are_as_they_were():
    plain = TriggeredBigrams(bigrams=shakespeare(), length=16, triggers="frequent")
    same = TriggeredBigrams(bigrams=shakespeare(), length=16, triggers="frequent", noise_token=3)
    drawn = [task.sample(20, torch.Generator().manual_seed(0)).tokens for task in (plain, same)]
    assert torch.equal(*drawn)


@pytest.mark.parametrize(
    ("settings", "said"), [({"noise": 1.5}, "noise = 1.5"), ({"noise_token": 65}, "none of 65")]
)
def test_bad_noise(settings, said):
    with pytest.raises(SimonidesError, match=said):
        TriggeredBigrams(bigrams=shakespeare(), length=16, **settings)


def test_triggers_of_ones_own():
    task = TriggeredBigrams(bigrams=TABLE, length=32, triggers=[3, 40])
    found = task.sample(8, torch.Generator().manual_seed(0))
    assert task.number == 2 and task.fixed_triggers.tolist() == [3, 40]
    assert found.triggers.tolist() == [[3, 40]] * 8
    assert bool(((found.occurrence > 0) == torch.isin(found.inputs, torch.tensor([3, 40]))).all())
    for triggers, message in (
        ([], "at least one"),
        ([1, 1], "different tokens"),
        ([65], "none of 65"),
        ([-1], "too small"),
    ):
        with pytest.raises(SimonidesError, match=message):
            TriggeredBigrams(bigrams=TABLE, triggers=triggers)


def test_all_tokens_after_the_offset_may_be_triggers():
    task = TriggeredBigrams(bigrams=TABLE, length=16, triggers="frequent", count=5, offset=60)
    assert task.fixed_triggers.tolist() == TABLE.by_frequency[60:].tolist()
    task.sample(2, torch.Generator().manual_seed(0))
    rare = count_bigrams("abababab")
    with pytest.raises(SimonidesError, match="3 triggers, where 2 of 2"):
        TriggeredBigrams(bigrams=rare, count=3)


def test_shares_of_pairs_are_as_good_as_counts():
    counts = torch.tensor([[3, 1], [2, 4]])
    by_counts = Bigrams(tokens=("a", "b"), pairs=counts, counts=counts.sum(1))
    by_shares = Bigrams(tokens=("a", "b"), pairs=counts.double() / 10, counts=counts.sum(1).double() / 10)
    torch.testing.assert_close(by_counts.bigram, by_shares.bigram)
    torch.testing.assert_close(by_shares.bigram.sum(1), torch.ones(2).double())
    torch.testing.assert_close(by_counts.unigram, by_shares.unigram)


@pytest.mark.parametrize(
    ("pairs", "counts", "message"),
    [
        (torch.ones(3, 3), torch.ones(2), r"pairs of shape \[3, 3\]"),
        (torch.ones(2, 2), torch.ones(3), r"counts of \[3\]"),
        (-torch.ones(2, 2), torch.ones(2), "pairs are no counts"),
        (torch.full((2, 2), torch.nan), torch.ones(2), "pairs are no counts"),
        (torch.ones(2, 2), torch.zeros(2), "counts are no counts"),
    ],
)
def test_tables_that_are_no_counts(pairs, counts, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        Bigrams(tokens=("a", "b"), pairs=pairs, counts=counts)
