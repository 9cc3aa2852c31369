"""Edits of checkpoints: exact, undone, and the same as from scratch."""

import copy

import pytest
import torch

from simonides.base import SimonidesError
from simonides.probes import (
    Edit,
    Questions,
    answer,
    answers_after_edits,
    best_edit,
    decompose,
    edited,
    matrix_of,
)
from tiny_models import checkpoint_model, toy

MATRICES = ("W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out")


def model(name="llama"):
    return checkpoint_model(name)


def questions():
    generator = torch.Generator().manual_seed(1)
    prompts = [torch.randint(40, (n,), generator=generator) for n in (3, 7, 5, 7)]
    return Questions.of(prompts, torch.randint(40, (4,), generator=generator).tolist())


def test_prompts_of_different_lengths_do_not_disturb_each_other():
    net, asked = model(), questions()
    found = answer(net, asked)
    for row in range(4):
        alone = net(asked.tokens[row : row + 1, : asked.lengths[row]])[0, -1].softmax(-1)
        assert float(found.probability[row]) == pytest.approx(float(alone[asked.answers[row]]), rel=1e-4)


@pytest.mark.parametrize("make", [lambda: model(), lambda: model("phi"), lambda: toy("gated, RMS, rotary")])
def test_the_search_finds_what_each_edit_gives_from_scratch(make):
    net, asked = make(), questions()
    before = copy.deepcopy(net.state_dict())
    roles = [m for m in MATRICES if m in net.roles(0)]
    edits = [Edit(layer=n, matrix=m, share=s) for n in (1, 0) for m in roles for s in (0.0, 0.5)]
    found = answers_after_edits(net, asked, edits)
    assert set(found) == set(edits)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    for edit in edits:
        with edited(net, edit):
            scratch = answer(net, asked)
        torch.testing.assert_close(found[edit].probability, scratch.probability, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_cut_matrix_has_the_rank_of_its_share(matrix):
    net = model()
    whole = matrix_of(net, 1, matrix)
    with edited(net, Edit(layer=1, matrix=matrix, share=0.5)):
        cut = matrix_of(net, 1, matrix).clone()
    torch.testing.assert_close(cut, decompose(whole).at_rank(min(whole.shape) // 2), atol=1e-5, rtol=1e-4)
    with edited(net, Edit(layer=1, matrix=matrix, share=0.0)):
        assert not matrix_of(net, 1, matrix).any()
    torch.testing.assert_close(matrix_of(net, 1, matrix), whole)


def test_the_edit_chosen_is_the_best_on_the_rows_given():
    net, asked = model(), questions()
    found = answers_after_edits(net, asked, [Edit(layer=0, matrix="W_in", share=s) for s in (0.0, 0.25, 0.5, 1.0)])
    rows = torch.tensor([0, 2])
    chosen = best_edit(found, rows)
    scores = {edit: (one.right[rows].mean(), one.probability[rows].log().mean()) for edit, one in found.items()}
    assert scores[chosen] == max(scores.values())


def test_what_cannot_be_is_told():
    net, asked = model("gpt2"), questions()
    with pytest.raises(SimonidesError, match="matrix of layer 0 'W_gate' is unknown"):
        answers_after_edits(net, asked, [Edit(layer=0, matrix="W_gate", share=0.5)])
    with pytest.raises(SimonidesError, match="no layer 3"):
        answers_after_edits(net, asked, [Edit(layer=3, matrix="W_in", share=0.5)])
    with pytest.raises(SimonidesError, match="matrix of layer 0 'W_x' is unknown"):
        matrix_of(net, 0, "W_x")
    with pytest.raises(SimonidesError, match="none of them empty"):
        Questions.of([torch.zeros(0, dtype=torch.long)], [1])
