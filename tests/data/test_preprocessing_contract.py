"""What every preprocessing step promises, whatever it does."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from dlrun.data.pipeline import Pipeline, fit_pipeline, from_plain, to_plain
from dlrun.data.samples import Array, Columns, Dataset, Samples, as_objects, kind_of
from dlrun.data.step import State, Step, TargetStep
from dlrun.metrics.names import TargetType
from dlrun.registry.families import STEPS, TARGET_STEPS

ROWS = 60
TRAIN = np.arange(0, ROWS, 2)
HELD_OUT = np.arange(1, ROWS, 2)

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "clip": [{"min": 1.0, "max": 30.0}, {"max": 0.5, "columns": ["age", "image"]}],
    "flatten": [{}],
    "impute": [
        {},
        {"strategy": "zero"},
        {"strategy": "median", "category": "nowhere"},
        {"strategy": "most_frequent", "indicator": True},
    ],
    "log1p": [{}],
    "minmax": [{}, {"feature_range": [-1.0, 1.0], "axis": -1, "columns": ["scores", "image"]}],
    "multi_hot": [{"num_tokens": 200}, {"out_of_range": "ignore"}],
    "one_hot": [{}, {"max_categories": 2, "columns": ["city", "rooms"]}],
    "ordinal": [{}, {"max_categories": 2, "columns": ["city", "rooms"]}],
    "pad_sequences": [{}, {"maxlen": 3, "padding": "post", "truncating": "post", "value": 7}],
    "rescale": [{"scale": "1/255"}, {"scale": 2.0, "offset": -1.0, "columns": ["image"]}],
    "reshape": [{"target_shape": [-1, 2], "columns": ["image", "scores"]}],
    "standardize": [{}, {"axis": [], "columns": ["scores"]}, {"axis": 2, "columns": ["image"]}],
    "text": [
        {},
        {"tokens": "characters", "ngrams": 2, "length": 3, "padding": "post", "reverse": True},
        {"output": "multi_hot", "vocabulary": 3},
        {"output": "count", "columns": ["city"]},
        {"output": "tf_idf", "tokens": "characters"},
        {"output": "hashing", "vocabulary": 16},
    ],
}
TARGET_EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "label_index": [{}, {"classes": ["cat", "dog", "owl"]}],
    "one_hot": [{}, {"num_classes": 5}],
    "pad_sequences": [{}, {"maxlen": 3, "padding": "post", "vocabulary": 4}],
    "standardize": [{}],
    "log1p": [{}],
    "minmax": [{}, {"feature_range": [-1.0, 1.0]}],
}


def members(family: Any, examples: dict[str, list[dict[str, Any]]]) -> list[Any]:
    return [
        pytest.param(family.get(name).model_validate(options), id=f"{name}-{number}")
        for name in family.names()
        for number, options in enumerate(examples.get(name, []))
    ]


every_step = pytest.mark.parametrize("step", members(STEPS, EXAMPLES))
every_target_step = pytest.mark.parametrize("step", members(TARGET_STEPS, TARGET_EXAMPLES))


def make_features(rows: int = ROWS) -> Columns:
    random = np.random.default_rng(7)
    words, city = np.empty(rows, object), np.empty(rows, object)
    for row in range(rows):
        words[row] = random.integers(0, 50, size=random.integers(0, 8))
        city[row] = random.choice(["Bonn", "Köln", "Ulm", None], p=[0.5, 0.2, 0.2, 0.1])
    age = random.gamma(2.0, 20.0, rows)
    age[random.random(rows) < 0.2] = np.nan
    scores = random.random((rows, 4)).astype(np.float32)
    scores[random.random((rows, 4)) < 0.1] = np.nan
    return {
        "age": age,
        "rooms": random.integers(1, 6, rows),
        "city": city,
        "scores": scores,
        "image": random.integers(0, 256, (rows, 4, 3)).astype(np.uint8),
        "words": words,
    }


def make_target(step: TargetStep) -> Array:
    random = np.random.default_rng(8)
    name = type(step).__name__
    if name == "PadSequencesTarget":
        tags = random.choice(["N", "V", "D"], (ROWS, 5)).tolist()
        return as_objects([tuple(row[: 1 + place % 5]) for place, row in enumerate(tags)])
    if name == "LabelIndex":
        return np.array(random.choice(["cat", "dog", "owl"], ROWS).tolist(), object)
    if name == "OneHotTarget":
        return random.integers(0, 4, ROWS)
    quantities = random.normal(22.0, 9.0, (ROWS, 2))
    return np.abs(quantities) if name == "Log1pTarget" else quantities


def corrupted(column: Array) -> Array:
    """The column with nonsense in its held-out rows."""
    column = column.copy()
    if column.dtype != object:
        column[HELD_OUT] = np.inf if column.dtype.kind == "f" else 250
    for row in HELD_OUT if column.dtype == object else []:
        column[row] = "nonsense" if kind_of(column) == "categorical" else np.array([10**6])
    return column


def take(columns: Columns, rows: Array) -> Columns:
    return {name: column[rows] for name, column in columns.items()}


def frozen(columns: Columns) -> Columns:
    """Copies that raise an error when they are written to."""
    copies = {name: column.copy() for name, column in columns.items()}
    for column in copies.values():
        column.flags.writeable = False
    return copies


def as_bytes(column: Array) -> tuple[Any, ...]:
    """Everything that makes a column what it is; equal only where that is bit-identical."""
    if column.dtype != object:
        return column.dtype.str, column.shape, np.ascontiguousarray(column).tobytes()
    return "object", column.shape, [value if value is None else str(value) for value in column]


def assert_same(found: Columns, expected: Columns) -> None:
    assert list(found) == list(expected)
    for name, column in expected.items():
        assert as_bytes(found[name]) == as_bytes(column), name


def through_files(plain: Any, arrays: dict[str, Array]) -> tuple[Any, dict[str, Array]]:
    """What comes back from a JSON file and an npz file, without pickle."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return json.loads(json.dumps(plain, allow_nan=False)), dict(stored)


def stored_and_read(state: State) -> State:
    arrays: dict[str, Array] = {}
    plain = to_plain(state, arrays)
    return from_plain(*through_files(plain, arrays))


def closing_steps(columns: Columns) -> list[Step]:
    """Steps that bring what other steps left into a form that one input takes."""
    kinds = {name: kind_of(column) for name, column in columns.items()}
    steps = []
    for member, kind in (("ordinal", "categorical"), ("pad_sequences", "sequences")):
        named = [name for name in kinds if kinds[name] == kind]
        steps += [STEPS.get(member).model_validate({"columns": named})] if named else []
    return [*steps, STEPS.get("flatten")()]


def dataset_of(features: Columns, targets: Columns, task: TargetType = "regression") -> Dataset:
    samples = Samples(features, targets, np.arange(ROWS))
    return Dataset(samples, task, {}, has_test=False, test_rows=None, description="rows")


def test_every_member_has_an_example() -> None:
    assert set(EXAMPLES) == set(STEPS.names())
    assert set(TARGET_EXAMPLES) == set(TARGET_STEPS.names())


@every_step
def test_held_out_rows_do_not_reach_what_is_learnt(step: Step) -> None:
    def learnt(features: Columns) -> Any:
        dataset = dataset_of(features, {"price": np.ones(ROWS)})
        state = step.fit(take(features, TRAIN))
        steps = [step, *closing_steps(step.apply(take(features, TRAIN), state))]
        plain, arrays = fit_pipeline(steps, [], dataset, dataset.samples.take(TRAIN)).to_state()
        return plain, {name: array.tobytes() for name, array in arrays.items()}

    features = make_features()
    broken = {name: corrupted(column) for name, column in features.items()}
    assert learnt(broken) == learnt(features)


@every_step
def test_each_row_is_treated_by_itself(step: Step) -> None:
    features = make_features()
    state = step.fit(features)
    whole = step.apply(features, state)
    assert {len(column) for column in whole.values()} == {ROWS}
    for rows in (np.random.default_rng(0).permutation(ROWS)[:17], np.array([41]), np.arange(0)):
        assert_same(step.apply(take(features, rows), state), take(whole, rows))


@every_step
def test_state_comes_back_from_files_bit_for_bit(step: Step) -> None:
    features = make_features()
    state = step.fit(take(features, TRAIN))
    rows = take(features, TRAIN)
    assert_same(step.apply(rows, stored_and_read(state)), step.apply(rows, state))
    again = type(step).model_validate(json.loads(json.dumps(step.model_dump())))
    assert_same(again.apply(rows, state), step.apply(rows, state))


@every_step
def test_nothing_that_is_given_is_changed(step: Step) -> None:
    features = make_features()
    given = frozen(features)
    state = step.fit(given)
    before = json.dumps(to_plain(state, {}))
    step.apply(given, state)
    step.findings(given, state)
    assert_same(given, features)
    assert json.dumps(to_plain(state, {})) == before


@every_step
def test_other_columns_are_passed_on(step: Step) -> None:
    features = make_features()
    state = step.fit(features)
    made = step.apply(features, state)
    for name in set(features) - set(state["columns"]):
        assert made[name] is features[name]


@every_step
def test_names_stand_for_the_entries_that_are_made(step: Step) -> None:
    features = make_features()
    state = step.fit(features)
    for name, column in step.apply(features, state).items():
        entries = step.entry_names(name, state)
        assert entries is None or len(entries) == column.shape[1]


@pytest.mark.parametrize("name", STEPS.names())
def test_columns_stand_bare_only_where_nothing_else_can(name: str) -> None:
    member = STEPS.get(name)
    own = [option for option in member.model_fields if option != "columns"]
    assert member.first_option() == (own[0] if own else "columns")


@every_target_step
def test_held_out_targets_do_not_reach_what_is_learnt(step: TargetStep) -> None:
    def learnt(target: Array) -> Any:
        task: TargetType = "regression" if type(step).__name__ == "Standardize" else "multiclass"
        dataset = dataset_of({"x": np.ones(ROWS)}, {"y": target}, task)
        plain, arrays = fit_pipeline([], [step], dataset, dataset.samples.take(TRAIN)).to_state()
        return plain, {name: array.tobytes() for name, array in arrays.items()}

    target = make_target(step)
    assert learnt(corrupted(target)) == learnt(target)


@every_target_step
def test_each_target_row_is_treated_by_itself(step: TargetStep) -> None:
    target = make_target(step)
    state = step.fit(target, None)
    whole = step.apply(target, state)
    for rows in (np.random.default_rng(0).permutation(ROWS)[:17], np.array([41]), np.arange(0)):
        assert as_bytes(step.apply(target[rows], state)) == as_bytes(whole[rows])


@every_target_step
def test_target_state_comes_back_and_nothing_is_changed(step: TargetStep) -> None:
    target = make_target(step)
    given = frozen({"y": target})["y"]
    state = step.fit(given, None)
    read = stored_and_read(state)
    made = step.apply(given, state)
    assert as_bytes(step.apply(given, read)) == as_bytes(made)
    restored = step.restore(made, step.numbers(state), np)
    assert as_bytes(step.restore(made, step.numbers(read), np)) == as_bytes(restored)
    if step.changes_unit:
        np.testing.assert_allclose(restored, target, rtol=1e-5, atol=1e-6)
    assert as_bytes(given) == as_bytes(target)


def test_a_whole_pipeline_comes_back_from_files_bit_for_bit() -> None:
    steps = [
        STEPS.get(name).model_validate(options)
        for name, options in (
            ("impute", {"strategy": "median", "indicator": True}),
            ("standardize", {"columns": ["age", "scores"]}),
            ("rescale", {"scale": "1/255", "columns": ["image"]}),
            ("flatten", {"columns": ["image"]}),
            ("one_hot", {}),
            ("multi_hot", {"num_tokens": 50}),
        )
    ]
    features = make_features()
    targets = {"price": np.linspace(1.0, 9.0, ROWS), "rent": np.linspace(-1.0, 5.0, ROWS)}
    dataset = dataset_of(features, targets)
    standardize = TARGET_STEPS.get("standardize")()
    fitted = fit_pipeline(steps, [standardize], dataset, dataset.samples.take(TRAIN))
    read = Pipeline.from_state(*through_files(*fitted.to_state()))
    held_out = dataset.samples.take(HELD_OUT)
    assert as_bytes(read.inputs(held_out)) == as_bytes(fitted.inputs(held_out))
    assert as_bytes(read.targets(held_out)) == as_bytes(fitted.targets(held_out))
    predictions = fitted.targets(held_out)
    assert as_bytes(read.invert(predictions)) == as_bytes(fitted.invert(predictions))
    assert read.findings(held_out) == fitted.findings(held_out)
    assert read.feature_names == fitted.feature_names
    assert dict(read.expected_columns) == dict(fitted.expected_columns)
    assert read.classes == fitted.classes
