"""Hat Diffusion EBMs that several processes train together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_hats
import torch

from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import read_tensors


def test_two_processes_keep_the_bank_of_one(tmp_path):
    program = Path(tiny_hats.__file__)
    path = os.pathsep.join(str(folder) for folder in (program.parent, program.parents[1]))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    two = RunFolder.create(tmp_path / "two", "recipe")
    group = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*group, str(program), str(two.path)], env=environment, capture_output=True, text=True, timeout=300
    )
    if done.returncode and any(why in done.stderr for why in ("find interface", "Address family", "Name or service")):
        pytest.skip("no loopback interface for two processes to talk over")
    assert done.returncode == 0, done.stderr
    RunFolder.create(tmp_path / "one", "recipe")
    alone = tiny_hats.train(tmp_path / "one").state_dict()
    together = read_tensors(two.weights)[0]
    assert torch.equal(together["pairs.seed"], alone["pairs.seed"])
    for name, value in alone.items():
        if value.is_floating_point() and not name.startswith("health.gaps"):
            torch.testing.assert_close(together[name], value, rtol=0, atol=2e-2, msg=name)
