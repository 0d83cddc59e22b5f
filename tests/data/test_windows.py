"""Windows over a series: what they hold, how they are dealt, what preprocessing learns of them."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from weather_table import ROWS, load, source, weather, windows_in

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.encoded import Encoded
from dlrun.data.fingerprint import describe, fingerprint
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.reading.series import naive_series_forecasts
from dlrun.data.samples import Dataset, Samples
from dlrun.data.task import Asked
from dlrun.data.windows import Series, Windows
from dlrun.errors import DataError
from dlrun.protocols.experiment import row_info_of
from dlrun.protocols.protocol import Protocol
from dlrun.registry.families import PROTOCOLS, STEPS

TABLE = np.random.default_rng(3).normal(size=(40, 3)).astype(np.float32)


@given(st.integers(1, 5), st.integers(1, 4), st.data())
def test_any_windows_are_those_cut_out_by_hand(length: int, step: int, data: st.DataObject) -> None:
    span = (length - 1) * step + 1
    starts = np.sort(data.draw(st.lists(st.integers(0, 40 - span), min_size=1, max_size=9)))
    series = Series(TABLE, ("a", "b", "c"), np.arange(40))
    windows = Windows(series, starts.astype(np.int64), length, step)
    dense = np.stack([TABLE[s : s + span : step] for s in starts])
    places = st.lists(st.integers(-len(starts), len(starts) - 1))
    some = np.array(data.draw(places), dtype=np.int64)
    for column in (windows, Encoded((windows,))):
        for rows in (some, slice(1, None), slice(None, None, 2), slice(0)):
            np.testing.assert_array_equal(column[rows], dense[rows])
            np.testing.assert_array_equal(column.take(rows)[:], dense[rows])
        assert (column.shape, column.ndim, column.dtype) == (dense.shape, 3, dense.dtype)
    touched = {row for s in starts for row in range(s, s + span)}
    assert windows.covered().tolist() == sorted(touched)
    np.testing.assert_array_equal(windows.last_values(), dense[:, -1])
    part = windows.take(slice(1, None))
    assert len(part.series) <= len(series)
    np.testing.assert_array_equal(part.places, windows.places[1:])


def test_windows_targets_and_baselines_are_those_of_a_loop(tmp_path: Path) -> None:
    frame = weather()
    dataset = load(tmp_path, frame, steps_ahead=2, target=["heat", "wind"], season=24)
    heat, wind = frame["heat"].to_numpy(), frame["wind"].to_numpy()
    samples = dataset.samples
    expected: dict[str, list[Any]] = {"x": [], "heat": [], "wind": [], "last": [], "season": []}
    for now in range(9, ROWS - 7):
        expected["x"].append(np.stack([heat, wind], axis=1)[now - 9 : now + 1 : 3])
        expected["heat"].append([heat[now + 4], heat[now + 7]])
        expected["wind"].append([wind[now + 4], wind[now + 7]])
        expected["last"].append([heat[now], heat[now], wind[now], wind[now]])
        places = [now + 4 - 24, now + 7 - 24]
        known = [(c, p) for c in (heat, wind) for p in places]
        expected["season"].append([c[p] if p >= 0 else np.nan for c, p in known])
    np.testing.assert_array_equal(samples.rows, np.arange(9, ROWS - 7))
    np.testing.assert_array_equal(
        windows_in(samples)[:], np.asarray(expected["x"]).astype(np.float32)
    )
    np.testing.assert_array_equal(samples.targets["heat"], expected["heat"])
    np.testing.assert_array_equal(samples.targets["wind"], expected["wind"])
    np.testing.assert_array_equal(samples.naive_forecasts["persistence"], expected["last"])
    np.testing.assert_array_equal(samples.naive_forecasts["seasonal"], expected["season"])
    assert samples.output_names == ("heat_0", "heat_1", "wind_0", "wind_1")
    assert dataset.task == "regression"


def test_each_of_several_outputs_has_the_baselines_of_its_own_target(tmp_path: Path) -> None:
    frame = weather()
    given = source(tmp_path, frame, steps_ahead=2, target=["heat", "wind"], season=24)
    # Outputs need not stand in the order of the targets.
    outputs = {"wind": Asked(True), "heat": Asked(True)}
    several = load_dataset(given, tmp_path, 0, regression=True, outputs=outputs)
    for name in outputs:
        alone = load(tmp_path, frame, steps_ahead=2, target=name, season=24).samples.naive_forecasts
        for samples in (several.samples.of_target(name), several.of_output(name).samples):
            assert set(samples.naive_forecasts) == {"persistence", "seasonal"}
            for rule, said in samples.naive_forecasts.items():
                np.testing.assert_array_equal(said, alone[rule])


def test_a_season_is_a_day_and_is_left_out_where_it_says_what_persistence_says(
    tmp_path: Path,
) -> None:
    assert set(load(tmp_path).samples.naive_forecasts) == {"persistence", "seasonal"}
    assert set(load(tmp_path, delay=24).samples.naive_forecasts) == {"persistence"}
    weekly = source(tmp_path, weather().assign(when=pd.date_range("2020-01-01", periods=ROWS)))
    assert weekly.pinned(tmp_path).season == 7


@pytest.mark.parametrize(
    ("every", "season"),
    [("10min", 144), ("8h", 3), ("3601s", 24), ("7h", None), ("50min", None), ("36h", None)],
)
def test_only_steps_that_make_a_day_have_a_season(
    every: str, season: int | None, tmp_path: Path
) -> None:
    times = pd.date_range("2024-03-01", periods=ROWS, freq=every)
    told = source(tmp_path, weather().assign(when=times)).pinned(tmp_path)
    assert told.season == season


@pytest.mark.parametrize(
    ("freq", "season"),
    [("MS", 12), ("ME", 12), ("QS", 4), ("W", 52), ("B", 5), ("D", 7), ("h", 24), ("YS", None)],
)
def test_the_season_of_calendars_and_what_pandas_shifts_by_it(
    freq: str, season: int | None, tmp_path: Path
) -> None:
    frame = weather().assign(when=pd.date_range("1950-01-01", periods=ROWS, freq=freq))
    assert source(tmp_path, frame, gaps="ignore").pinned(tmp_path).season == season
    samples = load(tmp_path, frame, gaps="ignore", delay=1).samples
    if season is None:
        assert set(samples.naive_forecasts) == {"persistence"}
        return
    # The target is the row after that of the window's last one.
    expected = frame["heat"].shift(season).to_numpy()[samples.rows + 1]
    np.testing.assert_allclose(samples.naive_forecasts["seasonal"][:, 0], expected)


PROTOCOL_OPTIONS = (
    ("holdout", {"validation": 0.3}),
    ("repeated_holdout", {"repeats": 2}),
    ("time_series", {"folds": 3}),
    ("time_series", {"folds": 2, "validation": 0.2, "gap": 3}),
)


@settings(max_examples=8)
@given(
    protocol=st.sampled_from(PROTOCOL_OPTIONS),
    lookback=st.integers(1, 20),
    delay=st.integers(1, 10),
    ahead=st.integers(1, 4),
    stride=st.integers(1, 3),
    step=st.integers(1, 5),
    gap=st.integers(0, ROWS - 1),
)
def test_no_row_is_touched_by_two_sides(
    tmp_path_factory: pytest.TempPathFactory,
    protocol: tuple[str, dict[str, Any]],
    lookback: int,
    delay: int,
    ahead: int,
    stride: int,
    step: int,
    gap: int,
) -> None:
    folder = tmp_path_factory.mktemp("series")
    name, options = protocol
    frame = weather()
    dates = pd.date_range("2024-03-01", periods=ROWS, freq="h").to_series()
    dates.iloc[gap:] += pd.Timedelta(days=3)
    frame["when"] = dates.to_numpy()
    given_source = source(
        folder,
        frame,
        lookback=lookback,
        step=min(step, lookback),
        delay=delay,
        steps_ahead=ahead,
        stride=stride,
        test={"fraction": 0.2},
    )

    def touched(samples: Samples) -> set[int]:
        windows, rows = windows_in(samples), set[int]()
        for now in samples.rows.tolist():
            rows |= set(range(now - windows.span + 1, now + 1))
            rows |= set(range(now + delay, now + windows.horizon + 1))
        return rows

    try:
        dataset = load_dataset(given_source, folder, 0, regression=True)
        dealt = cast("Protocol", PROTOCOLS.get(name).model_validate(options))
        folds = dealt.split(row_info_of(dataset, dealt, 0), monitors_validation=True)
    except DataError:
        reject()
    test = load_test(given_source, folder, 0, regression=True)
    assert touched(test).isdisjoint(touched(dataset.samples))
    for fold in folds:
        sides = [fold.train, fold.scored]
        sides += [] if fold.monitors_scored_rows else [fold.monitored]
        rows = [touched(dataset.samples.take(side)) for side in sides if side is not None]
        assert all(one.isdisjoint(other) for one, other in itertools.combinations(rows, 2))
        assert max(rows[0]) < min(rows[1])


LEARNING: list[tuple[str, dict[str, Any]]] = [
    ("standardize", {}),
    ("minmax", {"columns": ["wind"]}),
    ("impute", {"strategy": "median"}),
    ("impute", {"strategy": "most_frequent", "indicator": True}),
    ("clip", {"min": 0.0, "max": 12.0}),
    ("log1p", {"columns": ["wind"]}),
    ("rescale", {"scale": 0.5}),
]


@pytest.mark.parametrize(("name", "options"), LEARNING, ids=lambda v: str(v))
def test_held_out_stretches_do_not_reach_what_is_learnt(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    frame = weather()
    frame.loc[[20, 60], "wind"] = np.nan
    dataset = load(tmp_path, frame)
    protocol = PROTOCOLS.get("holdout").model_validate({"validation": 0.25})
    fold = protocol.split(row_info_of(dataset, protocol, 0), monitors_validation=False)[0]
    first = int(dataset.samples.rows[fold.scored[0]]) - 9
    last = int(dataset.samples.rows[fold.train[-1]]) + 4
    assert last == first - 1, "the stretches meet, and share no row"
    broken = frame.copy()
    broken.loc[first:, ["heat", "wind"]] = -7777.0
    steps = [STEPS.get(name).model_validate(options)]
    if name != "impute":
        steps.insert(0, STEPS.get("impute")())

    def learnt(table: pd.DataFrame) -> Any:
        rows = load(tmp_path, table)
        train = rows.samples.take(fold.train)
        pipeline = fit_pipeline(steps, [], rows, train)
        plain, arrays = pipeline.to_state()
        made = cast("Encoded", pipeline.inputs(train))
        return plain, {key: a.tobytes() for key, a in arrays.items()}, made[:].tobytes()

    assert learnt(frame) == learnt(broken)


@pytest.mark.parametrize(
    ("step", "scaler"), [("standardize", StandardScaler()), ("minmax", MinMaxScaler())]
)
def test_each_row_of_the_stretch_counts_once(step: str, scaler: Any, tmp_path: Path) -> None:
    dataset = load(tmp_path, stride=2)
    train = dataset.samples.take(np.arange(50))
    pipeline = fit_pipeline([STEPS.get(step)()], [], dataset, train)
    # 50 windows of 10 rows, each beginning two rows after the one before.
    table = weather()[["heat", "wind"]].to_numpy()
    scaled = scaler.fit(table[: 2 * 49 + 10]).transform(table)
    expected = np.stack([scaled[s : s + 10 : 3] for s in range(0, 100, 2)])
    np.testing.assert_allclose(cast("Encoded", pipeline.inputs(train))[:], expected, atol=1e-5)
    again = Pipeline.from_state(*pipeline.to_state())
    later = dataset.samples.take(np.arange(60, 80))
    np.testing.assert_array_equal(
        cast("Encoded", again.inputs(later))[:], cast("Encoded", pipeline.inputs(later))[:]
    )
    assert again.feature_names == ("heat", "wind")


def test_a_fingerprint_tells_any_change_of_what_windows_hold(tmp_path: Path) -> None:
    frame = weather()
    whole = load(tmp_path, frame).samples
    marks = {fingerprint(whole)}
    for row, column in ((0, "heat"), (200, "wind"), (ROWS - 1, "heat")):
        changed = frame.copy()
        changed.loc[row, column] += 0.5
        marks.add(fingerprint(load(tmp_path, changed).samples))
    marks.add(fingerprint(whole.take(slice(1, None))))
    marks.add(fingerprint(load(tmp_path, frame, lookback=13).samples))
    assert len(marks) == 6
    assert fingerprint(load(tmp_path, frame).samples) in marks
    # What no window looks at does not count.
    changed = frame.copy()
    changed.loc[ROWS - 1, "wind"] += 1
    assert fingerprint(load(tmp_path, changed).samples) == fingerprint(whole)
    facts = describe(whole, {})["features"]["series"]
    assert facts == {"kind": "numeric", "dtype": "float32", "shape": [4, 2], "missing": 0}


def test_sealed_rows_are_not_held_beside_the_others(tmp_path: Path) -> None:
    frame = weather()
    held = load(tmp_path, frame, test={"fraction": 0.25})
    test = load_test(source(tmp_path, frame, test={"fraction": 0.25}), tmp_path, 0, regression=True)
    first = int(test.rows[0]) - 9
    assert windows_in(held.samples).series.numbers[-1] < first
    frame.loc[first:, ["heat", "wind"]] += 1000
    broken = load(tmp_path, frame, test={"fraction": 0.25})
    assert fingerprint(broken.samples) == fingerprint(held.samples)
    for name, reference in held.samples.naive_forecasts.items():
        np.testing.assert_array_equal(broken.samples.naive_forecasts[name], reference)


def test_new_rows_are_windows_up_to_the_last_row(tmp_path: Path) -> None:
    given_source = source(tmp_path).pinned(tmp_path)
    assert given_source.features == ["heat", "wind"]
    new = weather(30, seed=5).drop(columns="station")
    new.to_csv(tmp_path / "new.csv", index=False)
    columns = given_source.read_new_rows(tmp_path / "new.csv", {})
    windows = cast("Windows", columns["series"])
    table = new[["heat", "wind"]].to_numpy()
    np.testing.assert_allclose(
        windows[:], np.stack([table[s : s + 10 : 3] for s in range(21)]), rtol=1e-6
    )
    assert windows.series.numbers[windows.last].tolist() == list(range(9, 30))


def test_a_table_of_the_books_size_is_held_once() -> None:
    rows, quantities = 420_551, 14
    values = np.random.default_rng(0).normal(size=(rows, quantities)).astype(np.float32)
    names = tuple(f"q{i}" for i in range(quantities))
    starts = np.arange(rows - 858)
    windows = Windows(Series(values, names, np.arange(rows)), starts, 120, 6, 144, 144)
    last = windows.last
    samples = Samples(
        {"series": cast("Any", windows)}, {"q1": values[last + 144, 1].astype(np.float64)}, last
    )
    dataset = Dataset(samples, "regression", {}, False, None, "")
    tracemalloc.start()
    train = samples.take(np.arange(200_000))
    pipeline = fit_pipeline([STEPS.get("standardize")()], [], dataset, train)
    inputs = cast("Encoded", pipeline.inputs(train))
    batch = inputs[np.arange(128)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert inputs.shape == (200_000, 120, 14)
    assert batch.shape == (128, 120, 14)
    # The windows one by one would take 1.3 GB, the table takes 23 MB.
    assert peak < 100e6


@pytest.mark.parametrize("panel", [False, True])
def test_persistence_is_the_last_known_value(panel: bool) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=60)
    values[rng.random(60) < 0.5] = np.nan
    codes = np.repeat([0, 1, 2], 20)
    last, ahead = np.arange(4, 55), np.asarray([1, 2])
    known = naive_series_forecasts([values], last, ahead, None, None, codes if panel else None)
    frame = pd.Series(values)
    filled = frame.groupby(codes).ffill() if panel else frame.ffill()
    expected = filled.to_numpy()[last][:, None].repeat(2, axis=1)
    np.testing.assert_array_equal(known["persistence"], expected)
