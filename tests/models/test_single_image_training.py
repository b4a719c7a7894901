"""How the energy-based model of a single image learns, scale by scale."""

import math

import pytest
import torch
from single_image_models import OPTIONS, SIZE, Picture, lively, loud, model, picture, trained

from unveil.core.errors import ConfigError, RunError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.single_image_ebm import SingleImageEBM
from unveil.models.single_image_ebm.canvas import unframed
from unveil.models.single_image_ebm.memory import training_bytes, training_window
from unveil.models.single_image_ebm.starts import Starts
from unveil.models.single_image_ebm.tiles import pixel_bytes
from unveil.networks.patch_energy import PatchEnergy
from unveil.pyramids import resize, scale_sizes
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit


@pytest.fixture(scope="module")
def ready():
    return lively()


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
    moved = []
    for slopes in (of_mean, of_sum):
        copy = loud()
        for parameter, slope in zip(copy.parameters(), slopes, strict=True):
            parameter.grad = slope.clone()
        torch.optim.Adam(copy.parameters(), lr=1e-3).step()
        steps = zip(network.parameters(), copy.parameters(), strict=True)
        moved.append(torch.cat([(old - new).detach().flatten() for old, new in steps])[:-1])
    assert float((moved[0] - moved[1]).abs().max()) < 1e-3 * float(moved[1].abs().max())


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
    first = starts.at(found, 0)[1]
    torch.testing.assert_close(found.climb(first, 0, found.sizes), end)


def test_the_recovery_in_use_is_half_as_long_above_the_coarsest_scale(ready):
    x = ready.run(Starts(3, 0).at(ready, 0)[1], 0)
    for scale in range(1, ready.scales):
        x = ready.run(resize(x, ready.sizes[scale]).clamp(-1, 1), scale, steps=round(ready.finer_chain / 2))
    torch.testing.assert_close(ready.recover(0), x)


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


def test_a_model_that_is_trained_anew_is_finished_no_more():
    found = trained(steps=2)
    stage = next(iter(found.stages(2)))
    next(iter(stage.moves(Batch(picture()[None], {}, Streams(0, 1), 0))))
    assert found.finished == 0
    assert found.sample(1).shape[-2:] == found.sizes[0]  # what is trained is all that is used


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


def test_images_that_take_much_memory_are_trained_on_windows_without_being_asked():
    found = SingleImageEBM([PatchEnergy(3, (32, 32, 32, 32)) for _ in range(3)], [(60, 90), (400, 600), (1000, 1500)])
    assert [training_window(found, scale) for scale in range(3)] == [None, None, 128]
    assert training_window(found, 1, batch=20) == 128
    assert training_bytes(found, 2) == 3 * 1000 * 1500 * pixel_bytes(found.energies[2])
    (note,) = found.notes
    assert "1500 x 1000 pixels would take some 4.4 GB" in note
    assert "from scale 2 on windows of 128" in note
    found.train_crop = 500
    assert [training_window(found, scale) for scale in range(3)] == [None, 500, 500]
    assert found.notes == []
    assert trained(steps=1).notes == []


def test_the_frame_of_a_window_is_real_pixels_that_stay():
    from unveil.models.single_image_ebm.training import _cropped

    found = model(train_crop=14)
    canvas = torch.randn(2, 3, 24 + 6, 30 + 6)
    for seed in range(5):
        streams = Streams(seed, 1)
        window, places, project = _cropped(training_window(found, -1), canvas, torch.ones(1, 1, 24, 30), 3, streams)
        assert window.shape[-2:] == (20, 20)
        assert places.shape == (1, 1, 14, 14)
        moved = project(window)(window + 1)
        kept = moved == window
        assert not bool(kept[..., 3:-3, 3:-3].any())
        assert bool(kept.any())
    small = model(train_crop=60)
    assert _cropped(training_window(small, -1), canvas, None, 3, Streams(0, 1))[0] is canvas


@pytest.mark.parametrize(("factor", "clean"), [(3.0, True), (0.0, False)])
def test_every_second_recovery_of_a_finer_scale_starts_from_the_scale_below(factor, clean):
    from unveil.models.single_image_ebm.training import _walked

    found, starts = trained(clean_factor=factor), Starts(3, 0)
    below = resize(found.pyramid[0], found.sizes[1]).clamp(-1, 1)
    for step, start in ((0, starts.at(found, 1)[1]), (1, below if clean else starts.at(found, 1)[1])):
        batch = Batch(picture()[None], {}, Streams(0, 1), step)
        recovered = unframed(_walked(found.eval(), 1, 100, starts, batch).recovered, found.energies[1].border)
        torch.testing.assert_close(recovered, found.run(start, 1), atol=1e-5, rtol=0)
