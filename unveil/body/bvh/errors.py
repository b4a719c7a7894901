"""What is wrong with a BVH file."""

from unveil.core.errors import DataError


class BvhError(DataError):
    """A BVH file that is damaged, or says what no such file can."""
