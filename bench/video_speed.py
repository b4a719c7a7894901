"""Frames a second of sampling video, with what is known prepared once for a block, and prepared anew in every step.

Both draw the same frames, bit for bit. With `concat` a small part of one convolution is saved, with `spatin` all the
convolutions that make the maps of the normalizations.
"""

import sys
from dataclasses import dataclass

import measuring
import torch
from measuring import Bench

from unveil.core.random import Streams
from unveil.models.video_diffusion import VideoDiffusion
from unveil.recipes import resolve
from unveil.recipes.build import build_model

GOALS = {"concat": ">= 0.98", "spatin": ">= 1.5"}
STEPS = {"moving-digits": 20, "smmnist": 20}
QUICK_STEPS = {"moving-digits": 6, "smmnist": 4}
UNIT = "frames/s"


@dataclass(frozen=True)
class Case:
    """A network, from a recipe, and how many clips are continued at once."""

    size: str
    conditioning: str
    recipe: str
    changes: tuple[str, ...] = ()
    batch: int = 4

    def model(self) -> VideoDiffusion:
        """Of no training, yet with nothing that is zero."""
        recipe = resolve(self.recipe, self.changes)
        model = build_model(recipe, (1, *recipe.data.size))
        with torch.no_grad():
            for value in model.net.parameters():  # a new network's zeros would be no less work, but look like none
                if not value.any():
                    value.normal_(0, 0.02)
        return model.eval()


CASES = (
    Case("moving-digits", "concat", "moving-digits-mcvd-concat"),
    Case("moving-digits", "spatin", "moving-digits-mcvd-spatin"),
    Case("smmnist", "concat", "smmnist-mcvd", batch=1),
    Case("smmnist", "spatin", "smmnist-mcvd", ("model.network.conditioning=spatin",), batch=1),
)


def compare(bench: Bench, case: Case) -> None:
    name = f"continuing {case.size} clips, {case.conditioning}, batch {case.batch}"
    if not bench.wants(name):
        return
    model, steps = case.model(), (QUICK_STEPS if bench.quick else STEPS)[case.size]
    past = torch.rand(case.batch, model.p, *model.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def draw(cached: bool) -> torch.Tensor:
        return model.predict(past, model.k, steps=steps, generator=Streams(0, case.batch), cached=cached)

    if not torch.equal(draw(True), draw(False)):
        sys.exit(f"{name}: what is prepared once gives other frames.")
    times = bench.contest({"once": bench.timed(lambda: draw(True)), "always": bench.timed(lambda: draw(False))})
    times.report(
        bench, name, case.batch * model.k, UNIT, "once", "always", "prepared in every step", GOALS[case.conditioning]
    )


def main() -> None:
    options = measuring.parser(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    for case in CASES:
        compare(bench, case)


if __name__ == "__main__":
    main()
