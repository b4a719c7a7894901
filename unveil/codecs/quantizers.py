"""Vectors as a few small numbers: vector, product, rotated product and residual quantizers.

All four are one thing: codebooks of which one entry each is chosen, and what they stand for is added up.

Sources: Jegou, Douze and Schmid (2011), Product quantization for nearest neighbor search; Ge, He, Ke and Sun (2013), Optimized
product quantization; Chen, Guan and Wang (2010), Approximate nearest neighbor search by residual vector quantization.
"""

import torch
from torch import Tensor, nn

from unveil.codecs.names import Kind
from unveil.codecs.nearest import nearest

BEAM = 5
"""How many beginnings of a code are kept while the codebooks of a residual quantizer are gone through."""
_ROWS = 1024  # vectors that are looked at together in a beam: what they need then stays in a processor's cache


class Quantizer(nn.Module):
    """M codebooks of K entries for vectors of length d; it has buffers and nothing to train by gradients.

    Args:
        kind: how the codebooks are put together.
        codebooks: (M, K, d) for "RQ", where codebook m holds what is left after those before it; else (M, K, d / M), where
            codebook m holds the m-th part of the vector.
        rotation: (d, d) orthogonal, for "OPQ": parts are those of rotation @ x.
    """

    codebooks: Tensor
    rotation: Tensor | None

    def __init__(self, kind: Kind, codebooks: Tensor, rotation: Tensor | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("codebooks", codebooks)
        self.register_buffer("rotation", rotation)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The codes of vectors: (N, d) -> (N, M), uint8. For all kinds but "RQ" no other code comes nearer to x."""
        if self.kind == "RQ":
            return torch.cat([self._beam(rows) for rows in x.split(_ROWS)])
        if self.rotation is not None:
            x = x @ self.rotation.T
        length = self.codebooks.shape[2]
        parts = [nearest(x[:, m * length : (m + 1) * length], book) for m, book in enumerate(self.codebooks)]
        return torch.stack(parts, 1).to(torch.uint8)

    def tables(self) -> Tensor:
        """What every entry adds to a vector: (M, K, d)."""
        count, size, length = self.codebooks.shape
        if self.kind == "RQ" or (count == 1 and self.rotation is None):
            return self.codebooks
        if self.rotation is not None:
            return self.codebooks @ self.rotation.unflatten(0, (count, length))  # (M, K, d/M) (M, d/M, d)
        spread = self.codebooks.new_zeros(count, size, count, length)
        index = torch.arange(count, device=spread.device)
        spread[index, :, index] = self.codebooks
        return spread.flatten(2)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """What codes (N, M) stand for: (N, d)."""
        plain = self.kind == "PQ"  # whose parts need not be added up
        books = self.codebooks if plain else self.tables()
        count, size, _ = books.shape
        if count == 1:
            return books[0].index_select(0, codes.flatten().int())
        rows = codes + torch.arange(0, count * size, size, device=codes.device, dtype=torch.int32)
        books = books.flatten(0, 1)
        if plain:
            return books.index_select(0, rows.flatten()).reshape(len(codes), -1)
        return nn.functional.embedding_bag(rows, books, mode="sum")

    def _beam(self, x: Tensor) -> Tensor:
        """The codes of the best sums that a beam search finds: (N, M), uint8."""
        rest, codes, error = x[:, None], x.new_zeros(len(x), 1, 0, dtype=torch.uint8), x.new_zeros(len(x), 1)
        for book in self.codebooks:
            # |rest - c|^2 without |rest|^2, which `error` carries along: what it was, and what c takes away.
            cost = torch.baddbmm(
                book.square().sum(1).expand(1, 1, -1), rest.flatten(0, 1)[None], book.T[None], alpha=-2
            )[0].reshape(len(x), rest.shape[1], len(book))
            cost += error[..., None]
            error, chosen = cost.flatten(1).topk(min(BEAM, cost.shape[1] * len(book)), dim=1, largest=False)
            parent, entry = chosen // len(book), chosen % len(book)
            rest = rest.gather(1, parent[..., None].expand(-1, -1, x.shape[1])) - book[entry]
            kept = codes.gather(1, parent[..., None].expand(-1, -1, codes.shape[2]))
            codes = torch.cat([kept, entry[..., None].to(torch.uint8)], 2)
        return codes[:, 0]
