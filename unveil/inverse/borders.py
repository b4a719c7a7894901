"""Measurements that end where the picture ends: what lies beyond its border is not known, and not taken to wrap round."""

from collections.abc import Callable

from torch import Tensor

from unveil.core.protocols import Operator

ROUNDS = 10


class Bordered:
    """An operator on a larger image, of whose measurement only a part is known.

    A blur mixes pixels beyond the border of a photograph into it, and closed forms take the image to wrap round. So the
    image is made larger, and of its measurement only what was measured counts. In the proximal step what is not known is
    filled with what the newest image would give, some times over: every round lowers the objective, and the closed form of
    the whole stays in use.

    Args:
        whole: A of the larger image.
        keep: 1 where its measurement is known and 0 elsewhere, (H, W).

    Source: Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm.
    """

    def __init__(self, whole: Operator, keep: Tensor) -> None:
        self.whole, self.keep = whole, keep

    def forward(self, x: Tensor) -> Tensor:
        """What is known of A x, and 0 elsewhere."""
        return self.whole.forward(x) * self.keep.to(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y, of what is known."""
        return self.whole.adjoint(y * self.keep.to(y))

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """As the whole operator; at the border this is not exact."""
        return self.whole.filtered(x, gain)

    def pinv(self, y: Tensor) -> Tensor:
        """As the whole operator; at the border this is not exact."""
        return self.whole.pinv(y * self.keep.to(y))

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """Lower lam/2 |A x - y|^2 + 1/2 |x - v|^2 over what is known of y, from x = v."""
        known, x = y * self.keep.to(y), v
        for _ in range(ROUNDS):
            x = self.whole.prox(v, known + (1 - self.keep.to(y)) * self.whole.forward(x), lam)
        return x

    def norm(self) -> float:
        """That of the whole operator, which it does not exceed."""
        return self.whole.norm()
