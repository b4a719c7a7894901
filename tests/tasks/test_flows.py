"""Runs of flows: trained, resumed, sampled, asked how likely pictures are, and what small ones look like large."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

import unveil
from unveil.cli.app import run as command
from unveil.core.errors import ConfigError, ShapeError
from unveil.models.multires_cnf import MultiResolutionCNF
from unveil.tasks.run import read_recipe
from unveil.tasks.sample import sample


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "flow", recipe="digits-mrcnf", steps=4)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_a_run_of_a_flow_comes_back(flow):
    again = unveil.load(flow.path)
    assert same(again.model, flow.model)
    assert bool(again.model.flow(1).settled)
    assert read_recipe(flow.path).model.resolutions == 2


def test_stages_go_on_where_they_stopped(tmp_path, flow):
    """Interrupted in the second of its two stages, a run ends with the weights of one that was not."""
    whole = tiny_run(tmp_path / "whole", recipe="digits-mrcnf", steps=6, overrides=["training.save_every=2"])
    learn, seen = MultiResolutionCNF.moves, []

    def killed(self, batch, resolutions):
        seen.append(tuple(resolutions))
        if seen.count((1,)) == 4:
            raise KeyboardInterrupt
        return learn(self, batch, resolutions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MultiResolutionCNF, "moves", killed)
        with pytest.raises(KeyboardInterrupt):
            tiny_run(tmp_path / "cut", recipe="digits-mrcnf", steps=6, overrides=["training.save_every=2"])
    resumed = tiny_run(
        tmp_path / "cut", recipe="digits-mrcnf", steps=6, overrides=["training.save_every=2"], resume=True
    )
    assert same(resumed.model, whole.model)


def test_samples_of_a_flow(flow):
    x = sample(flow, 5, batch=2)
    assert x.shape == (5, 1, 8, 8)
    torch.testing.assert_close(((x + 1) * 8).round() / 8 - 1, x, rtol=0, atol=1e-6)  # 17 levels
    cold = sample(flow, 2, temperature=0.0)
    assert torch.equal(cold[0], cold[1])


@pytest.mark.parametrize("options", [{"steps": 5}, {"sampler": "ddim"}, {"guidance": 2.0}])
def test_a_flow_takes_no_walk(flow, options):
    with pytest.raises(ConfigError, match=f"takes no {next(iter(options))}"):
        sample(flow, 1, **options)


def test_likelihoods_of_a_flow(flow):
    bits = unveil.likelihood(flow, "digits", n=4, seed=1, batch=4)
    torch.testing.assert_close(
        unveil.likelihood(flow, "digits", n=4, seed=1, batch=1).each, bits.each, atol=1e-3, rtol=0
    )
    assert bits.complexity is None
    with pytest.raises(ConfigError, match="formats="):
        _ = bits.strangeness
    many = unveil.likelihood(flow, "digits", n=4, draws=3)
    assert float((many.each - bits.each).abs().max()) < 2
    x = unveil.open_images("digits", split="all").batch(range(4))[0]
    mine = flow.model.bits_per_dim(x, generator=unveil.Streams(1, 4), trace="hutchinson")
    torch.testing.assert_close(mine, bits.each, rtol=0, atol=1e-4)


def test_pixels_of_other_levels_are_brought_to_those_that_the_run_knows(flow, tmp_path):
    numbers = np.random.default_rng(0).integers(0, 17, (6, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "fine.npy", (numbers * 15).astype(np.uint8))  # 255 / 16 is nearly 16: the same levels again
    found = unveil.likelihood(flow, tmp_path / "fine.npy", n=3)
    coarse = torch.from_numpy((numbers[:3, None] * 15 / 255 * 16).round()).float() / 8 - 1
    mine = flow.model.bits_per_dim(coarse, generator=unveil.Streams(0, 3), trace="hutchinson")
    torch.testing.assert_close(found.each, mine, rtol=0, atol=1e-4)


def test_strangeness_is_what_a_file_does_not_explain(flow):
    with pytest.warns(UserWarning, match="smaller than the headers"):
        bits = unveil.likelihood(flow, "digits", n=4, formats=("png",))
    torch.testing.assert_close(bits.strangeness + bits.complexity, bits.each)
    shuffled = unveil.likelihood(flow, "digits", n=4, shuffle=1)
    assert "squares of 1 shuffled" in shuffled.measure.preprocessing
    for options in ({"shuffle": 0}, {"draws": 0}, {"split": "some"}):
        with pytest.raises(ConfigError):
            unveil.likelihood(flow, "digits", n=4, **options)


def test_a_flow_enlarges_what_was_downsampled(flow):
    picture = unveil.open_images("digits", split="test").batch([3])[0][0]
    found = unveil.restore(flow, picture, "downsample:2", degrade=True)
    assert found.image.shape == (1, 8, 8)
    assert found.psnr is not None
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(found.image, 2), found.measured[0], rtol=0, atol=2.1 / 16)
    again = unveil.restore(flow, picture, "downsample:2", degrade=True)
    assert torch.equal(found.image, again.image)
    cold = unveil.restore(flow, picture, "downsample:2", degrade=True, temperature=0.0)
    assert not torch.equal(cold.image, found.image)


@pytest.mark.parametrize(
    ("operator", "options", "said"),
    [
        ("downsample:4", {}, "enlarges by downsample:2; 'downsample:4' is beyond it"),
        ("downsample:2,noise:0.1", {}, "restores nothing else"),
        ("grayscale", {}, "restores nothing else"),
        ("downsample:2", {"solver": "ddrm"}, "takes no solver"),
        ("downsample:2", {"window": 64}, "takes no window"),
        ("downsample:2", {"steps": 3}, "takes no steps; leave them out"),
    ],
)
def test_a_flow_restores_nothing_else(flow, operator, options, said):
    picture = unveil.open_images("digits", split="test").batch([3])[0][0]
    with pytest.raises(ConfigError) as caught:
        unveil.restore(flow, picture, operator, degrade=True, **options)
    assert said in str(caught.value)
    with pytest.raises(ShapeError):
        unveil.restore(flow, picture.repeat(3, 1, 1), "downsample:2", degrade=True)


def test_the_commands(flow, tmp_path, capsys):
    def done(*arguments):
        code = command([str(word) for word in arguments])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    done("sample", flow.path, "-n", 4, "--temperature", 0.7, "--out", tmp_path / "four.png")
    small = tmp_path / "small.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 5), dtype=np.uint8)).save(small)
    done("restore", flow.path, small, "--operator", "downsample:2", "--out", tmp_path / "large.png")
    assert Image.open(tmp_path / "large.png").size == (10, 12)
    figures = ("--out", tmp_path / "bits.json")
    said = done("likelihood", flow.path, "digits", "digits", "-n", 3, "--split", "test", "--ood", *figures)
    assert len(said.splitlines()[0].split("\t")) == 4
    assert "area under the curve 0.500 by bits, 0.500 beyond" in said.replace("\n", " ")
    assert json.loads((tmp_path / "bits.json").read_text())[1]["area"] == {"by bits": 0.5, "beyond a file's": 0.5}
    assert (
        command(["restore", str(flow.path), str(small), "--operator", "blur:box:3", "--out", str(tmp_path / "no.png")])
        == 2
    )
