"""A player: parameters, an optimiser of their own, and what is done to a gradient before it moves them."""

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError
from unveil.training.learning_rate import learning_rate
from unveil.training.options import ClipMode, Options
from unveil.training.processes import Processes

_FUSED = ("cpu", "cuda", "mps", "xpu")


class Player:
    """One player of a stage.

    Args:
        name: its name in the stage.
        module: whose parameters move: those that require gradients now.
        steps: the length of the stage, over which the learning rate goes.
        options: the player's own.
        here: the processes over which its gradients are averaged.

    Raises:
        ConfigError: the module has no parameters to move.
    """

    def __init__(self, name: str, module: nn.Module, steps: int, options: Options, here: Processes) -> None:
        self.parameters = {key: value for key, value in module.named_parameters() if value.requires_grad}
        if not self.parameters:
            raise ConfigError(f"The player {name!r} has no parameters that require gradients, so nothing can move.")
        self.name, self.steps, self.options, self._here = name, steps, options, here
        self._list = list(self.parameters.values())
        self._fused = here.device.type in _FUSED and all(value.is_floating_point() for value in self._list)
        self.optimizer = torch.optim.AdamW(
            self._list,
            lr=options.lr,
            betas=options.betas,
            weight_decay=options.weight_decay,
            fused=self._fused or None,
        )
        self.scaler = torch.amp.GradScaler(here.device.type, enabled=options.precision == "fp16")

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss to this player's parameters and to nobody else's."""
        if not loss.requires_grad:
            raise ConfigError(f"A loss for the player {self.name!r} depends on no parameters, so nothing can move.")
        self.scaler.scale(loss).backward(inputs=self._list)

    def move(self, step: int, *, share: float = 1.0, anew: bool = False) -> Tensor | None:
        """Take one step of the optimiser with the gradients that were added, and clear them.

        Args:
            step: steps taken before this one.
            share: of the learning rate.
            anew: whether the optimiser forgets what it has seen before.

        Returns:
            The norm of the gradient before it was clipped, on the device; None without clipping.
        """
        moved = [value for value in self._list if value.grad is not None]
        gradients = [value.grad for value in moved if value.grad is not None]
        self._here.average_(gradients)
        self.scaler.unscale_(self.optimizer)
        norm = _clip_(gradients, self.options.clip, self.options.clip_mode) if self.options.clip else None
        self.optimizer.param_groups[0]["lr"] = share * self.rate(step)
        if anew:
            self.optimizer.state.clear()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        for value in moved:
            value.grad = None
        return norm

    def rate(self, step: int) -> float:
        """Give the learning rate of a step."""
        return learning_rate(step, self.steps, self.options)

    def state(self) -> dict[str, Tensor]:
        """Give the optimiser's memory as named tensors."""
        names: dict[Tensor, str] = {value: key for key, value in self.parameters.items()}
        memory = {
            f"{names[value]}/{key}": tensor
            for value, memories in self.optimizer.state.items()
            for key, tensor in memories.items()
        }
        if self.scaler.is_enabled():
            scaler = self.scaler.state_dict()
            memory["scaler"] = torch.tensor([scaler["scale"], scaler["_growth_tracker"]], dtype=torch.float64)
        return memory

    def load(self, memory: dict[str, Tensor]) -> None:
        """Take up the memory of an optimiser."""
        memory = dict(memory)
        if self.scaler.is_enabled():
            scale, tracker = memory.pop("scaler").tolist()
            self.scaler.load_state_dict({**self.scaler.state_dict(), "scale": scale, "_growth_tracker": int(tracker)})
        for place, tensor in memory.items():
            name, _, key = place.rpartition("/")
            value = self.parameters[name]
            if key == "step":
                kept = tensor.to(value.device) if self._fused else tensor.clone()
            else:
                kept = torch.empty_like(value, dtype=tensor.dtype).copy_(tensor)  # in the parameter's memory format
            self.optimizer.state[value][key] = kept


def _clip_(gradients: list[Tensor], largest: float, mode: ClipMode) -> Tensor:
    """Scale gradients, so that their common norm is at most `largest`, or each one's own is just that; never waits.

    Returns:
        The common norm before.
    """
    norms = torch._foreach_norm(gradients)
    norm = torch.stack(norms).norm()
    if mode == "normalise":
        torch._foreach_mul_(gradients, [largest / each.clamp(min=1e-30) for each in norms])
    else:
        torch._foreach_mul_(gradients, (largest / (norm + 1e-6)).clamp(max=1.0))
    return norm
