import pytest
import torch
from codec_photos import photo

from unveil.codecs import Layout, fit_codec, parse_name
from unveil.codecs.fitting import balanced_rotation, draw_patches, fit_quantizer, fit_rotation
from unveil.codecs.quantizers import Quantizer
from unveil.core.errors import DataError, ShapeError

NONE = torch.zeros(0)


def luma_patches(count=8000):
    return draw_patches([photo("chelsea"), photo("coffee"), photo("astronaut")], Layout("OPQ", (32, 8, 8)), count, 0)[0]


def error(quantizer, x):
    return float((x - quantizer.decode(quantizer.encode(x))).square().mean())


def test_the_first_rotation_deals_variance_out():
    x = luma_patches()
    rotation = balanced_rotation(x, 4)
    assert (rotation @ rotation.T - torch.eye(64)).abs().max() < 1e-5
    turned = (x - x.mean(0)) @ rotation.T
    cov = (turned.T @ turned / len(x)).double()
    assert (cov - cov.diagonal().diag()).abs().max() < 1e-3 * cov.max()
    sums = cov.diagonal().reshape(4, 16).log().sum(1)
    assert sums.max() - sums.min() < 3  # of some -100


def test_a_rotation_to_principal_axes_is_a_decibel_better_than_one_at_random():
    x = luma_patches()
    start = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)))[0]
    errors = {}
    for name, first in (("principal", None), ("random", start)):
        rotation, books = fit_rotation(x, 64, 4, 0, start=first)
        errors[name] = error(Quantizer("OPQ", books, rotation), x)
    assert 10 * torch.tensor(errors["random"] / errors["principal"]).log10() > 1


def test_rounds_of_rotating_help():
    x = luma_patches()
    before, after = (
        error(Quantizer("OPQ", books, rotation), x)
        for rotation, books in (fit_rotation(x, 64, 4, 0, turns=turns) for turns in (0, 5))
    )
    assert after < before


def test_it_beats_the_rotation_of_faiss():
    faiss = pytest.importorskip("faiss")
    x = luma_patches(20_000)
    theirs = faiss.OPQMatrix(64, 4)
    theirs.niter = 5
    theirs.pq = faiss.ProductQuantizer(64, 4, 6)  # kept alive by its name
    inner = theirs.pq
    theirs.train(x.numpy())
    matrix = torch.from_numpy(faiss.vector_to_array(theirs.A).reshape(64, 64).copy())
    inner = faiss.ProductQuantizer(64, 4, 6)  # the one inside was fitted to centred vectors
    turned = (x @ matrix.T).contiguous()
    inner.train(turned.numpy())
    books = torch.from_numpy(faiss.vector_to_array(inner.centroids).reshape(4, 64, 16).copy())
    mine = fit_quantizer(x, Layout("OPQ", (24, 6, 6), bits=6), 4, NONE, 0)
    assert error(mine, x) < error(Quantizer("OPQ", books, matrix), x)


def test_too_few_patches_are_told_with_what_would_help():
    with pytest.raises(DataError, match=r"needs 256 or more.* Look at more of them"):
        fit_codec([photo("chelsea")], "VQ-8-8-8", patches=100)
    with pytest.raises(DataError, match=r"4 patches .* needs 256 or more.* Give more pictures"):
        fit_codec([torch.zeros(1, 9, 9)], "VQ-8", patches=100)


def test_codes_are_those_of_faiss_for_the_same_codebooks():
    faiss = pytest.importorskip("faiss")
    x = luma_patches()
    mine = fit_quantizer(x, Layout("PQ", (32, 8, 8)), 4, NONE, 0)
    theirs = faiss.ProductQuantizer(64, 4, 8)
    faiss.copy_array_to_vector(mine.codebooks.numpy().ravel(), theirs.centroids)
    assert (torch.from_numpy(theirs.compute_codes(x.numpy())) != mine.encode(x)).float().mean() < 1e-3


def test_without_faiss_it_is_about_as_good(monkeypatch):
    x = luma_patches()
    layout = Layout("OPQ", (32, 8, 8))
    with_it = error(fit_quantizer(x, layout, 4, NONE, 0), x)
    monkeypatch.setattr("unveil.codecs.clustering.find_spec", lambda name: None)
    assert error(fit_quantizer(x, layout, 4, NONE, 0), x) == pytest.approx(with_it, rel=0.05)


def test_the_same_seed_gives_the_same_codec():
    images = [photo("chelsea"), photo("coffee")]
    one, same, other = (
        fit_codec(images, "OPQ-8-4-4", bits=4, patches=2000, seed=seed).fingerprint for seed in (3, 3, 4)
    )
    assert one == same != other


def test_patches_come_from_all_pictures_once_and_half_upside_down():
    ramp = torch.arange(20.0).reshape(1, 20, 1).expand(1, 20, 20) / 10 - 1  # darker above
    images = [ramp, -torch.ones(1, 4, 4), torch.ones(1, 8, 8)]
    rows = draw_patches(iter(images), parse_name("VQ-4", bits=4), 150, 0)[0].reshape(-1, 8, 8)
    assert len(rows) == 50 + 1 + 1  # small pictures have one place
    rising = (rows[:, -1, 0] > rows[:, 0, 0]).float()
    assert 10 < rising.sum() < 40
    assert int((rows == 1).all(2).all(1).sum()) == 1


def test_progress_counts_codebooks():
    seen = []
    fit_codec([photo("chelsea")], "RQ-8-4-4", bits=4, patches=2000, progress=lambda *told: seen.append(told))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_codebooks_of_two_entries_have_no_room_for_flat_patches():
    codec = fit_codec([photo("chelsea")], "VQ-1-1-1", bits=1, patches=500)
    assert codec.size == 2
    assert set(codec.encode(photo("chelsea")[None]).unique().tolist()) == {0, 1}


def test_too_few_patches_name_both_numbers():
    tiny = photo("chelsea")[:, :16, :16]
    with pytest.raises(DataError, match="256 entries in a codebook, and 81 patches"):
        fit_codec([tiny], "VQ-8-8-8")
    with pytest.warns(UserWarning, match="81 patches are few for codebooks of 4"):
        fit_codec([tiny], "VQ-2-2-2", bits=2)


def test_pictures_that_cannot_be_fitted_to():
    with pytest.raises(DataError, match="no pictures"):
        fit_codec([], "VQ-8-8-8")
    with pytest.raises(ShapeError, match=r"shape \(3, H, W\); one has shape \(1, 9, 9\)"):
        fit_codec([torch.zeros(1, 9, 9)], "VQ-8-8-8")
    with pytest.raises(DataError, match="these hold 7"):
        fit_codec([torch.full((1, 9, 9), 7.0)], "VQ-8")
