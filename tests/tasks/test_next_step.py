"""What is told to do with a run that was trained."""

import pytest

from unveil.recipes import names, resolve
from unveil.recipes.distillation import DistilledSpec
from unveil.tasks.measurements import parse
from unveil.tasks.next_step import next_step
from unveil.tasks.refine import check_refining
from unveil.tasks.restore import check_restoring
from unveil.tasks.sample import check_sampling
from unveil.tasks.video import check_video
from unveil.tasks.video_times import check_times

MEASURES = {"classifier": "evaluate", "codec": "codec", "pose-ik": "pose"}


def distilled(until=None):
    taught = resolve("digits-ddpm")
    spec = DistilledSpec(kind="distilled", diffusion=taught.model, steps=1, first_steps=4, until=until)
    return taught.model_copy(update={"model": spec})


def check(recipe, words):
    """Ask the task that the command calls."""
    verb, *rest = words[words.index("unveil") + 1 :]
    match verb:
        case "sample":
            check_sampling(recipe, 64)
        case "video":
            (check_times if recipe.model.kind == "ode-video" else check_video)(recipe, rest[0])
        case "restore":
            check_restoring(recipe, parse(rest[rest.index("--operator") + 1]), None, degrade=False)
        case "refine":
            check_refining(recipe)
        case _:
            assert MEASURES[recipe.model.kind] == verb


@pytest.mark.parametrize("name", names())
def test_every_recipe_is_told_what_its_task_takes(name):
    recipe = resolve(name)
    said = next_step(recipe, "runs/mine")
    assert "runs/mine" in said
    check(recipe, said.split())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("digits-ddpm", "Look at it: unveil sample runs/mine --out samples.png"),
        ("photos-denoiser", "Use it: unveil restore runs/mine PICTURE --operator noise:0.1 --out restored.png"),
        ("moving-digits-ode", "Look at it: unveil video predict runs/mine CLIP --out made.gif"),
        ("moving-digits-ode-variational", "Look at it: unveil sample runs/mine --out samples.png"),
    ],
)
def test_it_is_a_command_of_the_kind_of_model(name, said):
    assert next_step(resolve(name), "runs/mine") == said


def test_a_part_of_a_schedule_that_was_distilled_moves_pictures():
    assert next_step(distilled(), "a run") == "Look at it: unveil sample 'a run' --out samples.png"
    part = distilled(until=256)
    said = next_step(part, "runs/part")
    assert said == "Use it: unveil refine runs/part PICTURES --out moved.png"
    check(part, said.split())
