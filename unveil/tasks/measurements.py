"""How a picture was spoilt, as one writes it on the command line: "blur:gaussian:2,downsample:2,noise:5/255".

Reading it needs no torch, so that a slip is told at once; `build` makes the operator when the picture's size is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unveil.core.errors import ConfigError, ShapeError
from unveil.recipes.choices import near

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.core.protocols import Operator

GRAMMAR = """\
downsample:K             each K x K block of pixels became their mean
grayscale                colour was lost (grayscale:luma weighs it as the eye does)
mask:FILE                what is white in this picture is missing; mask:0.3 drops 30% of the pixels at random
blur:gaussian:SIGMA      or blur:motion:LENGTH:ANGLE, blur:disk:RADIUS, blur:box:SIZE, blur:FILE (a picture or .npy)
sensing:SHARE            only so many sums over all pixels were measured, a share of the number of pixels
noise:STD                noise was added, as a share of the range from black to white: 0.1 or 25/255
Several follow one another with commas: blur:gaussian:2,downsample:2,noise:5/255"""

READ = (
    "What can be written: downsample:K, grayscale, mask:FILE, mask:SHARE, blur:gaussian:SIGMA, blur:motion:LENGTH:ANGLE, "
    "blur:disk:RADIUS, blur:box:SIZE, blur:FILE, sensing:SHARE and noise:STD (as 25/255), several with commas between."
)
"""The same in a sentence."""

KINDS = ("downsample", "grayscale", "mask", "blur", "sensing", "noise")
KERNELS = {"gaussian": "SIGMA", "motion": "LENGTH:ANGLE", "disk": "RADIUS", "box": "SIZE"}


@dataclass(frozen=True)
class Part:
    """One operator, as it was written.

    Attributes:
        kind: one of `KINDS`.
        name: of a kernel or of weights, e.g. "gaussian" or "luma".
        numbers: what it takes.
        file: a mask or a kernel.
    """

    kind: str
    name: str = ""
    numbers: tuple[float, ...] = ()
    file: Path | None = None


@dataclass(frozen=True)
class Measurement:
    """What was done to a picture, in order, and the noise of what came of it.

    Attributes:
        text: as it was written.
        parts: the operators, first to last.
        noise: standard deviation, as a share of the range from black to white.
    """

    text: str
    parts: tuple[Part, ...]
    noise: float = 0.0

    @property
    def sigma(self) -> float:
        """The standard deviation of the noise for images in [-1, 1]."""
        return 2 * self.noise

    @property
    def factor(self) -> int:
        """How many pixels of the picture, along a side, became one."""
        product = 1
        for part in self.parts:
            if part.kind == "downsample":
                product *= int(part.numbers[0])
        return product

    def has(self, kind: str) -> bool:
        """Whether a kind of operator is among the parts."""
        return any(part.kind == kind for part in self.parts)

    @property
    def needs_truth(self) -> bool:
        """Whether what comes of it is no picture that could be given, but must be made from a clean one."""
        return any(part.kind == "sensing" or (part.kind == "mask" and part.file is None) for part in self.parts)


def parse(text: str) -> Measurement:
    """Read how a picture was spoilt; see `GRAMMAR`.

    Raises:
        ConfigError: it cannot be read; the sentence says what can.
    """
    parts: list[Part] = []
    noise = 0.0
    pieces = [piece.strip() for piece in text.split(",")]
    for place, piece in enumerate(pieces):
        kind, _, rest = piece.partition(":")
        if kind not in KINDS:
            close = near(kind, KINDS, 1)
            raise ConfigError(f"--operator {text!r}: there is no {kind or 'empty operator'!r}{close} {READ}")
        if kind == "noise":
            if place != len(pieces) - 1:
                raise ConfigError(f"--operator {text!r}: noise comes last, since it is what the measurement added.")
            noise = _numbers(text, piece, rest, 1)[0]
            if not 0 <= noise <= 1:
                raise ConfigError(
                    f"--operator {text!r}: noise is a standard deviation as a share of the range from black to white, 0 to 1; "
                    "for grey levels of 255 write noise:25/255."
                )
        else:
            parts.append(_part(text, piece, kind, rest))
    return Measurement(text, tuple(parts), noise)


def _part(text: str, piece: str, kind: str, rest: str) -> Part:
    """Read what follows a kind."""
    if kind == "downsample":
        (factor,) = _numbers(text, piece, rest, 1)
        if factor < 2 or factor != int(factor):
            raise ConfigError(f"--operator {text!r}: downsample takes a whole number of 2 or more, as downsample:4.")
        return Part(kind, numbers=(factor,))
    if kind == "grayscale":
        if rest not in ("", "luma"):
            raise ConfigError(f"--operator {text!r}: write grayscale, or grayscale:luma.")
        return Part(kind, rest)
    if kind == "sensing" or (kind == "mask" and _is_number(rest)):
        (share,) = _numbers(text, piece, rest, 1)
        if not 0 < share < 1:
            raise ConfigError(f"--operator {text!r}: {kind} takes a share between 0 and 1, as {kind}:0.3.")
        return Part(kind, numbers=(share,))
    name, _, numbers = rest.partition(":")
    if kind == "blur" and name in KERNELS:
        values = _numbers(text, piece, numbers, KERNELS[name].count(":") + 1)
        if values[0] <= 0 or (name == "box" and values[0] != int(values[0])):
            raise ConfigError(f"--operator {text!r}: {name} takes {KERNELS[name]}, in pixels, above 0.")
        return Part(kind, name, values)
    return Part(kind, file=_file(text, piece, rest))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(text: str, piece: str, given: str, count: int) -> tuple[float, ...]:
    """Numbers between colons, each perhaps a fraction."""
    values = []
    for part in given.split(":"):
        over, slash, under = part.partition("/")
        if not _is_number(over) or (slash and (not _is_number(under) or float(under) == 0)):
            break
        values.append(float(over) / (float(under) if slash else 1))
    if len(values) != count or not all(-1e6 < value < 1e6 for value in values):
        raise ConfigError(f"--operator {text!r}: {piece!r} cannot be read. {READ}")
    return tuple(values)


def _file(text: str, piece: str, given: str) -> Path:
    path = Path(given).expanduser()
    if not given or not path.is_file():
        missing = f"there is no file {given!r} for {piece!r}" if given else f"{piece!r} is not whole"
        raise ConfigError(f"--operator {text!r}: {missing}. {READ}")
    return path


# -- from words to operators ------------------------------------------------------------------------------------------


def before(measurement: Measurement, shape: Sequence[int]) -> tuple[int, int, int]:
    """The shape (C, H, W) of the picture that a measurement of some shape was taken of."""
    channels, height, width = shape
    if measurement.has("grayscale"):
        if channels != 1:
            raise ShapeError(
                "A grayscale operator measures one channel, and this picture has colours. Give the grey picture, or add "
                "--degrade if this is the clean one."
            )
        channels = 3
    return channels, height * measurement.factor, width * measurement.factor


def build(measurement: Measurement, shape: Sequence[int], *, canvas: Sequence[int], seed: int = 0) -> "Operator":
    """Make the operator of a picture.

    Args:
        measurement: what was done.
        shape: of the picture, (C, H, W), before.
        canvas: the shape with what was added below and to the right so that sizes fit, (C, H', W').
        seed: draws random masks and random signs.

    Raises:
        ConfigError: a file that is no mask or kernel.
        ShapeError: a mask of another size.
    """
    from unveil.operators import Compose, Identity

    operators: list[Operator] = []
    here, wide = tuple(shape), tuple(canvas)
    for part in measurement.parts:
        operators.append(_operator(part, here, wide, seed))
        if part.kind == "downsample":
            factor = int(part.numbers[0])
            here = (here[0], -(-here[1] // factor), -(-here[2] // factor))
            wide = (wide[0], wide[1] // factor, wide[2] // factor)
        elif part.kind == "grayscale":
            here, wide = (1, *here[1:]), (1, *wide[1:])
    match operators:
        case []:
            return Identity()
        case [only]:
            return only
        case _:
            return Compose(*operators)


def _operator(part: Part, shape: tuple[int, ...], canvas: tuple[int, ...], seed: int) -> "Operator":
    from unveil import operators

    match part.kind:
        case "downsample":
            return operators.Downsample(int(part.numbers[0]))
        case "grayscale":
            if shape[0] != 3:
                raise ShapeError("A grey picture has no colours to lose; grayscale needs a colour picture.")
            return operators.Grayscale(operators.LUMA) if part.name == "luma" else operators.Grayscale()
        case "mask":
            return operators.Mask(_keep(part, shape, canvas, seed))
        case "sensing":
            pixels = canvas[1] * canvas[2]
            transform: Literal["walsh-hadamard", "hartley"] = "hartley" if pixels & (pixels - 1) else "walsh-hadamard"
            return operators.Sensing((canvas[1], canvas[2]), part.numbers[0], seed, transform)
        case _:
            return operators.Blur(kernel(part))


def _keep(part: Part, shape: tuple[int, ...], canvas: tuple[int, ...], seed: int) -> "Tensor":
    """1 where a pixel is known; what was added around a picture counts as known."""
    import torch

    from unveil.core.random import Streams
    from unveil.data.decoding import load_image

    _, height, width = shape
    keep = torch.ones(canvas[1], canvas[2])
    if part.file is None:
        share = part.numbers[0]
        keep[:height, :width] = (Streams(seed, 1).child(1).rand((1, height, width))[0] >= share).float()
        return keep
    missing = load_image(part.file, 1, behind="black")[0] > 0  # what is transparent was not painted
    if tuple(missing.shape) != (height, width):
        raise ShapeError(
            f"The mask {part.file} has {missing.shape[1]} x {missing.shape[0]} pixels and the picture {width} x {height} "
            "(width x height); a mask has the size of its picture."
        )
    if not bool(missing.any()) or bool(missing.all()):
        marks = "everything" if bool(missing.all()) else "nothing"
        raise ConfigError(
            f"The mask {part.file} marks {marks} as missing: paint white what is to be filled, and no more."
        )
    keep[:height, :width] = (~missing).float()
    return keep


def kernel(part: Part) -> "Tensor":
    """The kernel of a blur, which sums to 1."""
    import torch

    from unveil import operators

    if part.file is None:
        match part.name:
            case "gaussian":
                return operators.gaussian_kernel(*part.numbers)
            case "motion":
                return operators.motion_kernel(*part.numbers)
            case "disk":
                return operators.disk_kernel(*part.numbers)
            case _:
                return operators.box_kernel(int(part.numbers[0]))
    if part.file.suffix == ".npy":
        import numpy as np

        try:
            values = torch.from_numpy(np.load(part.file, allow_pickle=False).astype(np.float64))
        except (ValueError, OSError) as error:
            raise ConfigError(f"The kernel {part.file} cannot be read: {error}.") from None
    else:
        from unveil.data.decoding import load_image

        values = (load_image(part.file, 1)[0].double() + 1) / 2
    if values.ndim != 2 or not bool(torch.isfinite(values).all()) or float(values.sum()) <= 0:
        raise ConfigError(f"The kernel {part.file} must be a table of finite numbers whose sum is above 0.")
    return values / values.sum()
