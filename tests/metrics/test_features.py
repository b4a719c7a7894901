import hashlib

import pytest
import torch
from torch import nn

import unveil.metrics.feature_space
from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.metrics import PIXELS, Features, FeatureSpace, cache_folder, extract_features
from unveil.metrics.features import round_to_levels


class Counting(nn.Module):
    """A network that counts how many images it has seen."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.body, self.head = nn.Linear(12, 5), nn.Linear(5, 2)
        self.drop = nn.Dropout(0.5)
        self.seen = 0

    def features(self, x):
        self.seen += len(x)
        assert torch.is_inference_mode_enabled()
        return self.drop(self.body(x.flatten(1)))

    def forward(self, x):
        return self.head(self.features(x))


class Pictures:
    """A data set with a fingerprint."""

    def __init__(self, x, fingerprint="abc"):
        self.x, self.fingerprint = x, fingerprint

    def __len__(self):
        return len(self.x)

    def batch(self, index, generator=None):
        return self.x[list(index)], {}


def images(n=10, seed=0):
    return torch.rand(n, 3, 2, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_features_are_the_networks_in_order_and_at_rest():
    net, x = Counting(), images()
    net.body.eval()  # a part that rests already must not be woken
    found = extract_features(FeatureSpace.of(net, "toy"), x, split="test", levels=None, batch_size=4)
    torch.testing.assert_close(found.values, net.body(x.flatten(1)).detach())
    assert (net.training, net.drop.training, net.body.training) == (True, True, False)
    assert (found.split, found.preprocessing) == ("test", "3x2x2, not rounded")
    assert not found.values.is_inference()


def test_logits_come_from_calling_the_network():
    net, x = Counting(), images()
    space = FeatureSpace.of(net, "toy", output="logits")
    found = extract_features(space, x, split="test", levels=None)
    torch.testing.assert_close(found.values, net.head(net.body(x.flatten(1))).detach())
    assert found.space.name.endswith(":logits")


def test_a_network_may_answer_with_features_and_logits_at_once():
    def both(x):
        return (x.flatten(1), x.mean((2, 3)))

    for output, size in (("features", 12), ("logits", 3)):
        found = extract_features(FeatureSpace("both", both, output), images(), split="test")
        assert found.values.shape == (10, size)


def test_pixels_are_the_images_rounded_as_a_file_would():
    x = images() * 1.5
    found = extract_features(PIXELS, x, split="generated", preprocessing="as drawn")
    levels = (found.values + 1) * 127.5
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert found.values.abs().max() <= 1
    assert (found.values - x.clamp(-1, 1).flatten(1)).abs().max() <= 1 / 255 + 1e-6
    torch.testing.assert_close(round_to_levels(round_to_levels(x, 17), 17), round_to_levels(x, 17))
    assert found.preprocessing == "as drawn, 3x2x2, rounded to 256 levels in [-1, 1]"


def test_a_network_is_named_after_its_weights():
    first, again, other = (FeatureSpace.of(Counting(seed), "toy") for seed in (0, 0, 1))
    assert first.name == again.name == f"toy@{first.digest[:8]}"
    assert other.name != first.name
    assert (
        FeatureSpace.of(nn.Sequential(nn.ReLU()), "f").digest != FeatureSpace.of(nn.Sequential(nn.Tanh()), "f").digest
    )


def test_only_the_published_file_makes_the_published_space(tmp_path, monkeypatch):
    file = tmp_path / "weights.pth"
    file.write_bytes(b"not the published weights")
    assert not FeatureSpace.of(Counting(), "inception", weights=file).published
    published = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(unveil.metrics.feature_space, "PUBLISHED_INCEPTION", published)
    space = FeatureSpace.of(Counting(), "inception", weights=file)
    assert (space.published, space.name) == (True, "inception-2015-12-05")
    with pytest.raises(DataError, match=r"nowhere\.pth"):
        FeatureSpace.of(Counting(), "inception", weights=tmp_path / "nowhere.pth")


@pytest.mark.parametrize("wrap", [lambda x: x, Pictures])
def test_the_cache_hits_when_nothing_changed(wrap, tmp_path):
    net, x = Counting(), images()

    def take():
        return extract_features(FeatureSpace.of(net, "toy"), wrap(x), split="test", cache=tmp_path)

    first = take()
    assert net.seen == 10
    torch.testing.assert_close(take().values, first.values, rtol=0, atol=0)
    assert net.seen == 10
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_the_cache_misses_when_anything_changed(tmp_path):
    net, x = Counting(), images()

    def seen(space=None, data=None, **options):
        net.seen = 0
        data = Pictures(x) if data is None else data
        extract_features(space or FeatureSpace.of(net, "toy"), data, split="test", cache=tmp_path, **options)
        return net.seen

    assert seen() == 10
    assert seen() == 0
    assert seen(data=Pictures(x, "def")) == 10
    assert seen(preprocessing="centre crop") == 10
    assert seen(levels=None) == 10
    assert seen(levels=17) == 10
    assert seen(index=range(5)) == 5
    assert seen(index=range(5)) == 0
    assert seen(space=FeatureSpace.of(net, "toy", output="logits")) == 10
    with torch.no_grad():
        net.body.bias += 1
    assert seen() == 10
    changed = x.clone()
    changed[4] *= 0.5
    assert seen(data=x) == 10
    assert seen(data=changed) == 10
    assert seen(data=changed) == 0


def test_damaged_features_are_computed_again(tmp_path):
    net, x = Counting(), images()

    def take():
        return extract_features(FeatureSpace.of(net, "toy"), x, split="test", cache=tmp_path)

    first = take()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.warns(UserWarning, match="damaged"):
        again = take()
    torch.testing.assert_close(first.values, again.values)
    assert net.seen == 20
    take()
    assert net.seen == 20


def test_a_folder_that_refuses_is_only_warned_of(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.warns(UserWarning, match="could not be kept"):
        found = extract_features(FeatureSpace.of(Counting(), "toy"), images(), split="test", cache=file / "below")
    assert len(found) == 10


def test_what_has_no_digest_is_not_kept(tmp_path):
    extract_features(PIXELS, images(), split="test", cache=tmp_path)
    extract_features(FeatureSpace("mean", lambda x: x.mean((2, 3))), images(), split="test", cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("UNVEIL_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "features"
    monkeypatch.delenv("UNVEIL_CACHE")
    assert cache_folder().parts[-3:] == (".cache", "unveil", "features")


def test_progress_is_told():
    told = []
    extract_features(PIXELS, images(10), split="test", batch_size=4, progress=lambda *at: told.append(at))
    assert told == [(4, 10), (8, 10), (10, 10)]


def test_some_rows_can_be_taken():
    whole = Features(torch.arange(20.0).reshape(10, 2), PIXELS, "test", "none")
    part = whole.take(4)
    assert len(part) == 4
    assert {tuple(row) for row in part.values.tolist()} <= {tuple(row) for row in whole.values.tolist()}
    torch.testing.assert_close(whole.take(4).values, part.values)
    with pytest.raises(ConfigError, match="1 to 10"):
        whole.take(11)


def test_mistakes_are_explained():
    with pytest.raises(DataError, match="no images"):
        extract_features(PIXELS, torch.zeros(0, 1, 2, 2), split="test")
    with pytest.raises(DataError, match="uint8"):
        extract_features(PIXELS, torch.zeros(2, 1, 2, 2, dtype=torch.uint8), split="test")
    with pytest.raises(ConfigError, match="2 or more"):
        extract_features(PIXELS, images(), split="test", levels=1)
    with pytest.raises(ShapeError, match="one row of features per image"):
        extract_features(FeatureSpace("map", lambda x: x), images(), split="test")
    with pytest.raises(DataError, match="2 of 4 rows"):
        Features(torch.tensor([[1.0], [torch.nan], [2.0], [torch.inf]]), PIXELS, "generated", "none")
    with pytest.raises(ConfigError, match="in one space"):
        Features(torch.zeros(3, 2), PIXELS, "a", "b").against(Features(torch.zeros(3, 4), PIXELS, "a", "b"))


def test_maps_of_one_pixel_are_rows():
    found = extract_features(FeatureSpace("pool", lambda x: x.mean((2, 3), keepdim=True)), images(), split="test")
    assert found.values.shape == (10, 3)
