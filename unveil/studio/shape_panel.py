"""The panel of the body's shape."""

from typing import Any

import torch

from unveil.studio.actors import LARGEST, SMALLEST, WIDEST
from unveil.studio.session import Session

NAMES = (
    "stature",
    "girth",
    "legs",
    "arms",
    "torso",
    "shoulders",
    "hips",
    "head",
    "limb girth",
    "lower limbs",
)
"""What each number of the embedded body's shape changes."""


class ShapePanel:
    """Gender, ten numbers and the size; what holds the body stays, and the pose is found anew.

    Args:
        gui: of one browser.
        session: whose panel it is.
        names: of the ten numbers.
    """

    def __init__(self, gui: Any, session: Session, names: tuple[str, ...] = NAMES) -> None:
        self._session, self._editor = session, session.editor
        self._gender = gui.add_dropdown("Gender", self._editor.body.genders, initial_value=self._editor.actor.gender)
        self._sliders = [
            gui.add_slider(f"{number + 1} {name}".strip(), -WIDEST, WIDEST, 0.05, 0.0)
            for number, name in enumerate(names)
        ]
        self._scale = gui.add_slider("Size", SMALLEST, LARGEST, 0.01, 1.0, hint="times the body's own")
        self._reset = gui.add_button("Average shape", icon="refresh")
        self._gender.on_update(self._gendered)
        for number, slider in enumerate(self._sliders):
            slider.on_update(lambda event, number=number: self._moved(event, number))
        self._scale.on_update(self._scaled)
        self._reset.on_click(lambda _: session.do(lambda: self._editor.set_betas(torch.zeros(10)), solve=True))

    def _gendered(self, event: Any) -> None:
        if event.client is not None:
            self._session.do(lambda: self._editor.set_gender(event.target.value), solve=True)

    def _moved(self, event: Any, number: int) -> None:
        if event.client is not None:
            self._session.do(lambda: self._editor.set_beta(number, float(event.target.value)), solve=True)

    def _scaled(self, event: Any) -> None:
        if event.client is not None:
            self._session.do(lambda: self._editor.set_scale(float(event.target.value)), solve=True)

    def refresh(self) -> None:
        """Show the chosen body's shape."""
        actor = self._editor.actor
        self._gender.value = actor.gender
        for slider, value in zip(self._sliders, actor.betas.tolist(), strict=True):
            if abs(slider.value - value) > 1e-6:
                slider.value = max(-WIDEST, min(WIDEST, value))
        if abs(self._scale.value - actor.scale) > 1e-6:
            self._scale.value = actor.scale
