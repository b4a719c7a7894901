"""Kill a training ten times at random with SIGKILL, resume it, and compare its weights with an undisturbed one's."""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measuring
import torch
from safetensors.torch import load_file

STEPS, KILLS = 400, 10
OPTIONS = ["training.save_every=7", "training.log_every=5", "training.sample_every=0", "model.network.channels=8"]


def command(out: Path, steps: int) -> list[str]:
    train = [sys.executable, "-m", "unveil", "train", "digits-ddpm", "--steps", str(steps), "--out", str(out)]
    return [*train, "--resume", *OPTIONS]


def run_to_the_end(out: Path, steps: int) -> None:
    subprocess.run(command(out, steps), check=True, capture_output=True)


def saved(out: Path) -> set[str]:
    return {path.name for path in (out / "state").glob("*.safetensors")}


def killed(out: Path, steps: int, chance: random.Random) -> bool:
    """Train until a checkpoint or a few have appeared and a random moment more has passed, then kill; False if it ended."""
    seen, begin = saved(out), time.monotonic()
    process = subprocess.Popen(command(out, steps), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and saved(out) == seen and time.monotonic() - begin < 120:
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 0.5))
    if process.poll() is not None:
        return False
    process.kill()
    process.wait()
    return True


def main() -> None:
    options = measuring.parser(__doc__.splitlines()[0]).parse_args()
    bench = measuring.begin(options)
    steps, kills = (120, 2) if options.quick else (STEPS, KILLS)
    folder = Path(tempfile.mkdtemp(prefix="unveil-kill-"))
    chance = random.Random(time.time_ns())
    try:
        whole, broken = folder / "whole", folder / "broken"
        run_to_the_end(whole, steps)
        done = 0
        while done < kills and killed(broken, steps, chance):
            done += 1
        run_to_the_end(broken, steps)
        ours, theirs = (load_file(run / "weights.safetensors") for run in (broken, whole))
        equal = ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
        bench.figure(f"killed {done} times: equal weights", float(equal), "1 is yes", ">= 1")
        bench.figure("times killed", float(done), "kills", f">= {kills}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
