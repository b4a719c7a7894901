"""docs/images/pose-editor*.png: the pose editor in Chromium, as its tests see it."""

import os
import subprocess
import sys

from trained import HERE, IMAGES

TEST = HERE.parents[1] / "tests" / "studio" / "test_pose_editor_screenshots.py"

place = os.environ | {"UNVEIL_SCREENSHOTS": str(IMAGES)}
sys.exit(
    subprocess.run([sys.executable, "-m", "pytest", "-p", "no:xdist", "-o", "addopts=", TEST], env=place).returncode
)
