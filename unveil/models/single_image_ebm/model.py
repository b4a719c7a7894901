"""The energy-based model of a single image, and how it is trained."""

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from unveil.core.protocols import Stage
from unveil.core.random import Streams
from unveil.models.single_image_ebm import training
from unveil.models.single_image_ebm.starts import Starts
from unveil.models.single_image_ebm.uses import UsablePyramid
from unveil.networks.patch_energy import PatchEnergy


class SingleImageEBM(UsablePyramid):
    """Energies of an image's patches at several scales; a sample is white noise that runs down one after the other.

    At the coarsest scale a chain starts from noise, at each other one from the enlarged end of the scale below, and takes a
    fixed number of Langevin steps. Because the energies are convolutional, samples can have any size. Other starts than
    noise make pictures into others that have the patches of the image: see `inject`. The energies know one image; for
    another, train another model.

    Args:
        energies: one a scale, coarsest first.
        sizes: (height, width) of each scale; the last is that of the image.
        chain: steps of a chain at the coarsest scale; the chains do not converge, so use takes about as many as training.
        finer_chain: steps at each scale above.
        step_size: in front of half of the gradient.
        noise: standard deviation of what a step adds when training begins; it falls to 0 in the first quarter.
        recovery_weight: how much it counts that chains from a spoiled image find back to the image.
        clean_factor: in every second step of a finer scale these chains start from the image of the scale below, enlarged, as
            edits do, and count so many times as much; 0 starts them always where those of the scale below ended.
        corruption: how the image is spoiled for that at the coarsest scale: "blur", "mask", "noise" or "colours".
        bank: how many ends of chains of the scale below are drawn, once, to start chains from while a scale trains.
        finer_share: training steps of each finer scale, as a share of those of the coarsest.
        detail_noise: noise in the starts of each scale above the coarsest, where samples are drawn, as a share of the details
            that the scale below lacks there; without any, chains make smooth starts into bars. 0 adds none, as published.
        train_crop: side of the windows that scales which are larger are trained on; None takes windows of
            128 pixels where a step on the whole image would need more than 2 GB.

    Attributes:
        sizes: of the scales.
        finished: how many scales are trained. From the first on the model can be used, at the size that is reached.
        pyramid: the image at every scale, (1, C, h, w), which is kept with the weights.
        known: where it is known at every scale, (1, 1, h, w), 0 in a hole.

    Raises:
        ConfigError: a value that cannot work.
        ShapeError: sizes that do not rise, or as many energies as there are no sizes.

    Source: Zheng, Xie and Li (2021), Patchwise generative ConvNet, CVPR. Their f is minus our energy.
    """

    def stages(self, steps: int | Mapping[str, int]) -> Iterator[Stage]:
        """One stage a scale, "scale-0" the coarsest; lower scales stay as they are.

        The player of the coarsest scale is called "coarsest" and that of each other one "finer", so that they can have
        options of their own.

        Args:
            steps: of the coarsest scale, of which each finer one takes `finer_share`; or of each scale by name.
        """
        starts = Starts(self.bank, int(torch.randint(2**63 - 1, ())))
        for scale, energy in enumerate(self.energies):
            below = self.energies[scale - 1] if scale else None
            if below is not None and _alike(below, energy):
                energy.load_state_dict(below.state_dict())
            if isinstance(steps, int):
                count = steps if scale == 0 else max(1, round(steps * self.finer_share))
            else:
                count = steps[f"scale-{scale}"]
            moves = partial(training.moves, self, scale, count, starts)
            self._training = scale + 1
            player = "finer" if scale else "coarsest"
            shown = ("gap", "slope", "recovery", "contrast")
            yield Stage(f"scale-{scale}", {player: energy}, count, moves, shown)
        self._training = 0

    def preview(self) -> Tensor:
        """What shows how far training is: the image at the finest scale that can be used, its recovery, and six samples."""
        top = self._usable() - 1
        return torch.cat([self.pyramid[top], self.recover(0), self.sample(6, generator=Streams(0, 6))])


def _alike(a: PatchEnergy, b: PatchEnergy) -> bool:
    """Whether two energies have the same architecture."""
    return (a.channels, a.widths, a.activation, a.normalized) == (b.channels, b.widths, b.activation, b.normalized)
