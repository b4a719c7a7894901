import pytest
import torch

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import Streams
from unveil.data.points import Points, open_points
from unveil.data.sources import Source, check_source


def test_points_stand_around_eight_centres():
    points = Points()
    x, cond = points.batch(range(len(points)))
    assert x.shape == (4000, 2)
    assert cond == {}
    torch.testing.assert_close(points.centres[1], torch.tensor([2**0.5, 2**0.5]))
    away = x - points.centres[torch.arange(4000) % 8]
    assert away.std().item() == pytest.approx(200**-0.5, rel=0.02)
    assert (away.norm(dim=1) < 3 * points.std).float().mean().item() == pytest.approx(0.989, abs=0.005)


def test_the_set_is_fixed_and_named_by_its_numbers():
    assert torch.equal(Points().points, Points().points)
    assert Points().fingerprint == Points().fingerprint != Points(seed=1).fingerprint
    assert torch.equal(Points().batch([5, 3])[0], Points().points[[5, 3]])


def test_fresh_points_are_others_of_the_same_kind():
    points = Points()
    x = points.draw(8000, Streams(1, 8000))
    nearest = torch.cdist(x, points.centres).min(1)
    assert (nearest.values < 3 * points.std).float().mean().item() == pytest.approx(0.989, abs=0.005)
    assert torch.bincount(nearest.indices).min() > 850
    assert torch.equal(points.draw(1, Streams(1, [7])), x[7:8])


def test_mistakes_are_explained():
    with pytest.raises(ConfigError, match="std > 0"):
        Points(std=0)
    with pytest.raises(IndexError, match=r"0..3999"):
        Points().batch([4000])


def test_points_are_opened_by_their_name():
    train, test = open_points("eight-gaussians"), open_points("eight-gaussians", split="test")
    assert train == Points()
    assert len(test) == 4000
    assert not torch.equal(test.points, train.points)
    assert torch.equal(open_points("eight-gaussians", limit=9).points, train.points[:9])
    assert check_source("eight-gaussians") == Source("points", "eight-gaussians")


def test_other_points_are_refused():
    with pytest.raises(DataError, match="no points called 'digits'; there are eight-gaussians"):
        open_points("digits")
    with pytest.raises(ConfigError, match="take train or test"):
        open_points("eight-gaussians", split="all")
