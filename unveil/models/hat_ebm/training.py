"""The training steps of the two stages of an energy with latents."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from unveil.core.protocols import Batch, Move
from unveil.core.random import Randomness, Streams, randn_like
from unveil.core.shapes import mean_per_sample
from unveil.mcmc import Bank, Trace
from unveil.models.hat_ebm.chains import refine_both, refine_residual
from unveil.models.hat_ebm.pairs import draw_latents, joined, noise_of
from unveil.models.still import still

if TYPE_CHECKING:
    from unveil.models.hat_ebm.model import HatEBM

LOOK = 50
"""Steps between looks at the whole bank."""
FAR = 1.2
_CHUNK = 256


def fill_pairs(model: "HatEBM", streams: Streams) -> None:
    """Begin the bank with what generator and kernel make of fresh latents."""

    @torch.no_grad()
    def fresh(n: int, generator: Randomness) -> dict[str, Tensor]:
        z, seed = draw_latents(n, model.latent, generator, model.device)
        return {"x": model.generate(z, noise_of(seed, model.shape, model.device)), "z": z, "seed": seed}

    with still(model):
        filled = Bank.filled(len(model.pairs), fresh, chunk=_CHUNK, generator=Streams(streams.seed, len(model.pairs)))
    model.pairs.bank.overwrite(torch.arange(len(model.pairs)), filled.slots)


def stage_one(model: "HatEBM", steps: int, batch: Batch) -> Iterator[Move]:
    """Latents are drawn and stay; the residual walks. The energy learns from it, then the generator from the bank.

    Source: the method's algorithm 1, after Hill et al. (2022), Hat EBM; eq. 10 for the generator is a regression on kept
    pairs with b2 as a regulariser, rather than the likelihood that it is derived from.
    """
    streams, wanted = Streams.of(batch.generator, len(batch)), model.objective
    if batch.step == 0:
        model.pairs.check(len(batch))
        if not model.reached:
            fill_pairs(model, streams.child(1))
            model.reached.fill_(1)
        model.health.begin()
    rate = 1.0 if batch.step < wanted.settles * steps else 0.1
    z, seed = draw_latents(len(batch), model.latent, streams, model.device)
    trace = Trace()
    with still(model):
        with torch.no_grad():
            base = model.generate(z, noise_of(seed, model.shape, model.device))
        y = refine_residual(
            model.energy, base, torch.zeros_like(base), model.one, steps=model.one.steps, generator=streams, trace=trace
        )
    x = base + y
    loss, logs = _contrast(model, model.energy, batch, x, streams)
    logs |= {"residual": y.flatten(1).norm(dim=1).mean(), **_felt(trace)}
    _judge(model, logs, x, batch.step, bank=True)
    yield Move("energy", loss, logs, rate=rate)
    bank = model.pairs.bank
    chosen, kept = bank.draw(len(batch), streams, device=model.device)
    proposed = model.generator(kept["z"])
    with still(model.distilled):
        moved = model.kernel(proposed, noise=noise_of(kept["seed"], model.shape, model.device))
    target = kept["x"]
    through = mean_per_sample((moved - target).square()).mean()
    straight = mean_per_sample((proposed - target).square()).mean()
    logs = {"moved": through.detach(), "proposed": straight.detach()}
    yield Move("generator", wanted.moved * through + wanted.proposed * straight, logs, rate=rate)
    chosen, x, z, seed = joined(chosen, x, z, seed, device=model.device)
    bank.overwrite(chosen, {"x": x, "z": z, "seed": seed})


def stage_two(model: "HatEBM", steps: int, batch: Batch) -> Iterator[Move]:
    """Latents and residual both walk, in turn, and the energy alone goes on learning."""
    assert model.energy_two is not None
    energy = model.energy_two
    streams = Streams.of(batch.generator, len(batch))
    if batch.step == 0:
        model.reached.fill_(2)
        model.health.begin()
    z, seed = draw_latents(len(batch), model.latent, streams, model.device)
    start = model.joined(z, noise_of(seed, model.shape, model.device))
    traces = Trace(), Trace()
    with still(model):
        z_end, y = refine_both(
            energy,
            model.generate_joined,
            start,
            start.new_zeros(len(batch), *model.shape),
            model.two,
            model.latent_move,
            steps=model.two.steps,
            generator=streams,
            traces=traces,
        )
        with torch.no_grad():
            x = model.generate_joined(z_end) + y
    loss, logs = _contrast(model, energy, batch, x, streams)
    logs |= {
        "residual": y.flatten(1).norm(dim=1).mean(),
        "latent": z_end.norm(dim=1).mean(),
        "latent_drift": torch.stack(traces[0].drift).mean(),
        **_felt(traces[1]),
    }
    _judge(model, logs, x, batch.step, bank=False)
    yield Move("energy-two", loss, logs)


def _contrast(
    model: "HatEBM", energy: nn.Module, batch: Batch, x: Tensor, streams: Streams
) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean energy of data less that of samples, whose descent is the ascent of the likelihood."""
    real = batch.x + model.objective.data_noise * randn_like(batch.x, streams)
    energies = energy(torch.cat([real, x.detach()]))
    of_data, of_samples = energies.chunk(2)
    gap = of_data.mean() - of_samples.mean()
    loss = gap + model.objective.penalty * energies.square().mean() if model.objective.penalty else gap
    return loss, {"gap": gap.detach()}


def _felt(trace: Trace) -> dict[str, Tensor]:
    shortened = trace.shortened or [torch.zeros_like(trace.drift[0])]
    return {"drift": torch.stack(trace.drift).mean(), "shortened": torch.stack(shortened).float().mean()}


def _judge(model: "HatEBM", logs: dict[str, Tensor], x: Tensor, step: int, *, bank: bool) -> None:
    """Tell the watch of a step, with one wait for the device."""
    if bank and step % LOOK == 0:
        logs["spread"] = model.pairs.x.float().std()
    beyond = (x.abs() > FAR).float().mean() if len(model.shape) == 3 else x.new_zeros(())
    told = [logs["gap"], logs["drift"], logs["shortened"], beyond, *([logs["spread"]] if "spread" in logs else [])]
    figures = torch.stack([number.float() for number in told])
    numbers = joined(figures[None], device=model.device)[0].mean(0).tolist()  # processes judge alike
    spread = numbers[4] if len(numbers) > 4 else None
    model.health.judge(*numbers[:4], spread=spread, where=f" in step {step + 1}")
