"""Edits of checkpoints: exact, undone, and the same as from scratch."""

import copy

import pytest
import torch

from simonides.base import SimonidesError
from simonides.checkpoints import Architecture, PretrainedModel
from simonides.probes import MATRICES, Edit, Questions, answer, best, decompose, edited, matrix_of
from simonides.probes.truncation_search import search


def model(parallel=False, gated=True, groups=2):
    generator = torch.Generator().manual_seed(0)
    a = Architecture(
        vocabulary=40,
        d=16,
        layers=3,
        heads=4,
        groups=groups,
        h=4,
        hidden=24,
        norm="rms",
        rotated=4,
        parallel=parallel,
        gated=gated,
        activation="silu",
    )

    def draw(name, shape):
        return torch.ones(shape) if "scale" in name else torch.randn(shape, generator=generator) / shape[-1] ** 0.5

    layers = [
        {n: draw(n, s) for n, s in a.shapes().items() if not n.startswith("b_") and "shift" not in n}
        for i in range(3)
    ]
    whole = {"W_E": torch.randn(40, 16, generator=generator), "final_scale": torch.ones(16)}
    return PretrainedModel(a, whole, layers)


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


@pytest.mark.parametrize("parallel", [False, True])
def test_the_search_finds_what_each_edit_gives_from_scratch(parallel):
    net, asked = model(parallel), questions()
    before = copy.deepcopy(net.state_dict())
    edits = [Edit(layer=n, matrix=m, share=s) for n in (2, 0, 1) for m in MATRICES for s in (0.0, 0.5)]
    found = search(net, asked, edits)
    assert set(found) == set(edits)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    for edit in edits:
        with edited(net, edit):
            scratch = answer(net, asked)
        torch.testing.assert_close(found[edit].probability, scratch.probability, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_cut_matrix_has_the_rank_of_its_share(matrix):
    net = model(groups=4)
    whole = matrix_of(net, 1, matrix)
    with edited(net, Edit(layer=1, matrix=matrix, share=0.5)):
        cut = matrix_of(net, 1, matrix).clone()
    torch.testing.assert_close(cut, decompose(whole).at_rank(min(whole.shape) // 2), atol=1e-5, rtol=1e-4)
    with edited(net, Edit(layer=1, matrix=matrix, share=0.0)):
        assert not matrix_of(net, 1, matrix).any()
    torch.testing.assert_close(matrix_of(net, 1, matrix), whole)


def test_the_edit_chosen_is_the_best_on_the_rows_given():
    net, asked = model(), questions()
    found = search(net, asked, [Edit(layer=0, matrix="W_in", share=s) for s in (0.0, 0.25, 0.5, 1.0)])
    rows = torch.tensor([0, 2])
    chosen = best(found, rows)
    scores = {edit: (one.right[rows].mean(), one.probability[rows].log().mean()) for edit, one in found.items()}
    assert scores[chosen] == max(scores.values())


def test_what_cannot_be_is_told():
    net, asked = model(gated=False), questions()
    with pytest.raises(SimonidesError, match="no gate"):
        search(net, asked, [Edit(layer=0, matrix="W_gate", share=0.5)])
    with pytest.raises(SimonidesError, match="no layer 3"):
        search(net, asked, [Edit(layer=3, matrix="W_in", share=0.5)])
    with pytest.raises(SimonidesError, match="matrix 'W_x' is unknown"):
        matrix_of(net, 0, "W_x")
    with pytest.raises(SimonidesError, match="none of them empty"):
        Questions.of([torch.zeros(0, dtype=torch.long)], [1])
