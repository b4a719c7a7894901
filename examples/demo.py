"""Train two small models of handwritten digits and one of a photograph, look at what they do, pose a body, and leave a page.

    python examples/demo.py --out demo

The data comes with scikit-learn and scikit-image; nothing is downloaded. On two idle CPU cores it takes two minutes. The
functions `draw_...` below are shown on the page as they are, each beside its pictures, so they import what they need.
"""

import argparse
import ast
import html
import inspect
import io
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

os.environ.setdefault("OMP_NUM_THREADS", "1")  # on pictures this small several threads only wait for each other

MARK = ".made-by-the-demo"
MODELS = {"digits-ddpm": "white noise", "digits-free-field": "smooth noise"}
PHOTO = "single-image"
CHANGES = ["model.labels=true", "model.stratified=true", "training.batch_size=32", "training.lr=2e-3",
           "training.ema=0.99", "training.log_every=10", "training.sample_every=0"]  # fmt: skip
PHOTO_CHANGES = ["data.longest=72", "model.finer_share=0.25"]
if os.environ.get("UNVEIL_QUICK"):  # a network that is done in no time and draws nothing much, for tests
    CHANGES += ["model.network.channels=8", "model.network.attention=[]"]
    PHOTO_CHANGES = ["data.longest=44", "model.network.widths=4,4", "model.chain=1", "model.finer_chain=1"]
console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Do everything; 0 when the page is there, 2 when the folder is somebody else's, 1 when training failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="the folder to leave the page in")
    parser.add_argument("--steps", type=int, default=800, help="training steps of each model")
    given = parser.parse_args()
    out: Path = given.out
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        console.print(f"{out} was not made by the demo, so it is left alone; name another folder with --out.")
        return 2
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
    parts = Parts({"training three small models, side by side": TRAINING} | {f.title: f.seconds for f in FIGURES})
    with parts.next():
        failed = train(out / "runs", given.steps, parts)
    if failed:
        console.print(failed)
        return 1
    printed = []
    for figure in FIGURES:
        with parts.next(), redirect_stdout(io.StringIO()) as said:
            figure.draw(out)
        printed.append(said.getvalue())
    write_page(out, printed, given.steps, parts.elapsed())
    console.print(f"Done in {parts.elapsed():.0f} seconds. Open {out / 'index.html'} in a browser.")
    return 0


class Parts:
    """Tells which part is being done, and about how long everything will still take.

    Args:
        seconds: for each part what it took on some machine; how long it takes on this one is learned on the way.
    """

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.done = 0
        self.began = time.monotonic()

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    @contextmanager
    def next(self) -> Iterator[None]:
        """Announce the next part, and count it when it is over."""
        console.print(f"Part {self.done + 1} of {len(self.seconds)}, {self.left()}: {list(self.seconds)[self.done]}")
        yield
        self.done += 1

    def left(self, share: float = 0.0) -> str:
        """How long it still takes, when `share` of the present part is done."""
        each = list(self.seconds.values())
        known = sum(each[: self.done]) + share * (each[self.done] if self.done < len(each) else 0.0)
        slowness = self.elapsed() / known if known > sum(each) / 20 else 1.0
        minutes = round(slowness * (sum(each) - known) / 60)
        return f"about {minutes} minute{'s' * (minutes > 1)} left" if minutes else "less than a minute left"


# --- training --------------------------------------------------------------------------------------------------------


def train_command(recipe: str, run: Path, steps: int) -> list[str]:
    """The command that trains a model; that of the photograph takes half as many steps."""
    own = ["--steps", str(steps // 2 or 1), *PHOTO_CHANGES] if recipe == PHOTO else ["--steps", str(steps), *CHANGES]
    return ["train", recipe, "--out", str(run), "--force", *own]


def train(runs: Path, steps: int, parts: Parts) -> str:
    """Run all trainings at once, one core each, and watch their logs; says what went wrong, if anything did."""
    columns = TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}")
    of_photo = max(1, 7 * steps // 8)  # half at the coarsest scale, an eighth at each of three finer ones
    totals = dict.fromkeys(MODELS, steps) | {PHOTO: of_photo}
    jobs = {}
    runs.mkdir(exist_ok=True)
    for recipe in totals:
        command = [sys.executable, "-m", "unveil", *train_command(recipe, runs / recipe, steps)]
        with (runs / f"{recipe}.txt").open("w") as log:
            jobs[recipe] = subprocess.Popen(command, stdout=log, stderr=log)
    began = time.time()
    try:
        with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
            tasks = {recipe: bars.add_task(f"{recipe:<18}", total=total, loss="") for recipe, total in totals.items()}
            said = time.monotonic()
            while any(job.poll() is None for job in jobs.values()):
                time.sleep(0.5)
                for recipe, task in tasks.items():
                    step, loss = newest(runs / recipe / "log.jsonl", began)
                    bars.update(task, completed=min(step, totals[recipe]), loss=loss)
                if not console.is_terminal and time.monotonic() - said > 15:  # a bar needs a terminal, a line does not
                    said = time.monotonic()
                    counts = [f"{bar.description.strip()} {bar.completed:.0f}/{bar.total:.0f}" for bar in bars.tasks]
                    share = sum(bar.completed for bar in bars.tasks) / sum(totals.values())
                    console.print(f"  {', '.join(counts)}; {parts.left(share)}")
            for recipe, task in tasks.items():
                bars.update(task, completed=totals[recipe])
    finally:
        for job in jobs.values():
            if job.poll() is None:
                job.terminate()
                job.wait()
    bad = next((recipe for recipe, job in jobs.items() if job.returncode), None)
    return (runs / f"{bad}.txt").read_text() if bad else ""


def newest(log: Path, began: float) -> tuple[int, str]:
    """How many steps a run's log tells of, all stages together, and the last loss. Logs from before `began` are passed by."""
    fresh = log.is_file() and log.stat().st_mtime >= began
    lines = [json.loads(line) for line in log.read_bytes().split(b"\n")[:-1]] if fresh else []
    if not lines:
        return 0, ""
    reached = {line["stage"]: line["step"] for line in lines}
    return sum(reached.values()), f"loss {lines[-1]['loss']:.3f}"


# --- pictures --------------------------------------------------------------------------------------------------------


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
    from unveil.inverse import DenoiserPrior, ddrm
    from unveil.operators import Mask

    model = unveil.load(demo / "runs" / "digits-ddpm").model
    digits, _ = unveil.open_images("digits", split="test").batch(range(10))
    rows = torch.ones(8, 8)
    rows[4:] = 0
    upper, prior = Mask(rows), DenoiserPrior(model.denoise, model.schedule)
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
    drawn = torch.cat([photo, unveil.sample(run, 7)])
    unveil.save_images(drawn, demo / "photograph.png", columns=4, scale=3, force=True)
    wide = unveil.sample(run, 1, size=(height, 3 * width), seed=1)
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


TRAINING = 90.0  # seconds
FIGURES = [
    Figure(
        "Digits that nobody wrote",
        draw_samples,
        4,
        "Every picture began as noise and was denoised in 50 steps. The models were told which digit to draw, and guided "
        "towards it. They work on 8 x 8 pixels; here these are enlarged smoothly.",
        {f"{name}.png": f"trained with {noise}: each column is one class, 0 to 9" for name, noise in MODELS.items()},
    ),
    Figure(
        "White noise and smooth noise",
        draw_noise,
        1,
        "The same random numbers four times: white, then as Gaussian free fields of power 0.5, 1 and 2. Every pixel has "
        "variance 1 in all of them; what changes is how much neighbours have in common. The second model above was "
        "trained with power 1.",
        {"noise.png": "power 0 (white), 0.5, 1 and 2"},
    ),
    Figure(
        "From noise to data",
        draw_paths,
        1,
        "Sampling, watched: the state after 0, 12, 22, 30, 35, 39, 42, 45, 48 and 50 of 50 steps. Both models begin with "
        "the same random numbers; the second colours them first.",
        {f"path-{name}.png": f"from {noise} (left) to a digit (right)" for name, noise in MODELS.items()},
    ),
    Figure(
        "One model, many ways to walk",
        draw_samplers,
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
        draw_restored,
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
        draw_filled,
        1,
        "The lower half of ten real digits is missing. The same model fills it in, three times, by denoising diffusion "
        "restoration: what is seen is kept, what is not seen is drawn. Where the upper half leaves a choice, the answers "
        "differ.",
        {"upper-half.png": "what is seen"} | {f"filled-{seed}.png": f"filled in, seed {seed}" for seed in range(3)},
    ),
    Figure(
        "One photograph is enough",
        draw_photograph,
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
        draw_pose,
        8,
        "Where the left hand and both feet are is given; a model that knows how people stand makes the rest, and a few steps "
        "of optimisation bring hand and feet to where they were asked. `unveil pose edit` does it as you drag, in a browser.",
        pictures={"pose.png": "In pairs: the body, and its bones with the three places."},
    ),
    Figure(
        "How good are they?",
        draw_measures,
        18,
        "Precision is the share of samples that lie among real digits, recall the share of real digits that lie among "
        "samples (k = 3, in pixels; as many samples as held-out digits, by ancestral sampling in 20 steps, of every class "
        "in turn, not guided). Other real digits, measured in the same way, are the yardstick. Bits per dimension is what "
        "a model spends on a pixel of 16 held-out digits, of 17 grey levels each; to guess would take log2(17) = 4.09.",
    ),
]


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


def write_page(out: Path, printed: list[str], steps: int, seconds: float) -> None:
    """Write index.html: plain HTML and CSS, the pictures beside it, nothing from elsewhere."""
    trained = "\n".join(
        "unveil " + " ".join(train_command(recipe, out / "runs" / recipe, steps)) for recipe in (*MODELS, PHOTO)
    )
    forty = f"unveil sample {out}/runs/digits-ddpm -n 40 --sampler ancestral --guidance 2 --out forty.png"
    sections = "".join(section(figure, said, out) for figure, said in zip(FIGURES, printed, strict=True))
    (out / "index.html").write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unveil: small models of handwritten digits and of a photograph</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>Something is known,<br>the rest is unveiled</h1>
<p>Two small diffusion models, one with white and one with smooth noise, learned from 1,438 handwritten digits of 8 x 8
pixels in {steps:,} steps each, and a model of patches learned from one photograph. Everything on this page was trained,
drawn and measured on this machine just now, in {seconds:.0f} seconds. The models were trained by</p>
<pre>{html.escape(trained)}</pre>
<p>and each program below makes the pictures above it again: put it into a file, and run that with
<code>.venv/bin/python</code> in the folder where the demo was started.</p>
</header>
<main>{sections}</main>
<footer><p>The runs are in {html.escape(str(out / "runs"))}. All of this also goes without Python (after <code>source
.venv/bin/activate</code>): <code>{html.escape(forty)}</code> draws the forty digits at the top, and <code>unveil train
photos-diffusion --data FOLDER</code> learns from pictures of your own.</p></footer>
</body>
</html>
""",
        encoding="utf-8",
    )


def section(figure: Figure, printed: str, out: Path) -> str:
    """A figure as HTML."""
    pictures = "".join(
        f'<figure><img src="{file}" alt="{html.escape(caption)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        for file, caption in figure.pictures.items()
    )
    kind = "samplers" if len(figure.pictures) > 5 else "pictures"
    return (
        f"<section><h2>{figure.title}</h2>{table(printed)}<div>{figure.text}</div><div class='{kind}'>{pictures}</div>"
        f"<pre>{html.escape(program(figure.draw, out))}</pre></section>\n"
    )


def table(printed: str) -> str:
    """Printed lines as an HTML table: two spaces or more lie between columns."""
    if not printed:
        return ""
    head, *rows = ["".join(f"<td>{cell}</td>" for cell in re.split(" {2,}", line)) for line in printed.splitlines()]
    return f"<table><tr>{head.replace('td>', 'th>')}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def program(draw: Callable[[Path], None], out: Path) -> str:
    """What is in a function after its docstring, as a program of its own."""
    source = inspect.getsource(draw)
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    _, *body = function.body
    first, work = body[0], next(part for part in body if not isinstance(part, ast.Import | ast.ImportFrom))
    lines = source.splitlines()
    imports = textwrap.dedent("\n".join(lines[first.lineno - 1 : work.lineno - 1])).strip()
    rest = textwrap.dedent("\n".join(lines[work.lineno - 1 :]))
    return f"from pathlib import Path\n\n{imports}\n\ndemo = Path({str(out)!r})\n{rest}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
