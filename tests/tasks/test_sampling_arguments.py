"""What the Python calls that sample and measure refuse, before anything is loaded."""

import numpy as np
import pytest
import torch

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import randn
from unveil.models.diffusion.checks import checked_labels
from unveil.models.diffusion.model import Diffusion
from unveil.recipes import resolve
from unveil.recipes.schema import Recipe
from unveil.recipes.spec import Spec
from unveil.schedules import LinearVP
from unveil.tasks.evaluate import evaluate
from unveil.tasks.images import open_data
from unveil.tasks.labels import class_numbers
from unveil.tasks.report import Quiet
from unveil.tasks.run import Run
from unveil.tasks.sample import check_sampling, sample

NAN = float("nan")


def labelled(names, classes=3) -> Recipe:
    recipe = resolve("digits-ddpm", ["model.labels=true"])
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"classes": classes, "class_names": names})})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 2.5}, "n is 2.5; it must be a whole number, 1 or more."),
        ({"n": True}, "n is True; it must be a whole number"),
        ({"steps": 2.5}, "steps is 2.5; it must be a whole number, 1 or more."),
        ({"steps": "5"}, "steps is '5'; it must be a whole number"),
        ({"batch": 0}, "batch is 0; it must be 1 or more."),
        ({"seed": -1}, "seed is -1; it must be a whole number from 0 to"),
        ({"seed": 2**63}, "it must be a whole number from 0 to 9223372036854775807"),
        ({"seed": 1.0}, "seed is 1.0; it must be"),
        ({"temperature": NAN}, "temperature is nan; it must be a finite number, 0 or more."),
        ({"guidance": -0.5}, "guidance is -0.5; it must be"),
        ({"sampler": 3}, "no sampler 3"),
        ({"sampler": ""}, "no sampler ''"),
        ({"label": 1e12}, "A label is 1000000000000.0; it must be a whole number, 0 to 2"),
        ({"label": 10**12}, "no label 1000000000000; this model's labels are 0 to 2."),
        ({"label": [0, -1]}, "no label -1"),
        ({"label": True}, "A label is True"),
    ],
)
def test_a_number_that_cannot_be_is_refused(options, said):
    with pytest.raises(ConfigError) as caught:
        check_sampling(labelled(None), **{"n": 1, **options})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("digits-features", "The run is a classifier, which measures pictures and makes none"),
        ("photos-codec", "The run is a codec, which makes pictures small and makes none"),
        ("photos-denoiser", "The run is a denoiser, which cleans pictures and makes none"),
        ("motions-ik", "The run is a pose-ik, which poses bodies and makes none"),
    ],
)
def test_a_model_that_makes_nothing_is_told_apart(name, said):
    with pytest.raises(ConfigError, match=said):
        check_sampling(resolve(name), 1)


class GaussianSpec(Spec):
    kind: str = "gaussian"


class Shifted(torch.nn.Module):
    """Noise around a mean."""

    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.tensor(0.25))

    def sample(self, n, *, generator=None, progress=None):
        return (self.mean + 0.1 * randn((n, 1, 8, 8), generator)).detach()


def test_a_model_of_a_kind_of_its_own_is_sampled_and_measured(tmp_path):
    recipe = resolve("digits-ddpm", ["data.size=8", "data.channels=1"])
    run = Run(tmp_path, recipe.model_copy(update={"model": GaussianSpec()}), Shifted())
    samples = sample(run, 6, batch=4)
    assert samples.shape == (6, 1, 8, 8)
    torch.testing.assert_close(sample(run, 6, batch=1), samples)
    assert float(samples.mean()) == pytest.approx(0.25, abs=0.02)
    (row,) = evaluate(run, metrics=["kernel"], n=8)
    assert row.value > 0
    for option in ("steps", "sampler", "guidance", "temperature"):
        with pytest.raises(ConfigError, match=f"samples in a way of its own and takes no {option}; leave it out"):
            sample(run, 1, **{option: "ddim" if option == "sampler" else 2})


def test_numbers_of_numpy_are_numbers():
    check_sampling(labelled(None), np.int64(3), steps=np.int32(5), temperature=np.float32(0.5), seed=np.int64(1))


def test_guidance_needs_a_model_that_has_seen_no_label():
    never = resolve("digits-ddpm", ["model.labels=true", "model.label_dropout=0", "data.classes=10"])
    check_sampling(never, 1, guidance=1.0)
    with pytest.raises(ConfigError, match=r"label_dropout=0\.1"):
        check_sampling(never, 1, guidance=2.0)


@pytest.mark.parametrize(
    ("names", "label", "numbers"),
    [
        (("cat", "dog", "boar"), "dog", [1]),
        (("cat", "dog", "boar"), "boar, cat", [2, 0]),
        (("cat", "dog", "boar"), "1,dog", [1, 1]),
        (("cat", "dog", "boar"), ["dog", 2], [1, 2]),
        (("a,b", "a", "b"), "a,b", [0]),  # a name with a comma in it is a name
        (("1", "10", "2"), "10,2", [1, 2]),  # folders called by numbers
        (("1", "10", "2"), [2], [2]),
        (None, "2,0", [2, 0]),
        (None, 1, [1]),
        (None, None, []),
        (None, [], []),
    ],
)
def test_classes_by_name_and_by_number(names, label, numbers):
    assert class_numbers(labelled(names), label) == numbers


@pytest.mark.parametrize(
    ("names", "label", "said"),
    [
        (("cat", "dog", "boar"), "cta", "no class 'cta'; did you mean cat? This model's classes are cat, dog, boar."),
        (("1", "10", "2"), "0", "no class '0'. This model's classes are 1, 10, 2."),
        (None, "cat", "no names of classes. This model's labels are 0 to 2"),
        (None, "", "There is no label ''"),
        (tuple(f"kind {i}" for i in range(14)), "x", "kind 9 and 4 more."),
    ],
)
def test_a_class_that_is_not_there_is_told(names, label, said):
    with pytest.raises(ConfigError) as caught:
        class_numbers(labelled(names, len(names or range(3))), label)
    assert said in str(caught.value)


def small():
    return Diffusion(torch.nn.Identity(), LinearVP(), (1, 4, 4))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 2.5}, "n is 2.5; it must be a whole number, 0 or more."),
        ({"n": -1}, "n is -1; it must be 0 or more."),
        ({"steps": 2.5}, "steps is 2.5; it must be a whole number, 1 or more."),
        ({"steps": 0}, "steps is 0; it must be 1 or more."),
        ({"temperature": NAN}, "temperature is nan; it must be a finite number, 0 or more."),
        ({"guidance": NAN}, "guidance is nan"),
    ],
)
def test_a_model_refuses_what_it_cannot_sample(options, said):
    with pytest.raises(ConfigError) as caught:
        small().sample(**{"n": 1, "steps": 2, **options})
    assert said in str(caught.value)


@pytest.mark.parametrize("label", [10**12, 10**30, 1e12, "cat", [3, "x"], torch.tensor([1e12, 1])])
def test_a_model_refuses_what_is_no_label(label):
    with pytest.raises(ConfigError, match="Labels are 2 whole numbers from 0 to 9"):
        checked_labels(label, 2, 10, torch.device("cpu"))


def test_pictures_that_are_neither_grey_nor_in_colour_are_no_data_of_a_model(tmp_path):
    np.save(tmp_path / "two.npy", np.zeros((9, 8, 8, 2), np.uint8))
    with pytest.raises(DataError, match="have 2 channels; a model learns from grey ones, of 1 channel, or from RGB"):
        open_data(resolve("digits-ddpm"), source=tmp_path / "two.npy", split="all", report=Quiet())
