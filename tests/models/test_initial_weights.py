"""Random numbers that are TensorFlow's, made without TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlrun.models import initial_weights
from dlrun.models.initial_weights import Philox

SHAPES = st.lists(st.integers(0, 40), max_size=3).map(tuple)
SEEDS = st.integers(0, 2**32 + 5)
DTYPES = [
    "float32",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("float16", "bfloat16", "float64")),
]


def from_tensorflow(name: str, shape: tuple[int, ...], seed: int, dtype: str, **scale: float):
    from keras.src.backend.tensorflow import random

    drawn = getattr(random, name)(shape, dtype=dtype, seed=seed, **scale).numpy()
    return np.asarray(drawn).reshape(shape)


def seed_of(seed: int) -> tuple[int, int]:
    return seed % initial_weights.SEEDS, 0


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=15, deadline=None)
@given(shape=SHAPES, seed=SEEDS, low=st.floats(-2, 0, width=16), high=st.floats(0, 2, width=16))
def test_uniform_numbers_are_equal_to_the_last_bit(dtype, shape, seed, low, high) -> None:
    ours = initial_weights.uniform(shape, low, high, dtype, seed_of(seed))
    theirs = from_tensorflow("uniform", shape, seed, dtype, minval=low, maxval=high)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["normal", "truncated_normal"])
@settings(max_examples=15, deadline=None)
@given(shape=SHAPES, seed=SEEDS, stddev=st.floats(0.015625, 2, width=16))
def test_normal_numbers_are_equal_but_for_rounding(name, dtype, shape, seed, stddev) -> None:
    draw = getattr(initial_weights, name)
    ours = draw(shape, 0.0, stddev, dtype, seed_of(seed))
    theirs = from_tensorflow(name, shape, seed, dtype, mean=0.0, stddev=stddev)
    assert ours.dtype == theirs.dtype
    step = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-22, "float64": 2**-51}[dtype]
    np.testing.assert_allclose(
        ours.astype(np.float64), theirs.astype(np.float64), rtol=4 * step, atol=step * stddev
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal"])
def test_large_arrays_are_drawn_in_pieces_without_a_seam(name) -> None:
    shape = (4 * initial_weights.CHUNK * 2 + 3,)
    ours = getattr(initial_weights, name)(shape, 0.0, 1.0, "float32", (7, 0))
    np.testing.assert_allclose(ours, from_tensorflow(name, shape, 7, "float32"), rtol=1e-6)


INITIALIZERS = [
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "GlorotUniform",
    "GlorotNormal",
    "LecunNormal",
    "LecunUniform",
    "HeNormal",
    "HeUniform",
    "Orthogonal",
]


def test_every_random_initializer_of_keras_draws_here(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    from keras.src.initializers import random_initializers

    def weights() -> list[np.ndarray]:
        keras.utils.set_random_seed(5)
        made = [getattr(keras.initializers, name)() for name in INITIALIZERS]
        made += [keras.initializers.HeNormal(seed=keras.random.SeedGenerator(3))]
        layer = keras.layers.Bidirectional(keras.layers.LSTM(4))
        layer.build((None, 6, 5))
        return [make((6, 3)).numpy() for make in [*made, made[-1]]] + layer.get_weights()

    known = [
        name
        for name, kind in vars(random_initializers).items()
        if isinstance(kind, type)
        and issubclass(kind, random_initializers.RandomInitializer)
        and name != "RandomInitializer"
    ]
    assert sorted(known) == sorted(INITIALIZERS)
    wanted, own = weights(), random_initializers.random
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    drawn = []
    monkeypatch.setattr(initial_weights, "Philox", lambda seed: drawn.append(seed) or Philox(seed))
    with initial_weights.weights_as_on_tensorflow():
        found = weights()
    assert len(drawn) == len(INITIALIZERS) + 2 + 4
    assert random_initializers.random is own
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
