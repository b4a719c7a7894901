"""docs/images/choosing.png and choosing.md: quality of samples by sampler and evaluations of the network.

The recipe digits-ddpm as it is; 359 samples each, from the same noise; against the 359 held-out digits. Takes fifteen minutes.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from trained import IMAGES, as_published

import unveil
from unveil.metrics import PIXELS, FeatureSpace, extract_features, frechet_distance, precision_recall

EVALUATIONS = (5, 10, 20, 50, 100, 250)
PER_STEP = {"ddim": 1, "ancestral": 1, "euler": 1, "heun": 2, "reverse-sde": 1, "predictor-corrector": 2,
            "annealed-langevin": 5}  # fmt: skip

run, classifier = as_published(), as_published("digits-features")
space = FeatureSpace.of(classifier.model, "digits-features")
held_out, seen = unveil.open_images("digits", split="test"), unveil.open_images("digits")
N = len(held_out)
real = extract_features(PIXELS, held_out, split="test"), extract_features(space, held_out, split="test")


def measure(x) -> tuple[float, float, float]:
    """Precision and recall in pixels, and the Frechet distance of features."""
    pixels = extract_features(PIXELS, x, split="generated").take(N)
    features = extract_features(space, x, split="generated").take(N)
    precision, recall = precision_recall(pixels, real[0])
    return precision.value, recall.value, frechet_distance(features, real[1], groups=0).value


found = {}
for sampler, cost in PER_STEP.items():
    for evaluations in EVALUATIONS:
        steps = evaluations // cost
        if steps < 2:
            continue
        found[sampler, evaluations] = measure(unveil.sample(run, N, sampler=sampler, steps=steps, batch=N))
        print(sampler, evaluations, found[sampler, evaluations], flush=True)
exact = measure(unveil.sample(run, N, sampler="rk45", batch=N))
ceiling = measure(seen)
print("rk45", exact, "ceiling", ceiling)

figure, panels = plt.subplots(1, 3, figsize=(10, 3.6), dpi=100, layout="constrained")
for panel, i, title in zip(panels, range(3), ("precision", "recall", "Frechet distance"), strict=True):
    for k, sampler in enumerate(PER_STEP):
        points = [(n, value[i]) for (name, n), value in found.items() if name == sampler]
        panel.plot(*zip(*points, strict=True), marker="o", ms=3, lw=1.3, color=f"C{k}", label=sampler)
    panel.axhline(ceiling[i], color="0.4", ls="--", lw=1, label="other real digits")
    panel.axhline(exact[i], color="0.7", ls=":", lw=1.3, label="rk45")
    panel.set(xscale="log", xlabel="evaluations of the network", title=title, xticks=EVALUATIONS)
    panel.set_xticks(EVALUATIONS, [str(n) for n in EVALUATIONS])
    panel.minorticks_off()
    panel.spines[["top", "right"]].set_visible(False)
panels[2].set_yscale("log")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8, frameon=False)
figure.savefig(IMAGES / "choosing.png")

lines = [
    f"| precision / recall / distance by evaluations | {' | '.join(map(str, EVALUATIONS))} |",
    "|---" * (1 + len(EVALUATIONS)) + "|",
]
for sampler in PER_STEP:
    cells = []
    for n in EVALUATIONS:
        value = found.get((sampler, n))
        cells.append("" if value is None else f"{value[0]:.2f} / {value[1]:.2f} / {value[2]:.1f}")
    lines.append(f"| `{sampler}` | {' | '.join(cells)} |")
lines += [
    "",
    f"`rk45`, at its default tolerance: {exact[0]:.2f} / {exact[1]:.2f} / {exact[2]:.1f}. "
    f"Other real digits ({N} of the training part): {ceiling[0]:.2f} / {ceiling[1]:.2f} / {ceiling[2]:.1f}.",
]
(IMAGES / "choosing.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
