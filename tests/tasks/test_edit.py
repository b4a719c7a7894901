"""Editing with a run of one picture: what each task does, and what it refuses."""

import pytest
import torch
from edit_scenes import SMALL, marked, pasted, scene
from tiny_runs import tiny_run

from unveil.core.errors import ConfigError, RunError
from unveil.data import save_images
from unveil.tasks.edit import TASKS, check_editing, edit
from unveil.tasks.edit_inputs import Canvas
from unveil.tasks.run import load
from unveil.tasks.train import train


def test_every_task_makes_a_picture(run, own):
    finest = len(run.model.sizes) - 1
    options = {"super-resolve": {"factor": 1.5}, "inpaint": {"mask": marked()}, "resize": {"size": (33, 90)},
               "animate": {"frames": 3}, "harmonize": {"mask": marked()}, "edit": {"mask": marked()}}  # fmt: skip
    sizes = {"super-resolve": (60, 84), "resize": (33, 90)}
    for task in TASKS:
        found = edit(run, pasted(own), task, **options.get(task, {}))
        assert found.images.shape == (3 if task == "animate" else 1, 3, *sizes.get(task, (40, 56))), task
        assert found.images.abs().max() <= 1
        assert found.finest == finest
        again = edit(run, pasted(own), task, **options.get(task, {}))
        assert torch.equal(found.images, again.images)


@pytest.mark.parametrize("task", ["edit", "harmonize"])
def test_only_the_surroundings_of_a_mask_change(run, own, task):
    image = pasted(own)
    found = edit(run, image, task, mask=marked())
    far = torch.ones(40, 56, dtype=torch.bool)
    far[0:36, 4:50] = False
    assert torch.equal(found.images[0][:, far], image[:, far])
    assert not torch.equal(found.images[0][:, 10:18, 20:30], image[:, 10:18, 20:30])


def test_what_was_changed_is_found_without_a_mask(run, own):
    found, given = (edit(run, pasted(own), "edit", mask=mask).images for mask in (None, marked()))
    torch.testing.assert_close(found, given, atol=0.2, rtol=0)
    with pytest.raises(ConfigError, match="differs nowhere"):
        edit(run, own, "edit")
    with pytest.raises(ConfigError, match="nearly everywhere"):
        edit(run, -own.flip(2), "harmonize")


def test_filling_a_hole_keeps_what_is_known_and_ignores_what_is_not(run, own):
    hole = marked()
    found = edit(run, own, "inpaint", mask=hole, n=2, seed=3)
    assert torch.equal(found.images[:, :, hole == 0], own[:, hole == 0].expand(2, -1, -1))
    assert not torch.equal(found.images[0], found.images[1])
    other = torch.where(hole.bool(), torch.tensor(0.77), own)
    assert torch.equal(edit(run, other, "inpaint", mask=hole, n=2, seed=3).images, found.images)
    one = edit(run, own, "inpaint", mask=hole, seed=3)
    torch.testing.assert_close(one.images[0], found.images[0], atol=1e-5, rtol=1e-5)  # at any n
    assert "data.hole" in found.notes[0]
    with pytest.raises(ConfigError, match="needs a mask"):
        edit(run, own, "inpaint")


def test_a_run_that_was_trained_with_a_hole_knows_it(place):
    hole = marked(size=(40, 56))
    save_images(hole[None] * 2 - 1, place / "hole.png", force=True)
    changes = [*SMALL, f"data.hole={place / 'hole.png'}"]
    run = train("single-image", data=place / "scene.png", out=place / "with hole", steps=3, overrides=changes)
    found = edit(run, None, "inpaint")
    known = run.model.known[-1][0, 0].bool()
    assert not known[10:18, 20:30].any()
    assert torch.equal(found.images[0][:, known], run.model.pyramid[-1][0][:, known])
    assert found.notes == ()


def test_scales_are_counted_from_the_freest(run, own):
    finest = len(run.model.sizes) - 1
    every = edit(run, own, "style", scale="all")
    assert every.scales == tuple(range(1, finest + 1))
    assert len(every.images) == finest
    for place, scale in enumerate(every.scales):
        assert torch.equal(edit(run, own, "style", scale=scale).images[0], every.images[place])
    for scale in (0, finest + 1):
        with pytest.raises(ConfigError, match=f"takes 1 .* to {finest}"):
            edit(run, own, "paint", scale=scale)
    assert edit(run, None, "resize", size=(40, 56), scale=0).scales == (0,)


def test_noise_makes_results_differ_and_each_is_the_same_in_any_company(run, own):
    two = edit(run, own, "paint", n=2, noise=0.2, seed=5)
    one = edit(run, own, "paint", noise=0.2, seed=5)
    assert not torch.equal(two.images[0], two.images[1])
    torch.testing.assert_close(one.images[0], two.images[0], atol=1e-5, rtol=1e-5)
    for task, options in (("paint", {"noise": 0}), ("harmonize", {"noise": 0})):
        with pytest.raises(ConfigError, match="one answer"):
            edit(run, own, task, n=2, **options)
    usual = edit(run, own, "paint", n=2)  # a little noise, so that flat colours have something to begin with
    assert not torch.equal(usual.images[0], usual.images[1])
    assert not torch.equal(usual.images[0], edit(run, own, "paint", noise=0).images[0])
    both = edit(run, own, "style", scale="all", n=2, noise=0.1)
    assert len(both.images) == 2 * len(both.scales)


def test_a_drawing_takes_the_colours_of_the_picture_before_the_chains(run, own):
    drawing = torch.zeros(3, 20, 28)
    drawing[0] = 1.0  # a red that the picture does not have
    canvas = Canvas.of(run.model, drawing, "paint")
    colours = canvas.matched(6).flatten(1).T.unique(dim=0)
    distance = torch.cdist(colours, own.flatten(1).T).amin(1)
    assert (distance < 0.3).all()
    assert torch.equal(canvas.matched(0), canvas.small)
    matched, kept = (edit(run, drawing, "paint", colours=colours).images for colours in (6, 0))
    assert kept[:, 0].mean() > matched[:, 0].mean()


def test_enlarging_has_exactly_the_size_that_was_asked_for(run, own):
    for factor in (1.3, 2, 2.717):
        assert edit(run, own, "super-resolve", factor=factor).images.shape[2:] == (
            round(40 * factor),
            round(56 * factor),
        )
    made = edit(run, None, "super-resolve", factor=2.0).images
    down = torch.nn.functional.interpolate(made, size=(40, 56), mode="bicubic", antialias=True)
    assert float((down[0] - own).square().mean()) < 0.01


def test_grey_pictures_and_colour_pictures(run, own, place):
    assert edit(run, own.mean(0, keepdim=True), "style").images.shape[1] == 3
    save_images(scene().mean(0, keepdim=True), place / "grey.png", force=True)
    grey = train("single-image", data=place / "grey.png", out=place / "grey run", steps=2, overrides=SMALL)
    found = edit(grey, own, "style", keep_light=True)
    assert found.images.shape[1] == 1
    assert "colours" in found.notes[0]


def test_a_style_has_colours_too(run, own):
    content = torch.rand(3, 40, 56, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.5
    moved, kept, few = (
        edit(run, content, "style", scale=len(run.model.sizes) - 1, colours=colours).images[0].mean((1, 2))
        for colours in (None, 0, 6)
    )
    middle = own.mean((1, 2))
    assert (moved - middle).norm() < 0.5 * (kept - middle).norm()
    assert not torch.equal(few, moved)


def test_light_that_is_kept_is_that_of_the_picture(run, own):
    content = torch.linspace(-0.5, 0.5, 56).expand(3, 40, 56)
    found = edit(run, content, "style", keep_light=True, scale=1)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    inside = (found.images[0].abs() < 0.999).all(0)
    difference = ((found.images[0] - content) * weights).sum(0).abs()
    assert float(difference[inside].max()) < 1e-4


def test_a_moving_picture_moves_a_little_and_only_if_it_is_the_run_s_own(run, own):
    frames = edit(run, own, "animate", frames=5, noise=0.2).images
    steps = (frames[1:] - frames[:-1]).abs().mean((1, 2, 3))
    assert ((steps > 0) & (steps < 0.3)).all()
    with pytest.raises(ConfigError, match="only that one in motion"):
        edit(run, -own.flip(2), "animate")
    assert edit(run, own, "animate", frames=2).notes == ()
    assert "what was changed is not in the clip" in edit(run, pasted(own), "animate", frames=2).notes[0]


def test_a_moving_picture_starts_near_what_was_learned_and_moves_little(run, own):
    plain = edit(run, None, "animate", frames=4)
    assert plain.scales == (max(1, plain.finest // 2),)
    assert torch.equal(plain.images, edit(run, None, "animate", frames=4, scale=plain.scales[0], noise=0.03).images)
    free = edit(run, None, "animate", frames=4, scale=0)
    assert torch.equal(free.images, edit(run, None, "animate", frames=4, scale=0, noise=0.3).images)
    near, far = ((found.images - own).abs().mean() for found in (plain, free))
    assert near < far


def test_another_picture_than_the_run_s_own_is_noted(run, own):
    assert "knows no other" in edit(run, -own.flip(2), "inpaint", mask=marked()).notes[0]
    assert edit(run, own, "super-resolve", factor=2.0).notes == ()


@pytest.mark.parametrize(
    ("task", "image", "options", "says"),
    [
        ("repaint", "x.png", {}, "no task 'repaint'; did you mean paint"),
        ("paint", None, {}, "needs a picture"),
        ("paint", "x.png", {"mask": "m.png"}, "takes no mask; that is for harmonize, edit or inpaint"),
        ("paint", "x.png", {"keep_light": True}, "takes no keep-light; that is for style"),
        ("animate", None, {"n": 3}, "takes no n"),
        ("animate", None, {"scale": "all"}, "one clip"),
        ("super-resolve", None, {}, "needs a factor"),
        ("super-resolve", None, {"factor": 1.0}, "above 1"),
        ("super-resolve", None, {"factor": float("nan")}, "above 1"),
        ("resize", None, {}, "needs a size"),
        ("resize", None, {"size": (0, 10)}, "height"),
        ("resize", None, {"size": (40,)}, "give a height and a width"),
        ("resize", None, {"size": 40}, "give a height and a width"),
        ("resize", None, {"size": (9000, 9000)}, "pixels; ask for a smaller"),
        ("paint", "x.png", {"noise": -1.0}, "noise"),
        ("paint", "x.png", {"n": 0}, "n is 0"),
        ("paint", "x.png", {"scale": -1}, "scale is -1"),
        ("paint", "x.png", {"colours": -2}, "colours"),
        ("paint", "x.png", {"colours": 100_000}, "it must be 256 or less"),
        ("animate", None, {"frames": 0}, "frames"),
    ],
)
def test_what_is_refused_before_anything_is_read(run, task, image, options, says):
    with pytest.raises(ConfigError, match=says):
        check_editing(run.recipe, task, image=image, **options)


def test_runs_that_know_no_picture(tmp_path, own):
    digits = tiny_run(tmp_path / "digits")
    with pytest.raises(ConfigError, match="model of one picture"):
        edit(digits, own, "paint")
    with pytest.raises(RunError):
        edit(tmp_path / "nowhere", own, "paint")


def test_a_run_that_is_not_finished_works_at_the_size_it_has_reached(run, own, place):
    unfinished = load(place / "run")
    unfinished.model.trained.fill_(1)
    size = unfinished.model.sizes[0]
    found = edit(unfinished, None, "super-resolve", factor=2.0)
    assert found.images.shape[2:] == (2 * size[0], 2 * size[1])
    assert "1 of the" in found.notes[0]
    with pytest.raises(ConfigError, match="Scale 1 cannot be started at"):
        edit(unfinished, own, "paint", scale=1)
