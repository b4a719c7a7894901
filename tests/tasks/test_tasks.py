import json
import signal

import pytest
import torch
import yaml
from PIL import Image
from tiny_runs import DIFFUSION, tiny_run

import unveil
from unveil.core.errors import ConfigError, DataError, ExistsError, RunError
from unveil.recipes import resolve
from unveil.tasks import feature_space
from unveil.tasks import train as training
from unveil.tasks.run import Run, open_run, recipe_of
from unveil.tasks.sample import sample
from unveil.tasks.train import plan, train
from unveil.training.interrupt import Interrupted


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "digits")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "labelled", overrides=["model.labels=true"])


@pytest.fixture
def quick_classifier(monkeypatch):
    """Shrink the classifier that is trained to measure with."""

    def small(name):
        return resolve(name, ["model.channels=4", "model.features=8", "training.steps=5", "training.batch_size=16"])

    monkeypatch.setattr(feature_space, "resolve", small)


def same_weights(a, b):
    return all(
        torch.equal(x, y) for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    )


# --- train and load --------------------------------------------------------------------------------------------------


def test_a_run_is_a_folder_from_which_the_model_comes_back(run):
    names = {entry.name for entry in run.path.iterdir()}
    assert {"recipe.yaml", "weights.safetensors", "state", "log.jsonl", "samples"} <= names
    again = unveil.load(run.path)
    assert again.recipe == run.recipe
    assert same_weights(again, run)
    assert not again.model.training


def test_a_run_in_hand_and_its_folder_are_one(run):
    opened = open_run(run.path)
    assert open_run(opened) is opened
    assert recipe_of(opened) is opened.recipe
    assert recipe_of(run.path) == opened.recipe
    assert opened.device == opened.model.device == torch.device("cpu")


def test_a_run_whose_model_names_no_device_has_one(run):
    assert not hasattr(run.model.net, "device")
    assert Run(run.path, run.recipe, run.model.net).device == torch.device("cpu")


def test_the_runs_recipe_says_what_was_found_in_the_data(run):
    data = yaml.safe_load((run.path / "recipe.yaml").read_text())["data"]
    assert (data["size"], data["channels"], data["classes"], data["source"]) == ([8, 8], 1, 10, "digits")


def test_a_seed_names_the_first_weights_and_the_training(tmp_path, run):
    assert same_weights(tiny_run(tmp_path / "same"), run)
    assert not same_weights(tiny_run(tmp_path / "other", seed=1), run)


def test_pictures_are_made_as_training_goes(tmp_path):
    run = tiny_run(tmp_path / "run", steps=2, overrides=["training.sample_every=1", "sampling.steps=2"])
    assert [file.name for file in sorted((run.path / "samples").iterdir())] == [
        "train-0000001.png",
        "train-0000002.png",
    ]


def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path, monkeypatch):
    changes = {"steps": 6, "overrides": [*DIFFUSION, "training.sample_every=1"]}
    monkeypatch.setattr(training, "_pictures", lambda *given: lambda moment: None)
    whole = train("digits-ddpm", out=tmp_path / "whole", **changes)

    def stop(moment):
        if moment.step == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "_pictures", lambda *given: stop)
    with pytest.raises(Interrupted):
        train("digits-ddpm", out=tmp_path / "run", **changes)
    monkeypatch.setattr(training, "_pictures", lambda *given: lambda moment: None)
    assert same_weights(train(tmp_path / "run", resume=True), whole)


def test_resume_begins_a_run_that_is_not_there_yet(tmp_path, run):
    assert same_weights(tiny_run(tmp_path / "run", resume=True), run)


def test_a_run_can_be_made_longer(tmp_path):
    tiny_run(tmp_path / "run", steps=2)
    with pytest.warns(UserWarning, match="steps was 2, is 4"):
        train(tmp_path / "run", resume=True, steps=4)
    assert unveil.resolve(tmp_path / "run").training.steps == 4
    assert json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])["step"] == 4


def test_a_run_is_neither_overwritten_nor_mixed_up(tmp_path):
    tiny_run(tmp_path / "run", steps=1)
    with pytest.raises(ExistsError, match="--resume"):
        plan("digits-ddpm", out=tmp_path / "run")
    with pytest.raises(ConfigError, match="was begun with recipe digits-ddpm"):
        plan("digits-smld", out=tmp_path / "run", resume=True)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep me")
    with pytest.raises(ExistsError, match="not the folder of a run"):
        tiny_run(tmp_path / "letters", force=True)
    assert same_weights(tiny_run(tmp_path / "run", force=True), tiny_run(tmp_path / "other"))


def test_a_relative_path_of_data_is_kept_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "mine" / "a.png")
    assert plan("digits-ddpm", data="mine").recipe.data.source == str(tmp_path / "mine")


def test_damaged_files_are_named_counted_and_left_out(tmp_path):
    for i in range(20):
        Image.effect_noise((8, 8), 20 + i).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and then nothing")
    with pytest.warns(UserWarning, match=r"1 file could not be read and left out: .*broken\.png"):
        tiny_run(tmp_path / "run", data=tmp_path, steps=1)


def test_a_folder_in_which_everything_is_damaged_is_refused(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "broken.png").write_bytes(b"\x89PNG and then nothing")
    with pytest.raises(DataError, match=r"broken\.png"):
        tiny_run(tmp_path / "run", data=tmp_path / "pictures")
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_fit_the_recipe_are_refused(tmp_path):
    run = tiny_run(tmp_path / "run", steps=1)
    recipe = run.path / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("channels: 8", "channels: 16"))
    with pytest.raises(RunError, match="does not fit this model"):
        unveil.load(run.path)
    recipe.write_text(recipe.read_text().replace("channels: 16", "channels: 8").replace("identity", "free-field"))
    with pytest.raises(RunError, match="another noise"):
        unveil.load(run.path)


def test_a_recipe_without_data_says_what_it_needs():
    with pytest.raises(ConfigError, match="needs --data: the folder with the four"):
        plan("fashion-ddpm")


# --- sample ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_a_sample_does_not_depend_on_its_company(run, sampler):
    whole = sample(run, 9, steps=4, sampler=sampler, batch=9, seed=5)
    assert whole.shape == (9, 1, 8, 8)
    assert whole.abs().max() <= 1
    for batch in (1, 2, 7):
        torch.testing.assert_close(
            sample(run, 9, steps=4, sampler=sampler, batch=batch, seed=5), whole, atol=1e-5, rtol=0
        )
    torch.testing.assert_close(sample(run, 4, steps=4, sampler=sampler, seed=5), whole[:4], atol=1e-5, rtol=0)
    assert not torch.allclose(sample(run, 9, steps=4, sampler=sampler, seed=6), whole)


def test_labels_take_turns_and_guidance_follows_them(labelled):
    assert labelled.model.classes == 10
    turns = sample(labelled, 4, steps=3, label=[1, 2], batch=3)
    torch.testing.assert_close(turns[::2], sample(labelled, 4, steps=3, label=1)[::2], atol=1e-5, rtol=0)
    torch.testing.assert_close(sample(labelled, 3, steps=3), sample(labelled, 3, steps=3, label=[0, 1, 2]))
    guided = sample(labelled, 4, steps=3, label=[1, 2], guidance=3.0)
    assert not torch.allclose(guided, turns)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 0}, "n is 0; it must be 1 or more"),
        ({"batch": 0}, "batch is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 2000}, "this model's chain has 1000"),
        ({"sampler": "dim"}, "did you mean ddim"),
        ({"label": 3}, "knows no labels"),
        ({"guidance": 2.0}, "knows no labels"),
    ],
)
def test_what_cannot_be_sampled_is_refused(run, options, said):
    with pytest.raises(ConfigError, match=said):
        sample(run, **{"n": 4, **options})


def test_wrong_labels_are_refused(labelled):
    with pytest.raises(ConfigError, match="labels are 0 to 9"):
        sample(labelled, 4, label=[0, 10])


# --- evaluate and likelihood -----------------------------------------------------------------------------------------


def test_samples_are_measured_in_features_trained_for_it_under_their_own_name(run, quick_classifier):
    with pytest.warns(UserWarning, match="Training a feature network on digits"):
        found = unveil.evaluate(run, metrics=["frechet", "pr", "score"], n=30, steps=2)
    names = [measure.name.partition("@")[0] for measure in found]
    assert names == [
        "frechet-distance[digits-classifier",
        "precision[digits-classifier",
        "recall[digits-classifier",
        "classifier-score[digits-classifier",
    ]
    assert found[0].count == 30
    assert found[0].reference_split == "test"
    assert (found[1].count, found[1].reference_count) == (30, 30)
    again = unveil.evaluate(run, metrics=["pr"], n=30, steps=2)  # the classifier is there already
    assert again == found[1:3]


def test_a_classifiers_run_measures(tmp_path, run):
    eyes = tiny_run(tmp_path / "eyes", recipe="digits-features", steps=2)
    (measure,) = unveil.evaluate(run, metrics=["kernel"], n=20, steps=2, features=eyes.path)
    assert measure.name.startswith("kernel-distance[digits-features@")
    with pytest.raises(ConfigError, match="features come from a classifier's run"):
        unveil.evaluate(run, metrics=["kernel"], n=20, steps=2, features=run)
    with pytest.raises(ConfigError, match="makes none"):
        sample(eyes, 4)


def test_images_without_labels_are_compared_pixel_by_pixel(tmp_path):
    for i in range(30):
        Image.effect_noise((8, 8), 20 + i).save(tmp_path / f"{i}.png")
    run = tiny_run(tmp_path / "run", data=tmp_path, steps=1)
    with pytest.warns(UserWarning, match="pixel by pixel"):
        found = unveil.evaluate(run, metrics=["pr"], steps=2)
    assert found[0].name == "precision[pixels]"


@pytest.mark.parametrize(("metric", "plain"), [("fid", "frechet"), ("kid", "kernel"), ("is", "score")])
def test_published_names_need_published_weights(run, metric, plain):
    with pytest.raises(ConfigError, match=f"{metric} needs the published Inception weights.*{plain}"):
        unveil.evaluate(run, metrics=[metric])
    with pytest.raises(ConfigError, match="There is no metric 'pq'"):
        unveil.evaluate(run, metrics=["pq"])


def test_bits_per_dimension_do_not_depend_on_the_batch(run):
    bits = unveil.likelihood(run, "digits", n=4, seed=1, batch=4)
    assert bits.each.shape == (4,)
    torch.testing.assert_close(
        unveil.likelihood(run, "digits", n=4, seed=1, batch=1).each, bits.each, atol=1e-3, rtol=0
    )
    assert bits.measure.value == pytest.approx(bits.each.mean().item())
    assert bits.measure.name == "bits-per-dim"


# --- other libraries -------------------------------------------------------------------------------------------------


def test_a_run_goes_to_diffusers_and_back(tmp_path, run):
    folder = unveil.export(run, tmp_path / "theirs")
    back = unveil.load(folder)
    assert (back.recipe.name, back.recipe.data.size) == ("theirs", (8, 8))
    torch.testing.assert_close(sample(back, 3, steps=4), sample(run, 3, steps=4), atol=1e-4, rtol=0)
    with pytest.raises(ExistsError):
        unveil.export(run, folder)


def test_a_run_that_diffusers_has_no_words_for_is_refused(tmp_path):
    run = tiny_run(tmp_path / "run", recipe="digits-free-field", steps=1)
    with pytest.raises(ConfigError, match="no word for noise of covariance free-field"):
        unveil.export(run, tmp_path / "theirs")
