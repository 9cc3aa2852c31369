"""The model against a plain definition of the released one, its symmetries, and what a user may do with it."""

import copy

import pytest
import torch
from benchmarks.plain_avit import PlainAViT

from simonides.base import SimonidesError
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.avit_config import AViTConfig, paper_config
from simonides.papers.physics.inflation import inflated
from simonides.papers.physics.laws import parameter_count
from simonides.papers.physics.patches import from_patches, to_patches
from simonides.papers.physics.released import RELEASED_FIELDS, load_released, unused_parameters
from simonides.papers.physics.spacetime import distances

PERIODIC, WALLS = ("periodic", "periodic"), ("wall", "open")


def made(seed=0, dimensions=2, **changes):
    config = AViTConfig(
        **{
            "fields": ("a:u", "a:v", "b:w"),
            "d": 16,
            "heads": 2,
            "blocks": 2,
            "patch": 4,
            "layer_scale": 0.5,
            "predict": "state",
            "dimensions": dimensions,
            **changes,
        }
    )
    return AViT(config, torch.Generator().manual_seed(seed))


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain(**sizes):
    torch.manual_seed(3)
    model = PlainAViT(**sizes)
    for name, parameter in model.named_parameters():
        if "gamma" in name:
            parameter.data.fill_(0.3)
        elif "norm" in name:
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("periodic", [(True, True), (False, False), (False, True)])
@pytest.mark.parametrize("form", ["bare", "model_state", "module"])
def test_released_weights_give_the_plain_definition(periodic, form, tmp_path):
    model = plain(fields=12, d=48, heads=3, blocks=2)
    state = {f"module.{k}" if form == "module" else k: v for k, v in model.state_dict().items()}
    torch.save({"model_state": state} if form == "model_state" else state, tmp_path / "weights.tar")
    ours = load_released(tmp_path / "weights.tar").eval()
    window = drawn(2, 3, 4, 80, 64).cumsum(-1)
    boundaries = tuple(PERIODIC if closed else WALLS for closed in periodic)
    with torch.no_grad():
        expected = model(window.movedim(1, 0), [6, 7, 8, 9], periodic)
        found = ours(window, [RELEASED_FIELDS[label] for label in (6, 7, 8, 9)], boundaries)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_released_model_has_the_released_number_of_tensors_and_parameters():
    model = PlainAViT(fields=12, d=192, heads=3, blocks=12)
    assert len(model.state_dict()) == 439
    assert sum(parameter.numel() for parameter in model.parameters()) == 7_285_884


@pytest.mark.parametrize("size", ["Ti", "micro", "mini"])
@pytest.mark.parametrize("patch", [4, 8, 16])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_parameters_are_counted_in_closed_form(size, patch, dimensions):
    config = paper_config(size, RELEASED_FIELDS, patch=patch, dimensions=dimensions)
    model = AViT(config, torch.Generator())
    assert model.parameter_count == parameter_count(size, 12, patch, dimensions)
    assert parameter_count(
        size, 12, patch, dimensions, released=True
    ) - model.parameter_count == unused_parameters(config)


@pytest.mark.parametrize("count", range(1, 9))
def test_every_query_sees_the_same_distances_around_a_periodic_axis(count):
    table = distances(count, True, "shift", torch.device("cpu"))
    for query in range(count):
        assert table[query].roll(-query).tolist() == table[0].tolist()
        assert table[query].abs().max() <= count // 2
        assert all((int(table[query, key]) - (query - key)) % count == 0 for key in range(count))


def test_patches_are_a_convolutions(tmp_path):
    kernel, image = drawn(5, 3, 2, 2), drawn(1, 1, 3, 6, 4)
    expected = torch.nn.functional.conv2d(image[0], kernel, stride=2)
    found = to_patches(image.movedim(2, -1), 2) @ kernel.flatten(1).mT
    torch.testing.assert_close(found[0].movedim(-1, 1), expected)
    kernel, tokens = drawn(5, 3, 2, 2), drawn(1, 1, 3, 2, 5)
    expected = torch.nn.functional.conv_transpose2d(tokens[0].movedim(-1, 1), kernel, stride=2)
    found = from_patches(tokens @ kernel.flatten(1), 2)
    torch.testing.assert_close(found[0].movedim(-1, 1), expected)


@pytest.mark.parametrize("tokens", [2, 3, 5])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_shifts_by_whole_patches(tokens, dimensions):
    model = made(dimensions=dimensions).double()
    window = drawn(1, 2, 1, *[4 * tokens] * dimensions).double()
    axes = tuple(range(-dimensions, 0))
    turns = (4, 8, -4)[:dimensions]
    boundaries = (PERIODIC,) * dimensions
    turned = model(window.roll(turns, axes), ["b:w"], boundaries)
    torch.testing.assert_close(turned, model(window, ["b:w"], boundaries).roll(turns, axes), rtol=1e-9, atol=1e-9)


def test_fields_are_known_by_name():
    model = made().double()
    window = drawn(2, 3, 2, 8, 12).double()
    both = model(window, ["a:u", "b:w"], (PERIODIC, WALLS))
    other = model(window[:, :, [1, 0]], ["b:w", "a:u"], (PERIODIC, WALLS))
    torch.testing.assert_close(both[:, [1, 0]], other)
    assert not torch.allclose(both, model(window, ["b:w", "a:u"], (PERIODIC, WALLS)))
    with pytest.raises(SimonidesError, match="does not know the field 'a:x'"):
        model(window, ["a:x", "a:u"], (PERIODIC, WALLS))


@pytest.mark.parametrize("predict", ["state", "delta"])
def test_new_fields_leave_old_predictions_as_they_are(predict):
    model = made(predict=predict)
    window = drawn(2, 3, 2, 8, 8)
    before = model(window, ["a:u", "a:v"], (WALLS, WALLS))
    old = {id(parameter) for parameter in model.parameters()}
    model.add_fields(["c:new", "a:u"], torch.Generator().manual_seed(5))
    assert model.config.fields == ("a:u", "a:v", "b:w", "c:new")
    torch.testing.assert_close(model(window, ["a:u", "a:v"], (WALLS, WALLS)), before)
    assert len([1 for parameter in model.parameters() if id(parameter) not in old]) == 4
    assert model(window, ["c:new", "a:v"], (WALLS, WALLS)).isfinite().all()


def test_an_untrained_model_of_increments_predicts_the_last_frame():
    window = drawn(2, 3, 2, 8, 8)
    assert torch.equal(made(predict="delta")(window, ["a:u", "a:v"], (WALLS, WALLS)), window[:, -1])


@pytest.mark.parametrize("predict", ["state", "delta"])
@pytest.mark.parametrize("constant", [0.0, 3.0, 1e4])
def test_a_constant_frame_gives_finite_numbers_and_gradients(predict, constant):
    model = made(predict=predict)
    window = drawn(2, 3, 2, 8, 8)
    window[:, 1] = constant
    model(window, ["a:u", "a:v"], (WALLS, WALLS)).square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
    flat = torch.full_like(window, constant)
    assert model(flat, ["a:u", "a:v"], (WALLS, WALLS)).isfinite().all()


def test_faces_are_told_apart_once_their_vectors_are_trained():
    model = made(faces=True)
    window = drawn(1, 2, 1, 8, 8)
    plainly = made()(window, ["a:u"], (WALLS, WALLS))
    torch.testing.assert_close(model(window, ["a:u"], (WALLS, WALLS)), plainly)
    model.faces.data.normal_(generator=torch.Generator().manual_seed(0))
    one = model(window, ["a:u"], (("wall", "open"), PERIODIC))
    other = model(window, ["a:u"], (("open", "wall"), PERIODIC))
    assert not torch.allclose(one, other)


def test_saved_and_read_again(tmp_path):
    model = made(faces=True)
    model.save_pretrained(tmp_path / "model", {"frames": 4})
    again = AViT.from_pretrained(tmp_path / "model")
    assert again.config == model.config
    window = drawn(1, 2, 1, 8, 8)
    assert torch.equal(again(window, ["a:u"], (WALLS, WALLS)), model(window, ["a:u"], (WALLS, WALLS)))
    with pytest.raises(SimonidesError, match="holds something already"):
        model.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text('{"model_type": "simonides-avit", "d": 3}')
    with pytest.raises(SimonidesError, match="of no model of simulations"):
        AViT.from_pretrained(tmp_path / "model")


@pytest.mark.parametrize("dimensions", [1, 2])
def test_an_inflated_model_predicts_what_is_constant_along_the_new_axis(dimensions):
    model = made(dimensions=dimensions)
    larger = inflated(model)
    window = drawn(1, 3, 2, *[8] * dimensions)
    boundaries = (PERIODIC,) * dimensions
    expected = model(window, ["a:u", "a:v"], boundaries)
    found = larger(window[..., None].expand(*window.shape, 8), ["a:u", "a:v"], (*boundaries, PERIODIC))
    assert larger.config.dimensions == dimensions + 1
    # attention along the new axis sees equal tokens, whose average is the token's own value
    assert found.shape == (*expected.shape, 8)
    torch.testing.assert_close(found[..., 0], found[..., 5], rtol=1e-4, atol=1e-4)


def test_drop_path_is_for_training_and_drawn_from_the_generator_alone():
    model = made(drop_path=0.5)
    window = drawn(4, 2, 1, 8, 8)

    def run(seed):
        return model(window, ["a:u"], (WALLS, WALLS), torch.Generator().manual_seed(seed))

    model.train()
    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))
    model.eval()
    assert torch.equal(run(0), run(1))


@pytest.mark.parametrize(
    ("shape", "boundaries", "words"),
    [
        ((1, 2, 1, 6, 8), (WALLS, WALLS), "multiples of 4"),
        ((1, 2, 1, 4, 4), (WALLS, WALLS), "more than one patch"),
        ((1, 2, 1, 8), (WALLS, WALLS), "expected batch x time x 1 fields"),
        ((1, 2, 1, 8, 8), (WALLS,), "kinds of two faces"),
        ((1, 2, 1, 8, 8), (WALLS, ("wal", "wall")), "boundary 'wal'"),
        ((1, 2, 1, 8, 8), (WALLS, ("periodic", "wall")), "periodic on both faces or on none"),
        ((0, 2, 1, 8, 8), (WALLS, WALLS), "none of them empty"),
    ],
)
def test_what_the_model_refuses(shape, boundaries, words):
    with pytest.raises(SimonidesError, match=words):
        made()(torch.zeros(shape), ["a:u"], boundaries)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"d": 18}, "multiple of 4"),
        ({"patch": 5}, "16, 8, 4"),
        ({"fields": ("u",)}, "system:field"),
        ({"fields": ("a:u", "a:u")}, "twice"),
        ({"predict": "next"}, "predict 'next'"),
        ({"wrap": "none"}, "wrap 'none'"),
        ({"dimensions": 4}, "one, two or three"),
        ({"drop_path": 1.0}, "drop_path"),
    ],
)
def test_configurations_that_make_no_model(changes, words):
    with pytest.raises(SimonidesError, match=words):
        made(**changes)


@pytest.mark.parametrize("damage", ["missing", "shape", "nan", "text", "other"])
def test_released_files_that_are_refused(damage, tmp_path):
    state = copy.deepcopy(plain(fields=12, d=48, heads=3, blocks=1).state_dict())
    path = tmp_path / "weights.tar"
    if damage == "missing":
        del state["blocks.0.temporal.norm1.weight"]
    elif damage == "shape":
        state["debed.out_bias"] = torch.zeros(11)
    elif damage == "nan":
        state["debed.out_bias"][3] = torch.nan
    elif damage == "other":
        state = {"weight": torch.zeros(3)}
    torch.save(state, path)
    if damage == "text":
        path.write_text("no weights")
    with pytest.raises(SimonidesError):
        load_released(path)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"model_state": Evil()}, tmp_path / "weights.tar")
    with pytest.raises(SimonidesError, match=r"refused|cannot be read"):
        load_released(tmp_path / "weights.tar")
