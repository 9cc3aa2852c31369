"""Word counts of languages and texts."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.data import language_words, text_words


def test_english():
    pytest.importorskip("wordfreq", reason="needs the extra words")
    words, p = language_words("en", 1000)
    assert words[:3] == ("the", "to", "and")
    assert len(p) == 1000
    assert (p.diff() <= 0).all()
    torch.testing.assert_close(p.sum(), torch.tensor(1.0, dtype=torch.float64))
    with pytest.raises(SimonidesError, match="language 'xx' is unknown"):
        language_words("xx")


def test_a_text_of_ones_own(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("The cat's hat. the CAT'S, it's 42 the_end", encoding="utf-8")
    words, p = text_words(path)
    assert words == ("the", "cat's", "end", "hat", "it's")
    assert p.tolist() == pytest.approx([3 / 8, 2 / 8, 1 / 8, 1 / 8, 1 / 8])
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SimonidesError, match="UTF-8"):
        text_words(path)
    path.write_text("12 34")
    with pytest.raises(SimonidesError, match="no words"):
        text_words(path)
