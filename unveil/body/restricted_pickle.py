"""Arrays out of a pickle, and nothing else: no code of the file is run.

Official body models are pickles that name classes of a library long gone. A pickle may name any function and have it called;
here it may name the few that make arrays, and two empty classes that stand for the old library's.
"""

import io
import pickle
from typing import Any

import numpy as np
import scipy.sparse

from unveil.core.errors import DataError

_LIMIT = 50  # values within values
_LARGEST = 1 << 28  # entries of a matrix
_SPARSE = (scipy.sparse.csc_matrix, scipy.sparse.csr_matrix)


class Expression:
    """What stands for a class of the old library: it keeps the file's numbers and does nothing."""

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


def _decode_text(text: Any, encoding: Any = "latin1") -> bytes:
    """What `_codecs.encode` does to text, in the one encoding that pickles of arrays use."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise DataError("it encodes text in a way that no array needs")
    return text.encode("latin1")


def _rebuild(cls: Any, base: Any, state: Any) -> Any:
    """`copyreg._reconstructor` for the empty classes and sparse matrices only."""
    if not (isinstance(cls, type) and issubclass(cls, (Expression, *_SPARSE))):
        raise DataError(f"it makes an object of {cls!r}")
    return object.__new__(cls) if issubclass(cls, _SPARSE) else cls()


def _known() -> dict[tuple[str, str], Any]:
    reconstruct, frombuffer = np.zeros(1).__reduce__()[0], np.zeros(1).__reduce_ex__(5)[0]
    scalar = np.float64(0).__reduce__()[0]
    known: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _decode_text,
        ("chumpy.ch", "Ch"): Leaf,
        ("chumpy.reordering", "Select"): Chosen,
    }
    for core in ("core", "_core"):
        known[f"numpy.{core}.multiarray", "_reconstruct"] = reconstruct
        known[f"numpy.{core}.multiarray", "scalar"] = scalar
        known[f"numpy.{core}.numeric", "_frombuffer"] = frombuffer
    for kind in ("csc", "csr"):
        for module in (kind, f"_{kind}"):
            known[f"scipy.sparse.{module}", f"{kind}_matrix"] = getattr(scipy.sparse, f"{kind}_matrix")
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
        return _KNOWN[module, name]


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
    if isinstance(value, Expression):
        return np.asarray(_resolve(value.state["x"], depth + 1))
    if isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        return _resolve(value.item(), depth + 1)
    if scipy.sparse.issparse(value):
        return _dense(value)
    return value


def _dense(matrix: Any) -> np.ndarray:
    """A sparse matrix as an array, after its parts were checked: the file may have put anything in their place."""
    state = vars(matrix)
    rows, columns = (int(size) for size in state.get("_shape", state.get("shape")))
    if not 0 <= rows * columns <= _LARGEST:
        raise DataError(f"it holds a sparse matrix of {rows} x {columns}")
    parts = tuple(np.asarray(state[name]) for name in ("data", "indices", "indptr"))
    checked = type(matrix)(parts, shape=(rows, columns))
    checked.check_format(full_check=True)
    return checked.toarray()
