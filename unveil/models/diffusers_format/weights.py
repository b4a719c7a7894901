"""The weights of a network, under their names and under ours.

Their networks count the steps from 0 where ours count from 1, and may put cosines before sines. Neither needs an
option here: a step back in time turns each pair (sin, cos) by a fixed angle, and both the turn and the order can be
taken into the first layer that sees the pair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, DataError
from unveil.networks.layers import SinusoidalFeatures
from unveil.networks.unet import Step, UNet

_FORMER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""What old checkpoints called the layers of attention."""


@dataclass(frozen=True)
class _Layout:
    """Where the layers of a network are: our names and theirs, in the order in which a picture passes them."""

    plain: dict[str, str]
    blocks: list[str]
    attention: dict[str, str]


def _layout(unet: UNet) -> _Layout:
    plain = {"first": "conv_in", "time.second": "time_embedding.linear_2"}
    blocks: list[str] = []
    attention: dict[str, str] = {}

    def step(ours: str, place: str, number: int, layer: Step) -> None:
        theirs = f"{place}.resnets.{number}"
        blocks.append(theirs)
        plain.update({f"{ours}.block.{part}": f"{theirs}.{part}" for part in ("norm1", "conv1", "norm2", "conv2")})
        if layer.block.skip is not None:
            plain[f"{ours}.block.skip"] = f"{theirs}.conv_shortcut"
        if layer.attention is not None:
            attention[f"{ours}.attention"] = f"{place}.attentions.{number}"

    def walk(way: str, layers: nn.ModuleList) -> None:
        level = number = 0
        for i, layer in enumerate(layers):
            if isinstance(layer, Step):
                step(f"{way}.{i}", f"{way}_blocks.{level}", number, layer)
                number += 1
            else:
                plain[f"{way}.{i}.conv"] = f"{way}_blocks.{level}.{way}samplers.0.conv"
                level, number = level + 1, 0

    walk("down", unet.down)
    for i, layer in enumerate(unet.middle):
        step(f"middle.{i}", "mid_block", i, cast(Step, layer))
    walk("up", unet.up)
    return _Layout({**plain, "norm": "conv_norm_out", "last": "conv_out"}, blocks, attention)


def to_theirs(unet: UNet, label: int | None) -> dict[str, Tensor]:
    """Their state from our network; one with classes is made to see always the same label, or none.

    Raises:
        ConfigError: there is no such label.
    """
    if label is not None and not (unet.classes is not None and 0 <= label <= unet.classes):
        raise ConfigError(f"The network has {unet.classes or 'no'} classes, so it cannot always see label {label}.")
    ours = {name: value.detach().cpu().float() for name, value in unet.state_dict().items()}
    layout = _layout(unet)
    features = cast(SinusoidalFeatures, unet.time.features)
    theirs = {
        f"{name}.{kind}": ours[f"{own}.{kind}"] for own, name in layout.plain.items() for kind in ("weight", "bias")
    }
    if unet.classes is not None:
        seen = ours["time.label.weight"][unet.classes if label is None else label]
        theirs["time_embedding.linear_2.bias"] = theirs["time_embedding.linear_2.bias"] + seen
    theirs["time_embedding.linear_1.weight"] = _later(ours["time.first.weight"], features.frequencies, 1)
    theirs["time_embedding.linear_1.bias"] = ours["time.first.bias"]
    for kind in ("weight", "bias"):
        rows = ours[f"time.project.{kind}"].split([n for n in unet.time.shifts if n])
        theirs |= {f"{name}.time_emb_proj.{kind}": part for name, part in zip(layout.blocks, rows, strict=True)}
        for own, name in layout.attention.items():
            theirs[f"{name}.group_norm.{kind}"] = ours[f"{own}.norm.{kind}"]
            theirs[f"{name}.to_out.0.{kind}"] = _linear(ours[f"{own}.out.{kind}"])
            parts = _linear(ours[f"{own}.qkv.{kind}"]).chunk(3)
            theirs |= {f"{name}.to_{part}.{kind}": value for part, value in zip("qkv", parts, strict=True)}
    return {name: value.contiguous().clone() for name, value in theirs.items()}


def to_ours(theirs: dict[str, Tensor], options: Mapping[str, Any], cosine_first: bool) -> dict[str, Tensor]:
    """Our state from theirs.

    Args:
        theirs: their state.
        options: of our network.
        cosine_first: whether theirs puts the cosines of the time before the sines.

    Raises:
        DataError: a weight is missing, or one too many, or of another shape.
    """
    with torch.device("meta"):
        unet = UNet(**options)
    layout = _layout(unet)
    features = SinusoidalFeatures(options["channels"], shift=options["frequency_shift"])
    theirs = {_present_name(name): value.float() for name, value in theirs.items()}
    try:
        ours = {
            f"{own}.{kind}": theirs.pop(f"{name}.{kind}")
            for own, name in layout.plain.items()
            for kind in ("weight", "bias")
        }
        first = theirs.pop("time_embedding.linear_1.weight")
        if cosine_first:
            first = first.roll(first.shape[1] // 2, dims=1)
        ours["time.first.weight"] = _later(first, features.frequencies, -1)
        ours["time.first.bias"] = theirs.pop("time_embedding.linear_1.bias")
        for kind in ("weight", "bias"):
            rows = [theirs.pop(f"{name}.time_emb_proj.{kind}") for name in layout.blocks]
            ours[f"time.project.{kind}"] = torch.cat(rows)
            for own, name in layout.attention.items():
                ours[f"{own}.norm.{kind}"] = theirs.pop(f"{name}.group_norm.{kind}")
                ours[f"{own}.out.{kind}"] = theirs.pop(f"{name}.to_out.0.{kind}")
                ours[f"{own}.qkv.{kind}"] = torch.cat([theirs.pop(f"{name}.to_{part}.{kind}") for part in "qkv"])
        if unet.classes is not None:
            labels = theirs.pop("class_embedding.weight")
            ours["time.label.weight"] = torch.cat([labels, torch.zeros_like(labels[:1])])
    except KeyError as error:
        raise DataError(f"The weights do not fit their config.json: {error.args[0]} is missing.") from error
    if theirs:
        raise DataError(f"The weights do not fit their config.json: nothing asks for {min(theirs)}.")
    for name, value in unet.state_dict().items():
        if ours[name].numel() != value.numel():
            raise DataError(
                f"The weights do not fit their config.json: {name} should have the shape {tuple(value.shape)}, "
                f"and has {tuple(ours[name].shape)}."
            )
        ours[name] = ours[name].reshape(value.shape)  # (out, in) to (out, in, 1, 1) in attention
    return ours


def _later(weight: Tensor, frequencies: Tensor, steps: int) -> Tensor:
    """Weights (out, [sin, cos]) that make of step k what these made of step k + `steps`."""
    sine, cosine = weight.double().chunk(2, dim=1)
    angle = steps * frequencies.double()
    # sin(k f + a) = sin(k f) cos a + cos(k f) sin a, and cos(k f + a) = cos(k f) cos a - sin(k f) sin a
    turned = [sine * angle.cos() - cosine * angle.sin(), sine * angle.sin() + cosine * angle.cos()]
    return torch.cat(turned, dim=1).to(weight.dtype)


def _linear(value: Tensor) -> Tensor:
    """A 1 x 1 convolution's weight as that of a linear layer, (out, in); a bias as it is."""
    return value.reshape(value.shape[:2])


def _present_name(name: str) -> str:
    """What the layers of attention are called now, from what they were called in old checkpoints."""
    if ".attentions." not in name:
        return name
    layer, kind = name.rsplit(".", 1)
    place, _, last = layer.rpartition(".")
    return f"{place}.{_FORMER.get(last, last)}.{kind}"
