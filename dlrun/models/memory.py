"""Weights that do not fit into the free memory are refused before they are made: TensorFlow would
raise an error of its allocator, or the system would kill the process."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

from dlrun.config.limits import free_memory

BYTES_OF_A_WEIGHT = 4


class TooManyWeightsError(ValueError):
    """Weights of a layer do not fit into memory; Keras' own errors about a layer are ValueErrors
    too."""


@contextlib.contextmanager
def weights_within_memory() -> Iterator[None]:
    """Refuse weights of layers that are larger than the free memory.

    Raises:
        TooManyWeightsError: A layer wants such weights.
    """
    import keras

    layer: Any = keras.layers.Layer
    original = layer.add_weight

    def add_weight(self: Any, shape: Any = None, *args: Any, **options: Any) -> Any:
        sizes = shape if isinstance(shape, Sequence) else () if shape is None else (shape,)
        refuse_large([size for size in sizes if isinstance(size, int)], free_memory())
        return original(self, shape, *args, **options)

    layer.add_weight = add_weight
    try:
        yield
    finally:
        layer.add_weight = original


def refuse_large(shape: Sequence[int], free: int | None) -> None:
    """Refuse weights of a shape that take more than the free bytes; None where these are unknown.

    Raises:
        TooManyWeightsError: They do.
    """
    size = BYTES_OF_A_WEIGHT * math.prod(shape)
    if free is not None and size > free:
        axes = " x ".join(f"{length:,}" for length in shape)
        raise TooManyWeightsError(
            f"its weights, {axes}, take {size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB of memory "
            "are free"
        )
