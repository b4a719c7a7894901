"""`unveil codec`: pictures into small files and back, with a classical codec."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import Force, JsonOut, Seed, check_json
from unveil.codecs.headers import SUFFIX
from unveil.core.json_file import write_json
from unveil.tasks.codec import LOSSLESS, Coded, describe
from unveil.tasks.codec import decode as decode_task
from unveil.tasks.codec import encode as encode_task
from unveil.tasks.codec import fit as fit_task

Pictures = Annotated[list[Path], typer.Argument(help="Pictures of any size, and folders.", show_default=False)]
CodecFile = Annotated[
    Path | None,
    typer.Option(help="The file of a codec, or a run; the codec that comes with unveil without it.", metavar="FILE"),
]
Plain = Annotated[bool, typer.Option("--plain", help="Leave the codes as they are; they are compressed without it.")]
DropAlpha = Annotated[
    bool, typer.Option("--drop-alpha", help="Lay transparent pictures over white; without it they are refused.")
]


def fit(
    data: Annotated[str, typer.Argument(help="A folder of pictures, or photos.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the codec goes, a .safetensors.", show_default=False)],
    name: Annotated[
        str,
        typer.Option(help="VQ, PQ, OPQ or RQ, and the bits of a patch in Y, Cb and Cr, or in grey.", metavar="NAME"),
    ] = "OPQ-32-8-8",
    patch: Annotated[int, typer.Option(help="Side of the patches in pixels.")] = 8,
    bits: Annotated[int, typer.Option(help="Of one code, 1 to 8.")] = 8,
    patches: Annotated[int, typer.Option(help="How many are looked at.")] = 200_000,
    unordered: Annotated[bool, typer.Option("--unordered", help="Leave the codebooks unsorted.")] = False,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Fit a codec to your own pictures."""
    codec = fit_task(
        data,
        out,
        name,
        patch=patch,
        bits=bits,
        patches=patches,
        ordered=not unordered,
        seed=seed,
        force=force,
        report=ConsoleReport(),
    )
    stdout().print(
        f"The codec {codec.layout.name} is in {out}. It makes pictures {codec.ratio:g} times smaller, before its codes are "
        "compressed.",
        markup=False,
    )


def encode(
    pictures: Pictures,
    out: Annotated[Path, typer.Option(help=f"A {SUFFIX} file, or a folder for several.", show_default=False)],
    codec: CodecFile = None,
    plain: Plain = False,
    drop_alpha: DropAlpha = False,
    force: Force = False,
) -> None:
    """Encode pictures."""
    done = encode_task(
        pictures, out, codec, compress=not plain, drop_alpha=drop_alpha, force=force, report=ConsoleReport()
    )
    _tell(done, out, "Encoded")


def decode(
    files: Annotated[list[Path], typer.Argument(help=f"{SUFFIX} files, and folders.", show_default=False)],
    out: Annotated[Path, typer.Option(help=f"A {', '.join(LOSSLESS)}, or a folder for several.", show_default=False)],
    codec: CodecFile = None,
    suffix: Annotated[str, typer.Option(help="Of the pictures in a folder.")] = ".png",
    force: Force = False,
) -> None:
    """Decode pictures."""
    _tell(decode_task(files, out, codec, suffix=suffix, force=force, report=ConsoleReport()), out, "Decoded")


def evaluate(
    pictures: Pictures,
    codec: CodecFile = None,
    plain: Plain = False,
    alone: Annotated[bool, typer.Option("--alone", help="Without JPEG and WebP at the same bytes.")] = False,
    drop_alpha: DropAlpha = False,
    out: JsonOut = None,
    force: Force = False,
) -> None:
    """Measure a codec on pictures, beside JPEG and WebP at the same bytes."""
    from unveil.tasks.codec_quality import PEERS, Quality
    from unveil.tasks.codec_quality import evaluate as evaluate_task

    check_json(out, force)
    peers = () if alone else PEERS
    found: list[Quality] = evaluate_task(
        pictures, codec, compress=not plain, peers=peers, drop_alpha=drop_alpha, report=ConsoleReport()
    )
    for quality in found:
        stdout().print(str(quality), markup=False)
    for name, measure in found[0].figures.items():
        what = "1 picture" if measure.count == 1 else f"{measure.count} pictures"
        stdout().print(f"{name}: {what}; {'; '.join(measure.notes)}", style="dim", markup=False)
    if out is not None:
        write_json(out, [asdict(quality) for quality in found], force=force, indent=2)


def info(
    file: Annotated[Path, typer.Argument(help=f"A {SUFFIX} file, that of a codec, or a run.", show_default=False)],
) -> None:
    """Tell what an encoded picture or a codec is."""
    for name, words in describe(file).items():
        stdout().print(f"{name:12}{words}", markup=False)


def _tell(done: list[Coded], out: Path, verb: str) -> None:
    pixels = sum(one.size[0] * one.size[1] * one.channels for one in done)
    total = sum(one.count for one in done)
    what = "1 picture" if len(done) == 1 else f"{len(done)} pictures"
    size = f"{pixels / total:.1f} times smaller" if pixels > total else f"{total / pixels:.1f} times larger"
    stdout().print(f"{verb} {what} into {out}: {total:,} bytes, {size} than the pixels.", markup=False)
