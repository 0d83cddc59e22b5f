"""Several series in one table: their windows, baselines and splits, against pandas and NumPy."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.encoded import Encoded
from dlrun.data.fingerprint import fingerprint
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.data.sources.timeseries import Timeseries
from dlrun.data.windows import Windows
from dlrun.errors import DataError
from dlrun.protocols.experiment import row_info_of
from dlrun.protocols.protocol import Protocol
from dlrun.registry.families import PROTOCOLS, STEPS


def panel(lengths: dict[str, int], seed: int = 0, begins: tuple[int, ...] = ()) -> pd.DataFrame:
    """Daily sales, one series after another; series begin on the given days."""
    rng, parts = np.random.default_rng(seed), []
    for place, (shop, rows) in enumerate(lengths.items()):
        first = begins[place] if begins else 0
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows) + first, unit="D")
        sales = np.round(10.0 ** (place % 3 + 1) + rng.normal(size=rows), 2)
        weather = rng.choice(["rain", "sun", "snow"], rows)
        parts.append(pd.DataFrame({"day": days, "shop": shop, "sales": sales, "weather": weather}))
    return pd.concat(parts, ignore_index=True)


def source(folder: Path, table: pd.DataFrame, **options: Any) -> Timeseries:
    table.to_csv(folder / "shops.csv", index=False)
    given = {"path": "shops.csv", "target": "sales", "lookback": 4, "series": "shop"}
    return Timeseries.model_validate(given | options)


def load(folder: Path, table: pd.DataFrame, **options: Any) -> Dataset:
    return load_dataset(source(folder, table, **options), folder, 0, regression=True)


def windows_in(samples: Samples) -> Windows:
    return cast("Windows", samples.features["series"])


def interleaved(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["day", "shop"], kind="stable").reset_index(drop=True)


def shuffled(table: pd.DataFrame) -> pd.DataFrame:
    return table.sample(frac=1, random_state=1).reset_index(drop=True)


@pytest.mark.parametrize(
    ("order", "options"),
    [(lambda t: t, {}), (interleaved, {}), (shuffled, {"sort": True})],
    ids=["stacked", "interleaved", "shuffled"],
)
def test_windows_and_baselines_are_those_of_each_series(
    order: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    table = order(panel({"north": 40, "south": 31, "east": 35}, begins=(0, 3, 1)))
    samples = load(
        tmp_path, table, lookback=7, step=2, delay=3, steps_ahead=2, season=5, **options
    ).samples
    expected: dict[int, tuple[Any, ...]] = {}
    for shop, rows in table.groupby("shop"):
        rows = rows.sort_values("day")
        sales, numbers = rows["sales"].to_numpy(), rows.index.to_numpy()
        for now in range(6, len(rows) - 5):
            x = sales[now - 6 : now + 1 : 2].astype(np.float32)
            season = [sales[p] if p >= 0 else np.nan for p in (now + 3 - 5, now + 5 - 5)]
            targets = [sales[now + 3], sales[now + 5]]
            day = rows["day"].iloc[now + 3]
            expected[int(numbers[now])] = x, targets, [sales[now]] * 2, season, shop, day
    assert samples.rows.tolist() == sorted(expected)
    rows = [expected[row] for row in sorted(expected)]
    windows = windows_in(samples)
    np.testing.assert_array_equal(windows[:][:, :, 0], [row[0] for row in rows])
    np.testing.assert_array_equal(samples.targets["sales"], [row[1] for row in rows])
    np.testing.assert_array_equal(samples.naive_forecasts["persistence"], [row[2] for row in rows])
    np.testing.assert_array_equal(samples.naive_forecasts["seasonal"], [row[3] for row in rows])
    labels, times = windows.labels(), windows.target_times
    assert labels is not None
    assert times is not None
    assert labels.tolist() == [row[4] for row in rows]
    assert times[:, 0].tolist() == [row[5].value for row in rows]


PROTOCOL_OPTIONS = (
    ("holdout", {"validation": 0.3}),
    ("time_series", {"folds": 2}),
    ("holdout", {"validation": 0.25, "groups": "shop"}),
    ("kfold", {"folds": 2, "groups": "shop"}),
)


@settings(max_examples=6)
@given(
    protocol=st.sampled_from(PROTOCOL_OPTIONS),
    lengths=st.lists(st.tuples(st.integers(12, 60), st.integers(0, 8)), min_size=4, max_size=6),
    lookback=st.integers(1, 6),
    delay=st.integers(1, 3),
    ahead=st.integers(1, 2),
    stride=st.integers(1, 2),
    order=st.sampled_from(["stacked", "interleaved", "shuffled", "no times"]),
)
def test_no_row_is_on_two_sides_and_training_ends_first(
    tmp_path_factory: pytest.TempPathFactory,
    protocol: tuple[str, dict[str, Any]],
    lengths: list[tuple[int, int]],
    lookback: int,
    delay: int,
    ahead: int,
    stride: int,
    order: str,
) -> None:
    folder = tmp_path_factory.mktemp("panel")
    name, options = protocol
    table = panel(
        {f"s{i}": n for i, (n, _) in enumerate(lengths)}, begins=tuple(b for _, b in lengths)
    )
    if order != "stacked":
        table = {"interleaved": interleaved, "shuffled": shuffled}.get(order, lambda t: t)(table)
    day, shop = table["day"].to_numpy(), table["shop"].to_numpy()
    timed = order != "no times"
    given_source = source(
        folder,
        table if timed else table.drop(columns="day"),
        lookback=lookback,
        delay=delay,
        steps_ahead=ahead,
        stride=stride,
        sort=order == "shuffled",
        test={"fraction": 0.2},
    )
    groups = options.get("groups")
    place = table.groupby("shop")["day"].rank().to_numpy().astype(int) - 1
    at = {(s, p): i for i, (s, p) in enumerate(zip(shop, place, strict=True))}

    def touched(now: int) -> list[int]:
        """The table's rows that one window and its targets look at, of one series."""
        steps = [*range(1 - lookback, 1), *range(delay, delay + ahead)]
        return [at[shop[now], place[now] + step] for step in steps]

    try:
        dataset = load_dataset(given_source, folder, 0, regression=True, groups=groups)
        dealt = cast("Protocol", PROTOCOLS.get(name).model_validate(options))
        folds = dealt.split(row_info_of(dataset, dealt, 0), monitors_validation=True)
    except DataError:
        reject()
    test = load_test(given_source, folder, 0, regression=True, groups=groups).rows
    rows = dataset.samples.rows
    divisions = [(rows, test)]
    for fold in folds:
        assert fold.scored is not None
        divisions.append((rows[fold.train], rows[fold.scored]))
        if not fold.monitors_scored_rows and fold.monitored is not None:
            divisions.append((rows[fold.train], rows[fold.monitored]))
    for train, held_out in divisions:
        seen = {row for now in train.tolist() for row in touched(now)}
        hidden = {row for now in held_out.tolist() for row in touched(now)}
        assert seen.isdisjoint(hidden)
        if groups is not None:
            assert set(shop[train]).isdisjoint(shop[held_out])
        elif timed:
            assert day[list(seen)].max() < day[held_out].min()
            assert day[train].max() < day[held_out].min()
        else:
            for one in set(shop[train]) & set(shop[held_out]):
                assert (
                    place[train[shop[train] == one]].max()
                    < place[held_out[shop[held_out] == one]].min()
                )
    if groups is None and timed:
        every = len(
            load_dataset(
                given_source.model_copy(update={"test": None}), folder, 0, regression=True
            ).samples
        )
        assert 0 <= len(test) - ceil(0.2 * every) < len(lengths)


def test_several_columns_and_files_name_series(tmp_path: Path) -> None:
    table = panel({"a": 20, "b": 20}).assign(country="x")
    other = table.assign(country="y", sales=table["sales"] + 1)
    both = interleaved(pd.concat([table, other]))
    samples = load(tmp_path, both, series=["country", "shop"]).samples
    labels = windows_in(samples).labels()
    assert labels is not None
    assert set(labels) == {"x, a", "x, b", "y, a", "y, b"}
    assert len(samples) == 4 * 16
    for name, part in both.groupby("shop"):
        part[part["country"] == "x"].to_csv(tmp_path / f"{name}.csv", index=False)
    options = {"path": ["a.csv", "b.csv"], "target": "sales", "lookback": 4, "series": "file"}
    given_source = Timeseries.model_validate(options)
    of_files = load_dataset(given_source, tmp_path, 0, regression=True, groups="file").samples
    assert len(of_files) == 2 * 16
    assert set(of_files.extras["file"]) == {"a.csv", "b.csv"}


def test_files_that_are_series_are_advised(tmp_path: Path) -> None:
    table = panel({"a": 20, "b": 20}).drop(columns=["shop", "weather"])
    for name, rows in (("a", slice(0, 20)), ("b", slice(20, 40))):
        table.iloc[rows].to_csv(tmp_path / f"{name}.csv", index=False)
    options = {"path": ["a.csv", "b.csv"], "target": "sales", "lookback": 4}
    with pytest.raises(DataError, match="Write `series: file`"):
        load_dataset(Timeseries.model_validate(options), tmp_path, 0, regression=True)


def test_text_is_a_feature_and_a_target(tmp_path: Path) -> None:
    table = interleaved(panel({"north": 30, "south": 30}))
    given_source = source(
        tmp_path, table, features=["sales", "weather", "shop"], target="weather", delay=2
    ).pinned(tmp_path)
    assert given_source.types == {"weather": "categorical", "shop": "categorical"}
    dataset = load_dataset(given_source, tmp_path, 0, regression=False)
    assert dataset.task == "multiclass"
    assert dataset.classes == {"weather": ("rain", "snow", "sun")}
    samples = dataset.samples
    expected, classes = {}, {}
    for _, rows in table.groupby("shop"):
        made = pd.get_dummies(rows, columns=["weather"]).filter(like="weather_").to_numpy()
        north = (rows["shop"] == "north").to_numpy()[:, None]
        whole = np.hstack([rows[["sales"]].to_numpy(), made, north, ~north]).astype(np.float32)
        for now in range(3, len(rows) - 2):
            expected[rows.index[now]] = whole[now - 3 : now + 1]
            classes[rows.index[now]] = rows["weather"].iloc[now + 2]
    assert samples.targets["weather"].tolist() == [classes[row] for row in samples.rows]
    pipeline = fit_pipeline([STEPS.get("one_hot")()], [], dataset, samples)
    made = cast("Encoded", pipeline.inputs(samples))[:]
    np.testing.assert_array_equal(made, [expected[row] for row in samples.rows])
    assert pipeline.feature_names[1] == "weather=rain"
    again = Pipeline.from_state(*pipeline.to_state())
    new = table.tail(12).drop(columns="weather").assign(weather="sun")
    new.to_csv(tmp_path / "new.csv", index=False)
    read = given_source.read_new([tmp_path / "new.csv"], {})
    rows = Samples(read.columns, {}, np.arange(6))
    fresh = cast("Encoded", again.inputs(rows))[:]
    assert fresh.shape == (6, 4, 6)
    assert (fresh[:, :, 3] == 1).all()
    assert windows_in(rows).labels() is not None
    other = table.replace({"weather": {"sun": "fog"}})
    marks = {fingerprint(load(tmp_path, t, features=["weather"]).samples) for t in (table, other)}
    assert len(marks) == 2


def test_several_steps_ahead_of_a_class(tmp_path: Path) -> None:
    table = panel({"north": 30, "south": 30})
    given_source = source(tmp_path, table, target="weather", steps_ahead=2)
    dataset = load_dataset(given_source, tmp_path, 0, regression=False, labels="indices")
    assert dataset.task == "multiclass"
    targets = fit_pipeline([], [], dataset, dataset.samples).targets(dataset.samples)
    codes = table["weather"].map({"rain": 0, "snow": 1, "sun": 2}).to_numpy()
    rows = dataset.samples.rows
    np.testing.assert_array_equal(targets, np.stack([codes[rows + 1], codes[rows + 2]], axis=1))


def test_short_series_are_reported(tmp_path: Path) -> None:
    dataset = load(tmp_path, panel({"north": 30, "south": 3, "east": 30}))
    assert len(dataset.samples) == 2 * 26
    assert (
        "1 series of 3 has fewer than the 5 rows that are needed, and no window: south"
        in dataset.findings
    )
    message = r"no series has enough rows \(the longest has 30\): a window takes 40 rows, and its"
    with pytest.raises(DataError, match=message):
        load(tmp_path, panel({"north": 30, "south": 3, "east": 30}), lookback=40)


@pytest.mark.parametrize(
    ("order", "options", "advice"),
    [
        ("stacked", {"series": None}, "rows of several series? Write `series: shop`"),
        ("interleaved", {"series": None}, "rows of several series? Write `series: shop`"),
        (
            "shuffled",
            {"series": None},
            "rows of several series? Write `series: shop` and `sort: true`",
        ),
        ("shuffled", {}, "write `sort: true`"),
        ("hours", {"series": None}, "does 'hour' tell the time of day? Write `time: [day, hour]`"),
        ("twice", {}, "rows of several series? Write `series: [shop, item]`"),
        ("numbered", {"series": None}, "rows of several series? Write `series: place`"),
        (
            "unnamed",
            {"series": None},
            "rows of several series? Add a column that tells them apart, and name it in `series`; "
            "or keep one row for each time",
        ),
    ],
)
def test_what_rows_out_of_order_are_advised(
    order: str, options: dict[str, Any], advice: str, tmp_path: Path, refusal: Any
) -> None:
    table = panel({"north": 40, "south": 40})
    tables = {
        "interleaved": interleaved(table),
        "shuffled": shuffled(table),
        "hours": table.iloc[:40].assign(
            day=[f"2024-01-{1 + i // 24:02d}" for i in range(40)], hour=np.arange(40) % 24
        ),
        "numbered": table.assign(place=pd.factorize(table["shop"])[0]).drop(columns="shop"),
        "unnamed": pd.concat([table, table, table]).drop(columns="shop"),
        "twice": pd.concat([table.assign(item="x"), table.assign(item="y")]),
    }
    message = refusal(source(tmp_path, tables.get(order, table), **options))
    assert message.endswith(advice)


def test_without_times_a_column_in_blocks_is_reported(tmp_path: Path) -> None:
    table = panel({"north": 40, "south": 40}).drop(columns=["day", "weather"])
    assert load(tmp_path, table, series=None).undeclared_series == "shop"
    assert load(tmp_path, table).undeclared_series is None
    assert load(tmp_path, panel({"north": 40}), series=None).undeclared_series is None


def test_times_in_several_columns_and_formats(tmp_path: Path) -> None:
    table = panel({"north": 30, "south": 30})
    plain = load(tmp_path, table).samples
    day = table["day"]
    parts = table.drop(columns="day").assign(
        y=day.dt.year, m=day.dt.month, d=day.dt.day, date=day.dt.strftime("%Y%d%m")
    )
    options: list[dict[str, Any]] = [
        {"time": ["y", "m", "d"], "drop": ["date"]},
        {"time": {"column": "date", "format": "%Y%d%m"}, "drop": ["y", "m", "d"]},
        {"time": {"column": ["y", "m", "d"], "format": "%Y %m %d"}, "drop": ["date"]},
    ]
    for each in options:
        assert fingerprint(load(tmp_path, parts, **each).samples) == fingerprint(plain)


def test_a_series_belongs_to_one_group(tmp_path: Path) -> None:
    table = panel({"north": 30, "south": 30})
    given_source = source(tmp_path, table)
    dataset = load_dataset(given_source, tmp_path, 0, regression=True, groups="weather")
    protocol = cast("Protocol", PROTOCOLS.get("holdout").model_validate({"groups": "weather"}))
    with pytest.raises(DataError, match="`groups` divides a series"):
        protocol.split(row_info_of(dataset, protocol, 0), monitors_validation=False)


def test_validation_files_hold_the_same_series(tmp_path: Path) -> None:
    table = panel({"north": 30, "south": 30})
    later = table.assign(day=table["day"] + pd.Timedelta(days=30))
    later.iloc[30:].to_csv(tmp_path / "later.csv", index=False)
    dataset = load_dataset(
        source(tmp_path, table, types={"shop": "categorical"}),
        tmp_path,
        0,
        regression=True,
        validation="later.csv",
    )
    windows = windows_in(dataset.samples)
    labels = windows.labels()
    assert labels is not None
    assert labels.tolist() == ["north"] * 26 + ["south"] * 26 + ["south"] * 26
    assert windows.series.columns()["shop"][-1] == "south"
