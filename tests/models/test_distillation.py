import math

import pytest
import torch
from analytic import White
from torch import nn

from unveil.core.errors import ConfigError, RunError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.diffusion import Diffusion
from unveil.models.distillation import Distilled, two_steps_in_one
from unveil.models.halving import check_rounds, first_steps, last_time, rounds
from unveil.networks import UNet
from unveil.schedules import Discrete
from unveil.schedules.jump import jump
from unveil.training.options import Options
from unveil.training.trainer import fit

COSINE = Discrete.cosine()


def halved(denoise, u_of):
    """The perfect student of a denoiser: at t it estimates what two steps of the teacher do."""
    return lambda x, t: two_steps_in_one(denoise, x, COSINE, t, u_of(t))


@pytest.mark.parametrize("mean", [0.0, 0.4])
@pytest.mark.parametrize("until", [0.256, 0.512])
def test_perfect_students_of_a_gaussian_lose_nothing(until, mean):
    first, x = 64, torch.tensor([[-1.5], [0.3], [2.0]]).double()
    teacher = White(torch.tensor(mean).double(), 0.25, COSINE).denoiser()
    walked = x
    for j in range(first, 0, -1):
        t, u = (torch.tensor(until * place / first).double() for place in (j, j - 1))
        walked = jump(walked, teacher(walked, t), COSINE, t, u)
    student = teacher
    for count in rounds(first, 1):
        student = halved(student, lambda t, count=count: (t - until / count).clamp(min=0))
    once = student(x, torch.tensor(until).double())
    torch.testing.assert_close(once, walked, rtol=1e-11, atol=1e-12)


def test_the_target_of_a_gaussian_is_a_straight_line():
    x = torch.linspace(-3, 3, 7).double()[:, None]
    t, u = torch.tensor(0.256).double(), torch.tensor(0.0).double()
    target = two_steps_in_one(White(0.3, 0.25, COSINE).denoiser(), x, COSINE, t, u)
    both = torch.cat([x, torch.ones_like(x)], 1)
    fit_ = both @ torch.linalg.lstsq(both, target).solution
    assert (fit_ - target).abs().max() < 1e-9


@pytest.mark.parametrize(("until", "steps", "share"), [
    (0.256, 1, 0.754), (0.256, 8, 0.967), (0.256, 64, 0.996), (0.512, 1, 0.430), (0.512, 4, 0.838), (0.512, 256, 0.997),
])  # fmt: skip
def test_few_steps_fall_short_of_the_flow_by_as_much_as_they_should(until, steps, share):
    alpha, sigma = COSINE(torch.tensor(until).double())
    exact = 0.5 / (alpha**2 * 0.25 + sigma**2).sqrt()
    x, teacher = torch.ones(1, 1).double(), White(0.0, 0.25, COSINE).denoiser()
    for j in range(steps, 0, -1):
        t, u = (torch.tensor(until * place / steps).double() for place in (j, j - 1))
        x = jump(x, teacher(x, t), COSINE, t, u)
    assert float(x / exact) == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize(("first", "last", "students"), [(8, 1, [4, 2, 1]), (4, 2, [2]), (12, 3, [6, 3])])
def test_rounds_halve(first, last, students):
    assert rounds(first, last) == students


@pytest.mark.parametrize(("first", "last"), [(6, 1), (4, 4), (4, 3), (1, 2)])
def test_steps_that_do_not_halve_are_refused(first, last):
    with pytest.raises(ConfigError, match="times 2, 4, 8"):
        check_rounds(first, last)


def test_what_until_and_the_first_steps_are():
    assert last_time(256, 1000) == 0.256
    assert last_time(0.5, None) == last_time(0.5, 1000) == 0.5
    assert last_time(None, 1000) == last_time(1, None) == 1.0
    assert last_time(1, 1000) == 0.001
    assert first_steps(1, 256) == 64
    assert first_steps(4, 1000) == 128
    never = ((2000, 1000), (2.5, 1000), (256, None), (-1, None), (math.nan, 1000), (math.inf, 1000), (math.nan, None))
    for until, chain in never:
        with pytest.raises(ConfigError, match="until is"):
            last_time(until, chain)


# --- the model -------------------------------------------------------------------------------------------------------


class Line(nn.Module):
    """A straight line for each of the times that the students know: they can be perfect for a Gaussian."""

    def __init__(self, until, places):
        super().__init__()
        self.until, self.slope = until, nn.Parameter(torch.ones(places + 1))

    def forward(self, x, t):
        place = (t / self.until * (len(self.slope) - 1)).round().long()
        return self.slope[place][:, None, None, None] * x


class Pixels:
    shape, classes, fingerprint = (1, 1, 1), None, "pixels"

    def __init__(self, std, size=4096):
        self.x = std * torch.randn(size, 1, 1, 1, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return len(self.x)

    def batch(self, index, generator=None):
        return self.x[torch.as_tensor(index)], {}


def trained_line(until, first):
    """A diffusion that knows N(0, 1/4) perfectly, at the times of `first` steps."""
    model = Diffusion(Line(until, first), COSINE, (1, 1, 1), predict="x")
    times = torch.linspace(0, until, first + 1).double()
    alpha, sigma = COSINE(times)
    model.net.slope.data = (alpha * 0.25 / (alpha**2 * 0.25 + sigma**2)).float()
    return model


def test_a_trained_student_takes_one_step_for_its_teachers_four():
    until, first = 0.512, 4
    exact = torch.ones(1, 1, 1, 1)
    teacher = trained_line(until, first)
    for j in range(first, 0, -1):
        t, u = (torch.tensor(until * place / first).double() for place in (j, j - 1))
        exact = jump(exact, teacher.denoise(exact, t), COSINE, t, u)
    model = Distilled(teacher, steps=1, first_steps=first, until=until)
    model.begin()
    fit(model, Pixels(0.5), 150, Options(batch_size=64, lr=3e-2, decay="linear", ema=0), progress=False)
    once = model.carry(torch.ones(1, 1, 1, 1)).detach()
    assert float(once) == pytest.approx(float(exact.detach()), rel=1e-3)
    assert float(teacher.denoise(torch.ones(1, 1, 1, 1), torch.tensor(until)).detach()) == pytest.approx(float(once))


def small(**options):
    torch.manual_seed(0)
    net = UNet(1, channels=8, mult=(1,), blocks=1, attention=())
    return Distilled(Diffusion(net, COSINE, (1, 4, 4), predict="v"), **{"first_steps": 4, **options})


def test_a_student_begins_as_its_teacher_and_only_it_moves():
    model = small(steps=2)
    model.begin()
    before = {name: value.clone() for name, value in model.teacher.state_dict().items()}
    (stage,) = model.stages(3)
    assert stage.name == "2-steps"
    (move,) = stage.moves(Batch(torch.rand(4, 1, 4, 4), {}, Streams(0, 4)))
    move.loss.backward()
    assert all(value.grad is None for value in model.teacher.parameters())
    assert any(value.grad is not None for value in model.student.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.teacher.state_dict().items())


def test_a_student_learns_without_the_dropout_of_its_diffusion():
    torch.manual_seed(0)
    net = UNet(1, channels=8, mult=(1,), blocks=1, attention=(), dropout=0.5)
    model = Distilled(Diffusion(net, COSINE, (1, 4, 4), predict="v"), first_steps=4)
    model.begin()
    model.student.train()
    stage, batch = next(iter(model.stages(1))), torch.rand(4, 1, 4, 4)
    losses = {float(next(stage.moves(Batch(batch, {}, Streams(0, 4)))).loss.detach()) for _ in range(3)}
    assert len(losses) == 1
    assert model.student.training


@pytest.mark.parametrize(("share", "told"), [(0.999, {3}), (0.5, {0, 1, 2, 3}), (0.0, {0, 1, 2})])
def test_what_a_diffusion_knows_without_labels_is_distilled_too(share, told):
    seen = []

    class Told(nn.Module):
        def forward(self, x, t, label):
            seen.append(label)
            return x

    model = Distilled(Diffusion(Told(), COSINE, (1, 2, 2), predict="v", classes=3, label_dropout=share), first_steps=2)
    model.begin()
    model.loss(torch.zeros(60, 1, 2, 2), 1, Streams(0, 60), torch.arange(60) % 3)
    assert len(seen) == 3  # two of the teacher's, one of the student's, all told alike
    assert all(torch.equal(label, seen[0]) for label in seen)
    assert set(seen[0].tolist()) == told


def test_the_last_two_rounds_are_longer_and_students_become_teachers():
    model = small(first_steps=8)
    model.begin()
    stages = model.stages(10)
    assert next(stages).steps == 10
    assert next(stages).steps == 20
    with torch.no_grad():
        next(model.student.parameters()).add_(1)
    assert next(stages).steps == 20
    for mine, its in zip(model.student.parameters(), model.teacher.parameters(), strict=True):
        assert torch.equal(mine, its)


def test_nothing_is_distilled_without_a_teacher():
    with pytest.raises(ConfigError, match="unveil distil RUN"):
        fit(small(), Pixels(0.5), 1, progress=False)


def test_samples_do_not_depend_on_their_batch():
    model = small(steps=2).eval()
    model.begin()
    whole = model.sample(3, generator=Streams(5, 3))
    torch.testing.assert_close(model.sample(1, generator=Streams(5, [2])), whole[2:], rtol=1e-4, atol=1e-5)
    assert whole.shape == (3, 1, 4, 4)
    assert whole.abs().max() <= 1


def test_part_of_a_schedule_draws_nothing_from_noise():
    with pytest.raises(ConfigError, match="refine"):
        small(until=0.5).sample(2)


def test_an_estimate_of_noise_at_the_very_end_is_warned_of():
    net = UNet(1, channels=8, mult=(1,), blocks=1, attention=())
    with pytest.warns(UserWarning, match=r"model\.predict=v"):
        Distilled(Diffusion(net, COSINE, (1, 4, 4)), first_steps=2).begin()


@pytest.mark.parametrize("wrong", [{"until": 1.5}, {"weighting": "snr"}, {"last_rounds": 0}, {"first_steps": 3}])
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(ConfigError):
        small(**wrong)


def test_weights_are_the_larger_error_of_data_and_noise():
    model = small(weighting="snr-trunc")
    model.begin()
    with torch.no_grad():
        for value in model.student.parameters():
            value.add_(0.1)
    x = torch.rand(64, 1, 4, 4)
    plain, other = (model.loss(x, 1, Streams(0, 64)) for model.weighting in ("snr-trunc", "v"))
    alpha, sigma = COSINE(torch.ones(()).double())
    snr = float((alpha / sigma) ** 2)
    torch.testing.assert_close(other, plain * (snr + 1) / max(snr, 1))
    assert math.isfinite(float(plain.mean()))


def test_a_distilled_model_knows_its_noise():
    net = UNet(1, channels=8, mult=(1,), blocks=1, attention=())
    other = Distilled(Diffusion(net, Discrete.linear(), (1, 4, 4), predict="v"), first_steps=4)
    with pytest.raises(RunError, match="another noise"):
        other.load_state_dict(small().state_dict())
