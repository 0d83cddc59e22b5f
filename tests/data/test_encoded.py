"""Zeros and ones kept by the places of the ones: what preprocessing makes of many rows."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlrun.data.encoded import DenseBlock, Encoded, concatenated_blocks, sparse_ones
from dlrun.data.fitting import batches
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.preprocessing.multi_hot import MultiHot
from dlrun.data.preprocessing.one_hot import OneHot
from dlrun.data.preprocessing.rescale import Rescale
from dlrun.data.preprocessing.standardize import Standardize
from dlrun.data.samples import Columns, Dataset, Samples, as_objects
from dlrun.data.step import Step
from dlrun.errors import DataError

BITS = arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 12)), elements=st.integers(0, 1)
)


@given(BITS, st.data())
def test_any_rows_come_back_as_they_were(bits: np.ndarray, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(bits)))
    parts = [part for part in (bits[:cut], bits[cut:]) if len(part)]
    numbers = np.arange(2.0 * len(bits), dtype=np.float32).reshape(-1, 2)
    encoded = Encoded(
        (DenseBlock(numbers), concatenated_blocks([sparse_ones(part) for part in parts]))
    )
    dense = np.concatenate([numbers, bits], axis=1)
    positions = np.array(
        data.draw(st.lists(st.integers(-len(bits), len(bits) - 1))), dtype=np.int64
    )
    start, stop = sorted([data.draw(st.integers(0, 12)), data.draw(st.integers(0, 12))])
    for rows in (positions, slice(start, stop), slice(None, None, 2), slice(3)):
        np.testing.assert_array_equal(encoded[rows], dense[rows])
        np.testing.assert_array_equal(encoded.take(rows)[:], dense[rows])
    assert (encoded.shape, encoded.dtype) == (dense.shape, dense.dtype)


def samples_of(columns: Columns) -> Samples:
    count = len(next(iter(columns.values())))
    return Samples(columns, {"y": np.arange(count) % 2}, 100 + np.arange(count))


def fitted(steps: list[Step], samples: Samples) -> Pipeline:
    dataset = Dataset(samples, "binary", {}, False, None, "rows")
    return fit_pipeline(steps, [], dataset, samples)


def mixed(count: int = 60) -> Samples:
    random = np.random.default_rng(0)
    words = [random.integers(0, 50, random.integers(0, 9)) for _ in range(count)]
    return samples_of(
        {
            "age": random.normal(size=count),
            "city": random.choice(np.array(["Bonn", "Köln", "Ulm"], object), count),
            "grade": random.integers(0, 4, count).astype(np.float64),
            "words": as_objects(words),
            "size": random.normal(size=count).astype(np.float32),
        }
    )


STEPS: list[Step] = [
    Standardize(columns=["age"]),
    OneHot(columns=["city", "grade"]),
    MultiHot(num_tokens=50),
]


@pytest.mark.parametrize("chunk", [1, 700, 10**9])
def test_large_inputs_are_encoded_with_the_same_values(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlrun.data.fitting.batches.CHUNK_BYTES", chunk)
    samples = mixed()
    pipeline = fitted(STEPS, samples)
    plain = pipeline.inputs(samples)
    monkeypatch.setattr(batches, "SMALL_BYTES", 0)
    encoded = pipeline.inputs(samples)
    assert isinstance(plain, np.ndarray)
    assert isinstance(encoded, Encoded)
    np.testing.assert_array_equal(encoded[:], plain)
    kept = sum(array.nbytes for array in encoded.arrays)
    assert kept < plain.nbytes / 4


def test_what_a_later_step_changes_is_no_longer_zeros_and_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = mixed()
    pipeline = fitted([*STEPS, Rescale(scale=2.0, columns=["words"])], samples)
    plain = pipeline.inputs(samples)
    monkeypatch.setattr(batches, "SMALL_BYTES", 0)
    np.testing.assert_array_equal(pipeline.inputs(samples)[:], plain)
    all_rescaled = fitted([MultiHot(num_tokens=9), Rescale(scale=2.0)], words_only())
    assert isinstance(all_rescaled.inputs(words_only()), np.ndarray)


def words_only() -> Samples:
    return samples_of({"words": as_objects([np.arange(i % 4) for i in range(8)])})


def test_gaps_are_told_as_of_plain_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = mixed()
    pipeline = fitted(STEPS, samples)
    broken = mixed()
    broken.features["size"][[7, 9]] = np.nan
    told = []
    for small in (10**9, 0):
        monkeypatch.setattr(batches, "SMALL_BYTES", small)
        with pytest.raises(DataError) as error:
            pipeline.inputs(broken)
        told.append(str(error.value))
    assert told[0] == told[1]
    assert "column 'size' has 2 missing values, the first in row 107" in told[1]


def test_a_number_without_a_place_is_told_with_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SMALL_BYTES", 0)
    monkeypatch.setattr("dlrun.data.fitting.batches.CHUNK_BYTES", 1)
    pipeline = fitted([MultiHot(num_tokens=9)], words_only())
    new = words_only()
    new.features["words"][5] = np.array([3, 9])
    with pytest.raises(DataError, match=r"holds 9 in row 105 "):
        pipeline.inputs(new)


def test_the_dense_form_never_exists() -> None:
    samples = samples_of({"words": as_objects([np.array([5, 7, 9_999])] * 5000)})
    pipeline = fitted([MultiHot()], samples)
    tracemalloc.start()
    try:
        inputs = pipeline.inputs(samples)
        pipeline.findings(samples)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert inputs.shape == (5000, 10_000)
    assert peak < 20e6
