"""docs/images/guidance.png and guidance.md: samples, precision and recall by the scale of guidance."""

import torch
from trained import IMAGES, save, smooth, with_labels

import unveil
from unveil.metrics import PIXELS, extract_features, precision_recall

TEN = list(range(10))

run = with_labels()
shown = []
for scale in (0, 1, 2, 4):
    shown.append(unveil.sample(run, 20, seed=2, label=TEN, guidance=scale))
save(smooth(torch.cat(shown), 5), "guidance.png", columns=20, scale=1)

held_out = unveil.open_images("digits", split="test")
real = extract_features(PIXELS, held_out, split="test")
lines = ["| guidance | precision | recall |", "|---|---|---|"]
for scale in (0, 1, 1.5, 2, 3, 4):
    x = unveil.sample(run, len(held_out), label=TEN, guidance=scale)
    precision, recall = precision_recall(extract_features(PIXELS, x, split="generated"), real)
    lines.append(f"| {scale:g} | {precision.value:.2f} | {recall.value:.2f} |")
(IMAGES / "guidance.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
