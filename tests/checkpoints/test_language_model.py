"""The small language model: text, pieces, training, and checkpoints that load elsewhere."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.checkpoints import (
    TextTokens,
    load_factors,
    neox_config,
    next_token_loss,
    open_checkpoint,
    pieces,
    read_twice,
    save_factors,
    save_step,
    small_language_model,
    train_language_model,
)
from simonides.data import UNKNOWN, manual, text_of
from simonides.probes import decompose, matrix_of

TEXT = text_of("the cat sat on the mat and the dog sat on the cat\n" * 40)


def small(seed=0):
    config = neox_config(len(TEXT.characters), d=16, layers=2, heads=2, length=16)
    return config, small_language_model(config, torch.Generator().manual_seed(seed))


def test_a_step_loads_elsewhere_to_the_same_logits(tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs the reference library, transformers")
    _, model = small()
    save_step(model, TEXT, tmp_path / "step-0")
    again = open_checkpoint(tmp_path / "step-0")
    tokens = TEXT.tokens[None, :12]
    assert torch.equal(again(tokens), model(tokens).detach())
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "step-0").eval()
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits, again(tokens), atol=1e-4, rtol=1e-4)
    own = TextTokens(tmp_path / "step-0")
    assert own.encode("the cat\n").tolist() == [TEXT.characters.index(c) for c in "the cat\n"]
    assert own.decode(own.encode("the cat\n")) == "the cat\n"


def test_training_learns_and_goes_on_bit_for_bit(tmp_path):
    def train(steps, checkpoint=None):
        generator = torch.Generator().manual_seed(1)
        _, model = small()
        steps_kept = []
        history = train_language_model(
            model,
            TEXT,
            steps,
            generator,
            length=16,
            batch=8,
            every=10,
            repeated=0.5,
            keep=lambda m, step: steps_kept.append(step),
            checkpoint=checkpoint,
        )
        return model, history, steps_kept

    whole, history, kept = train(40)
    assert kept == history.steps == [0, 10, 20, 30, 40]
    held = history.column("held_out")
    assert held[-1] < held[0] - 0.5
    train(20, tmp_path / "t")
    parted, _, _ = train(40, tmp_path / "t")
    for one, other in zip(whole.parameters(), parted.parameters(), strict=True):
        assert torch.equal(one, other)


def test_readings_are_losses_of_their_places():
    _, model = small()
    passages = TEXT.windows(3, 6, torch.Generator().manual_seed(0))
    twice = passages.repeat(1, 2)
    with torch.no_grad():
        log = model(twice).log_softmax(-1)
    first = -torch.stack([log[:, t, :].gather(1, twice[:, t + 1, None])[:, 0] for t in (3, 4)]).mean()
    second = -torch.stack([log[:, t, :].gather(1, twice[:, t + 1, None])[:, 0] for t in (9, 10)]).mean()
    with torch.no_grad():
        assert read_twice(model, passages) == pytest.approx((float(first), float(second)), rel=1e-5)
        whole = -log[:, :-1].gather(2, twice[:, 1:, None]).mean()
        assert float(next_token_loss(model, twice)) == pytest.approx(float(whole), rel=1e-5)


def test_repeated_pieces_repeat_and_the_others_are_text():
    found = pieces(TEXT, 10, 32, 0.5, torch.Generator().manual_seed(0))
    content = "".join(TEXT.characters[n] for n in TEXT.tokens.tolist())
    for row, piece in enumerate(found):
        text = "".join(TEXT.characters[n] for n in piece.tolist())
        periods = [p for p in range(8, 17) if text[p:] == text[:-p]]
        assert periods if row < 5 else text in content


def test_rare_characters_become_one():
    text = text_of("aaabbbc", most=2)
    assert text.characters == ("a", "b", UNKNOWN)
    assert text.tokens.tolist() == [0, 0, 0, 1, 1, 1, 2]
    bigrams = text.bigrams()
    assert int(bigrams.pairs.sum()) == 6
    with pytest.raises(SimonidesError, match="give a longer one"):
        text_of("aaa")
    with pytest.raises(SimonidesError, match="leaves a part empty"):
        text.split(0.0)
    with pytest.raises(SimonidesError, match="a piece 9; give more text"):
        text.windows(1, 9, torch.Generator())
    assert len(manual()) > 100_000


def test_sizes_that_do_not_fit_are_told():
    with pytest.raises(SimonidesError, match="multiple of 8"):
        neox_config(10, d=20, heads=2)
    _, model = small()
    with pytest.raises(SimonidesError, match="no share"):
        train_language_model(model, TEXT, 1, torch.Generator(), repeated=2.0)


def test_factors_come_back_to_the_same_product(tmp_path):
    _, model = small()
    parts = decompose(matrix_of(model, 1, "W_in"))
    numbers = save_factors({(1, "W_in"): parts.factors(3)}, tmp_path / "f.safetensors")
    assert numbers == 3 * (16 + 64)
    left, right = load_factors(tmp_path / "f.safetensors")[1, "W_in"]
    assert torch.equal(left @ right, parts.at_rank(3))
    (tmp_path / "g.safetensors").write_bytes(b"no")
    with pytest.raises(SimonidesError, match="holds no factors"):
        load_factors(tmp_path / "g.safetensors")


def test_the_space_before_an_answer_is_no_answer(tmp_path):
    _, model = small()
    save_step(model, TEXT, tmp_path / "one")
    text = TextTokens(tmp_path / "one")
    prompt, answer = text.question("the cat", "sat")
    assert text.decode(prompt) == "the cat " and text.decode([answer]) == "s"
    prompt, answer = text.question("the cat", "sat", space=False)
    assert text.decode(prompt) == "the cat" and text.decode([answer]) == "s"
    with pytest.raises(SimonidesError, match="does not know"):
        text.encode("東京")
