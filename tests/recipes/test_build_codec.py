"""Recipes of codecs, and of diffusions on their codes."""

import pytest
import torch

from unveil.core.errors import ConfigError
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.recipes.build_parts import build_network
from unveil.recipes.codec import RefinerSpec


def test_the_rows_of_the_codec_table_differ_in_the_quantizer_only():
    rows = [resolve(f"mcm-codec-{row}") for row in ("vq-8-8-8", "pq-32-8-8", "opq-32-8-8", "rq-32-8-8")]
    assert [row.model.layout().ratio for row in rows] == [64, 32, 32, 32]
    for row in rows:
        same = row.model.model_copy(update={"name": rows[0].model.name})
        assert row.model_copy(update={"model": same, "name": rows[0].name}) == rows[0]


def test_codes_of_churches_have_a_network_of_the_size_of_the_papers():
    spec = resolve("church-codec-categorical").model
    planes = spec.codec.layout().planes
    with torch.device("meta"):
        network = build_network(spec.network, 2 * planes, outputs=256 * planes)
        refiner = build_network(RefinerSpec().network, 3)
    assert 45e6 < sum(parameter.numel() for parameter in network.parameters()) < 55e6
    assert 1.5e6 < sum(parameter.numel() for parameter in refiner.parameters()) < 1.8e6


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.codec.ordered=false"], "continuous codes need a codec that is ordered"),
        (["model.codes=categorical"], "leave refiner out"),
        (["model.codec.name=OPQ-25"], "do not divide into codes of 6"),
        (["model.codec.name=JPEG"], "names no codec"),
        (["model.network.embedding=fourier"], "network.embedding is sinusoidal"),
        (["sampling.sampler=heun"], "codes are sampled by ancestral or ddim"),
        (["sampling.steps=300"], "of which there are 200"),
        (["model.refiner.share=0"], "it must be above 0"),
        (["model.schedule.kind=geometric-ve"], "model.schedule.kind is 'geometric-ve'"),
    ],
)
def test_a_diffusion_on_codes_refuses_what_cannot_work(overrides, said):
    with pytest.raises(ConfigError, match=said):
        resolve("fashion-codec-continuous", overrides)


def test_a_codec_is_for_pictures_of_its_colours():
    with pytest.raises(ConfigError, match="for grey and the pictures are colour"):
        build_model(resolve("fashion-codec-categorical"), (3, 32, 32))
