"""The panel of files: what is opened, saved and downloaded."""

import math
from collections.abc import Callable
from typing import Any

from unveil.studio.filing import SAVED, open_file, open_named, save, saved
from unveil.studio.fitting import take_person
from unveil.studio.folder import check_size
from unveil.studio.opening import KNOWN
from unveil.studio.people import People
from unveil.studio.session import Session, in_background

_NOTHING = "nothing to open"


def open_uploaded(session: Session, file: Any) -> None:
    """Open what a browser sent, without holding up its page."""

    def work() -> str:
        check_size(file.name, len(file.content))
        return open_file(session.editor, file.name, file.content)

    in_background(lambda: _open(session, work))


def _open(session: Session, work: Callable[[], str]) -> None:
    before = session.editor.scene
    session.player.stop()
    session.do(lambda: session.tell(work()))
    if session.editor.scene is not before and session.editor.backdrop is None:
        session.look("All")  # what came may stand anywhere


class FilePanel:
    """Opens what a browser sends or the folder holds, saves to the folder and sends downloads.

    Args:
        gui: of one browser.
        session: whose panel it is.
    """

    def __init__(self, gui: Any, session: Session) -> None:
        self._session, self._editor = session, session.editor
        self._people: People | None = None
        with gui.add_folder("Open"):
            self._upload = gui.add_upload_button("From this computer", icon="upload", hint=", ".join(KNOWN))
            self._there = gui.add_dropdown("In the folder", (_NOTHING,))
            self._open = gui.add_button("Open it", icon="folder-open")
            self._person = gui.add_number("Person", 1, min=1, step=1, visible=False, hint="of the file opened last")
        with gui.add_folder("Save"):
            self._name = gui.add_text("Name", "pose")
            self._kind = gui.add_dropdown("As", SAVED, initial_value="glb")
            self._moving = gui.add_checkbox("Whole motion", True, hint="otherwise the pose that is shown")
            self._overwrite = gui.add_checkbox("Overwrite", False)
            self._save = gui.add_button("Save in the folder", icon="device-floppy")
            self._download = gui.add_button("Download", icon="download")
        gui.add_markdown(f"The folder is `{self._editor.folder.path.name}`.")
        self._upload.on_upload(lambda event: open_uploaded(session, event.target.value))
        self._person.on_update(lambda event: in_background(lambda: self._took(event)))
        self._open.on_click(lambda _: in_background(self._opened))
        self._save.on_click(lambda _: in_background(self._saved))
        self._download.on_click(lambda _: in_background(self._downloaded))

    def _opened(self) -> None:
        name = self._there.value
        if name == _NOTHING:
            self._session.tell("The folder holds nothing that can be opened here.")
            return
        _open(self._session, lambda: open_named(self._editor, name))

    def _took(self, event: Any) -> None:
        people = self._editor.people
        if event.client is None or people is None:
            return
        number = int(self._person.value) - 1

        def work() -> None:
            self._session.player.stop()
            self._session.tell(take_person(self._editor, people, number))

        self._session.do(work)

    def _how(self) -> dict[str, Any]:
        """The viewer's direction for pictures, and whether motions are wanted."""
        camera = self._session.client.camera
        x, y, z = (float(a - b) for a, b in zip(camera.position, camera.look_at, strict=True))
        tilt = math.degrees(math.atan2(y, math.hypot(x, z)))
        return {
            "moving": bool(self._moving.value),
            "turn": math.degrees(math.atan2(x, z)),
            "tilt": max(-80.0, min(80.0, tilt)),
        }

    def _saved(self) -> None:
        def work() -> None:
            path = save(
                self._editor, self._name.value, self._kind.value, overwrite=bool(self._overwrite.value), **self._how()
            )
            self._session.tell(f"{path.name} is in the folder {path.parent.name}.")

        self._session.do(work)

    def _downloaded(self) -> None:
        def work() -> None:
            kind = self._kind.value
            suffix = ".json" if kind == "project" else f".{kind}"
            name = self._editor.folder.place(self._name.value, suffix).name
            self._session.client.send_file_download(
                name, saved(self._editor, kind, **self._how()), save_immediately=True
            )

        self._session.do(work)

    def refresh(self) -> None:
        """Show what the folder holds, and from how many people there is to choose."""
        people = self._editor.people
        self._person.visible = people is not None and len(people) > 1
        if people is not self._people:
            self._people, self._person.value = people, 1
        names = tuple(self._editor.folder.names(KNOWN)) or (_NOTHING,)
        if tuple(self._there.options) != names:
            self._there.options = names
