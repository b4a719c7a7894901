"""The energy-based model of a single image: its chains, how it learns, and what it makes of noise and pictures."""

import math

import pytest
import torch
from torch.nn import functional

from unveil.core.errors import ConfigError, DataError, DivergenceError, RunError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.mcmc import langevin
from unveil.models.single_image_ebm import SingleImageEBM, tiled_gradient
from unveil.models.single_image_ebm.canvas import Walk, framed, run_canvas, unframed
from unveil.models.single_image_ebm.corruption import corrupted
from unveil.models.single_image_ebm.guard import PATIENCE, Guard
from unveil.models.single_image_ebm.starts import Starts
from unveil.models.single_image_ebm.super_resolution import growing_sizes
from unveil.models.single_image_ebm.tiles import gradient_of, pixel_bytes, plan
from unveil.models.single_image_ebm.training import map_places
from unveil.networks.patch_energy import PatchEnergy
from unveil.pyramids import resize, scale_sizes
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit

SIZE = (24, 30)
OPTIONS = Options(batch_size=1, lr=2e-3, betas=(0.5, 0.999), decay="linear", clip=0, ema=0, log_every=5)


class Picture:
    """A data set of one picture."""

    def __init__(self, x, hole=None):
        self.x, self.hole = x, hole

    def __len__(self):
        return 1

    def batch(self, index, generator=None):
        x = self.x.expand(len(index), -1, -1, -1).clone()
        return x, {} if self.hole is None else {"hole": self.hole.expand(len(index), -1, -1, -1).clone()}


def picture(channels=3, size=SIZE):
    """Blobs of colour."""
    coarse = torch.rand(1, channels, 5, 6, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    return resize(coarse, size).clamp(-1, 1)[0]


def model(channels=3, size=SIZE, widths=(4, 4), seed=0, min_size=12, **options):
    torch.manual_seed(seed)
    sizes = scale_sizes(*size, min_size=min_size)
    networks = [PatchEnergy(channels, widths) for _ in sizes]
    return SingleImageEBM(networks, sizes, **{"chain": 5, "finer_chain": 3, "bank": 3, "finer_share": 0.5, **options})


def trained(steps=6, hole=None, run=None, options=OPTIONS, **given):
    found = model(**given)
    fit(found, Picture(picture(found.channels), hole), steps, options, run=run, progress=False, device="cpu")
    return found


@pytest.fixture(scope="module")
def ready():
    """A model whose weights are large enough that chains go somewhere."""
    found = trained()
    with torch.no_grad():
        for energy in found.energies:
            for layer in energy.layers:
                layer.weight.normal_(std=0.4, generator=torch.Generator().manual_seed(1))
    return found


def loud(seed=0, widths=(5, 4, 4, 4), channels=3):
    torch.manual_seed(seed)
    network = PatchEnergy(channels, widths).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3)
    return network


# --- gradients, whole and in tiles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [7, 16, 64])
def test_tiles_give_the_very_gradient(tile):
    network = loud()
    x = torch.randn(2, 3, 41, 37).double()
    whole = tiled_gradient(network, x, tile=None, halo=10)
    torch.testing.assert_close(tiled_gradient(network, x, tile=tile, halo=10, rows=1), whole, atol=1e-12, rtol=0)
    if tile < 37:
        assert (tiled_gradient(network, x, tile=tile, halo=9) - whole).abs().max() > 1e-6


def test_a_chain_in_tiles_ends_where_the_whole_one_does():
    network = loud()
    x = torch.rand(1, 3, 50, 44).double() * 2 - 1
    walks = [Walk(8, 0.05, tile=tile) for tile in (None, 12)]
    whole, tiles = (run_canvas(network, x, walk) for walk in walks)
    torch.testing.assert_close(whole, tiles, atol=1e-10, rtol=0)
    assert (whole - x).abs().max() > 0.01


def test_tiles_are_chosen_by_the_memory_they_take():
    network = PatchEnergy(3, (128, 64, 64, 64))
    assert pixel_bytes(network) == pytest.approx(3.2e3 * 0.8, rel=0.05)
    assert plan(network, (1, 3, 250, 250)) == (None, 1)
    tile, rows = plan(network, (4, 3, 2000, 2000))
    assert tile is not None
    assert rows == 1
    assert (tile + 20) ** 2 * pixel_bytes(network) <= 2**30
    assert plan(network, (8, 3, 40, 40), budget=2**20)[0] is not None
    assert plan(network, (64, 3, 40, 40), on_cpu=False) == (None, 64)


def test_a_model_draws_the_same_in_tiles(ready):
    a = ready.sample(2, size=(40, 66), generator=Streams(0, 2))
    b = ready.sample(2, size=(40, 66), generator=Streams(0, 2), tile=16)
    torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_gradients_are_of_the_sum_and_leave_parameters_alone():
    network = loud()
    x = torch.randn(1, 3, 14, 15).double()
    slope = gradient_of(network, network.weights())(x)
    step = torch.randn_like(x)
    up, down = (network(x + sign * 1e-5 * step).sum() for sign in (1, -1))
    torch.testing.assert_close((slope * step).sum(), (up - down) / 2e-5, rtol=1e-5, atol=0)
    assert network(x - 1e-3 * slope).sum() < network(x).sum()
    assert all(parameter.grad is None for parameter in network.parameters())


# --- chains ----------------------------------------------------------------------------------------------------------


def test_decoupled_noise_has_the_variance_of_theory():
    eta, nu, s = 0.1, 0.05, 0.7
    streams = Streams(0, 4000)
    x = langevin(
        lambda x: (x.square() / (2 * s**2)).sum(1),
        torch.zeros(4000, 5),
        steps=200,
        step_size=eta,
        noise=nu,
        generator=streams,
    )
    expected = nu**2 / (1 - (1 - eta / (2 * s**2)) ** 2)
    assert x.var().item() == pytest.approx(expected, rel=0.02)


def test_without_noise_a_chain_runs_to_the_minimum_within_bounds():
    m = torch.tensor([0.3, 2.0])
    x = langevin(
        lambda x: (x - m).square().sum(1), torch.zeros(1, 2), steps=200, step_size=0.1, noise=0.0, bounds=(-1, 1)
    )
    torch.testing.assert_close(x, torch.tensor([[0.3, 1.0]]))


def test_a_frame_is_put_on_and_taken_off():
    x = torch.randn(2, 3, 6, 7)
    assert framed(x, 4).shape == (2, 3, 14, 15)
    assert framed(x, 4)[..., 0, :].abs().sum() == 0
    assert torch.equal(unframed(framed(x, 4), 4), x)


def test_a_sample_is_a_function_of_its_noise_alone(ready):
    four = ready.sample(4, generator=Streams(5, 4))
    again = ready.sample(4, generator=Streams(5, 4))
    assert torch.equal(four, again)
    for i in range(4):
        torch.testing.assert_close(ready.sample(1, generator=Streams(5, [i])), four[i : i + 1], atol=1e-5, rtol=0)
    assert not torch.equal(four, ready.sample(4, generator=Streams(6, 4)))
    assert not torch.equal(four, ready.sample(4, generator=Streams(5, 4), noise=0.05))
    assert four.shape == (4, 3, *SIZE)
    assert four.abs().max() <= 1


@pytest.mark.parametrize("size", [(12, 15), (25, 31), (72, 30), (24, 90), (37, 23)])
def test_samples_have_any_size(ready, size):
    assert ready.sample(1, size=size).shape == (1, 3, *size)


def test_using_a_model_changes_nothing_of_it(ready):
    before = {name: value.clone() for name, value in ready.state_dict().items()}
    ready.train()
    ready.sample(2)
    ready.recover()
    ready.super_resolve(factor=1.5)
    assert ready.energies[0].training
    ready.eval()
    assert all(torch.equal(value, before[name]) for name, value in ready.state_dict().items())
    assert all(parameter.grad is None for parameter in ready.parameters())


def test_starting_from_the_image_keeps_its_layout(ready):
    top = ready.scales - 1
    near = ready.sample(2, start_scale=top, inject_noise=0.02, steps=1)
    assert (near - ready.pyramid[-1]).square().mean() < (ready.sample(2) - ready.pyramid[-1]).square().mean()
    assert not torch.equal(near[0], near[1])
    same = ready.sample(2, start_scale=top, inject_noise=0.0)
    assert torch.equal(same[0], same[1])


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"size": (4, 30)}, ConfigError, "too small for this model; the smallest it makes is 10 x 1"),
        ({"size": (0, 30)}, ConfigError, "height is 0"),
        ({"start_scale": 9}, ConfigError, "Scale 9 cannot be started at; this model takes 0"),
        ({"start_scale": -1}, ConfigError, "Scale -1 cannot"),
        ({"steps": 0}, ConfigError, "steps is 0"),
    ],
)
def test_samples_that_cannot_be_are_refused(ready, options, error, said):
    with pytest.raises(error, match=said):
        ready.sample(1, **options)


# --- training --------------------------------------------------------------------------------------------------------


def stripes():
    columns = torch.arange(24) * 2 * math.pi / 6
    return (0.7 * columns.sin()).expand(1, 24, 24)


def share_of_power(x, period):
    """The share of the horizontal spectral power within one bin of a period."""
    power = torch.fft.rfft(x - x.mean((2, 3), keepdim=True), dim=-1).abs().square().sum((1, 2))
    peak = round(x.shape[-1] / period)
    return (power[:, peak - 1 : peak + 2].sum(1) if x.shape[-1] > 24 else power[:, peak]) / power.sum(1)


@pytest.mark.slow
def test_stripes_are_learned():
    shares = []
    for seed in range(2):
        torch.manual_seed(seed)
        found = SingleImageEBM([PatchEnergy(1, (12, 12, 12))], [(24, 24)], chain=20, recovery_weight=0, finer_share=1)
        options = Options(batch_size=2, lr=2e-3, betas=(0.5, 0.999), decay="linear", clip=0, ema=0, seed=seed)
        fit(found, Picture(stripes()), 240, options, progress=False, device="cpu")
        x = found.sample(8, generator=Streams(3, 8))
        shares.append(share_of_power(x, 6).median())
        assert x.std() == pytest.approx(0.495, rel=0.3)
        assert share_of_power(found.sample(4, size=(24, 48), generator=Streams(4, 4)), 6).median() > 0.6
    assert sum(shares) / 2 > 0.5


def test_a_step_makes_data_more_probable_than_samples():
    found = model(recovery_weight=0)
    stage = next(iter(found.stages(50)))
    network = stage.players["coarsest"].train()
    (move,) = stage.moves(Batch(picture()[None], {}, Streams(0, 1), 0))
    move.loss.backward()
    torch.optim.SGD(network.parameters(), lr=1e-3).step()
    for parameter in network.parameters():
        parameter.grad = None
    (again,) = stage.moves(Batch(picture()[None], {}, Streams(0, 1), 1))  # the same start, and nearly the same end
    torch.testing.assert_close(move.loss, -move.logs["gap"])
    assert again.logs["gap"] > move.logs["gap"]


def test_the_mean_and_the_sum_over_the_map_train_alike():
    network = loud()
    x = torch.randn(2, 3, 20, 22).double()
    maps = network(x)
    of_mean = torch.autograd.grad(maps[0].mean() - maps[1].mean(), list(network.parameters()), retain_graph=True)
    of_sum = torch.autograd.grad(maps[0].sum() - maps[1].sum(), list(network.parameters()))
    for a, b in zip(of_mean[:-1], of_sum[:-1], strict=True):  # the last bias has no gradient at all
        torch.testing.assert_close(a * maps[0].numel(), b)


def test_lower_scales_stay_as_they_are(monkeypatch):
    found = model()
    seen = {}

    def look(moment):
        if moment.step == moment.steps:
            seen[moment.stage] = [{k: v.clone() for k, v in e.state_dict().items()} for e in found.energies]

    fit(found, Picture(picture()), 4, OPTIONS, hooks=[look], progress=False, device="cpu")
    names = [f"scale-{scale}" for scale in range(found.scales)]
    assert list(seen) == names
    for scale, name in enumerate(names[:-1]):
        for key, value in seen[names[-1]][scale].items():
            assert torch.equal(value, seen[name][scale][key])
    assert found.finished == found.scales


def test_a_finer_scale_begins_with_the_weights_of_the_one_below():
    found = trained(steps=3)
    stages = list(found.stages(3))
    assert [stage.name for stage in stages] == [f"scale-{scale}" for scale in range(found.scales)]
    assert [list(stage.players) for stage in stages][:2] == [["coarsest"], ["finer"]]
    for name, value in found.energies[0].state_dict().items():
        assert torch.equal(value, found.energies[1].state_dict()[name])
    assert next(stage.steps for stage in found.stages({f"scale-{s}": s + 1 for s in range(found.scales)})) == 1


def test_the_recovery_does_not_feel_the_noise_beside_it():
    ends = []
    for noise in (0.0, 0.3):
        found = model(noise=noise)
        found.learn(picture())
        starts = Starts(3, 7)
        from unveil.models.single_image_ebm.training import _walked

        ends.append(_walked(found.eval(), 0, 100, starts, Batch(picture()[None], {}, Streams(0, 1), 0)))
    torch.testing.assert_close(ends[0].recovered, ends[1].recovered, atol=1e-6, rtol=0)
    assert not torch.allclose(ends[0].fake, ends[1].fake, atol=1e-3)


def test_the_recovery_is_what_it_trains(ready):
    found = trained(steps=3)
    starts = Starts(3, 0)
    for scale in range(found.scales):
        bank, start = starts.at(found, scale)
        assert bank.shape == (3, 3, *found.sizes[scale])
        end = found.run(start, scale)
    torch.testing.assert_close(found.recover(0), end)


def test_a_bank_is_a_function_of_its_seed():
    found = trained(steps=3)
    step_by_step = Starts(3, 11)
    for scale in range(found.scales):
        at_last = step_by_step.at(found, scale)
    at_once = Starts(3, 11).at(found, found.scales - 1)
    assert all(torch.equal(a, b) for a, b in zip(at_last, at_once, strict=True))
    assert not torch.equal(at_once[0], Starts(3, 12).at(found, found.scales - 1)[0])


@pytest.mark.parametrize("stop_at", [3, 6, 8])
def test_a_training_that_was_stopped_ends_with_the_same_weights(stop_at, tmp_path):
    from unveil.training.interrupt import Interrupted

    options = Options(**{**OPTIONS.__dict__, "save_every": 2, "lr": 1e-3})
    whole = trained(options=options)
    run, taken = RunFolder.create(tmp_path / "run", "recipe"), 0

    def stop(moment):
        nonlocal taken
        taken += 1
        if taken == stop_at:
            raise KeyboardInterrupt

    found = model()
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        fit(found, Picture(picture()), 6, options, run=run, hooks=[stop], progress=False, device="cpu")
    resumed = model(seed=99)
    fit(resumed, Picture(picture()), 6, options, run=run, progress=False, device="cpu")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_model_can_be_used_after_any_scale():
    found = model()
    with pytest.raises(RunError, match=f"No scale of this model is trained yet, of {found.scales}"):
        found.sample(1)
    stages = iter(found.stages(2))
    for scale in range(2):
        stage = next(stages)
        for step in range(stage.steps):
            list(stage.moves(Batch(picture()[None], {}, Streams(step, 1), step)))
        assert found.finished == scale + 1
        stopped = model()
        stopped.load_state_dict(found.state_dict())
        assert stopped.sample(2).shape == (2, 3, *found.sizes[scale])
        assert stopped.sample(1, size=(20, 40)).shape == (1, 3, 20, 40)
    with pytest.raises(ConfigError, match=rf"\(2 of its {found.scales} scales are trained\)"):
        stopped.recover(2)


def test_the_coarsest_scale_alone_enlarges_what_it_has_learned():
    found = SingleImageEBM([PatchEnergy(3, (4,)) for _ in range(3)], [(12, 15), (30, 38), (60, 75)])
    found.learn(torch.rand(3, 60, 75, generator=torch.Generator().manual_seed(0)))
    found.trained.fill_(1)
    assert found.super_resolve(factor=2.0).shape == (1, 3, 24, 30)


def test_networks_for_fine_scales_may_be_others():
    sizes = scale_sizes(*SIZE, min_size=12)
    found = SingleImageEBM(
        [PatchEnergy(1, (4 + s, 4)) for s in range(len(sizes))], sizes, chain=2, finer_chain=2, bank=2
    )
    fit(found, Picture(picture(1)), 2, OPTIONS, progress=False, device="cpu")
    assert found.sample(1).shape == (1, 1, *SIZE)


@pytest.mark.parametrize("batch", [1, 3])
def test_large_scales_are_trained_on_windows(batch):
    options = Options(**{**OPTIONS.__dict__, "batch_size": batch})
    found = trained(train_crop=14, steps=4, options=options)
    assert found.finished == found.scales
    assert bool(found.sample(1).isfinite().all())


def test_the_frame_of_a_window_is_real_pixels_that_stay():
    from unveil.models.single_image_ebm.training import _cropped

    found = model(train_crop=14)
    canvas = torch.randn(2, 3, 24 + 6, 30 + 6)
    for seed in range(5):
        streams = Streams(seed, 1)
        window, places, project = _cropped(found, canvas, torch.ones(1, 1, 24, 30), 3, streams)
        assert window.shape[-2:] == (20, 20)
        assert places.shape == (1, 1, 14, 14)
        moved = project(window)(window + 1)
        kept = moved == window
        assert not bool(kept[..., 3:-3, 3:-3].any())
        assert bool(kept.any())
    small = model(train_crop=60)
    assert _cropped(small, canvas, None, 3, Streams(0, 1))[0] is canvas


# --- holes -----------------------------------------------------------------------------------------------------------


def hole():
    mask = torch.zeros(1, *SIZE)
    mask[:, 8:14, 10:18] = 1
    return mask


def test_what_a_hole_shows_is_not_learned():
    found = []
    for content in (0.0, 0.9, float("nan")):
        x = torch.where(hole().bool(), torch.full_like(picture(), content), picture())
        given = model()
        fit(given, Picture(x, hole()), 3, OPTIONS, progress=False, device="cpu")
        found.append(given.state_dict())
    for other in found[1:]:
        assert all(torch.equal(value, other[name]) for name, value in found[0].items())
    assert given.has_hole


def test_positions_that_see_the_hole_do_not_count():
    known = torch.ones(1, 1, 20, 24)
    known[..., 9:11, 9:12] = 0
    places = map_places(known, 3)
    assert places.sum() == 20 * 24 - (2 + 6) * (3 + 6)
    everywhere = torch.ones(1, 1, 8, 8)
    everywhere[..., 4, 4] = 0
    assert torch.equal(map_places(everywhere, 5), everywhere)  # no patch is free of it


def test_known_pixels_stay_at_every_scale(ready, monkeypatch):
    image, mask = picture()[None], hole()[None]
    states = []
    run = SingleImageEBM.run

    def watched(self, x, scale, **options):
        end = run(self, x, scale, **options)
        value, known = options["known"]
        states.append(bool((end == value).expand_as(end)[known.bool().expand_as(end)].all()))
        return end

    monkeypatch.setattr(SingleImageEBM, "run", watched)
    known = (1 - mask).bool().expand_as(image)
    filled = ready.inpaint(image, mask, generator=Streams(0, 1))
    assert states == [True] * ready.scales
    assert torch.equal(filled[known], image[known])
    other = ready.inpaint(torch.where(known, image, torch.tensor(0.77)), mask, generator=Streams(0, 1))
    assert torch.equal(filled, other)
    assert ready.inpaint(image, mask, n=3, start_scale=1).shape == (3, 3, *SIZE)
    larger = resize(image, (48, 60)).clamp(-1, 1)
    big = functional.interpolate(mask, scale_factor=2)
    assert torch.equal(ready.inpaint(larger, big)[:, :, :10], larger[:, :, :10])


# --- what it makes of pictures ---------------------------------------------------------------------------------------


def test_pictures_are_injected_at_any_scale(ready):
    drawing = torch.rand(2, 3, 50, 70) * 2 - 1
    every = ready.inject(drawing, "all")
    assert len(every) == ready.scales - 1
    for scale, x in enumerate(every, start=1):
        torch.testing.assert_close(x, ready.inject(drawing, scale))
        assert x.shape == (2, 3, *SIZE)
    assert ready.inject(drawing, 1, size=(30, 44)).shape == (2, 3, 30, 44)
    assert ready.inject(drawing, 0).shape == (2, 3, *SIZE)


def test_blending_leaves_what_lies_outside_bit_by_bit(ready):
    x = picture()[None]
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., 5:10, 5:10] = 1
    mask[..., 10:12, 5:10] = 0.5
    out = ready.inject(x, 1, mask=mask)
    free = ready.inject(x, 1)
    outside = (mask == 0).expand_as(x)
    assert torch.equal(out[outside], x[outside])
    torch.testing.assert_close(out[..., 5:10, 5:10], free[..., 5:10, 5:10])
    torch.testing.assert_close(out[..., 10:12, 5:10], (free + x)[..., 10:12, 5:10] / 2)


@pytest.mark.parametrize("factor", [1.5, 2.0, 2.37])
def test_enlarged_pictures_have_exactly_the_size(ready, factor):
    x = ready.super_resolve(factor=factor, steps=1)
    assert x.shape[-2:] == (round(24 * factor), round(30 * factor))
    assert bool(x.isfinite().all())
    assert x.abs().max() <= 1


def test_a_factor_of_four_takes_six_steps_of_a_cube_root():
    sizes = growing_sizes((16, 21), 4.0, 2 ** (-1 / 3))
    assert len(sizes) == 6
    assert sizes[-1] == (64, 84)
    assert sizes[0] == (round(16 * 2 ** (1 / 3)), round(21 * 2 ** (1 / 3)))


def test_enlarged_pictures_agree_with_the_small_one(ready):
    x = ready.pyramid[-1]
    error = [
        (resize(ready.super_resolve(factor=2, back_project=back, steps=2), SIZE) - x).square().mean()
        for back in (True, False)
    ]
    assert error[0] < error[1]


def test_frames_move_smoothly_around_the_image(ready):
    frames = ready.animate(6, strength=0.05, generator=Streams(0, 1))
    assert frames.shape == (6, 3, *SIZE)
    still = ready.animate(3, strength=0.0)
    assert torch.equal(still[0], still[2])
    torch.testing.assert_close(still[:1], ready.recover(0), atol=1e-5, rtol=0)
    assert ready.animate(2, start_scale=1, size=(30, 30)).shape == (2, 3, 30, 30)
    from unveil.models.single_image_ebm.animation import recovery_field

    field = recovery_field(200, (6, 6), generator=Streams(0, 1))
    assert field.std().item() == pytest.approx(1, abs=1e-3)
    assert (field[1:] - field[:-1]).std() < 0.5 * field.std()


@pytest.mark.parametrize(
    ("use", "error", "said"),
    [
        (lambda m: m.inject(torch.full((1, 3, 20, 20), torch.nan), 1), DataError, "not finite"),
        (lambda m: m.super_resolve(torch.full((1, 3, 24, 30), torch.nan)), DataError, "not finite"),
        (
            lambda m: m.inpaint(torch.full((1, 3, 24, 30), torch.nan), torch.zeros(1, 1, 24, 30)),
            DataError,
            "not finite",
        ),
        (lambda m: m.inject(torch.zeros(1, 3, 20, 20), 1, inject_noise=torch.nan), ConfigError, "inject_noise is nan"),
        (lambda m: m.animate(2, strength=-1.0), ConfigError, "strength is -1"),
        (lambda m: m.sample(1, size=(24,)), ConfigError, "A size is"),
        (lambda m: m.inject(torch.zeros(1, 1, 9, 9), 1), ShapeError, r"takes pictures \(B, 3, H, W\)"),
        (lambda m: m.inject(torch.zeros(1, 3, 9, 9), 7), ConfigError, "this model takes 0"),
        (
            lambda m: m.inject(torch.zeros(1, 3, 20, 20), 1, mask=torch.zeros(1, 1, 9, 9)),
            ShapeError,
            "The mask has shape",
        ),
        (lambda m: m.super_resolve(factor=1.0), ConfigError, "it must be above 1"),
        (lambda m: m.super_resolve(torch.zeros(1, 3, 20, 90)), ConfigError, "train a model on it"),
        (lambda m: m.super_resolve(torch.zeros(1, 3, 240, 300)), ConfigError, "it enlarges its own"),
        (lambda m: m.super_resolve(net_index=9), ConfigError, "names no trained energy"),
        (lambda m: m.inpaint(torch.zeros(1, 3, 20, 20), torch.zeros(1, 1, 9, 9)), ShapeError, "a mask"),
        (lambda m: m.animate(0), ConfigError, "frames is 0"),
        (lambda m: m.animate(2, pull=1.0), ConfigError, "between 0 and 1"),
    ],
)
def test_uses_that_cannot_be_are_refused(ready, use, error, said):
    with pytest.raises(error, match=said):
        use(ready)


# --- what it is of ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["blur", "mask", "noise", "colours"])
def test_every_corruption_spoils_in_the_same_way_each_time(kind):
    x = picture()[None]
    assert torch.equal(corrupted(x, kind), corrupted(x, kind))
    assert 0.01 < (corrupted(x, kind) - x).square().mean().sqrt() < 1
    assert corrupted(x, kind).abs().max() <= 1
    found = trained(steps=2, corruption=kind)
    assert found.finished == found.scales


@pytest.mark.parametrize(
    ("image", "hole", "error", "said"),
    [
        (torch.zeros(3, 24, 30), None, DataError, "one colour everywhere"),
        (torch.tensor([0.5, -0.2, 0.1]).view(3, 1, 1).expand(3, 24, 30), None, DataError, "one colour everywhere"),
        (torch.full((3, 24, 30), float("nan")), None, DataError, "not finite"),
        (torch.randn(3, 24, 30) * 9, None, DataError, "leave"),
        (torch.zeros(3, 9, 30), None, ShapeError, "of an image of shape"),
        (torch.rand(3, 24, 30), torch.zeros(1, 9, 9), ShapeError, "The hole has shape"),
    ],
)
def test_images_that_cannot_be_learned_are_refused(image, hole, error, said):
    with pytest.raises(error, match=said):
        model().learn(image, hole)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chain": 0}, "chain is 0"),
        ({"step_size": 0}, "must be above 0"),
        ({"noise": -1}, "noise is -1"),
        ({"corruption": "rain"}, "take blur"),
        ({"train_crop": 3}, "train_crop is 3"),
        ({"finer_share": 0}, "must be above 0"),
    ],
)
def test_models_that_cannot_be_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        model(**options)


def test_scales_and_energies_belong_together():
    with pytest.raises(ShapeError, match="give one a scale"):
        SingleImageEBM([PatchEnergy(3, (4,))], [(12, 12), (16, 16)])
    with pytest.raises(ShapeError, match="rise from the coarsest"):
        SingleImageEBM([PatchEnergy(3, (4,))] * 2, [(16, 16), (12, 12)])


# --- the guard -------------------------------------------------------------------------------------------------------


def test_the_guard_knows_a_network_that_runs_away():
    network, guard = PatchEnergy(1, (3,)), Guard(99)
    guard.begin(network)
    assert not any(guard.has_diverged(0.2, 0.3, 1.1, 1.0) for _ in range(100))
    kept = [p.clone() for p in network.parameters()]
    guard.before(25, network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    found = [guard.has_diverged(3.0, 4.0, 1.1, 1.0) for _ in range(PATIENCE)]
    assert found == [False] * (PATIENCE - 1) + [True]
    assert guard.restore(network)
    assert all(torch.equal(a, b) for a, b in zip(kept, network.parameters(), strict=True))
    assert guard.rate == 0.5
    assert [guard.restore(network) for _ in range(3)] == [True, True, False]
    assert guard.has_diverged(float("nan"), 1.0, 1.0, 1.0)


def test_wide_noise_on_a_pale_image_is_no_divergence():
    guard = Guard(99)
    guard.begin(PatchEnergy(1, (3,)))
    assert not any(guard.has_diverged(0.01, 0.01, 3.0, 1.0) for _ in range(60))
    assert any(guard.has_diverged(0.01, 0.01, 3.0, 1.5) for _ in range(60))


def test_slow_growth_from_nothing_is_no_divergence():
    guard = Guard(99)
    guard.begin(PatchEnergy(1, (3,)))
    slopes = [1e-4 * 1.2**k for k in range(40)]
    assert not any(guard.has_diverged(slope, slope * 1.5, 1.0, 1.0) for slope in slopes)


def steep(lr, **options):
    """Two scales of tiny energies that nothing holds back, and how to train them far too fast."""
    torch.manual_seed(0)
    sizes = [(12, 15), (16, 20)]
    networks = [PatchEnergy(1, (4, 4), spectral_norm=False) for _ in sizes]
    found = SingleImageEBM(networks, sizes, step_size=5.0, bank=2, **options)
    return found, Picture(0.5 * picture(1, (16, 20))), Options(batch_size=1, lr=lr, betas=(0.5, 0.999), clip=0, ema=0)


def test_a_training_that_diverges_goes_back_and_on():
    shares = []
    found, data, options = steep(0.2, chain=10)
    fit(found, data, {"scale-0": 60, "scale-1": 1}, options, hooks=[lambda _: shares.append(found.guard.rate)],
        progress=False, device="cpu")  # fmt: skip
    assert min(shares[:60]) <= 0.5
    assert shares[-1] == 1  # the next scale begins at the full rate
    assert all(bool(parameter.isfinite().all()) for parameter in found.parameters())


def test_a_training_that_diverges_again_and_again_stops_with_finite_weights():
    found, data, options = steep(1e-6, chain=10)
    with torch.no_grad():
        for parameter in found.energies[0].parameters():
            parameter.normal_(std=2.0)
    before = [parameter.clone() for parameter in found.energies[0].parameters()]
    with pytest.raises(DivergenceError, match=r"diverged again and again.*A lower learning rate"):
        fit(found, data, 200, options, progress=False, device="cpu")
    assert int(found.guard.counts[2]) == 4
    after = list(found.energies[0].parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_an_energy_that_is_not_finite_is_seen_at_once():
    found, data, options = steep(1e-6)
    with torch.no_grad():
        found.energies[0].layers[0].bias.fill_(float("nan"))
    with pytest.raises(DivergenceError, match=r"step 1 of 50.*gradient of the energy stopped being finite"):
        fit(found, data, 50, options, progress=False, device="cpu")


def test_a_scale_that_has_learned_nothing_stops_the_training(monkeypatch):
    monkeypatch.setattr("unveil.models.single_image_ebm.training.LOST", 1e-9)
    with pytest.raises(DivergenceError, match="has not learned to find back"):
        trained(steps=2)


@pytest.mark.parametrize(("factor", "clean"), [(3.0, True), (0.0, False)])
def test_every_second_recovery_of_a_finer_scale_starts_from_the_scale_below(factor, clean):
    from unveil.models.single_image_ebm.training import _walked

    found, starts = trained(clean_factor=factor), Starts(3, 0)
    below = resize(found.pyramid[0], found.sizes[1]).clamp(-1, 1)
    for step, start in ((0, starts.at(found, 1)[1]), (1, below if clean else starts.at(found, 1)[1])):
        batch = Batch(picture()[None], {}, Streams(0, 1), step)
        recovered = unframed(_walked(found.eval(), 1, 100, starts, batch).recovered, found.energies[1].border)
        torch.testing.assert_close(recovered, found.run(start, 1), atol=1e-5, rtol=0)
