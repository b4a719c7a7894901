"""`unveil pose edit`: the pose editor, in a browser on this machine."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from unveil.cli.console import stdout
from unveil.core.errors import ConfigError, DataError


def edit(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="The folder of a run of inverse kinematics; the one that comes with the library without it.",
            show_default=False,
        ),
    ] = None,
    character: Annotated[
        Path | None, typer.Option(help="A .glb or .bvh whose proportions the body takes, and which it drives.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to be shown behind the body.")] = None,
    folder: Annotated[
        Path, typer.Option(help="The only folder that the page saves to and opens files from; made when first needed.")
    ] = Path("poses"),
    port: Annotated[int, typer.Option(help="The next free one is taken if it is in use; 0 takes any.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen at. Only this machine reaches the usual one; 0.0.0.0 lets all in.")
    ] = "127.0.0.1",
) -> None:
    """Pose bodies by hand in a browser: drag a hand, and the body follows.

    Every browser that comes has a scene of its own. Ctrl+C ends it.
    """
    from unveil.tasks.pose_choices import CHARACTERS, PICTURES
    from unveil.tasks.pose_run import check_poser, load_poser

    if not 0 <= port < 65536:
        raise ConfigError(f"--port is {port}; it must be from 0 to 65535.")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--folder {folder} is a file; name a folder.")
    opened = [path for path in (character, image) if path is not None]
    for path in opened:
        if not path.is_file():
            raise DataError(f"There is no file {path}.")
    for option, named, kinds in (("--character", character, CHARACTERS), ("--image", image, PICTURES)):
        if named is not None and not named.name.lower().endswith(kinds):
            raise ConfigError(f"{option} is {named}; its name must end in {', '.join(kinds)}.")
    check_poser(run)

    import torch

    from unveil.studio import open_editor

    torch.set_num_threads(1)  # one pose at a time is quickest so, and leaves a core to the browser
    editor = open_editor(load_poser(run), folder=folder, files=opened, host=host, port=port)
    stdout().print(f"The pose editor is at {editor.address} . Ctrl+C ends it.", markup=False)
    try:
        editor.wait()
    finally:
        editor.stop()
        gc.freeze()  # all goes at once; to look for garbage in it first takes as long again
