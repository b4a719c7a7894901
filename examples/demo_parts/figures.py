"""The sections of the demo's page: what each shows, and what there is to see."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from demo_parts import drawings
from demo_parts.trainings import MODELS


@dataclass(frozen=True)
class Figure:
    """A section of the page.

    Attributes:
        title: its heading.
        draw: leaves the pictures in the demo's folder; what it prints becomes a table.
        seconds: what that takes, about.
        text: what there is to see.
        pictures: file -> caption.
    """

    title: str
    draw: Callable[[Path], None]
    seconds: float
    text: str
    pictures: dict[str, str] = field(default_factory=dict)


FIGURES = [
    Figure(
        "Digits that nobody wrote",
        drawings.draw_samples,
        4,
        "Every picture began as noise and was denoised in 50 steps. The models were told which digit to draw, and guided "
        "towards it. They work on 8 x 8 pixels; here these are enlarged smoothly.",
        {f"{name}.png": f"trained with {noise}: each column is one class, 0 to 9" for name, noise in MODELS.items()},
    ),
    Figure(
        "White noise and smooth noise",
        drawings.draw_noise,
        1,
        "The same random numbers four times: white, then as Gaussian free fields of power 0.5, 1 and 2. Every pixel has "
        "variance 1 in all of them; what changes is how much neighbours have in common. The second model above was "
        "trained with power 1.",
        {"noise.png": "power 0 (white), 0.5, 1 and 2"},
    ),
    Figure(
        "From noise to data",
        drawings.draw_paths,
        1,
        "Sampling, watched: the state after 0, 12, 22, 30, 35, 39, 42, 45, 48 and 50 of 50 steps. Both models begin with "
        "the same random numbers; the second colours them first.",
        {f"path-{name}.png": f"from {noise} (left) to a digit (right)" for name, noise in MODELS.items()},
    ),
    Figure(
        "One model, many ways to walk",
        drawings.draw_samplers,
        5,
        "Always the same ten starting noises, guided towards the classes 0 to 9. The work is counted in evaluations of "
        "the model, for each of which the network is asked twice, with the class and without. ddim and heun add no noise "
        "on their way, so they nearly agree with each other; the others go their own way.",
        {
            "ddim-50.png": "ddim: 50 evaluations",
            "ddim-10.png": "ddim: 10 evaluations",
            "ancestral-50.png": "ancestral: 50 evaluations",
            "ancestral-10.png": "ancestral: 10 evaluations",
            "heun-25.png": "heun: 50 evaluations",
            "reverse-sde-100.png": "reverse-sde: 100 evaluations",
            "predictor-corrector-50.png": "predictor-corrector: 100 evaluations",
            "annealed-langevin-20.png": "annealed-langevin: 100 evaluations",
        },
    ),
    Figure(
        "Real digits, partly hidden",
        drawings.draw_restored,
        1,
        "Ten real digits are noised part of the way, and denoised from there by a model that is not told which digits "
        "they were. The more is hidden, the more it must invent, and the more often it invents another digit.",
        {
            "real.png": "ten real digits that the model has never seen",
            "noisy-0.2.png": "noised to t = 0.2: 0.81 of each digit, plus noise of strength 0.58",
            "restored-0.2.png": "denoised from t = 0.2: most are what they were",
            "noisy-0.4.png": "noised to t = 0.4: 0.44 of each digit, plus noise of strength 0.90",
            "restored-0.4.png": "denoised from t = 0.4: coarse shapes are kept, the rest is invented",
        },
    ),
    Figure(
        "Half a digit",
        drawings.draw_filled,
        1,
        "The lower half of ten real digits is missing. The same model fills it in, three times, by denoising diffusion "
        "restoration: what is seen is kept, what is not seen is drawn. Where the upper half leaves a choice, the answers "
        "differ.",
        {"upper-half.png": "what is seen"} | {f"filled-{seed}.png": f"filled in, seed {seed}" for seed in range(3)},
    ),
    Figure(
        "One photograph is enough",
        drawings.draw_photograph,
        4,
        "The third model is an energy of patches, learned at four scales from a single photograph, a rocket at dusk of 48 x 72 "
        "pixels. Samples begin as noise, and short chains lower their energy, scale by scale. Larger pictures, longer training "
        "and editing are on the documentation's page of that name.",
        {
            "photograph.png": "the photograph (top left) and seven samples",
            "photograph-wide.png": "a sample three times as wide",
        },
    ),
    Figure(
        "A body follows its hand",
        drawings.draw_pose,
        8,
        "Where the left hand and both feet are is given; a model that knows how people stand makes the rest, and a few steps "
        "of optimisation bring hand and feet to where they were asked. `unveil pose edit` does it as you drag, in a browser.",
        pictures={"pose.png": "In pairs: the body, and its bones with the three places."},
    ),
    Figure(
        "How good are they?",
        drawings.draw_measures,
        18,
        "Precision is the share of samples that lie among real digits, recall the share of real digits that lie among "
        "samples (k = 3, in pixels; as many samples as held-out digits, by ancestral sampling in 20 steps, of every class "
        "in turn, not guided). Other real digits, measured in the same way, are the yardstick. Bits per dimension is what "
        "a model spends on a pixel of 16 held-out digits, of 17 grey levels each; to guess would take log2(17) = 4.09.",
    ),
]
