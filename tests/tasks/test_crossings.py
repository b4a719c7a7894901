"""What the systems lend each other: runs of one kind put to the uses of another."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

import unveil
from unveil.cli.app import run as command
from unveil.core.errors import ConfigError
from unveil.covariance import Circulant
from unveil.data import open_videos
from unveil.inverse import ddrm, half_quadratic, posterior_sampling
from unveil.models.video_diffusion import by_task
from unveil.models.video_diffusion.folding import fold, unfold
from unveil.operators import Mask
from unveil.recipes import resolve
from unveil.tasks.energies import check_energies, energies
from unveil.tasks.likelihood import check_likelihood
from unveil.tasks.restore import check_restoring, parse

SOLVERS = ("half-quadratic", "douglas-rachford", "ddrm", "posterior")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs by their names, made when they are asked for."""
    place, made = tmp_path_factory.mktemp("crossings"), {}

    def of(name, *overrides):
        if name not in made:
            made[name] = tiny_run(place / name, name, 2, overrides)
        return made[name]

    return of


def digits(n, split="test"):
    return unveil.open_images("digits", split=split).batch(range(n))[0]


def of_video(runs, name):
    return runs(name, "data.size=16")


def clips(n=2, frames=10):
    return open_videos("moving-digits", frames=frames, size=16, digits=1, split="test").batch(range(n))[0]


# --- priors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits-ddpm", "digits-free-field", "digits-smld", "digits-hat", "digits-rgm-d"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(8, 8), (12, 20)])
def test_any_model_with_a_prior_serves_every_solver_at_any_size(name, solver, shape, runs):
    x = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    options = {"steps": 3} if solver in ("ddrm", "posterior") else {}
    found = unveil.restore(runs(name), x, "mask:0.3,noise:5/255", degrade=True, solver=solver, **options)
    assert found.image.shape == x.shape
    assert bool(found.image.isfinite().all())


def test_the_prior_of_a_hat_knows_the_noise_that_was_trained(runs):
    model = runs("digits-hat").model
    alpha, sigma = model.diffusion.schedule(torch.tensor(0.256, dtype=torch.float64))
    assert model.prior().sigmas[-1] == pytest.approx(float(sigma / alpha), rel=0.05)


def test_runs_that_are_no_priors_say_what_is(runs):
    for recipe, words in (
        (resolve("digits-ddpm", ["model.labels=true", "model.label_dropout=0"]), "label_dropout above 0"),
        (resolve("moving-digits-mcvd-concat"), "restores nothing"),
    ):
        with pytest.raises(ConfigError, match=words):
            check_restoring(recipe, parse("downsample:2"), None, degrade=False)


@pytest.mark.parametrize("solver", [half_quadratic, ddrm, posterior_sampling])
def test_clips_are_restored_by_a_model_of_video(solver, runs):
    model, x = of_video(runs, "moving-digits-mcvd-concat").model, clips()
    hole = torch.ones(16, 16)
    hole[6:10, 4:12] = 0
    prior = model.prior(x[:, :2])
    y = Mask(hole).forward(fold(x[:, 2:5]))
    found = solver(prior, y, Mask(hole), generator=unveil.Streams(0, 2), steps=3)
    assert unfold(found, 3).shape == x[:, 2:5].shape
    alone = solver(model.prior(x[1:, :2]), y[1:], Mask(hole), generator=unveil.Streams(0, [1]), steps=3)
    torch.testing.assert_close(alone, found[1:], rtol=1e-3, atol=1e-4)
    other = solver(model.prior(x[:, :2].flip(0)), y, Mask(hole), generator=unveil.Streams(0, 2), steps=3)
    assert not torch.allclose(other, found)


# --- kernels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits-ddpm", "digits-free-field"])
def test_pictures_are_moved_at_their_own_size_through_windows(name, runs, tmp_path):
    run = runs(name)
    x = torch.rand(2, 1, 20, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1
    near, far = (unveil.refine(run, x, until=until, steps=2, keep_size=True).images for until in (20, 900))
    assert near.shape == x.shape
    assert float((near - x).square().mean()) < float((far - x).square().mean())
    torch.testing.assert_close(unveil.refine(run, x[:1], until=20, steps=2, keep_size=True).images, near[:1])
    Image.fromarray(np.uint8((x[0, 0].numpy() + 1) * 127)).save(tmp_path / "own.png")
    words = ["refine", run.path, tmp_path / "own.png", "--until", 50, "--keep-size", "--out", tmp_path / "moved.png"]
    assert command([str(word) for word in words]) == 0
    assert Image.open(tmp_path / "moved.png").size == (12, 20)


def test_the_kernel_hides_with_the_noise_that_the_run_knows(runs):
    run = runs("digits-free-field")
    assert isinstance(run.model.cov, Circulant)
    x = torch.zeros(1, 1, 8, 8)
    moved = unveil.refine(run, x, until=30, steps=1).images
    streams, t = unveil.Streams(0, 1), torch.tensor(0.03, dtype=torch.float64)
    by_hand = run.model.denoise(run.model.add_noise(x, t, streams.randn(x.shape)), t)
    torch.testing.assert_close(moved, by_hand.clamp(-1, 1))


# --- codes of video ----------------------------------------------------------------------------------------------------


def test_video_on_codes_does_all_that_video_does(runs, tmp_path):
    run = of_video(runs, "moving-digits-codec-mcvd")
    model, x = run.model, clips()
    assert model.state_shape == (2, 8, 8)
    own = model.to_frames(model.to_states(x))  # what the codec keeps of the clips
    assert torch.equal(model.to_frames(model.to_states(own)), own)
    assert float((own - x).square().mean()) < 0.02
    walk = {"steps": 2, "generator": unveil.Streams(0, 2)}
    assert model.predict(x[:, :2], 6, **walk).shape == (2, 6, 1, 16, 16)
    made = model.interpolate(x[:, :2], x[:, 5:7], **walk)
    assert float((model.to_frames(model.to_states(made)) - made).square().mean()) < 1e-4  # frames of whole codes
    assert set(by_task(model, x[:, :7], unveil.Streams(0, 2))) == set(model.tasks)
    with pytest.raises(ConfigError, match="train one without codec"):
        model.prior()
    again = unveil.load(run.path).model
    one, other = (m.generate(1, generator=unveil.Streams(0, 1), steps=2) for m in (again, model))
    assert torch.equal(one, other)
    assert command(["codec", "info", str(run.path)]) == 0


def test_codes_of_video_are_in_order():
    with pytest.raises(ConfigError, match="has to sort them"):
        resolve("moving-digits-codec-mcvd", ["model.codec.ordered=false"])


def test_models_of_plain_frames_have_nothing_to_prepare(runs):
    assert of_video(runs, "moving-digits-mcvd-concat").model.prepare is None


# --- smooth noise in video ---------------------------------------------------------------------------------------------


def test_every_frame_of_a_video_gets_smooth_noise_of_its_own(runs):
    model = of_video(runs, "moving-digits-mcvd-free-field").model
    noise = unfold(model.diffusion.noise(2000, unveil.Streams(0, 2000)), 3)
    assert float((noise[..., 1:] * noise[..., :-1]).mean()) > 0.2  # neighbours are alike
    assert abs(float((noise[:, 1:] * noise[:, :-1]).mean())) < 0.01  # frames are not
    assert model.predict(clips()[:, :2], 3, steps=2).shape == (2, 3, 1, 16, 16)


# --- likelihoods and energies ------------------------------------------------------------------------------------------


def test_energies_are_those_of_the_last_stage_and_of_each_picture_alone(runs):
    run = runs("digits-hat")
    found = energies(run, "digits", n=5, split="test", batch=2)
    torch.testing.assert_close(found, run.model.energy_two(digits(5)))
    assert not torch.equal(found, run.model.judge(digits(5), stage="one"))
    moved = energies(run, "digits", n=5, split="test", shuffle=2)
    assert not torch.allclose(moved, found)
    torch.testing.assert_close(energies(run.path, "digits", n=5, split="test"), found)


def test_the_command_tells_strange_pictures_by_energy(runs, tmp_path, capsys):
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "white.png")
    path = str(runs("digits-hat").path)
    assert command(["likelihood", path, "digits", str(tmp_path), "--ood", "-n", "3"]) == 0
    said = capsys.readouterr().out
    assert said.count("digits\t") == 3
    assert "area under the curve" in said
    assert "by energy" in said
    assert command(["likelihood", path, "digits"]) == 2
    assert "with --ood" in " ".join(capsys.readouterr().err.split())


def test_runs_without_an_energy_or_a_likelihood_are_told_apart():
    with pytest.raises(ConfigError, match="is a diffusion"):
        check_energies(resolve("digits-ddpm"), 1, 1)
    with pytest.raises(ConfigError, match="knows points"):
        check_energies(resolve("toy-hat"), 1, 1)
    with pytest.raises(ConfigError, match="no likelihood"):
        check_likelihood(resolve("digits-hat"), 1, 1, 1)


def test_a_diffusion_and_a_flow_measure_the_same_digits(runs):
    for name in ("digits-ddpm", "digits-mrcnf"):
        bits = unveil.likelihood(runs(name), "digits", split="test", n=2)
        assert bits.each.shape == (2,)
        assert bits.measure.unit == "bits/dim"
