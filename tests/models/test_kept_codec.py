"""The codec belongs to the weights of a model, and is known again."""

import pytest
import torch
from codec_models import blank, digit_codec, network, small, some_digits, spoken

from unveil.codecs import Codec, fit_codec, parse_name, save_codec
from unveil.core.errors import ConfigError, DataError, RunError
from unveil.data import open_images
from unveil.models.codec_diffusion import KeptCodec, Refiner
from unveil.networks import UNet
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import load_weights
from unveil.training.trainer import fit


@pytest.fixture(scope="module")
def digits():
    return some_digits()


@pytest.fixture(scope="module")
def codec():
    return digit_codec()


def test_training_fits_the_codec_first_and_keeps_it(digits, tmp_path):
    model = small(blank())
    run = RunFolder.create(tmp_path / "run", "name: test\n")
    fit(model, digits, 2, Options(batch_size=4), run=run, progress=False, device="cpu")
    again = small(blank())
    load_weights(again, run.weights)
    assert again.codec.codec.fingerprint == model.codec.codec.fingerprint
    x = digits.batch(range(5))[0]
    assert torch.equal(again.encode(x), model.encode(x))
    seal = model.codec.seal.clone()
    model.prepare(digits)
    assert torch.equal(model.codec.seal, seal)  # fitted once, and never again


def test_a_resumed_training_goes_on_with_its_codec(digits, tmp_path):
    options = Options(batch_size=4, save_every=2)
    whole = small(blank())
    fit(whole, digits, 4, options, progress=False, device="cpu")
    run = RunFolder.create(tmp_path / "run", "name: test\n")
    fit(small(blank()), digits, 2, options, run=run, progress=False, device="cpu")
    resumed = small(blank())
    fit(resumed, digits, 4, options, run=run, progress=False, device="cpu")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_training_that_stopped_in_the_refiners_stage_goes_on_there(digits, tmp_path):
    def model():
        torch.manual_seed(0)
        mender = UNet(1, channels=8, mult=(1, 2), blocks=1, attention=())
        return small(blank(), "continuous", refiner=Refiner(mender))

    options = Options(batch_size=4)
    whole, resumed = model(), model()
    fit(whole, digits, {"generator": 2, "refiner": 3}, options, progress=False, device="cpu")
    run = RunFolder.create(tmp_path / "run", "name: test\n")
    fit(model(), digits, {"generator": 2, "refiner": 1}, options, run=run, progress=False, device="cpu")
    assert (
        fit(resumed, digits, {"generator": 2, "refiner": 3}, options, run=run, progress=False, device="cpu").steps == 2
    )
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_codec_alone_is_trained_by_being_fitted(digits, tmp_path):
    kept = blank()
    run = RunFolder.create(tmp_path / "run", "name: test\n")
    assert fit(kept, digits, 1, run=run, progress=False, device="cpu").steps == 1
    again = blank()
    load_weights(again, run.weights)
    assert torch.equal(again.seal, kept.seal)
    third = blank()
    assert fit(third, digits, 1, run=run, progress=False, device="cpu").steps == 0
    assert third.codec.fingerprint == kept.codec.fingerprint


def test_weights_of_another_codec_are_refused(codec, digits):
    other = fit_codec(digits.batch(range(400, 800))[0], codec.layout, patches=4000, seed=1)
    trained = small(codec)
    with pytest.raises(RunError, match=r"trained with the codec .* this model has the codec"):
        small(other).load_state_dict(trained.state_dict())
    state = trained.state_dict()
    state["codec.codec.quantizers.0.codebooks"] = state["codec.codec.quantizers.0.codebooks"].flip(1)
    with pytest.raises(RunError, match="fingerprints differ"):
        small(blank()).load_state_dict(state)
    with pytest.raises(RunError, match="trained for other codes"):
        small(codec, "continuous").load_state_dict(spoken(small(codec, "categorical")).state_dict(), strict=False)


def test_a_codec_may_come_from_a_file(codec, digits, tmp_path):
    file = save_codec(codec, tmp_path / "codec.safetensors")
    kept = blank(file=str(file))
    kept.prepare(digits)
    assert kept.codec.fingerprint == codec.fingerprint
    with pytest.raises(ConfigError, match=r"holds the codec OPQ-8 .* OPQ-8 .* not ordered was asked for"):
        blank(ordered=False, file=str(file)).prepare(digits)
    with pytest.raises(DataError, match="cannot be read"):
        blank(file=str(tmp_path / "none.safetensors")).prepare(digits)


def test_too_few_patches_are_told_before_training(digits):
    few = open_images("digits", size=8, limit=3)
    coarse = KeptCodec(Codec(parse_name("VQ-8", patch=4)))
    with pytest.raises(DataError, match="needs 256 or more"):
        fit(small(coarse, net=network(planes=1, size=256)), few, 1, Options(batch_size=1), progress=False, device="cpu")
