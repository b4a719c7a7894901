"""The panel of the picture behind: points are marked in it, and the body is fitted to them."""

from collections.abc import Callable
from typing import Any

from unveil.studio.file_panel import open_uploaded
from unveil.studio.fitting import fit, mark, other_pose, unmark
from unveil.studio.labels import POINTS, Mark
from unveil.studio.session import Session, in_background

_NONE = "none"
_SHEER = 0.65  # opacity of bodies over a picture, so that both are seen


class PicturePanel:
    """Marks points of a person in the picture behind, and fits the chosen body to them.

    Args:
        gui: of one browser.
        session: whose panel it is.
        clear: puts away what lies over the picture.
    """

    def __init__(self, gui: Any, session: Session, clear: Callable[[], object]) -> None:
        self._session, self._editor, self._clear = session, session.editor, clear
        self._told = gui.add_markdown("")
        self._upload = gui.add_upload_button("Open a picture", icon="photo", mime_type="image/*")
        with gui.add_folder("Points"):
            self._marking = gui.add_checkbox("Mark points", False, hint="hides the bodies; click points in the picture")
            self._point = gui.add_dropdown("Point", tuple(map(_words, POINTS)), hint="the next click marks it")
            self._marked = gui.add_dropdown("Marked", (_NONE,))
            self._forget = gui.add_button_group("Forget", ("This one", "All"))
        with gui.add_folder("Fit"):
            self._focal = gui.add_number(
                "Focal length", 0.0, min=0.0, max=100_000.0, step=1.0, hint="pixels; 0 takes that of an everyday lens"
            )
            self._keep = gui.add_checkbox("Keep its shape", False, hint="fits the pose only")
            self._fit = gui.add_button("Fit the body", icon="wand")
            self._bar = gui.add_progress_bar(0.0, visible=False)
            self._other = gui.add_button(
                "Other pose", icon="arrows-exchange", hint="what is nearer in one is farther in another"
            )
            self._look = gui.add_button("See it over the picture", icon="camera")
        self._upload.on_upload(lambda event: open_uploaded(session, event.target.value))
        self._marking.on_update(lambda event: self._mark_or_not(bool(event.target.value)))
        self._point.on_update(self._chosen)
        self._forget.on_click(self._forgotten)
        self._fit.on_click(lambda _: in_background(self._fitted))
        self._other.on_click(lambda _: in_background(self._next))
        self._look.on_click(lambda _: self._session.do(self._through))

    # -- points -------------------------------------------------------------------------------------------------------

    def _mark_or_not(self, marking: bool) -> None:
        session = self._session
        if marking == session.marking:
            return
        if marking and self._editor.backdrop is None:
            session.tell("There is no picture behind the bodies; open one first.", wrong=True)
            self._marking.value = False
            return
        labels = self._editor.actor.labels
        if marking and labels.mark(self._name()) is not None:  # those of a file need not be asked for again
            self._point.value = _words(labels.after(self._name()))
        session.marking = marking
        session.point = self._name() if marking else ""
        if marking:
            self._clear()
            session.client.scene.on_click()(self._clicked)
        else:
            session.client.scene.remove_click_callback()
        session.ask()

    async def _clicked(self, event: Any) -> None:
        backdrop = self._editor.backdrop
        if not self._session.marking or backdrop is None:
            return
        name = self._name()

        def marked() -> None:
            mark(self._editor, name, backdrop.pixel(event.screen_pos, self._session.backdrop.aspect))
            self._session.point = following = self._editor.actor.labels.after(name)
            self._point.value = _words(following)

        self._session.do(marked)

    def _name(self) -> str:
        return str(self._point.value).replace(" ", "_")

    def _chosen(self, _: Any) -> None:
        self._session.point = self._name() if self._session.marking else ""
        self._session.ask()

    def _forgotten(self, event: Any) -> None:
        if event.target.value == "All":
            self._session.do(lambda: unmark(self._editor))
            return
        name = next((each.name for each in self._editor.actor.labels.marks if _line(each) == self._marked.value), None)
        if name is None:
            self._session.tell("No point is marked yet.")
            return
        self._session.do(lambda: unmark(self._editor, name))

    # -- the body -----------------------------------------------------------------------------------------------------

    def _fitted(self) -> None:
        session, focal = self._session, float(self._focal.value)
        self._fit.disabled, self._bar.value, self._bar.visible = True, 0.0, True
        try:
            session.player.stop()

            def work() -> None:
                sentence = fit(
                    self._editor, focal=focal or None, keep_shape=bool(self._keep.value), progress=self._progress
                )
                session.tell(sentence)
                self._seen()

            if session.do(work):
                session.wait(10)
        finally:
            self._fit.disabled, self._bar.visible = False, False

    def _progress(self, done: int, total: int) -> None:
        self._bar.value = 100.0 * done / total

    def _next(self) -> None:
        def work() -> None:
            self._session.tell(other_pose(self._editor))
            self._seen()

        self._session.do(work)

    def _seen(self) -> None:
        if self._editor.backdrop is not None and self._editor.actor.labels.eye is not None:
            self._through()

    def _through(self) -> None:
        """Show the bodies over the picture."""
        if self._session.marking:
            self._marking.value = False  # its own update does the rest
            self._mark_or_not(False)
        self._session.backdrop.look(self._editor.backdrop, self._editor.actor)
        self._session.bodies.opacity = min(self._session.bodies.opacity, _SHEER)
        self._session.ask()

    # -- what there is ------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the chosen body's points and the picture's size."""
        backdrop, labels = self._editor.backdrop, self._editor.actor.labels
        if backdrop is None:
            self._told.content = "Open a picture to mark a person in it."
        else:
            usual = sum(labels.mark(name) is not None for name in POINTS)
            height, width = backdrop.size
            next_one = f"\n\nClick the **{_words(self._session.point)}**; left and right are the person's own."
            self._told.content = f"{backdrop.name}, {width} x {height} · {usual} of {len(POINTS)} points" + (
                next_one if self._session.marking else ""
            )
        if backdrop is None and self._session.marking:
            self._marking.value = False
            self._mark_or_not(False)
        options = tuple(map(_line, labels.marks)) or (_NONE,)
        if tuple(self._marked.options) != options:
            self._marked.options = options
        self._other.disabled = len(labels.likely) < 2
        self._look.disabled = backdrop is None or labels.eye is None


def _words(name: str) -> str:
    return name.replace("_", " ")


def _line(mark: Mark) -> str:
    return f"{_words(mark.name)}: {mark.x:.0f}, {mark.y:.0f}"
