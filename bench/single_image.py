"""Models of a single image: training time, patch statistics of samples, diversity and recovery, beside two rivals.

Every picture is learned as the recipe single-image says. The rivals are a generator that pastes the image's nearest
patches, from coarse to fine, into a shuffled start, and the same energy-based model trained without the recovery of the
image. Samples are compared with the image by the Frechet distance of the features of their patches (SIFID-random, which
compares with no published figure) and with each other by their diversity; and a spoiled image is given to each, to be
brought back. All pictures at the size of the recipe take hours; `--count 3 --side 96` measures three smaller ones in less
than half an hour of one core.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import measuring
import torch
from measuring import Bench
from torch import Tensor
from torch.nn import functional

from unveil.core.errors import DivergenceError
from unveil.core.random import Streams
from unveil.data import save_images
from unveil.data.photograph import open_photograph
from unveil.metrics import diversity, psnr, single_image_distance
from unveil.models.single_image_ebm.corruption import corrupted
from unveil.pyramids import image_pyramid, resize
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.training.trainer import fit

PICTURES = Path("../shared/data/single-image/natural")
SAMPLES, QUICK_SAMPLES = 20, 4
QUICK = ["model.network.widths=16,16,16", "model.chain=15", "model.finer_chain=6", "model.bank=8", "data.longest=48"]
QUICK_STEPS = 60
SPOILED = ("blur", "noise", "mask", "colours")
COPIES = "nearest patches"
PATCH, TURNS, COARSE = 7, 4, 3  # turns at each of so many coarse scales; one at the others
_CHUNK = 512


# --- the rival that copies patches -----------------------------------------------------------------------------------


@dataclass
class NearestPatches:
    """Coarse to fine: each patch becomes its nearest one of the image, and overlapping patches are averaged.

    Patches that are near to many are made dearer, so that all of the image is used.

    Source: Granot et al. (2021), arXiv:2103.15545.
    """

    image: Tensor
    sizes: list[tuple[int, int]]
    alpha: float = 0.05
    scales: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.scales = image_pyramid(self.image, self.sizes)

    def sample(self, n: int, generator: Streams) -> Tensor:
        """n pictures from the shuffled pixels of the coarsest scale, (n, C, H, W)."""
        coarse = self.scales[0]
        orders = generator.rand((n, coarse[0, 0].numel())).argsort(1)
        return torch.cat([self.climb(coarse.flatten(2)[..., order].view_as(coarse), 0) for order in orders])

    def climb(self, x: Tensor, scale: int) -> Tensor:
        """One picture (1, C, h, w) of a scale, pasted together there and at all finer ones."""
        for s in range(scale, len(self.scales)):
            x = resize(x, self.sizes[s])
            blurred = resize(resize(self.scales[s], self.sizes[s - 1]), self.sizes[s]) if s else self.scales[s]
            for turn in range(TURNS if s < COARSE else 1):
                keys = blurred if turn == 0 and s else self.scales[s]  # the start is as blurred as it came up
                x = self._pasted(x, keys, self.scales[s])
        return x

    def _pasted(self, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        queries, keys, values = (functional.unfold(part, PATCH)[0].T.contiguous() for part in (x, keys, values))
        least = torch.cat([_squares(chunk, queries).amin(1) for chunk in keys.split(_CHUNK)])
        dear = 1 / (self.alpha * queries.shape[1] + least)  # of each patch of the image
        nearest = torch.cat([(_squares(chunk, keys) * dear).argmin(1) for chunk in queries.split(_CHUNK)])
        size = x.shape[-2:]
        total = functional.fold(values[nearest].T[None], size, PATCH)
        count = functional.fold(torch.ones(1, PATCH**2, len(queries)), size, PATCH)
        return total / count


def _squares(a: Tensor, b: Tensor) -> Tensor:
    return (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp_(min=0)


# --- what is measured ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contestant:
    """What draws samples (n) of a picture, and brings a spoiled picture back from a scale on; and its training time."""

    draw: Callable[[int], Tensor]
    mend: Callable[[Tensor], Tensor]
    seconds: float = 0.0


def train(path: str, bench: Bench, changes: list[str], steps: int | None, seed: int) -> tuple[Contestant, Tensor, list]:
    """A model of a picture."""
    recipe = resolve("single-image", [*(QUICK if bench.quick else []), *changes, f"training.seed={seed}"])
    spec = recipe.data
    data = open_photograph(path, longest=spec.longest, shortest=spec.shortest)
    model = build_model(recipe, data.shape)
    begin = bench.now()
    count = steps or (QUICK_STEPS if bench.quick else recipe.training.steps)
    fit(model, data, count, recipe.training.options(), progress=False, device="cpu")
    seconds = bench.now() - begin
    middle = mending_scale(model.scales)
    contestant = Contestant(
        lambda n: model.sample(n, generator=Streams(0, n)), lambda x: model.inject(x, middle, gentle=True), seconds
    )
    return contestant, model.pyramid[-1], model.sizes


def mending_scale(scales: int) -> int:
    """The scale that a spoiled picture is injected at: in the middle."""
    return max(1, scales // 2)


def nearest(image: Tensor, sizes: list[tuple[int, int]]) -> Contestant:
    """The rival that has nothing to learn."""
    patches, middle = NearestPatches(image, sizes), mending_scale(len(sizes))
    return Contestant(
        lambda n: patches.sample(n, Streams(0, n)), lambda x: patches.climb(resize(x, sizes[middle - 1]), middle)
    )


def report(
    bench: Bench, name: str, image: Tensor, ours: Contestant, rivals: dict[str, Contestant], out: Path | None
) -> None:
    """Figures of one picture, ours beside each rival's."""
    count = QUICK_SAMPLES if bench.quick else SAMPLES
    bench.figure(f"{name}, training, {bench.clock}", ours.seconds, "s", "< 960")
    drawn = {"ours": ours.draw(count)} | {rival: each.draw(count) for rival, each in rivals.items()}
    distance = {who: single_image_distance(x, image[0]).median().item() for who, x in drawn.items()}
    spread = {who: diversity(x, image[0]) for who, x in drawn.items()}
    for rival in rivals:
        beside = {"peer_name": rival}
        bench.figure(f"{name}, SIFID-random, median", distance["ours"], "", "<= 1", peer=distance[rival], **beside)
        bench.figure(f"{name}, diversity", spread["ours"], "share", ">= 0.7", peer=spread[rival], **beside)
    for kind in SPOILED:
        spoiled = resize(corrupted(resize(image, _half(image)), kind), image.shape[-2:]).clamp(-1, 1)
        bench.figure(f"{name}, {kind}, PSNR as given", _psnr(spoiled, image), "dB", "> 0")
        for rival, each in rivals.items():
            found = _psnr(ours.mend(spoiled), image)
            goal = ">= 0" if rival == COPIES else ">= 1"  # who has the image itself at hand brings it back at will
            bench.figure(
                f"{name}, {kind}, PSNR brought back",
                found,
                "dB",
                goal,
                peer=_psnr(each.mend(spoiled), image),
                peer_name=rival,
            )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for who, x in drawn.items():
            save_images(
                torch.cat([image, x[:7]]), out / f"{name}-{who.replace(' ', '-')}.png", columns=4, scale=1, force=True
            )


def _half(image: Tensor) -> tuple[int, int]:
    return image.shape[-2] // 2, image.shape[-1] // 2


def _psnr(x: Tensor, image: Tensor) -> float:
    return float(psnr(x, image).mean())


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, default=PICTURES, help=f"a folder of pictures ({PICTURES})")
    arguments.add_argument("--pictures", type=Path, help="draw samples of everybody into this folder")
    arguments.add_argument("--count", type=int, help="how many pictures; all without it")
    arguments.add_argument("--side", type=int, help="long side that they are learned at; the recipe's without it")
    arguments.add_argument("--steps", type=int, help="of training at the coarsest scale; the recipe's without it")
    arguments.add_argument("--seed", type=int, default=0, help="of the training (0)")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    found = sorted(options.data.glob("*.png")) if options.data.is_dir() else []
    sources = {path.stem: str(path) for path in found} or {name: f"photos/{name}" for name in ("rocket", "coffee")}
    sources = dict(list(sources.items())[: 1 if bench.quick else options.count])
    changes = [] if options.side is None else [f"data.longest={options.side}"]
    for name, path in sources.items():
        if not bench.wants(name):
            continue
        ours, image, sizes = train(path, bench, changes, options.steps, options.seed)
        rivals = {COPIES: nearest(image, sizes)}
        try:
            plain, _, _ = train(path, bench, [*changes, "model.recovery_weight=0"], options.steps, options.seed)
            rivals["without recovery"] = plain
        except DivergenceError as error:
            print(f"{name} without recovery: {error}", file=sys.stderr)
        shown = name if options.side is None else f"{name} at {options.side} pixels"
        report(bench, shown, image, ours, rivals, options.pictures)


if __name__ == "__main__":
    main()
