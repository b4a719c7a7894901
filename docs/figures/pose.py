"""docs/images/pose.png: a pose found from five effectors by the model that comes with the library.

python docs/figures/pose.py
"""

from trained import IMAGES

import unveil
from unveil.tasks.pose_solve import solve

found = solve(
    [
        {"type": "position", "joint": "pelvis", "position": [0, 0.9, 0]},
        {"type": "position", "joint": "left_wrist", "position": [0.4, 1.5, 0.3]},
        {"type": "position", "joint": "left_ankle", "position": [0.15, 0.08, -0.1]},
        {"type": "position", "joint": "right_ankle", "position": [-0.1, 0.08, 0]},
        {"type": "look-at", "joint": "head", "target": [1, 1.8, 1]},
    ]
)
unveil.save_images(found.picture()[None], IMAGES / "pose.png", force=True)
