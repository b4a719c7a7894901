import pytest
import torch
from codec_photos import decibels, fitted, photo, through
from scipy.stats import spearmanr

from unveil.codecs import order
from unveil.codecs.fitting import sort_books
from unveil.codecs.ordering import principal_axis
from unveil.codecs.quantizers import Quantizer


def neighbours(book):
    """How far neighbours are, over how far any two entries are; and how distances follow those of numbers."""
    apart = torch.cdist(book.double(), book.double())
    numbers = torch.arange(len(book))
    gaps = (numbers[:, None] - numbers).abs()
    off = gaps > 0
    return (apart[gaps == 1].mean() / apart[off].mean()).item(), spearmanr(gaps[off], apart[off]).statistic


def test_it_is_a_permutation_along_the_axis_of_most_difference():
    book = torch.randn(256, 16) * torch.linspace(1, 3, 16)
    index = order(book)
    assert sorted(index.tolist()) == list(range(256))
    keys = book[index].double() @ principal_axis(book)
    assert bool((keys.diff() >= 0).all()) or bool((keys.diff() <= 0).all())


def test_brightness_grows_and_the_axis_may_be_turned_round(monkeypatch):
    book = torch.rand(64, 1) * torch.ones(1, 16) + 0.01 * torch.randn(64, 16)
    index = order(book)
    assert book[index].mean(1).diff().mean() > 0
    assert spearmanr(book[index].mean(1), range(64)).statistic > 0.99
    monkeypatch.setattr("unveil.codecs.ordering.principal_axis", lambda book: -principal_axis(book))
    assert torch.equal(order(book), index)


def test_equal_entries_keep_their_order():
    book = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert order(book).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(("name", "near", "rank"), [("PQ-32-8-8", 0.5, 0.8), ("OPQ-32-8-8", 0.9, 0.3)])
def test_neighbouring_codes_of_a_fitted_codec_mean_similar_things(name, near, rank):
    """In an optimised rotation the first part has nearly all there is to sort; the others are told apart less."""
    plain, ordered = (fitted(name, ordered=ordered) for ordered in (False, True))
    found = []
    for before, after in zip(plain.quantizers, ordered.quantizers, strict=True):
        for book, sorted_book in zip(before.codebooks, after.codebooks, strict=True):
            assert neighbours(book)[0] >= 0.9
            assert abs(neighbours(book)[1]) <= 0.1
            found.append(neighbours(sorted_book))
    ratios, ranks = zip(*found, strict=True)
    assert max(ratios) <= near
    assert min(ranks) >= rank
    assert sum(ratios) / len(ratios) <= 0.6
    assert sum(ranks) / len(ranks) >= 0.6


@pytest.mark.parametrize("name", ["VQ-8-8-8", "PQ-32-8-8", "OPQ-32-8-8", "RQ-32-8-8"])
def test_what_is_decoded_does_not_change(name):
    plain, ordered = (fitted(name, ordered=ordered) for ordered in (False, True))
    assert not plain.ordered
    assert ordered.ordered
    assert torch.equal(through(plain, photo("astronaut")), through(ordered, photo("astronaut")))


def test_codes_shifted_by_one_change_a_picture_far_less():
    """The figure of the documentation: 20 dB with ordered codebooks, 7 dB without."""
    x, shifted = photo("astronaut"), {}
    for ordered in (False, True):
        codec = fitted(ordered=ordered)
        codes = codec.encode(x[None])
        moved = (codes.int() + 1).clamp(0, 255).to(torch.uint8)
        shifted[ordered] = decibels(codec.decode(moved, x.shape[1:], to_bytes=True)[0], x)
    assert shifted[True] > 18
    assert shifted[False] < 11
    assert shifted[True] - shifted[False] > 8


def test_parts_of_a_rotated_patch_are_sorted_by_what_they_do_to_its_brightness():
    rotation = torch.linalg.qr(torch.randn(16, 16))[0]
    books = torch.randn(2, 32, 8)
    quantizer = sort_books(Quantizer("OPQ", books, rotation))
    for table, book, rows in zip(quantizer.tables(), quantizer.codebooks, rotation.unflatten(0, (2, 8)), strict=True):
        axis = principal_axis(book).float()
        towards = (axis @ rows).sum().sign() * axis @ rows  # in pixels
        assert bool(((table @ towards).diff() >= -1e-5).all())
