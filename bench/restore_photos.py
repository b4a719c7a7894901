"""Photographs restored: quality and time beside classical methods, and beside deepinv's solver with the same denoiser.

Each picture is spoilt once, and everybody is given the same numbers. The denoiser is a run of photos-denoiser, trained on
other photographs (--run, or --train to train one). Bicubic is torch's, total variation scikit-image's where there is
noise alone and deepinv's elsewhere, BM3D its authors' package; deepinv's DPIR is half-quadratic splitting, as ours is.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import measuring
import peers
import torch
import torch.nn.functional as F
from measuring import Bench
from PIL import Image
from torch import Tensor

import unveil
from unveil.core.protocols import Operator
from unveil.core.random import Streams
from unveil.data.decoding import load_image
from unveil.inverse import smoothest
from unveil.metrics import psnr, ssim
from unveil.tasks.measurements import Measurement, build, kernel, parse
from unveil.tasks.restore import QUANTISED, prior_of, solve

TASKS = {
    "super-resolution x2": "downsample:2",
    "super-resolution x4": "downsample:4",
    "inpainting, 30% missing": "mask:0.3",
    "inpainting, 70% missing": "mask:0.7",
    "deblurring": "blur:gaussian:1.6,noise:2/255",
    "denoising, 25 of 255": "noise:25/255",
}
THREE = ("total variation (scikit-image)", "total variation (deepinv)", "Wiener deconvolution (scikit-image)")
"""Methods given the best of three settings, chosen with the truth; their time is that of one."""
LEAST_NOISE = 1 / 255  # what DPIR is told of measurements without noise
QUICK_STEPS = 40


@dataclass
class Case:
    """One picture and one way to spoil it: x is the truth, y what was measured, both (1, C, H, W)."""

    measurement: Measurement
    operator: Operator
    x: Tensor
    y: Tensor
    seed: int


Method = Callable[[Case], Tensor]


def spoil(text: str, x: Tensor, seed: int) -> Case:
    """Spoil a picture exactly as `restore(..., degrade=True, seed=seed)` does."""
    measurement = parse(text)
    operator = build(measurement, x.shape, canvas=x.shape, seed=seed)
    y = operator.forward(x[None])
    y = y + measurement.sigma * Streams(seed, 1).child(2).randn(y.shape)
    return Case(measurement, operator, x[None], y, seed)


def ours(run: unveil.Run) -> Method:
    def method(case: Case) -> Tensor:
        sigma = max(case.measurement.sigma, QUANTISED)
        return solve(
            prior_of(run, case.x.shape[1:]), case.y, case.operator, sigma_y=sigma, generator=Streams(case.seed, 1)
        )

    return method


# -- classical baselines ----------------------------------------------------------------------------------------------


def best(found: list[Tensor], case: Case) -> Tensor:
    """Of some answers the one nearest to the truth: the classical methods are given the best of three settings."""
    return max(found, key=lambda x: float(psnr(x.clamp(-1, 1), case.x)[0]))


def bicubic(case: Case) -> Tensor:
    return F.interpolate(case.y, size=case.x.shape[2:], mode="bicubic", align_corners=False)


def tv_denoising(case: Case) -> Tensor:
    from skimage.restoration import denoise_tv_chambolle

    picture = case.y[0].permute(1, 2, 0).double().numpy()
    tried = [denoise_tv_chambolle(picture, weight=w * case.measurement.sigma, channel_axis=-1) for w in (0.5, 0.8, 1.2)]
    return best([torch.from_numpy(clean).permute(2, 0, 1)[None].float() for clean in tried], case)


def tv_by_deepinv(dinv: object, case: Case) -> Tensor:
    """Total variation by proximal gradients, from where ours begins."""
    physics, start = their_physics(dinv, case), unit(smoothest(case.operator, case.y, sigma_y=case.measurement.sigma))
    found = []
    for weight in (2e-3, 5e-3, 1e-2):
        tv = dinv.optim.PGD(
            data_fidelity=dinv.optim.L2(),
            prior=dinv.optim.TVPrior(n_it_max=20),
            lambda_reg=weight,
            stepsize=1.0,
            max_iter=60,
        )
        found.append(signed(tv(their_measurement(case), physics, init=start)))
    return best(found, case)


def navier_stokes(case: Case) -> Tensor:
    import cv2

    picture = ((case.y[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    hole = (case.operator.keep < 0.5).byte().numpy()
    clean = torch.from_numpy(cv2.inpaint(picture, hole, 3, cv2.INPAINT_NS)).permute(2, 0, 1)[None]
    return clean.float() / 127.5 - 1


def bm3d(case: Case) -> Tensor:
    import numpy

    vars(numpy)["trapz"] = numpy.trapezoid  # the name by which it asks for it
    import bm3d as theirs

    picture = unit(case.y)[0].permute(1, 2, 0).double().numpy()
    return signed(torch.from_numpy(theirs.bm3d_rgb(picture, case.measurement.noise)).permute(2, 0, 1)[None].float())


def wiener(case: Case) -> Tensor:
    """At the best of three balances, chosen with the truth, to its advantage."""
    from skimage.restoration import wiener as theirs

    psf = kernel(case.measurement.parts[0]).numpy()
    found = []
    for balance in (0.003, 0.01, 0.03):
        planes = [theirs(plane.double().numpy(), psf, balance, clip=False) for plane in case.y[0]]
        found.append(torch.stack([torch.from_numpy(plane) for plane in planes])[None].float())
    return best(found, case)


# -- deepinv ----------------------------------------------------------------------------------------------------------


def unit(x: Tensor) -> Tensor:
    """From [-1, 1] to [0, 1]."""
    return (x + 1) / 2


def their_measurement(case: Case) -> Tensor:
    """y of pictures in [0, 1], where what is missing is 0 too."""
    return unit(case.y) * case.operator.keep if case.measurement.has("mask") else unit(case.y)


def signed(x: Tensor) -> Tensor:
    return 2 * x - 1


def their_physics(dinv: object, case: Case) -> object:
    """The same measurement as they write it, of pictures in [0, 1]; it is checked to be the same."""
    shape = tuple(case.x.shape[1:])
    part = case.measurement.parts[0] if case.measurement.parts else None
    physics = dinv.physics
    match part.kind if part else "noise":
        case "noise":
            found = physics.Denoising()
        case "mask":
            found = physics.Inpainting(shape, mask=case.operator.keep.expand(shape).float())
        case "blur":
            found = physics.BlurFFT(shape, filter=kernel(part).float()[None, None])
        case _:
            factor = int(part.numbers[0])
            box = torch.zeros(1, 1, 2 * factor - 1, 2 * factor - 1)  # centred where their samples lie
            box[..., :factor, :factor] = 1 / factor**2
            found = physics.Downsampling(shape, filter=box, factor=factor, padding="circular")
    assert (
        float((found.A(unit(case.x)) - unit(case.operator.forward(case.x))).abs().max()) < 1e-4 or part.kind == "mask"
    )
    found.noise_model = physics.GaussianNoise(sigma=case.measurement.noise)
    return found


def dpir(dinv: object, run: unveil.Run, *, noisy: bool) -> Method:
    """Their half-quadratic splitting, given our network.

    The network judges for itself how much noise there is. Either it is shown what they have, or, with `noisy`, noise of
    the level that they are at is added first, as ours does.
    """

    class Denoiser(torch.nn.Module):
        def forward(self, x: Tensor, sigma: Tensor | float, **others: object) -> Tensor:
            with torch.inference_mode():
                return unit(run.model.net(signed(x + sigma * torch.randn_like(x) if noisy else x)))

    def method(case: Case) -> Tensor:
        """From their own beginning, but for inpainting, where from there it fails: it is given ours."""
        if not case.measurement.parts:  # noise alone is taken away by the denoiser, without a solver
            with torch.inference_mode():
                return run.model.net(case.y)
        torch.manual_seed(case.seed)
        physics = their_physics(dinv, case)
        model = dinv.optim.DPIR(sigma=max(case.measurement.noise, LEAST_NOISE), denoiser=Denoiser())
        begin = {"init": unit(smoothest(case.operator, case.y))} if case.measurement.has("mask") else {}
        return signed(model(their_measurement(case), physics, **begin))

    return method


# -- the measurement --------------------------------------------------------------------------------------------------


def methods(text: str, run: unveil.Run, dinv: object | None) -> dict[str, Method]:
    found: dict[str, Method] = {"ours": ours(run)}
    measurement = parse(text)
    if measurement.has("downsample"):
        found["bicubic"] = bicubic
    if measurement.has("mask") and find_spec("cv2"):
        found["Navier-Stokes inpainting (OpenCV)"] = navier_stokes
    if not measurement.parts:
        found["total variation (scikit-image)"] = tv_denoising
    elif dinv is not None:
        found["total variation (deepinv)"] = lambda case: tv_by_deepinv(dinv, case)
    if not measurement.parts and find_spec("bm3d"):
        found["BM3D"] = bm3d
    if measurement.has("blur"):
        found["Wiener deconvolution (scikit-image)"] = wiener
    if dinv is not None:
        found["deepinv DPIR, the same denoiser"] = dpir(dinv, run, noisy=False)
        if measurement.parts:
            found["deepinv DPIR, the same denoiser, with noise added as ours adds it"] = dpir(dinv, run, noisy=True)
    return found


def measure(bench: Bench, name: str, text: str, pictures: list[Tensor], run: unveil.Run, dinv: object | None) -> None:
    contestants = methods(text, run, dinv)
    quality: dict[str, list[float]] = {key: [] for key in contestants}
    likeness: dict[str, list[float]] = {key: [] for key in contestants}
    seconds: dict[str, list[float]] = {key: [] for key in contestants}
    for seed, x in enumerate(pictures):
        case = spoil(text, x, seed)
        for key, method in contestants.items():
            begin = bench.now()
            found = method(case)
            seconds[key].append((bench.now() - begin) / (3 if key in THREE else 1))
            found = found.clamp(-1, 1)
            quality[key].append(float(psnr(found, case.x)[0]))
            likeness[key].append(float(ssim(found, case.x)[0]))
    mine = statistics.mean(quality["ours"])
    for key in contestants:
        if key == "ours":
            continue
        theirs = statistics.mean(quality[key])
        # PSNR is a logarithm: what counts is the difference, so it is given in the place of the ratio.
        bench.figure(
            f"{name}, PSNR", mine, "dB (ratio: the difference)", ">= 0", peer=theirs, peer_name=key, ratio=mine - theirs
        )
        bench.figure(
            f"{name}, SSIM",
            statistics.mean(likeness["ours"]),
            "",
            ">= 1",
            peer=statistics.mean(likeness[key]),
            peer_name=key,
        )
        goal = "<= 1" if "deepinv DPIR" in key else "> 0"
        bench.figure(
            f"{name}, time", statistics.median(seconds["ours"]), "s a picture", goal,
            peer=statistics.median(seconds[key]), peer_name=key,
        )  # fmt: skip


def measure_memory(bench: Bench, run: Path, picture: Path) -> None:
    """The most memory that the command takes for a photograph of two megapixels."""
    name = "2 megapixels deblurred, memory of the process"
    if bench.quick or not bench.wants(name):
        return
    with tempfile.TemporaryDirectory() as folder:
        large, out = Path(folder) / "large.png", Path(folder) / "out.png"
        Image.open(picture).resize((1632, 1240)).save(large)
        command = [
            sys.executable,
            "-m",
            "unveil",
            "restore",
            run,
            large,
            "--operator",
            TASKS["deblurring"],
            "--degrade",
        ]
        subprocess.run([*map(str, command), "--out", str(out)], check=True, capture_output=True)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    bench.figure(name, most, "MB", "< 4096")


def trained(options: Namespace) -> unveil.Run:
    """The run that was named, or one that is trained now."""
    if options.run is not None:
        return unveil.load(options.run)
    place = Path("runs/restore-photos") / ("quick" if options.quick else "photos-denoiser")
    if (place / "weights.safetensors").is_file():
        return unveil.load(place)
    begin = time.perf_counter()
    run = unveil.train("photos-denoiser", data=options.train, out=place, steps=QUICK_STEPS if options.quick else None)
    print(f"trained in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return run


def main() -> None:
    parser = measuring.parser(__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/kodak"), help="a folder of clean photographs")
    parser.add_argument("--run", type=Path, help="a run of photos-denoiser; one is trained without it")
    parser.add_argument("--train", help="a folder of other photographs to train on; scikit-image's without it")
    parser.add_argument("-n", type=int, default=24, help="pictures")
    parser.add_argument("--crop", type=int, default=256, help="side of the middle that is used; 0 for whole pictures")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    files = sorted(path for path in options.data.iterdir() if path.suffix.lower() in (".png", ".jpg", ".tif"))
    count, side = (1, 96) if options.quick else (options.n, options.crop)
    pictures = []
    for path in files[:count]:
        x = load_image(path, 3)
        height, width = x.shape[1:]
        if side:
            top, left = (height - side) // 2, (width - side) // 2
            x = x[:, top : top + side, left : left + side]
        pictures.append(x.contiguous())
    run, dinv = trained(options), peers.library_without_torchvision("deepinv", options.peers)
    for name, there in (("deepinv", dinv), ("bm3d", find_spec("bm3d")), ("opencv (cv2)", find_spec("cv2"))):
        if not there:
            print(f"{name} is not installed (see --peers), so it is not measured", file=sys.stderr)
    for name, text in TASKS.items():
        if bench.wants(name):
            measure(bench, name, text, pictures, run, dinv)
    measure_memory(bench, run.path, files[0])


if __name__ == "__main__":
    main()
