"""Models that are fitted once for the same rows: the trials of a search often have the same."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

Model = TypeVar("Model")

MOST = 64
"""Models that are kept, those that were used last."""

_kept: OrderedDict[bytes, Any] = OrderedDict()


def fitted_once(options: object, arrays: Sequence[Any], fit: Callable[[], Model]) -> Model:
    """Return a fitted model, without fitting it again to what this process has fitted it to.

    Args:
        options: What else decides the model, told apart by its text.
        arrays: The rows and targets. With a sparse matrix among them nothing is kept.
        fit: Fits the model.
    """
    if not all(isinstance(array, np.ndarray) and not array.dtype.hasobject for array in arrays):
        return fit()
    digest = hashlib.sha256(repr(options).encode())
    for array in arrays:
        digest.update(repr((array.shape, array.dtype)).encode())
        digest.update(np.ascontiguousarray(array).data)
    key = digest.digest()
    if key not in _kept:
        _kept[key] = fit()
    _kept.move_to_end(key)
    while len(_kept) > MOST:
        _kept.popitem(last=False)
    model: Model = _kept[key]
    return model
