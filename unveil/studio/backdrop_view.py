"""The picture behind the bodies on the page, and the view of its camera."""

from typing import Any

from unveil.core.errors import ConfigError
from unveil.studio.actors import Actor
from unveil.studio.backdrop import Backdrop

_FAR = 3.0  # metres before the eye that the view turns about
_SLIT = 10.0


class BackdropView:
    """Draws the picture with the chosen body's points, and draws it again only if something of it has changed.

    Args:
        client: one browser.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._shown: tuple[Any, ...] = (None,)

    @property
    def aspect(self) -> float:
        """Width of the page's scene for each pixel of its height; a window that is shut to a slit counts as a narrow one."""
        camera = self._client.camera
        aspect = float(camera.image_width) / max(float(camera.image_height), 1.0)
        return min(max(aspect, 1 / _SLIT), _SLIT)

    @property
    def stale(self) -> bool:
        """Whether the page has another form than when the picture was drawn."""
        return len(self._shown) > 1 and bool(abs(self._shown[-1] / self.aspect - 1) > 1e-3)

    def show(self, backdrop: Backdrop | None, actor: Actor, point: str) -> None:
        """Bring the page to a picture and a body's points."""
        if backdrop is None:
            now: tuple[Any, ...] = (None,)
        else:
            labels = actor.labels
            marks = labels.marks if labels.size in (None, backdrop.size) else ()
            now = (backdrop, marks, point if marks else "", self.aspect)
        if now == self._shown:
            return
        self._shown = now
        image = None if backdrop is None else backdrop.framed(now[3], now[1], now[2])
        self._client.scene.set_background_image(image, format="jpeg")

    def look(self, backdrop: Backdrop | None, actor: Actor) -> None:
        """Look at the scene as the picture's camera does, so that the body lies over the person.

        Raises:
            ConfigError: there is no picture, or the body was not fitted to it.
        """
        labels, page = actor.labels, self._client.camera
        if backdrop is None:
            raise ConfigError("There is no picture behind the bodies; open one in Files.")
        if labels.camera is None or labels.eye is None:
            raise ConfigError("This body was not fitted to a picture; mark its points and fit it.")
        x, y, z = (actor.scale * number for number in labels.eye)
        page.up_direction = (0.0, 1.0, 0.0)
        page.position = (x, y, z)
        page.look_at = (x, y, z - _FAR)
        page.fov = backdrop.field_of_view(labels.camera.focal, self.aspect)
