"""docs/images/single-image*: a rocket at dusk rearranged, edited in six ways, and set in motion.

python docs/figures/single_image.py [RUN], a run of the recipe single-image as it is, on its own picture.
"""

import sys

import torch
from skimage import data
from trained import IMAGES, as_published

import unveil
from unveil.data import write_video
from unveil.tasks.pictures import side_by_side

GAP, CALM = 4, 0.4
run = unveil.load(sys.argv[1]) if sys.argv[1:] else as_published("single-image")
model = run.model
photo = model.pyramid[len(model.sizes_for()) - 1][0]
tall, wide = photo.shape[1:]


def rows(*pictures):
    """Pictures (C, H, W) below each other on white."""
    width = max(x.shape[2] for x in pictures)
    parts = []
    for x in pictures:
        parts += [torch.nn.functional.pad(x, (0, width - x.shape[2], 0, 0), value=1.0), torch.ones(3, GAP, width)]
    return torch.cat(parts[:-1], 1)


def region(top, left, height, width):
    """A rectangle, as shares of the picture."""
    return (
        slice(None),
        slice(round(top * tall), round((top + height) * tall)),
        slice(round(left * wide), round((left + width) * wide)),
    )


def drawing():
    """Two rockets and two fires, in five flat colours, as anyone could draw them."""
    image = torch.empty(3, tall, wide)
    for where, colour in (
        ((0.0, 0.0, 1.0, 1.0), (28, 45, 82)),  # the sky, darker above
        ((0.4, 0.0, 0.6, 1.0), (52, 76, 124)),
        ((0.88, 0.0, 0.12, 1.0), (62, 48, 44)),  # the ground
        ((0.4, 0.2, 0.52, 0.05), (240, 222, 190)),  # rockets
        ((0.55, 0.7, 0.36, 0.05), (240, 222, 190)),
        ((0.88, 0.14, 0.08, 0.16), (250, 190, 90)),  # fires
        ((0.88, 0.64, 0.08, 0.16), (250, 190, 90)),
    ):
        image[region(*where)] = torch.tensor(colour).view(3, 1, 1) / 127.5 - 1
    return image


def copied():
    """The rocket and its tower once more, beside themselves."""
    there = region(0.1, 0.44, 0.8, 0.16)
    across = round(0.3 * wide)
    here = (there[0], there[1], slice(there[2].start - across, there[2].stop - across))
    image, mask = photo.clone(), torch.zeros(1, tall, wide)
    image[here] = photo[there]
    mask[here] = 1
    return image, mask[0]


def moon():
    """A disk of a colour that the picture does not have, pasted into the sky."""
    y, x = torch.meshgrid(torch.arange(tall), torch.arange(wide), indexing="ij")
    mask = ((y - 0.25 * tall) ** 2 + (x - 0.25 * wide) ** 2 < (0.12 * tall) ** 2).float()
    return torch.where(mask.bool(), torch.tensor([0.9, 0.2, -0.8]).view(3, 1, 1), photo), mask


def pairs():
    """What was given and what was made, for each task that makes a picture."""
    edited, over = copied()
    pasted, disk = moon()
    hole = torch.zeros(tall, wide)
    hole[region(0.55, 0.1, 0.3, 0.2)[1:]] = 1
    coffee = torch.from_numpy(data.coffee()).permute(2, 0, 1) / 127.5 - 1
    made = {
        "paint": unveil.edit(run, drawing(), "paint"),
        "edit": unveil.edit(run, edited, "edit", mask=over),
        "harmonize": unveil.edit(run, pasted, "harmonize", mask=disk, scale=2),
        "style": unveil.edit(run, coffee, "style"),
        "inpaint": unveil.edit(run, torch.where(hole.bool(), torch.tensor(1.0), photo), "inpaint", mask=hole),
    }
    for found in made.values():
        yield side_by_side([found.given, found.images[0]])
    long = unveil.edit(run, None, "resize", size=(tall, 2 * wide + GAP)).images[0]
    yield long


def sheets():
    """The photograph and samples of several sizes."""
    same = model.sample(5, temperature=CALM, generator=unveil.Streams(0, 5))
    flat = model.sample(1, size=(tall // 2, 3 * wide + 2 * GAP), temperature=CALM, generator=unveil.Streams(1, 1))[0]
    first, second = side_by_side([photo, same[0], same[1]]), side_by_side([same[2], same[3], same[4]])
    return rows(first, second, flat)


if __name__ == "__main__":
    unveil.save_images(sheets(), IMAGES / "single-image.png", force=True, scale=1)
    panels = list(pairs())
    left, right = rows(*panels[0::2]), rows(*panels[1::2])
    unveil.save_images(side_by_side([left, right], gap=12), IMAGES / "single-image-edits.png", force=True, scale=1)
    frames = unveil.edit(run, None, "animate", frames=24).images
    write_video(frames, IMAGES / "single-image.gif", fps=10, force=True)
