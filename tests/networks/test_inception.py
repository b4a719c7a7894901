"""The Inception graph: size, names, resizing and how its file is read; the true weights cannot be had here."""

import errno
import os
import pickle
import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from unveil.core.errors import DataError, ShapeError
from unveil.networks import inception
from unveil.networks.inception import Inception, load_inception


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = Inception().eval().requires_grad_(False)
    for name, weight in network.named_parameters():
        if name.endswith("conv.weight"):
            torch.nn.init.kaiming_normal_(weight, nonlinearity="relu")
    return network


def test_it_has_the_size_and_the_names_of_the_published_weights(network):
    # ImageNet's Inception-v3 without its side branch has 23,834,568 parameters, and 1000 classes.
    assert sum(weight.numel() for weight in network.parameters()) == 23_834_568 + 8 * 2049
    state = network.state_dict()
    convolutions = [name for name in state if name.endswith(".conv.weight")]
    assert len(convolutions) == 94
    assert len(state) == 94 * 6 + 2
    assert state["Conv2d_4a_3x3.conv.weight"].shape == (192, 80, 3, 3)
    assert state["Mixed_5b.branch_pool.bn.running_mean"].shape == (32,)
    assert state["Mixed_6c.branch7x7dbl_4.conv.weight"].shape == (160, 160, 7, 1)
    assert state["Mixed_7a.branch7x7x3_2.conv.weight"].shape == (192, 192, 1, 7)
    assert state["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)
    assert state["fc.weight"].shape == (1008, 2048)


def test_features_and_logits_of_any_size(network):
    features, logits = network(torch.rand(2, 1, 20, 33) * 2 - 1)
    assert features.shape == (2, 2048)
    torch.testing.assert_close(logits, features @ network.fc.weight.T)
    assert features.std() > 1e-3
    grey = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(network(grey)[0], network(grey.expand(1, 3, 16, 16))[0])
    with pytest.raises(ShapeError, match=r"\(B, 3, H, W\)"):
        network(torch.rand(1, 2, 16, 16))


def test_normalization_uses_stored_statistics_in_training_too(network):
    x = torch.rand(1, 3, 16, 16)
    expected = network(x)[0]
    network.train()
    torch.testing.assert_close(network(x)[0], expected)
    network.eval()


def test_resizing_is_that_of_the_first_tensorflow():
    ramp = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    wide = inception._resize(ramp, 8)[0, 0, 0]
    assert torch.equal(wide, torch.tensor([0, 0.5, 1, 1.5, 2, 2.5, 3, 3]))  # place i / 2, and the border held
    assert torch.equal(inception._resize(wide.view(1, 1, 1, 8).expand(1, 1, 8, 8), 4), ramp)  # every second, unsmoothed
    x = torch.rand(1, 3, 299, 299)
    torch.testing.assert_close(inception._resize(x, 299), x)


def test_means_leave_out_what_lies_beyond_the_border():
    assert torch.equal(inception._mean3(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 4, 4))


@pytest.mark.parametrize("counts", [False, True])
def test_weights_are_read_from_both_kinds_of_file(network, tmp_path, counts):
    weights = {name: value for name, value in network.state_dict().items() if counts or "num_batches" not in name}
    torch.save(weights, tmp_path / "inception.pth")
    save_file(weights, tmp_path / "inception.safetensors")
    x = torch.rand(1, 3, 16, 16)
    for kind in ("pth", "safetensors"):
        with pytest.warns(UserWarning, match="not byte for byte the published"):
            read = load_inception(tmp_path / f"inception.{kind}")
        assert not any(weight.requires_grad for weight in read.parameters())
        torch.testing.assert_close(read(x)[0], network(x)[0], atol=1e-4, rtol=1e-4)


def test_the_published_file_is_known_by_its_digest(network, tmp_path, monkeypatch):
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    digest = inception.hashlib.sha256((tmp_path / "inception.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "PUBLISHED", f"pt_inception-{digest[:8]}.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_inception(tmp_path / "inception.pth")


def test_other_files_are_refused(network, tmp_path):
    with pytest.raises(DataError, match="no file"):
        load_inception(tmp_path / "nowhere.pth")
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(print, protocol=2))
    with pytest.raises(DataError, match="cannot be read"):
        load_inception(path)
    path.with_suffix(".safetensors").write_bytes(b"short")
    with pytest.raises(DataError, match="cannot be read"):
        load_inception(path.with_suffix(".safetensors"))
    torch.save([torch.ones(2)], path)
    with pytest.raises(DataError, match="no plain table"):
        load_inception(path)
    torch.save({"fc.weight": torch.zeros(1000, 2048)}, path)
    with pytest.raises(DataError, match="torchvision's ImageNet weights are another"):
        load_inception(path)


def test_what_is_no_file_of_weights_gets_no_advice_of_torch(tmp_path):
    path = tmp_path / "picture.pth"
    path.write_bytes(b"\x89PNG and then nothing")
    with pytest.raises(DataError) as caught:
        load_inception(path)
    said = str(caught.value)
    assert "picture.pth cannot be read as weights" in said
    assert "weights_only" not in said
    assert said.count(". ") == 1  # two sentences
    assert caught.value.__suppress_context__


def test_a_file_that_may_not_be_read_is_not_said_to_be_missing(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"here")

    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(DataError, match=r"weights\.safetensors cannot be read: permission denied\."):
        load_inception(path)


def test_the_last_mixed_block_takes_a_maximum(network):
    x = torch.rand(1, 1280, 8, 8)
    block = network.Mixed_7b
    pooled = F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 1) / F.avg_pool2d(F.pad(torch.ones_like(x), (1, 1, 1, 1)), 3, 1)
    torch.testing.assert_close(block(x)[:, -192:], block.branch_pool(pooled))
    x = torch.rand(1, 2048, 8, 8)
    block = network.Mixed_7c
    torch.testing.assert_close(block(x)[:, -192:], block.branch_pool(F.max_pool2d(x, 3, 1, 1)))
