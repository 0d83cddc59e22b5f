"""The steps that Keras has too give what Keras gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlrun.registry.families import STEPS, TARGET_STEPS

keras = pytest.importorskip("keras")

sequences = st.lists(
    st.lists(st.integers(0, 1000), max_size=12).map(lambda values: np.array(values, np.int64)),
    min_size=1,
    max_size=12,
)
sides = st.sampled_from(["pre", "post"])


def column(values: list[np.ndarray]) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = values
    return made


@settings(deadline=None)
@given(sequences, st.none() | st.integers(1, 15), sides, sides, st.integers(-3, 3))
def test_pad_sequences(
    rows: list[np.ndarray], maxlen: int | None, padding: str, truncating: str, value: int
) -> None:
    options: dict[str, Any] = {"padding": padding, "truncating": truncating, "value": value}
    longest = max(1, *map(len, rows), 1)
    expected = keras.utils.pad_sequences(rows, maxlen=maxlen or longest, **options)
    step = STEPS.get("pad_sequences").model_validate({"maxlen": maxlen, **options})
    features = {"words": column(rows)}
    found = step.apply(features, step.fit(features))["words"]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_rows_that_pad_sequences_cuts_are_counted() -> None:
    features = {"words": column([np.arange(5), np.arange(2), np.arange(4)])}
    step = STEPS.get("pad_sequences").model_validate({"maxlen": 3})
    assert step.findings(features, step.fit(features)) == [
        "pad_sequences: column 'words' is longer than 3 in 2 of 3 rows, which lost their beginning"
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.none() | st.integers(10, 12))
def test_one_hot_targets(labels: list[int], num_classes: int | None) -> None:
    step = TARGET_STEPS.get("one_hot").model_validate({"num_classes": num_classes})
    for target in (np.array(labels), np.array(labels, np.uint8)[:, np.newaxis]):
        found = step.apply(target, step.fit(target, None))
        expected = keras.utils.to_categorical(target, num_classes)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32
    named = TARGET_STEPS.get("one_hot")()
    target = np.array([0, 1])
    assert named.apply(target, named.fit(target, ("a", "b", "c"))).shape == (2, 3)


@pytest.mark.parametrize(("shape", "axis"), [((40, 5), -1), ((40, 6, 5), -1), ((40, 6, 5), (1, 2))])
def test_standardize_axis(shape: tuple[int, ...], axis: Any) -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, shape).astype(np.float32)
    layer = keras.layers.Normalization(axis=axis)
    layer.adapt(values)
    given_axis = list(axis) if isinstance(axis, tuple) else axis
    step = STEPS.get("standardize").model_validate({"axis": given_axis})
    features = {"x": values}
    found = step.apply(features, step.fit(features))["x"]
    np.testing.assert_allclose(found, np.asarray(layer(values)), rtol=1e-4, atol=1e-4)


def test_rescale() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3)).astype(np.uint8)
    layer = keras.layers.Rescaling(1 / 127.5, offset=-1)
    step = STEPS.get("rescale").model_validate({"scale": "1/127.5", "offset": -1})
    features = {"x": pixels}
    found = step.apply(features, step.fit(features))["x"]
    np.testing.assert_allclose(found, np.asarray(layer(pixels)), atol=1e-6)
