from dataclasses import fields
from typing import get_args

import pytest
import yaml

from unveil.core.errors import ConfigError
from unveil.models.diffusion import SAMPLERS
from unveil.recipes import dump, names, resolve, summary
from unveil.recipes.parts import DiscreteLinearSpec, LinearVPSpec
from unveil.recipes.schema import Sampler, TrainingSpec
from unveil.training.options import Options

BASE = "digits-ddpm"


@pytest.mark.parametrize("name", names())
def test_every_recipe_of_the_package_is_one(name):
    recipe = resolve(name)
    assert recipe.name == name
    assert 10 < len(summary(name)) < 100


def test_a_recipe_survives_being_written(tmp_path):
    recipe = resolve(BASE, ["training.steps=7"])
    file = tmp_path / "mine.yaml"
    file.write_text(dump(recipe))
    assert resolve(file) == resolve(dump(recipe)) == recipe
    (tmp_path / "recipe.yaml").write_text(dump(recipe))
    assert resolve(tmp_path) == recipe


def test_letters_of_any_language_are_written_as_they_are(tmp_path):
    recipe = resolve(BASE, ["data.source=Größe Foto 写真.png"])
    assert "source: Größe Foto 写真.png" in dump(recipe)
    assert resolve(dump(recipe)) == recipe


def test_a_file_without_a_name_is_called_by_its_file(tmp_path):
    raw = yaml.safe_load(dump(resolve(BASE)))
    del raw["name"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(raw))
    assert resolve(tmp_path / "mine.yaml").name == "mine"


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("training.lr=1e-4", lambda recipe: recipe.training.lr == 1e-4),  # text to YAML 1.1
        ("training.players.model.lr=1e-4", lambda recipe: recipe.training.options().of("model").lr == 1e-4),
        ("training.steps=1e5", lambda recipe: recipe.training.steps == 100_000),
        ("model.network.mult=1,2,4", lambda recipe: recipe.model.network.mult == (1, 2, 4)),
        ("model.network.mult=[1, 2]", lambda recipe: recipe.model.network.mult == (1, 2)),
        ("data.size=28", lambda recipe: recipe.data.size == (28, 28)),
        ("data.size=28x36", lambda recipe: recipe.data.size == (28, 36)),
        ("model.min_snr=null", lambda recipe: recipe.model.min_snr is None),
        ("model.schedule.kind=linear-vp", lambda recipe: recipe.model.schedule == LinearVPSpec(kind="linear-vp")),
        ("model.schedule.steps=100", lambda recipe: isinstance(recipe.model.schedule, DiscreteLinearSpec)),
    ],
)
def test_an_override_changes_one_value(override, read):
    assert read(resolve(BASE, [override]))


def test_overrides_apply_in_order():
    coloured = ["model.covariance.kind=free-field", "model.covariance.power=0.5"]
    recipe = resolve(BASE, [*coloured, "training.seed=1", "training.seed=2"])
    assert (recipe.model.covariance.power, recipe.training.seed) == (0.5, 2)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("steps=3", "training.steps"),
        ("training.stepz=3", "training has no key 'stepz'; did you mean steps?"),
        ("modle.x=3", "a recipe has no key 'modle'; did you mean model?"),
        ("model.network.zzz=3", "model.network has no key 'zzz'; it has kind, channels"),
        ("model.schedule.beta_min=1", "model.schedule has no key 'beta_min'; it has kind, steps, first_sigma."),
        ("training.lr=-1", "lr=-1.0: it must be a number above 0."),
        ("training.lr=.nan", "training.lr is nan; it must be"),
        ("training.lr=fast", "training.lr is 'fast'; it must be a number."),
        ("training.steps=1.5", "training.steps is 1.5; it must be a whole number."),
        ("training.ema=1", "ema=1.0: it must be a number from 0"),
        ("data.flip=maybe", "data.flip is 'maybe'; it must be true or false."),
        ("data.channels=2", "data.channels is 2; it can be 1 or 3."),
        ("training.accumulate=3", "batch_size must be a multiple of accumulate."),
        ("training.decay=cosin", "it can be constant, linear or cosine; did you mean cosine?"),
        ("training.players=3", "training.players is 3; it must be keys and values."),
        ("training.players.net.lrr=3", "players.net.lrr: no such option"),
        ("model.covariance={kind: free-field, power: -1}", "model.covariance.power is -1; it must be 0 or more."),
        ("model.schedule={kind: geometric-ve, sigma_max: 0.001}", "model.schedule: sigma_min must be below sigma_max"),
        ("model.network.embedding=fourier", "model: the fourier embedding and the log-sigma condition"),
        ("name=../elsewhere", "it must be a plain name."),
        ("model.schedule.steps=30", "sampling.steps is 50, and ddim walks the schedule's own steps"),
        ("sampling.sampler=dim", "did you mean ddim?"),
        ("data.size=3x3x3", "data.size is '3x3x3'; write it as 32 for a square, or 32x48 for"),
        ("data.size=32xx", "data.size is '32xx'; write it as 32 for a square, or 32x48 for a height and a width."),
        ("data.size=big", "write it as 32 for a square"),
        ("data.size=-3", "data.size is -3; it must be 1 or more."),
        ("data.resize=big", "data.resize is 'big'; write it as true, false, or the short side in pixels, such as 64."),
        ("model.network.mult=1,a", "model.network.mult is '1,a'; write it as 1,2,2."),
        ("training.players.model.lr=fast", "players.model: lr='fast': it must be a number above 0."),
        ("training.betas=0.9,0.99", "training.betas is '0.9,0.99'; write it as [0.9,0.999]."),
        ("data=5", "data is 5, where keys and values are wanted"),
        ("model.network.mult=[]", "model.network.mult is []; write it as 1,2,2."),
        ("model.predict=esp", "model.predict is 'esp'; it can be eps, n, x or v; did you mean eps?"),
        ("model.kind=difusion", "did you mean diffusion?"),
        ("model.schedule.kind=linear", "model.schedule.kind is 'linear'; it can be linear-vp, discrete-linear"),
        ("model.covariance.power=3", "model.covariance needs a kind: identity or free-field."),
        ("training.lr.x=3", "lr is the single value"),
        ("training.steps", "write a key of the recipe and its value"),
        ("=3", "write a key of the recipe and its value"),
        ("training.steps=[", "is not YAML"),
    ],
)
def test_a_bad_override_is_told_in_a_sentence(override, said):
    with pytest.raises(ConfigError) as caught:
        resolve(BASE, [override])
    message = str(caught.value)
    assert said in message
    assert "pydantic" not in message
    assert "\n" not in message
    assert message[-1] in ".?)"


@pytest.mark.parametrize(
    ("name", "override", "said"),
    [
        ("single-image", "sampling.steps=7", "sampling.steps is for diffusions, and a single-image-ebm takes none"),
        ("digits-mrcnf", "sampling.sampler=ancestral", "sampling.sampler is for diffusions, and a multires-cnf takes"),
        ("digits-mrcnf", "sampling.guidance=3", "sampling.guidance is for diffusions"),
        ("motions-ik", "sampling.steps=3", "sampling.steps is for diffusions, and a pose-ik takes none"),
        ("digits-hat", "sampling.steps=3", "and a hat-ebm takes none; leave it out"),
        ("digits-rgm-d", "sampling.steps=3", "and a restoration takes none; leave it out"),
        ("digits-ddpm", "sampling.guidance=3", "sampling.guidance is 3, and this model knows no labels"),
        ("moving-digits-mcvd-concat", "sampling.guidance=3", "this model knows no labels that it could follow"),
        ("single-image", "data.flip=true", "data.flip is for sets of pictures, and this model learns from one"),
        ("single-image", "data.limit=3", "data.limit is for sets of pictures"),
        ("single-image", "data.crop=center", "data.crop is for sets of pictures"),
    ],
)
def test_a_value_that_the_model_never_reads_is_refused(name, override, said):
    with pytest.raises(ConfigError, match=said):
        resolve(name, [override])


def test_values_as_usual_may_be_told_as_runs_tell_them(tmp_path):
    for name in ("single-image", "digits-mrcnf", "digits-hat", "motions-ik"):
        recipe = resolve(name, ["sampling={sampler: ddim, steps: 50, guidance: 1}", "data.flip=false"])
        (tmp_path / "recipe.yaml").write_text(dump(recipe))
        assert resolve(tmp_path / "recipe.yaml") == recipe
    assert resolve("digits-ddpm", ["model.labels=true", "sampling.guidance=3"]).sampling.guidance == 3


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("digit-ddpm", "did you mean digits-ddpm"),
        ("qqqq", "unveil recipes"),
        ("nowhere.yaml", "no recipe file nowhere.yaml"),
        ("- a\n- b", "must hold keys and values"),
        ("model: [\nx", "is not YAML"),
        ("model: \0\n", "is not YAML"),
        ("training: {steps: 3}\n", "it does not say model."),
        ("!!python/object:os.system\nx: 1", "is not YAML"),
    ],
)
def test_what_is_no_recipe_is_told_in_a_sentence(recipe, said):
    with pytest.raises(ConfigError, match=said):
        resolve(recipe)


def test_files_and_folders_that_are_no_recipes(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no recipe\.yaml"):
        resolve(tmp_path)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ConfigError, match="is not text"):
        resolve(tmp_path / "picture.png")


def test_the_training_of_a_recipe_is_the_options_of_the_trainer():
    spec, options = TrainingSpec(steps=1), Options()
    assert spec.options() == options
    assert {field.name for field in fields(Options)} == set(TrainingSpec.model_fields) - {"steps"}


def test_the_samplers_of_a_recipe_are_those_of_the_model():
    assert set(get_args(Sampler)) == set(SAMPLERS)
