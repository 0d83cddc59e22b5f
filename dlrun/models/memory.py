"""Weights that do not fit into the free memory are refused before they are made: TensorFlow would
raise an error of its allocator, or the system would kill the process."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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


def free_memory() -> int | None:
    """Return the bytes of memory that this process can still get; None where that is unknown."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable:"))
        found.append(1024 * int(available.split()[1]))
    with contextlib.suppress(OSError, ValueError):
        # Of what the group uses, files that were read count too, and give way.
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found, default=None)
