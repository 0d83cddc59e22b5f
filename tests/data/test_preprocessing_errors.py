"""What a user reads who asks preprocessing for what cannot be done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Array, Columns, Dataset, Samples
from dlrun.errors import DataError
from dlrun.metrics.names import TargetType
from dlrun.registry.families import STEPS, TARGET_STEPS

NAN = np.nan


def objects(*values: Any) -> Array:
    column = np.empty(len(values), object)
    for position, value in enumerate(values):
        column[position] = value
    return column


CITY = objects("Ulm", "Bonn", None, "Ulm")
AGE = np.array([20.0, NAN, 60.0, 0.5])
ROOMS = np.array([3, 4, 5, 6])
WORDS = objects(np.array([1, 5]), np.array([2]), np.array([], int), np.array([9]))
IMAGE = np.zeros((4, 2, 3))


def fit(
    steps: dict[str, Any],
    features: Columns,
    target: Array | None = None,
    target_steps: dict[str, Any] | None = None,
    task: TargetType = "regression",
    extra: Columns | None = None,
) -> tuple[Pipeline, Samples]:
    count = len(next(iter(features.values())))
    targets = {"y": np.arange(count) if target is None else target, **(extra or {})}
    rows = Samples(features, targets, 10 + np.arange(count))
    dataset = Dataset(rows, task, {}, False, None, "rows")
    made = [STEPS.get(name).model_validate(options) for name, options in steps.items()]
    on_target = [
        TARGET_STEPS.get(name).model_validate(options)
        for name, options in (target_steps or {}).items()
    ]
    return fit_pipeline(made, on_target, dataset, rows), rows


def test_messages_for_options_that_make_no_sense() -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        (
            "rescale",
            {"scale": "1/0"},
            "expected a number, a fraction such as 1/255, or auto; found '1/0'",
        ),
        (
            "rescale",
            {"scale": "255"},
            "expected a number, a fraction such as 1/255, or auto; found '255'",
        ),
        ("minmax", {"feature_range": [1.0, 0.0]}, "expected the lower and the upper end, such as"),
        ("clip", {}, "give `min`, `max` or both"),
        ("clip", {"min": 2, "max": 1}, "`min` (2) is above `max` (1)"),
        ("reshape", {"target_shape": [-1, -1]}, "expected positive whole numbers, at most one of"),
        ("reshape", {"target_shape": [0]}, "expected positive whole numbers, at most one of"),
        ("impute", {"strategy": "average"}, "'zero', 'mean', 'median' or 'most_frequent'"),
        ("multi_hot", {"num_tokens": 0}, "greater than or equal to 1"),
        ("standardize", {"axes": 1}, "Extra inputs are not permitted"),
    ]
    for name, options, message in wrong:
        with pytest.raises(ValidationError) as caught:
            STEPS.get(name).model_validate(options)
        assert message in str(caught.value), name
    with pytest.raises(ValidationError, match="expected labels that are all different"):
        TARGET_STEPS.get("label_index").model_validate({"classes": ["a", "a"]})


FEATURE_ERRORS: list[tuple[dict[str, Any], Columns, str]] = [
    (
        {"standardize": {"columns": ["agee"]}},
        {"age": AGE, "rooms": ROOMS},
        "standardize: unknown column 'agee'; did you mean 'age'? The columns here are: age "
        "and rooms",
    ),
    (
        {"standardize": {"columns": []}},
        {"age": AGE},
        "standardize: `columns` is empty; name at least one, or leave it out",
    ),
    (
        {"standardize": {"columns": ["city"]}},
        {"age": AGE, "city": CITY},
        "standardize: column 'city' holds text, where numbers are needed; add `one_hot` or "
        "`ordinal` before it",
    ),
    (
        {"minmax": {"columns": ["words"]}},
        {"words": WORDS},
        "minmax: column 'words' holds sequences, where numbers are needed; add "
        "`multi_hot` or `pad_sequences` before it",
    ),
    (
        {"pad_sequences": {"columns": ["age"]}},
        {"age": AGE},
        "pad_sequences: column 'age' holds numbers, where sequences are needed; name other columns",
    ),
    (
        {"one_hot": {}},
        {"age": AGE, "words": WORDS},
        "one_hot: no column holds text; leave the step out, or put it where such columns still "
        "are. The columns here hold: 'age' numbers and 'words' sequences",
    ),
    (
        {"standardize": {"axis": 2}},
        {"scores": np.ones((4, 3))},
        "standardize: axis 2 does not fit column 'scores' of shape (n, 3); expected 1 or -1 "
        "(axis 0 is the rows)",
    ),
    (
        {"standardize": {"axis": 0}},
        {"image": IMAGE},
        "standardize: axis 0 does not fit column 'image' of shape (n, 2, 3); expected 1 to 2, or "
        "-1 to -2 (axis 0 is the rows)",
    ),
    (
        {"standardize": {}},
        {"age": np.array([NAN, NAN])},
        "standardize: column 'age' has no value in the training rows, so there is nothing to "
        "learn; leave the column out, or use `impute: zero` before it",
    ),
    (
        {"impute": {}},
        {"scores": np.array([[1.0, NAN], [2.0, NAN]])},
        "impute: column 'scores' has no value in the training rows (entry 1 of each row), so "
        "there is nothing to learn; leave the column out, or use `impute: zero` before it",
    ),
    (
        {"standardize": {}},
        {"age": np.array([1.0, NAN, np.inf])},
        "standardize: column 'age' holds an infinite value in row 12 (counted from 0); fix the "
        "data, or add `clip` before it",
    ),
    (
        {"standardize": {}},
        {"age": np.array([1.0, NAN, -1e300])},
        "standardize: column 'age' holds -1e+300 (too large to compute with) in row 12 (counted "
        "from 0); fix the data, or add `clip` before it",
    ),
    (
        {"impute": {"columns": ["city"], "strategy": "median"}},
        {"city": CITY},
        "impute: column 'city' holds text, where median needs numbers; use `most_frequent`, or "
        "give the `category` to fill in",
    ),
    (
        {"impute": {"strategy": "most_frequent"}},
        {"city": objects(None, None)},
        "impute: column 'city' has no value in the training rows, so there is nothing to learn; "
        "leave the column out, or give the `category` to fill in",
    ),
    (
        {"impute": {"indicator": True}},
        {"age": AGE, "age_missing": ROOMS},
        "impute: there is a column 'age_missing' already; rename it, or set `indicator: false`",
    ),
    (
        {"one_hot": {}},
        {"city": objects(None, None)},
        "one_hot: column 'city' has no value in the training rows; leave the column out",
    ),
    (
        {"ordinal": {"columns": ["age"]}},
        {"age": AGE},
        "ordinal: column 'age' holds 0.5 in row 13 (counted from 0); only text and whole numbers "
        "are categories",
    ),
    (
        {"one_hot": {"columns": ["image"]}},
        {"image": IMAGE},
        "one_hot: column 'image' of shape (n, 2, 3) holds more than one number a row, where one "
        "category is needed",
    ),
    (
        {"log1p": {}},
        {"scores": np.array([[1, 2], [3, -4]])},
        "log1p: column 'scores' holds -4 in row 11 (counted from 0); only values of at least 0 "
        "have a place here: add `clip: 0` before it, or name the columns to take",
    ),
    (
        {"reshape": {"target_shape": [4, 2]}},
        {"image": IMAGE},
        "reshape: column 'image' holds 6 values a row, which do not fill [4, 2]; to reshape the "
        "columns of a table together, use the layer `Reshape`",
    ),
    (
        {"multi_hot": {"num_tokens": 6}},
        {"words": WORDS},
        "multi_hot: column 'words' holds 9 in row 13 (counted from 0); expected 0 to 5: raise "
        "`num_tokens`, or set `out_of_range: ignore`",
    ),
    (
        {"multi_hot": {}},
        {"words": objects(np.array([0]), np.array([-1]))},
        "multi_hot: column 'words' holds -1 in row 11 (counted from 0); expected 0 to 0: raise "
        "`num_tokens`, or set `out_of_range: ignore`",
    ),
    (
        {"multi_hot": {"columns": ["age"]}},
        {"age": AGE},
        "multi_hot: column 'age' holds float64, where whole numbers are needed",
    ),
    (
        {"pad_sequences": {}},
        {"words": objects(np.array([1]), None)},
        "pad_sequences: column 'words' holds nothing in row 11 (counted from 0); expected a "
        "sequence of whole numbers",
    ),
    (
        {"pad_sequences": {}},
        {"words": objects(np.array([1]), np.array([0.5]))},
        "pad_sequences: column 'words' holds [0.5] in row 11 (counted from 0); expected a "
        "sequence of whole numbers",
    ),
    (
        {},
        {"age": ROOMS, "city": CITY},
        "column 'city' holds text; add `one_hot` or `ordinal` to `preprocess`",
    ),
    (
        {},
        {"words": WORDS},
        "column 'words' holds sequences; add `multi_hot` or `pad_sequences` to `preprocess`",
    ),
    (
        {},
        {"age": ROOMS, "image": IMAGE},
        "column 'image' has entries of shape (2, 3), which cannot be joined with the other "
        "columns in one input; add `flatten` to `preprocess`",
    ),
    (
        {"standardize": {}},
        {"age": AGE, "rooms": ROOMS, "scores": np.array([[1, NAN], [2, 3], [NAN, NAN], [0, 1]])},
        "column 'age' has 1 missing value, the first in row 11 (counted from 0); column 'scores' "
        "has 3 missing values, the first in row 10 (counted from 0); add `impute` to `preprocess`",
    ),
    (
        {},
        {"image": np.where(np.arange(24).reshape(4, 2, 3) == 17, NAN, 1.0)},
        "column 'image' has 1 missing value, the first in row 12 (counted from 0); add `impute` "
        "to `preprocess`",
    ),
    (
        {},
        {"age": np.array([1.0, 1e300]), "rooms": np.array([1, 2])},
        "column 'age' holds a value that is infinite, or too large for float32, in row 11 "
        "(counted from 0); fix the data, or add `clip` to `preprocess`",
    ),
]


@pytest.mark.parametrize(
    ("steps", "features", "message"), FEATURE_ERRORS, ids=range(len(FEATURE_ERRORS))
)
def test_messages_for_features(steps: dict[str, Any], features: Columns, message: str) -> None:
    def prepare() -> Array:
        pipeline, rows = fit(steps, features)
        return pipeline.inputs(rows)

    with pytest.raises(DataError) as caught:
        prepare()
    assert str(caught.value) == message


TARGET_ERRORS: list[tuple[dict[str, Any], TargetType, Array, Array, str]] = [
    (
        {"label_index": {}},
        "multiclass",
        objects("cat", "dog"),
        objects("cat", "wolf"),
        "target 'y': label_index found the label 'wolf' in row 11 (counted from 0); the classes "
        "are: cat and dog",
    ),
    (
        {},
        "multiclass",
        objects("cat", "dog"),
        objects(None, "cat"),
        "target 'y': label_index found no label in row 10 (counted from 0); the classes are: "
        "cat and dog",
    ),
    (
        {"label_index": {"classes": [1, 2]}},
        "binary",
        np.array([1, 2]),
        np.array([1, 3]),
        "target 'y': label_index found the label 3 in row 11 (counted from 0); the classes are: "
        "1 and 2",
    ),
    (
        {"one_hot": {}},
        "multiclass",
        np.array([0, 2]),
        np.array([0, 3]),
        "target 'y': one_hot found the label 3 in row 11 (counted from 0); expected 0 to 2: give "
        "`num_classes`, or put `label_index` before it",
    ),
    (
        {"one_hot": {}},
        "multiclass",
        np.array([0.0, 0.5]),
        np.array([0, 1]),
        "target 'y': one_hot found 0.5 in row 11 (counted from 0); class indices are whole numbers",
    ),
    (
        {"standardize": {}},
        "regression",
        np.array([0.5, 1e300]),
        np.array([0.5, 1.0]),
        "target 'y': standardize: the target holds 1e+300 (too large to compute with) in row 11 "
        "(counted from 0); fix the data",
    ),
    (
        {},
        "regression",
        np.array([0.5, 1.0]),
        np.array([0.5, 1e39]),
        "target 'y': a value is infinite or too large for float32 in row 11 (counted from 0); "
        "fix the data",
    ),
    (
        {"standardize": {}},
        "multiclass",
        objects("cat", "dog"),
        objects("cat", "dog"),
        "target 'y': standardize needs quantities, found classes; leave it out of `targets`",
    ),
    (
        {},
        "binary",
        np.array([-1, 1]),
        np.array([-1, 1]),
        "target 'y' holds the labels -1 and 1, where 0 and 1 are expected; add `targets: "
        "[label_index]` to `preprocess`",
    ),
    (
        {},
        "multiclass",
        np.array([-2, 0, 5]),
        np.array([0]),
        "target 'y' holds the labels -2, 0 and 5, where whole numbers from 0 are expected; add "
        "`targets: [label_index]` to `preprocess`",
    ),
    (
        {"standardize": {}},
        "multiclass",
        np.array([0, 1, 2]),
        np.array([0]),
        "target 'y' holds the labels -1.2247449159622192, 0.0 and 1.2247449159622192, where whole "
        "numbers from 0 are expected; `standardize` is for quantities: leave it out of `targets`",
    ),
]


@pytest.mark.parametrize(
    ("steps", "task", "train", "rows", "message"), TARGET_ERRORS, ids=range(len(TARGET_ERRORS))
)
def test_messages_for_targets(
    steps: dict[str, Any], task: TargetType, train: Array, rows: Array, message: str
) -> None:
    features = {"x": np.arange(len(train))}

    def prepare() -> Array:
        pipeline, _ = fit({}, features, train, steps, task)
        return pipeline.targets(Samples({}, {"y": rows}, 10 + np.arange(len(rows))))

    with pytest.raises(DataError) as caught:
        prepare()
    assert str(caught.value) == message


def test_several_targets_with_classes_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        fit({}, {"x": np.arange(2)}, objects("a", "b"), extra={"z": objects("c", "d")})
    assert str(caught.value) == (
        "target 'y' holds classes and is one of several targets (y and z), which one output cannot "
        "learn together; name one target"
    )


def test_messages_for_rows_that_are_unlike_the_training_rows() -> None:
    pipeline, _ = fit({"ordinal": {}}, {"age": ROOMS, "city": CITY, "image": np.zeros((4, 3))})
    good = {"age": ROOMS, "city": CITY, "image": np.zeros((4, 3))}
    wrong: list[tuple[Columns, str]] = [
        (
            {"Age": ROOMS, "city": CITY},
            "these rows have no column 'age', which the training rows have; did you mean 'Age'? "
            "The columns here are: Age and city",
        ),
        (
            {**good, "age": CITY},
            "column 'age' holds text in these rows, and numbers in the training rows",
        ),
        (
            {**good, "image": np.zeros((4, 5))},
            "column 'image' has entries of shape (5,) in these rows, and of shape (3,) in the "
            "training rows",
        ),
    ]
    for features, message in wrong:
        with pytest.raises(DataError) as caught:
            pipeline.inputs(Samples(features, {}, np.arange(4)))
        assert str(caught.value) == message
    with pytest.raises(DataError, match=r"^these rows have no target 'y'$"):
        pipeline.targets(Samples(good, {}, np.arange(4)))


def test_predictions_that_do_not_fit_the_targets() -> None:
    pipeline, _ = fit({}, {"x": ROOMS}, AGE, extra={"z": AGE})
    with pytest.raises(DataError) as caught:
        pipeline.invert(np.zeros((4, 3)))
    assert str(caught.value) == (
        "the model gives predictions of shape (4, 3), where the targets y and z need 2 columns"
    )
