"""The same initial weights on every backend: those that Keras draws on TensorFlow.

Keras' initializers hold an integer seed, from which each backend draws other numbers. The
functions here draw what `tf.random.stateless_uniform`, `stateless_normal` and
`stateless_truncated_normal` do on a CPU: uniform numbers to the last bit, normal ones to the
rounding of a logarithm and a sine (`random_distributions.h` in TensorFlow's sources).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Seed = tuple[int, int]

CHUNK = 2**15
"""Groups of numbers that are drawn at once, to keep memory small."""

LEAST_UNIFORM = 1e-7
"""What the logarithm of Box and Muller gets in place of anything smaller."""

TRUNCATED_AT = 2.0
BLOCKS_KEPT_FREE = 64
"""Blocks of the stream that a truncated normal number may use up by being drawn again."""

SEEDS = 2**31 - 2
"""Keras on TensorFlow takes seeds modulo this number."""

RANDOM_INITIALIZERS = "keras.src.initializers.random_initializers"


class Format(NamedTuple):
    """How a floating-point type is made of random bits: `mantissa` bits below `exponent`."""

    bits: type[np.unsignedinteger[Any]]
    mantissa: int
    exponent: int


FORMATS = {
    "float16": Format(np.uint16, 10, 15),
    "bfloat16": Format(np.uint16, 7, 127),
    "float32": Format(np.uint32, 23, 127),
    "float64": Format(np.uint64, 52, 1023),
}

WORDS = 4
"""Random 32-bit words in a block."""

ROUNDS = 10
MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
SEED_KEY = (0x3EC8F720, 0x02461E29)

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
WORD = 2**32


@contextmanager
def weights_as_on_tensorflow() -> Iterator[None]:
    """Give models that are built inside the weights that the same seeds give on TensorFlow."""
    import keras

    if keras.backend.backend() == "tensorflow":
        yield
        return
    module: Any = importlib.import_module(RANDOM_INITIALIZERS)
    own = module.random
    module.random = _Draws(own)
    try:
        yield
    finally:
        module.random = own


class _Draws:
    """Takes the place of `keras.random` in Keras' initializers.

    Args:
        own: The backend's own, for everything that is not drawn here.
    """

    def __init__(self, own: Any) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def uniform(
        self, shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = 0
    ) -> Any:
        return _drawn(uniform, shape, minval, maxval, dtype, seed)

    def normal(
        self, shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = 0
    ) -> Any:
        return _drawn(normal, shape, mean, stddev, dtype, seed)

    def truncated_normal(
        self, shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = 0
    ) -> Any:
        return _drawn(truncated_normal, shape, mean, stddev, dtype, seed)


def _drawn(
    draw: Callable[..., Array], shape: Any, first: float, second: float, dtype: Any, seed: Any
) -> Any:
    """Random numbers as a tensor; a seed of Keras is an integer, or the state of a generator."""
    import keras

    name = str(keras.backend.standardize_dtype(dtype or keras.config.floatx()))
    parts = (seed, 0) if isinstance(seed, int) else (int(part) for part in seed.next())
    numbers = draw(shape, first, second, name, tuple(part % SEEDS for part in parts))
    return keras.ops.convert_to_tensor(numbers, name)


def uniform(shape: Sequence[int], low: float, high: float, dtype: str, seed: Seed) -> Array:
    """Return uniform numbers from `low` to before `high`.

    Args:
        shape: Shape of the answer.
        low: The least number.
        high: The bound above all numbers.
        dtype: `float16`, `bfloat16`, `float32` or `float64`.
        seed: Two integers.
    """
    scalar = _scalar(dtype)
    low, high = scalar(low), scalar(high)
    stream = Philox(seed)
    numbers = _filled(
        shape, dtype, _per_block(dtype), lambda groups: _unit(stream.blocks(groups), dtype)
    )
    numbers *= high - low
    numbers += low
    return numbers


def normal(shape: Sequence[int], mean: float, stddev: float, dtype: str, seed: Seed) -> Array:
    """Return normal numbers; see `uniform` for the arguments."""
    stream = Philox(seed)
    numbers = _filled(
        shape, dtype, _per_block(dtype), lambda groups: _box_muller(stream.blocks(groups), dtype)
    )
    return _scaled(numbers, mean, stddev, dtype)


def truncated_normal(
    shape: Sequence[int], mean: float, stddev: float, dtype: str, seed: Seed
) -> Array:
    """Return normal numbers less than two standard deviations from the mean; see `uniform` for
    the arguments."""
    stream, size = Philox(seed), _per_block(dtype)

    def draw(groups: Array) -> Array:
        # Narrower types are rounded from float32, after the choice of what is kept.
        answer = np.empty((len(groups), size), np.float64 if dtype == "float64" else np.float32)
        open_groups, blocks = np.arange(len(groups)), 2
        while len(open_groups):
            first = groups[open_groups, None] * (size * BLOCKS_KEPT_FREE)
            places = (first + np.arange(blocks)).reshape(-1)
            drawn = _box_muller(stream.blocks(places), dtype).reshape(len(open_groups), -1)
            kept = np.abs(drawn) < TRUNCATED_AT
            full = kept.sum(axis=1) >= size
            first_kept = kept & (kept.cumsum(axis=1) <= size)
            answer[open_groups[full]] = drawn[full][first_kept[full]].reshape(-1, size)
            open_groups, blocks = open_groups[~full], blocks * 4
        return answer

    return _scaled(_filled(shape, dtype, size, draw), mean, stddev, dtype)


def _filled(shape: Sequence[int], dtype: str, size: int, draw: Callable[[Array], Array]) -> Array:
    """An array filled with groups of `size` numbers, the last one cut off."""
    count = math.prod(shape)
    groups = -(-count // size)
    numbers = np.empty(groups * size, _scalar(dtype))
    for first in range(0, groups, CHUNK):
        part = np.arange(first, min(first + CHUNK, groups))
        numbers[first * size : (first + len(part)) * size] = draw(part).reshape(-1)
    return numbers[:count].reshape(tuple(shape))


def _unit(blocks: Array, dtype: str) -> Array:
    """(b, 4) random words as (b, 4) numbers from 0 to before 1; (b, 2) for float64."""
    form = FORMATS[dtype]
    if dtype == "float64":
        pairs = blocks.astype(np.uint64)
        words = (pairs[:, 0::2] << np.uint64(32)) | pairs[:, 1::2]
    else:
        words = blocks.astype(form.bits)
    fraction = words & form.bits(2**form.mantissa - 1)
    one = form.bits(form.exponent << form.mantissa)
    numbers: Array = (fraction | one).view(_scalar(dtype)) - _scalar(dtype)(1)
    return numbers


def _box_muller(blocks: Array, dtype: str) -> Array:
    """(b, 4) random words as (b, 4) float32 standard normal numbers, for float64 (b, 2) float64."""
    wide = "float64" if dtype == "float64" else "float32"
    number, units = _scalar(wide), _unit(blocks, wide)
    radius_from = np.maximum(units[:, 0::2], number(LEAST_UNIFORM)).astype(np.float64)
    # NumPy's float32 functions round less exactly than the C library's, which TensorFlow uses.
    radius = np.sqrt(number(-2) * np.log(radius_from).astype(number))
    angle = (2 * np.pi * units[:, 1::2].astype(np.float64)).astype(number).astype(np.float64)
    sine, cosine = np.sin(angle).astype(number), np.cos(angle).astype(number)
    pairs = np.stack([sine * radius, cosine * radius], axis=-1)
    return pairs.reshape(len(blocks), -1)


def _scaled(numbers: Array, mean: float, stddev: float, dtype: str) -> Array:
    numbers *= _scalar(dtype)(stddev)
    numbers += _scalar(dtype)(mean)
    return numbers


def _per_block(dtype: str) -> int:
    return WORDS // 2 if dtype == "float64" else WORDS


def _scalar(dtype: str) -> Any:
    """The NumPy type of one number."""
    if dtype != "bfloat16":
        return np.dtype(dtype).type
    import ml_dtypes

    return ml_dtypes.bfloat16


class Philox:
    """The stream of one seed, any part of which can be drawn alone.

    Args:
        seed: Two integers, of which the lowest 64 bits count, as `tf.random.stateless_uniform`
            takes them.
    """

    def __init__(self, seed: Sequence[int]) -> None:
        halves = [half for part in seed for half in (part % WORD, (part >> 32) % WORD)]
        mixed = _encrypt([np.array([half], np.uint64) for half in halves], SEED_KEY)[0]
        self._key = (int(mixed[0]), int(mixed[1]))
        self._upper = mixed[2:]

    def blocks(self, places: Array) -> Array:
        """Return the blocks at these places of the stream.

        Args:
            places: (b,) integers from 0.

        Returns:
            (b, 4) uint32.
        """
        places = places.astype(np.uint64)
        upper = (np.full(len(places), word, np.uint64) for word in self._upper)
        return _encrypt([places & LOW, places >> HALF, *upper], self._key)


def _encrypt(counter: list[Array], key: tuple[int, int]) -> Array:
    """Ten rounds over counters of four words, each (b,) uint64 below 2**32; (b, 4) uint32."""
    for number in range(ROUNDS):
        keys = [np.uint64((key[i] + number * KEY_STEPS[i]) % WORD) for i in range(2)]
        first, second = counter[0] * MULTIPLIERS[0], counter[2] * MULTIPLIERS[1]
        counter = [
            (second >> HALF) ^ counter[1] ^ keys[0],
            second & LOW,
            (first >> HALF) ^ counter[3] ^ keys[1],
            first & LOW,
        ]
    return np.stack(counter, axis=1).astype(np.uint32)
