"""The panel of time: frames of a motion, and keyframes."""

from typing import Any

from unveil.studio.session import Session

_STEP = 0.5  # seconds from one keyframe to the next unless told


class MotionPanel:
    """Goes through a motion, and keeps poses for times.

    Args:
        gui: of one browser.
        session: whose panel it is.
    """

    def __init__(self, gui: Any, session: Session) -> None:
        self._session, self._editor = session, session.editor
        self._told = gui.add_markdown("")
        self._frame = gui.add_slider("Frame", 0, 1, 1, 0)
        self._play = gui.add_button("Play or stop", icon="player-play", hint="P does the same")
        with gui.add_folder("Keyframes"):
            self._at = gui.add_number("Time (s)", 0.0, min=0.0, max=600.0, step=0.1)
            self._store = gui.add_button("Store this pose", icon="key", hint="K does the same")
            self._which = gui.add_dropdown("Stored", ("none",))
            self._go = gui.add_button_group("This one", ("Show", "Forget"))
        self._frame.on_update(self._framed)
        self._play.on_click(lambda _: session.player.toggle())
        self._store.on_click(lambda _: self.store())
        self._go.on_click(self._gone)

    def _framed(self, event: Any) -> None:
        if event.client is not None:
            self._session.player.stop()
            self._session.do(lambda: self._editor.show_frame(int(event.target.value)))

    def store(self) -> None:
        """Keep the pose for the time shown, and go on to the next."""
        at = float(self._at.value)
        if self._session.do(lambda: self._editor.add_keyframe(at)):
            self._at.value = round(at + _STEP, 3)

    def _gone(self, event: Any) -> None:
        if self._which.value == "none":
            self._session.tell("No pose is stored yet.")
            return
        seconds = float(self._which.value.removesuffix(" s"))
        show = event.target.value == "Show"
        self._session.player.time = seconds if show else self._session.player.time
        self._session.do(lambda: (self._editor.show_time if show else self._editor.remove_keyframe)(seconds))

    def refresh(self) -> None:
        """Show the chosen body's motion and keyframes."""
        actor = self._editor.actor
        if actor.motion is None:
            self._told.content = "Open an .npz, a .bvh or a .glb with a motion, or store poses as keyframes."
            self._frame.visible = False
        else:
            frames = len(actor.motion)
            self._told.content = f"{frames} frames, {actor.motion.fps:g} a second."
            self._frame.visible = True
            if self._frame.max != frames - 1:
                self._frame.max = frames - 1
            self._frame.value = actor.frame
        options = tuple(f"{key.seconds:.6g} s" for key in actor.keyframes) or ("none",)
        if tuple(self._which.options) != options:
            self._which.options = options
