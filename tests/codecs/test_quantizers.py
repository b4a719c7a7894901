import pytest
import torch

from unveil.codecs import Quantizer
from unveil.codecs.clustering import k_means, lloyd
from unveil.codecs.nearest import nearest


def random_rotation(d):
    return torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(1)))[0]


def made(kind, count=4, size=32, d=16):
    generator = torch.Generator().manual_seed(0)
    width = d if kind == "RQ" else d // count
    books = torch.randn(count, size, width, generator=generator)
    if kind == "RQ":
        books *= 0.6 ** torch.arange(count)[:, None, None]
    return Quantizer(kind, books, random_rotation(d) if kind == "OPQ" else None)


def test_the_nearest_entry_is_found_by_brute_force_too():
    generator = torch.Generator().manual_seed(0)
    x, book = torch.randn(5000, 16, generator=generator), torch.randn(256, 16, generator=generator)
    away = torch.cdist(x.double(), book.double())
    chosen = away.gather(1, nearest(x, book)[:, None].long())[:, 0]
    torch.testing.assert_close(chosen, away.amin(1), rtol=0, atol=1e-5)  # of two that are as near, either


@pytest.mark.parametrize(("kind", "count"), [("VQ", 1), ("PQ", 2), ("OPQ", 2)])
def test_no_other_code_comes_nearer(kind, count):
    quantizer = made(kind, count, size=16)
    x = torch.randn(500, 16)
    every = torch.cartesian_prod(*[torch.arange(16)] * count).reshape(-1, count)
    errors = torch.cdist(x.double(), quantizer.decode(every).double())
    found = (x.double() - quantizer.decode(quantizer.encode(x)).double()).norm(dim=1)
    torch.testing.assert_close(found, errors.amin(1), rtol=1e-5, atol=1e-6)


def test_a_beam_finds_better_sums_than_greed():
    quantizer, x = made("RQ", size=16), torch.randn(500, 16)
    greedy = x
    for book in quantizer.codebooks:
        greedy = greedy - book[nearest(greedy, book)]
    found = x - quantizer.decode(quantizer.encode(x))
    every = torch.cartesian_prod(*[torch.arange(16)] * 2)
    first_two = Quantizer("RQ", quantizer.codebooks[:2])
    best = torch.cdist(x, first_two.decode(every)).amin(1)
    beam = (x - first_two.decode(first_two.encode(x))).norm(dim=1)
    assert found.square().mean() < 0.97 * greedy.square().mean()
    assert ((beam - best).abs() < 1e-5).float().mean() > 0.8


def test_a_rotation_that_does_nothing_gives_a_product_quantizer_bit_for_bit():
    plain, x = made("PQ"), torch.randn(300, 16)
    turned = Quantizer("OPQ", plain.codebooks, torch.eye(16))
    assert torch.equal(turned.encode(x), plain.encode(x))
    assert torch.equal(turned.decode(plain.encode(x)), plain.decode(plain.encode(x)))


def test_a_rotated_quantizer_is_a_product_quantizer_of_rotated_vectors():
    quantizer, x = made("OPQ"), torch.randn(300, 16)
    plain = Quantizer("PQ", quantizer.codebooks)
    assert torch.equal(quantizer.encode(x), plain.encode(x @ quantizer.rotation.T))
    torch.testing.assert_close(
        quantizer.decode(quantizer.encode(x)), plain.decode(quantizer.encode(x)) @ quantizer.rotation
    )


@pytest.mark.parametrize("kind", ["VQ", "PQ", "OPQ"])
def test_what_was_decoded_is_encoded_the_same(kind):
    quantizer = made(kind, 1 if kind == "VQ" else 4)
    codes = torch.randint(0, 32, (2000, len(quantizer.codebooks)), dtype=torch.uint8)
    assert torch.equal(quantizer.encode(quantizer.decode(codes)), codes)


@pytest.mark.parametrize("kind", ["VQ", "PQ", "OPQ", "RQ"])
def test_tables_add_up_to_what_is_decoded(kind):
    quantizer = made(kind, 1 if kind == "VQ" else 4)
    codes = torch.randint(0, 32, (50, len(quantizer.codebooks)), dtype=torch.uint8)
    added = sum(table[codes[:, m].long()] for m, table in enumerate(quantizer.tables()))
    torch.testing.assert_close(quantizer.decode(codes), added)


def test_both_k_means_find_clusters_that_are_there():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    x = (centres[:, None] + 0.1 * torch.randn(4, 200, 2)).reshape(-1, 2)
    start = centres + 2
    for means in (k_means(x, 4, start=start), lloyd(x, 4, start=start)):
        assert torch.cdist(means, centres).amin(1).max() < 0.05
        assert torch.cdist(centres, means).amin(1).max() < 0.05


def test_both_k_means_are_about_as_good():
    x = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0))

    def error(means):
        return float(torch.cdist(x, means).amin(1).square().mean())

    assert error(k_means(x, 64)) == pytest.approx(error(lloyd(x, 64)), rel=0.02)
    assert error(lloyd(x, 64, rounds=25)) < error(lloyd(x, 64, rounds=1))


def test_a_mean_that_nobody_is_near_goes_where_it_is_needed():
    x = torch.cat([torch.zeros(50, 2), torch.full((50, 2), 5.0)])
    means = lloyd(x, 2, rounds=3, start=torch.tensor([[0.0, 0.0], [-100.0, -100.0]]))
    assert sorted(means[:, 0].tolist()) == [0, 5]
