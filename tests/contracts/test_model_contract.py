"""What every model promises: stages that train it, and samples that are the same in any company."""

import inspect

import pytest
import torch
from contracts.found import classes_with, parents, public
from recipes.small_recipes import open_for, shape_of, shrunken
from tiny_hats import Pictures, distilled
from torch import nn

from unveil.core.protocols import Model
from unveil.core.random import Streams
from unveil.models.classifier import FeatureClassifier
from unveil.models.codec_diffusion import CodecDiffusion, KeptCodec
from unveil.models.denoiser import BlindDenoiser
from unveil.models.diffusion import Diffusion
from unveil.models.distillation import Distilled
from unveil.models.hat_ebm import HatEBM
from unveil.models.multires_cnf import MultiResolutionCNF
from unveil.models.ode_video import ODEVideo
from unveil.models.pose_ik import PoseIK
from unveil.models.restoration import Restoration
from unveil.models.single_image_ebm import SingleImageEBM
from unveil.models.video_diffusion import VideoDiffusion
from unveil.recipes.build import build_model
from unveil.training.options import Options
from unveil.training.trainer import fit


def of_recipe(name):
    """A small model of a recipe, trained for two steps."""

    def make(folder):
        recipe = shrunken(name)
        data = open_for(recipe, shape_of(name), folder)
        model = build_model(recipe, data.shape, data.classes)
        fit(model, data, 2, recipe.training.options(), progress=False, device="cpu")
        return model.eval()

    return make


def student(folder):
    model = distilled(until=1.0)
    model.begin()
    fit(model, Pictures(), 2, Options(batch_size=4), progress=False, device="cpu")
    return model.eval()


IMPLEMENTATIONS = {
    Diffusion: of_recipe("digits-ddpm"),
    Distilled: student,
    VideoDiffusion: of_recipe("moving-digits-mcvd-concat"),
    CodecDiffusion: of_recipe("fashion-codec-categorical"),
    Restoration: of_recipe("digits-rgm-d"),
    HatEBM: of_recipe("digits-hat"),
    MultiResolutionCNF: of_recipe("digits-mrcnf"),
    SingleImageEBM: of_recipe("single-image"),
    ODEVideo: of_recipe("moving-digits-ode-variational"),
    PoseIK: of_recipe("motions-ik"),
    BlindDenoiser: of_recipe("photos-denoiser"),
    FeatureClassifier: of_recipe("digits-features"),
    KeptCodec: of_recipe("mcm-codec-vq-8-8-8"),
}
WITHOUT_SAMPLES = {PoseIK, BlindDenoiser, FeatureClassifier, KeptCodec}
"""What answers questions, and is not asked for more data."""
WALKS = {Diffusion, VideoDiffusion, CodecDiffusion}


@pytest.fixture(scope="module", params=IMPLEMENTATIONS, ids=lambda kind: kind.__name__)
def model(request, tmp_path_factory):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return IMPLEMENTATIONS[request.param](tmp_path_factory.mktemp("data"))


@pytest.fixture
def sampled(model):
    """A function that draws from a model, in few steps where it walks."""
    if type(model) in WITHOUT_SAMPLES:
        return None
    walk = {"steps": 3} if type(model) in WALKS else {}

    def draw(n, generator, **more):
        return model.sample(n, generator=generator, **walk, **more)

    return draw


def test_every_model_is_here():
    trained = {thing for thing in public() if inspect.isclass(thing) and hasattr(thing, "stages")} - parents() - {Model}
    assert set(IMPLEMENTATIONS) == trained
    assert set(IMPLEMENTATIONS) - WITHOUT_SAMPLES == classes_with(Model)


def test_its_stages_train_parts_of_it(model):
    own = {id(value) for value in [*model.parameters(), *model.buffers()]}
    stages = list(model.stages(8))
    assert stages or not list(model.parameters())  # a codec is fitted before the first step
    assert len({stage.name for stage in stages}) == len(stages)
    for stage in stages:
        assert stage.steps >= 1
        assert all(isinstance(player, nn.Module) for player in stage.players.values())
        moved = [value for player in stage.players.values() for value in player.parameters()]
        assert {id(value) for value in moved} <= own


def test_steps_may_be_given_by_stage(model):
    names = [stage.name for stage in model.stages(8)]
    given = {name: 3 + place for place, name in enumerate(names)}
    assert {stage.name: stage.steps for stage in model.stages(given)} == given


def test_training_left_finite_weights_that_can_be_kept(model):
    state = model.state_dict()
    assert all(bool(value.isfinite().all()) for value in state.values() if value.is_floating_point())
    model.load_state_dict({name: value.clone() for name, value in state.items()})


def test_samples_are_as_many_as_were_asked_for(model, sampled):
    if sampled is None:
        assert not hasattr(model, "sample")
        return
    x = sampled(3, Streams(0, 3))
    assert len(x) == 3
    assert x.is_floating_point()
    assert bool(x.isfinite().all())
    assert not x.requires_grad


def test_a_sample_does_not_depend_on_its_batch(sampled):
    if sampled is not None:
        whole = sampled(3, Streams(0, 3))
        for i in range(3):
            torch.testing.assert_close(sampled(1, Streams(0, [i])), whole[i : i + 1], rtol=0, atol=1e-4)


def test_the_same_seed_gives_the_same_samples_and_nothing_else_is_seeded(sampled):
    if sampled is not None:
        state = torch.get_rng_state()
        first, again = (sampled(2, torch.Generator().manual_seed(1)) for _ in range(2))
        other = sampled(2, torch.Generator().manual_seed(2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert torch.equal(torch.get_rng_state(), state)


def test_it_says_how_far_it_has_come(sampled):
    if sampled is not None:
        said = []
        sampled(2, Streams(0, 2), progress=lambda done, total: said.append((done, total)))
        assert said[-1][0] == said[-1][1]
        assert [done for done, _ in said] == sorted(done for done, _ in said)
