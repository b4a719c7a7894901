"""Train two small models of handwritten digits, look at what they do, and leave a page of pictures.

    python examples/demo.py --out demo

The data comes with scikit-learn; nothing is downloaded. On two CPU cores it takes two or three minutes.
"""

import argparse
import html
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

os.environ.setdefault("OMP_NUM_THREADS", "1")  # on pictures this small several threads only wait for each other

QUICK = bool(os.environ.get("UNVEIL_QUICK"))  # leaves out what takes long, for tests
MARK = ".made-by-the-demo"
MODELS = {"digits-ddpm": "white noise", "digits-free-field": "smooth noise"}
CHANGES = ["model.labels=true", "model.stratified=true", "training.lr=2e-3", "training.decay=cosine", "training.ema=0.99",
           "training.log_every=10", "training.sample_every=0"]  # fmt: skip
SAMPLERS = ["ddim", "ancestral", "euler", "consistent-annealed", "heun", "reverse-sde", "annealed-langevin",
            "predictor-corrector"]  # fmt: skip
TEN = list(range(10))
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Figure:
    """A picture of the page: what it is, and what makes it."""

    title: str
    text: str
    pictures: dict[str, str]  # file -> caption
    code: str


def main() -> int:
    """Do everything; 0 when the page is there, 2 when the folder is somebody else's, 1 when training failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="the folder to leave the page in")
    parser.add_argument("--steps", type=int, default=1200, help="training steps of each model")
    given = parser.parse_args()
    out: Path = given.out
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        console.print(f"{out} was not made by the demo, so it is left alone; name another folder with --out.")
        return 2
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
    console.print("Training two small diffusion models on 1,438 handwritten digits, side by side.")
    if failed := train(out / "runs", given.steps):
        console.print(failed)
        return 1
    figures = []
    for what, draw in PICTURES.items():
        with console.status(f"Drawing: {what}"):
            figures.append(draw(out))
        console.print(f"  drawn: {what}")
    seconds = time.monotonic() - began
    write_page(out, figures, given.steps, seconds)
    console.print(f"Done in {seconds:.0f} seconds. Open {out / 'index.html'} in a browser.")
    return 0


# --- training --------------------------------------------------------------------------------------------------------


def train_command(recipe: str, run: Path, steps: int) -> list[str]:
    """The command that trains a model."""
    return ["train", recipe, "--out", str(run), "--steps", str(steps), *CHANGES]


def train(runs: Path, steps: int) -> str:
    """Run both trainings at once, one core each, and watch their logs; says what went wrong, if anything did."""
    columns = TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}")
    jobs = {}
    runs.mkdir(exist_ok=True)
    for recipe in MODELS:
        shutil.rmtree(runs / recipe, ignore_errors=True)
        log = (runs / f"{recipe}.txt").open("w")
        command = [sys.executable, "-m", "unveil", *train_command(recipe, runs / recipe, steps)]
        jobs[recipe] = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
    try:
        with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
            tasks = {recipe: bars.add_task(f"{recipe:<18}", total=steps, loss="") for recipe in jobs}
            said = time.monotonic()
            while any(job.poll() is None for job in jobs.values()):
                time.sleep(0.5)
                for recipe, task in tasks.items():
                    step, loss = newest(runs / recipe / "log.jsonl")
                    bars.update(task, completed=step, loss=loss)
                if not console.is_terminal and time.monotonic() - said > 15:  # a bar needs a terminal, a line does not
                    said = time.monotonic()
                    console.print(
                        "  " + ", ".join(f"{bar.description.strip()} {bar.completed:.0f}/{steps}" for bar in bars.tasks)
                    )
            for recipe, task in tasks.items():
                bars.update(task, completed=newest(runs / recipe / "log.jsonl")[0])
    finally:
        for job in jobs.values():
            if job.poll() is None:
                job.terminate()
                job.wait()
    bad = next((recipe for recipe, job in jobs.items() if job.returncode), None)
    return (runs / f"{bad}.txt").read_text() if bad else ""


def newest(log: Path) -> tuple[int, str]:
    """The last whole line of a run's log: how many steps are done, and the loss."""
    lines = log.read_bytes().split(b"\n")[:-1] if log.is_file() else []
    line = json.loads(lines[-1]) if lines else {"step": 0, "loss": None}
    return line["step"], "" if line["loss"] is None else f"loss {line['loss']:.3f}"


# --- pictures --------------------------------------------------------------------------------------------------------


def smooth(x):
    """Enlarge 8 x 8 pixels eightfold without edges between them, which is easier on the eye."""
    import torch.nn.functional as F

    return F.interpolate(x, scale_factor=8, mode="bicubic").clamp(-1, 1)


def draw_samples(out: Path) -> Figure:
    """Four of each class from both models."""
    import unveil

    pictures = {}
    for recipe, noise in MODELS.items():
        x = unveil.sample(out / "runs" / recipe, 40, sampler="ancestral", label=TEN, guidance=2)
        unveil.save_images(smooth(x), out / f"{recipe}.png", columns=10, scale=1, force=True)
        pictures[f"{recipe}.png"] = f"trained with {noise}: each column is one class, 0 to 9"
    return Figure(
        "Digits that nobody wrote",
        "Every picture began as noise and was denoised in 50 steps. The models were told which digit to draw, and guided "
        "towards it. They work on 8 x 8 pixels; here these are enlarged smoothly.",
        pictures,
        f"unveil sample {out}/runs/digits-ddpm -n 40 --label {','.join(map(str, TEN))} --guidance 2 --sampler ancestral "
        "--out samples.png",
    )


def draw_noise(out: Path) -> Figure:
    """White noise beside free fields of growing smoothness, all from the same random numbers."""
    import torch

    import unveil
    from unveil.covariance import free_field

    z = torch.randn(1, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    fields = torch.cat([free_field(96, 96, power).sqrt(z) for power in (0, 0.5, 1, 2)])
    unveil.save_images(fields / 2.5, out / "noise.png", columns=4, scale=2, force=True)
    return Figure(
        "White noise and smooth noise",
        "The same random numbers four times: white, then as Gaussian free fields of power 0.5, 1 and 2. Every pixel has "
        "variance 1 in all of them; what changes is how much neighbours have in common. The second model above was "
        "trained with power 1.",
        {"noise.png": "power 0 (white), 0.5, 1 and 2"},
        "from unveil.covariance import free_field\nnoise = free_field(96, 96, power=1.0).sqrt(torch.randn(1, 1, 96, 96))",
    )


def draw_paths(out: Path) -> Figure:
    """From noise to digits, moment by moment."""
    import torch

    import unveil
    from unveil import Streams

    pictures = {}
    for recipe, noise in MODELS.items():
        run = unveil.load(out / "runs" / recipe)
        shown = [run.model.noise(4, Streams(3, 4))]

        def keep(done: int, total: int, state: torch.Tensor, shown: list[torch.Tensor] = shown) -> None:
            if done in (12, 22, 30, 35, 39, 42, 45, 48, 50):
                shown.append(state)

        unveil.sample(run, 4, seed=3, steps=50, sampler="ancestral", label=[2, 3, 5, 8], guidance=2, watch=keep)
        strips = torch.stack(shown, 1).flatten(0, 1)
        unveil.save_images(strips, out / f"path-{recipe}.png", columns=len(shown), scale=8, force=True)
        pictures[f"path-{recipe}.png"] = f"from {noise} (left) to a digit (right)"
    return Figure(
        "From noise to data",
        "Sampling, watched: the state after 0, 12, 22, 30, 35, 39, 42, 45, 48 and 50 of 50 steps. Both models begin with "
        "the same random numbers; the second colours them first.",
        pictures,
        f'run = unveil.load("{out}/runs/digits-ddpm")\n'
        'run.model.sample(4, steps=50, sampler="ancestral", watch=lambda done, total, x: print(done, x.std()))',
    )


def draw_samplers(out: Path) -> Figure:
    """Eight samplers from the same noise."""
    import unveil

    run = unveil.load(out / "runs" / "digits-ddpm")
    pictures = {}
    for name in SAMPLERS:
        began = time.process_time()
        x = unveil.sample(run, 10, sampler=name, steps=5 if QUICK else 50, seed=1, label=TEN)
        seconds = time.process_time() - began
        unveil.save_images(smooth(x), out / f"sampler-{name}.png", columns=10, scale=1, force=True)
        pictures[f"sampler-{name}.png"] = f"{name}: {seconds:.1f} s"
    return Figure(
        "One model, eight samplers",
        "The same ten starting noises, 50 steps each, and the CPU seconds that ten pictures took here. Samplers that add "
        "no noise on their way (ddim, euler, heun) agree with each other; the others go their own way.",
        pictures,
        f"unveil sample {out}/runs/digits-ddpm -n 10 --label 0,1,2,3,4,5,6,7,8,9 --sampler heun --seed 1 --out heun.png",
    )


def draw_restored(out: Path) -> Figure:
    """Real digits the model has never seen, partly noised, and denoised again."""
    import torch

    import unveil
    from unveil import Streams

    run = unveil.load(out / "runs" / "digits-ddpm")
    real, _ = unveil.open_images("digits", split="test").batch(range(10))
    real = real.to(run.model.device)
    rows = {"real": ("ten real digits, held out from training", real)}
    for start in (0.2, 0.4):
        alpha, sigma = run.model.schedule(torch.tensor(start))
        noisy = alpha * real + sigma * run.model.noise(10, Streams(0, 10))
        rows[f"noisy-{start}"] = f"noised to t = {start}", noisy
        rows[f"restored-{start}"] = "restored", unveil.sample(run, 10, image=real, start=start, steps=20)
    pictures = {}
    for name, (caption, x) in rows.items():
        noisy = name.startswith("noisy")
        unveil.save_images(
            x if noisy else smooth(x), out / f"{name}.png", columns=10, scale=8 if noisy else 1, force=True
        )
        pictures[f"{name}.png"] = caption
    return Figure(
        "Real digits, partly hidden",
        "Real digits are noised part of the way and denoised from there. The more is hidden, the more the model must "
        "invent, and the more often it invents another digit.",
        pictures,
        f'run = unveil.load("{out}/runs/digits-ddpm")\n'
        'x, _ = unveil.open_images("digits", split="test").batch(range(10))\n'
        "run.model.sample(10, image=x, start=0.4, steps=20)",
    )


def draw_measures(out: Path) -> Figure:
    """Precision, recall and bits per dimension."""
    import unveil
    from unveil.metrics import PIXELS, extract_features, precision_recall

    held_out, seen = unveil.open_images("digits", split="test"), unveil.open_images("digits", split="train")
    n = 12 if QUICK else len(held_out)
    real = extract_features(PIXELS, held_out, split="test").take(n)
    other = extract_features(PIXELS, seen, split="train").take(n)
    rows = [("other real digits", *precision_recall(other, real), "")]
    for recipe, noise in MODELS.items():
        run = unveil.load(out / "runs" / recipe)
        x = unveil.sample(run, n, label=TEN)
        measured = precision_recall(extract_features(PIXELS, x, split="generated"), real)
        bits = "" if QUICK else f"{unveil.likelihood(run, held_out, n=16, split='test').measure.value:.2f}"
        rows.append((f"{recipe}, {noise}", *measured, bits))
    cells = "".join(
        f"<tr><td>{name}</td><td>{precision.value:.2f}</td><td>{recall.value:.2f}</td><td>{bits}</td></tr>"
        for name, precision, recall, bits in rows
    )
    return Figure(
        "How good are they?",
        f"<table><tr><th>{n} pictures</th><th>precision</th><th>recall</th><th>bits/dim</th></tr>{cells}</table>"
        "Precision is the share of samples that lie among real digits, recall the share of real digits that lie among "
        f"samples (k = 3, in pixels, against {n} held-out digits; samples by ddim in 50 steps, of every class in turn, "
        "not guided). Other real digits, measured in the same way, are the yardstick. Bits per dimension is what a model "
        "spends on a pixel of 16 held-out digits, of 17 grey levels each; to guess would take log2(17) = 4.09.",
        {},
        "from unveil.metrics import PIXELS, extract_features, precision_recall\n"
        'real = extract_features(PIXELS, unveil.open_images("digits", split="test"), split="test")\n'
        f'x = unveil.sample("{out}/runs/digits-ddpm", len(real), label=range(10))\n'
        'ours = extract_features(PIXELS, x, split="generated")\n'
        "precision, recall = precision_recall(ours, real)\n"
        f'bits = unveil.likelihood("{out}/runs/digits-ddpm", "digits", split="test", n=16)',
    )


PICTURES: dict[str, Callable[[Path], Figure]] = {
    "samples of every class": draw_samples,
    "white and smooth noise": draw_noise,
    "the way from noise to data": draw_paths,
    "eight samplers": draw_samplers,
    "real digits, restored": draw_restored,
    "precision, recall and likelihood": draw_measures,
}


# --- the page --------------------------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light dark; --ink: #22252b; --soft: #667; --paper: #fcfbf8; --card: #fff; --line: #e4e1d8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9e7e1; --soft: #a3a3ad; --paper: #17181c; --card: #1f2126; --line: #33353c; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 Georgia, "Times New Roman", serif; }
header, main, footer { max-width: 54rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3.5rem; padding-bottom: 1rem; }
h1 { font-size: 2.6rem; line-height: 1.15; margin: 0 0 .6rem; font-weight: 500; letter-spacing: -.01em; }
h2 { font-size: 1.45rem; font-weight: 500; margin: 0 0 .4rem; }
p { margin: .4rem 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.6rem; margin: 1.6rem 0; }
figure { margin: 1.1rem 0 0; }
img { display: block; max-width: 100%; height: auto; border-radius: 4px; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .3rem; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; margin: 1.2rem 0 0;
      font: .82rem/1.5 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1rem; }
th, td { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
th:not(:first-child), td:not(:first-child) { text-align: right; font-variant-numeric: tabular-nums; }
.samplers { display: grid; grid-template-columns: repeat(auto-fit, minmax(21rem, 1fr)); gap: 0 1.4rem; }
footer { color: var(--soft); font-size: .9rem; padding-bottom: 4rem; }
"""


def write_page(out: Path, figures: list[Figure], steps: int, seconds: float) -> None:
    """Write index.html: plain HTML and CSS, the pictures beside it, nothing from elsewhere."""
    trained = "\n".join("unveil " + " ".join(train_command(recipe, out / "runs" / recipe, steps)) for recipe in MODELS)
    sections = "".join(section(figure) for figure in figures)
    (out / "index.html").write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unveil: what two minutes of training give</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>Something is known,<br>the rest is unveiled</h1>
<p>Two small diffusion models, one with white and one with smooth noise, learned from 1,438 handwritten digits of 8 x 8
pixels in {steps:,} steps each. Everything on this page was trained, drawn and measured on this machine just now, in
{seconds:.0f} seconds.</p>
<pre>{html.escape(trained)}</pre>
</header>
<main>{sections}</main>
<footer><p>The runs are in {html.escape(str(out / "runs"))}. Try the commands above on them (after <code>source
.venv/bin/activate</code>), then <code>unveil train photos-diffusion --data FOLDER</code> on pictures of your
own.</p></footer>
</body>
</html>
""",
        encoding="utf-8",
    )


def section(figure: Figure) -> str:
    """A figure as HTML."""
    pictures = "".join(
        f'<figure><img src="{file}" alt="{html.escape(caption)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        for file, caption in figure.pictures.items()
    )
    kind = "samplers" if len(figure.pictures) > 5 else "pictures"
    return (
        f"<section><h2>{figure.title}</h2><div>{figure.text}</div><div class='{kind}'>{pictures}</div>"
        f"<pre>{html.escape(figure.code)}</pre></section>\n"
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
