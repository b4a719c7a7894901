"""The codec of a run."""

from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import ConfigError

if TYPE_CHECKING:
    from unveil.codecs import Codec


def codec_of_run(path: Path) -> "Codec":
    """The codec of a run: of a codec's own, or of a diffusion on codes, be it of pictures or of video.

    Raises:
        ConfigError: its model has none.
        RunError: it is no run, or not a trained one.
    """
    from unveil.models.codec_diffusion import KeptCodec
    from unveil.tasks.run import load

    run = load(path, device="cpu")
    kept = run.model if isinstance(run.model, KeptCodec) else getattr(run.model, "codec", None)
    if not isinstance(kept, KeptCodec):
        raise ConfigError(
            f"{path} is the run of a {run.recipe.model.kind}, which has no codec; give the run of a codec or of a diffusion on "
            "codes, or a file that `unveil codec fit` made."
        )
    return kept.codec
