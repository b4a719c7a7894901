"""How well a flow tells strange pictures: the area under the ROC of its bits, and of its bits beyond those of a lossless file.

A flow of two resolutions learns clothes (or the digits that come with scikit-learn, without --data), or comes from a run
(--run). Held-out ordinary pictures are told from MNIST (--strange), from uniform noise and from pictures of one grey. The goals
are the published findings: by bits simple pictures seem more ordinary than ordinary ones and noise the strangest of all; beyond
a file's bits all of them are strange. Last come ordinary pictures cut into patches that change places.
"""

import warnings
from pathlib import Path

import measuring
import torch
from measuring import Bench
from mrcnf_table import CLOTHES, told, train
from torch import Tensor

from unveil.core.random import Streams
from unveil.data import open_images
from unveil.data.shuffling import shuffle_patches
from unveil.metrics import auroc, lossless_bits
from unveil.models.multires_cnf import MultiResolutionCNF
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.tasks.run import load

BY_BITS = {"uniform noise": ">= 0.9", "MNIST": "< 0.5", "constant pictures": "< 0.5"}
PATCHES = (1, 2, 4, 7, 8, 14, 16)


def strange(bench: Bench, what: str, model: MultiResolutionCNF, ordinary: Tensor, others: dict[str, Tensor]) -> None:
    """The area under the curve of both scores, and the bits that they are made of."""

    def scores(x: Tensor) -> tuple[Tensor, Tensor]:
        bits = told(model, x)[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that are longer than small pictures
            return bits, bits - lossless_bits(model.levels.numbers(x).to(torch.uint8))

    usual = scores(ordinary)
    for name, x in others.items():
        found = scores(x)
        bench.figure(f"{what}, bits of {name}", float(found[0].mean()), "bits/dim", "> 0",
                     peer=float(usual[0].mean()), peer_name=what)  # fmt: skip
        for score, mine, theirs in zip(("bits", "bits beyond a file's"), usual, found, strict=True):
            goal = BY_BITS[name] if score == "bits" else ">= 0.9"
            bench.figure(f"{what} against {name}, by {score}", auroc(mine, theirs), "AUROC", goal)
    side = ordinary.shape[-1]
    for patch in PATCHES:
        if side % patch == 0 and patch < side:
            moved = told(model, shuffle_patches(ordinary, patch, Streams(2, len(ordinary))))[0].mean()
            bench.figure(f"{what}, patches of {patch} shuffled", float(moved), "bits/dim", ">= 1",
                         peer=float(usual[0].mean()), peer_name="as they are")  # fmt: skip


def made_up(shape: torch.Size, count: int) -> dict[str, Tensor]:
    """Pictures of noise, and of one grey each."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, count, shape, generator=generator)
    flat = torch.randint(0, count, (shape[0], 1, 1, 1), generator=generator).expand(shape)
    return {name: x * (2 / (count - 1)) - 1 for name, x in (("uniform noise", noise), ("constant pictures", flat))}


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, help="the folder of Fashion-MNIST, instead of the digits")
    arguments.add_argument("--strange", type=Path, help="the folder of MNIST, to tell from it")
    arguments.add_argument(
        "--run", type=Path, help="a run of a flow that has learned the data, such as fashion-mrcnf-2"
    )
    arguments.add_argument("--seconds", type=float, help="of training without --run (6 with --quick, else 300)")
    arguments.add_argument("--pictures", type=int, help="of each kind (32 with --quick, else 256)")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    source = str(options.data) if options.data else "digits"
    images, test = (open_images(source, split=split) for split in ("train", "test"))
    if options.run:
        model = load(options.run).model
    else:
        changes = list(CLOTHES if options.data else ())
        torch.manual_seed(0)
        model = build_model(resolve("digits-mrcnf", changes), images.shape)
        for _ in train(model, images, changes, options.seconds or (6 if bench.quick else 300)):
            pass
    few = range(min(options.pictures or (32 if bench.quick else 256), len(test)))
    ordinary = test.batch(few)[0]
    others = made_up(ordinary.shape, model.levels.count)
    if options.strange:
        others["MNIST"] = open_images(str(options.strange), split="test").batch(few)[0]
    strange(bench, "clothes" if options.data else "digits", model, ordinary, others)


if __name__ == "__main__":
    main()
