"""The watch on a training that runs away."""

import pytest
import torch
from single_image_models import Picture, picture, trained

from unveil.core.errors import DivergenceError
from unveil.models.single_image_ebm import SingleImageEBM
from unveil.models.single_image_ebm.guard import PATIENCE, Guard
from unveil.networks.patch_energy import PatchEnergy
from unveil.training.options import Options
from unveil.training.trainer import fit


def test_the_guard_knows_a_network_that_runs_away():
    network, guard = PatchEnergy(1, (3,)), Guard(99)
    guard.begin(network)
    assert not any(guard.has_diverged(0.2, 0.3, 1.1, 1.0) for _ in range(100))
    kept = [p.clone() for p in network.parameters()]
    guard.before(25, network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    found = [guard.has_diverged(3.0, 4.0, 1.1, 1.0) for _ in range(PATIENCE)]
    assert found == [False] * (PATIENCE - 1) + [True]
    assert guard.restore(network)
    assert all(torch.equal(a, b) for a, b in zip(kept, network.parameters(), strict=True))
    assert guard.rate == 0.5
    assert [guard.restore(network) for _ in range(3)] == [True, True, False]
    assert guard.has_diverged(float("nan"), 1.0, 1.0, 1.0)


def test_wide_noise_on_a_pale_image_is_no_divergence():
    guard = Guard(99)
    guard.begin(PatchEnergy(1, (3,)))
    assert not any(guard.has_diverged(0.01, 0.01, 3.0, 1.0) for _ in range(60))
    assert any(guard.has_diverged(0.01, 0.01, 3.0, 1.5) for _ in range(60))


def test_slow_growth_from_nothing_is_no_divergence():
    guard = Guard(99)
    guard.begin(PatchEnergy(1, (3,)))
    slopes = [1e-4 * 1.2**k for k in range(40)]
    assert not any(guard.has_diverged(slope, slope * 1.5, 1.0, 1.0) for slope in slopes)


def steep(lr, **options):
    """Two scales of tiny energies that nothing holds back, and how to train them far too fast."""
    torch.manual_seed(0)
    sizes = [(12, 15), (16, 20)]
    networks = [PatchEnergy(1, (4, 4), spectral_norm=False) for _ in sizes]
    found = SingleImageEBM(networks, sizes, step_size=5.0, bank=2, **options)
    return found, Picture(0.5 * picture(1, (16, 20))), Options(batch_size=1, lr=lr, betas=(0.5, 0.999), clip=0, ema=0)


def test_a_training_that_diverges_goes_back_and_on():
    shares = []
    found, data, options = steep(0.2, chain=10)
    fit(found, data, {"scale-0": 60, "scale-1": 1}, options, hooks=[lambda _: shares.append(found.guard.rate)],
        progress=False, device="cpu")  # fmt: skip
    assert min(shares[:60]) <= 0.5
    assert shares[-1] == 1  # the next scale begins at the full rate
    assert all(bool(parameter.isfinite().all()) for parameter in found.parameters())


def test_a_training_that_diverges_again_and_again_stops_with_finite_weights():
    found, data, options = steep(1e-6, chain=10)
    with torch.no_grad():
        for parameter in found.energies[0].parameters():
            parameter.normal_(std=2.0)
    before = [parameter.clone() for parameter in found.energies[0].parameters()]
    with pytest.raises(DivergenceError, match=r"diverged again and again.*A lower learning rate"):
        fit(found, data, 200, options, progress=False, device="cpu")
    assert int(found.guard.counts[2]) == 4
    after = list(found.energies[0].parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_an_energy_that_is_not_finite_is_seen_at_once():
    found, data, options = steep(1e-6)
    with torch.no_grad():
        found.energies[0].layers[0].bias.fill_(float("nan"))
    with pytest.raises(DivergenceError, match=r"step 1 of 50.*gradient of the energy stopped being finite"):
        fit(found, data, 50, options, progress=False, device="cpu")


def test_a_scale_that_has_learned_nothing_stops_the_training(monkeypatch):
    monkeypatch.setattr("unveil.models.single_image_ebm.training.LOST", 1e-9)
    with pytest.raises(DivergenceError, match="has not learned to find back"):
        trained(steps=2)


def test_where_the_chains_of_one_process_fail_all_go_back(monkeypatch):
    from unveil.models.single_image_ebm import training

    told, walked, failed = [], training._walked, iter([True])

    def walk(*given):
        if next(failed, False):
            raise DivergenceError("here")
        return walked(*given)

    def shared(*numbers):
        told.append([float(number) for number in numbers])
        return [float("nan")] * 4 if len(told) == 2 else told[-1]  # the second time another process fails

    monkeypatch.setattr(training, "_walked", walk)
    monkeypatch.setattr(training, "_shared", shared)
    found, data, options = steep(1e-6)
    fit(found, data, {"scale-0": 1, "scale-1": 1}, options, hooks=[lambda _: told.append(found.guard.rate)],
        progress=False, device="cpu")  # fmt: skip
    assert all(number != number for number in told[0])
    assert told[3] == 0.25  # once for itself and once for the other
