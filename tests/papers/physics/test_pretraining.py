"""Training: what learns, what stays, what goes on, and what is refused before anything is trained."""

import copy
import dataclasses
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.avit_config import AViTConfig
from simonides.papers.physics.finetuning import finetune
from simonides.papers.physics.metrics import nrmse
from simonides.papers.physics.pretraining import (
    PhysicsTraining,
    pretrain,
    shifted,
    validation_pools,
)
from simonides.papers.physics.scoring import evaluate
from simonides.papers.physics.windows import vocabulary
from systems_at_hand import travelling

TRAINING = PhysicsTraining(steps=30, batch=4, accumulate=2, frames=2, stride=1, rate=5e-3, warmup=3)


def model_of(sources, **changes):
    config = AViTConfig(
        **{
            "fields": vocabulary(sources),
            "d": 16,
            "heads": 2,
            "blocks": 1,
            "patch": 4,
            "layer_scale": 0.1,
            **changes,
        }
    )
    return AViT(config, torch.Generator().manual_seed(0))


def trained(model, sources, training=TRAINING, **more):
    return pretrain(model, sources, training, torch.Generator().manual_seed(1), **more)


def scaled(factor):
    source = travelling("a")
    return dataclasses.replace(source, values=source.values * factor)


@pytest.mark.parametrize("optimiser", ["adamw", "adan"])
def test_several_systems_are_learnt_better_than_the_last_frame(optimiser):
    sources = [travelling("a", trajectories=40), travelling("b", trajectories=40, speed=2, seed=1)]
    found = trained(
        model_of(sources), sources, dataclasses.replace(TRAINING, steps=150, optimiser=optimiser, every=50)
    )
    for system in ("a", "b"):
        assert found.scores[system].nrmse < 0.8 * found.scores[system].persistence
        column = found.history.column(f"NRMSE {system}")
        assert float(column[-1]) == pytest.approx(found.scores[system].nrmse)


def test_errors_are_means_over_windows_and_fields():
    sources = [travelling("a", fields=("u", "v"))]
    model = trained(model_of(sources), sources).model.eval()
    (pool,) = validation_pools(sources, TRAINING)
    rows = []
    for number in range(len(pool)):
        batch = pool.batch([number])
        with torch.no_grad():
            answer = model(batch.seen, batch.fields, batch.boundaries)
        rows.append(nrmse(answer, batch.following[:, 0], 2)[0])
    found = evaluate(model, [pool], 10_000)["a"]
    assert found.nrmse == pytest.approx(float(torch.stack(rows).mean()), rel=1e-5)
    assert found.by_field["v"] == pytest.approx(float(torch.stack(rows)[:, 1].mean()), rel=1e-5)


def test_a_training_goes_on_to_the_bit(tmp_path):
    sources = [travelling("a"), travelling("b", seed=1)]
    whole = trained(model_of(sources, drop_path=0.3), sources)

    class BrokenError(Exception):
        pass

    calls = 0

    def breaking(source):
        def read(*arguments):
            nonlocal calls
            calls += 1
            if calls > 600:
                raise BrokenError
            return source.read(*arguments)

        names = ("system", "fields", "shape", "trajectories", "steps", "times", "boundaries", "split", "place")
        return type("Source", (), {"read": staticmethod(read), **{n: getattr(source, n) for n in names}})()

    file = tmp_path / "training.safetensors"
    long = dataclasses.replace(TRAINING, steps=120)
    with pytest.raises(BrokenError):
        trained(model_of(sources, drop_path=0.3), [breaking(source) for source in sources], long, checkpoint=file)
    assert file.exists()
    again = trained(model_of(sources, drop_path=0.3), sources, long, checkpoint=file).model
    at_once = trained(model_of(sources, drop_path=0.3), sources, long).model
    for one, other in zip(again.parameters(), at_once.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(whole.model.stem.columns, at_once.stem.columns)


MOVES = {
    "full": {"blocks", "fields", "stem", "read_out"},
    "middle": {"fields"},
    "processor": {"fields", "stem", "read_out"},
    "low-rank": {"blocks", "fields", "stem", "read_out"},
    "official": {"blocks", "stem", "read_out"},
}


@pytest.mark.parametrize("tuned", MOVES)
def test_what_fine_tuning_trains(tuned):
    model = model_of([travelling("a")], predict="state", patch=8, d=32)
    new = [travelling("b", fields=("u", "w"), seed=2, cells=16)]
    before = copy.deepcopy(model)
    before.add_fields(vocabulary(new), torch.Generator().manual_seed(4))
    found = finetune(model, new, TRAINING, torch.Generator().manual_seed(4), tuned, rank=2).model
    start = dict(before.named_parameters())
    assert dict(found.named_parameters()).keys() == start.keys()
    moved = set()
    for name, value in found.named_parameters():
        assert value.requires_grad
        of_fields = name in ("stem.columns", "stem.bias", "read_out.field_kernels", "read_out.field_bias")
        group = "fields" if of_fields else name.split(".")[0]
        if not torch.equal(value, start[name]):
            moved.add(group)
        elif group in MOVES[tuned] and tuned != "low-rank":
            raise AssertionError(f"{name} was to be trained and has not moved")
    assert moved == MOVES[tuned]
    if tuned in ("full", "middle"):
        new_columns = found.stem.columns[:, 1:]
        assert (new_columns != start["stem.columns"][:, 1:]).all()


def test_updates_of_low_rank_are_of_that_rank():
    sources = [travelling("a")]
    model = model_of(sources)
    before = copy.deepcopy(model)
    finetune(model, sources, TRAINING, torch.Generator().manual_seed(4), "low-rank", rank=2)
    for block, old in zip(model.blocks, before.blocks, strict=True):
        change = block.W_in - old.W_in
        assert torch.linalg.matrix_rank(change, rtol=1e-3) == 2
        assert torch.equal(block.b_in, old.b_in)


def test_shifts_go_around_periodic_axes_alone():
    seen, truth = torch.randn(2, 3, 1, 8, 8), torch.randn(2, 1, 8, 8)
    found, following = shifted(
        seen, truth, (("wall", "wall"), ("periodic",) * 2), torch.Generator().manual_seed(3)
    )
    matches = [cells for cells in range(8) if torch.equal(found, seen.roll(cells, 4))]
    assert len(matches) == 1 and matches != [0]
    assert torch.equal(following, truth.roll(matches[0], 3))


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ([travelling("a", cells=6)], "multiples of 4"),
        ([travelling("z")], "does not know the field 'z:u'"),
        ([travelling("a", trajectories=1)], "are for training"),
        ([travelling("a", split="train")], "are for training"),
        ([travelling("a", split="valid")], "no trajectory is in the split 'train'"),
        ([travelling("a")] * 2, "is given twice"),
        ([], "give a list of at least one"),
        ([scaled(1e-4)], "u has a root mean square of"),
        ([scaled(1e16)], "beyond 1e"),
    ],
)
def test_what_is_refused_before_anything_is_trained(sources, words):
    with pytest.raises(SimonidesError, match=words):
        trained(model_of([travelling("a")]), sources)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "steps"),
        ({"rate": -1.0}, "rate"),
        ({"optimiser": "sgd"}, "optimiser 'sgd'"),
        ({"loss": "l1"}, "loss 'l1'"),
        ({"sampling": "lines"}, "sampling 'lines'"),
        ({"clip": 0.0}, "clip"),
    ],
)
def test_settings_that_make_no_training(changes, words):
    with pytest.raises(SimonidesError, match=words):
        dataclasses.replace(TRAINING, **changes)


_WORKER = """
import sys, torch
sys.path[:0] = {tests!r}
from test_pretraining import TRAINING, model_of, trained, travelling
import dataclasses
torch.distributed.init_process_group("gloo")
sources = [travelling("a"), travelling("b", seed=1)]
model = trained(model_of(sources), sources, dataclasses.replace(TRAINING, steps=10, accumulate=4)).model
if torch.distributed.get_rank() == 0:
    torch.save(model.state_dict(), {out!r})
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_are_one_with_accumulation(tmp_path):
    here = Path(__file__).parent
    script, out = tmp_path / "worker.py", str(tmp_path / "model.pt")
    script.write_text(_WORKER.format(tests=[str(here), str(here.parents[1])], out=out))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        f"--master-port={port}",
        str(script),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    sources = [travelling("a"), travelling("b", seed=1)]
    alone = trained(model_of(sources), sources, dataclasses.replace(TRAINING, steps=10, accumulate=4)).model
    model = model_of(sources)
    model.load_state_dict(torch.load(out, weights_only=True))
    seen = torch.stack([source.values[0, :2] for source in sources])
    with torch.no_grad():
        for fields in (["a:u"], ["b:u"]):
            arguments = (seen, fields, sources[0].boundaries)
            # Adam makes steps of gradients that are nothing but rounding
            torch.testing.assert_close(model(*arguments), alone(*arguments), rtol=1e-3, atol=1e-4)


OTHERS = {
    "loss": "plain",
    "batch": 3,
    "frames": 3,
    "stride": 2,
    "sampling": "sources",
    "jitter": True,
    "rate": 1e-4,
    "accumulate": 1,
}


@pytest.mark.parametrize("name", [*OTHERS, "predict", "data", "tuned"])
def test_a_training_does_not_go_on_as_another(name, tmp_path):
    sources, file = [travelling("a")], tmp_path / "training.safetensors"
    short = dataclasses.replace(TRAINING, steps=2)
    trained(model_of(sources), sources, short, checkpoint=file)
    model, other = model_of(sources), short
    if name == "predict":
        model = model_of(sources, predict="state")
    elif name == "data":
        sources = [travelling("a", trajectories=20)]
    elif name != "tuned":
        other = dataclasses.replace(short, **{name: OTHERS[name]})
    with pytest.raises(SimonidesError, match="was trained with"):
        trained(model, sources, other, checkpoint=file, tuned="middle" if name == "tuned" else "")


@pytest.mark.parametrize(
    ("sources", "changes", "words"),
    [
        ([travelling("c", cells=10)], {}, "multiples of 4"),
        ([travelling("c")], {"rank": 0}, "rank"),
        ([travelling("c")], {"tuned": "head"}, "tuned 'head'"),
        ([travelling("c")], {"tuned": "official"}, "never trains the read-out"),
    ],
)
def test_a_refused_fine_tuning_leaves_the_model_as_it_was(sources, changes, words):
    model = model_of([travelling("a")])
    with pytest.raises(SimonidesError, match=words):
        finetune(model, sources, TRAINING, torch.Generator().manual_seed(0), **changes)
    assert model.config.fields == ("a:u",)


def test_what_was_frozen_is_frozen_afterwards():
    model = model_of([travelling("a")])
    model.stem.norms.requires_grad_(False)
    finetune(model, [travelling("a")], dataclasses.replace(TRAINING, steps=2), torch.Generator().manual_seed(0))
    assert {n.split(".")[1] for n, p in model.named_parameters() if not p.requires_grad} == {"norms"}


def test_constant_windows_are_left_out_of_errors():
    source = travelling("a", trajectories=20)
    (pool,) = validation_pools([source], TRAINING)
    source.values[pool.trajectories[0]] = 1.0
    found = evaluate(model_of([source]), [pool], 1000)["a"]
    assert found.windows == len(pool) - pool.starts
    assert found.persistence > 0.1
    source.values[:] = 1.0
    with pytest.raises(SimonidesError, match="constant in every field"):
        evaluate(model_of([source]), [pool])


def test_data_that_are_not_finite_are_told_with_their_place():
    source = travelling("a")
    source.values[3, 4, 0, 2, 2] = torch.nan
    with pytest.raises(SimonidesError, match="trajectory 3 holds NaN"):
        trained(model_of([source]), [source], dataclasses.replace(TRAINING, steps=200))
    uneven = dataclasses.replace(travelling("a"), times=torch.arange(8.0) ** 2)
    with pytest.raises(SimonidesError, match="apart in time"):
        trained(model_of([uneven]), [uneven])


def test_sources_of_one_system_with_different_fields():
    sources = [travelling("a", fields=("u", "v")), travelling("a", fields=("u", "w"), seed=1)]
    found = trained(model_of(sources), sources).scores["a"]
    assert set(found.by_field) == {"u", "v", "w"}


def test_a_field_that_never_changes_has_no_part_in_the_means():
    source = travelling("a", fields=("u", "still"))
    source.values[:, :, 1] = source.values[:, :1, 1].clone()
    (pool,) = validation_pools([source], TRAINING)
    found = evaluate(model_of([source]), [pool])["a"]
    assert found.nrmse == pytest.approx(found.by_field["u"])
    assert found.by_field["still"] == 0.0
