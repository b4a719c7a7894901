"""What a diffusion draws, encodes and is told while it does."""

import pytest
import torch
from diffusion_models import LINEAR, SHAPE, VP, Perfect, Plausible, Seasoned, Small, gaussian_data

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.random import Streams
from unveil.covariance import Identity, free_field
from unveil.models.diffusion import SAMPLERS, Diffusion
from unveil.schedules import Discrete


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("cov", [Identity(), free_field(4, 6)], ids=["white", "free field"])
def test_samples_do_not_depend_on_their_batch(name, cov):
    torch.manual_seed(0)
    model = Diffusion(Plausible(), LINEAR, SHAPE, cov)
    whole = model.sample(64, steps=8, sampler=name, generator=Streams(11, 64))
    for size in (1, 7):
        rows = [range(i, min(i + size, 64)) for i in range(0, 64, size)][:12]
        parts = torch.cat([model.sample(len(r), steps=8, sampler=name, generator=Streams(11, r)) for r in rows])
        torch.testing.assert_close(parts, whole[: len(parts)], rtol=0, atol=1e-5)


def test_all_steps_are_the_full_chain():
    torch.manual_seed(0)
    model = Diffusion(Small(), Discrete.linear(50), SHAPE)
    drawn = [
        model.sample(2, steps=50, sampler="ancestral", spacing=s, generator=Streams(0, 2))
        for s in ("trailing", "leading")
    ]
    assert torch.equal(*drawn)


def test_partial_noising_starts_from_the_image():
    torch.manual_seed(0)
    model = Diffusion(Perfect(gaussian_data(), "eps", Identity()), LINEAR, SHAPE)
    image = torch.rand(2, *SHAPE) - 0.5
    seen = []
    near = model.sample(
        2, image=image, start=0.02, steps=2, generator=Streams(0, 2), watch=lambda k, n, x: seen.append(n)
    )
    assert seen == [2, 2]
    assert float((near - image).abs().mean()) < 0.2
    with pytest.raises(ConfigError, match="image is needed"):
        model.sample(2, start=0.5)


def test_latents_decode_to_what_was_encoded():
    cov = free_field(4, 6)
    data = gaussian_data(VP, cov)
    model = Diffusion(Perfect(data, "eps", cov), VP, SHAPE, cov)
    x = torch.rand(2, *SHAPE, dtype=torch.float64) - 0.5
    found = model.log_likelihood(x, trace="exact")
    assert found.nats.shape == (2,)
    assert float(model.encode(x, steps=100).std()) == pytest.approx(1, abs=0.5)


def test_latents_are_decoded_to_what_was_encoded():
    model = Diffusion(Perfect(gaussian_data(VP), "eps", Identity()), VP, SHAPE)
    x = torch.rand(3, *SHAPE, dtype=torch.float64) - 0.5
    latent = model.encode(x, steps=300)
    back = model.sample(3, latent=latent, sampler="heun", steps=300, clip=False)
    torch.testing.assert_close(back, x, rtol=0, atol=2e-3)
    with pytest.raises(ShapeError, match="latent holds 3"):
        model.sample(2, latent=latent)


def test_guidance_and_labels():
    torch.manual_seed(0)
    model = Diffusion(Small(classes=3), LINEAR, SHAPE, classes=3, label_dropout=0.1)
    label = torch.tensor([0, 2])

    def draw(**o):
        return model.sample(2, steps=5, generator=Streams(0, 2), **o)

    assert torch.equal(draw(), draw(label=torch.tensor([3, 3])))  # the label beyond the last says "none"
    assert not torch.equal(draw(label=label), draw())
    t, x_t = torch.tensor(0.5, dtype=torch.float64), torch.randn(2, *SHAPE)
    free, told = model.denoise(x_t, t), model.denoise(x_t, t, label)
    torch.testing.assert_close(model.denoiser(label, 2.5)(x_t, t), free + 2.5 * (told - free))
    with pytest.raises(ConfigError, match="Labels are 2 whole numbers from 0 to 2"):
        draw(label=torch.tensor([0, 9]))
    with pytest.raises(ConfigError, match="without classes"):
        Diffusion(Small(), LINEAR, SHAPE).sample(1, label=torch.tensor([0]))
    with pytest.raises(ConfigError, match="label_dropout"):
        Diffusion(Small(classes=3), LINEAR, SHAPE, classes=3).sample(2, label=label, guidance=2.0)


def test_sampling_leaves_the_mode_as_it_was():
    model = Diffusion(Small(), LINEAR, SHAPE).train()
    model.sample(1, steps=2)
    assert model.training


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_labels_reach_every_sampler_and_the_likelihood(name, guidance):
    torch.manual_seed(0)
    model = Diffusion(Small(classes=3), LINEAR, SHAPE, classes=3, label_dropout=0.1)
    label = torch.tensor([0, 2, 1, 0, 2])
    options = {"steps": 4, "sampler": name, "guidance": guidance}
    whole = model.sample(5, label=label, generator=Streams(0, 5), **options)
    part = model.sample(2, label=label[2:4], generator=Streams(0, [2, 3]), **options)
    torch.testing.assert_close(part, whole[2:4], rtol=0, atol=1e-4)
    swapped = model.sample(2, label=label[2:4].flip(0), generator=Streams(0, [2, 3]), **options)
    assert not torch.allclose(swapped, part, atol=1e-4)
    if name == "rk45" and guidance == 1.0:
        found = model.log_likelihood(whole, label=label, generator=Streams(0, 5), rtol=1e-3, atol=1e-3)
        assert bool(found.nats.isfinite().all())


def test_a_real_network_draws_the_same_sample_in_any_batch():
    torch.manual_seed(2)
    model = Diffusion(Seasoned(), LINEAR, (1, 8, 8), free_field(8, 8))
    for name in SAMPLERS:
        options = {"sampler": name, "steps": 8, **({"rtol": 1e-3, "atol": 1e-3} if name == "rk45" else {})}
        whole = model.sample(9, generator=Streams(11, 9), **options)
        for rows in ([0], [4], [1, 2, 3, 4, 5, 6, 7]):
            part = model.sample(len(rows), generator=Streams(11, rows), **options)
            torch.testing.assert_close(part, whole[rows], rtol=0, atol=1e-5, msg=lambda m, name=name: f"{name}: {m}")


def test_training_mode_outlasts_likelihood_and_encoding():
    model = Diffusion(Small(), LINEAR, SHAPE).train()
    model.encode(torch.zeros(1, *SHAPE), steps=2)
    model.log_likelihood(torch.zeros(1, *SHAPE), rtol=1e-2, atol=1e-2)
    assert model.training
    assert model.net.training
