"""In which order an epoch sees the training rows."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def row_order(rows: int, *, seed: int, epoch: int, shuffle: bool) -> Array:
    """Return the order of one epoch, (rows,) int32.

    It depends on the arguments alone: not on the epochs before it, nor on how training is cut
    into calls.

    Args:
        rows: Number of training rows.
        seed: The fit's seed.
        epoch: Counted from 0.
        shuffle: Whether the rows are put in a random order; else they stay as they are.
    """
    if not shuffle:
        return np.arange(rows, dtype=np.int32)
    return np.random.default_rng((seed, epoch)).permutation(rows).astype(np.int32)
