"""Errors that teach: each says what was given, what is accepted and how to mend it.

Nothing here imports torch, so that a command line can refuse bad input at once.
"""


class UnveilError(Exception):
    """Any mistake in what a user gave; the command line prints it as one sentence and exits 2."""


class ConfigError(UnveilError, ValueError):
    """A value, an option or a recipe that cannot work."""


class ShapeError(UnveilError, ValueError):
    """Tensors whose shapes do not fit each other."""


class DataError(UnveilError, ValueError):
    """Data that is missing, damaged or of a kind that is not understood."""


class RunError(UnveilError, RuntimeError):
    """A run folder that is not one, is damaged, or does not fit what is asked of it."""


class DivergenceError(UnveilError, ArithmeticError):
    """Numbers that stopped being finite: a loss in training, a state in sampling."""


class MissingDependencyError(UnveilError, ImportError):
    """An optional library is needed and not installed; the message names the extra."""


class ExistsError(UnveilError, FileExistsError):
    """Something would be overwritten that nobody asked to overwrite."""
