"""Mixed precision: where it helps, and a refusal where it would be many times slower."""

from contextlib import AbstractContextManager, nullcontext

import torch

from unveil.core.errors import ConfigError
from unveil.training.options import Precision


def check_precision(precision: Precision, device: torch.device) -> None:
    """Refuse a precision that this device computes slowly or not at all.

    Raises:
        ConfigError: fp16 on a processor, or bf16 on hardware without instructions for it.
    """
    if device.type == "cpu" and precision == "fp16":
        raise ConfigError("precision='fp16' needs a GPU; on a processor use 'fp32', or 'bf16' where it is supported.")
    if device.type == "cpu" and precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise ConfigError(
            "precision='bf16' is tens of times slower than 'fp32' on this processor, which has no instructions for it "
            "(AVX-512 or AMX on Intel and AMD); use 'fp32'."
        )
    if device.type == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ConfigError("precision='bf16' is not supported by this GPU; use 'fp16' or 'fp32'.")


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Give the context in which losses are computed; one that may be entered again and again."""
    match precision:
        case "fp32":
            return nullcontext()
        case "bf16":
            return torch.autocast(device.type, torch.bfloat16)
        case "fp16":
            return torch.autocast(device.type, torch.float16)
