import numpy as np
import pytest
import torch

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import Streams
from unveil.data import MovingDigits, check_source, open_videos
from unveil.data.moving_digits import digit_sprites
from unveil.data.sources import Source


def dots(side=32, **options):
    """Sprites that are white all over."""
    return MovingDigits(np.full((3, side, side), 255, np.uint8), **options)


def test_the_statistics_of_20000_flights():
    flight = dots(frames=15, digits=1, count=20_000).fly(range(20_000))
    hit = flight.bounced.any(-1)[:, :, 0]
    assert hit[:, 0].sum() == 0
    assert hit[:, 1:].mean() == pytest.approx(0.125, abs=0.004)
    assert hit[:, 1].mean() == pytest.approx(0.137, abs=0.008)
    assert hit[:, 10].mean() == pytest.approx(0.119, abs=0.008)
    assert (~hit.any(1)).mean() == pytest.approx(0.071, abs=0.006)
    steps = np.abs(np.diff(flight.position[:, :, 0], axis=1))
    assert steps.mean() == pytest.approx(1.92, abs=0.03)
    assert flight.position.mean() == pytest.approx(15.5, abs=0.15)
    assert 9.2 < flight.position[:, :, 0].std((0, 1)).min() < flight.position[:, :, 0].std((0, 1)).max() < 9.8


def test_corners_stay_in_their_room_and_reach_its_last_place():
    place = dots(frames=15, count=2000).fly(range(2000)).position
    assert (place.min(), place.max()) == (0, 31)


def step_by_step(flight, clip, digit, room, stochastic):
    """The rules told one after another: what each frame must be, given the one before and what was drawn."""
    place, speed = flight.position[clip, :, digit], flight.velocity[clip, :, digit]
    for t in range(1, len(place)):
        wanted = place[t - 1] + speed[t - 1]
        moving = speed[t - 1].copy()
        assert (place[t] == wanted.clip(0, room - 1)).all()
        met = (wanted < 0) | (wanted >= room)
        assert (met == flight.bounced[clip, t, digit]).all()
        for axis in (0, 1):
            if met[axis] and not stochastic:
                moving[axis] = -moving[axis]
        if not met.any() or not stochastic:
            assert (speed[t] == moving).all()
        elif met.tolist() == [True, False]:
            assert (speed[t, 0] > 0) == (wanted[0] < 0)
            assert 1 <= abs(speed[t, 0]) <= 4
        else:  # the wall of the columns comes last, and decides
            assert (speed[t, 1] > 0) == (wanted[1] < 0)
            assert 1 <= abs(speed[t, 1]) <= 4


@pytest.mark.parametrize("stochastic", [True, False])
def test_every_frame_follows_from_the_one_before(stochastic):
    flight = dots(frames=30, stochastic=stochastic).fly(range(40))
    for clip in range(40):
        for digit in (0, 1):
            step_by_step(flight, clip, digit, 32, stochastic)
    if not stochastic:
        assert (np.abs(flight.velocity) == np.abs(flight.velocity[:, :1])).all()


def test_a_clip_is_named_by_its_index_alone():
    digits = open_videos("moving-digits", frames=6, size=32)
    assert digits.shape == (6, 1, 32, 32)
    x, known = digits.batch([5, 70_000, 5])
    assert known == {}
    assert torch.equal(x[0], x[2])
    assert torch.equal(x[1:2], digits.batch([70_000])[0])
    assert torch.equal(x, digits.batch([5, 70_000, 5], Streams(3, 3))[0])
    longer = open_videos("moving-digits", frames=9, size=32).batch([5])[0]
    assert torch.equal(longer[0, :6], x[0])
    assert (x.min(), x.max()) == (-1, 1)


def test_pixels_are_sprites_at_their_places_added_and_clipped():
    sprites = np.random.default_rng(0).integers(0, 256, (4, 5, 5), np.uint8)
    digits = MovingDigits(sprites, size=12, frames=7, digits=3, speed=3)
    x = digits.batch(range(8))[0]
    flight = digits.fly(range(8))
    for clip in range(8):
        for t in range(7):
            canvas = np.zeros((12, 12), int)
            for digit in range(3):
                top, left = flight.position[clip, t, digit]
                canvas[top : top + 5, left : left + 5] += sprites[flight.sprite[clip, digit]]
            expected = torch.from_numpy(canvas.clip(0, 255)).float() / 127.5 - 1
            torch.testing.assert_close(x[clip, t, 0], expected)


def test_strides_show_every_so_many_frames():
    sprites = digit_sprites(None, 8)
    fine = MovingDigits(sprites, 16, 13, speed=1).batch(range(6))[0]
    assert torch.equal(MovingDigits(sprites, 16, 5, speed=1, strides=(3,)).batch(range(6))[0], fine[:, ::3])
    x, known = MovingDigits(sprites, 16, 4, speed=1, strides=(2, 4)).batch(range(6), Streams(1, 6))
    assert set(known["stride"].tolist()) == {1, 2}  # in units of the smaller one
    for row, stride in enumerate(known["stride"].tolist()):
        assert torch.equal(x[row], fine[row, :: 2 * stride][:4])


def test_training_and_test_clips_show_other_digits():
    train, test = (open_videos("moving-digits", frames=3, size=32, split=split) for split in ("train", "test"))
    assert len(train.sprites) + len(test.sprites) == 1797
    assert not torch.equal(train.batch([0])[0], test.batch([0])[0])
    assert train.fingerprint != test.fingerprint
    assert len(open_videos("moving-digits", frames=3, size=32, limit=7)) == 7


def test_other_digits_are_named_behind_a_colon(tmp_path, draw):
    for i in range(6):
        draw(tmp_path / "own" / f"{i}.png", 6, 6, 1)
    assert check_source(f"moving-digits:{tmp_path / 'own'}") == Source(
        "moving-digits", "moving-digits", tmp_path / "own"
    )
    clips = open_videos(f"moving-digits:{tmp_path / 'own'}", frames=3, size=12)
    assert clips.sprites.shape[1:] == (6, 6)
    with pytest.raises(DataError, match="needs the place of the digits"):
        check_source("moving-digits:")
    with pytest.raises(DataError, match="does not name pictures on disk"):
        check_source("moving-digits:digits")
    with pytest.raises(DataError, match="There is no file"):
        check_source(f"moving-digits:{tmp_path / 'gone'}")


def test_mnist_moves(real):
    clips = open_videos(f"moving-digits:{real('mnist')}", frames=5, size=64, split="test")
    assert clips.sprites.shape == (10_000, 32, 32)
    assert clips.sprites.mean() / 255 == pytest.approx(0.1325, abs=0.005)  # of MNIST's test part; enlarging keeps it


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (32, 16)}, "fly on a square"),
        ({"size": 4}, "8 pixels or more"),
        ({"flip": True}, "flip has no meaning"),
        ({"crop": "random"}, "crop has no meaning"),
        ({"split": "all"}, "made for training and for testing apart"),
        ({"frames": 0}, "frames is 0"),
    ],
)
def test_options_that_say_nothing_of_digits(options, message):
    with pytest.raises(ConfigError, match=message):
        open_videos("moving-digits", **{"frames": 3} | options)


@pytest.mark.parametrize("options", [{"size": 33}, {"digits": 0}, {"speed": 32}, {"frames": 1.5}])
def test_flights_that_cannot_be(options):
    with pytest.raises(ConfigError):
        dots(**options)


def test_indices_out_of_range():
    with pytest.raises(IndexError, match="leave 0"):
        dots(count=10).batch([10])


def test_as_many_digits_fly_as_are_asked_for(tmp_path):
    one, two = (
        open_videos("moving-digits", frames=2, size=16, digits=1),
        open_videos("moving-digits", frames=2, size=16),
    )
    assert (one.digits, two.digits) == (1, 2)
    light = [(clips.batch(range(200))[0] + 1).mean() for clips in (one, two)]
    assert light[0] < 0.7 * light[1]
    np.save(tmp_path / "clip.npy", np.zeros((4, 16, 16), np.uint8))
    with pytest.raises(ConfigError, match="moving-digits"):
        open_videos(tmp_path / "clip.npy", frames=2, digits=1)


def test_walls_may_throw_digits_back():
    thrown = open_videos("moving-digits", frames=30, size=32, digits=1, walls="mirror")
    flight = thrown.fly(range(20))
    assert (np.abs(flight.velocity) == np.abs(flight.velocity[:, :1])).all()
    x = (thrown.batch(range(20))[0][:, :, 0] + 1) / 2
    assert (x.min(), x.max()) == (0, 1)
    weight = x / x.sum((2, 3), keepdim=True)
    places = torch.arange(32.0)
    centre = torch.stack([(weight.sum(3) * places).sum(2), (weight.sum(2) * places).sum(2)], 2)
    moved = torch.from_numpy(np.diff(flight.position[:, :, 0], axis=1)).float()
    torch.testing.assert_close(centre.diff(dim=1), moved, rtol=0, atol=1e-3)
    assert open_videos("moving-digits", frames=3, size=32).stochastic
    with pytest.raises(ConfigError, match="chance or mirror"):
        open_videos("moving-digits", frames=3, walls="rubber")
    with pytest.raises(ConfigError, match="walls tells"):
        open_videos(np.zeros((4, 8, 8, 8), np.uint8), frames=3, walls="mirror")
