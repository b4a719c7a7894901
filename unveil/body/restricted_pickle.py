"""Arrays out of a pickle, and nothing else: no code of the file is run.

Official body models are pickles that name classes of a library long gone. A pickle may name any function and have it called;
here it may name the few that make arrays, and classes without life of their own that stand for the old library's and
scipy's. What numpy itself offers to pickles takes numbers of the file for places in memory if they are called objects, so
those few are ours.
"""

import io
import math
import pickle
import re
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse

from unveil.core.errors import DataError

_LIMIT = 50  # values within values
_LARGEST = 1 << 28  # entries of a matrix
_PLAIN = re.compile(r"[<>|=]?([biufcSUa]\d{1,6}|O[48]?|[?bBhHiIlLqQefdgFDGO])")


class Expression:
    """What stands for a class of a library: it keeps the file's numbers and does nothing."""

    state: dict[str, Any]

    def __new__(cls) -> "Expression":
        """Made without arguments, and without __init__, as pickles do."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.state.update(part)


class Leaf(Expression):
    """chumpy.ch.Ch: numbers under `x`."""


class Chosen(Expression):
    """chumpy.reordering.Select: some entries, `idxs`, of another expression, `a`."""


class Columns(Expression):
    """scipy.sparse.csc_matrix."""


class Rows(Expression):
    """scipy.sparse.csr_matrix."""


class Kind:
    """numpy.dtype: numbers, text or whole objects, and nothing made of parts."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not _PLAIN.fullmatch(code):
            raise DataError(f"it holds an array of {str(code)[:40]!r}, which are no numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):  # what else it says follows from the code
            self.dtype = self.dtype.newbyteorder(state[1])


class Numbers(np.ndarray):
    """numpy.ndarray, filled only with as many bytes of numbers, or objects, as it has room for."""

    def __setstate__(self, state: Any) -> None:
        shape, kind, fortran, data = state[-4:]
        many = math.prod(shape)
        if kind.dtype == object and not (isinstance(data, list) and len(data) == many):
            raise DataError("it holds a damaged array of objects")
        parts: Any = 1, tuple(shape), kind.dtype, bool(fortran), data
        super().__setstate__(parts)


def _empty(*_: Any) -> Numbers:
    return Numbers((0,))


def _made(*_: Any) -> Any:
    raise DataError("it makes an array in a way that no pickled array needs")


def _from_buffer(data: Any, kind: Kind, shape: Any, order: str) -> np.ndarray:
    return np.frombuffer(data, kind.dtype).reshape(shape, order="F" if order == "F" else "C")  # which refuses objects


def _scalar(kind: Kind, data: Any) -> Any:
    data = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(data, kind.dtype, 1)[0]


def _decode_text(text: Any, encoding: Any = "latin1") -> bytes:
    """What `_codecs.encode` does to text, in the one encoding that pickles of arrays use."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise DataError("it encodes text in a way that no array needs")
    return text.encode("latin1")


def _rebuild(cls: Any, base: Any, state: Any) -> Any:
    """`copyreg._reconstructor` for the classes that stand for others only."""
    if not (isinstance(cls, type) and issubclass(cls, Expression)):
        raise DataError(f"it makes an object of {cls!r}")
    return cls()


def _known() -> dict[tuple[str, str], Any]:
    known: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): _made,  # named by what follows, and not called
        ("numpy", "dtype"): Kind,
        ("_codecs", "encode"): _decode_text,
        ("chumpy.ch", "Ch"): Leaf,
        ("chumpy.reordering", "Select"): Chosen,
    }
    for core in ("core", "_core"):
        known[f"numpy.{core}.multiarray", "_reconstruct"] = _empty
        known[f"numpy.{core}.multiarray", "scalar"] = _scalar
        known[f"numpy.{core}.numeric", "_frombuffer"] = _from_buffer
    for kind, stand_in in (("csc", Columns), ("csr", Rows)):
        for module in (kind, f"_{kind}"):
            known[f"scipy.sparse.{module}", f"{kind}_matrix"] = stand_in
    for module in ("copyreg", "copy_reg"):
        known[module, "_reconstructor"] = _rebuild
    for module in ("builtins", "__builtin__"):
        known[module, "object"] = object
    return known


_KNOWN = _known()


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise DataError(f"it asks for {module}.{name}, which no array needs")
        found = _KNOWN[module, name]
        return found if isinstance(found, type) else partial(found)  # a pickle may set attributes of what it is given


def read_arrays(data: bytes) -> Any:
    """What a pickle holds, with every old expression and sparse matrix turned into an array.

    Raises:
        DataError: it asks for anything but arrays, or is damaged; nothing of it was run.
    """
    try:
        return _resolve(_Reader(io.BytesIO(data), encoding="latin1").load())
    except DataError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise DataError(f"it is damaged ({type(error).__name__}: {error})") from None


def _resolve(value: Any, depth: int = 0) -> Any:
    if depth > _LIMIT:
        raise DataError("its values are nested too deeply")
    if isinstance(value, dict):
        return {key: _resolve(one, depth + 1) for key, one in value.items()}
    if isinstance(value, Chosen):
        chosen = np.asarray(_resolve(value.state["a"], depth + 1)).ravel()[np.asarray(value.state["idxs"])]
        shape = value.state.get("preferred_shape")
        return chosen if shape is None else chosen.reshape(tuple(shape))
    if isinstance(value, Columns | Rows):
        return _dense(value)
    if isinstance(value, Expression):
        return np.asarray(_resolve(value.state["x"], depth + 1))
    if isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        return _resolve(value.item(), depth + 1)
    return np.asarray(value) if isinstance(value, Numbers) else value


def _dense(matrix: Expression) -> np.ndarray:
    """A sparse matrix as an array, after its parts were checked: the file may have put anything in their place."""
    state = matrix.state
    make = scipy.sparse.csc_matrix if isinstance(matrix, Columns) else scipy.sparse.csr_matrix
    rows, columns = (int(size) for size in state["_shape" if "_shape" in state else "shape"])
    if not 0 <= rows * columns <= _LARGEST:
        raise DataError(f"it holds a sparse matrix of {rows} x {columns}")
    parts = tuple(np.asarray(state[name]) for name in ("data", "indices", "indptr"))
    checked = make(parts, shape=(rows, columns))
    checked.check_format(full_check=True)
    return checked.toarray()
