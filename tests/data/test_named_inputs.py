"""Several inputs by name: the same rows of each, however they are taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.data.encoded import Encoded, sparse_ones
from dlrun.data.fitting import batches
from dlrun.data.inputs import NamedInputs, StreamedInputs
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.preprocessing.impute import Impute
from dlrun.data.preprocessing.rescale import Rescale
from dlrun.data.preprocessing.standardize import Standardize
from dlrun.data.samples import Dataset, Samples
from dlrun.data.stored import stored
from dlrun.errors import DataError

DRAW = np.random.default_rng(0)
ROWS = 12
NUMBERS = DRAW.normal(size=(ROWS, 3)).astype(np.float32)
FLAGS = (DRAW.random((ROWS, 5)) < 0.3).astype(np.uint8)
PICTURES = DRAW.integers(0, 255, (ROWS, 2, 2, 1)).astype(np.uint8)

places = st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=2 * ROWS)


@given(first=places, data=st.data())
def test_taking_rows_twice_is_taking_them_once(first: list[int], data: st.DataObject) -> None:
    second = data.draw(st.lists(st.integers(0, len(first) - 1), min_size=1))
    named = NamedInputs({"numbers": NUMBERS, "flags": Encoded((sparse_ones(FLAGS),))})
    taken = named.take(np.array(first))
    assert len(taken) == len(first)
    batch = taken[np.array(second)]
    wanted = np.array(first)[second]
    np.testing.assert_array_equal(batch["numbers"], NUMBERS[wanted])
    np.testing.assert_array_equal(batch["flags"], FLAGS[wanted])


def fitted(samples: Samples, plan: dict[str, list[str]]) -> Pipeline:
    dataset = Dataset(samples, "regression", {}, has_test=False, test_rows=None, description="")
    return fit_pipeline([Standardize(columns=["left", "right"])], [], dataset, samples, plan)


def rows_of(picture: np.ndarray) -> Samples:
    features = {"left": NUMBERS[:, 0], "picture": picture, "right": NUMBERS[:, 1]}
    targets = {"y": NUMBERS[:, 2]}
    return Samples(features, targets, np.arange(ROWS, dtype=np.int64))


def test_pictures_stay_bytes_beside_an_input_whose_values_are_learnt_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "SMALL_BYTES", 0)
    samples = rows_of(PICTURES)
    dataset = Dataset(samples, "regression", {}, has_test=False, test_rows=None, description="")
    steps = [Rescale(scale=0.5, columns=["picture"]), Standardize(columns=["left", "right"])]
    plan = {"facts": ["left", "right"], "image": ["picture"]}
    inputs = fit_pipeline(steps, [], dataset, samples, plan).inputs(samples)
    assert isinstance(inputs, NamedInputs)
    image = inputs.parts["image"]
    assert isinstance(image, Encoded)
    assert image.arrays[0] is PICTURES
    np.testing.assert_array_equal(image[:], PICTURES * np.float32(0.5))
    both = NUMBERS[:, :2]
    expected = (both - both.mean(axis=0)) / both.std(axis=0)
    np.testing.assert_allclose(inputs.parts["facts"][:], expected, rtol=1e-5)


def test_each_input_gets_its_columns_in_the_order_of_the_plan() -> None:
    pipeline = fitted(rows_of(PICTURES), {"facts": ["right", "left"], "image": ["picture"]})
    inputs = pipeline.inputs(rows_of(PICTURES))
    assert isinstance(inputs, NamedInputs)
    both = NUMBERS[:, [1, 0]]
    expected = (both - both.mean(axis=0)) / both.std(axis=0)
    np.testing.assert_allclose(inputs.parts["facts"][:], expected, rtol=1e-5)
    assert inputs.parts["image"] is PICTURES
    again = Pipeline.from_state(*pipeline.to_state()).inputs(rows_of(PICTURES))
    for name, part in inputs[:].items():
        np.testing.assert_array_equal(again[:][name], part)


def test_each_input_gets_the_companions_of_its_own_columns_alone() -> None:
    gaps = {"a": [np.nan, 1.0, 2.0], "ab": [3.0, np.nan, 4.0], "a_m": [5.0, 6.0, np.nan]}
    features = {name: np.array(values) for name, values in gaps.items()}
    samples = Samples(features, {"y": np.arange(3.0)}, np.arange(3))
    dataset = Dataset(samples, "regression", {}, has_test=False, test_rows=None, description="")
    plan = {"one": ["a"], "two": ["ab"], "three": ["a_m"]}
    steps = [Impute(strategy="zero", indicator=True)]
    inputs = fit_pipeline(steps, [], dataset, samples, plan).inputs(samples)[:]
    np.testing.assert_array_equal(inputs["one"], [[0, 1], [1, 0], [2, 0]])
    np.testing.assert_array_equal(inputs["two"], [[3, 0], [0, 1], [4, 0]])
    np.testing.assert_array_equal(inputs["three"], [[5, 0], [6, 0], [0, 1]])


def test_columns_that_feed_no_input_are_not_asked_for() -> None:
    pipeline = fitted(rows_of(PICTURES), {"a": ["left"], "b": ["right"]})
    assert list(pipeline.expected_columns) == ["left", "right"]


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(DataError, match=r"no column 'lefty'.*did you mean 'left'"):
        fitted(rows_of(PICTURES), {"a": ["lefty", "right"], "b": ["picture"]})


def test_rows_on_disk_are_read_once_for_all_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = rows_of(stored(PICTURES))
    pipeline = fitted(kept, {"facts": ["left", "right"], "image": ["picture"]})
    inputs = pipeline.inputs(kept)
    assert isinstance(inputs, NamedInputs)
    assert all(isinstance(part, StreamedInputs) for part in inputs.parts.values())
    held = fitted(rows_of(PICTURES), {"facts": ["left", "right"], "image": ["picture"]})
    expected = held.inputs(rows_of(PICTURES))[np.array([7, 2])]
    read, counted = Samples.read, []

    def counting(samples: Samples) -> Samples:
        counted.append(len(samples))
        return read(samples)

    monkeypatch.setattr(Samples, "read", counting)
    batch = inputs[np.array([7, 2])]
    assert counted == [2]
    for name, part in expected.items():
        np.testing.assert_array_equal(batch[name], part)
