"""What is wrong with a glTF file."""

from unveil.core.errors import DataError


class GltfError(DataError):
    """A glTF file that is damaged, or holds no character that can be read."""
