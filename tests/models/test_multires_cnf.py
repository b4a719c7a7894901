import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError, DataError, DivergenceError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.multires_cnf import (
    Levels,
    MultiResolutionCNF,
    Pyramid,
    ResolutionFlow,
    Training,
    attach_finer,
    joined,
)
from unveil.models.multires_cnf.preprocessing import logit, unlogit
from unveil.networks import ConvDynamics
from unveil.ode import Solver
from unveil.pyramids import PatchTransform

EXACT = Solver(rtol=1e-9, atol=1e-9)
VARIANTS = ["unimodular", "haar", "orthonormal"]


def drawn(*shape, seed=0, kind=torch.randn):
    return kind(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Affine(nn.Module):
    """dv/dt = A v + C condition + b."""

    def __init__(self, matrix, told=None, offset=None):
        super().__init__()
        self.matrix = nn.Parameter(matrix)
        self.told = None if told is None else nn.Parameter(told)
        self.offset = None if offset is None else nn.Parameter(offset)

    def forward(self, t, v, condition=None):
        out = v.flatten(1) @ self.matrix.T
        if self.told is not None:
            out = out + condition.flatten(1) @ self.told.T
        if self.offset is not None:
            out = out + self.offset
        return out.reshape(v.shape)


class Bent(nn.Module):
    def __init__(self, numbers, seed=0):
        super().__init__()
        self.first = nn.Parameter(drawn(16, numbers + 1, seed=seed))
        self.last = nn.Parameter(drawn(numbers, 16, seed=seed + 1) / 4)

    def forward(self, t, v, condition=None):
        flat = v.flatten(1)
        time = t.to(flat).reshape(-1, 1).expand(len(flat), 1)
        return (torch.tanh(torch.cat([flat, time], 1) @ self.first.T) @ self.last.T).reshape(v.shape)


def one_flow(net, shape):
    """A model of one resolution and no preprocessing: the density of a single flow."""
    pyramid = Pyramid(shape, 1, logit="none")
    return MultiResolutionCNF(pyramid, [ResolutionFlow([net], shape[0], standardise=False)])


def density(model, x, **options):
    """ln p of numbers that need not lie in [-1, 1], for flows without preprocessing."""
    levels = [model.pyramid.levels(torch.zeros_like(x))[-1]]
    found = model.flow(1).encode(x, solver=options.pop("solver", EXACT), probe="exact", **options)
    return model.nats_of(levels[0], found)


def small(resolutions=2, side=8, channels=1, *, blocks=1, hidden=(8,), seed=0, transform="unimodular", **options):
    """An untrained model with weights that do something, in double precision."""
    of_pyramid = {name: options.pop(name) for name in ("logit", "alpha") if name in options}
    pyramid = Pyramid((channels, side, side), resolutions, PatchTransform(transform), **of_pyramid)
    standardise = options.pop("standardise", True)
    flows = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for s in range(1, resolutions + 1):
            state, told = pyramid.state_shape(s)[0], 0 if s == resolutions else channels
            nets = [ConvDynamics(state, told, hidden=hidden) for _ in range(blocks)]
            for net in nets:
                nn.init.normal_(net.layers[-1].weight, std=0.1)
            flows.append(ResolutionFlow(nets, state, told, standardise=standardise))
    return MultiResolutionCNF(pyramid, flows, **options).double()


def pixels(n=4, side=8, channels=1, seed=0):
    return drawn(n, channels, side, side, seed=seed, kind=torch.rand) * 2 - 1


def levels_of(n=4, side=8, channels=1, seed=0):
    numbers = torch.randint(0, 256, (n, channels, side, side), generator=torch.Generator().manual_seed(seed))
    return numbers.double() / 127.5 - 1


# --- the density of flows whose density is known -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solver", "bound"),
    [
        (Solver(rtol=1e-3, atol=1e-3), 5e-3),
        (Solver(rtol=1e-5, atol=1e-5), 2e-4),
        (Solver(rtol=1e-8, atol=1e-8), 1e-6),
        (Solver("rk4", steps=4), 1e-3),
        (Solver("rk4", steps=10), 2e-5),
    ],
)
def test_the_density_of_a_linear_flow_is_gaussian(solver, bound):
    matrix, offset, x = drawn(6, 6) / 2, drawn(6, seed=1), drawn(20, 6, seed=2)
    grown = torch.linalg.matrix_exp(matrix)
    back = torch.linalg.inv(grown)
    mean = -back @ torch.linalg.solve(matrix, (grown - torch.eye(6).double()) @ offset)
    truth = torch.distributions.MultivariateNormal(mean, covariance_matrix=back @ back.T).log_prob(x)
    model = one_flow(Affine(matrix, offset=offset), (6, 1, 1))
    found = density(model, x.reshape(20, 6, 1, 1), solver=solver)
    assert float((found.detach() - truth).abs().max()) < bound


def test_a_density_integrates_to_one():
    model = one_flow(Bent(2), (2, 1, 1))
    axis = torch.linspace(-12, 12, 241, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis).reshape(-1, 2, 1, 1)
    with torch.no_grad():
        total = density(model, grid, solver=Solver("rk4", steps=4)).exp().sum() * float(axis[1] - axis[0]) ** 2
    assert float(total) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_parts_of_the_likelihood_add_up_to_that_of_the_whole(variant):
    """A 2 x 2 image, its coarse pixel and its details carried by linear flows: the joint density is a Gaussian's."""
    a, matrix, told = 0.3, drawn(3, 3) / 2, drawn(3, 1, seed=1)
    transform = PatchTransform(variant)
    pyramid = Pyramid((1, 2, 2), 2, transform, logit="none")
    flows = [
        ResolutionFlow([Affine(matrix, told / transform.gain * transform.gain)], 3, 1, standardise=False),
        ResolutionFlow([Affine(torch.tensor([[a]]).double())], 1, standardise=False),
    ]
    model = MultiResolutionCNF(pyramid, flows, solver=EXACT).double()
    u = drawn(10, 1, 2, 2, seed=2, kind=torch.rand)
    parts, _, _ = model.terms(2 * u - 1, trace="exact")

    grown = torch.linalg.matrix_exp(matrix)
    whole = torch.zeros(4, 4, dtype=torch.float64)
    whole[:3, :3] = grown
    whole[:3, 3:] = torch.linalg.solve(matrix, (grown - torch.eye(3).double()) @ told) / transform.gain  # told the mean
    whole[3, 3] = math.exp(a)
    carry = whole @ transform.matrix()
    back = torch.linalg.inv(carry)
    truth = torch.distributions.MultivariateNormal(torch.zeros(4).double(), covariance_matrix=back @ back.T)
    torch.testing.assert_close(parts.sum(0), truth.log_prob(u.flatten(1)), rtol=0, atol=1e-7)


def test_random_probes_average_to_the_exact_trace():
    model, x = small(), pixels(1)
    exact = model.log_likelihood(x, trace="exact").nats
    many = model.log_likelihood(x.expand(200, 1, 8, 8), trace="hutchinson", generator=Streams(0, 200)).nats
    assert float(many.mean()) == pytest.approx(float(exact), abs=4 * float(many.std()) / math.sqrt(200))


def test_bits_of_pixels_that_are_all_alike_likely():
    """A flow that moves nothing gives noise the density of a Gaussian; that of a uniform one is counted by hand."""
    model = small(1, logit="none", standardise=False)
    for value in model.parameters():
        value.data.zero_()
    x = pixels(3)
    normal = -((((x + 1) / 2) ** 2).flatten(1).sum(1) + 64 * math.log(2 * math.pi)) / 2
    found = model.log_likelihood(x)
    torch.testing.assert_close(found.nats, normal - 64 * math.log(2))
    bits = -normal / (64 * math.log(2)) + 8
    torch.testing.assert_close(found.bits_per_dim(), bits)
    even = type(found)(torch.tensor([-64 * math.log(2)]), x[:1], 0)
    assert float(even.bits_per_dim()) == pytest.approx(8)
    assert float(even.bits_per_dim(levels=32)) == pytest.approx(5)


@pytest.mark.parametrize("place", ["coarsest", "finest"])
def test_the_determinant_of_preprocessing_is_that_of_its_jacobian(place):
    pyramid = Pyramid((1, 4, 4), 2, PatchTransform("orthonormal"), place)
    u = drawn(16, kind=torch.rand) * 0.9 + 0.05

    def split(flat):
        return torch.cat([level.state.flatten() for level in pyramid.levels(flat.reshape(1, 1, 4, 4))])

    found = sum(float(level.change) for level in pyramid.levels(u.reshape(1, 1, 4, 4)))
    jacobian = torch.autograd.functional.jacobian(split, u)
    assert found == pytest.approx(float(torch.linalg.slogdet(jacobian)[1]), abs=1e-8)
    x = drawn(3, 1, 4, 4, kind=torch.rand)
    torch.testing.assert_close(unlogit(logit(x, 0.05)[0], 0.05), x)


@pytest.mark.parametrize("place", ["coarsest", "none"])
def test_transforms_with_the_same_weights_are_the_same_density(place):
    """They differ by fixed factors, which scaling takes away."""
    x, found = pixels(), []
    for variant in VARIANTS:
        model = small(3, transform=variant, logit=place)
        batch = model.pyramid.levels((pixels(50, seed=9) + 1) / 2)
        for flow, level in zip(model.flows, batch, strict=True):
            flow.settle(level.state, level.condition)
        found.append(model.log_likelihood(x, trace="exact", solver=EXACT).nats)
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(found[2], found[0], rtol=0, atol=1e-6)


# --- there and back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"logit": "finest"}, {"logit": "none"}, {"transform": "haar", "blocks": 2}])
@pytest.mark.parametrize(
    ("solver", "bound"), [(Solver(), 1e-3), (Solver("rk4", steps=20), 1e-5), (Solver("rk4", steps=4), 1e-2)]
)
def test_images_survive_the_way_to_noise_and_back(options, solver, bound):
    model, x = small(3, **options), pixels()
    torch.testing.assert_close(model.decode(model.encode(x, solver=solver), solver=solver), x, rtol=0, atol=bound)


def test_noise_of_all_resolutions_is_one_image_of_white_noise():
    model = small(3, 16)
    white = torch.randn(4000, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    parts = model.pyramid.split_noise(white)
    c0 = 2 ** (2 / 3)
    for part, variance in zip(parts, (c0, c0 / 4, 1 / 16), strict=True):
        assert float(part.var()) == pytest.approx(variance, rel=0.03)
    for place, part in enumerate(parts, start=1):
        assert model.pyramid.spread(place) == pytest.approx(float(part.std()), rel=0.02)
    torch.testing.assert_close(model.pyramid.merge_noise(parts), white)


def test_the_scale_of_noise_changes_neither_likelihood_nor_gradient():
    x, found = levels_of(), []
    for noise in ("multi-resolution", "unit"):
        model = small(noise=noise)
        (move,) = model.moves(Batch(x, generator=Streams(0, 4), step=1), [1])
        move.loss.backward()
        gradient = torch.cat([value.grad.flatten() for value in model.flow(1).parameters()])
        found.append((model.log_likelihood(pixels()).nats, gradient, model.encode(pixels())))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    spread = small().pyramid.spread(1)
    torch.testing.assert_close(found[0][2][0], spread * found[1][2][0])


@pytest.mark.parametrize("place", ["coarsest", "none"])
def test_every_picture_of_a_sample_is_the_average_of_the_finer_one(place):
    pictures = small(3, 16, logit=place, standardise=False).sample(3, exact=True, path=True, generator=Streams(0, 3))
    for fine, coarse in pairwise(pictures):
        torch.testing.assert_close(nn.functional.avg_pool2d(fine, 2), coarse, rtol=0, atol=1e-9)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("options", [{}, {"logit": "finest"}, {"logit": "finest", "transform": "orthonormal"}])
def test_enlarged_pictures_average_to_what_was_given(factor, options):
    model = small(3, 16, **options)
    low = levels_of(2, 16 // factor)
    large = model.super_resolve(low, factor, generator=Streams(0, 2), exact=True)
    assert large.shape == (2, 1, 16, 16)
    back = nn.functional.avg_pool2d(large, factor)
    assert float((back - low).abs().max()) < 1 / 128  # half a level and the noise within it
    again = model.super_resolve(low, factor, generator=Streams(0, 2), exact=True)
    assert torch.equal(large, again)
    other = model.super_resolve(low, factor, generator=Streams(1, 2), exact=True)
    assert float((large - other).abs().max()) > 0.01


def test_small_pictures_of_any_size_are_enlarged():
    assert small(3, 16).super_resolve(levels_of(1, 10), 2, generator=Streams(0, 1)).shape == (1, 1, 20, 20)
    assert small(3, 16).super_resolve(levels_of(1, 4), 2, generator=Streams(0, 1)).shape == (1, 1, 8, 8)


def test_samples_are_named_by_their_streams():
    model = small()
    together = model.sample(5, generator=Streams(3, 5), exact=True)
    alone = torch.cat([model.sample(1, generator=Streams(3, [i]), exact=True) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    whole = model.sample(5, generator=Streams(3, 5))
    torch.testing.assert_close(whole, together.clamp(-1, 1), rtol=0, atol=1.01 / 128)
    assert bool(((whole + 1) * 127.5 - ((whole + 1) * 127.5).round()).abs().max() < 1e-6)
    assert model.sample(0).shape == (0, 1, 8, 8)


def test_without_heat_all_samples_are_one():
    cold = small().sample(3, temperature=0.0, generator=Streams(0, 3), exact=True)
    assert torch.equal(cold[0], cold[2])
    warm, half = (small().sample(50, temperature=t, generator=Streams(0, 50), exact=True) for t in (1.0, 0.5))
    assert float(half.var()) < float(warm.var())
    small().sample(2, temperature=(1.0, 0.5))


def test_details_are_drawn_anew_above_what_stays():
    model, x = small(3, 16), pixels(2, 16)
    new = model.redraw(x, 1, generator=Streams(0, 2), solver=EXACT)
    torch.testing.assert_close(nn.functional.avg_pool2d(new, 2), nn.functional.avg_pool2d(x, 2), rtol=0, atol=1e-6)
    assert float((new - x).abs().max()) > 0.01
    torch.testing.assert_close(model.redraw(x, 0, solver=EXACT), x, rtol=0, atol=1e-6)


def test_likelihoods_do_not_depend_on_the_batch():
    model, x = small(), pixels(5)
    for solver in (Solver("rk4", steps=3), Solver()):
        together = model.log_likelihood(x, generator=Streams(0, 5), trace="hutchinson", solver=solver).nats
        for i in range(5):
            alone = model.log_likelihood(
                x[i : i + 1], generator=Streams(0, [i]), trace="hutchinson", solver=solver
            ).nats
            torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-9)


# --- pixels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "bits"), [(256, None), (256, 5), (17, None), (256, 8), (2, None)])
def test_levels_are_found_again(data, bits):
    levels = Levels(data, bits)
    numbers = torch.arange(data).repeat(20).reshape(1, 1, 20, -1)
    x = numbers.double() * 2 / (data - 1) - 1
    u = levels.dequantise(x, torch.Generator().manual_seed(0))
    assert 0 <= float(u.min()) < float(u.max()) < 1
    kept = numbers if bits is None else numbers // (data // 2**bits)
    assert torch.equal(((levels.quantise(u) + 1) / 2 * (levels.count - 1)).round(), kept.double())


def test_pixels_of_other_levels_are_refused():
    with pytest.raises(DataError, match=r"model\.levels"):
        Levels(17).dequantise(levels_of())


# --- training ------------------------------------------------------------------------------------------------------------


def test_a_flow_begins_by_moving_everything_alike():
    net = ConvDynamics(3, 1, hidden=(8, 8)).double()
    x = drawn(2, 3, 4, 4, seed=3)
    velocity = net(torch.tensor(0.3), x, drawn(2, 1, 4, 4))
    torch.testing.assert_close(velocity, net(torch.tensor(0.9), 2 * x, drawn(2, 1, 4, 4)), rtol=0, atol=0.5)
    nn.init.zeros_(net.layers[-1].weight)
    flow = ResolutionFlow([net], 3, 1)
    found = flow.encode(x, drawn(2, 1, 4, 4), solver=Solver(), probe="exact")
    assert torch.equal(found.change, torch.zeros(2).double())
    assert found.evaluations <= 26


@pytest.mark.parametrize(
    ("resolutions", "blocks", "weights"),
    [(1, 2, 158_268), (1, 14, 1_107_876), (2, 8, 1_335_744), (2, 12, 2_003_616), (3, 6, 1_528_812), (3, 20, 5_096_040),
     (4, 8, 2_741_088)],
)  # fmt: skip
def test_networks_of_the_paper_have_as_many_weights_as_published(resolutions, blocks, weights):
    with torch.device("meta"):
        known = [ConvDynamics(9, 3) for _ in range(resolutions - 1)] + [ConvDynamics(3)]
    assert blocks * sum(value.numel() for net in known for value in net.parameters()) == weights


def gradient_of(model, resolution, x, **options):
    (move,) = model.moves(Batch(x, generator=Streams(0, len(x)), step=1, **options), [resolution])
    move.loss.backward()
    return [value.grad for value in model.flow(resolution).parameters()]


def test_resolutions_do_not_touch_each_other():
    x = levels_of()
    alone, beside = small(3), small(3)
    for value in beside.flow(2).parameters():
        value.data += 1
    for a, b in zip(gradient_of(alone, 1, x), gradient_of(beside, 1, x), strict=True):
        assert torch.equal(a, b)
    assert all(value.grad is None for flow in (alone.flow(2), alone.flow(3)) for value in flow.parameters())


def test_losses_of_resolutions_are_the_parts_of_the_likelihood():
    options = Training(solver=EXACT, probe="exact", kinetic=0, jacobian=0)
    model, x = small(3, training=options), levels_of()
    streams = Streams(0, 4)
    moves = list(model.moves(Batch(x, generator=streams, step=1), [3, 2, 1]))
    u = model.levels.dequantise(x, Streams(0, 4))
    parts, _, _ = model.terms(2 * u - 1, trace="exact", solver=EXACT)
    sizes = [4, 16, 64]
    summed = sum(float(move.loss.detach()) * size for move, size in zip(moves, sizes, strict=True))
    truth = -parts.sum(0).mean() / math.log(2) + 8 * 64
    assert summed == pytest.approx(float(truth), rel=1e-6)


@pytest.mark.parametrize("backward", ["checkpoint", "adjoint"])
def test_gradients_are_the_same_however_they_come_about(backward):
    x = levels_of()
    exact = gradient_of(small(training=Training(solver=EXACT)), 1, x)
    solver = Solver(rtol=1e-5, atol=1e-5)
    other = gradient_of(small(training=Training(solver=solver, backward=backward)), 1, x)
    size = torch.cat([value.flatten() for value in exact]).norm()
    assert float(torch.cat([(a - b).flatten() for a, b in zip(exact, other, strict=True)]).norm() / size) < 1e-3


def test_stages_are_the_resolutions_from_coarse_to_fine():
    assert [(stage.name, list(stage.players)) for stage in small(3).stages(5)] == [
        ("2x2", ["2x2"]), ("4x4", ["4x4"]), ("8x8", ["8x8"]),
    ]  # fmt: skip
    (together,) = small(3, training=Training(together=True)).stages(5)
    assert list(together.players) == ["2x2", "4x4", "8x8"]
    (only,) = small(3, training=Training(only=2)).stages({"4x4": 7})
    assert (only.name, only.steps) == ("4x4", 7)


def test_the_first_batch_decides_the_scale():
    model, x = small(), levels_of(50)
    list(model.moves(Batch(x, generator=Streams(0, 50), step=0), [1]))
    flow = model.flow(1)
    assert bool(flow.settled)
    level = model.pyramid.levels(model.levels.dequantise(x, Streams(0, 50)))[0]
    standard = flow.standard(level.state)
    torch.testing.assert_close(standard.std((0, 2, 3)), torch.ones(3).double(), rtol=0.01, atol=0)
    assert float(standard.mean((0, 2, 3)).abs().max()) < 1e-6
    kept = flow.scale.clone()
    flow.settle(10 * level.state, None)
    assert torch.equal(flow.scale, kept)


@pytest.mark.parametrize(
    "options",
    [{"steer": 0.3}, {"adversarial": 0.1}, {"objective": "flow-matching"}, {"probe": "gaussian"}, {"together": True}],
)
def test_a_model_learns(options):
    """A few steps lower the bits of the few pictures that are learned."""
    model = small(training=Training(solver=Solver("rk4", steps=2), **options))
    x = torch.zeros(16, 1, 8, 8).double()
    x[:8, :, :4] = -1
    x = ((x + 1) * 127.5).round() / 127.5 - 1
    optimizers = {}
    for stage in model.stages(25):
        optimizers |= {name: torch.optim.Adam(player.parameters(), 1e-2) for name, player in stage.players.items()}
        for step in range(stage.steps):
            for move in stage.moves(Batch(x, generator=Streams(step, 16), step=step)):
                optimizers[move.player].zero_grad()
                move.loss.backward(inputs=list(stage.players[move.player].parameters()))
                optimizers[move.player].step()
        if stage.name == "4x4":
            assert model.sample(2).shape == (2, 1, 8, 8)  # the finer resolution adds nothing yet
    before = small()
    list(before.moves(Batch(x, generator=Streams(0, 16), step=0), [1, 2]))
    bits = [float(each.bits_per_dim(x, generator=Streams(0, 16)).mean()) for each in (before, model)]
    assert bits[1] < bits[0] - 0.3


def test_the_end_of_time_is_drawn_around_one():
    flow = small().flow(2)
    state, ends = drawn(2, 1, 4, 4), []
    net = flow.blocks[0]
    watched = net.register_forward_hook(lambda *call: ends.append(float(call[1][0])))
    for seed in range(5):
        ends.clear()
        flow.encode(state, solver=Solver("euler", steps=2), generator=Streams(seed, 2), steer=0.5)
        assert 0.25 <= max(ends) <= 0.75
    watched.remove()
    assert max(ends) != 0.5


# --- put together ------------------------------------------------------------------------------------------------------------


def trained(**options):
    model = small(**options)
    x = levels_of(20, model.shape[1])
    list(model.moves(Batch(x, generator=Streams(0, 20), step=0), list(range(1, model.resolutions + 1))))
    return model


def test_a_finer_resolution_goes_on_top():
    stack, finer = trained(resolutions=2, side=8), trained(resolutions=2, side=16, seed=5)
    both = attach_finer(stack, finer)
    x = pixels(3, 16)
    whole, _, _ = both.terms(x, trace="exact", solver=EXACT)
    details, _, _ = finer.terms(x, trace="exact", solver=EXACT)
    rest, _, _ = stack.terms(nn.functional.avg_pool2d(x, 2), trace="exact", solver=EXACT)
    torch.testing.assert_close(whole, torch.cat([details[:1], rest]))
    assert both.sample(2).shape == (2, 1, 16, 16)


def test_resolutions_trained_apart_are_joined():
    parts = {s: trained(resolutions=2, seed=s) for s in (1, 2)}
    model = joined(parts)
    x = pixels(3)
    found, _, _ = model.terms(x, trace="exact", solver=EXACT)
    for s, part in parts.items():
        torch.testing.assert_close(found[s - 1], part.terms(x, trace="exact", solver=EXACT)[0][s - 1])


@pytest.mark.parametrize(
    ("stack", "finer", "said"),
    [
        ({"side": 8}, {"side": 8}, "for 16 x 16; this one has 2 for 8 x 8"),
        ({"side": 8}, {"side": 16, "transform": "haar"}, "different ways"),
        ({"side": 8, "logit": "finest"}, {"side": 16, "logit": "finest"}, "no mean of logits"),
        ({"side": 8}, {"side": 16, "levels": Levels(256, 5)}, "different ways"),
        ({"side": 8, "transform": "orthonormal"}, {"side": 16, "transform": "orthonormal"}, "doubles"),
    ],
)
def test_models_that_do_not_fit_are_not_put_together(stack, finer, said):
    with pytest.raises(ConfigError, match=said):
        attach_finer(trained(**stack), trained(**finer))


def test_what_was_never_trained_is_not_put_together():
    with pytest.raises(ConfigError, match="never trained"):
        attach_finer(trained(side=8), small(side=16))
    with pytest.raises(ConfigError, match="model for each resolution"):
        joined({1: trained()})


# --- refusals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Pyramid((1, 28, 28), 4), ConfigError, "3 at most"),
        (lambda: Pyramid((1, 8, 8), 0), ConfigError, "resolutions is 0"),
        (lambda: Pyramid((1, 8, 8), 1, alpha=0.5), ConfigError, "logit_alpha is 0.5"),
        (lambda: Pyramid((1, 8, 8), 1, alpha=0.0), ConfigError, "infinite"),
        (lambda: Pyramid((1, 8, 8), 1, logit="all"), ConfigError, "logit is 'all'"),
        (lambda: Levels(256, 9), ConfigError, "bits is 9"),
        (lambda: Training(steer=1.0), ConfigError, "steer is 1.0"),
        (lambda: Training(objective="gan"), ConfigError, "objective is 'gan'"),
        (lambda: small(blocks=2, training=Training(objective="flow-matching")), ConfigError, "one block"),
        (lambda: small(training=Training(only=3)), ConfigError, "only is 3"),
        (lambda: small().log_likelihood(pixels(2, 16)), ShapeError, "images of shape"),
        (lambda: small().log_likelihood(pixels()[0]), ShapeError, "images of shape"),
        (lambda: small().log_likelihood((pixels() * 255).to(torch.uint8)), DataError, "dequantise"),
        (lambda: small().log_likelihood(pixels() * 2), DataError, "lie beyond"),
        (lambda: small().log_likelihood(pixels() * math.nan), DataError, "NaN"),
        (lambda: small().bits_per_dim(pixels()[:0]), DataError, "one or more"),
        (lambda: small().sample(2, temperature=-1), ConfigError, "temperature is -1"),
        (lambda: small().sample(2, temperature=(1, 1, 1)), ConfigError, "as many temperatures"),
        (lambda: small().super_resolve(levels_of(1, 4), 3), ConfigError, "by 2; it was asked for 3"),
        (lambda: small().super_resolve(levels_of(1, 4, 3), 2), ShapeError, "given details"),
        (lambda: small().decode([torch.zeros(1)]), ShapeError, "Noise of 2 resolutions"),
        (lambda: ConvDynamics(3, 1)(torch.tensor(0.0), torch.zeros(1, 3, 4, 4)), ShapeError, "told 1; it got 3 and 0"),
        (
            lambda: ConvDynamics(3, 1)(torch.tensor(0.0), torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 8, 8)),
            ShapeError,
            "one size",
        ),
        (lambda: one_flow(ConvDynamics(1), (1, 80, 80)).log_likelihood(torch.zeros(1, 1, 80, 80), trace="exact"),
         ConfigError, "6400 numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_a_solver_that_gives_up_says_where():
    model = small(3, 8, blocks=2, solver=Solver(max_evaluations=9))
    with pytest.raises(DivergenceError, match=r"Resolution 8x8, block 1 of 2: The ODE solver spent its budget"):
        model.log_likelihood(pixels())
