import re
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from unveil.body import Body, random_motion, write_amass
from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.covariance import Circulant, Identity
from unveil.data import open_images
from unveil.models.classifier import FeatureClassifier
from unveil.models.codec_diffusion import CodecDiffusion, KeptCodec
from unveil.models.diffusion import Diffusion
from unveil.models.ode_video import ODEVideo
from unveil.models.restoration import DSWD, KLD, MMD
from unveil.models.video_diffusion import VideoDiffusion
from unveil.recipes import names, resolve
from unveil.recipes.build import build_data, build_model
from unveil.recipes.build_parts import build_network, build_schedule
from unveil.recipes.build_restoration import build_generator
from unveil.recipes.build_video import build_layout
from unveil.recipes.codec import RefinerSpec
from unveil.schedules import Discrete, GeometricVE, LinearVP
from unveil.training.options import Options
from unveil.training.trainer import fit

SHRUNKEN = {
    "diffusion": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
    "classifier": ["model.channels=4", "training.batch_size=4"],
    "denoiser": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
    "restoration": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
    "single-image-ebm": ["model.network.widths=6,6", "model.chain=3", "model.finer_chain=2", "model.bank=2"],
    "codec": ["model.patches=2000"],
    "codec-diffusion": ["model.network.channels=8", "model.codec.patches=2000", "training.batch_size=2"],
    "multires-cnf": [
        "model.hidden=4",
        "model.levels=256",
        "model.test_solver={method: rk4, steps: 1}",
        "training.batch_size=2",
    ],
    "pose-ik": ["model.network.width=16", "training.batch_size=8", "model.held_out=[]", "model.validation=[]"],
    "ode-video": ["model.widths=4,4", "model.latent=4", "training.batch_size=2"],
    "hat-ebm": [
        "model.network.channels=8",
        "model.network.blocks=1",
        "model.generator.widths=8,8",
        "model.energy.widths=8,8",
        "model.energy.downs=2",
        "model.one={steps: 2, test_steps: 2}",
        "model.two={steps: 2, test_steps: 2}",
        "model.first_steps=2",
        "model.bank=4",
        "model.lengths={diffusion: 1, distil: 1, two: 1}",
        "training.batch_size=2",
    ],
    "video-diffusion": [
        "model.network.channels=8",
        "model.network.blocks=1",
        "model.network.head_channels=8",
        "training.batch_size=2",
    ],
}
SHAPES = {"digits": (1, 8, 8), "fashion": (1, 28, 28), "photos": (3, 32, 32), "cifar10": (3, 32, 32), "toy": (2,),
          "imagenet64": (3, 64, 64), "celeba64": (3, 64, 64), "imagenet128": (3, 128, 128)}  # fmt: skip
FRAMES = {
    "moving": (1, 16, 16), "smmnist": (1, 64, 64), "kth": (1, 64, 64), "bair": (3, 64, 64), "cityscapes": (3, 128, 128),
    "ucf101": (3, 64, 64),
}  # fmt: skip


def shrunken(name):
    recipe = resolve(name)
    if "toy" in name:
        return resolve(name, ["training.batch_size=8"])
    changes = [*SHRUNKEN[recipe.model.kind]]
    if recipe.model.kind == "hat-ebm" and recipe.model.network.head_channels:
        changes += ["model.network.head_channels=8", "model.network.mult=1,1", "model.network.attention=1"]
    if recipe.model.kind == "restoration":
        changes += ["model.prior.discriminator.channels=8"]
    if name == "church-codec-categorical":
        changes += ["data.size=64", "training.accumulate=1", "training.precision=fp32"]
    if name == "single-image-large":
        changes += ["model.fine_network.widths=8,6"]
    if name == "cifar10-rgm-dswd":
        changes += ["model.prior.projections=4", "model.prior.inner=2"]
    return resolve(name, changes)


def shape_of(name):
    if name.startswith("single-image"):
        return (3, 48, 66)
    if name.endswith("-ik"):
        return (24, 3, 3)
    if name.startswith("moving-digits-ode"):
        return (1, 16, 16)
    if name.startswith(("photos-codec", "mcm", "church")):
        return (3, 256, 256) if name == "photos-codec" else (3, 64, 64)
    return (3, 48, 48) if name == "photos-denoiser" else (SHAPES | FRAMES)[name.partition("-")[0]]


def open_for(recipe, shape, folder):
    """Data of the shape that a recipe is made for."""
    if len(shape) == 1 or recipe.data.source in ("moving-digits", "motions"):
        return build_data(recipe)
    if recipe.model.kind == "pose-ik":
        body = Body.embedded()
        write_amass(random_motion(body, 12, generator=Streams(0, 1)), folder / "walk.npz", body)
        return build_data(recipe, source=folder)
    if recipe.model.kind == "video-diffusion":
        frames = np.random.default_rng(0).integers(0, 256, (6, 20, *shape), dtype=np.uint8)
        np.save(folder / "noise.npy", frames)
        return build_data(recipe, source=folder / "noise.npy")
    channels, height, width = shape
    count = 1 if recipe.model.kind == "single-image-ebm" else 8
    pictures = np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    np.savez(folder / "noise.npz", train_images=pictures, train_labels=np.arange(count) % 2)
    return build_data(recipe, source=folder / "noise.npz")


@pytest.mark.parametrize("name", names())
def test_every_recipe_takes_two_small_steps(name, tmp_path):
    recipe = shrunken(name)
    data = open_for(recipe, shape_of(name), tmp_path)
    assert data.shape[-3:] == shape_of(name)
    model = build_model(recipe, data.shape, data.classes)
    before = [parameter.clone() for parameter in model.parameters()]
    fit(model, data, 2, recipe.training.options(), progress=False, device="cpu")
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert any(moved) or (isinstance(model, KeptCodec) and model.seal.any())
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())
    if hasattr(model, "sample") and getattr(model, "variational", True):
        walks = isinstance(model, Diffusion | VideoDiffusion | CodecDiffusion)
        walk = {"steps": 2, "sampler": recipe.sampling.sampler} if walks else {}
        frames = (model.k,) if isinstance(model, VideoDiffusion) else (20,) if isinstance(model, ODEVideo) else ()
        assert model.sample(2, **walk).shape == (2, *frames, *shape_of(name))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("fashion-ddpm", "fashion-mnist"),
        ("fashion-features", "fashion-mnist"),
        ("fashion-rgm-sr", "fashion-mnist"),
        ("cifar10-ddpm", "cifar10-20k.npz"),
        ("cifar10-rgm-sr", "cifar10-20k.npz"),
    ],
)
def test_recipes_open_the_data_they_are_made_for(name, file, real_data):
    recipe = resolve(name, ["data.limit=100"])
    data = build_data(recipe, source=real_data(file))
    assert data.shape == shape_of(name)
    assert (len(data), data.classes) == (100, 10)


@pytest.mark.parametrize("name", [name for name in names() if resolve(name).data.source is not None])
def test_recipes_open_the_data_they_bring(name):
    recipe = resolve(name)
    shape = (3, 107, 160) if name == "single-image" else shape_of(name)
    assert build_data(recipe).shape[-len(shape) :] == shape
    assert len(build_data(recipe, split="test")) > 0


@pytest.mark.parametrize("family", ["digits", "fashion", "cifar10"])
def test_coloured_noise_is_one_line_of_a_recipe(family):
    plain, coloured = resolve(f"{family}-ddpm"), resolve(f"{family}-free-field")
    assert coloured.model.covariance.kind == "free-field"
    same = {"name": plain.name, "model": coloured.model.model_copy(update={"covariance": plain.model.covariance})}
    assert coloured.model_copy(update=same) == plain


def test_coloured_noise_is_one_line_of_a_recipe_for_video():
    plain, coloured = resolve("moving-digits-mcvd-concat"), resolve("moving-digits-mcvd-free-field")
    assert coloured.model.covariance.kind == "free-field"
    same = {"name": plain.name, "model": coloured.model.model_copy(update={"covariance": plain.model.covariance})}
    assert coloured.model_copy(update=same) == plain


@pytest.mark.parametrize("masks", [*product((0.0, 0.5, 1.0), (0.0, 0.5, 1.0), (0.0, 0.5), (0, 2), (0, 1))])
def test_a_recipe_knows_what_its_model_of_video_can_do(masks):
    mask_past, mask_future, per_frame, past, future = masks
    changes = {
        "mask_past": mask_past,
        "mask_future": mask_future,
        "per_frame": per_frame,
        "past": past,
        "future": future,
    }
    spec = resolve("moving-digits-mcvd-concat").model.model_copy(update=changes)
    assert spec.tasks == build_layout(spec).tasks
    assert spec.window == build_layout(spec).window


def test_models_of_long_videos_are_given_frames_at_several_spacings():
    recipe = resolve(
        "moving-digits-mcvd-concat", ["model.past=1", "model.future=1", "model.frames=2", "model.levels=2"]
    )
    data = build_data(recipe)
    assert data.shape[0] == 4
    assert data.strides == (1, 3, 9)
    model = build_model(recipe, data.shape)
    assert model.long_video(20, steps=2).shape == (1, 20, 1, 16, 16)
    with pytest.raises(ConfigError, match=r"leave data\.stride out"):
        resolve(recipe, ["data.stride=2"])
    with pytest.raises(ConfigError, match=r"data\.stride is for videos"):
        resolve("digits-ddpm", ["data.stride=2"])


def test_a_recipe_of_moving_digits_trains_on_other_clips_too(tmp_path):
    np.save(tmp_path / "clips.npy", np.zeros((2, 12, 16, 16), np.uint8))
    recipe = resolve("moving-digits-mcvd-concat")
    assert recipe.data.digits == 1
    assert build_data(recipe).digits == 1
    assert build_data(recipe, source=tmp_path / "clips.npy").shape == (10, 1, 16, 16)
    with pytest.raises(ConfigError, match="digits is for videos"):
        resolve("digits-ddpm", ["data.digits=1"])


def test_frames_that_a_network_cannot_halve_are_refused():
    with pytest.raises(ConfigError, match="multiples of 4; change data"):
        build_model(resolve("moving-digits-mcvd-concat"), (1, 30, 30))


def test_the_network_at_the_scale_of_the_paper_has_as_many_weights_as_published():
    with torch.device("meta"):
        network = build_network(resolve("cifar10-ddpm").model.network, 3, None)
    assert sum(parameter.numel() for parameter in network.parameters()) == 35_746_307


@pytest.mark.parametrize(
    ("override", "schedule"),
    [
        ("{kind: linear-vp, beta_max: 15}", LinearVP(0.1, 15.0)),
        ("{kind: geometric-ve, sigma_max: 7, steps: 90}", GeometricVE(0.01, 7.0, 90)),
    ],
)
def test_schedules_are_built_as_they_are_written(override, schedule):
    assert build_schedule(resolve("digits-ddpm", [f"model.schedule={override}"]).model.schedule) == schedule


@pytest.mark.parametrize(("kind", "make"), [("discrete-linear", Discrete.linear), ("discrete-cosine", Discrete.cosine)])
def test_chains_are_built_as_they_are_written(kind, make):
    chain = build_schedule(resolve("digits-ddpm", [f"model.schedule={{kind: {kind}, steps: 50}}"]).model.schedule)
    assert torch.equal(chain.betas, make(50).betas)


def test_a_diffusion_is_built_as_it_is_written():
    written = {"predict": "v", "space": "pixel", "min_snr": 5.0, "stratified": True, "sigma_data": 0.5}
    changes = [f"model.{key}={value}" for key, value in written.items()]
    model = build_model(resolve("digits-free-field", [*changes, "model.labels=true"]), (1, 8, 12), 7)
    assert isinstance(model, Diffusion)
    assert {key: getattr(model, key) for key in written} == {**written}
    assert (model.classes, model.label_dropout, model.shape) == (7, 0.1, (1, 8, 12))
    assert isinstance(model.cov, Circulant)
    assert isinstance(build_model(resolve("digits-ddpm"), (1, 8, 8), 7).cov, Identity)
    assert build_model(resolve("digits-ddpm"), (1, 8, 8), 7).classes is None


def test_the_seed_of_the_training_decides_the_first_weights_and_nothing_else_is_seeded():
    def weights(seed) -> list[nn.Parameter]:
        return list(build_model(resolve("digits-features", [f"training.seed={seed}"]), (1, 8, 8), 10).parameters())

    state = torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(weights(3), weights(3), strict=True))
    assert not torch.equal(weights(3)[0], weights(4)[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_labels_need_classes():
    with pytest.raises(ConfigError, match="the data has no classes"):
        build_model(resolve("digits-ddpm", ["model.labels=true"]), (1, 8, 8))
    with pytest.raises(ConfigError, match="learns from labels"):
        build_model(resolve("digits-features"), (1, 8, 8))
    assert isinstance(build_model(resolve("digits-features"), (1, 8, 8), 10), FeatureClassifier)


def test_the_recipe_decides_how_images_are_framed(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (10, 20, 30), dtype=np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    changes = ["data.size=8x12", "data.channels=3", "data.split=all", "data.limit=4"]
    recipe = resolve("digits-ddpm", changes)
    data = build_data(recipe, source=tmp_path / "pictures.npy")
    assert (data.shape, len(data)) == ((3, 8, 12), 4)
    mine = open_images(tmp_path / "pictures.npy", size=(8, 12), channels=3, split="all", limit=4)
    assert data.fingerprint == mine.fingerprint
    assert recipe.training.options() == Options(**recipe.training.model_dump(exclude={"steps"}))


# --- restoration -----------------------------------------------------------------------------------------------------


def test_restoration_models_are_built_as_they_are_written():
    written = {"fidelity_weight": 1.5, "fidelity_space": "native", "match": "data", "latent": False}
    changes = [f"model.{key}={value}" for key, value in written.items()]
    model = build_model(resolve("digits-rgm-d", [*changes, "model.degradation.steps=3"]), (1, 8, 8))
    assert {key: getattr(model, key) for key in written} == written
    assert (model.steps, model.sampling) == (3, "prior")
    assert isinstance(model.learned, KLD)
    assert (model.learned.r1, model.learned.lazy, model.learned.gen_loss) == (0.02, 15, "kl")
    posterior = build_model(resolve("digits-rgm-d", ["model.sampling=posterior"]), (1, 8, 8))
    assert posterior.bridges is not None


def test_priors_are_built_as_they_are_written():
    mmd = "model.prior={kind: mmd, bandwidths: [0.5, 3], unbiased: true, pool: true}"
    found = build_model(resolve("toy-rgm-mmd", [mmd]), (2,)).learned
    assert isinstance(found, MMD)
    assert (found.kernel.bandwidths, found.unbiased, found.pool) == ((0.5, 3.0), True, True)
    assert resolve("toy-rgm-mmd", ["model.prior.bandwidths=0.5"]).model.prior.bandwidths == (0.5,)
    dswd = build_model(resolve("toy-rgm-dswd", ["model.prior.pool=false", "model.prior.inner=3"]), (2,)).learned
    assert isinstance(dswd, DSWD)
    assert (dswd.projections, dswd.inner, dswd.summed, dswd.pool) == (10, 3, True, False)


def test_the_networks_of_cifar10_are_those_that_were_published():
    recipe = resolve("cifar10-rgm-d")
    with torch.device("meta"):
        generator = build_generator(recipe.model, (3, 32, 32), 4)
    assert 45e6 < sum(parameter.numel() for parameter in generator.parameters()) < 50e6
    assert recipe.model.fidelity_weight == pytest.approx(3 * 32 * 32 / 1000)


@pytest.mark.parametrize(
    ("recipe", "changes", "source", "said"),
    [
        ("toy-rgm-kld", [], "digits", "'digits' holds pictures, and the recipe is for points"),
        ("toy-rgm-kld", ["data.dimension=3"], "eight-gaussians", "data.dimension is 3, and the points of"),
        ("toy-rgm-kld", ["data.size=8"], "eight-gaussians", "the recipe is for pictures: it has data.size"),
        ("toy-rgm-kld", ["data.flip=true"], "eight-gaussians", "the recipe is for pictures: it has data.flip"),
        ("toy-rgm-kld", ["data.split=all"], "eight-gaussians", "take train or test"),
    ],
)
def test_points_are_no_pictures(recipe, changes, source, said):
    base = resolve(recipe, changes if changes else ["data.dimension=2"])
    with pytest.raises(ConfigError, match=re.escape(said)):
        build_data(base, source=source)


def test_networks_of_points_are_for_points():
    with pytest.raises(ConfigError, match="point-generator is not for them"):
        build_model(resolve("toy-rgm-kld"), (1, 8, 8))
    with pytest.raises(ConfigError, match="generator is not for them"):
        build_model(resolve("digits-rgm-d"), (2,))
    with pytest.raises(ConfigError, match="The data are points, and a diffusion learns from pictures"):
        build_model(resolve("digits-ddpm"), (2,))
    with pytest.raises(ConfigError, match="takes sides that are multiples of 4"):
        build_model(resolve("digits-rgm-d"), (1, 6, 6))
    points = build_data(resolve("toy-rgm-kld", ["data.limit=100"]))
    assert len(points) == 100
    assert torch.equal(points.points, build_data(resolve("toy-rgm-kld")).points[:100])


def test_the_rows_of_the_codec_table_differ_in_the_quantizer_only():
    rows = [resolve(f"mcm-codec-{row}") for row in ("vq-8-8-8", "pq-32-8-8", "opq-32-8-8", "rq-32-8-8")]
    assert [row.model.layout().ratio for row in rows] == [64, 32, 32, 32]
    for row in rows:
        same = row.model.model_copy(update={"name": rows[0].model.name})
        assert row.model_copy(update={"model": same, "name": rows[0].name}) == rows[0]


def test_codes_of_churches_have_a_network_of_the_size_of_the_papers():
    spec = resolve("church-codec-categorical").model
    planes = spec.codec.layout().planes
    with torch.device("meta"):
        network = build_network(spec.network, 2 * planes, outputs=256 * planes)
        refiner = build_network(RefinerSpec().network, 3)
    assert 45e6 < sum(parameter.numel() for parameter in network.parameters()) < 55e6
    assert 1.5e6 < sum(parameter.numel() for parameter in refiner.parameters()) < 1.8e6


def test_the_first_step_of_a_linear_chain_may_be_told():
    spec = resolve("digits-ddpm", ["model.schedule.first_sigma=0.002"]).model.schedule
    sigma = build_schedule(spec)(torch.tensor([1 / spec.steps, 1.0], dtype=torch.float64))[1]
    assert float(sigma[0]) == pytest.approx(0.002)
    assert float(sigma[1]) > 0.99
    with pytest.raises(ConfigError, match="leave the noise of 1000 steps nothing to grow by"):
        resolve("digits-ddpm", ["model.schedule.first_sigma=0.5"])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.codec.ordered=false"], "continuous codes need a codec that is ordered"),
        (["model.codes=categorical"], "leave refiner out"),
        (["model.codec.name=OPQ-25"], "do not divide into codes of 6"),
        (["model.codec.name=JPEG"], "names no codec"),
        (["model.network.embedding=fourier"], "network.embedding is sinusoidal"),
        (["sampling.sampler=heun"], "codes are sampled by ancestral or ddim"),
        (["sampling.steps=300"], "of which there are 200"),
        (["model.refiner.share=0"], "it must be above 0"),
        (["model.schedule.kind=geometric-ve"], "model.schedule.kind is 'geometric-ve'"),
    ],
)
def test_a_diffusion_on_codes_refuses_what_cannot_work(overrides, said):
    with pytest.raises(ConfigError, match=said):
        resolve("fashion-codec-continuous", overrides)


def test_a_codec_is_for_pictures_of_its_colours():
    with pytest.raises(ConfigError, match="for grey and the pictures are colour"):
        build_model(resolve("fashion-codec-categorical"), (3, 32, 32))


def test_what_a_recipe_knows_of_a_model_of_paths_is_what_the_model_knows():
    for name in ("moving-digits-ode", "moving-digits-ode-variational"):
        recipe = resolve(name, SHRUNKEN["ode-video"])
        model, spec = build_model(recipe, (1, 16, 16)), recipe.model
        assert (spec.tasks, spec.known, spec.frames, spec.variational) == (
            model.tasks,
            model.p,
            model.k,
            model.variational,
        )
        assert build_data(recipe).shape == (20, 1, 16, 16)
        assert not build_data(recipe).stochastic
    assert build_data(resolve("moving-digits-ode-two")).digits == 2


def test_a_recipe_of_the_published_scale_has_its_number_of_weights():
    published = [
        "model.encoder.cell=rnn", "model.encoder.gaps=false", "model.widths=8,16,32,32", "model.blocks=residual",
        "model.features=null", "model.latent=64", "model.objective=reconstruct", "data.size=64",
    ]  # fmt: skip
    model = build_model(resolve("moving-digits-ode-variational", published), (1, 64, 64))
    assert sum(value.numel() for value in model.parameters()) == 270_223


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.context=21"], "context is 21 of a window of 20"),
        (["model.objective=predict", "model.context=20"], "leave some to predict"),
        (["model.encoder={kind: stack, count: 11}"], "encoder.count is 11"),
        (["model.compared=21"], "compared is 21, and to both there are 20 frames"),
        (["model.compared=11", "model.objective=reconstruct"], "to reconstruct there are 10 frames"),
        (["model.order=2", "model.still=1"], "31 numbers of the state move"),
        (["model.encoder.cell=lstm"], "it can be gru or rnn"),
        (["model.sigma=0"], "must be above 0"),
        (["data.walls=rubber"], "it can be chance or mirror"),
    ],
)
def test_recipes_of_paths_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        resolve("moving-digits-ode-variational", changes)
    with pytest.raises(ConfigError, match=r"data\.walls is for videos"):
        resolve("digits-ddpm", ["data.walls=mirror"])
