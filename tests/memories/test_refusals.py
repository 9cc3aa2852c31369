"""What a memory, a law or a training is given and cannot use is refused in words, or taken as it is meant."""

import numpy as np
import pytest
import torch

from simonides import FactMemory
from simonides.base import SimonidesError
from simonides.memories import (
    HopfieldMemory,
    LinearMemory,
    LowRankMemory,
    MLPMemory,
    NearestMemory,
    SoftmaxMemory,
    WillshawMemory,
    embeddings,
    margins,
    recall,
)
from simonides.memories.laws import scaling
from simonides.memories.laws.gradients import hessian, stable_rate
from simonides.memories.laws.mlp import mlp_recall, token_recall
from simonides.memories.laws.recall import linear_recall
from simonides.memories.quantised import quantised
from simonides.nn.losses import cross_entropies
from simonides.papers.facts.model import recall_transformer
from simonides.papers.facts.training import train_recall
from simonides.probes import decompose, decompose_leading, population_errors
from simonides.tasks import Prompts, identity, synthetic_facts
from simonides.training import Particles

EYE = torch.eye(3)
NAN = torch.full((3, 3), torch.nan)
P = torch.full((3,), 1 / 3)


@pytest.mark.parametrize(
    "store",
    [
        lambda e, u: LinearMemory.store(e, u, identity(3)),
        lambda e, u: LinearMemory.store(e, u, identity(3), rule="pseudo_inverse"),
        lambda e, u: MLPMemory.store(e, u, identity(3), 8, torch.Generator()),
        lambda e, u: NearestMemory.store(e, u, identity(3)),
        lambda e, u: SoftmaxMemory.store(e, u, identity(3), beta=1.0),
    ],
)
def test_numbers_that_are_not_finite_are_refused_where_they_enter(store):
    for inputs, outputs in ((NAN, EYE), (EYE, NAN), (EYE, EYE / 0)):
        with pytest.raises(SimonidesError, match="NaN or infinite numbers in"):
            store(inputs, outputs)


def test_one_row_of_targets_serves_all_runs(generator):
    inputs, outputs = (embeddings.sphere(6, 8, [generator, generator]) for _ in range(2))
    memory = LinearMemory.store(inputs, outputs, identity(6))
    torch.testing.assert_close(memory.weight, LinearMemory.store(inputs, outputs, identity(6).expand(2, 6)).weight)


def test_particles_of_one_run_are_a_stack_of_one(unchecked):
    one = Particles.of(EYE, EYE, identity(3), P).descend(20, 5.0)
    stack = Particles.of(EYE[None], EYE[None], identity(3), P).descend(20, 5.0)
    torch.testing.assert_close(one.loss, stack.loss)
    assert one.first_step(0.0).tolist() == [1.0]
    assert bool(Particles.of(EYE, EYE, identity(3), P).descend(1, 1e-9, record=[0]).first_step(0.0).isnan())
    with pytest.raises(SimonidesError, match="inputs of shape"):
        Particles.of(EYE, EYE[None, None], identity(3), P)


def test_laws_of_one_matrix_say_so(unchecked):
    with pytest.raises(SimonidesError, match=r"inputs have shape \[1, 3, 3\]; give one matrix"):
        stable_rate(EYE[None], EYE, P)
    with pytest.raises(SimonidesError, match="bring them to one type"):
        hessian(EYE.double(), EYE, EYE, P)
    with pytest.raises(SimonidesError, match="3 inputs and probabilities"):
        stable_rate(EYE, EYE, P[:2])
    for wrong in ((EYE, EYE, identity(3), P, P), (EYE[None], EYE, identity(3), P[None], P)):
        with pytest.raises(SimonidesError, match="a scheme in each row"):
            population_errors(*wrong)
    with pytest.raises(SimonidesError, match="bring them to one type"):
        population_errors(EYE, EYE.double(), identity(3), P[None], P)


def test_hidden_units_come_in_pairs_in_the_law_too():
    for law in (lambda width: mlp_recall(32, 10, width), lambda width: token_recall(32, 3, 3, 9, width)):
        with pytest.raises(SimonidesError, match="is odd"):
            law(7)


def test_what_needs_all_directions_refuses_a_leading_part(generator):
    weight = torch.randn(12, 9, generator=generator)
    leading = decompose_leading(weight, 4, generator)
    for asked in (lambda: leading.rest(2), lambda: leading.without_random(2, generator)):
        with pytest.raises(SimonidesError, match="only 4 of 9 directions are decomposed"):
            asked()
    whole = decompose(weight)
    torch.testing.assert_close(whole.at_rank(4) + whole.rest(4), weight, rtol=1e-4, atol=1e-4)
    assert torch.linalg.matrix_rank(whole.without_random(3, generator)) == 6
    for asked in (lambda: whole.without_random(-3, generator), lambda: whole.rest(10), lambda: whole.error(-1)):
        with pytest.raises(SimonidesError, match=r"too small|there are 9 directions"):
            asked()


def test_recall_may_be_trained_to_the_end_or_on_drawn_facts(generator):
    prompts = Prompts(facts=synthetic_facts(4, 2, 2, generator), noise=4, length=8)

    def trained(**settings):
        own = torch.Generator().manual_seed(0)
        model = recall_transformer(prompts, 16, 2, 4, 0, own)
        return train_recall([model], [prompts], [own], 60, every=20, batch=16, **settings).history

    assert trained(accuracy=None).steps[-1] == 60
    assert trained(accuracy=1.0).steps[-1] <= 60
    assert not torch.equal(
        trained(accuracy=None, even=False).column("loss"), trained(accuracy=None).column("loss")
    )
    for accuracy in (0.0, 1.5, float("nan")):
        with pytest.raises(SimonidesError, match="lies outside"):
            trained(accuracy=accuracy)


WRITTEN = LinearMemory.store(EYE, EYE, identity(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LinearMemory.store(EYE, EYE, identity(3).float()), "targets are float32"),
        (lambda: LinearMemory.store(EYE, EYE, torch.ones(3, dtype=torch.bool)), "targets are bool"),
        (lambda: LinearMemory.store(EYE, EYE, torch.zeros(3, dtype=torch.uint8)), "targets are uint8"),
        (lambda: LinearMemory.store(EYE, EYE, [0, 1, 2]), "targets came as list"),
        (lambda: LinearMemory.store(EYE.numpy(), EYE, identity(3)), "inputs came as ndarray"),
        (lambda: LinearMemory.store(EYE[0], EYE, identity(3)), r"inputs are float32 of shape \[3\]"),
        (lambda: LinearMemory.store(EYE.long(), EYE, identity(3)), "inputs are int64"),
        (lambda: LinearMemory.store(EYE, EYE[None].expand(2, 3, 3), identity(3)), "their runs must be as many"),
        (lambda: LinearMemory.store(EYE, EYE, identity(3), torch.ones(2)), r"weights have shape \[2\]"),
        (lambda: LinearMemory.store(EYE, EYE, identity(3), P * torch.nan), "NaN or infinite numbers in weights"),
        (lambda: WRITTEN(torch.ones(2, 4)), "queries have width 4"),
        (lambda: WRITTEN(torch.ones(3)), r"queries are float32 of shape \[3\]"),
        (lambda: NearestMemory.store(EYE, EYE, identity(3))(torch.ones(2, 4)), "queries have width 4"),
        (lambda: NearestMemory.store(EYE, EYE, identity(3) + 1), "targets reach from 1 to 3"),
        (lambda: SoftmaxMemory.store(EYE, EYE, identity(3), torch.inf), "beta = inf is no number above zero"),
        (lambda: SoftmaxMemory.store(EYE, EYE, identity(3), torch.nan), "beta = nan is no number above zero"),
        (lambda: HopfieldMemory.store(EYE.sign() * 2 - 1, EYE * 2 - 1, [0]), "targets came as list"),
        (lambda: WillshawMemory.store(EYE, EYE, identity(3))(torch.ones(2, 4)), "queries have width 4"),
        (lambda: LowRankMemory.truncate(EYE, 2.0), "rank = 2.0 does not fit"),
        (lambda: recall(torch.ones(3), EYE), r"queries are float32 of shape \[3\]"),
        (lambda: margins(EYE, EYE, torch.tensor([0, 1])), r"targets have shape \[2\]"),
        (lambda: margins(EYE, EYE, identity(3) + 1), "targets reach from 1 to 3"),
        (lambda: FactMemory.store({"a": "b"}, device="nonsense"), "device 'nonsense' is not known"),
        (lambda: FactMemory.store({"a": "b"}, device="meta"), "device 'meta' is not known"),
        (lambda: FactMemory.store({"a": "b"}, embedding=None), "embedding None is unknown"),
        (lambda: FactMemory.store({"a": "b"}, rule=None), "writing rule None is unknown"),
    ],
)
def test_what_a_memory_cannot_use_is_told_by_name(call, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        call()


def test_seeds_of_numpy_and_names_in_any_composition_are_taken(unchecked):
    memory = FactMemory.store({"Bogota\u0301": "Peru\u0301", "Lima": "Per\u00fa"}, d=16, seed=np.int64(3))
    assert memory.table.answers == ("Per\u00fa",) and memory.table.keys[0] == "Bogot\u00e1"
    assert memory.ask("Bogot\u00e1").expected == "Per\u00fa"


def test_short_formats_and_large_numbers_are_quantised_as_others(generator):
    weight = torch.randn(4, 4, generator=generator)
    for scaled in ((weight * 1e-4).half(), (weight * 300).half(), weight * 1e30):
        levels = quantised(scaled, 1)
        assert levels.abs().unique().numel() == 1 and bool(levels.isfinite().all())
    torch.testing.assert_close(quantised(weight, 3) * 1e20, quantised(weight * 1e20, 3))


def test_what_is_no_law_or_no_cosine_is_refused(unchecked):
    p = np.array([0.5, 0.25, 0.25])
    for weights in (np.zeros(3), np.array([np.nan, 1.0, 1.0])):
        with pytest.raises(SimonidesError, match="nothing is stored"):
            scaling.weighted_error(p, weights, np.arange(3), 16)
    for wrong in (2 * p, np.array([1.5, -0.5])):
        with pytest.raises(SimonidesError, match="divide them by their sum"):
            scaling.unseen_mass(wrong, 3)
    with pytest.raises(SimonidesError, match="not of length one"):
        embeddings.at_cosine(2 * EYE, 0.5, torch.Generator())
    with pytest.raises(SimonidesError, match="d = 1 is too small"):
        linear_recall(1, 3, cosine=0.5)
    with pytest.raises(SimonidesError, match="give one a row"):
        cross_entropies(torch.zeros(2, 6, 4), torch.zeros(1, 6, dtype=torch.long))
