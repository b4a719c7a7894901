"""Pictures into small files and back, with a classical codec: fit one, encode, decode, and look at what a file is."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from unveil.codecs.headers import MAGIC, SUFFIX, unseal
from unveil.codecs.names import parse_name
from unveil.core.errors import ConfigError, DataError, UnveilError
from unveil.core.files import RECIPE_FILE, check_new, check_no_run, new_file, shown
from unveil.core.numbers import check_seed, check_whole
from unveil.data.folders import SUFFIXES, walk
from unveil.data.sources import check_source
from unveil.tasks.codec_of_run import codec_of_run
from unveil.tasks.report import Quiet, Report

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.codecs import Codec

LOSSLESS = (".png", ".ppm", ".bmp", ".tif", ".tiff")
"""What decoded pictures are saved as: formats that lose nothing."""
NAMED = 5
"""Files that are named one by one when they could not be worked on; more are counted."""
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Coded:
    """A picture that was encoded or decoded.

    Attributes:
        source: what was read.
        file: what was written.
        size: height and width.
        channels: 3 for colour, 1 for grey.
        count: bytes of the encoded picture.
    """

    source: Path
    file: Path
    size: tuple[int, int]
    channels: int
    count: int

    @property
    def ratio(self) -> float:
        """Bytes of the pixels over those of the encoded picture."""
        return self.size[0] * self.size[1] * self.channels / self.count


def fit(
    data: str | Path,
    out: str | Path,
    name: str = "OPQ-32-8-8",
    *,
    patch: int = 8,
    bits: int = 8,
    patches: int = 200_000,
    ordered: bool = True,
    flat: bool = True,
    seed: int = 0,
    force: bool = False,
    report: Report | None = None,
) -> "Codec":
    """Fit a codec to any source of pictures, and save it.

    Args:
        data: a folder of pictures, one picture, or another source that `unveil.open_images` takes.
        out: a .safetensors file.
        name: of the codec, such as OPQ-32-8-8.
        patch: see `unveil.codecs.fit_codec`, as for all that follows.
        bits: of one code.
        patches: how many are looked at.
        ordered: sort the codebooks.
        flat: keep entries for patches of one level.
        seed: names all that is random.
        force: overwrite what is at `out`.
        report: told of progress.

    Raises:
        ConfigError: a budget that cannot be met.
        DataError: no pictures, damaged ones, or fewer patches than entries of a codebook.
        ExistsError: something is at `out`.
    """
    layout = parse_name(name, patch=patch, bits=bits)
    check_whole("patches", patches)
    check_seed(seed)
    out = Path(out).expanduser()
    if out.suffix.lower() != ".safetensors":
        raise ConfigError(f"'{shown(out)}': a codec is saved as .safetensors.")
    check_new(out, force, option="--out")
    source = check_source(data)

    from unveil.codecs import fit_codec, save_codec
    from unveil.data.found import Encoded
    from unveil.tasks.codec_pictures import Readable, numbers

    report = report or Quiet()
    found = numbers(source, data, layout.channels)
    with report.bar("reading and fitting") as progress:
        images = Readable(found, layout.channels, progress) if isinstance(found, Encoded) else found
        try:
            codec = fit_codec(images, layout, patches=patches, ordered=ordered, flat=flat, seed=seed, progress=progress)
        finally:  # where too few pictures are left, this is why
            _tell_skipped(images.skipped if isinstance(images, Readable) else [], report)
    save_codec(codec, out, force=force)
    return codec


def encode(
    pictures: "Sequence[str | Path]",
    out: str | Path,
    codec: "Codec | str | Path | None" = None,
    *,
    compress: bool = True,
    drop_alpha: bool = False,
    force: bool = False,
    report: Report | None = None,
) -> list[Coded]:
    """Encode pictures of any sizes.

    Grey pictures are encoded by a codec of colour pictures too, and stay grey. Of a folder all pictures are encoded that
    can be; the others are named in the end.

    Args:
        pictures: files and folders.
        out: a .uvc file for one picture; else a folder, in which names and subfolders are as they were.
        codec: a codec or its file; that which comes with the library without it.
        compress: compress the codes by LZMA too, which loses nothing.
        drop_alpha: lay transparent pictures over white; without it they are refused.
        force: overwrite files.
        report: told of progress.

    Raises:
        DataError: pictures that are missing, damaged, transparent or animated, or in colour for a codec of grey ones.
        ExistsError: something would be overwritten.
    """
    listed = list_files(pictures, SUFFIXES, "pictures")
    targets = _targets(listed, Path(out).expanduser(), SUFFIX, (SUFFIX,), force)
    used = open_codec(codec)

    from unveil.codecs import pack
    from unveil.tasks.codec_pictures import read_bytes

    report = report or Quiet()
    notes: list[str] = []

    def one(pair: tuple[Path, Path]) -> Coded:
        source, target = pair
        x, said = read_bytes(source, drop_alpha=drop_alpha)
        codes, grey = codes_of(x, used, source)
        size = (x.shape[1], x.shape[2])
        data = pack(codes, size, used, grey=grey, compress=compress)
        with new_file(target, force) as file:
            file.write_bytes(data)
        notes.extend(said)
        return Coded(source, target, size, x.shape[0], len(data))

    done = each_file(one, list(zip([path for path, _ in listed], targets, strict=True)), "encoding", report)
    for note in notes:
        report.say(note)
    return done


def decode(
    files: "Sequence[str | Path]",
    out: str | Path,
    codec: "Codec | str | Path | None" = None,
    *,
    suffix: str = ".png",
    force: bool = False,
    report: Report | None = None,
) -> list[Coded]:
    """Decode pictures.

    Args:
        files: .uvc files, and folders of them.
        out: a picture file for one of them; else a folder, in which names and subfolders are as they were.
        codec: what encoded them, or its file; that which comes with the library without it.
        suffix: of the pictures in a folder, one of `LOSSLESS`; its dot may be left out.
        force: overwrite files.
        report: told of progress.

    Raises:
        DataError: files that are missing or damaged, or were encoded by another codec.
        ExistsError: something would be overwritten.
    """
    ending = f".{suffix.lower().removeprefix('.')}"
    if ending not in LOSSLESS:
        raise ConfigError(f"Pictures are saved as {', '.join(LOSSLESS)}, which lose nothing; not as '{suffix}'.")
    listed = list_files(files, frozenset({SUFFIX}), f"{SUFFIX} files")
    targets = _targets(listed, Path(out).expanduser(), ending, LOSSLESS, force)
    used = open_codec(codec)

    from unveil.codecs import unpack
    from unveil.tasks.codec_pictures import write_picture

    def one(pair: tuple[Path, Path]) -> Coded:
        source, target = pair
        data = read_whole(source)
        try:
            found = unpack(data, used)
        except DataError as error:
            raise DataError(f"'{shown(source)}': {error}") from None
        x = found.codec.decode(found.codes[None], found.size, to_bytes=True)[0]
        with new_file(target, force) as file:
            write_picture(x, file, target.suffix.lower())
        return Coded(source, target, found.size, x.shape[0], len(data))

    pairs = list(zip([path for path, _ in listed], targets, strict=True))
    return each_file(one, pairs, "decoding", report or Quiet())


def describe(file: str | Path) -> dict[str, str]:
    """Tell what an encoded picture or the file of a codec is, in words.

    Raises:
        DataError: it is missing, damaged, or something else.
    """
    file = Path(file).expanduser()
    data = b"" if (file / RECIPE_FILE).is_file() else read_whole(file)
    if data[: len(MAGIC)] == MAGIC:
        header, payload = unseal(data)
        kept = header.layout.counts[0] if header.grey else header.layout.planes
        channels = 1 if header.grey else header.layout.channels
        return {
            "what": "an encoded picture",
            "size": f"{header.width} x {header.height} pixels, {'colour' if channels == 3 else 'grey'}",
            "codec": f"{header.layout.name}, {header.fingerprint}",
            "patches": f"{header.layout.patch} x {header.layout.patch} pixels",
            "codes": f"{kept} a patch of {header.layout.bits} bits, {'ordered' if header.ordered else 'not ordered'}",
            "bytes": f"{len(data)}, {len(payload)} of them codes{', compressed' if header.packed else ''}",
            "ratio": f"{header.width * header.height * channels / len(data):.1f}",
        }
    codec = open_codec(file)
    layout = codec.layout
    return {
        "what": "a codec",
        "name": layout.name,
        "fingerprint": codec.fingerprint,
        "pictures": "colour" if layout.channels == 3 else "grey",
        "patches": f"{layout.patch} x {layout.patch} pixels",
        "codes": f"{layout.planes} a patch of {layout.bits} bits, {'ordered' if codec.ordered else 'not ordered'}",
        "ratio": f"{layout.ratio:g} before the codes are compressed",
    }


def open_codec(codec: "Codec | str | Path | None") -> "Codec":
    """A codec as it is, from its file or a run, or that which comes with the library."""
    from unveil.codecs import Codec, load_codec

    if isinstance(codec, Codec):
        return codec
    if codec is not None and (Path(codec) / RECIPE_FILE).is_file():
        return codec_of_run(Path(codec))
    return load_codec() if codec is None else load_codec(codec)


def codes_of(x: "Tensor", codec: "Codec", name: str | Path) -> "tuple[Tensor, bool]":
    """The codes (planes, h, w) of a picture (1 or 3, H, W), and whether they are those of Y alone.

    Raises:
        DataError: the picture, called `name`, is in colour, and the codec is of grey ones.
    """
    if x.shape[0] > codec.channels:
        raise DataError(
            f"'{shown(name)}' is in colour, and {codec.layout.name} is a codec of grey pictures; take one such as "
            "OPQ-32-8-8, or make the picture grey."
        )
    grey = x.shape[0] < codec.channels
    return (codec.grey_part() if grey else codec).encode(x[None])[0], grey


def read_whole(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: they cannot be had.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would keep us waiting for ever
            what = "a folder" if path.is_dir() else "no regular file"
            raise DataError(f"'{shown(path)}' cannot be read: it is {what}.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"'{shown(path)}' cannot be read: {(error.strerror or str(error)).lower()}.") from None


def list_files(given: "Sequence[str | Path]", suffixes: frozenset[str], what: str) -> list[tuple[Path, Path]]:
    """The files that are given or lie in folders that are, each with its name below what was given."""
    listed: list[tuple[Path, Path]] = []
    for text in given:
        path = Path(text).expanduser()
        if path.is_dir():
            inside = [Path(name) for name in walk(path, suffixes=suffixes)]
            if not inside:
                raise DataError(f"The folder '{shown(path)}' holds no {what}, nor does any folder in it.")
            listed += [(path / name, name) for name in inside]
        elif path.exists():
            listed.append((path, Path(path.name)))
        else:
            raise DataError(f"There is no file or folder '{shown(path)}'.")
    if not listed:
        raise DataError(f"No {what} were given.")
    return listed


def _targets(
    listed: Sequence[tuple[Path, Path]], out: Path, suffix: str, single: Sequence[str], force: bool
) -> list[Path]:
    """Where each file goes, if it may."""
    if out.name.lower() in single:
        raise ConfigError(f"'{shown(out)}' is no name to save by; give one, such as picture{out.name} or a folder.")
    if out.suffix.lower() in single and not out.is_dir():
        if len(listed) > 1:
            raise ConfigError(
                f"'{shown(out)}' is the name of one file, and {len(listed)} are to be written; name a folder."
            )
        targets = [out]
    elif out.suffix.lower() in {SUFFIX, *SUFFIXES}:
        raise ConfigError(f"'{shown(out)}': what is written here ends in {' or '.join(single)}; or name a folder.")
    else:
        check_no_run(out, "--out")
        targets = [out / name.with_suffix(suffix) for _, name in listed]
    twice = [target for target, count in Counter(targets).items() if count > 1]
    if twice:
        both = [shown(path) for (path, _), target in zip(listed, targets, strict=True) if target == twice[0]]
        raise ConfigError(f"'{both[0]}' and '{both[1]}' would both become '{shown(twice[0])}'; encode them apart.")
    for (path, _), target in zip(listed, targets, strict=True):
        if target.exists() and target.samefile(path):
            raise ConfigError(f"'{shown(target)}' is the file that is read; name another.")
    for target in targets:
        check_new(target, force, option="--out")
    return targets


def each_file(
    work: Callable[[Item], Result], items: Sequence[Item], title: str, report: Report, others: str = "were written"
) -> list[Result]:
    """Work on files, several at a time on several cores, and only then tell of those that were refused, and of the others."""
    from concurrent.futures import ThreadPoolExecutor

    def tried(item: Item) -> Result | UnveilError:
        try:
            return work(item)
        except UnveilError as error:
            return error

    results: list[Result | UnveilError] = []
    with report.bar(title) as progress, one_thread_each() as workers, ThreadPoolExecutor(workers) as pool:
        for result in pool.map(tried, items):
            results.append(result)
            progress(len(results), len(items))
    errors = [result for result in results if isinstance(result, UnveilError)]
    if errors and len(items) == 1:
        raise errors[0]
    if errors:
        named = " ".join(str(error) for error in errors[:NAMED])
        more = f" And {len(errors) - NAMED} more." if len(errors) > NAMED else ""
        rest = len(items) - len(errors)
        raise DataError(f"{len(errors)} of {len(items)} files were left out, {rest} {others}. {named}{more}")
    return [result for result in results if not isinstance(result, UnveilError)]


@contextmanager
def one_thread_each() -> Iterator[int]:
    """As many workers as torch has threads, with one thread each while they work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def _tell_skipped(skipped: Sequence[str], report: Report) -> None:
    if skipped:
        more = f" And {len(skipped) - NAMED} more." if len(skipped) > NAMED else ""
        report.say(f"Pictures left out, which could not be read: {len(skipped)}. {' '.join(skipped[:NAMED])}{more}")
