"""The page: a server that gives each browser an editor of its own."""

import threading
from collections.abc import Callable
from typing import Any

from unveil.core.errors import ConfigError
from unveil.studio.file_panel import FilePanel
from unveil.studio.keys import Key, bind, help_text
from unveil.studio.looks import BRAND, EYE, FIELD_OF_VIEW, MIDDLE, light_up
from unveil.studio.motion_panel import MotionPanel
from unveil.studio.picture_panel import PicturePanel
from unveil.studio.pose_panel import PosePanel
from unveil.studio.scene_panel import ScenePanel
from unveil.studio.serving import start_server, stop_server
from unveil.studio.session import Session
from unveil.studio.shape_panel import ShapePanel
from unveil.studio.state import PoseEditorState

LOCAL = "127.0.0.1"
_NARROW, _LOW = 760, 560  # pixels of the scene


class PoseEditor:
    """The pose editor in browsers.

    Args:
        new_state: makes the editor of one browser; called for each that comes.
        host: address to listen at; only this machine reaches the usual one.
        port: to listen at, 0 for any that is free; the next free one is taken if it is in use.
        shape_names: what the ten numbers of the body's shape change.

    Raises:
        MissingDependencyError: viser is not installed, or is one whose connections cannot be looked at.
        ConfigError: the port cannot be.
    """

    def __init__(
        self,
        new_state: Callable[[], PoseEditorState],
        *,
        host: str = LOCAL,
        port: int = 8080,
        shape_names: tuple[str, ...] | None = None,
    ) -> None:
        if not 0 <= port < 65536:
            raise ConfigError(f"The port is {port}; it must be from 0 to 65535.")
        self._new_state = new_state
        self._shape_names = shape_names
        self._guard = threading.Lock()
        self.sessions: dict[int, Session] = {}
        self.server = start_server(host, port, "Unveil: poses")
        self.server.gui.configure_theme(
            show_logo=False, show_share_button=False, brand_color=BRAND, control_width="large"
        )
        self.server.gui.main_panel.dock_right()
        camera = self.server.initial_camera
        camera.position, camera.look_at, camera.fov = EYE, MIDDLE, FIELD_OF_VIEW
        light_up(self.server.scene)
        self.server.on_client_connect(self._came)
        self.server.on_client_disconnect(self._left)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        host = self.server.get_host()
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{self.server.get_port()}"

    def stop(self) -> None:
        """End it; browsers lose their editors."""
        with self._guard:
            sessions, self.sessions = list(self.sessions.values()), {}
        for session in sessions:
            session.close()
        stop_server(self.server)

    def wait(self) -> None:
        """Serve until interrupted."""
        self.server.sleep_forever()

    def _came(self, client: Any) -> None:
        session = Session(client, self._new_state())
        with self._guard:
            self.sessions[client.client_id] = session
        if client.client_id not in self.server.get_clients():  # it left while its editor was made
            self._left(client)
            return
        camera = client.camera
        small = camera.image_width < _NARROW or camera.image_height < _LOW
        _furnish(client.gui, session, self._shape_names, small=small)
        session.ask()

    def _left(self, client: Any) -> None:
        with self._guard:
            session = self.sessions.pop(client.client_id, None)
        if session is not None:
            session.close()


def _furnish(gui: Any, session: Session, shape_names: tuple[str, ...] | None, *, small: bool) -> None:
    tabs = gui.add_tab_group()
    with tabs.add_tab("Pose"):
        pose = PosePanel(gui, session)
    with tabs.add_tab("Shape"):
        shape = ShapePanel(gui, session) if shape_names is None else ShapePanel(gui, session, shape_names)
    with tabs.add_tab("Motion"):
        motion = MotionPanel(gui, session)
    with tabs.add_tab("Picture"):
        image = PicturePanel(gui, session, clear=lambda: panel.minimize())
    with tabs.add_tab("Scene"):
        scene = ScenePanel(gui, session, clear=lambda: panel.minimize())
    with tabs.add_tab("Files"):
        files = FilePanel(gui, session)
    keys = (
        Key("undo", "Z", None, session.undo),
        Key("redo", "Z", "shift", session.redo),
        Key("let go", "X", None, pose.remove),
        Key("mirror", "M", None, lambda: session.do(session.editor.mirror)),
        Key("recover", "R", None, pose.recover),
        Key("keyframe", "K", None, motion.store),
        Key("play, stop", "P", None, session.player.toggle),
        Key("find the body", "F", None, lambda: scene.look("Body")),
        Key("front", "1", None, lambda: scene.look("Front")),
        Key("side", "2", None, lambda: scene.look("Side")),
        Key("top", "3", None, lambda: scene.look("Top")),
    )
    bind(gui, keys)
    panel = gui.add_panel()
    with panel.add_tab("Mouse and keys", icon="keyboard"):
        gui.add_html(help_text(keys))
    panel.float(x=10, y=-10, width=292)
    if small:  # the help would hide the body
        panel.minimize()
    session.look = scene.look
    session.refreshers.extend(each.refresh for each in (pose, shape, motion, image, scene, files))
