"""Flows that were trained apart, put together: the parts of one model, or a finer resolution on top of another."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

from unveil.core.errors import ConfigError
from unveil.models.multires_cnf.flow import ResolutionFlow
from unveil.models.multires_cnf.model import MultiResolutionCNF


def joined(parts: Mapping[int, MultiResolutionCNF]) -> MultiResolutionCNF:
    """One model with resolution s of the model parts[s], for all s: what processes trained side by side.

    Raises:
        ConfigError: a resolution is missing, was never trained, or the models are not alike.
    """
    first = next(iter(parts.values()), None)
    if first is None or sorted(parts) != list(range(1, first.resolutions + 1)):
        has = f"1 to {first.resolutions}" if first else "1 to S"
        raise ConfigError(f"A model for each resolution is needed, {has}; it got {sorted(parts)}.")
    for resolution, model in parts.items():
        _check_alike(model, first, first.pyramid == model.pyramid)
        _check_trained(model, resolution)
    flows = [deepcopy(parts[resolution].flow(resolution)) for resolution in sorted(parts)]
    return _model(first, first.pyramid.shape, flows)


def attach_finer(stack: MultiResolutionCNF, finer: MultiResolutionCNF) -> MultiResolutionCNF:
    """One model with one resolution more: the finest of `finer` above all those of `stack`.

    Args:
        stack: a trained model.
        finer: one for images of twice the sides, of which the finest resolution is trained.

    Raises:
        ConfigError: they do not fit each other; the message says in what.
    """
    channels, height, width = stack.pyramid.shape
    twice = (channels, 2 * height, 2 * width)
    if finer.pyramid.shape != twice or finer.resolutions < 2:
        raise ConfigError(
            f"On images of {height} x {width} with {channels} channels goes a model of 2 resolutions or more for "
            f"{2 * height} x {2 * width}; this one has {finer.resolutions} for {finer.pyramid.shape[1]} x "
            f"{finer.pyramid.shape[2]} with {finer.pyramid.shape[0]}."
        )
    alike = (stack.pyramid.transform, stack.pyramid.logit, stack.pyramid.alpha) == (
        finer.pyramid.transform,
        finer.pyramid.logit,
        finer.pyramid.alpha,
    )
    _check_alike(finer, stack, alike)
    if stack.pyramid.logit == "finest":
        raise ConfigError(
            "Models with logit='finest' work on logits of the finest pixels, and the logit of a mean is no mean of logits; "
            "only models with logit 'coarsest' or 'none' can be attached."
        )
    if stack.pyramid.transform.gain != 1:
        raise ConfigError(
            "The orthonormal transform doubles at every resolution, so the coarser ones would see other numbers than they "
            "learned; attach models with the unimodular or the haar transform."
        )
    _check_trained(finer, 1)
    flows = [deepcopy(finer.flow(1)), *(deepcopy(stack.flow(s)) for s in range(1, stack.resolutions + 1))]
    return _model(stack, twice, flows)


def _model(like: MultiResolutionCNF, shape: tuple[int, int, int], flows: list[ResolutionFlow]) -> MultiResolutionCNF:
    pyramid = replace(like.pyramid, shape=shape, resolutions=len(flows))
    return MultiResolutionCNF(
        pyramid,
        flows,
        levels=like.levels,
        training=replace(like.training_options, only=None),
        solver=like.solver,
        noise=like.noise,
    ).to(like.device)


def _check_alike(one: MultiResolutionCNF, other: MultiResolutionCNF, fits: bool) -> None:
    if not fits or one.levels != other.levels:
        raise ConfigError(
            "These models see pictures in different ways: they must agree in transform, logit and its margin, levels and, "
            f"side by side, in size. One has {one.pyramid} and {one.levels}; the other {other.pyramid} and {other.levels}."
        )


def _check_trained(model: MultiResolutionCNF, resolution: int) -> None:
    if not bool(model.flow(resolution).settled):
        raise ConfigError(f"Resolution {resolution} of a model was never trained, so there is nothing to put together.")
