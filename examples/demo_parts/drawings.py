"""The pictures of the demo's page.

Each function is shown on the page as it is, beside its pictures, so each imports what it needs.
"""

from pathlib import Path


def draw_samples(demo: Path) -> None:
    """Four of each class from both models."""
    import torch.nn.functional as F

    import unveil

    for name in ("digits-ddpm", "digits-free-field"):
        x = unveil.sample(demo / "runs" / name, 40, sampler="ancestral", steps=50, label=range(10), guidance=2)
        x = F.interpolate(x, scale_factor=8, mode="bicubic").clamp(-1, 1)
        unveil.save_images(x, demo / f"{name}.png", columns=10, scale=1, force=True)


def draw_noise(demo: Path) -> None:
    """White noise beside free fields of growing smoothness, all from the same random numbers."""
    import torch

    import unveil
    from unveil.covariance import free_field

    z = torch.randn(1, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    fields = torch.cat([free_field(96, 96, power).sqrt(z) for power in (0, 0.5, 1, 2)])
    unveil.save_images(fields / 2.5, demo / "noise.png", columns=4, scale=2, force=True)


def draw_paths(demo: Path) -> None:
    """From noise to digits, moment by moment."""
    import torch
    import torch.nn.functional as F

    import unveil

    for name in ("digits-ddpm", "digits-free-field"):
        run = unveil.load(demo / "runs" / name)
        states = [run.model.noise(4, unveil.Streams(3, 4))]
        unveil.sample(
            run,
            4,
            sampler="ancestral",
            steps=50,
            seed=3,
            label=[2, 3, 5, 8],
            guidance=2,
            watch=lambda done, total, x, states=states: states.append(x),
        )
        shown = torch.stack([states[i] for i in (0, 12, 22, 30, 35, 39, 42, 45, 48, 50)], 1).flatten(0, 1)
        shown = F.interpolate(shown, scale_factor=8, mode="bicubic").clamp(-1, 1)
        unveil.save_images(shown, demo / f"path-{name}.png", columns=10, scale=1, force=True)


def draw_samplers(demo: Path) -> None:
    """One model, walked in several ways from the same noise."""
    import torch.nn.functional as F

    import unveil

    run = unveil.load(demo / "runs" / "digits-ddpm")
    walks = {"ddim": (50, 10), "ancestral": (50, 10), "heun": (25,), "reverse-sde": (100,)}
    walks |= {"predictor-corrector": (50,), "annealed-langevin": (20,)}
    for name, steps in ((name, steps) for name, counts in walks.items() for steps in counts):
        x = unveil.sample(run, 10, sampler=name, steps=steps, seed=2, label=range(10), guidance=2)
        x = F.interpolate(x, scale_factor=8, mode="bicubic").clamp(-1, 1)
        unveil.save_images(x, demo / f"{name}-{steps}.png", columns=10, scale=1, force=True)


def draw_restored(demo: Path) -> None:
    """Real digits the model has never seen, partly noised, and denoised again."""
    import torch
    import torch.nn.functional as F

    import unveil

    model = unveil.load(demo / "runs" / "digits-ddpm").model
    real, _ = unveil.open_images("digits", split="test").batch(range(10))
    pictures = {"real": real}
    for t in (0.2, 0.4):
        alpha, sigma = model.schedule(torch.tensor(t))
        pictures[f"noisy-{t}"] = alpha * real + sigma * model.noise(10, unveil.Streams(0, 10))
        pictures[f"restored-{t}"] = model.sample(10, image=real, start=t, steps=20, generator=unveil.Streams(0, 10))
    for name, x in pictures.items():
        x = F.interpolate(x, scale_factor=8, mode="bicubic").clamp(-1, 1)
        unveil.save_images(x, demo / f"{name}.png", columns=10, scale=1, force=True)


def draw_filled(demo: Path) -> None:
    """The lower half of digits, drawn by a model that sees the upper half."""
    import torch
    import torch.nn.functional as F

    import unveil
    from unveil.inverse import ddrm
    from unveil.operators import Mask

    model = unveil.load(demo / "runs" / "digits-ddpm").model
    digits, _ = unveil.open_images("digits", split="test").batch(range(10))
    rows = torch.ones(8, 8)
    rows[4:] = 0
    upper, prior = Mask(rows), model.prior()
    pictures = {"upper-half": upper.forward(digits + 1) - 1}
    for seed in range(3):
        seen = upper.forward(digits)
        streams = unveil.Streams(seed, 10)
        pictures[f"filled-{seed}"] = ddrm(prior, seen, upper, sigma_y=0.05, steps=20, generator=streams)
    for name, x in pictures.items():
        x = F.interpolate(x, scale_factor=8, mode="bicubic").clamp(-1, 1)
        unveil.save_images(x, demo / f"{name}.png", columns=10, scale=1, force=True)


def draw_photograph(demo: Path) -> None:
    """A photograph drawn anew from noise, in its own size, wide and tall, by a model that has seen nothing else."""
    import torch

    import unveil

    run = unveil.load(demo / "runs" / "single-image")
    photo = run.model.pyramid[-1]
    height, width = photo.shape[-2:]
    drawn = torch.cat([photo, unveil.sample(run, 7, temperature=0.4)])
    unveil.save_images(drawn, demo / "photograph.png", columns=4, scale=3, force=True)
    wide = unveil.sample(run, 1, size=(height, 3 * width), seed=1, temperature=0.4)
    unveil.save_images(wide, demo / "photograph-wide.png", scale=4, force=True)


def draw_pose(demo: Path) -> None:
    """Poses from a hand and two feet, by a model that comes with the library."""
    import torch

    import unveil
    from unveil.tasks.pose_solve import solve

    feet = {"left_ankle": [0.15, 0.08, 0.0], "right_ankle": [-0.15, 0.08, 0.0]}
    pictures = []
    for hand in ([0.5, 1.0, 0.35], [0.3, 1.9, 0.15], [0.35, 0.35, 0.45]):
        places = feet | {"left_wrist": hand}
        asked = [{"type": "position", "joint": joint, "position": place} for joint, place in places.items()]
        pictures.append(solve(asked).picture())
    unveil.save_images(torch.cat(pictures, 2)[None], demo / "pose.png", force=True)


def draw_measures(demo: Path) -> None:
    """Precision, recall and bits per dimension, printed."""
    import unveil
    from unveil.metrics import PIXELS, extract_features, precision_recall

    real = extract_features(PIXELS, unveil.open_images("digits", split="test"), split="test")
    others = extract_features(PIXELS, unveil.open_images("digits"), split="train").take(len(real))
    precision, recall = precision_recall(others, real)
    print(f"{len(real)} pictures          precision  recall  bits/dim")
    print(f"other real digits    {precision.value:.2f}       {recall.value:.2f}    -")
    for name in ("digits-ddpm", "digits-free-field"):
        run = unveil.load(demo / "runs" / name)
        x = unveil.sample(run, len(real), sampler="ancestral", steps=20, label=range(10))
        precision, recall = precision_recall(extract_features(PIXELS, x, split="generated"), real)
        bits = unveil.likelihood(run, "digits", split="test", n=16).measure
        print(f"{name:<20} {precision.value:.2f}       {recall.value:.2f}    {bits.value:.2f}")
