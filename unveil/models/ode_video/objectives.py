"""One training step of a model of paths: which frames are there, what is minimised, and what is told of it."""

from collections.abc import Callable

import torch
from torch import Tensor

from unveil.core.random import Streams, rand
from unveil.core.shapes import sum_per_sample
from unveil.models.ode_video.encoders import Encoder, StackEncoder
from unveil.models.ode_video.learning import Learning
from unveil.models.ode_video.losses import gaussian_log_density, kl_to_standard, two_terms

Told = tuple[Tensor, dict[str, Tensor]]


def hidden(learning: Learning, encoder: Encoder, n: int, streams: Streams) -> Tensor | None:
    """Which known frames are there in training, (n, context): at least one of each clip."""
    if not learning.hide or encoder.reads is not None:
        return None
    there = rand((n, learning.context), streams) >= learning.hide
    there[~there.any(1)] = True
    return there


def compared(learning: Learning, ahead: Tensor, streams: Streams, step: int) -> Tensor:
    """Which frames of all clips are compared in a step, (n,), ascending.

    Args:
        learning: how many.
        ahead: how far each frame, (window,), is from where the path begins.
        streams: where they are drawn from.
        step: steps taken before.
    """
    rows = torch.arange(learning.targets.start, learning.targets.stop)
    rows = rows[ahead[rows].abs().argsort(stable=True)[: learning.reach(step)]]
    if learning.compared is not None and len(streams):
        rows = rows[rand((len(streams), len(rows)), streams)[0].argsort()[: learning.compared]]
    return rows.sort().values


def quality(learning: Learning, rows: Tensor, x: Tensor, x_hat: Tensor) -> dict[str, Tensor]:
    """The PSNR of known frames and of those that follow, as far as they are compared, in dB."""
    error = (x - x_hat).detach().square().flatten(2).mean(2) / 4  # of pixels in [0, 1]
    known = int((rows < learning.context).sum())
    parts = {"psnr_known": error[:, :known], "psnr_future": error[:, known:]}
    return {name: -10 * part.log10().mean() for name, part in parts.items() if part.numel()}


def bound(learning: Learning, x: Tensor, x_hat: Tensor, mean: Tensor, log_var: Tensor, step: int) -> Told:
    """The negative evidence lower bound of each clip in nats, (B,)."""
    density = gaussian_log_density(x, x_hat, learning.sigma)
    divergence = kl_to_standard(mean, log_var, free_bits=learning.free_bits)
    logs = {"kl": divergence.mean().detach(), "elbo": (density - divergence).mean().detach()}
    return learning.beta_at(step) * divergence - density, logs


def certain(
    learning: Learning,
    encoder: Encoder,
    decode: Callable[[Tensor], Tensor],
    seen: Tensor,
    rows: Tensor,
    x: Tensor,
    x_hat: Tensor,
    states: Tensor,
) -> Told:
    """The two terms of a model without chance, and the third where it counts, of each clip, (B,).

    The spread of the states is told because the second term alone is least where all states are one.
    """
    assert isinstance(encoder, StackEncoder)
    count = int((rows <= seen.shape[1] - encoder.count).sum())  # the last frames have too few after them
    embedded = encoder.embed(seen, rows[:count])
    along = states[:, :count, : encoder.latent]
    pixels, agreement = two_terms(x, x_hat, embedded, along, weight=learning.agreement, stop=learning.stop)
    logs = {"agreement": agreement.mean().detach(), "spread": states.detach().flatten(0, 1).var(0).mean()}
    if not learning.autoencode:
        return pixels + agreement, logs
    room = embedded.new_zeros(*embedded.shape[:2], states.shape[2] - encoder.latent)
    alone = sum_per_sample((x[:, :count] - decode(torch.cat([embedded, room], 2))).square())
    return pixels + agreement + learning.autoencode * alone, logs
