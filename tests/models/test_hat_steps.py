"""What the training steps and the samples of Hat Diffusion EBMs compute, worked out again line by line."""

import pytest
import torch
from tiny_hats import SHAPE, Pictures, batch_of, ready, stage_named

from unveil.core.random import Streams
from unveil.models.hat_ebm import Chain, LatentMove, Lengths, Objective
from unveil.models.hat_ebm.chains import refine_residual
from unveil.models.hat_ebm.pairs import draw_latents, noise_of
from unveil.models.still import still

N = 6
ONE, TWO = Chain(3, 5, eps=0.05, tau=1e-4, longest=0.22), Chain(2, 4, eps=0.03, tau=2e-5, longest=None)
LATENT = LatentMove(eps=0.04, tau=5e-5)
WANTED = Objective(moved=0.7, proposed=0.3, data_noise=0.2, penalty=0.1, settles=0.5)


def prepared(**options):
    """A model whose energy is steep enough to move samples, and whose kernel mixes pixels, as fresh ones do not."""
    model = ready(one=ONE, two=TWO, latent_move=LATENT, objective=WANTED, **options)
    torch.manual_seed(1)
    with torch.no_grad():
        for value in (*model.energy.parameters(), *model.distilled.student.parameters()):
            value.add_(0.1 * torch.randn_like(value))
    return model


def differing(model):
    """Stage two as it may be after a while: its energy has left that of stage one."""
    stage = stage_named(model, "two")
    with torch.no_grad():
        for value in model.energy_two.parameters():
            value.add_(0.1 * torch.randn_like(value))
    return stage


def slope(energy, x):
    x = x.detach().requires_grad_(True)
    return torch.autograd.grad(energy(x).sum(), x)[0]


def walked(energy, base, y, chain, steps, streams):
    """y <- y - c grad U(base + y) + eps e, where the second term is no longer than `longest`."""
    c = chain.eps**2 / (2 * chain.tau)
    for _ in range(steps):
        drift = -c * slope(energy, base + y)
        if chain.longest is not None:
            length = drift.flatten(1).norm(dim=1).clamp(min=1e-12)
            drift = drift * (chain.longest / length).clamp(max=1)[:, None, None, None]
        y = y + drift + chain.eps * streams.randn(y.shape)
    return y


def walked_both(energy, model, z, y, steps, streams):
    """First z, then y in the new z's company."""
    c_z, c_y = LATENT.eps**2 / (2 * LATENT.tau), TWO.eps**2 / (2 * TWO.tau)

    def in_z(y):
        return lambda z: energy(model.generate_joined(z) + y)

    for _ in range(steps):
        z = z - c_z * slope(in_z(y), z) + LATENT.eps * streams.randn(z.shape)
        x = model.generate_joined(z).detach() + y
        y = y - c_y * slope(energy, x) + TWO.eps * streams.randn(y.shape)
    return z, y


def contrast(energy, data, samples):
    both = torch.cat([energy(data), energy(samples)])
    return energy(data).mean() - energy(samples).mean() + WANTED.penalty * both.square().mean()


def begun(model, streams):
    """Fresh latents, and what generator and kernel make of them."""
    z, seed = draw_latents(N, model.latent, streams, model.device)
    noise = noise_of(seed, SHAPE, model.device)
    with torch.no_grad():
        return z, seed, noise, model.generate(z, noise)


def test_stage_one_step_by_step():
    model, streams, data = prepared(), Streams(0, N), Pictures().x[:N]
    moves = stage_named(model, "one").moves(batch_of(N, step=1))
    z, seed, _, base = begun(model, streams)
    with still(model):
        x = base + walked(model.energy, base, torch.zeros_like(base), ONE, ONE.steps, streams)
    real = data + WANTED.data_noise * streams.randn(data.shape)
    of_energy = next(moves)
    torch.testing.assert_close(of_energy.loss, contrast(model.energy, real, x))
    assert float((x - base).abs().mean()) > 0.01
    assert 0 < float(of_energy.logs["shortened"]) < 1
    assert int(model.health.counts[0]) == 1

    chosen, kept = model.pairs.bank.draw(N, streams)
    kept = {name: part.clone() for name, part in kept.items()}
    of_generator = next(moves)
    proposed = model.generator(kept["z"])
    moved = model.kernel(proposed, noise=noise_of(kept["seed"], SHAPE, model.device))
    far, near = ((made - kept["x"]).square().mean() for made in (moved, proposed))
    torch.testing.assert_close(of_generator.loss, WANTED.moved * far + WANTED.proposed * near)
    assert (of_energy.rate, of_generator.rate) == (1.0, 1.0)

    assert next(moves, None) is None
    assert torch.equal(model.pairs.z[chosen], z)
    assert torch.equal(model.pairs.seed[chosen], seed)
    torch.testing.assert_close(model.pairs.x[chosen], x.half())


def test_stage_two_step_by_step():
    model, streams, data = prepared(), Streams(0, N), Pictures().x[:N]
    stage = differing(model)
    moves = stage.moves(batch_of(N, step=1))
    z, _, noise, base = begun(model, streams)
    with still(model):
        z, y = walked_both(model.energy_two, model, model.joined(z, noise), torch.zeros_like(base), TWO.steps, streams)
        x = model.generate_joined(z) + y
    real = data + WANTED.data_noise * streams.randn(data.shape)
    move = next(moves)
    torch.testing.assert_close(move.loss, contrast(model.energy_two, real, x))
    assert float((x - base).abs().mean()) > 0.01
    torch.testing.assert_close(move.logs["latent"], z.norm(dim=1).mean())
    torch.testing.assert_close(move.logs["residual"], y.flatten(1).norm(dim=1).mean())
    assert int(model.health.counts[0]) == 1


@pytest.mark.parametrize(("stage", "chain"), [("one", ONE), ("two", TWO)])
def test_samples_step_by_step(stage, chain):
    model, streams = prepared(), Streams(0, N)
    differing(model)
    z, _, noise, base = begun(model, streams)
    y = 0.01 * streams.randn(base.shape)
    with still(model):
        if stage == "one":
            x = base + walked(model.energy, base, y, chain, chain.test_steps, streams)
        else:
            z, y = walked_both(model.energy_two, model, model.joined(z, noise), y, chain.test_steps, streams)
            x = model.generate_joined(z) + y
    drawn = model.sample(N, stage=stage, generator=Streams(0, N))
    torch.testing.assert_close(drawn, x.detach().clamp(-1, 1))
    assert float((x - base).abs().mean()) > 0.01


def test_refining_step_by_step():
    model, streams, at = prepared(), Streams(0, N), Pictures().x[:N]
    differing(model)
    with still(model):
        for _ in range(2):
            at = model.kernel(at, noise=streams.randn(at.shape))
        at = at + walked(model.energy, at, torch.zeros_like(at), ONE, ONE.test_steps, streams)
    moved = model.refine(Pictures().x[:N], repeats=2, generator=Streams(0, N))
    torch.testing.assert_close(moved, at.clamp(-1, 1))


def test_what_is_kept_of_a_masked_picture_is_seen_by_every_step_of_the_kernel():
    model, x, mask = prepared(), Pictures().x[:2], torch.zeros(2, 1, 8, 8)
    mask[..., 4:] = 1
    streams, at = Streams(0, 2), x
    with torch.no_grad():
        for _ in range(3):
            at = torch.where(mask > 0, model.kernel(at, streams), x)
    moved = model.refine(x, repeats=3, steps=0, mask=mask, generator=Streams(0, 2))
    torch.testing.assert_close(moved, torch.where(mask > 0, at.clamp(-1, 1), x))
    y = refine_residual(model.energy, x, 0 * x, ONE, steps=3, mask=mask, generator=Streams(1, 2))
    assert torch.equal(y != 0, mask > 0)


def test_rates_fall_for_both_players_and_a_stage_that_begins_forgets_the_one_before():
    model = prepared()
    assert [move.rate for move in stage_named(model, "one", steps=4).moves(batch_of(N, step=2))] == [0.1, 0.1]
    model.health.counts[:] = 9
    next(stage_named(model, "two").moves(batch_of(N, step=0)))
    assert model.health.counts.tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert int(model.reached) == 2


def test_each_stage_is_as_long_as_was_said_and_the_first_teacher_is_the_diffusion():
    model = ready(lengths=Lengths(diffusion=3, distil=0.5, two=0.2))
    stages = model.stages(10)
    assert next(stages).steps == 30
    with torch.no_grad():
        for value in model.diffusion.parameters():
            value.add_(1)
    stage = next(stages)
    for part in (model.distilled.teacher, model.distilled.student):
        assert all(torch.equal(*pair) for pair in zip(part.parameters(), model.diffusion.parameters(), strict=True))
    assert [(each.name, each.steps) for each in (stage, *stages)] == [
        ("2-steps", 10), ("1-steps", 10), ("one", 10), ("two", 2)
    ]  # fmt: skip
    alpha, sigma = model.diffusion.schedule(torch.tensor(0.256).double())
    assert model.prior().sigmas[-1] == pytest.approx(float(sigma / alpha), rel=1e-3)
