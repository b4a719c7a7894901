"""A network and its diffusers twin are the same function of picture and step."""

import json

import pytest
import torch

from unveil.core.errors import ConfigError, DataError, ExistsError
from unveil.models.diffusers_format import read_diffusers, write_diffusers
from unveil.networks.unet import UNet

diffusers = pytest.importorskip("diffusers")


def lively(network, seed=0):
    """A network whose every weight says something: those that begin at zero or one as well."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.add_(0.1 * noise if weight.ndim == 1 else 0.7 * noise / weight[0].numel() ** 0.5)
    return network.eval()


def theirs(**options):
    common = dict(
        sample_size=8,
        in_channels=2,
        out_channels=2,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
    )
    return lively(diffusers.UNet2DModel(**{**common, **options}))


def difference(network, twin, steps=1000, label=None):
    """Largest difference of our network at step k + 1 and its twin at step k, relative to the largest number."""
    x = torch.randn(5, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    k = torch.tensor([0, 1, steps // 3, steps - 2, steps - 1])
    with torch.no_grad():
        a, b = network(x, (k + 1) / steps, label), twin(x, k, class_labels=label).sample
    return (a - b).abs().max() / b.abs().max()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"freq_shift": 1, "flip_sin_to_cos": False, "downsample_padding": 0, "norm_eps": 1e-6},
        {"attention_head_dim": None, "layers_per_block": 2, "block_out_channels": (8, 8), "out_channels": 3},
        {"attention_head_dim": 4, "num_class_embeds": 3},
    ],
)
def test_a_network_of_diffusers_is_read_to_the_last_digit(tmp_path, options):
    twin = theirs(**options)
    twin.save_pretrained(tmp_path)
    found = read_diffusers(tmp_path)
    label = torch.tensor([0, 1, 2, 1, 0]) if "num_class_embeds" in options else None
    assert difference(found.unet().eval(), twin, label=label) < 1e-5
    assert found.image_size == (8, 8)
    assert found.betas is None


def test_a_pipeline_is_read_with_its_chain(tmp_path):
    twin = theirs(sample_size=(8, 16))
    scheduler = diffusers.DDPMScheduler(200, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    diffusers.DDPMPipeline(twin, scheduler).save_pretrained(tmp_path)
    found = read_diffusers(tmp_path)
    assert found.predict == "v"
    assert found.image_size == (8, 16)
    torch.testing.assert_close(found.betas.float(), scheduler.betas, rtol=2e-4, atol=1e-7)  # theirs is float32
    assert difference(found.unet().eval(), twin, steps=200) < 1e-5


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "sigmoid"])
def test_every_chain_of_diffusers_is_read(tmp_path, kind):
    scheduler = diffusers.DDPMScheduler(50, beta_schedule=kind)
    diffusers.DDPMPipeline(theirs(), scheduler).save_pretrained(tmp_path)
    torch.testing.assert_close(read_diffusers(tmp_path).betas.float(), scheduler.betas, rtol=1e-5, atol=1e-8)


def test_names_of_old_checkpoints_are_understood(tmp_path):
    from safetensors.torch import load_file, save_file

    twin = theirs()
    twin.save_pretrained(tmp_path)
    path = tmp_path / "diffusion_pytorch_model.safetensors"
    former = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = load_file(path)
    for new, old in former.items():
        weights = {name.replace(f".{new}.", f".{old}."): weight for name, weight in weights.items()}
    save_file(weights, path)
    assert difference(read_diffusers(tmp_path).unet().eval(), twin) < 1e-5


def ours(**options):
    return lively(UNet(2, **{"channels": 8, "mult": (1, 2), "blocks": 1, **options}))


@pytest.mark.parametrize(
    "options", [{}, {"padding": "end", "groups": 4, "eps": 1e-6}, {"head_channels": 4, "attention": (0, 1)}]
)
def test_a_network_is_written_so_that_the_pipeline_opens_it(tmp_path, options):
    network, betas = ours(**options), torch.linspace(1e-4, 0.02, 1000).double()
    pipeline = diffusers.DDPMPipeline.from_pretrained(write_diffusers(tmp_path / "out", network, betas, 8))
    assert difference(network, pipeline.unet) < 1e-5
    torch.testing.assert_close(pipeline.scheduler.betas.double(), betas, rtol=1e-5, atol=0)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(batch_size=2, num_inference_steps=2, output_type="np").images
    assert images.shape == (2, 8, 8, 2)


def test_uneven_chains_and_sides_and_predictions_are_written(tmp_path):
    network, betas = ours(time_scale=20.0), torch.linspace(0.1, 0.5, 20).double() ** 2
    write_diffusers(tmp_path, network, betas, (8, 12), predict="v", clip=False)
    pipeline = diffusers.DDPMPipeline.from_pretrained(tmp_path)
    torch.testing.assert_close(pipeline.scheduler.betas.double(), betas, rtol=1e-6, atol=0)
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert not pipeline.scheduler.config.clip_sample
    assert tuple(pipeline.unet.config.sample_size) == (8, 12)
    assert difference(network, pipeline.unet, steps=20) < 1e-5


@pytest.mark.parametrize("label", [None, 1])
def test_a_network_with_classes_is_written_with_one_label(tmp_path, label):
    network = ours(classes=3)
    write_diffusers(tmp_path, network, torch.full((1000,), 0.01), 8, label=label)
    twin = diffusers.DDPMPipeline.from_pretrained(tmp_path).unet
    x, k = torch.randn(2, 2, 8, 8), torch.tensor([3, 700])
    with torch.no_grad():
        seen = None if label is None else torch.full((2,), label)
        torch.testing.assert_close(network(x, (k + 1) / 1000, seen), twin(x, k).sample, atol=1e-5, rtol=1e-5)


def test_what_is_written_is_read_again(tmp_path):
    network, betas = ours(head_channels=4), torch.linspace(1e-4, 0.02, 1000).double()
    found = read_diffusers(write_diffusers(tmp_path, network, betas, (16, 8)))
    torch.testing.assert_close(found.betas, betas, rtol=1e-6, atol=0)
    assert found.image_size == (16, 8)
    again = found.unet().state_dict()
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(again[name], weight, atol=1e-6, rtol=1e-6)


def test_what_has_no_counterpart_is_refused(tmp_path):
    betas = torch.full((1000,), 0.01)
    for network, word in (
        (UNet(1, channels=8, style="adm"), "style='adm'"),
        (UNet(1, channels=8, style="ncsnpp"), "style='ncsnpp'"),
        (UNet(1, channels=8, embedding="fourier"), "embedding='fourier'"),
        (UNet(1, channels=8, mult=(1, 4), attention=(0, 1), head_channels=16), "several of 16"),
    ):
        with pytest.raises(ConfigError, match=word):
            write_diffusers(tmp_path / "no", network, betas, 8)
    plain = UNet(1, channels=8, mult=(1, 2), blocks=1)
    with pytest.raises(ConfigError, match="999 steps, and the network counts 1000"):
        write_diffusers(tmp_path / "no", plain, betas[1:], 8)
    with pytest.raises(ConfigError, match="multiples of 2"):
        write_diffusers(tmp_path / "no", plain, betas, (8, 7))
    with pytest.raises(ConfigError, match="no word for predict='n'"):
        write_diffusers(tmp_path / "no", plain, betas, 8, predict="n")
    with pytest.raises(ConfigError, match="no classes"):
        write_diffusers(tmp_path / "no", plain, betas, 8, label=1)
    assert not (tmp_path / "no").exists()
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ExistsError, match="exists already"):
        write_diffusers(tmp_path, plain, betas, 8)
    write_diffusers(tmp_path, plain, betas, 8, force=True)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"_class_name": "UNet2DConditionModel"}, "only UNet2DModel"),
        ({"time_embedding_type": "fourier"}, "time_embedding_type='fourier'"),
        ({"resnet_time_scale_shift": "scale_shift"}, "scale_shift"),
        ({"down_block_types": ["SkipDownBlock2D", "AttnDownBlock2D"]}, "SkipDownBlock2D"),
        ({"block_out_channels": [8, 12]}, "multiple of the first"),
        ({"downsample_padding": 2}, "downsample_padding=2"),
    ],
)
def test_networks_that_are_not_ours_are_refused(tmp_path, changes, word):
    theirs().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ConfigError, match=word):
        read_diffusers(tmp_path)


def test_chains_that_are_not_ours_are_refused(tmp_path):
    theirs().save_pretrained(tmp_path)
    for options, word in (
        ({"variance_type": "learned_range"}, "learned its variance"),
        ({"rescale_betas_zero_snr": True}, "no signal"),
        ({"beta_schedule": "laplace"}, "'laplace'"),
        ({"prediction_type": "flow"}, "'flow'"),
    ):
        (tmp_path / "scheduler_config.json").write_text(json.dumps({"beta_schedule": "linear", **options}))
        with pytest.raises(ConfigError, match=word):
            read_diffusers(tmp_path)


def test_damaged_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        read_diffusers(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"config\.json"):
        read_diffusers(tmp_path)
    twin = theirs()
    twin.save_pretrained(tmp_path)
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(DataError, match="damaged"):
        read_diffusers(tmp_path)
    weights.unlink()
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DataError, match=r"pickle \(\.bin\)"):
        read_diffusers(tmp_path)
    (tmp_path / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(DataError, match="has no diffusion_pytorch_model"):
        read_diffusers(tmp_path)
    weights.write_bytes(whole)
    config = tmp_path / "config.json"
    text = config.read_text()
    for changes, word in (
        ({"layers_per_block": 2}, "is missing"),
        ({"in_channels": 5}, "should have the shape"),
        ({"block_out_channels": [], "down_block_types": [], "up_block_types": []}, "says nothing of"),
    ):
        config.write_text(json.dumps(json.loads(text) | changes))
        with pytest.raises(DataError, match=word):
            read_diffusers(tmp_path)
    config.write_text("{")
    with pytest.raises(DataError, match="damaged"):
        read_diffusers(tmp_path)
