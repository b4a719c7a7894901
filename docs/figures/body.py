"""docs/images/body.png: the embedded body in key poses, in three genders and a few shapes, and in a walk.

python docs/figures/body.py
"""

import torch
from PIL import Image
from trained import IMAGES

import unveil
from unveil.body import Figure, angles_to_pose, draw, in_a_row, key_poses, load_body, random_motion

BLUE, SAND, GREEN, CLAY = (0.42, 0.56, 0.78), (0.86, 0.68, 0.46), (0.50, 0.66, 0.50), (0.72, 0.66, 0.60)
WIDTH = 1000

body = load_body()
keys = key_poses()


def row(surfaces, colours, height):
    figures = [Figure(v, body.faces, colour) for v, colour in zip(surfaces, colours, strict=True)]
    return draw(in_a_row(figures), height=height, width=WIDTH)


names = ["stand", "sit", "wave", "kick", "arms-crossed", "lunge", "reach-up", "half-kneel", "throw"]
posed = body(angles_to_pose(torch.stack([keys[name] for name in names]))).vertices
rows = [row(posed, [BLUE] * len(names), 230)]

shapes = torch.zeros(9, 10)
for i, (number, value) in enumerate([(0, 3.0), (0, -3.0), (1, 4.0), (1, -2.5), (2, 4.0), (5, 5.0)], start=3):
    shapes[i, number] = value
stand = angles_to_pose(keys["stand"]).expand(9, -1, -1, -1)
kinds = ["female", "neutral", "male", *["neutral"] * 6]
rows.append(row(body(stand, shapes, kinds).vertices, [SAND] * 3 + [CLAY] * 6, 230))

walk = random_motion(body, 80, kind="walk", shape=torch.zeros(10), gender="neutral", generator=unveil.Streams(3, 1))
rows.append(row(walk.posed(body).vertices[::9], [GREEN] * 9, 230))
picture = torch.cat(rows, 1)
path = unveil.save_images(picture, IMAGES / "body.png", force=True)
with Image.open(path) as opened:
    few = opened.quantize(128, dither=Image.Dither.NONE)
few.save(path, optimize=True)
