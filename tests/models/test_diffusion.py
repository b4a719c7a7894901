import math
from itertools import pairwise

import pytest
import torch
from analytic import Gaussian, White
from torch import nn

from unveil.core.errors import ConfigError, DataError, DivergenceError, RunError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.covariance import Dense, Diagonal, Identity, free_field
from unveil.models.diffusion import SAMPLERS, Diffusion
from unveil.models.diffusion.loss import min_snr_weight
from unveil.networks.unet import UNet
from unveil.schedules import Discrete, GeometricVE, LinearVP

LINEAR, VP, VE = Discrete.linear(), LinearVP(), GeometricVE(0.01, 10, 50)
SHAPE = (1, 4, 6)
GRADED = torch.linspace(0.5, 1.5, 24).reshape(4, 6)


class Zero(nn.Module):
    def forward(self, x, t, label=None):
        return torch.zeros_like(x)


class Small(nn.Module):
    """Two convolutions that are told the time and the label."""

    def __init__(self, channels=1, width=16, classes=None):
        super().__init__()
        self.into, self.out = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, channels, 3, padding=1)
        self.time = nn.Linear(1, width)
        self.label = nn.Embedding(classes + 1, width) if classes else None

    def forward(self, x, t, label=None):
        known = self.time(t[:, None])
        if self.label is not None:
            label = torch.full((len(x),), self.label.num_embeddings - 1) if label is None else label
            known = known + self.label(label)
        return self.out(torch.nn.functional.silu(self.into(x) + known[:, :, None, None]))


class Plausible(Small):
    """Nearly the best prediction for data of variance one, as a trained network's would be."""

    def forward(self, x, t, label=None):
        sigma = LINEAR(t)[1].reshape(-1, 1, 1, 1)
        return sigma * x + 0.1 * torch.tanh(super().forward(x, t, label))


class Perfect(nn.Module):
    """The best prediction for Gaussian data, made from its denoiser."""

    def __init__(self, data, predict, cov):
        super().__init__()
        self.denoise, self.predict, self.cov, self.schedule = data.denoiser(), predict, cov, data.schedule

    def forward(self, x_t, t, label=None):
        x_hat = self.denoise(x_t, t)
        alpha, sigma = (c.reshape(-1, 1, 1, 1) for c in self.schedule(t.double()))
        n_hat = (x_t - alpha * x_hat) / sigma
        return {"eps": self.cov.inv_sqrt(n_hat), "n": n_hat, "x": x_hat, "v": alpha * n_hat - sigma * x_hat}[
            self.predict
        ]


def gaussian_data(schedule=LINEAR, cov=Identity()):  # noqa: B008
    g = torch.Generator().manual_seed(0)
    a = torch.randn(24, 24, generator=g, dtype=torch.float64) / 5
    mean = torch.randn(SHAPE, generator=g, dtype=torch.float64) / 3
    return Gaussian(mean, a @ a.T + 0.05 * torch.eye(24, dtype=torch.float64), schedule, cov)


def cholesky():
    g = torch.Generator().manual_seed(2)
    a = torch.randn(24, 24, generator=g, dtype=torch.float64) / 5
    return Dense(a @ a.T + 0.3 * torch.eye(24, dtype=torch.float64), root="cholesky")


COVARIANCES = {"white": Identity(), "free field": free_field(4, 6), "cholesky": cholesky()}


@pytest.mark.parametrize("predict", ["eps", "n", "x", "v"])
@pytest.mark.parametrize("colour", COVARIANCES)
def test_every_prediction_becomes_the_same_estimates(predict, colour):
    cov = COVARIANCES[colour]
    data = gaussian_data(cov=cov)
    model = Diffusion(Perfect(data, predict, cov), LINEAR, SHAPE, cov, predict=predict)
    x_t = torch.randn(5, *SHAPE, dtype=torch.float64)
    for t in (torch.tensor(0.4, dtype=torch.float64), torch.rand(5, dtype=torch.float64) * 0.9 + 0.05):
        alpha, sigma = (c.reshape(-1, 1, 1, 1) for c in LINEAR(t))
        x_hat = data.denoiser()(x_t, t)
        torch.testing.assert_close(model.denoise(x_t, t), x_hat, rtol=1e-10, atol=1e-10)
        out = model.net(x_t, t.expand(5))
        found_x, found_eps = model.convert(out, x_t, t.expand(5))
        torch.testing.assert_close(found_x, x_hat, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(found_eps, cov.inv_sqrt((x_t - alpha * x_hat) / sigma), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("colour", COVARIANCES)
@pytest.mark.parametrize("schedule", [LINEAR, VE], ids=["vp", "ve"])
def test_the_score_is_the_gradient_of_the_log_density(colour, schedule):
    """-R^-T e / sigma, not -R^-1 e / sigma, which differs where R is not symmetric."""
    cov = COVARIANCES[colour]
    data = gaussian_data(schedule, cov)
    model = Diffusion(Perfect(data, "eps", cov), schedule, SHAPE, cov)
    t = torch.tensor(0.5, dtype=torch.float64)
    alpha, sigma = schedule(t)
    x_t = torch.randn(3, *SHAPE, dtype=torch.float64, requires_grad=True)
    total = alpha**2 * data.cov_data + sigma**2 * data.dense_noise()
    density = torch.distributions.MultivariateNormal(alpha * data.mean.flatten(), covariance_matrix=total)
    (gradient,) = torch.autograd.grad(density.log_prob(x_t.flatten(1)).sum(), x_t)
    torch.testing.assert_close(model.score(x_t.detach(), t), gradient, rtol=1e-7, atol=1e-7)


def test_posterior_of_dense_noise_matches_bayes():
    """The estimate of 5-pixel data under random dense noise against the matrix form of Bayes' rule."""
    g = torch.Generator().manual_seed(1)
    a, b = (torch.randn(5, 5, generator=g, dtype=torch.float64) for _ in range(2))
    cov = Dense(a @ a.T / 5 + 0.2 * torch.eye(5, dtype=torch.float64))
    c, mean = (
        b @ b.T / 5 + 0.1 * torch.eye(5, dtype=torch.float64),
        torch.randn(1, 1, 5, generator=g, dtype=torch.float64),
    )
    data = Gaussian(mean, c, LINEAR, cov)
    t = torch.tensor(0.3, dtype=torch.float64)
    alpha, sigma = LINEAR(t)
    x_t = torch.randn(4, 1, 1, 5, dtype=torch.float64)
    precision = torch.linalg.inv(c) + alpha**2 / sigma**2 * torch.linalg.inv(data.dense_noise())
    informed = (
        torch.linalg.solve(c, mean.flatten())
        + alpha / sigma**2 * torch.linalg.solve(data.dense_noise(), x_t.flatten(1).T).T
    )
    bayes = torch.linalg.solve(precision, informed.T).T
    model = Diffusion(Perfect(data, "eps", cov), LINEAR, (1, 1, 5), cov)
    torch.testing.assert_close(model.denoise(x_t, t).flatten(1), bayes, rtol=0, atol=1e-11)


def test_the_expected_denoised_sample_is_unbiased():
    data = White(0.7, 0.3, VP)
    t = torch.tensor(0.25, dtype=torch.float64)
    alpha, sigma = VP(t)
    x = 0.7 + 0.3**0.5 * torch.randn(400_000, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_t = alpha * x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert float(data.denoiser()(x_t, t).mean()) == pytest.approx(0.7, abs=3e-3)


@pytest.mark.parametrize(
    ("space", "expected", "tolerance"), [("white", 1.0, 0.02), ("score", 3.6227, 0.02), ("pixel", 1.0, 0.05)]
)
def test_loss_of_a_network_that_says_nothing(space, expected, tolerance):
    model = Diffusion(Zero(), LINEAR, (1, 32, 32), free_field(32, 32), space=space)
    loss = model.loss(torch.zeros(128, 1, 32, 32), Streams(0, 128))
    assert float(loss) == pytest.approx(expected, rel=tolerance)


def test_with_white_noise_the_three_spaces_are_one():
    x = torch.rand(8, *SHAPE) * 2 - 1
    torch.manual_seed(0)
    net = Small()
    losses = [Diffusion(net, LINEAR, SHAPE, space=s).loss(x, Streams(0, 8)) for s in ("white", "score", "pixel")]
    assert losses[0] == losses[1] == losses[2]


def test_min_snr_makes_parameterisations_equal():
    """For one and the same wrong estimate of the data, eps, x and v give the same weighted error."""
    t = torch.linspace(0.05, 0.95, 12, dtype=torch.float64)
    alpha, sigma = VP(t)
    wrong = torch.randn(12, dtype=torch.float64)  # error of the data's estimate
    errors = {"eps": -alpha / sigma * wrong, "n": -alpha / sigma * wrong, "x": wrong, "v": -wrong / sigma}
    weighted = {p: min_snr_weight(p, alpha, sigma, 5.0) * e**2 for p, e in errors.items()}
    for predict in ("n", "x", "v"):
        torch.testing.assert_close(weighted[predict], weighted["eps"])


def test_identity_covariance_is_the_isotropic_model_bit_for_bit():
    """Against the textbook form, written out here without any covariance, under one generator."""
    torch.manual_seed(0)
    net, x = Small(), torch.rand(4, *SHAPE) * 2 - 1
    model = Diffusion(net, LINEAR, SHAPE, Identity())
    streams = Streams(3, 4)
    t = (1 + (streams.rand((4,), torch.float64) * 1000).floor()) / 1000
    eps = streams.randn((4, *SHAPE))
    alpha, sigma = (c.float().reshape(-1, 1, 1, 1) for c in LINEAR(t))
    plain = (net(alpha * x + sigma * eps, t.float()) - eps).square().flatten(1).mean(1).mean()
    assert model.loss(x, Streams(3, 4)) == plain

    streams = Streams(9, 4)
    state = LINEAR(torch.ones((), dtype=torch.float64))[1] * streams.randn((4, *SHAPE))
    times = torch.arange(1000, -1, -50, dtype=torch.float64) / 1000
    with torch.no_grad():
        for t, u in pairwise(times):
            (a_t, s_t), (a_u, s_u) = LINEAR(t), LINEAR(u)
            x_hat = (state - s_t * net(state, torch.full((4,), float(t)))) / a_t
            if u == 0:
                state = x_hat
                break
            noise = (state - a_t * x_hat) / s_t
            tau = s_u * (1 - (a_t * s_u / (a_u * s_t)) ** 2).sqrt()
            state = a_u * x_hat + (s_u**2 - tau**2).sqrt() * noise + tau * streams.randn((4, *SHAPE))
    found = model.sample(4, steps=20, sampler="ancestral", generator=Streams(9, 4), clip=False)
    assert torch.equal(found, state)


def test_free_field_of_power_zero_is_the_isotropic_model_bit_for_bit():
    torch.manual_seed(0)
    net, x = Small(), torch.rand(4, *SHAPE)
    both = [Diffusion(net, LINEAR, SHAPE, cov) for cov in (Identity(), free_field(4, 6, 0.0))]
    assert both[0].loss(x, Streams(0, 4)) == both[1].loss(x, Streams(0, 4))
    for name in SAMPLERS:
        drawn = [m.sample(3, steps=10, sampler=name, generator=torch.Generator().manual_seed(0)) for m in both]
        assert torch.equal(*drawn), name


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


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"predict": "v", "min_snr": 5.0},
        {"predict": "x", "distance": "huber"},
        {"predict": "n", "space": "white"},
        {"stratified": True, "reduction": "half-sum", "distance": "l1"},
        {"classes": 3, "label_dropout": 0.2},
    ],
)
def test_a_few_steps_of_training_lower_the_loss(options):
    torch.manual_seed(0)
    x = torch.where(torch.arange(6) < 3, -0.8, 0.8).expand(8, *SHAPE).contiguous()
    label = torch.zeros(8, dtype=torch.int64)
    model = Diffusion(Small(classes=options.get("classes")), LINEAR, SHAPE, free_field(4, 6), **options)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    (stage,) = model.stages(60)

    def mean_loss():
        with torch.no_grad():
            losses = [
                next(iter(stage.moves(Batch(x, {"label": label}, Streams(10_000 + k, 8))))).loss for k in range(20)
            ]
        return float(torch.stack(losses).mean())

    before = mean_loss()
    for step in range(stage.steps):
        for move in stage.moves(Batch(x, {"label": label}, Streams(step, 8), step)):
            optimizer.zero_grad()
            move.loss.backward()
            optimizer.step()
    assert mean_loss() < 0.8 * before


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


def test_guidance_and_labels():
    torch.manual_seed(0)
    model = Diffusion(Small(classes=3), LINEAR, SHAPE, classes=3, label_dropout=0.1)
    label = torch.tensor([0, 2])
    draw = lambda **o: model.sample(2, steps=5, generator=Streams(0, 2), **o)
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


def test_input_scaling_and_conditioning():
    class Spy(nn.Module):
        def forward(self, x, t):
            self.seen = x, t
            return torch.zeros_like(x)

    spy = Spy()
    model = Diffusion(spy, VE, SHAPE, condition="log-sigma", sigma_data=0.5)
    t = torch.ones((), dtype=torch.float64)
    model.denoise(torch.ones(2, *SHAPE), t)
    x, told = spy.seen
    torch.testing.assert_close(x, torch.full_like(x, (0.25 + 100) ** -0.5))
    torch.testing.assert_close(told, torch.full((2,), math.log(10)))
    model = Diffusion(spy, LINEAR, SHAPE, first_index=0)
    model.denoise(torch.ones(2, *SHAPE), t)
    torch.testing.assert_close(spy.seen[1] * 1000, torch.full((2,), 999.0))


def test_the_harmonic_correction_scales_the_score():
    class One(nn.Module):
        def forward(self, x, t):
            return torch.ones_like(x)

    schedule = GeometricVE(0.01, 50, 232)
    plain = Diffusion(One(), schedule, SHAPE, condition="none")
    harmonic = Diffusion(One(), schedule, SHAPE, condition="none", harmonic=True)
    t, x = torch.tensor(0.5, dtype=torch.float64), torch.zeros(1, *SHAPE, dtype=torch.float64)
    ratio = harmonic.score(x, t) / plain.score(x, t)
    assert float(ratio.mean()) == pytest.approx(0.0840 / float(schedule(t)[1]), rel=2e-3)
    with pytest.raises(ConfigError, match="harmonic"):
        Diffusion(One(), VP, SHAPE, harmonic=True)


def test_weights_of_another_noise_are_refused():
    saved = Diffusion(Small(), LINEAR, SHAPE).state_dict()
    Diffusion(Small(), LINEAR, SHAPE).load_state_dict(saved)
    for other in (
        Diffusion(Small(), Discrete.cosine(), SHAPE),
        Diffusion(Small(), LINEAR, SHAPE, free_field(4, 6)),
        Diffusion(Small(), LINEAR, SHAPE, predict="v"),
    ):
        with pytest.raises(RunError, match="another noise"):
            other.load_state_dict(saved)


def test_bad_arguments_are_named():
    model = Diffusion(Small(), LINEAR, SHAPE)
    for arguments, said in (
        ({"sampler": "euler2"}, "Unknown sampler"),
        ({"steps": 1001}, "1 to 1000"),
        ({"sampler": "ddim", "snr": 1}, "no option snr"),
        ({"guidance": 2.0}, "Guidance needs labels"),
    ):
        with pytest.raises(ConfigError, match=said):
            model.sample(1, **arguments)
    with pytest.raises(ShapeError, match="made for data of shape"):
        model.loss(torch.zeros(2, 1, 5, 5))
    with pytest.raises(DataError, match=r"uint8.*dequantise"):
        model.loss(torch.zeros(2, *SHAPE, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="v-prediction"):
        Diffusion(Small(), VE, SHAPE, predict="v")
    assert model.sample(0).shape == (0, *SHAPE)


def test_sampling_leaves_the_mode_as_it_was():
    model = Diffusion(Small(), LINEAR, SHAPE).train()
    model.sample(1, steps=2)
    assert model.training


def test_warnings_and_shapes_that_cannot_work():
    with pytest.warns(UserWarning, match="condition number"):
        Diffusion(Zero(), LINEAR, (1, 32, 32), free_field(32, 32, 3.0), space="score")
    with pytest.raises(ShapeError, match="answered"):
        Diffusion(TwoChannels(), LINEAR, SHAPE).loss(torch.zeros(2, *SHAPE), Streams(0, 2))
    with pytest.raises(ShapeError, match="8 x 8"):
        Diffusion(Zero(), LINEAR, SHAPE, free_field(8, 8))
    with pytest.warns(UserWarning, match="made for"):
        Diffusion(Zero(), LINEAR, SHAPE).log_likelihood(torch.full((1, *SHAPE), 200.0))


class TwoChannels(nn.Module):
    """A network made for another number of channels."""

    def forward(self, x, t):
        return x.repeat(1, 2, 1, 1)


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


class Seasoned(nn.Module):
    """A U-Net with random weights that answers nearly as a trained one would."""

    def __init__(self):
        super().__init__()
        self.net = UNet(1, channels=16, mult=(1, 2), blocks=1, attention=(1,))
        for parameter in self.net.parameters():  # a new network says zero: wake it
            parameter.data.add_(0.05 * torch.randn_like(parameter))

    def forward(self, x, t):
        return LINEAR(t)[1].reshape(-1, 1, 1, 1) * x + 0.1 * torch.tanh(self.net(x, t))


def test_a_real_network_draws_the_same_sample_in_any_batch():
    torch.manual_seed(2)
    model = Diffusion(Seasoned(), LINEAR, (1, 8, 8), free_field(8, 8))
    for name in SAMPLERS:
        options = {"sampler": name, "steps": 8, **({"rtol": 1e-3, "atol": 1e-3} if name == "rk45" else {})}
        whole = model.sample(9, generator=Streams(11, 9), **options)
        for rows in ([0], [4], [1, 2, 3, 4, 5, 6, 7]):
            part = model.sample(len(rows), generator=Streams(11, rows), **options)
            torch.testing.assert_close(part, whole[rows], rtol=0, atol=1e-5, msg=lambda m, name=name: f"{name}: {m}")


def test_latents_are_decoded_to_what_was_encoded():
    model = Diffusion(Perfect(gaussian_data(VP), "eps", Identity()), VP, SHAPE)
    x = torch.rand(3, *SHAPE, dtype=torch.float64) - 0.5
    latent = model.encode(x, steps=300)
    back = model.sample(3, latent=latent, sampler="heun", steps=300, clip=False)
    torch.testing.assert_close(back, x, rtol=0, atol=2e-3)
    with pytest.raises(ShapeError, match="latent holds 3"):
        model.sample(2, latent=latent)


@pytest.mark.parametrize(
    "options",
    [
        {"predict": "foo"}, {"space": "foo"}, {"distance": "foo"}, {"reduction": "sum"}, {"condition": "foo"},
        {"sigma_data": 0.0}, {"min_snr": math.nan}, {"classes": 0}, {"first_index": 7}, {"label_dropout": 0.1},
    ],
)  # fmt: skip
def test_impossible_options_are_named(options):
    with pytest.raises(
        ConfigError, match=next(iter(options)).replace("first_index", "index").replace("classes", "class")
    ):
        Diffusion(Small(), LINEAR, SHAPE, **options)


def test_weights_survive_half_precision_and_know_all_that_matters():
    saved = Diffusion(Small(), LINEAR, SHAPE).bfloat16().state_dict()
    Diffusion(Small(), LINEAR, SHAPE).bfloat16().load_state_dict(saved)
    half = Diffusion(UNet(1, channels=8, mult=(1, 2), blocks=1, attention=()), LINEAR, SHAPE).bfloat16()
    assert half.sample(2, steps=2).isfinite().all()
    for other in (
        Diffusion(Small(), LINEAR, SHAPE, sigma_data=0.5),
        Diffusion(Small(), LINEAR, SHAPE, first_index=0),
        Diffusion(Small(), Discrete.linear(999), SHAPE),
    ):
        with pytest.raises(RunError, match="another noise"):
            other.load_state_dict(saved)
    one, two = (Diffusion(Small(), LINEAR, SHAPE, Diagonal(v)) for v in (GRADED, GRADED.flip(0, 1)))
    with pytest.raises(RunError, match="another noise"):
        two.load_state_dict(one.state_dict())


def test_training_mode_outlasts_likelihood_and_encoding():
    model = Diffusion(Small(), LINEAR, SHAPE).train()
    model.encode(torch.zeros(1, *SHAPE), steps=2)
    model.log_likelihood(torch.zeros(1, *SHAPE), rtol=1e-2, atol=1e-2)
    assert model.training
    assert model.net.training


def test_a_flow_that_is_not_finite_is_reported():
    class Broken(nn.Module):
        def forward(self, x, t):
            return x * math.nan

    for name in ("euler", "heun", "rk45", "ddim"):
        with pytest.raises(DivergenceError, match="finite"):
            Diffusion(Broken(), LINEAR, SHAPE).sample(1, steps=4, sampler=name)


def test_losses_tell_their_times():
    model = Diffusion(Small(), LINEAR, SHAPE)
    (move,) = model.moves(Batch(torch.zeros(3, *SHAPE), {}, Streams(0, 3)))
    assert move.logs["t"].shape == (3,)
    with pytest.raises(ShapeError, match="empty"):
        model.loss(torch.zeros(0, *SHAPE))


def test_covariances_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match="4 x 6"):
        Diffusion(Small(), LINEAR, SHAPE, Diagonal(torch.ones(1, 6)))
    with pytest.raises(ShapeError, match="covariance makes noise"):
        Diffusion(Small(), LINEAR, SHAPE, Diagonal(torch.rand(3, 4, 6) + 0.5))
