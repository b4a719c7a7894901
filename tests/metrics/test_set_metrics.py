"""Metrics of sets of images: Frechet and kernel distance, precision and recall, Inception score."""

import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError
from unveil.divergences import Moments, Polynomial, frechet_gaussians, mmd2
from unveil.metrics import (
    PIXELS,
    Features,
    FeatureSpace,
    frechet_distance,
    inception_score,
    kernel_distance,
    precision_recall,
)

PUBLISHED = FeatureSpace("inception-2015-12-05", nn.Identity(), published=True)
LOGITS = FeatureSpace("toy@12345678:logits", nn.Identity(), output="logits")


def features(values, space=PIXELS, split="generated"):
    return Features(torch.as_tensor(values).float(), space, split, "none")


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


# -- Frechet distance -------------------------------------------------------------------------------------------------


def test_the_frechet_distance_is_that_of_the_moments_and_says_what_it_is():
    x, y = normal(300, 6, 0), normal(400, 6, 1, shift=0.5)
    found = frechet_distance(features(x), features(y, split="test"))
    assert found.value == pytest.approx(frechet_gaussians(Moments.of(x), Moments.of(y)), rel=1e-9)
    assert (found.name, found.count, found.reference_count) == ("frechet-distance[pixels]", 300, 400)
    assert (found.split, found.reference_split, found.better) == ("generated", "test", "low")
    assert found.interval[0] < found.value < found.interval[1]


def test_it_is_called_fid_only_with_the_published_features():
    x, y = normal(50, 3, 0), normal(50, 3, 1)

    def fid(space, **options):
        return frechet_distance(features(x, space), features(y, space), **options).name

    assert fid(PUBLISHED) == "FID"
    assert fid(PUBLISHED, to_infinity=True) == "FID-infinity"
    assert (
        fid(FeatureSpace("digits-classifier@1a2b3c4d", nn.Identity())) == "frechet-distance[digits-classifier@1a2b3c4d]"
    )
    assert kernel_distance(features(x, PUBLISHED), features(y, PUBLISHED)).name == "KID"
    assert kernel_distance(features(x), features(y)).name == "kernel-distance[pixels]"


def test_at_infinity_the_bias_of_few_images_is_gone():
    d, shift, runs = 16, 0.2, 20
    pairs = [(normal(400, d, 2 * i, shift), normal(400, d, 2 * i + 1)) for i in range(runs)]
    plain = torch.tensor([frechet_distance(features(x), features(y)).value for x, y in pairs])
    found = [frechet_distance(features(x), features(y), to_infinity=True) for x, y in pairs]
    values = torch.tensor([measure.value for measure in found])
    truth = d * shift**2
    assert plain.mean() > truth + 0.3
    assert abs(values.mean() - truth) < 3 * values.std() / runs**0.5 + 0.02
    assert sum(measure.interval[0] < truth < measure.interval[1] for measure in found) >= 0.8 * runs


def test_leaving_groups_out_by_subtraction_equals_measuring_the_rest():
    x, y = normal(60, 4, 0), normal(90, 4, 1, shift=1.0)
    quick = frechet_distance(features(x), features(y), groups=5)
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randperm(len(z), generator=generator).tensor_split(5) for z in (x, y)]

    def without(z, part):
        return z[[i for i in range(len(z)) if i not in set(part.tolist())]]

    rest = [
        frechet_gaussians(Moments.of(without(x, a)), Moments.of(without(y, b))) for a, b in zip(*parts, strict=True)
    ]
    bias = 4 * (sum(rest) / 5 - quick.value)
    assert quick.notes == (f"finitely many images add about {bias:.2g}",)
    error = (4 / 5 * torch.tensor(rest).double().var(correction=0) * 5) ** 0.5
    assert quick.interval[1] - quick.value == pytest.approx(2.7764451 * error.item(), rel=1e-5)


def test_fewer_images_than_dimensions_are_warned_of():
    x, y = features(normal(20, 50, 0)), features(normal(30, 50, 1))
    with pytest.warns(UserWarning, match="20 images in 50 dimensions"):
        found = frechet_distance(x, y)
    assert "far too large" in str(found)
    with pytest.warns(UserWarning, match="singular"), pytest.raises(ConfigError, match="infinitely many"):
        frechet_distance(x, y, to_infinity=True)


def test_it_agrees_with_torchmetrics():
    fid = pytest.importorskip("torchmetrics.image.fid")

    class Flat(nn.Module):
        num_features = 12

        def forward(self, x):
            return x.flatten(1)

    x, y = normal(80, 12, 0).reshape(-1, 3, 2, 2), normal(90, 12, 1, shift=0.2).reshape(-1, 3, 2, 2)
    theirs = fid.FrechetInceptionDistance(feature=Flat()).set_dtype(torch.float64)
    theirs.update(x.double(), real=False)
    theirs.update(y.double(), real=True)
    ours = frechet_distance(features(x.flatten(1)), features(y.flatten(1)))
    assert ours.value == pytest.approx(theirs.compute().item(), rel=1e-9)


# -- kernel distance --------------------------------------------------------------------------------------------------


def test_one_subset_of_all_is_the_discrepancy_itself():
    x, y = normal(40, 5, 0), normal(40, 5, 1, shift=0.3)
    found = kernel_distance(features(x), features(y), subsets=1, subset_size=40)
    assert found.value == pytest.approx(mmd2(x.double(), y.double(), Polynomial()).item(), rel=1e-9)
    assert found.interval is None


def test_the_kernel_distance_is_zero_on_average_for_equal_distributions():
    values = torch.tensor(
        [kernel_distance(features(normal(100, 4, 2 * i)), features(normal(100, 4, 2 * i + 1)), subsets=20).value
         for i in range(60)]
    )  # fmt: skip
    assert abs(values.mean()) < 3 * values.std() / 60**0.5
    assert (values < 0).any()


def test_the_interval_of_the_kernel_distance_holds_the_truth():
    truth = kernel_distance(
        features(normal(4000, 4, 1, 0.4)), features(normal(4000, 4, 2)), subset_size=4000, subsets=1
    )
    held = 0
    for i in range(40):
        x, y = features(normal(200, 4, 100 + 2 * i, 0.4)), features(normal(200, 4, 101 + 2 * i))
        low, high = kernel_distance(x, y, subsets=40).interval
        held += low < truth.value < high
    assert held >= 34


def test_the_kernel_distance_agrees_with_torchmetrics():
    kid = pytest.importorskip("torchmetrics.image.kid")
    x, y = normal(30, 7, 0), normal(30, 7, 1, shift=1.0)
    theirs = kid.poly_mmd(x.double(), y.double()).item()
    assert kernel_distance(features(x), features(y), subsets=1, subset_size=30).value == pytest.approx(theirs, rel=1e-9)


def test_subsets_must_fit():
    with pytest.raises(ConfigError, match="2 to 10 images"):
        kernel_distance(features(normal(10, 2, 0)), features(normal(20, 2, 1)), subset_size=11)


# -- precision and recall ---------------------------------------------------------------------------------------------


def shares(x, y, **options):
    precision, recall = precision_recall(features(x), features(y, split="test"), **options)
    return precision.value, recall.value


def naive(x, y, k):
    def share(points, members):
        inside = 0
        for p in points:
            for i, m in enumerate(members):
                others = sorted((m - o).norm().item() for j, o in enumerate(members) if j != i)
                if (p - m).norm().item() <= others[k - 1]:
                    inside += 1
                    break
        return inside / len(points)

    return share(x, y), share(y, x)


def test_a_set_is_all_of_itself_and_nothing_of_what_lies_apart():
    x = normal(50, 4, 0)
    assert shares(x, x) == (1, 1)
    assert shares(x, x[torch.randperm(50)]) == (1, 1)
    assert shares(x, x + 100) == (0, 0)
    assert shares(torch.zeros(9, 3), torch.zeros(9, 3)) == (1, 1)


def test_half_the_data_covered_is_half_the_recall():
    left, right = normal(100, 2, 0), normal(100, 2, 1) + 50
    assert shares(left, torch.cat([left, right])) == (1, 0.5)
    assert shares(torch.cat([left, right]), left) == (0.5, 1)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_it_equals_the_definition_pair_by_pair(k):
    x, y = normal(40, 3, 0), normal(35, 3, 1, shift=0.8)
    assert shares(x, y, k=k) == pytest.approx(naive(x.double(), y.double(), k))
    assert shares(x, y, k=k, block=7) == shares(x, y, k=k)


def test_balls_reach_to_the_third_neighbour_and_no_further():
    members = torch.tensor([[0.0], [1.0], [2.0], [3.0], [100.0]])
    # The reaches are 3, 2, 2, 3 and 99; the last ball begins at 1, and so nothing between -3 and 199 lies outside.
    assert shares(torch.tensor([[-3.0], [-3.01], [199.0], [199.01]]), members)[0] == 0.5


def test_points_far_from_the_origin_keep_their_digits():
    x, y = normal(60, 3, 0).double(), normal(60, 3, 1, shift=0.5).double()

    def moved(z):
        return (z * 1024).round() / 1024 + 4096  # exact in float32, and so the same set moved

    assert shares(moved(x), moved(y)) == shares(moved(x) - 4096, moved(y) - 4096)


def test_precision_and_recall_say_what_they_are():
    precision, recall = precision_recall(features(normal(30, 2, 0)), features(normal(20, 2, 1), split="test"))
    assert (precision.name, recall.name) == ("precision[pixels]", "recall[pixels]")
    assert "k=3" in precision.notes
    assert "differ in size" in str(recall)
    assert precision.interval[0] <= precision.value <= precision.interval[1]
    assert precision.better == recall.better == "high"
    with pytest.raises(ConfigError, match="k is 3, and the sets hold 3 and 20"):
        precision_recall(features(normal(3, 2, 0)), features(normal(20, 2, 1)))


# -- Inception score --------------------------------------------------------------------------------------------------


def test_equal_answers_score_one_and_sure_answers_the_number_of_classes():
    uniform = features(torch.zeros(100, 10), LOGITS)
    assert inception_score(uniform).value == pytest.approx(1, abs=1e-12)
    sure = features(torch.eye(10).repeat(10, 1) * 1000, LOGITS)
    assert inception_score(sure, splits=1).value == pytest.approx(10, rel=1e-12)
    one = features(torch.eye(10)[:1].repeat(50, 1) * 1000, LOGITS)
    assert inception_score(one).value == pytest.approx(1, abs=1e-12)


def test_the_score_is_the_mean_over_splits_and_knows_its_spread():
    logits = features(normal(200, 5, 0) * 3, LOGITS)
    found = inception_score(logits, splits=4)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    scores = []
    for part in order.tensor_split(4):
        p = logits.values[part].double().softmax(1)
        scores.append((p * (p / p.mean(0)).log()).sum(1).mean().exp().item())
    assert found.value == pytest.approx(sum(scores) / 4, rel=1e-10)
    assert found.interval[0] < found.value < found.interval[1]
    assert (found.name, found.count) == ("classifier-score[toy@12345678:logits]", 200)


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save")
def test_the_score_agrees_with_torchmetrics():
    module = pytest.importorskip("torchmetrics.image.inception")
    logits = normal(64, 6, 0) * 2
    theirs = module.InceptionScore(feature=nn.Identity(), splits=2)
    theirs.update(logits.double())
    torch.manual_seed(0)  # its splits come from the global generator, and ours from the same permutation
    ours = inception_score(features(logits, LOGITS), splits=2)
    assert ours.value == pytest.approx(theirs.compute()[0].item(), rel=1e-9)


def test_the_score_wants_class_scores():
    with pytest.raises(ConfigError, match="logits"):
        inception_score(features(torch.zeros(10, 3)))
    with pytest.raises(ConfigError, match="1 to 10"):
        inception_score(features(torch.zeros(10, 3), LOGITS), splits=11)
