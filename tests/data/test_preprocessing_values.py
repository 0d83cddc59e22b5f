"""What the steps compute, against scikit-learn and NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    LabelEncoder,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from dlrun.data.fitting import statistics
from dlrun.data.samples import Array, Columns
from dlrun.data.step import RowError
from dlrun.errors import DataError
from dlrun.registry.families import STEPS, TARGET_STEPS

tables = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(st.integers(2, 30), st.integers(1, 4)),
    elements=st.integers(-(10**6), 10**6).map(lambda value: value / 128),
)


def step(name: str, **options: Any) -> Any:
    return STEPS.get(name).model_validate(options)


def run(made: Any, train: Columns, rows: Columns | None = None) -> Columns:
    return made.apply(train if rows is None else rows, made.fit(train))


def texts(*values: str | None) -> Array:
    return np.array([*values, 0], dtype=object)[:-1]


@st.composite
def tables_with_gaps(draw: st.DrawFn) -> Array:
    """A table in which no column is all NaN."""
    table = draw(tables).copy()
    gaps = draw(hnp.arrays(bool, table.shape))
    gaps[draw(st.integers(0, len(table) - 1))] = False
    table[gaps] = np.nan
    return table


@given(tables_with_gaps())
def test_standardize_is_scikit_learns(table: Array) -> None:
    scaler = StandardScaler().fit(table.astype(np.float64))
    expected = scaler.transform(table.astype(np.float64))
    found = run(step("standardize"), {"x": table})["x"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert found.dtype == np.float32
    columns = {str(index): column for index, column in enumerate(table.T)}
    one_by_one = run(step("standardize"), columns)
    np.testing.assert_array_equal(np.column_stack(list(one_by_one.values())), found)


@given(tables_with_gaps(), st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (2.5, 10.0)]))
def test_minmax_is_scikit_learns(table: Array, ends: tuple[float, float]) -> None:
    table = table.astype(np.float64)
    rows = np.concatenate([table, table * 3 + 1])
    expected = MinMaxScaler(ends).fit(table).transform(rows)
    found = run(step("minmax", feature_range=list(ends)), {"x": table}, {"x": rows})["x"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@given(
    tables_with_gaps(), st.sampled_from(["mean", "median", "most_frequent", "zero"]), st.booleans()
)
def test_impute_is_scikit_learns(table: Array, strategy: str, indicator: bool) -> None:
    kind = (
        {"strategy": "constant", "fill_value": 0} if strategy == "zero" else {"strategy": strategy}
    )
    imputer = SimpleImputer(**kind, add_indicator=indicator).fit(table)
    rows = np.where(np.arange(table.shape[1]) % 2, table, np.nan).astype(table.dtype)
    names = [str(index) for index in range(table.shape[1])]
    made = run(
        step("impute", strategy=strategy, indicator=indicator),
        dict(zip(names, table.T, strict=True)),
        dict(zip(names, rows.T, strict=True)),
    )
    if indicator:
        flagged = [name for name in names if np.isnan(table[:, int(name)]).any()]
        assert sorted(set(made) - set(names)) == sorted(f"{name}_missing" for name in flagged)
        made = {name: made[name] for name in (*names, *(f"{name}_missing" for name in flagged))}
    found = np.column_stack(list(made.values()))
    np.testing.assert_allclose(found, imputer.transform(rows), rtol=1e-5, atol=1e-4)


cities = st.lists(st.sampled_from(["Bonn", "Köln", "Ulm", "Aachen", "b"]), min_size=1, max_size=30)


@given(cities, cities, st.booleans())
def test_one_hot_and_ordinal_are_scikit_learns(
    train: list[str], rows: list[str], numbers: bool
) -> None:
    code = {name: len(name) * 7 - 20 for name in ("Bonn", "Köln", "Ulm", "Aachen", "b")}
    columns = [
        {"city": np.array([code[name] for name in names]) if numbers else texts(*names)}
        for names in (train, rows)
    ]
    fitted, asked = (column["city"].reshape(-1, 1) for column in columns)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(fitted)
    one_hot = run(step("one_hot", columns=["city"]), *columns)["city"]
    np.testing.assert_array_equal(one_hot, encoder.transform(asked))
    ranks = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(fitted)
    ordinal = run(step("ordinal", columns=["city"]), *columns)["city"]
    np.testing.assert_array_equal(ordinal, ranks.transform(asked)[:, 0] + 1)
    assert (one_hot.dtype, ordinal.dtype) == (np.uint8, np.int32)


def test_missing_categories_are_zeros_and_are_counted_apart_from_unknown_ones() -> None:
    train = {"city": texts("Ulm", None, "Bonn", "Ulm")}
    rows = {"city": texts(None, "Paris", "Ulm", "Rome", "Paris")}
    one_hot = step("one_hot")
    state = one_hot.fit(train)
    np.testing.assert_array_equal(
        one_hot.apply(rows, state)["city"], [[0, 0], [0, 0], [0, 1], [0, 0], [0, 0]]
    )
    assert one_hot.entry_names("city", state) == ["city=Bonn", "city=Ulm"]
    assert one_hot.findings(rows, state) == [
        "one_hot: column 'city' has 3 rows with a category that is not among the 2 learnt "
        "(Paris and Rome); there it became all zeros",
        "one_hot: column 'city' has 1 row without a value; there it became all zeros",
    ]
    assert one_hot.findings({"city": texts("Bonn")}, state) == []


def test_missing_numbers_are_no_unknown_category() -> None:
    ordinal = step("ordinal", columns=["rooms"])
    state = ordinal.fit({"rooms": np.array([3.0, 4.0])})
    rows = {"rooms": np.array([np.nan, 4.0, 3.5])}
    assert ordinal.apply(rows, state)["rooms"].tolist() == [0, 2, 0]
    assert ordinal.findings(rows, state) == [
        "ordinal: column 'rooms' has 1 row with a category that is not among the 2 learnt (3.5); "
        "there it became 0",
        "ordinal: column 'rooms' has 1 row without a value; there it became 0",
    ]


def test_max_categories_keeps_the_most_frequent_ones() -> None:
    train = {"city": texts(*"cccbbbad"), "rooms": np.array([1.0, 9, 9, 4, 4, 4, np.nan, 2])}
    both = step("ordinal", max_categories=2, columns=["city", "rooms"])
    assert both.fit(train)["categories"] == {"city": ["b", "c"], "rooms": [4, 9]}
    np.testing.assert_array_equal(run(both, train)["city"], [2, 2, 2, 1, 1, 1, 0, 0])
    np.testing.assert_array_equal(run(both, train)["rooms"], [0, 2, 2, 1, 1, 1, 0, 0])


def test_text_is_imputed_by_the_most_frequent_or_a_given_category() -> None:
    train = {
        "city": texts("Ulm", None, "Bonn", "Bonn", "Ulm"),
        "age": np.array([1, 2, np.nan, 2, 5]),
    }
    most = run(step("impute", strategy="most_frequent", indicator=True), train)
    assert most["city"].tolist() == ["Ulm", "Bonn", "Bonn", "Bonn", "Ulm"]
    assert most["city_missing"].tolist() == [0, 1, 0, 0, 0]
    given_one = run(step("impute", category="nowhere"), train)
    assert given_one["city"].tolist() == ["Ulm", "nowhere", "Bonn", "Bonn", "Ulm"]
    assert given_one["age"].tolist() == [1, 2, 2.5, 2, 5]
    assert run(step("impute"), train)["city"].tolist() == train["city"].tolist()


def test_zero_for_missing_values_is_remarked_on_where_zero_has_a_meaning() -> None:
    features = {"age": np.array([0.0, np.nan, 3, 0]), "height": np.array([np.nan, 1.0, 2, 3])}
    zero = step("impute", strategy="zero")
    assert zero.findings(features, zero.fit(features)) == [
        "impute: column 'age' holds 0 as a value (2 of them), and its missing values (1) became 0 "
        "too, so that the model cannot tell them apart"
    ]
    flagged = step("impute", strategy="zero", indicator=True)
    assert flagged.findings(features, flagged.fit(features)) == []


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 127, 129, 1000, 8191, 8200, 30_001])
def test_columns_together_give_the_digits_of_each_by_itself(n: int) -> None:
    rng = np.random.default_rng(n)
    columns: Columns = {
        "a": rng.normal(3e5, 2.0, n),
        "b": rng.lognormal(0, 4, n).astype(np.float32),
        "c": rng.integers(-(10**9), 10**9, n),
        "d": rng.random(n) > 0.5,
        "e": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
        "f": np.full(n, 0.1),
    }
    columns["e"][0] = 1.5
    made = step("standardize")
    state = made.fit(columns)
    for name, column in columns.items():
        assert {key: state[key][name] for key in ("mean", "std")} == made.learn(name, column)
    assert list(state["mean"]) == list(columns)


def test_long_columns_are_read_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    columns: Columns = {"a": rng.normal(9, 2, 1000), "b": rng.lognormal(0, 4, 1000)}
    monkeypatch.setattr(statistics, "_BLOCK_BYTES", 8 * 300)
    made = step("standardize")
    state = made.fit(columns)
    for name, column in columns.items():
        assert {key: state[key][name] for key in ("mean", "std")} == made.learn(name, column)


@pytest.mark.parametrize("broken", [np.full(5, np.nan), np.array([1.0, 2.0, np.inf, 0.0, 1.0])])
def test_a_column_without_statistics_is_named_among_many(broken: Array) -> None:
    columns = {"a": np.arange(5.0), "b": broken, "c": np.ones(5)}
    with pytest.raises((DataError, RowError), match=r"column 'b' (holds|has)"):
        step("standardize").fit(columns)


@pytest.mark.parametrize("offset", [1e6, 1e9, 1e12])
def test_standardize_keeps_its_digits_far_from_zero(offset: float) -> None:
    spread = np.random.default_rng(0).normal(size=20_000)
    shifted = spread + offset
    exact = (shifted - offset - np.mean(shifted - offset)) / np.std(shifted - offset)
    np.testing.assert_allclose(run(step("standardize"), {"x": shifted})["x"], exact, atol=2e-4)


def test_mean_and_deviation_lose_nothing_over_many_rows() -> None:
    spread = np.random.default_rng(0).normal(size=(300_000, 2))
    values = spread + 1e12
    offsets = values - 1e12
    state = step("standardize").fit({"x": values})
    exact = [math.fsum(column) / len(values) for column in offsets.T]
    np.testing.assert_allclose(state["mean"]["x"] - 1e12, exact, atol=2e-4)
    np.testing.assert_allclose(state["std"]["x"], offsets.std(axis=0), rtol=1e-9)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, -3.0])
def test_a_column_without_spread_is_only_centred(value: float) -> None:
    column = np.full(1000, value)
    column[::7] = np.nextafter(value, 1e10)
    state = step("standardize").fit({"x": column})
    assert state["std"] == {"x": 1.0}
    np.testing.assert_allclose(run(step("standardize"), {"x": column})["x"], 0.0, atol=1e-6)
    np.testing.assert_allclose(run(step("minmax"), {"x": column})["x"], 0.0, atol=1e-6)


@settings(max_examples=30)
@given(st.data())
def test_axes_keep_their_own_statistics(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=2, max_side=5))
    values = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=shape)
    kept = data.draw(st.sets(st.integers(1, len(shape) - 1)))
    axes = tuple(axis for axis in range(len(shape)) if axis not in kept)
    expected = (values - values.mean(axes, keepdims=True)) / values.std(axes, keepdims=True)
    signed = [axis - len(shape) if axis % 2 else axis for axis in sorted(kept)]
    np.testing.assert_allclose(
        run(step("standardize", axis=signed), {"x": values})["x"], expected, atol=1e-5
    )
    low, high = values.min(axes, keepdims=True), values.max(axes, keepdims=True)
    np.testing.assert_allclose(
        run(step("minmax", axis=signed), {"x": values})["x"],
        (values - low) / (high - low),
        atol=1e-5,
    )


def test_an_array_of_more_axes_shares_one_statistic_by_default() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 6, 6)).astype(np.uint8)
    found = run(step("standardize"), {"x": image})["x"]
    np.testing.assert_allclose(found, (image - image.mean()) / image.std(), rtol=1e-5)


def test_statistics_do_not_depend_on_the_size_of_their_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(1e6, 1.0, (500, 3))
    values[values > 1e6 + 2] = np.nan
    monkeypatch.setattr(statistics, "_BLOCK_BYTES", 100)
    state = step("standardize").fit({"x": values})
    np.testing.assert_allclose(state["mean"]["x"], np.nanmean(values, axis=0), rtol=1e-14)
    np.testing.assert_allclose(state["std"]["x"], np.nanstd(values, axis=0), rtol=1e-9)
    low = step("minmax").fit({"x": values})["min"]["x"]
    np.testing.assert_array_equal(low, np.nanmin(values, axis=0))


@pytest.mark.parametrize("scale", ["1/255", 1 / 255])
def test_rescale_divides_bytes_as_the_book_does(scale: float | str) -> None:
    pixels = np.arange(256, dtype=np.uint8)
    found = run(step("rescale", scale=scale, offset=0), {"x": pixels})["x"]
    np.testing.assert_array_equal(found, pixels.astype("float32") / 255)
    assert run(step("rescale", scale=2, offset=-1), {"x": pixels})["x"][3] == 5.0


@given(tables_with_gaps())
def test_log1p_and_clip_are_numpys(table: Array) -> None:
    amounts = np.abs(table)
    np.testing.assert_array_equal(run(step("log1p"), {"x": amounts})["x"], np.log1p(amounts))
    np.testing.assert_array_equal(
        run(step("clip", min=-5, max=10.5), {"x": table})["x"],
        np.minimum(np.maximum(table, -5), np.float32(10.5)),
    )


@pytest.mark.parametrize(
    ("dtype", "options", "expected"),
    [
        (np.uint8, {"max": 100.0}, np.uint8),
        (np.uint8, {"max": 300.0}, np.float32),
        (np.int64, {"min": 0.5}, np.float64),
        (np.float32, {"min": 0.5}, np.float32),
        (bool, {"min": 0.0}, np.float32),
    ],
)
def test_clip_keeps_a_dtype_that_holds_its_ends(dtype: Any, options: Any, expected: Any) -> None:
    column = np.array([0, 1, 1, 0], dtype)
    made = run(step("clip", **options), {"x": column})["x"]
    assert made.dtype == expected
    low, high = options.get("min", -np.inf), options.get("max", np.inf)
    np.testing.assert_array_equal(made, np.minimum(np.maximum(column, low), high))


def test_flatten_and_reshape_keep_the_order_of_values() -> None:
    image = np.arange(48).reshape(2, 4, 3, 2)
    features = {"image": image, "age": np.arange(2.0)}
    flat = run(step("flatten"), features)
    np.testing.assert_array_equal(flat["image"], image.reshape(2, 24))
    np.testing.assert_array_equal(flat["age"], [[0.0], [1.0]])
    shaped = run(step("reshape", target_shape=[6, -1], columns=["image"]), features)
    np.testing.assert_array_equal(shaped["image"], image.reshape(2, 6, 4))


def test_multi_hot_marks_what_occurs() -> None:
    words = np.empty(4, object)
    words[:] = [np.array([1, 3, 3]), np.array([], int), np.array([4], np.uint8), [0]]
    made = run(step("multi_hot"), {"words": words})["words"]
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(
        made, [[0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]
    )
    some = step("multi_hot", num_tokens=3, out_of_range="ignore")
    state = some.fit({"words": words})
    np.testing.assert_array_equal(some.apply({"words": words}, state)["words"], made[:, :3])
    assert some.findings({"words": words}, state) == [
        "multi_hot: column 'words' has numbers that are not in 0 to 2 in 2 of 4 rows; they were "
        "left out"
    ]
    grid = {"grid": np.array([[0, 2], [1, 1]])}
    named = run(step("multi_hot", columns=["grid"]), grid)["grid"]
    np.testing.assert_array_equal(named, [[1, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (texts("owl", "cat", "owl", "dog"), None),
        (np.array([True, False, True]), None),
        (np.array([7, -1, 7, 30]), None),
        (texts("owl", "cat", "owl"), ("cat", "owl")),
    ],
)
def test_label_index_is_scikit_learns(labels: Array, classes: tuple[str, ...] | None) -> None:
    made = TARGET_STEPS.get("label_index")()
    state = made.fit(labels, classes)
    found = made.apply(labels, state)
    encoder = LabelEncoder().fit(labels)
    np.testing.assert_array_equal(found, encoder.transform(labels))
    assert state["names"] == [str(label).lower() for label in encoder.classes_]
    assert found.dtype == np.int32


def test_label_index_takes_a_given_order() -> None:
    made = TARGET_STEPS.get("label_index").model_validate({"classes": ["small", "big"]})
    labels = texts("big", "small", "big")
    assert made.apply(labels, made.fit(labels, ("big", "small"))).tolist() == [1, 0, 1]
    named = TARGET_STEPS.get("label_index")()
    state = named.fit(np.array([2, 0, 2]), ("setosa", "versicolor", "virginica"))
    assert named.apply(np.array([2, 0, 1]), state).tolist() == [2, 0, 1]
    assert state["names"] == ["setosa", "versicolor", "virginica"]


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 3)])
def test_a_standardized_target_comes_back_in_its_own_unit(shape: tuple[int, ...]) -> None:
    prices = np.random.default_rng(0).normal(1e5, 2e4, shape)
    made = TARGET_STEPS.get("standardize")()
    state = made.fit(prices, None)
    scaled = made.apply(prices, state)
    table = prices.reshape(50, -1)
    scaler = StandardScaler().fit(table)
    np.testing.assert_allclose(
        scaled.reshape(50, -1), scaler.transform(table), rtol=1e-5, atol=1e-6
    )
    restored = made.restore(scaled.astype(np.float64), made.numbers(state), np)
    np.testing.assert_allclose(restored, prices, rtol=1e-6)
    # Percentage errors are divided by it.
    zeros = made.apply(np.zeros(shape), state)
    in_fit = [np.float32(number) for number in made.numbers(state)]
    assert not made.restore(zeros, in_fit, np).any()


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 3)])
def test_a_target_in_a_range_is_that_of_scikit_learn(
    shape: tuple[int, ...], ends: tuple[float, float]
) -> None:
    prices = np.random.default_rng(0).normal(1e5, 2e4, shape)
    made = TARGET_STEPS.get("minmax").model_validate({"feature_range": list(ends)})
    state = made.fit(prices, None)
    scaled, table = made.apply(prices, state), prices.reshape(50, -1)
    scaler = MinMaxScaler(ends).fit(table)
    np.testing.assert_allclose(
        scaled.reshape(50, -1), scaler.transform(table), rtol=1e-5, atol=1e-6
    )
    restored = made.restore(scaled.astype(np.float64), made.numbers(state), np)
    np.testing.assert_allclose(restored, prices, rtol=1e-6)


def test_the_logarithm_of_a_target_and_its_way_back() -> None:
    incomes = np.random.default_rng(0).lognormal(10, 2, (50, 2))
    incomes[0] = 0
    made = TARGET_STEPS.get("log1p")()
    scaled = made.apply(incomes, made.fit(incomes, None))
    np.testing.assert_allclose(scaled, np.log1p(incomes), rtol=1e-6)
    restored = made.restore(scaled.astype(np.float64), [], np)
    np.testing.assert_allclose(restored, incomes, rtol=2e-6)
    assert not restored[0].any()
    assert np.isfinite(made.restore(np.float32(200), [], np))
    with pytest.raises(RowError, match="log1p: the target holds -3"):
        made.apply(np.array([1.0, -3.0]), {})
