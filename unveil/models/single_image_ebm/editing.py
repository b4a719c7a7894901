"""What goes before and after the chains when a picture is edited: palettes, soft masks, and the light that is kept."""

import torch
from torch import Tensor
from torch.nn import functional

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole
from unveil.operators.kernels import gaussian_profile

_FEW = 20_000
"""Pixels that palettes are found on, at most."""
_ROUNDS = 50
_LUMA = (0.299, 0.587, 0.114)
_LEAST_SPREAD = 0.02
"""Standard deviation of colours, of 2, below which a picture's are taken for one."""


def palette(image: Tensor, colours: int) -> Tensor:
    """The colours that stand for an image best, by k-means; the same ones every time.

    Args:
        image: (C, H, W).
        colours: how many, 1 or more; there are fewer where the image has fewer.

    Returns:
        (K, C), from the most frequent to the least.

    Source: Lloyd (1982); the first centres are spread as in Arthur and Vassilvitskii (2007), but each is the pixel that is
    worst served so far.
    """
    check_whole("colours", colours)
    pixels = image.flatten(1).T
    pixels = pixels[:: -(-len(pixels) // _FEW)].double()
    centres = pixels.mean(0, keepdim=True)
    while len(centres) < colours:
        distance = torch.cdist(pixels, centres).amin(1)
        if not distance.max() > 0:
            break
        centres = torch.cat([centres, pixels[distance.argmax()][None]])
    for _ in range(_ROUNDS):
        nearest = torch.cdist(pixels, centres).argmin(1)
        counts = torch.bincount(nearest, minlength=len(centres)).double()
        sums = torch.zeros_like(centres).index_add_(0, nearest, pixels)
        moved = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    kept = counts > 0
    order = counts[kept].argsort(descending=True)
    return centres[kept][order].to(image)


def match_palette(drawing: Tensor, colours: Tensor) -> Tensor:
    """Give every pixel of a drawing (C, H, W) the nearest colour of a palette (K, C).

    A colour that the image does not have would stay wrong, for chains mend shapes, not colours.

    Raises:
        ShapeError: the palette has other channels.
    """
    if colours.ndim != 2 or colours.shape[1] != drawing.shape[0]:
        raise ShapeError(
            f"A palette of shape {tuple(colours.shape)} does not fit a drawing with {drawing.shape[0]} channels."
        )
    nearest = torch.cdist(drawing.flatten(1).T, colours.to(drawing)).argmin(1)
    return colours.to(drawing)[nearest].T.reshape(drawing.shape)


def match_colours(picture: Tensor, like: Tensor) -> Tensor:
    """Move the colours of a picture (C, H, W) to those of another, (C, H', W'), light in the place of light.

    Their mean and covariance become the other's, by the linear map that moves them least; what leaves [-1, 1] is clipped.

    Raises:
        ShapeError: the other has other channels.

    Source: Pitie and Kokaram (2007), The linear Monge-Kantorovitch linear colour mapping.
    """
    if picture.shape[0] != like.shape[0]:
        raise ShapeError(
            f"The colours of a picture of shape {tuple(like.shape)} do not fit one of {tuple(picture.shape)}; both need the "
            "same channels."
        )
    given, goal = (x.flatten(1).double() for x in (picture, like))
    middle, aim = given.mean(1, keepdim=True), goal.mean(1, keepdim=True)
    least = _LEAST_SPREAD**2 * torch.eye(len(given), dtype=torch.float64, device=given.device)
    here, there = (torch.cov(x).reshape(least.shape) + least for x in (given, goal))
    spread = _root(here)
    back = torch.linalg.inv(spread)
    moved = back @ _root(spread @ there @ spread) @ back @ (given - middle) + aim
    return moved.view(picture.shape).to(picture).clamp(-1, 1)


def _root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ values.clamp(min=0).sqrt().diag() @ vectors.T


def soft_mask(mask: Tensor, grow: float, sigma: float) -> Tensor:
    """Grow a mask by a disk and soften its edge.

    Args:
        mask: (H, W), 1 where something was changed and 0 elsewhere.
        grow: radius of the disk, in pixels, 0 or more.
        sigma: of the Gaussian that softens, in pixels; 0 leaves the edge hard.

    Returns:
        (H, W) in [0, 1], 1 at its largest and exactly 0 away from the mask.

    Raises:
        ShapeError: not a plane of 0 and 1.
        ConfigError: nothing is marked.

    Source: Shaham et al. (2019), arXiv:1905.01164, supplement, where a disk of 20 pixels and sigma 5 serve images of 250.
    """
    if mask.ndim != 2 or not bool(((mask == 0) | (mask == 1)).all()):
        raise ShapeError(
            f"A mask is a plane (H, W) of 0 and 1; it got {tuple(mask.shape)} from {mask.min()} to {mask.max()}."
        )
    if not mask.any():
        raise ConfigError("The mask marks nothing, so there is nothing to blend in.")
    soft = mask.float()[None, None]
    if grow > 0:
        reach = int(grow)
        places = torch.arange(-reach, reach + 1, device=mask.device)
        grown = torch.zeros_like(soft)
        # Row by row of the disk: a run of pixels as long as the disk is wide there, moved up or down.
        padded = functional.pad(soft, (0, 0, reach, reach))
        for row in places.tolist():
            half = int((grow**2 - row**2) ** 0.5)
            run = functional.max_pool2d(padded, (1, 2 * half + 1), stride=1, padding=(0, half))
            grown = torch.maximum(grown, run[..., reach + row : reach + row + mask.shape[0], :])
        soft = grown
    if sigma > 0:
        profile = gaussian_profile(sigma).to(soft)
        reach = len(profile) // 2
        soft = functional.pad(soft, (reach,) * 4, mode="replicate")
        soft = functional.conv2d(functional.conv2d(soft, profile.view(1, 1, 1, -1)), profile.view(1, 1, -1, 1))
    return (soft / soft.max())[0, 0].clamp(0, 1)


def blend(edited: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    """Lay what was edited over the original, m edited + (1 - m) original; where m is 0 the original stays to the bit.

    Args:
        edited: (..., H, W).
        original: of the same shape.
        mask: m, (H, W) or one a picture, (B or 1, 1, H, W), in [0, 1].

    Raises:
        ShapeError: the shapes differ.
    """
    if edited.shape[-3:] != original.shape[-3:] or mask.shape[-2:] != original.shape[-2:]:
        raise ShapeError(
            f"What is blended has one shape; it got {tuple(edited.shape)}, {tuple(original.shape)} and a mask of "
            f"{tuple(mask.shape)}."
        )
    return torch.where(mask > 0, torch.lerp(original, edited, mask.to(edited)), original)


def changed(image: Tensor, original: Tensor, *, least: float = 0.12) -> Tensor:
    """Where an image differs from the one it was made of, (H, W): 1 where a channel does by more than `least`, of 2.

    Specks are left out: of a pixel's 3 x 3 neighbourhood four must differ.
    """
    differs = ((image - original).abs().amax(0) > least).float()
    around = functional.avg_pool2d(differs[None, None], 3, stride=1, padding=1, count_include_pad=True)[0, 0]
    return differs * (around > 3.5 / 9)


def keep_light(painted: Tensor, content: Tensor) -> Tensor:
    """Give images (..., C, H, W) the light of others, and leave their colours as they are.

    Grey images have nothing but light, so they become the others.
    """
    if painted.shape[-3] == 1:
        return content.expand_as(painted).clone()
    weights = torch.tensor(_LUMA, dtype=painted.dtype, device=painted.device).view(3, 1, 1)
    light, own = ((x * weights).sum(-3, keepdim=True) for x in (content, painted))
    return (painted + light - own).clamp(-1, 1)
