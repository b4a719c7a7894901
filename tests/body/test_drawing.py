"""Pictures: what is nearest is seen, light comes from above, and the figure fills the picture."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from unveil.body import Figure, bones_figure, draw, in_a_row
from unveil.body.drawing.raster import rasterize
from unveil.core.errors import ConfigError, ShapeError


def test_triangles_cover_the_pixels_whose_centres_they_hold():
    points = np.array([[0.0, 0.0], [0.0, 8.0], [8.0, 0.0]])
    shown = rasterize(points, np.ones(3), np.array([[0, 1, 2]]), 10, 10)
    rows, columns = np.mgrid[:10, :10]
    np.testing.assert_array_equal(shown.face == 0, rows + columns + 1 <= 8)
    drawn = shown.face >= 0
    places = np.einsum("nk,kx->nx", shown.share[drawn], points)
    np.testing.assert_allclose(places, np.stack([columns, rows], -1)[drawn] + 0.5, atol=1e-9)


def test_the_nearest_triangle_is_seen_and_backs_are_not():
    points = np.array([[0.0, 0.0], [0.0, 20.0], [20.0, 0.0]] * 2)
    near = np.array([1.0, 1, 1, 2, 2, 2])
    for faces in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        shown = rasterize(points, near, np.array(faces), 8, 8)
        assert (np.array(faces)[shown.face][..., 0] == 3).all()
    assert (rasterize(points, near, np.array([[0, 2, 1]]), 8, 8).face == -1).all()


def test_many_triangles_are_drawn_as_few_at_a_time(monkeypatch):
    random = np.random.default_rng(0)
    points, near = random.uniform(-5, 45, (300, 2)), random.random(300)
    faces = random.integers(0, 300, (200, 3))
    whole = rasterize(points, near, faces, 40, 40)
    monkeypatch.setattr("unveil.body.drawing.raster._CANDIDATES", 500)
    parts = rasterize(points, near, faces, 40, 40)
    np.testing.assert_array_equal(whole.near, parts.near)
    np.testing.assert_array_equal(whole.face, parts.face)


def ball(colour, place=(0.0, 1.0, 0.0)):
    angles = torch.linspace(0, 2 * torch.pi, 33)[:-1]
    heights = torch.linspace(-torch.pi / 2, torch.pi / 2, 17)
    rings = torch.stack([torch.outer(heights.cos(), angles.sin()), heights.sin()[:, None].expand(-1, 32),
                         torch.outer(heights.cos(), angles.cos())], -1)  # fmt: skip
    index = torch.arange(17 * 32).reshape(17, 32)
    a, b, c, d = index[:-1], index[:-1].roll(-1, 1), index[1:].roll(-1, 1), index[1:]
    faces = torch.cat([torch.stack([a, b, c], -1).reshape(-1, 3), torch.stack([a, c, d], -1).reshape(-1, 3)])
    return Figure(rings.reshape(-1, 3) * 0.5 + torch.tensor(place), faces, colour)


def test_a_ball_is_drawn_round_lit_from_above_and_in_its_colour():
    picture = draw(ball((0.9, 0.1, 0.1)), height=96, width=96)
    assert picture.shape == (3, 96, 96)
    assert picture.dtype == torch.float32
    assert -1 <= picture.min() <= picture.max() <= 1
    red = picture[0] - picture[2] > 0.3
    rows, columns = red.any(1).nonzero(), red.any(0).nonzero()
    height, width = (int(x.max() - x.min()) + 1 for x in (rows, columns))
    assert abs(height - width) <= 3  # round
    assert 75 <= max(height, width) <= 92  # it fills the picture
    middle = picture[0, :, 48]
    top, bottom = int(rows.min()) + 8, int(rows.max()) - 8
    assert middle[top] > middle[bottom] + 0.2
    assert picture[:, 0].min() > 0.99  # white above


def test_what_stands_in_front_hides_what_is_behind():
    front, back = ball((0.1, 0.1, 0.9), (0.0, 1.0, 2.0)), ball((0.9, 0.1, 0.1))
    picture = draw([back, front], height=64, width=64, turn=0, tilt=0)
    assert picture[2, 32, 32] > picture[0, 32, 32] + 0.3
    behind = draw([back, front], height=64, width=64, turn=180, tilt=0)
    assert behind[0, 32, 32] > behind[2, 32, 32] + 0.3


def test_figures_in_a_row_stand_beside_one_another(body):
    figures = in_a_row([Figure(body.rest_vertices(gender=g), body.faces) for g in (0, 1, 2)], gap=0.3, turn=0)
    for left, right in pairwise(figures):
        assert right.vertices[:, 0].min() - left.vertices[:, 0].max() == pytest.approx(0.3, abs=1e-4)
    assert all(abs(float(figure.vertices[:, 1].min())) < 1e-5 for figure in figures)


def test_a_body_and_its_bones_are_drawn(body):
    skeleton = body.skeleton()
    bones = bones_figure(skeleton, skeleton.positions, skeleton.rotations)
    figures = in_a_row([Figure(body.rest_vertices(), body.faces), bones])
    picture = draw(figures, height=80)
    assert picture.shape[1] == 80 < picture.shape[2]
    assert float((picture.amin(0) < 0.5).float().mean()) > 0.05


def test_what_cannot_be_drawn_is_refused(body):
    figure = Figure(body.rest_vertices(), body.faces)
    with pytest.raises(ConfigError, match="no figure"):
        draw([])
    with pytest.raises(ConfigError, match="at most 4096"):
        draw(figure, height=10_000)
    with pytest.raises(ConfigError, match="height is 0"):
        draw(figure, height=0)
    with pytest.raises(ConfigError, match="tilt is 90"):
        draw(figure, tilt=90)
    with pytest.raises(ShapeError, match="one pose of a surface"):
        Figure(body.template, body.faces)
    with pytest.raises(ConfigError, match="not finite"):
        Figure(figure.vertices * float("nan"), body.faces)
