"""What a fitted pipeline gives to the model, and takes back from it."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from dlrun.data.encoded import Encoded
from dlrun.data.fitting import batches
from dlrun.data.fitting.target_pipeline import FittedTarget, TargetPipeline
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Array, Columns, Dataset, Samples
from dlrun.data.step import FittedStep
from dlrun.errors import DataError
from dlrun.metrics.names import TargetType
from dlrun.registry.families import STEPS, TARGET_STEPS

Named = Sequence[tuple[str, dict[str, Any]]]


def samples_of(features: Columns, targets: Columns | None = None, first_row: int = 0) -> Samples:
    count = len(next(iter({**features, **(targets or {})}.values())))
    return Samples(features, targets or {}, np.arange(first_row, first_row + count))


def fit(
    steps: Named,
    features: Columns,
    targets: Columns | None = None,
    target_steps: Named = (),
    task: TargetType = "regression",
    classes: Mapping[str, tuple[str, ...]] | None = None,
) -> Pipeline:
    train = samples_of(features, targets)
    return fit_pipeline(
        [STEPS.get(name).model_validate(options) for name, options in steps],
        [TARGET_STEPS.get(name).model_validate(options) for name, options in target_steps],
        Dataset(train, task, classes or {}, False, None, "rows"),
        train,
    )


def texts(*values: str | None) -> Array:
    return np.array([*values, 0], dtype=object)[:-1]


def words(*values: Sequence[int]) -> Array:
    column = np.empty(len(values), object)
    column[:] = [np.asarray(value, np.int64) for value in values]
    return column


def test_columns_are_joined_in_their_order_with_names() -> None:
    features = {
        "age": np.array([20.0, 40.0, np.nan, 60.0]),
        "city": texts("Ulm", "Bonn", "Ulm", None),
        "scores": np.arange(8).reshape(4, 2),
        "member": np.array([True, False, True, True]),
    }
    steps = [("impute", {"indicator": True}), ("one_hot", {}), ("minmax", {"columns": ["age"]})]
    pipeline = fit(steps, features)
    inputs = pipeline.inputs(samples_of(features))
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(
        inputs,
        [
            [0.0, 0, 1, 0, 1, 1, 0],
            [0.5, 1, 0, 2, 3, 0, 0],
            [0.5, 0, 1, 4, 5, 1, 1],
            [1.0, 0, 0, 6, 7, 1, 0],
        ],
    )
    assert pipeline.feature_names == (
        *("age", "city=Bonn", "city=Ulm", "scores[0]", "scores[1]", "member", "age_missing"),
    )
    assert pipeline.expected_columns == {
        "age": ("numeric", ()),
        "city": ("categorical", ()),
        "scores": ("numeric", (2,)),
        "member": ("numeric", ()),
    }
    shuffled = {name: features[name] for name in ("member", "scores", "city", "age")}
    np.testing.assert_array_equal(
        pipeline.inputs(samples_of({**shuffled, "other": texts(*"abcd")})), inputs
    )


@pytest.mark.parametrize(
    ("column", "shape", "dtype"),
    [
        (np.zeros((3, 8, 8, 1), np.uint8), (3, 8, 8, 1), np.uint8),
        (np.zeros((3, 5), np.int64), (3, 5), np.int64),
        (np.zeros((3, 5)), (3, 5), np.float32),
        (np.zeros((3, 5), np.float16), (3, 5), np.float32),
        (np.zeros(3), (3, 1), np.float32),
        (np.zeros(3, bool), (3, 1), np.float32),
    ],
)
def test_a_single_column_keeps_its_shape_and_integers_their_dtype(
    column: Array, shape: tuple[int, ...], dtype: Any
) -> None:
    inputs = fit([], {"x": column}).inputs(samples_of({"x": column}))
    assert (inputs.shape, inputs.dtype) == (shape, dtype)


def test_what_needs_no_change_is_not_copied() -> None:
    features = {"x": np.random.default_rng(0).random((2000, 3000)).astype(np.float32)}
    assert fit([], features).inputs(samples_of(features)) is features["x"]


STEPS_IN_A_ROW: Named = [
    ("impute", {"strategy": "median"}),
    ("standardize", {"columns": ["age", "image"]}),
    ("ordinal", {}),
    ("flatten", {"columns": ["image"]}),
    ("pad_sequences", {"maxlen": 4}),
]


@pytest.mark.parametrize("size", [1, 200, 10_000])
def test_the_size_of_a_batch_changes_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    features = {
        "age": np.where(random.random(50) < 0.3, np.nan, random.random(50)),
        "rooms": random.integers(0, 9, 50),
        "image": random.random((50, 3, 2)),
        "city": texts(*random.choice(["a", "b"], 50)),
        "words": words(*(random.integers(0, 9, random.integers(0, 9)) for _ in range(50))),
    }
    targets = {"price": random.random(50)}
    whole = fit(STEPS_IN_A_ROW, features, targets)
    expected = whole.inputs(samples_of(features))
    monkeypatch.setattr(batches, "CHUNK_BYTES", size)
    parts = fit(STEPS_IN_A_ROW, features, targets)
    np.testing.assert_array_equal(parts.inputs(samples_of(features)), expected)
    assert repr(parts.to_state()) == repr(whole.to_state())


@pytest.mark.parametrize("size", [1, 10_000])
def test_errors_name_the_row_of_the_source(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CHUNK_BYTES", size)
    pipeline = fit([("log1p", {})], {"x": np.arange(9.0), "y": np.arange(9.0)})
    amounts = np.arange(9.0)
    amounts[7] = -2.5
    with pytest.raises(DataError, match=r"^log1p: column 'y' holds -2\.5 in row 107 \(counted"):
        pipeline.inputs(samples_of({"x": np.arange(9.0), "y": amounts}, first_row=100))


def test_a_batch_that_is_first_to_change_a_column_keeps_the_rows_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def filled(columns: Columns) -> Columns:
        gaps = np.isnan(columns["x"])
        return {"x": np.where(gaps, -1.0, columns["x"])} if gaps.any() else columns

    monkeypatch.setattr(batches, "CHUNK_BYTES", 16)
    column = np.array([0.0, 1, 2, 3, 4, np.nan, 6])
    made = batches.map_rows(filled, {"x": column}, 7)
    np.testing.assert_array_equal(made["x"], [0, 1, 2, 3, 4, -1, 6])


@pytest.mark.parametrize(
    ("steps", "column", "result_bytes"),
    [
        ([("multi_hot", {"num_tokens": 10_000})], words(*[[5, 7, 9_999]] * 400), 4_000_000),
        (
            [("reshape", {"target_shape": [784]}), ("rescale", {"scale": "1/255"})],
            np.ones((10_000, 28, 28), np.uint8),
            # The pictures that were given, and what each of the 256 bytes becomes.
            7_840_000 + 4 * 256,
        ),
    ],
)
def test_memory_holds_the_result_and_little_more(
    steps: Named, column: Array, result_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "CHUNK_BYTES", 2**17)
    features = {"x": column}
    tracemalloc.start()
    try:
        inputs = fit(steps, features).inputs(samples_of(features))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    arrays = inputs.arrays if isinstance(inputs, Encoded) else [inputs]
    assert sum(array.nbytes for array in arrays) == result_bytes
    assert peak < 1.25 * result_bytes


def test_large_columns_of_bytes_become_the_numbers_that_the_steps_make_of_them() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5_600, 28, 28), dtype=np.uint8)
    steps: list[Named] = [
        ("clip", {"max": 200}),
        ("rescale", {"scale": "1/127.5", "offset": -1}),
        ("reshape", {"target_shape": [28, 28, 1]}),
    ]
    inputs = fit(steps, {"x": pictures}).inputs(samples_of({"x": pictures}))
    assert isinstance(inputs, Encoded)
    expected = np.minimum(pictures, 200).astype(np.float64) * (1 / 127.5) - 1
    rows = np.array([5, 0, 5_599])
    assert inputs.shape == (5_600, 28, 28, 1)
    for made in (inputs[rows], inputs.take(rows)[:]):
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made[..., 0], expected[rows].astype(np.float32))
    on_device = inputs.expand(inputs.arrays, rows.astype(np.int32))
    np.testing.assert_array_equal(np.asarray(on_device), inputs[rows])


def test_text_targets_become_class_indices_without_being_asked() -> None:
    features, labels = {"x": np.arange(4.0)}, texts("owl", "cat", "dog", "cat")
    classes = {"animal": ("cat", "dog", "owl")}
    rows = samples_of(features, {"animal": labels})
    asked: list[Named] = [(), [("label_index", {})]]
    for target_steps in asked:
        pipeline = fit(
            [], features, {"animal": labels}, target_steps, task="multiclass", classes=classes
        )
        targets = pipeline.targets(rows)
        assert (targets.tolist(), targets.dtype) == ([2, 0, 1, 0], np.int32)
        assert pipeline.classes == classes
    vectors = fit(
        [], features, {"animal": labels}, [("one_hot", {})], task="multiclass", classes=classes
    ).targets(rows)
    np.testing.assert_array_equal(vectors, np.eye(3)[[2, 0, 1, 0]])
    given = fit(
        [], features, {"animal": labels}, [("label_index", {"classes": ["owl", "dog", "cat"]})],
        task="multiclass", classes=classes,
    )  # fmt: skip
    assert given.targets(rows).tolist() == [0, 2, 1, 2]
    assert given.classes == {"animal": ("owl", "dog", "cat")}


@pytest.mark.parametrize(
    ("targets", "task", "shape", "dtype"),
    [
        ({"y": np.array([1.5, 2, 3])}, "regression", (3,), np.float32),
        ({"y": np.array([1, 2, 3])}, "regression", (3,), np.float32),
        ({"y": np.ones((3, 2))}, "regression", (3, 2), np.float32),
        ({"y": np.ones(3), "z": np.ones((3, 2))}, "regression", (3, 3), np.float32),
        ({"y": np.array([0, 5, 2], np.uint8)}, "multiclass", (3,), np.int32),
        ({"y": np.array([0.0, 1.0, 1.0])}, "binary", (3,), np.int32),
        ({"y": np.array([False, True, True])}, "binary", (3,), np.int32),
        ({"a": np.array([0, 1, 1]), "b": np.array([1, 1, 0])}, "multilabel", (3, 2), np.float32),
    ],
)
def test_targets_have_the_form_that_keras_losses_take(
    targets: Columns, task: TargetType, shape: tuple[int, ...], dtype: Any
) -> None:
    features = {"x": np.arange(3.0)}
    made = fit([], features, targets, task=task).targets(samples_of(features, targets))
    assert (made.shape, made.dtype) == (shape, dtype)
    expected = np.column_stack(list(targets.values())).reshape(shape)
    np.testing.assert_array_equal(made, expected)


def test_standardized_targets_come_back_in_their_units() -> None:
    features = {"x": np.arange(50.0)}
    price = np.random.default_rng(0).normal(200.0, 30.0, 50)
    pipeline = fit([], features, {"price": price}, [("standardize", {})])
    targets = pipeline.targets(samples_of(features, {"price": price}))
    np.testing.assert_allclose(pipeline.invert(targets[:, np.newaxis])[:, 0], price, rtol=1e-6)

    both = {"price": price, "rent": price / 100}
    pipeline = fit([], features, both, [("standardize", {})])
    rows = samples_of(features, both)
    back = pipeline.invert(pipeline.targets(rows))
    np.testing.assert_allclose(back, np.column_stack([price, price / 100]), rtol=1e-6)
    assert pipeline.findings(rows) == []


def test_each_step_learns_from_what_the_steps_before_it_leave() -> None:
    amounts = np.random.default_rng(0).gamma(2.0, 50.0, (40, 2))
    amounts[3, 1] = np.nan
    steps = [("impute", {"strategy": "zero"}), ("log1p", {}), ("standardize", {})]
    found = fit(steps, {"x": amounts}).inputs(samples_of({"x": amounts}))
    logarithms = np.log1p(np.nan_to_num(amounts))
    expected = (logarithms - logarithms.mean(axis=0)) / logarithms.std(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_target_steps_are_undone_from_the_last_to_the_first() -> None:
    step = TARGET_STEPS.get("standardize")()
    states = ({"mean": 1.0, "std": 2.0}, {"mean": 30.0, "std": 0.5})
    steps = tuple(FittedStep(step, state) for state in states)
    pipeline = TargetPipeline("regression", {"y": FittedTarget(steps, 1, None)})
    target = np.array([3.0, 7.0])
    made = pipeline.apply(samples_of({}, {"y": target}))
    np.testing.assert_array_equal(made, [(1 - 30) / 0.5, (3 - 30) / 0.5])
    np.testing.assert_array_equal(pipeline.invert(made), target)


def test_columns_may_have_any_name() -> None:
    names = ("array", "value", "a/b", "", "ümlaut")
    features = {name: np.random.default_rng(0).random((9, 2)) for name in names}
    pipeline = fit([("standardize", {})], features)
    state, arrays = pipeline.to_state()
    read = Pipeline.from_state(json.loads(json.dumps(state)), arrays)
    rows = samples_of(features)
    np.testing.assert_array_equal(read.inputs(rows), pipeline.inputs(rows))


def test_findings_are_those_of_each_step_on_what_reaches_it() -> None:
    features = {"city": texts("a", "b", None), "age": np.array([1.0, np.nan, 0.0])}
    steps = [("impute", {"category": "a", "strategy": "zero"}), ("one_hot", {})]
    pipeline = fit(steps, features)
    rows = {"city": texts("c", None, "a"), "age": np.array([0.0, np.nan, 4.0])}
    found = pipeline.findings(samples_of(rows))
    assert [text.partition(" and ")[0] for text in found] == [
        "impute: column 'age' holds 0 as a value (1 of them),",
        "one_hot: column 'city' has 1 row with a category that is not among the 2 learnt (c); "
        "there it became all zeros",
    ]
    advice = "so that the model cannot tell them apart; use `mean` or `median`, or "
    assert advice in found[0]
    # The steps of a run are settled: of new rows only what they hold is said.
    settled = pipeline.findings(samples_of(rows), "new rows", settled=True)
    assert settled[0].startswith("new rows, impute: column 'age' holds 0 as a value (1 of them), ")
    assert settled[0].endswith("so that the model cannot tell them apart")
    assert pipeline.findings(samples_of({"city": texts("a"), "age": np.array([2.0])})) == []


def test_rows_to_predict_need_no_target_and_may_be_none() -> None:
    features = {"x": np.arange(4.0), "city": texts(*"abab")}
    pipeline = fit([("one_hot", {})], features, {"price": np.arange(4.0)})
    assert pipeline.inputs(samples_of({"x": np.ones(2), "city": texts("a", None)})).shape == (2, 3)
    assert pipeline.inputs(samples_of({"x": np.ones(0), "city": texts()})).shape == (0, 3)


def test_messages_for_stored_preprocessing_that_cannot_be_used() -> None:
    pipeline = fit([("standardize", {})], {"scores": np.ones((4, 2))})
    state, arrays = pipeline.to_state()
    head, standardize = state
    wrong: list[tuple[Any, Any, str]] = [
        ([], {}, "the stored preprocessing has the format None, expected 1; use the version of "),
        ([{"format": 2}], {}, "the stored preprocessing has the format 2, expected 1; use the "),
        (state, {}, "the stored preprocessing is damaged: KeyError("),
        ([{"format": 1}], {}, "the stored preprocessing is damaged: KeyError('columns')"),
        (
            [head, {**standardize, "step": "standardise"}],
            arrays,
            "the stored preprocessing cannot be rebuilt: unknown preprocessing step 'standardise'; "
            "did you mean 'standardize'?",
        ),
    ]
    for stored, with_arrays, message in wrong:
        with pytest.raises(DataError) as caught:
            Pipeline.from_state(stored, with_arrays)
        assert str(caught.value).startswith(message)
