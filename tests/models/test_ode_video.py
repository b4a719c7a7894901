import math

import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.ode_video import (
    Learning,
    ODEVideo,
    RecurrentEncoder,
    StackEncoder,
    gaussian_log_density,
    kl_to_standard,
    trajectory,
    two_terms,
)
from unveil.models.ode_video.long_clips import blended, concerned, windows
from unveil.models.ode_video.path import states_at
from unveil.networks.frames import FrameDecoder, FrameEncoder
from unveil.networks.latent_dynamics import LatentDynamics
from unveil.ode import Solver, solve

SHAPE = (1, 16, 16)
RK4 = Solver("rk4", steps=1)
DOPRI5 = Solver("dopri5", rtol=1e-5, atol=1e-5)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def clips(n=3, frames=8, shape=SHAPE, seed=0):
    return torch.rand(n, frames, *shape, generator=seeded(seed)) * 2 - 1


def model(
    *,
    stack=0,
    widths=(4, 8),
    latent=6,
    state=None,
    context=5,
    window=8,
    solver=DOPRI5,
    dynamics=None,
    recurrent=None,
    **learning,
):
    torch.manual_seed(0)
    frames = FrameEncoder(max(stack, 1), SHAPE[1:], widths=widths, features=12)
    encoder = (
        StackEncoder(frames, latent, stack, hidden=None)
        if stack
        else RecurrentEncoder(frames, latent, hidden=10, **(recurrent or {}))
    )
    dynamics = dynamics or LatentDynamics(state or latent, hidden=(16,))
    decoder = FrameDecoder(1, SHAPE[1:], state or latent, widths=widths, hidden=None)
    return ODEVideo(
        encoder, dynamics, decoder, SHAPE, Learning(window=window, context=context, **learning), solver
    ).eval()


def lively(scale=3.0):
    """A smooth field whose paths wander about at a distance of about 1.5 from the origin."""
    torch.manual_seed(3)
    net = LatentDynamics(8, hidden=(32, 32)).double()
    for layer in net.layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 1 / math.sqrt(layer.in_features))
    return lambda t, z: scale / 19 * (net(t, z) - 0.3 * z)


# -- states along the path --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("solver", "exact", "back"), [(DOPRI5, 1e-4, 2e-4), (RK4, 1e-5, 1e-5)])
def test_a_linear_field_is_solved_at_all_times_there_and_back(solver, exact, back):
    a = torch.randn(6, 6, generator=seeded()).double()
    a = a / torch.linalg.matrix_norm(a, 2) / 19  # of norm 1 over a clip of 20 frames
    z = torch.randn(4, 6, generator=seeded(1)).double()
    z = z / z.norm(dim=1, keepdim=True)
    times = torch.tensor([-3.0, -0.4, 0, 0.25, 1, 7.5, 19]).double()

    def field(t, z):
        return z @ a.T

    found, _ = states_at(field, z, torch.zeros(4).double(), times, solver)
    wanted = torch.stack([z @ torch.linalg.matrix_exp(a * t).T for t in times], 1)
    assert (found - wanted).abs().max() < exact
    home, _ = states_at(field, found[:, -1], torch.full((4,), 19.0).double(), torch.zeros(1).double(), solver)
    assert (home[:, 0] - z).abs().max() < back


def test_a_state_does_not_depend_on_which_other_times_are_asked_for():
    field, z, start = lively(), 1.5 * torch.randn(3, 8, generator=seeded()).double() / 2, torch.zeros(3).double()
    few = torch.tensor([0.0, 3, 7.3, 12]).double()
    many = torch.cat([few, torch.arange(60).double() / 5]).sort().values
    rows = torch.searchsorted(many, few)
    for solver, near in ((RK4, 0), (DOPRI5, 1e-2)):
        a, b = states_at(field, z, start, few, solver)[0], states_at(field, z, start, many, solver)[0][:, rows]
        assert (a - b).abs().max() <= near
    through = states_at(field, z, start, torch.tensor([5.0]).double(), RK4)[0][:, 0]
    onward = states_at(field, through, torch.full((3,), 5.0).double(), torch.tensor([12.0]).double(), RK4)[0]
    torch.testing.assert_close(onward[:, 0], states_at(field, z, start, few, RK4)[0][:, -1])


def test_between_frames_the_path_is_smooth_and_no_straight_line():
    field, z, start = lively(), 1.5 * torch.randn(3, 8, generator=seeded()).double() / 2, torch.zeros(3).double()
    times = torch.arange(1, 190).double() / 10
    exact = states_at(field, z, start, times, Solver("dopri5", rtol=1e-10, atol=1e-10))[0]
    found = states_at(field, z, start, times, RK4)[0]
    assert (found - exact).abs().max() < 5e-3
    ends = states_at(field, z, start, torch.arange(20).double(), RK4)[0]
    low = times.floor().long().clamp(max=18)
    straight = torch.lerp(ends[:, low], ends[:, low + 1], (times - low)[:, None])
    assert (straight - exact).abs().max() > 3 * (found - exact).abs().max()


def test_a_path_leads_back_to_where_it_began():
    field, z = lively(), 1.5 * torch.randn(3, 8, generator=seeded()).double() / 2
    solver = Solver("dopri5", rtol=1e-6, atol=1e-6)
    there = states_at(field, z, torch.zeros(3).double(), torch.tensor([19.0]).double(), solver)[0][:, 0]
    back = states_at(field, there, torch.full((3,), 19.0).double(), torch.zeros(1).double(), solver)[0][:, 0]
    assert (back - z).abs().max() < 5e-3


@pytest.mark.parametrize("solver", [Solver("dopri5", rtol=1e-8, atol=1e-8), Solver("rk4", steps=8)])
def test_every_sample_may_have_a_clock_of_its_own(solver):
    field, z = lively(), torch.randn(3, 8, generator=seeded()).double()
    start = torch.tensor([0.0, 1.0, 0.5]).double()
    times = torch.tensor([[-1.0, 0, 2.5, 4], [0, 1.5, 1.5, 3], [1, 2, 3, 9.25]]).double()
    together = states_at(field, z, start, times, solver)[0]
    alone = torch.cat([states_at(field, z[i : i + 1], start[i : i + 1], times[i], solver)[0] for i in range(3)])
    assert (together - alone).abs().max() < 1e-5
    union = times.flatten().unique()
    whole = states_at(field, z[:1], start[:1], union, solver)[0]
    assert (whole[:, torch.searchsorted(union, times[0])] - together[:1]).abs().max() < 1e-5


def test_the_field_may_have_second_order_numbers_that_stand_still_and_a_clock():
    net = LatentDynamics(7, hidden=(4,), order=2, still=1)
    z = torch.randn(5, 7, generator=seeded())
    v = net(torch.tensor(0.0), z)
    assert v.shape == (5, 7)
    assert not v[:, 0].any()
    assert torch.equal(v[:, 1:4], z[:, 4:])
    timed = LatentDynamics(3, hidden=(4,), time_dependent=True)
    assert not torch.equal(timed(torch.tensor(0.0), z[:, :3]), timed(torch.tensor(1.0), z[:, :3]))
    for options in ({"order": 3}, {"order": 2, "still": 2}, {"still": 7}, {"hidden": ()}):
        with pytest.raises(ConfigError):
            LatentDynamics(7, **options)
    with pytest.raises(ShapeError, match="moves"):
        net(torch.tensor(0.0), z[:, :3])


def test_gradients_of_the_adjoint_are_those_of_backpropagation():
    m = model().double()
    z, times = torch.randn(2, 6, generator=seeded()).double().requires_grad_(), torch.arange(8).double()
    solver, found = Solver("dopri5", rtol=1e-6, atol=1e-6), []
    wanted = [z, *m.dynamics.parameters()]
    for backward in ("backprop", "adjoint"):
        states = solve(m.field, z, times, solver, backward=backward, parameters=list(m.dynamics.parameters())).states
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(states.square().sum(), wanted)]))
    assert (found[0] - found[1]).norm() / found[0].norm() < 1e-3


# -- losses -------------------------------------------------------------------------------------------------------------


def test_densities_and_divergences_are_those_of_torch():
    mean, log_var = torch.randn(4, 6, generator=seeded()), torch.randn(4, 6, generator=seeded(1))
    normal = torch.distributions.Normal(mean, (log_var / 2).exp())
    wanted = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_to_standard(mean, log_var), wanted)
    assert not kl_to_standard(torch.zeros(2, 3), torch.zeros(2, 3)).any()
    assert (kl_to_standard(torch.zeros(2, 3), torch.zeros(2, 3), free_bits=0.5) == 1.5).all()
    x = torch.randn(4, 2, 3, generator=seeded(2))
    wanted = torch.distributions.Normal(x * 0.5, 0.3).log_prob(x).sum((1, 2))
    torch.testing.assert_close(gaussian_log_density(x, x * 0.5, 0.3), wanted)


def test_two_terms_of_two_frames_by_hand():
    x, x_hat = torch.tensor([[[1.0], [0.0]]]), torch.tensor([[[0.5], [-1.0]]])
    embedded, states = (
        torch.tensor([[[1.0], [2.0]]], requires_grad=True),
        torch.tensor([[[1.0], [0.0]]], requires_grad=True),
    )
    pixels, agreement = two_terms(x, x_hat, embedded, states, weight=0.5)
    assert (pixels.item(), agreement.item()) == (1.25, 2.0)
    for stop, still in (("encoder", embedded), ("ode", states)):
        _, agreement = two_terms(x, x_hat, embedded, states, stop=stop)
        moved = states if still is embedded else embedded
        assert torch.autograd.grad(agreement.sum(), [still, moved], allow_unused=True)[0] is None


def test_a_still_clip_and_a_field_of_zero_agree():
    m = model(stack=2)
    for value in m.dynamics.parameters():
        nn.init.zeros_(value)
    still = clips(2, 1).expand(-1, 8, -1, -1, -1)
    _, logs = m.loss(still)
    assert logs["agreement"] < 1e-8
    assert m.loss(clips(2))[1]["agreement"] > 1e-4
    assert model(stack=2, autoencode=1.0).loss(still)[0] > model(stack=2).loss(still)[0]


def test_the_bound_is_that_of_its_parts():
    m = model(sigma=0.4, beta=2.0, objective="both")
    x, streams = clips(), Streams(0, 3)
    loss, logs = m.loss(x, streams)
    encoded = m.encode(x[:, :5])
    z = m._drawn(encoded, Streams(0, 3))
    x_hat = m.decode(m.states(z, encoded.start, torch.arange(8).double(), RK4))
    density = torch.distributions.Normal(x_hat, 0.4).log_prob(x).sum((1, 2, 3, 4))
    divergence = kl_to_standard(encoded.mean, encoded.log_var)
    torch.testing.assert_close(loss, (2 * divergence - density).mean() / (8 * 256))
    torch.testing.assert_close(logs["elbo"], (density - divergence).mean())
    torch.testing.assert_close(logs["kl"], divergence.mean())
    assert logs["evaluations"] == 4 * 7


@pytest.mark.parametrize(("objective", "used"), [("reconstruct", range(5)), ("predict", range(8)), ("both", range(8))])
def test_an_objective_uses_the_frames_it_says(objective, used):
    m = model(objective=objective)
    x = clips(2).requires_grad_()
    m.loss(x, Streams(0, 2))[0].backward()
    seen = x.grad.abs().sum((0, 2, 3, 4)) > 0
    assert seen.nonzero().flatten().tolist() == list(used)


def test_the_weight_of_the_divergence_warms_up():
    learning = Learning(beta=2.0, warmup=4)
    assert [learning.beta_at(step) for step in (0, 1, 3, 9)] == [0.5, 1.0, 2.0, 2.0]
    assert Learning(beta=2.0).beta_at(0) == 2.0


# -- encoders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["gru", "rnn"])
@pytest.mark.parametrize("anchor", ["first", "last"])
def test_frames_are_read_towards_the_anchor(cell, anchor):
    m = model(recurrent={"anchor": anchor, "cell": cell})
    x, e = clips(2, 5), m.encoder
    h = torch.zeros(2, 10)
    order = range(5) if anchor == "last" else reversed(range(5))
    for place, i in enumerate(order):
        told = torch.cat([e.frames(x[:, i]), torch.full((2, 1), float(place > 0))], 1)
        h = e.cell(told, h)
    mean, log_var = e.head(h).chunk(2, 1)
    found = m.encode(x)
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.log_var, log_var)
    assert found.start.tolist() == [4.0 if anchor == "last" else 0.0] * 2
    assert (m.encode(x.flip(1)).mean - found.mean).abs().max() > 1e-3


def test_a_missing_frame_may_hold_anything():
    m, x = model(), clips(2, 5)
    mask = torch.tensor([[1, 1, 0, 1, 1], [1, 0, 0, 1, 1]]).bool()
    other = torch.where(mask[..., None, None, None], x, torch.full_like(x, math.nan))
    for a, b in zip(m.encode(x, mask=mask)[:2], m.encode(other, mask=mask)[:2], strict=True):
        assert torch.equal(a, b)
    # A frame that is missing and one that was never taken are the same.
    left = m.encode(x[:1, [0, 1, 3, 4]], [0, 1, 3, 4])
    torch.testing.assert_close(m.encode(x[:1], mask=mask[:1]).mean, left.mean)
    assert (m.encode(x[:1]).mean - left.mean).abs().max() > 1e-4


def test_even_times_are_what_no_times_are():
    for between in (None, LatentDynamics(10, hidden=(8,))):
        m, x = model(recurrent={"between": between}), clips(2, 5)
        even = torch.arange(5).double().expand(2, -1)
        assert torch.equal(m.encode(x).mean, m.encode(x, even).mean)
        query = torch.tensor([4.5, 6.0])
        own = torch.stack([query, query + 1e-9])  # no longer shared
        torch.testing.assert_close(
            m.frames_at(x, query, mean=True), m.frames_at(x, own, mean=True), rtol=1e-4, atol=1e-4
        )
        torch.testing.assert_close(m.encode(x, even + 3).mean, m.encode(x).mean)
    uneven = torch.tensor([0, 1, 2.5, 3, 7]).double()
    assert (m.encode(x, uneven).mean - m.encode(x).mean).abs().max() > 1e-4


def test_what_happens_does_not_depend_on_when():
    m, x = model(), clips(2, 5)
    early = m.frames_at(x, [6.0, 7.5], mean=True)
    late = m.frames_at(x, [106.0, 107.5], times=list(range(100, 105)), mean=True)
    torch.testing.assert_close(early, late)


# -- frames at any time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", [0, 1, 2])
def test_frames_of_every_task_have_their_shape_and_range(stack):
    m, x = model(stack=stack), clips(2)
    made = [
        m.predict(x, 4),
        m.predict_past(x, 3),
        m.reconstruct(x),
        m.interpolate(x, 4),
        m.frames_at(x, [-1.5, 0, 0, 30.25]),
    ]
    assert [len(frames[0]) for frames in made] == [4, 3, 8, 29, 4]
    for frames in made:
        assert frames.shape[2:] == SHAPE
        assert frames.abs().max() <= 1
    assert m.tasks == (("predict", "past", "interpolate") if stack else ("predict", "past", "interpolate", "generate"))
    assert m.p == (stack or 5)


def test_reading_the_past_backwards_meets_reading_it_forwards():
    m, x = model(), clips(2)
    at = [-2.0, -1.0, 0.0, 1.0]
    assert torch.equal(m.frames_at(x[:, :5], at, mean=True)[:, :2], m.predict_past(x, 2, mean=True))


@pytest.mark.parametrize("frames", [4, 5, 8, 12])
def test_a_higher_frame_rate_keeps_the_frames_of_the_lower(frames):
    m, x = model(), clips(2, frames)
    once, twice = m.reconstruct(x), m.interpolate(x, 2)
    assert once.shape == x.shape
    torch.testing.assert_close(twice[:, ::2], once)
    assert m.interpolate(x, 4, mean=False, generator=Streams(0, 2)).shape[1] == 4 * (frames - 1) + 1


def test_windows_share_a_frame_and_their_paths_pass_over():
    assert windows(12, 5, 1) == [(0, 5), (4, 9), (8, 12)]
    assert windows(6, 5, 5) == [(0, 5), (1, 6)]
    assert windows(3, 5, 2) == [(0, 3)]
    times = torch.arange(0, 9).double() / 2 + 1
    parts = [torch.zeros(1, 9, 1), torch.ones(1, 9, 1)]
    assert blended(parts, [(0, 5), (4, 6)], times)[0, :, 0].tolist() == [0, 0, 0, 0, 0, 0.5, 1, 1, 1]


class Explosive(nn.Module):
    """Grows twentyfold in a frame's time."""

    state = 6

    def forward(self, t, z):
        return 21 * z


def test_nobody_follows_a_window_far_beyond_its_frames():
    m = model(dynamics=Explosive(), solver=Solver("dopri5", rtol=1e-3, atol=1e-3))
    assert m.interpolate(clips(1, 100)).isfinite().all()
    times = torch.arange(-1, 8).double()
    spans = [(0, 3), (2, 5), (4, 7)]
    found = [times[concerned(spans, number, times)].tolist() for number in range(3)]
    assert found == [[-1, 0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 6, 7]]


def test_answers_differ_by_their_streams_alone():
    m, x = model(), clips(3, 5)
    mean = m.predict(x, 2, mean=True)
    assert torch.equal(mean, m.predict(x, 2, mean=True))
    a, b = (m.predict(x, 2, generator=Streams(seed, 3)) for seed in (0, 1))
    assert not torch.equal(a, b)
    assert torch.equal(a, m.predict(x, 2, generator=Streams(0, 3)))
    torch.testing.assert_close(a[1:], m.predict(x[1:], 2, generator=Streams(0, [1, 2])))
    many = m.predict(x, 2, trajectories=4, generator=Streams(0, 3))
    assert many.shape == (3, 4, 2, *SHAPE)
    torch.testing.assert_close(many[:, :2], m.predict(x, 2, trajectories=2, generator=Streams(0, 3)))
    with torch.no_grad():
        m.encoder.head.weight[6:] = 0
        m.encoder.head.bias[6:] = -100
    torch.testing.assert_close(m.predict(x, 2, generator=Streams(0, 3)), mean)
    assert m.sample(3, generator=Streams(0, 3)).shape == (3, 8, *SHAPE)
    assert m.generate(2, 4, generator=Streams(0, 2)).shape == (2, 4, *SHAPE)


def test_a_trajectory_tells_where_and_how_fast():
    m, x = model(state=8), clips(2, 5)
    path = trajectory(m, x, [0.0, 1.0, 1.001])
    assert path.states.shape == path.velocities.shape == (2, 3, 8)
    slope = (path.states[:, 2] - path.states[:, 1]) / 0.001
    torch.testing.assert_close(slope, path.velocities[:, 1], rtol=0.05, atol=1e-3)
    torch.testing.assert_close(m.decode(path.states), m.frames_at(x, [0.0, 1.0, 1.001], mean=True))
    assert not path.states[:, 0, 6:].any()  # what is added begins as zeros


def test_saved_weights_keep_the_clock():
    m, other = model(window=8), model(window=6)
    assert m.time_scale == pytest.approx(1 / 7)
    other.load_state_dict(m.state_dict())
    assert other.time_scale == m.time_scale == model(window=8).half().time_scale
    assert torch.equal(other.predict(clips(), 3, mean=True), m.predict(clips(), 3, mean=True))


# -- learning -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", [0, 2])
def test_one_clip_can_be_learnt_by_heart(stack):
    t = torch.arange(8.0)[:, None, None]
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    ball = 2 * torch.exp(-((rows - 4 - t) ** 2 + (columns - 8 - 3 * torch.sin(t / 2)) ** 2) / 6) - 1
    x = ball[None, :, None]
    m = model(stack=stack, latent=8, objective="both", widths=(8, 16), sigma=0.1, beta=0.01).train()
    optimizer = torch.optim.Adam(m.parameters(), 1e-2)
    for step in range(150):
        loss, _ = m.loss(x, Streams(step, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def psnr(a, b):
        return -10 * ((a - b).square().mean() / 4).log10().item()

    made = m.eval().frames_at(x[:, :5], torch.arange(8).double(), mean=True)
    still = psnr(x[:, 4:5].expand(-1, 3, -1, -1, -1), x[:, 5:])
    assert psnr(made, x) > 25
    assert psnr(made[:, 5:], x[:, 5:]) > still + 5


def test_a_training_step_tells_what_is_worth_a_look():
    m = model(hide=0.5)
    (stage,) = m.stages(3)
    assert (stage.name, stage.steps, stage.shown) == ("train", 3, ("psnr_future",))
    times = torch.arange(8).double() + 0.3 * torch.rand(3, 8, generator=seeded())
    (move,) = list(stage.moves(Batch(clips(), {"times": times}, Streams(0, 3))))
    assert move.loss.isfinite()
    assert {"loss", "kl", "elbo", "psnr_known", "psnr_future", "evaluations"} <= set(move.logs)
    assert "psnr_future" not in model(objective="reconstruct").loss(clips())[1]


# -- bad input --------------------------------------------------------------------------------------------------------------


def test_frames_that_do_not_fit_are_refused_in_words():
    m, x = model(), clips()
    for bad, kind, words in (
        (x.permute(0, 1, 3, 4, 2), ShapeError, "permute"),
        (x[0], ShapeError, r"frames\[None\]"),
        (x[:, :, 0], ShapeError, "without channels"),
        (2 * x, DataError, "give finite numbers in"),
        (x.long(), DataError, "uint8"),
        (x[:, :2], ShapeError, "has 2 frames, and this model reads 5"),
    ):
        with pytest.raises(kind, match=words):
            m.predict(bad, 2)
    assert m.predict(((x + 1) * 127.5).byte(), 2).shape[1] == 2
    with pytest.raises(ShapeError, match="have 5 frames, and training takes 8"):
        m.loss(x[:, :5])
    with pytest.raises(ShapeError, match="No frame is known"):
        m.encode(x[:, :0])


def test_times_that_cannot_be_are_refused_in_words():
    m, x = model(), clips()[:, :5]
    for times, words in (
        ([0, 1, 3, 2, 4], "2 comes after 3"), ([0, 1, 1, 2, 3], "none twice"), ([0, 1, 2, 3], "4 times were given for 5"),
        ([0, 1, 2, 3, math.nan], "not all finite"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            m.frames_at(x, [6.0], times=times)
    for query, words in (([7, 6], "6 comes after 7"), ([], "one or more"), ([math.inf], "finite"), (None, "Say when")):
        with pytest.raises(ConfigError, match=words):
            m.frames_at(x, query)
    with pytest.raises(ConfigError, match="hides every frame of clip 1"):
        m.frames_at(x, [6.0], mask=torch.tensor([[1] * 5, [0] * 5, [1] * 5]))
    with pytest.raises(ShapeError, match="mask"):
        m.frames_at(x, [6.0], mask=torch.ones(3, 4))
    with pytest.warns(UserWarning, match="frames away"):
        m.frames_at(x, [81.0])
    with pytest.warns(UserWarning, match="One known frame"):
        m.frames_at(x[:, :1], [1.0])


def test_what_a_model_cannot_do_is_refused_in_words():
    certain = model(stack=2)
    with pytest.raises(ConfigError, match="knows one future"):
        certain.predict(clips(), 2, trajectories=3)
    with pytest.raises(ConfigError, match="knows no prior"):
        certain.sample(1)
    with pytest.raises(ConfigError, match="cannot do without"):
        certain.frames_at(clips(), [3.0], mask=torch.tensor([[1, 0, 1, 1, 1, 1, 1, 1]] * 3))
    with pytest.raises(ConfigError, match="the mean of the state has one"):
        model().predict(clips(), 2, trajectories=3, mean=True)
    for factor in (0, 1.5):
        with pytest.raises(ConfigError, match="factor"):
            model().interpolate(clips(), factor)
    with pytest.raises(ConfigError, match="The ODE moves 4"):
        model(state=4)
    with pytest.raises(ConfigError, match="encoder reads 6"):
        model(stack=6)
    for options in (
        {"objective": "guess"}, {"sigma": 0.0}, {"hide": 1.0}, {"beta": -1.0}, {"window": 5, "objective": "predict"},
        {"window": 4}, {"stop": "all"},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            Learning(**{"window": 8, "context": 5} | options)
    with pytest.raises(ConfigError, match="gru or rnn"):
        model(recurrent={"cell": "lstm"})
