"""What single operators do to single images, and what they say of mistakes."""

import math

import pytest
import torch
from operators.cases import HOLES, SKEW, numbers

from unveil.core.errors import ConfigError, DivergenceError, ShapeError
from unveil.core.random import randn
from unveil.operators import (
    LUMA,
    Blur,
    Compose,
    Dense,
    Downsample,
    General,
    Grayscale,
    Identity,
    Mask,
    Sensing,
    SeparableBlur,
    Stack,
    box_kernel,
    check_adjoint,
    disk_kernel,
    gaussian_kernel,
    gaussian_profile,
    motion_kernel,
)

IMAGES = numbers(2, 3, 8, 12)


def spatial_convolution(x, kernel):
    """Circular convolution, tap by tap."""
    rows, columns = kernel.shape
    out = torch.zeros_like(x)
    for i in range(rows):
        for j in range(columns):
            out += kernel[i, j] * x.roll((i - rows // 2, j - columns // 2), (-2, -1))
    return out


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 4), (4, 5), (2, 2), (7, 12), (8, 1), (8, 12)])
def test_blur_is_circular_convolution_and_drops_no_tap(size):
    kernel = numbers(*size, seed=1)
    torch.testing.assert_close(Blur(kernel).forward(IMAGES), spatial_convolution(IMAGES, kernel))


def test_separable_blur_is_zero_padded_convolution():
    down, along = numbers(5, seed=1), numbers(4, seed=2)
    padded = torch.nn.functional.pad(IMAGES, (4, 4, 5, 5))
    expected = spatial_convolution(padded, torch.outer(down, along))[..., 5:-5, 4:-4]
    torch.testing.assert_close(SeparableBlur(down, along, (8, 12)).forward(IMAGES), expected)


def test_downsampling_averages_blocks_and_repeats_back():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    small = Downsample(2).forward(x)
    assert small.flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert Downsample(2).pinv(small)[0, 0, 0].tolist() == [2.5, 2.5, 4.5, 4.5]


def test_grey_is_the_mean_and_comes_back_in_every_channel():
    grey = Grayscale().forward(IMAGES)
    torch.testing.assert_close(grey, IMAGES.mean(1, keepdim=True))
    torch.testing.assert_close(Grayscale().pinv(grey), grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(Grayscale(LUMA).forward(torch.ones(1, 3, 2, 2)), torch.ones(1, 1, 2, 2))


def test_a_mask_of_whole_numbers_or_truths_will_do():
    keep = HOLES > 0
    x = IMAGES[..., :4, :6]
    torch.testing.assert_close(Mask(keep).forward(x), Mask(HOLES).forward(x))
    torch.testing.assert_close(Mask(keep.byte()).forward(x), Mask(HOLES).forward(x))


@pytest.mark.parametrize(
    ("operator", "norm"),
    [
        (Downsample(2), 0.5),
        (Downsample(4), 0.25),
        (Grayscale(), 0.57735),
        (Identity(), 1),
        (Mask(HOLES), 1),
        (Sensing((4, 8), 0.5), 1),
        (Blur(gaussian_kernel(1.0)), 1),
        (Compose(Blur(gaussian_kernel(0.3)), Downsample(2), Grayscale()), 0.288675),
    ],
)
def test_known_norms(operator, norm):
    assert operator.norm() == pytest.approx(norm, abs=1e-5)


def test_the_norm_of_a_sharpening_kernel_holds_for_every_size():
    blur = Blur(SKEW)
    for size in (8, 9, 32, 50):
        pixel = torch.zeros(size, size, dtype=torch.float64)
        pixel[0, 0] = 1
        assert float(torch.fft.fft2(blur.forward(pixel)).abs().max()) <= blur.norm() * (1 + 1e-4)


def test_power_iteration_finds_a_known_norm():
    doubling = General(lambda x: torch.cat((x, x), 1), (3, 4, 4))
    assert doubling.norm() == pytest.approx(math.sqrt(2), abs=1e-4)
    halving = General(Downsample(2).forward, (3, 8, 4))
    assert halving.norm() == pytest.approx(0.5, abs=1e-4)


def test_an_operator_of_ones_own_is_solved_like_ours():
    ours, own = Blur(SKEW), General(Blur(SKEW).forward, (2, 6, 8))
    v, y = randn((2, 2, 2, 6, 8), torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(own.prox(v, y, 3.0), ours.prox(v, y, 3.0), rtol=0, atol=1e-9)
    torch.testing.assert_close(own.pinv(y), ours.pinv(y), rtol=0, atol=1e-8)


def test_composition_acts_from_left_to_right_and_sees_through_itself():
    blur, small = Blur(gaussian_kernel(0.5)), Downsample(2)
    nested = Compose(Compose(blur, Identity()), Compose(small, Grayscale()))
    assert nested.operators[0] is blur
    torch.testing.assert_close(nested.forward(IMAGES), Grayscale().forward(small.forward(blur.forward(IMAGES))))
    y = nested.forward(IMAGES)
    torch.testing.assert_close(nested.adjoint(y), blur.adjoint(small.adjoint(Grayscale().adjoint(y))))


def test_a_stack_adds_adjoints_up():
    stack = Stack(Downsample(2), Grayscale(), shape=(3, 8, 12))
    y = stack.forward(IMAGES)
    small, grey = stack.split(y)
    torch.testing.assert_close(small, Downsample(2).forward(IMAGES))
    torch.testing.assert_close(grey, Grayscale().forward(IMAGES))
    torch.testing.assert_close(stack.adjoint(y), Downsample(2).adjoint(small) + Grayscale().adjoint(grey))
    later = Stack(Downsample(2), Grayscale(), shape=(3, 8, 12))
    torch.testing.assert_close(later.adjoint(y), stack.adjoint(y))


def test_equal_copies_stacked_weigh_double():
    v, y = IMAGES, randn((2, 1, 8, 12), torch.Generator().manual_seed(1), dtype=torch.float64)
    twice = Stack(Grayscale(), Grayscale(), shape=(3, 8, 12))
    both = torch.cat((y.flatten(1), y.flatten(1)), 1)
    torch.testing.assert_close(twice.prox(v, both, 2.0), Grayscale().prox(v, y, 4.0), rtol=0, atol=1e-10)


@pytest.mark.parametrize("transform", ["walsh-hadamard", "hartley"])
def test_sensing_everything_keeps_lengths_and_loses_nothing(transform):
    x = numbers(2, 3, 16, 32)
    whole = Sensing((16, 32), 1.0, transform=transform)
    y = whole.forward(x)
    assert y.shape == (2, 3, 512)
    torch.testing.assert_close(y.square().sum(), x.square().sum())
    torch.testing.assert_close(whole.adjoint(y), x)


def test_the_walsh_hadamard_transform_is_the_textbook_matrix():
    matrix = torch.tensor([[1.0]], dtype=torch.float64)
    while len(matrix) < 128:
        matrix = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64), matrix)
    sensing = Sensing((8, 16), 0.3, seed=3)
    expected = (matrix / math.sqrt(128))[sensing.rows] @ (sensing.signs.double() * numbers(8, 16).flatten())
    torch.testing.assert_close(sensing.forward(numbers(1, 1, 8, 16))[0, 0], expected)


def test_sensing_is_named_by_its_seed():
    one, same, other = Sensing((8, 8), 0.25, 1), Sensing((8, 8), 0.25, 1), Sensing((8, 8), 0.25, 2)
    assert len(one.rows) == 16
    assert torch.equal(one.rows, same.rows)
    assert torch.equal(one.signs, same.signs)
    assert not torch.equal(one.signs, other.signs)


def test_kernels_sum_to_one_about_their_middle():
    for kernel in (gaussian_kernel(1.3), box_kernel(5), disk_kernel(2.6), motion_kernel(7.5, 20), motion_kernel(0.3)):
        assert float(kernel.sum()) == pytest.approx(1)
        torch.testing.assert_close(kernel, kernel.flip((0, 1)), rtol=0, atol=1e-9)
        assert all(side % 2 for side in kernel.shape)


def test_kernels_have_the_right_shape():
    profile, places = gaussian_profile(2.0), torch.arange(-8, 9)
    assert float((profile * places**2).sum()) == pytest.approx(4, rel=0.01)
    torch.testing.assert_close(motion_kernel(5), torch.full((1, 5), 0.2, dtype=torch.float64))
    torch.testing.assert_close(motion_kernel(5, 90), torch.full((5, 1), 0.2, dtype=torch.float64))
    rising = motion_kernel(9, 45)
    assert float(rising[0, -1]) > 0 == float(rising[0, 0])  # rows count downwards, so a rising line ends top right
    assert float(disk_kernel(10).max()) == pytest.approx(1 / (math.pi * 100), rel=0.01)
    assert disk_kernel(10).shape == (21, 21)
    assert box_kernel((2, 3)).shape == (2, 3)


def test_constants_kept_in_inference_mode_serve_training_too():
    operators = [
        Blur(SKEW),
        Mask(numbers(8, 12)),
        Compose(Blur(SKEW), Downsample(2)),
        Sensing((8, 12), 0.5, 0, "hartley"),
    ]
    operators.append(SeparableBlur(SKEW[0], SKEW[1], (8, 12)))
    for operator in operators:
        with torch.inference_mode():
            y = operator.forward(IMAGES.float())
            operator.prox(IMAGES.float(), y, 1.0)
        x = IMAGES.float().requires_grad_()
        operator.prox(x, y.clone(), 1.0).sum().backward()
        assert bool(x.grad.isfinite().all())


def test_the_check_tells_a_wrong_adjoint_from_a_right_one():
    assert check_adjoint(Blur(SKEW), (1, 1, 8, 8), torch.Generator().manual_seed(0)) < 1e-14
    wrong = General(Blur(SKEW).forward, (1, 8, 8), Blur(SKEW).forward)
    assert check_adjoint(wrong, (1, 1, 8, 8), torch.Generator().manual_seed(0)) > 1e-4
    shifted = General(lambda x: x + 1, (1, 8, 8))
    assert check_adjoint(shifted, (1, 1, 8, 8), torch.Generator().manual_seed(0)) > 1e-4


def test_nan_is_never_swallowed():
    bad = IMAGES.clone()
    bad[0, 0, 0, 0] = math.nan
    stack = Stack(Downsample(2), Grayscale(), shape=(3, 8, 12))
    assert bool(stack.pinv(stack.forward(bad))[0].isnan().any())
    assert bool(stack.prox(bad, stack.forward(IMAGES), 1.0)[1].isfinite().all())
    with pytest.raises(DivergenceError, match="NaN"):
        stack.filtered(bad, torch.exp)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Downsample(0), ConfigError, "factor of Downsample is 0"),
        (lambda: Downsample(2.5), ConfigError, "whole number"),
        (lambda: Downsample(5).forward(IMAGES), ShapeError, "8 x 12 do not divide.*10 x 15"),
        (lambda: Grayscale(()), ConfigError, "weight"),
        (lambda: Grayscale((0.0, 0.0)), ConfigError, "not all zero"),
        (lambda: Grayscale().forward(IMAGES[:, :1]), ShapeError, "3 channels; these have 1.*measures"),
        (lambda: Grayscale().forward(IMAGES[0]), ShapeError, "B, C, H, W"),
        (lambda: Grayscale().adjoint(IMAGES), ShapeError, "one channel; this has 3"),
        (lambda: Mask(HOLES[0]), ShapeError, "H, W"),
        (lambda: Mask(HOLES * 0), ConfigError, "0 everywhere"),
        (lambda: Mask(HOLES * 255), ConfigError, "0 to 255.*255"),
        (lambda: Mask(HOLES * math.nan), ConfigError, "from 0"),
        (lambda: Mask(HOLES).forward(IMAGES), ShapeError, "4 x 6 met images of 8 x 12"),
        (lambda: Mask(numbers(2, 8, 12)).forward(IMAGES), ShapeError, "2 channels met images with 3"),
        (lambda: Blur(numbers(3)), ShapeError, "height, width"),
        (lambda: Blur(numbers(9, 3)).forward(IMAGES), ShapeError, "9 x 3 met images of 8 x 12.*fit"),
        (lambda: Blur(torch.tensor([[1.0, -1.0]])), ConfigError, "sum to zero"),
        (lambda: Blur(torch.tensor([[1.0, math.inf]])), ConfigError, "finite"),
        (lambda: Blur(SKEW, tol=1.0), ConfigError, "tol=1"),
        (lambda: SeparableBlur(SKEW[0], SKEW[0], (3, 8)), ShapeError, "length 4.*side of 3"),
        (lambda: SeparableBlur(SKEW[0], SKEW[0], (8, 8)).forward(IMAGES), ShapeError, "8 x 8 met"),
        (lambda: Sensing((8, 12), 0.5), ShapeError, "power of two.*96.*hartley"),
        (lambda: Sensing((8, 8), 0), ConfigError, "ratio=0"),
        (lambda: Sensing((8, 8), 0.5, transform="dct"), ConfigError, "hartley"),
        (lambda: Sensing((8, 8), 0.5).forward(IMAGES), ShapeError, "8 x 8 met images of 8 x 12"),
        (lambda: Sensing((8, 8), 0.5).adjoint(numbers(1, 3, 31)), ShapeError, "32 numbers a channel; it got 31"),
        (lambda: Dense(numbers(4, 5), (1, 2, 3)), ShapeError, "6 numbers"),
        (lambda: Dense(torch.zeros(4, 6), (1, 2, 3)), ConfigError, "zeros"),
        (lambda: Dense(numbers(4, 6), (1, 2, 3)).forward(IMAGES), ShapeError, "met images"),
        (lambda: Dense(numbers(4, 6), (1, 2, 3)).adjoint(numbers(1, 6)), ShapeError, "measures"),
        (lambda: Compose(), ConfigError, "at least one"),
        (lambda: Compose(Blur(SKEW), Mask(HOLES)).norm(), ConfigError, "shape=\\(C, H, W\\)"),
        (lambda: Stack(shape=(1, 2, 3)), ConfigError, "at least one"),
        (lambda: Stack(Identity(), shape=(3, 8, 8)).forward(IMAGES), ShapeError, "met images"),
        (lambda: Stack(Identity(), shape=(3, 8, 8)).adjoint(numbers(2, 9)), ShapeError, "192.* numbers"),
        (lambda: Identity().prox(IMAGES, IMAGES, 0.0), ConfigError, "lam=0"),
        (lambda: Compose(Downsample(2)).prox(IMAGES, IMAGES, -1.0), ConfigError, "lam=-1"),
        (lambda: Downsample(2).prox(IMAGES, IMAGES, 1.0), ShapeError, "another operator"),
        (lambda: gaussian_kernel(0), ConfigError, "sigma=0"),
        (lambda: motion_kernel(-1), ConfigError, "length=-1"),
        (lambda: motion_kernel(3, math.nan), ConfigError, "angle"),
        (lambda: disk_kernel(math.inf), ConfigError, "radius"),
        (lambda: box_kernel(0), ConfigError, "sides"),
        (lambda: check_adjoint(General(lambda x: 0 * x, (1, 4, 4)), (1, 1, 4, 4)), ConfigError, "as zero"),
    ],
)
def test_mistakes_are_told(make, error, said):
    with pytest.raises(error, match=f"(?s){said}"):
        make()
