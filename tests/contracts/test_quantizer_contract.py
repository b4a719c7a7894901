"""What every kind of quantizer promises."""

from typing import get_args

import pytest
import torch

from unveil.codecs import Quantizer, fit_codec
from unveil.codecs.names import Kind
from unveil.data import open_images

SIZE, WIDTH = 32, 16


def books(count, width):
    return torch.randn(count, SIZE, width, generator=torch.Generator().manual_seed(0))


def rotation():
    return torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(1)))[0]


IMPLEMENTATIONS = {
    "VQ": lambda: Quantizer("VQ", books(1, WIDTH)),
    "PQ": lambda: Quantizer("PQ", books(4, WIDTH // 4)),
    "OPQ": lambda: Quantizer("OPQ", books(4, WIDTH // 4), rotation()),
    "RQ": lambda: Quantizer("RQ", books(4, WIDTH) * 0.2 ** torch.arange(4)[:, None, None]),
}
ALL = pytest.mark.parametrize("kind", IMPLEMENTATIONS)


def vectors(n=300):
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(2))


def test_every_kind_is_here():
    assert set(IMPLEMENTATIONS) == set(get_args(Kind))
    assert all(made().kind == kind for kind, made in IMPLEMENTATIONS.items())


@ALL
def test_codes_are_bytes_within_the_codebooks(kind):
    quantizer = IMPLEMENTATIONS[kind]()
    codes = quantizer.encode(vectors())
    assert (codes.shape, codes.dtype) == ((300, len(quantizer.codebooks)), torch.uint8)
    assert int(codes.max()) < SIZE
    assert quantizer.decode(codes).shape == (300, WIDTH)
    assert quantizer.decode(codes).dtype == torch.float32


@ALL
def test_what_was_decoded_is_encoded_and_decoded_the_same(kind):
    quantizer = IMPLEMENTATIONS[kind]()
    decoded = quantizer.decode(quantizer.encode(vectors()))
    torch.testing.assert_close(quantizer.decode(quantizer.encode(decoded)), decoded, rtol=0, atol=1e-5)


@ALL
def test_every_code_means_something_else(kind):
    quantizer = IMPLEMENTATIONS[kind]()
    codes = torch.randint(0, SIZE, (500, len(quantizer.codebooks)), generator=torch.Generator().manual_seed(3))
    codes = codes.unique(dim=0).to(torch.uint8)
    assert torch.equal(quantizer.encode(quantizer.decode(codes)), codes)


@ALL
def test_tables_add_up_to_what_is_decoded(kind):
    quantizer = IMPLEMENTATIONS[kind]()
    codes = quantizer.encode(vectors())
    added = sum(table[codes[:, m].long()] for m, table in enumerate(quantizer.tables()))
    torch.testing.assert_close(quantizer.decode(codes), added)


@ALL
def test_no_other_last_code_comes_nearer(kind):
    quantizer, x = IMPLEMENTATIONS[kind](), vectors()
    codes = quantizer.encode(x)
    found = (quantizer.decode(codes) - x).square().sum(1)
    for entry in range(SIZE):
        other = codes.clone()
        other[:, -1] = entry
        assert bool(((quantizer.decode(other) - x).square().sum(1) >= found - 1e-4).all())


@ALL
def test_vectors_do_not_see_each_other(kind):
    quantizer, x = IMPLEMENTATIONS[kind](), vectors(40)
    alone = torch.cat([quantizer.encode(row) for row in x.split(1)])
    assert torch.equal(quantizer.encode(x), alone)
    assert quantizer.encode(x[:0]).shape == (0, len(quantizer.codebooks))


@ALL
def test_nothing_is_trained_by_gradients_and_all_is_kept(kind):
    quantizer = IMPLEMENTATIONS[kind]()
    assert not list(quantizer.parameters())
    other = IMPLEMENTATIONS[kind]()
    for value in other.buffers():
        value.zero_()
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other.encode(vectors()), quantizer.encode(vectors()))


@ALL
def test_a_codec_can_be_fitted_with_it(kind):
    digits, _ = open_images("digits").batch(range(300))
    codec = fit_codec(
        digits, f"{kind}-{8 if kind == 'VQ' else 16}", patch=4, bits=8 if kind == "VQ" else 4, patches=2000
    )
    error = (codec.decode(codec.encode(digits), (8, 8)) - digits).square().mean()
    assert error < 0.3 * digits.var()
