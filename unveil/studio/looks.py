"""Colours, light and the camera of the page."""

from typing import Any, NamedTuple

import numpy as np

Colour = tuple[int, int, int]

CLAYS: tuple[Colour, ...] = (
    (204, 186, 166),
    (140, 162, 184),
    (184, 146, 128),
    (146, 172, 146),
    (170, 146, 172),
    (180, 172, 124),
    (140, 140, 164),
    (164, 132, 128),
)
"""Of bodies, one after another."""
COSTUME: Colour = (222, 214, 202)
FREE: Colour = (70, 112, 160)
HELD: Colour = (236, 142, 38)
SELECTED: Colour = (255, 84, 40)
TARGET: Colour = (64, 160, 120)
PAPER: Colour = (232, 232, 230)
SKY: Colour = (236, 242, 255)
GROUND: Colour = (168, 156, 144)
BRAND: Colour = (206, 108, 32)

FIELD_OF_VIEW = 0.62  # radians: as a lens for portraits, so that hands near the viewer do not look huge
EYE = (1.15, 1.35, 3.5)
MIDDLE = (0.0, 0.86, 0.0)


class Light(NamedTuple):
    """A light from afar.

    Attributes:
        name: of the light.
        place: where it shines from.
        colour: red, green and blue up to 255.
        strength: how bright.
        shadow: whether it casts shadows.
    """

    name: str
    place: tuple[float, float, float]
    colour: Colour
    strength: float
    shadow: bool


LIGHTS = (
    Light("key", (-2.2, 4.0, 3.0), (255, 244, 228), 1.9, True),
    Light("fill", (3.5, 1.6, 2.2), (214, 230, 255), 0.45, False),
    Light("rim", (1.5, 2.6, -4.0), (255, 255, 255), 0.7, False),
)


def light_up(scene: Any) -> None:
    """Put light and floor into a page's scene, so that forms read and feet stand on something."""
    scene.set_up_direction("+y")
    scene.configure_default_lights(enabled=False)
    scene.configure_environment_map(None)  # one would come late, and wash the forms out
    scene.add_light_hemisphere("/lights/sky", sky_color=SKY, ground_color=GROUND, intensity=0.8)
    for light in LIGHTS:
        scene.add_light_directional(
            f"/lights/{light.name}",
            color=light.colour,
            intensity=light.strength,
            cast_shadow=light.shadow,
            position=light.place,
        )
    scene.add_grid(
        "/floor",
        width=8.0,
        height=8.0,
        plane="xz",
        cell_size=0.25,
        cell_color=(226, 226, 224),
        cell_thickness=0.6,
        section_size=1.0,
        section_color=(204, 204, 202),
        section_thickness=0.9,
        fade_distance=9.0,
        fade_strength=1.6,
        shadow_opacity=0.32,
    )


def colours_of(held: set[int], selected: int | None, joints: tuple[int, ...]) -> np.ndarray:
    """The colours of some joints' rings, (N, 3) bytes."""
    return np.array(
        [SELECTED if joint == selected else HELD if joint in held else FREE for joint in joints], dtype=np.uint8
    )
