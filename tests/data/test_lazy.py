"""Every lazy array gives the rows that NumPy gives, and reads nothing before it is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dlrun.data.encoded import ByteBlock, DenseBlock, Encoded, sparse_ones, sparse_values
from dlrun.data.inputs import NamedInputs, StreamedInputs
from dlrun.data.lazy import LazyArray, in_memory, take_rows
from dlrun.data.reading.image_files import ImageReader
from dlrun.data.reading.images import ImageFormat
from dlrun.data.samples import Samples
from dlrun.data.stored import ConcatenatedRows, StoredColumn, stored
from dlrun.data.windows import Series, Windows

N = 23
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=(N, 3)).astype(np.float32)
FLAGS = (RANDOM.random((N, 7)) < 0.2).astype(np.uint8)
COUNTS = np.where(FLAGS, RANDOM.normal(size=(N, 7)), 0).astype(np.float32)
BYTES = RANDOM.integers(0, 256, (N, 2, 2, 1), dtype=np.uint8)
TABLE = (np.arange(256) / 255).astype(np.float32)
LABELS = np.array(["a", None, "b", "a"] * N, dtype=object)[:N]
Case = tuple[LazyArray, np.ndarray]


def lazy(column: np.ndarray) -> LazyArray:
    return cast("LazyArray", stored(column))


def blocks_of_table() -> Case:
    blocks = (sparse_ones(FLAGS), DenseBlock(NUMBERS), sparse_values(COUNTS))
    return Encoded(blocks), np.concatenate([FLAGS, NUMBERS, COUNTS], axis=1).astype(np.float32)


def pixels() -> Case:
    return Encoded((ByteBlock(BYTES, TABLE),)), TABLE[BYTES]


def windows() -> tuple[Windows, np.ndarray]:
    values = RANDOM.normal(size=(40, 2)).astype(np.float32)
    starts = RANDOM.permutation(30)[:N]
    series = Series(values, ("heat", "wind"), np.arange(40))
    expected = np.stack([values[start : start + 7 : 3] for start in starts])
    return Windows(series, starts, length=3, step=3), expected


def encoded_windows() -> Case:
    made, expected = windows()
    return Encoded((made,)), expected


def stored_numbers() -> Case:
    return lazy(NUMBERS), NUMBERS


def stored_text() -> Case:
    return lazy(LABELS), LABELS


def some_stored_rows() -> Case:
    positions = RANDOM.permutation(N)[:11]
    return lazy(NUMBERS).take(positions), NUMBERS[positions]


def rows_of_two_files() -> Case:
    column = StoredColumn(ConcatenatedRows(stored(NUMBERS[:9]), NUMBERS[9:]))
    return column, NUMBERS


def streamed() -> Case:
    samples = Samples({"x": stored(NUMBERS)}, {}, np.arange(N))
    made = StreamedInputs(samples, lambda some: some.features["x"] * 2, (3,), np.dtype(np.float32))
    return made, NUMBERS * 2


def images(folder: Path) -> Case:
    for i, picture in enumerate(BYTES):
        Image.fromarray(picture[:, :, 0]).save(folder / f"{i:02}.png")
    files = tuple(sorted(folder.iterdir()))
    return StoredColumn(ImageReader(files, ImageFormat((2, 2), "grayscale", "stretch"))), BYTES


CASES: dict[str, Callable[[], Case]] = {
    "blocks of a table": blocks_of_table,
    "bytes": pixels,
    "windows": windows,
    "encoded windows": encoded_windows,
    "stored numbers": stored_numbers,
    "stored text": stored_text,
    "some stored rows": some_stored_rows,
    "rows of two files": rows_of_two_files,
    "streamed": streamed,
}


@pytest.fixture(scope="module", params=[*CASES, "images"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    if request.param == "images":
        return images(tmp_path_factory.mktemp("images"))
    return CASES[request.param]()


def rows_of(count: int) -> st.SearchStrategy[Any]:
    positions = st.lists(st.integers(-count, count - 1), max_size=30)
    slices = st.slices(count)
    return st.one_of(slices, positions.map(lambda given: np.array(given, dtype=np.int64)))


def equal(found: Any, expected: np.ndarray) -> None:
    assert type(found) is np.ndarray
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_it_has_the_shape_of_its_rows(case: Case) -> None:
    column, expected = case
    assert column.shape == expected.shape
    assert column.ndim == expected.ndim
    assert column.dtype == expected.dtype
    assert column.nbytes == expected.nbytes
    assert len(column) == len(expected)
    equal(column[:], expected)
    for found, row in zip(column, expected, strict=True):
        np.testing.assert_array_equal(found, row)


@given(st.data())
def test_rows_are_those_of_numpy(case: Case, data: st.DataObject) -> None:
    column, expected = case
    rows = data.draw(rows_of(len(expected)))
    equal(column[rows], expected[rows])
    taken = column.take(rows)
    assert type(taken) is type(column)
    assert taken.shape == expected[rows].shape
    equal(taken[:], expected[rows])
    if len(taken):
        again = data.draw(rows_of(len(taken)))
        equal(taken.take(again)[:], expected[rows][again])


def test_one_function_takes_rows_of_arrays_and_lazy_ones(case: Case) -> None:
    column, expected = case
    rows = np.array([3, 1, -1])
    equal(take_rows(expected, rows), expected[rows])
    assert isinstance(take_rows(column, rows), type(column))
    equal(take_rows(column, rows)[:], expected[rows])


def test_several_inputs_are_taken_together(case: Case) -> None:
    column, expected = case
    both = take_rows(NamedInputs({"lazy": column, "array": expected}), slice(2, 5))
    assert isinstance(both, NamedInputs)
    equal(both[:]["lazy"], expected[2:5])
    equal(both[:]["array"], expected[2:5])


def test_what_stays_on_disk_says_so(case: Case) -> None:
    column, expected = case
    assert in_memory(expected)
    assert in_memory(column) == (not isinstance(column, StoredColumn | StreamedInputs))
