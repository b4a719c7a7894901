"""Weighted denoising score matching.

With d the error of the white noise, R^T times the score errs by d / sigma; so the three published weightings are three
spaces in which the error is measured: "white" ||d||^2 (weight sigma^2 Sig), "score" ||R^-T d||^2 (weight sigma^2) and
"pixel" ||R d||^2 (weight sigma^2 Sig^2). With white noise they are one.
"""

from typing import Literal

import torch
from torch import Tensor

from unveil.core.protocols import Covariance
from unveil.core.shapes import mean_per_sample, sum_per_sample
from unveil.models.diffusion.prediction import Predict

Space = Literal["white", "score", "pixel"]
Distance = Literal["mse", "l1", "huber"]
Reduction = Literal["mean", "half-sum"]


def in_space(error: Tensor, predict: Predict, space: Space, cov: Covariance) -> Tensor:
    """Carry an error of a prediction, (B, C, H, W), into the space where it is measured."""
    match space:
        case "pixel":
            return cov.sqrt(error) if predict == "eps" else error
        case "white":
            return error if predict == "eps" else cov.inv_sqrt(error)
        case "score":
            return cov.inv_sqrt_t(error if predict == "eps" else cov.inv_sqrt(error))


def reduce(error: Tensor, distance: Distance, reduction: Reduction) -> Tensor:
    """One number a sample, (B,): the mean over its elements, or half their sum as some published code has it."""
    match distance:
        case "mse":
            each = error.square()
        case "l1":
            each = error.abs()
        case "huber":
            each = torch.nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none")
    return mean_per_sample(each) if reduction == "mean" else sum_per_sample(each) / 2


def min_snr_weight(predict: Predict, alpha: Tensor, sigma: Tensor, cap: float) -> Tensor:
    """Weights that cap the signal-to-noise ratio, so that all parameterisations weigh the data's error alike, (B,).

    Source: Hang et al. (2023), arXiv:2303.09556, section 3.4.
    """
    snr = (alpha / sigma) ** 2
    capped = snr.clamp(max=cap)
    match predict:
        case "eps" | "n":
            return capped / snr
        case "x":
            return capped
        case "v":
            return capped / (snr + 1)
