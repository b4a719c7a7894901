"""k-means, by FAISS where it is installed."""

from importlib.util import find_spec

import torch
from torch import Tensor

from unveil.codecs.nearest import nearest

ROUNDS = 25


def k_means(x: Tensor, size: int, *, rounds: int = ROUNDS, seed: int = 0, start: Tensor | None = None) -> Tensor:
    """Find `size` means for the rows of x, (N, d) float32 with N >= size: (size, d).

    FAISS and our own rounds find means that are about equally good, but not the same ones.

    Args:
        x: vectors.
        size: how many means.
        rounds: of assigning and averaging.
        seed: names the rows that the means begin with, where `start` does not give them.
        start: (size, d), to go on from.

    Source: Lloyd (1982), Least squares quantization in PCM.
    """
    if find_spec("faiss") is not None:
        return _by_faiss(x, size, rounds, seed, start)
    return lloyd(x, size, rounds=rounds, seed=seed, start=start)


def _by_faiss(x: Tensor, size: int, rounds: int, seed: int, start: Tensor | None) -> Tensor:
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(torch.get_num_threads())
    try:
        # Without these two FAISS would look at 256 rows for each mean only, and complain of fewer than 39.
        means = faiss.Kmeans(
            x.shape[1], size, niter=rounds, seed=seed % 2**31, min_points_per_centroid=1, max_points_per_centroid=len(x)
        )
        means.train(x.contiguous().numpy(), init_centroids=None if start is None else start.contiguous().numpy())
        return torch.from_numpy(means.centroids).clone()
    finally:
        faiss.omp_set_num_threads(threads)


def lloyd(x: Tensor, size: int, *, rounds: int = ROUNDS, seed: int = 0, start: Tensor | None = None) -> Tensor:
    """The same without FAISS, see `k_means`."""
    generator = torch.Generator().manual_seed(seed)
    means = x[torch.randperm(len(x), generator=generator)[:size]].clone() if start is None else start.clone()
    for _ in range(rounds):
        chosen = nearest(x, means)
        counts = torch.bincount(chosen, minlength=size)
        sums = torch.zeros_like(means).index_add_(0, chosen, x)
        empty = counts == 0
        means = torch.where(empty[:, None], means, sums / counts.clamp(min=1)[:, None])
        if empty.any():  # means that nobody is near to go where they are needed most
            worst = (x - means[chosen]).square().sum(1).topk(int(empty.sum())).indices
            means[empty] = x[worst]
    return means
