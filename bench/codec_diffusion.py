"""Diffusion on the codes of a codec, on Fashion-MNIST: what the refiner, the temperature and the order of the codebooks do.

Samples of the recipes fashion-codec-continuous and fashion-codec-categorical are compared with test pictures in the features of
a classifier that was trained on the same data, so these distances are no FID, and compare with each other only. Below all
of them lies the floor: test pictures that were encoded and decoded, which no diffusion on these codes can beat.
"""

import time
from pathlib import Path

import measuring
import torch
from eyes import Eyes
from measuring import Bench
from torch import Tensor

import unveil
from unveil.codecs import Codec
from unveil.core.random import Streams
from unveil.data import Images
from unveil.metrics import Features, extract_features, frechet_distance, psnr
from unveil.models.codec_diffusion import CodecDiffusion, disturbed
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.tasks.run import load
from unveil.tasks.train import train
from unveil.training.trainer import fit

TEMPERATURES = (0.0, 0.1, 0.5, 1.0, 2.2)
FEWER = 50
NOISES = (1.0, 2.0, 4.0)
SMALL = ["model.network.channels=16", "training.batch_size=16", "training.sample_every=0"]


class Measured:
    """Test pictures, and how far others are from them."""

    def __init__(self, data: str, count: int) -> None:
        recipe = resolve("fashion-codec-continuous", ["data.upsample=true"] if data == "digits" else [])
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"source": data})})
        self.test = unveil.open_images(data, split="test", size=28, channels=1)
        self.count = min(count, len(self.test))
        self.space = Eyes.of(recipe).space
        self.real = self._features(self.test)

    def _features(self, x: Images | Tensor) -> Features:
        return extract_features(self.space, x, split="test", levels=self.test.levels)

    def pictures(self) -> Tensor:
        """As many test pictures as samples are drawn, evenly spread."""
        return self.test.batch([i * len(self.test) // self.count for i in range(self.count)])[0]

    def distance(self, x: Tensor) -> float:
        """The Frechet distance of pictures from all test pictures."""
        return frechet_distance(self._features(x), self.real, groups=0).value


def run_of(kind: str, data: str, folder: Path, small: bool) -> CodecDiffusion:
    """The model of a recipe: the run in the folder, trained first where there is none."""
    place = folder / f"fashion-codec-{kind}"
    if not (place / "weights.safetensors").is_file():
        changes = [*SMALL, "training.steps=10"] if small else []
        train(f"fashion-codec-{kind}", data=data, out=place, resume=True, overrides=changes)
    return load(place, device="cpu").model


def codes_of(model: CodecDiffusion, n: int, steps: int, temperature: float = 1.0) -> Tensor:
    """Codes of n samples."""
    parts = [range(start, min(start + 100, n)) for start in range(0, n, 100)]
    return torch.cat(
        [
            model.sample_codes(len(part), steps=steps, temperature=temperature, generator=Streams(0, part))
            for part in parts
        ]
    )


def pictures_of(model: CodecDiffusion, codes: Tensor, *, refine: bool = True) -> Tensor:
    return torch.cat([model.decode(part, refine=refine) for part in codes.split(200)])


def blocks(x: Tensor, patch: int) -> float:
    """How much steeper pictures are across the borders of patches than within them: 1 where borders cannot be seen."""
    steep = (x[..., 1:] - x[..., :-1]).square().mean((0, 1, 2))
    border = torch.arange(1, x.shape[-1]) % patch == 0
    return float(steep[border].mean() / steep[~border].mean())


def report_floor(bench: Bench, measured: Measured, model: CodecDiffusion) -> None:
    x = measured.pictures()
    y = pictures_of(model, model.encode(x).long(), refine=False)
    bench.figure("codec alone, PSNR of test pictures", float(psnr(y, x).mean()), "dB", "> 0")
    bench.figure("test pictures themselves, Frechet distance", measured.distance(x), "distance", "> 0")
    bench.figure("codec alone, Frechet distance", measured.distance(y), "distance", "> 0")
    bench.figure(
        "test pictures themselves, steepness across borders", blocks(x, model.codec.codec.patch), "times", "> 0"
    )
    bench.figure("codec alone, steepness across borders", blocks(y, model.codec.codec.patch), "times", "> 0")


def report_continuous(bench: Bench, measured: Measured, model: CodecDiffusion, steps: int) -> None:
    codes = codes_of(model, measured.count, steps)
    plain, mended = (pictures_of(model, codes, refine=refine) for refine in (False, True))
    before, after = measured.distance(plain), measured.distance(mended)
    bench.figure("continuous, Frechet distance", before, "distance", "> 0")
    bench.figure(
        "continuous and refiner, Frechet distance",
        after,
        "distance",
        "< 1",
        peer=before,
        peer_name="without the refiner",
    )
    for name, x in (("continuous", plain), ("continuous and refiner", mended)):
        bench.figure(f"{name}, steepness across borders", blocks(x, model.codec.codec.patch), "times", "> 0")
    x = measured.pictures()
    for noise in (0.0, *NOISES):
        codes = disturbed(model.encode(x), model.size, (noise, noise), Streams(0, len(x)))
        found = [float(psnr(pictures_of(model, codes, refine=refine), x).mean()) for refine in (True, False)]
        bench.figure(f"codes off by {noise:g}, PSNR without the refiner", found[1], "dB", "> 0")
        bench.figure(f"codes off by {noise:g}, what the refiner adds to the PSNR", found[0] - found[1], "dB", "> 0")


def report_categorical(bench: Bench, measured: Measured, model: CodecDiffusion, steps: int) -> None:
    for temperature in TEMPERATURES:
        x = pictures_of(model, codes_of(model, measured.count, steps, temperature))
        name = f"categorical at temperature {temperature:g}"
        bench.figure(f"{name}, Frechet distance", measured.distance(x), "distance", "> 0")
        bench.figure(f"{name}, steepness across borders", blocks(x, model.codec.codec.patch), "times", "> 0")

    if steps > FEWER:
        x = pictures_of(model, codes_of(model, measured.count, FEWER))
        name = f"categorical at temperature 1 in {FEWER} steps of sampling"
        bench.figure(f"{name}, Frechet distance", measured.distance(x), "distance", "> 0")


def shuffled(codec: Codec) -> None:
    """Take the order from a codec, and leave it what it says of itself."""
    generator = torch.Generator().manual_seed(0)
    for quantizer in codec.quantizers:
        for book in quantizer.codebooks:
            book.copy_(book[torch.randperm(len(book), generator=generator)].clone())


def report_order(bench: Bench, measured: Measured, data: str, steps: int, walk: int, small: bool) -> None:
    """The same short training of continuous codes, by ordered and by shuffled codebooks."""
    images = unveil.open_images(data, size=28, channels=1)
    found = {}
    for name in ("ordered", "shuffled"):
        recipe = resolve("fashion-codec-continuous", [*(SMALL if small else []), "model.refiner=null"])
        model = build_model(recipe, images.shape)
        model.prepare(images, torch.Generator().manual_seed(0))
        if name == "shuffled":
            shuffled(model.codec.codec)
        begin = time.process_time()
        fit(model, images, steps, recipe.training.options(), progress=False, device="cpu")
        seconds = time.process_time() - begin
        found[name] = measured.distance(pictures_of(model, codes_of(model, measured.count, walk)))
        bench.figure(f"{name} codebooks after {steps} steps, Frechet distance", found[name], "distance", "> 0")
        bench.figure(f"{name} codebooks, training, cpu", seconds, "s", "> 0")
    bench.figure(
        "ordered codebooks, Frechet distance beside shuffled",
        found["ordered"],
        "distance",
        "< 1",
        peer=found["shuffled"],
        peer_name="shuffled codebooks",
    )


def report_encoding(bench: Bench, model: CodecDiffusion, data: str) -> None:
    """What encoding the pictures anew in every training step takes of it: whether keeping their codes would pay."""
    x = unveil.open_images(data, size=28, channels=1).batch(range(64))[0]
    model.train().requires_grad_(True)
    model.codec.requires_grad_(False)
    work = {"encoding": lambda: model.encode(x), "step": lambda: model.loss(x, Streams(0, len(x))).backward()}
    times = bench.contest({name: bench.timed(what) for name, what in work.items()})
    bench.figure(
        "share of a training step that encoding takes", times.best("encoding") / times.best("step"), "share", "< 0.05"
    )


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--data", default="../shared/data/fashion-mnist", help="Fashion-MNIST")
    arguments.add_argument("--runs", type=Path, default=Path("runs"), help="where the two runs are, or are trained")
    arguments.add_argument("--samples", type=int, default=1000, help="of each model (1000)")
    arguments.add_argument("--walk", type=int, default=200, help="steps of sampling (200)")
    arguments.add_argument("--steps", type=int, default=500, help="of the trainings with and without order (500)")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    quick = bench.quick
    data, folder = ("digits", options.runs / "quick") if quick else (options.data, options.runs)
    samples, walk, steps = (100, 5, 10) if quick else (options.samples, options.walk, options.steps)
    measured = Measured(data, samples)
    if bench.wants("continuous"):
        model = run_of("continuous", data, folder, quick)
        report_floor(bench, measured, model)
        report_encoding(bench, model, data)
        report_continuous(bench, measured, model.eval(), walk)
    if bench.wants("categorical"):
        report_categorical(bench, measured, run_of("categorical", data, folder, quick), walk)
    if bench.wants("order"):
        report_order(bench, measured, data, steps, walk, quick)


if __name__ == "__main__":
    main()
