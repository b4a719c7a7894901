"""The commands together, and how every mistake becomes one sentence and an exit code."""

import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
import typer.core
from rich.markup import escape

import unveil
from unveil.cli import codec, pose, video
from unveil.cli.console import stderr, stdout
from unveil.cli.distil import distil
from unveil.cli.doctor import doctor
from unveil.cli.edit import edit
from unveil.cli.evaluate import evaluate
from unveil.cli.export import export
from unveil.cli.likelihood import likelihood
from unveil.cli.pose_edit import edit as pose_edit
from unveil.cli.pose_photograph import photograph
from unveil.cli.recipes import recipes
from unveil.cli.refine import refine
from unveil.cli.restore import restore
from unveil.cli.sample import sample
from unveil.cli.train import train
from unveil.core.errors import ConfigError, UnveilError
from unveil.tasks.edit_tasks import TASKS
from unveil.tasks.measurements import GRAMMAR

WELCOME = """\
[bold]Unveil[/]: generative models you can read. Try it in this order, without any data of your own:

  unveil recipes                                                see what can be trained
  unveil train digits-ddpm                                      learn handwritten digits (two to four minutes)
  unveil sample runs/digits-ddpm --out digits.png               draw some, on one sheet
  unveil sample runs/digits-ddpm -n 8 --out drawn               or a file for each
  unveil restore runs/digits-ddpm drawn/00000.png --operator noise:0.3 --degrade --out clean.png
  unveil evaluate runs/digits-ddpm                              measure the model
  unveil likelihood runs/digits-ddpm digits -n 4                ask how likely pictures are
  unveil export runs/digits-ddpm --out for-diffusers            hand it to the diffusers library
  unveil train single-image --data photos/rocket                learn one photograph (six minutes)
  unveil edit runs/single-image --task animate --out moves.gif  make it move; other tasks edit it
  unveil pose edit                                              pose a body by hand, in the browser
  unveil doctor                                                 look over this machine

Also: codec, video, distil, refine. All have --help. Your own pictures: unveil train photos-diffusion --data FOLDER"""

REFUSED = 2
INTERRUPTED = 130


def _plain(options: list[Any]) -> list[Any]:
    """Options of which none shows a type in its help that takes no value."""
    for option in options:
        if getattr(option, "is_flag", False):
            option.metavar = ""
    return options


class _Command(typer.core.TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            stderr().print("Stopped.")
            raise typer.Exit(INTERRUPTED) from None


class _Group(typer.core.TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            if args[0] in self.commands or "Did you mean" in str(error):
                raise
            raise ConfigError(f"{error.format_message()} There are {', '.join(self.commands)}.") from None


app = typer.Typer(
    name="unveil",
    cls=_Group,
    help="Generative models you can read: train them, sample them, measure them.",
    epilog="Example: unveil train digits-ddpm",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        stdout().print(unveil.__version__)
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Generative models you can read: train them, sample them, measure them."""


OPERATORS = "\n\n[bold]Operators[/]\n\n" + "\n\n".join(escape(line) for line in GRAMMAR.splitlines())

EDITS = "\n\n[bold]Tasks[/]\n\n" + "\n\n".join(f"{name}: {task.says}" for name, task in TASKS.items())

for command, example in (
    (train, "unveil train digits-ddpm --steps 500 --out runs/quick"),
    (sample, "unveil sample runs/digits-ddpm -n 64 --steps 50 --out digits.png"),
    (distil, "unveil distil runs/digits-ddpm --steps 4 --out runs/digits-in-four"),
    (restore, f"unveil restore runs/photos-denoiser photo.jpg --operator downsample:2 --out large.png{OPERATORS}"),
    (refine, "unveil refine runs/digits-hat my_digits --out refined --show both.png"),
    (edit, f"unveil edit runs/single-image drawing.png --task paint --out painted.png{EDITS}"),
    (evaluate, "unveil evaluate runs/digits-ddpm --metrics frechet,pr -n 1000"),
    (likelihood, "unveil likelihood runs/digits-ddpm digits -n 4"),
    (export, "unveil export runs/digits-ddpm --out digits-for-diffusers"),
    (recipes, "unveil recipes digits-ddpm"),
    (doctor, "unveil doctor"),
):
    app.command(cls=_Command, epilog=f"Example: {example}")(command)


def _together(name: str, about: str, commands: Sequence[tuple[Callable[..., None], str]]) -> None:
    """Commands under one name, each with an example."""
    group = typer.Typer(cls=_Group, rich_markup_mode="rich", epilog=f"Example: {commands[0][1]}")
    for verb, shown in commands:
        group.command(cls=_Command, epilog=f"Example: {shown}")(verb)
    app.add_typer(group, name=name, help=about)


_together(
    "codec",
    "Turn pictures into small files and back, with a classical codec.",
    (
        (codec.encode, "unveil codec encode photo.jpg --out photo.uvc"),
        (codec.decode, "unveil codec decode photo.uvc --out photo.png"),
        (codec.info, "unveil codec info photo.uvc"),
        (codec.fit, "unveil codec fit my_pictures --out mine.safetensors"),
        (codec.evaluate, "unveil codec evaluate my_pictures --codec mine.safetensors"),
    ),
)
_together(
    "video",
    "Go on with clips, recall what came before, fill gaps, make new ones.",
    (
        (video.predict, "unveil video predict runs/mine clip.mp4 --frames 30 --out after.mp4 --strip after.png"),
        (video.past, "unveil video past runs/mine clip.mp4 --frames 10 --out before.gif"),
        (video.interpolate, "unveil video interpolate runs/mine clip.mp4 --trajectories 3 --out between.mp4"),
        (video.generate, "unveil video generate runs/mine --frames 20 --trajectories 4 --out clip.gif"),
        (video.path, "unveil video path runs/mine clip.mp4 --out path.png"),
    ),
)
_together(
    "pose",
    "Pose bodies by a few effectors, fit them to characters, and give motions to others.",
    (
        (pose.solve, "unveil pose solve --effectors wishes.json --out pose.glb --show pose.png"),
        (pose.recover, "unveil pose recover pose.npz -n 6 --out effectors.json"),
        (pose.estimate, "unveil pose estimate points.json --image photo.jpg --out pose.npz"),
        (photograph, "unveil pose photograph pose.npz --out photo.png --points points.json"),
        (pose.shape, "unveil pose shape character.glb --out shape.json"),
        (pose.retarget, "unveil pose retarget walk.bvh --to character.glb --out walking.glb"),
        (pose.evaluate, "unveil pose evaluate runs/motions-ik"),
        (pose_edit, "unveil pose edit --character character.glb"),
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0, 2 for a mistake in what was given, 130 when interrupted."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a screen that knows no umlauts stops nothing
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on some arguments and return its exit code."""
    with warnings.catch_warnings():
        said: set[str] = set()

        def warn(message: Warning | str, *where: object, **more: object) -> None:
            if str(message) not in said:  # once, however many sources or batches bring it up
                said.add(str(message))
                stderr().print(f"Note: {message}", style="yellow", markup=False)

        warnings.showwarning = warn
        try:
            given = list(sys.argv[1:] if arguments is None else arguments)
            if not given:  # answered at once, before anything looks at options
                stdout().print(WELCOME)
                return 0
            return app(given, prog_name="unveil", standalone_mode=False) or 0
        except UnveilError as error:
            return _refuse(str(error))
        except typer.TyperException as error:
            return _refuse(error.format_message().replace("Value error, ", ""))
        except (typer.Abort, KeyboardInterrupt):  # before a command began
            stderr().print("Stopped.")
            return INTERRUPTED
        except OSError as error:
            return _explain(error)


def _explain(error: OSError) -> int:
    """Say what the system refused; what is no refusal is a fault of ours, and is raised again."""
    if isinstance(error, BrokenPipeError):  # nobody reads on, and at exit nothing should be said of it either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _refuse(f"The disk is full{where and ':' + where}. Make room and run the same command again.")
    if error.filename and error.strerror:
        return _refuse(f"{error.filename}: {error.strerror.lower()}.")
    raise error


def _refuse(sentence: str) -> int:
    stderr().print(" ".join(sentence.split()), style="red", markup=False)  # one line, whoever wrote it
    return REFUSED
