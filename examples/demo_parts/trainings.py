"""Three small models, trained side by side by the command that anyone would use."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from demo_parts.progress import Parts, console

SECONDS = 90.0
MODELS = {"digits-ddpm": "white noise", "digits-free-field": "smooth noise"}
PHOTO = "single-image"
CHANGES = ["model.labels=true", "model.stratified=true", "training.batch_size=32", "training.lr=2e-3",
           "training.ema=0.99", "training.log_every=10", "training.sample_every=0"]  # fmt: skip
PHOTO_CHANGES = ["data.longest=72", "model.finer_share=0.25"]
if os.environ.get("UNVEIL_QUICK"):  # a network that is done in no time and draws nothing much, for tests
    CHANGES += ["model.network.channels=8", "model.network.attention=[]"]
    PHOTO_CHANGES = ["data.longest=44", "model.network.widths=4,4", "model.chain=1", "model.finer_chain=1"]


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
