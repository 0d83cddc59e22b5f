"""What the report says of a series over time, without drawing it, and that it is on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_runs import stored_run

from dlrun.reports.charts import seconds_of, time_axis
from dlrun.reports.series import over_time, series_charts
from dlrun.workflows.report import report

SERIES = "{source: timeseries, lookback: 10, delay: 3, target: y}"


def hourly(rows: np.ndarray, **options: int) -> tuple[np.ndarray, np.ndarray]:
    """A series of two quantities, and what follows these rows of it."""
    values = np.random.default_rng(0).normal(size=(1000, 2)).cumsum(axis=0)
    delay, step, steps = (options.get(name, 1) for name in ("delay", "step", "steps_ahead"))
    ahead = delay + np.arange(steps) * step
    return values, np.concatenate([values[rows[:, None] + ahead, t] for t in (0, 1)], axis=1)


@pytest.mark.parametrize(
    "options",
    [
        {"delay": 6},
        {"delay": 30, "step": 2, "steps_ahead": 5},
        {"delay": 6, "stride": 3, "steps_ahead": 3},
    ],
)
@pytest.mark.parametrize("baseline", ["persistence", "seasonal"])
def test_the_baseline_is_what_the_series_says(options: dict[str, int], baseline: str) -> None:
    rows = np.arange(100, 700, options.get("stride", 1))
    values, true = hourly(rows, **options)
    steps, season = options.get("steps_ahead", 1), 24
    names = tuple(f"{target}_{step}" for target in "ab" for step in range(steps))
    shuffled = np.random.default_rng(1).permutation(len(rows))
    found = over_time(
        rows[shuffled],
        true[shuffled],
        true[shuffled] + 1,
        names,
        {**options, "season": season},
        baseline,
    )
    assert [one.name for one in found] == list(names)
    for column, one in enumerate(found):
        target, ahead = column // steps, options["delay"] + column % steps * options.get("step", 1)
        assert one.places.tolist() == (rows + ahead).tolist()
        assert np.array_equal(one.true, values[rows + ahead, target])
        assert np.array_equal(one.predicted, one.true + 1)
        said = rows if baseline == "persistence" else rows + ahead - -(-ahead // season) * season
        if one.baseline is None:
            # A window begins every third row, so none ends where this one would have to.
            assert options.get("stride") == 3
            assert (rows + options["delay"] - said)[0] % 3
            continue
        told = np.isfinite(one.baseline)
        assert told.mean() > 0.5
        assert np.array_equal(one.baseline[told], values[said[told], target])


def test_no_baseline_is_told_across_rows_that_are_left_out() -> None:
    rows = np.concatenate([np.arange(100, 300), np.arange(301, 500)])
    _, true = hourly(rows, delay=5)
    one, _ = over_time(rows, true, true, ("a", "b"), {"delay": 5}, "persistence")
    assert one.baseline is not None
    unknown = one.places[np.isnan(one.baseline)] - 5
    assert unknown.tolist() == [*range(100, 105), *range(301, 306)]
    assert over_time(rows, true, true, ("a", "b"), {"delay": 5}, "median")[0].baseline is None
    far = over_time(rows, true, true, ("a", "b"), {"delay": 250}, "persistence")[0]
    assert (far.baseline, far.baseline_name) == (None, "")


@pytest.mark.parametrize(
    "rows", [1, 300, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 5000))]
)
def test_the_page_shows_predictions_over_time(tmp_path: Path, rows: int) -> None:
    run = stored_run(tmp_path, "regression", names=["load"], rows=rows, dataset=SERIES)
    page = report(run.path).read_text(encoding="utf-8")
    held: Any = run.read_predictions()
    errors = np.abs(held["predictions"][:, 0] - held["targets"])
    # A single row is predicted as it is.
    late = f"{'0' if rows == 1 else format(errors[rows // 2 :].mean(), '#.4g')} in the second."
    assert f"from row 3 to {rows + 2:,} of the file: the mean absolute error is" in page
    assert late in page
    assert (">The last 400 rows<" in page) == (rows > 400)
    assert len(page) < 600_000


def test_a_run_on_a_plain_table_has_no_such_section(tmp_path: Path) -> None:
    run = stored_run(tmp_path, "regression", names=["load"])
    assert "over-time" not in report(run.path).read_text(encoding="utf-8")


def test_charts_of_a_series_with_dates_show_them() -> None:
    rows = np.array([30, 10, 20, 40])
    days = np.array([2, 0, 1, 3])[:, None] * np.timedelta64(1, "D")
    times = np.datetime64("2023-03-30", "us") + days
    true = np.arange(4.0)[:, None]
    (one,) = over_time(rows, true, true, ("y",), {"delay": 2}, times=times)
    assert one.span == "from 2023-03-30 to 2023-04-02"
    (chart,) = series_charts(one)
    assert chart.x.label == "time"
    assert chart.x.names == ("2023-03-30", "2023-03-31", "2023-04-01", "2023-04-02")
    (line, *_) = [mark for mark in chart.marks if mark.style == "validation"]
    assert list(line.x) == list(chart.x.ticks or ())


@pytest.mark.parametrize(
    ("first", "last", "unit"),
    [
        ("2024-02-29T23:50", "2024-03-01T00:20", "m"),
        ("2024-01-01T05:00", "2024-01-01T20:00", "h"),
        ("2009-01-05", "2009-01-20", "D"),
        ("2023-01-31", "2023-11-30", "M"),
        ("1200-01-01", "2700-01-01", "Y"),
        ("1969-12-30", "1970-01-02", "h"),
        ("2024-01-01T10:00:05", "2024-01-01T10:00:45", "s"),
        ("2024-01-01T23:59:59", "2024-01-02T00:00:00", "ms"),
    ],
)
def test_times_on_an_axis_are_round_and_where_they_belong(first: str, last: str, unit: str) -> None:
    low, high = np.datetime64(first, "s"), np.datetime64(last, "s")
    axis = time_axis(low, high)
    assert axis.ticks is not None
    assert axis.names is not None
    assert 2 <= len(axis.ticks) <= 6
    for tick, name in zip(axis.ticks, axis.names, strict=True):
        time = np.datetime64(round(tick * 1000), "ms")
        assert low <= time <= high
        assert str(time).replace("T", " ").find(name) >= 0
        assert time == time.astype(f"datetime64[{unit}]")


def test_times_of_one_moment_have_an_axis() -> None:
    now = np.datetime64("2024-01-01T05:00", "us")
    axis = time_axis(now, now)
    assert axis.low < seconds_of(np.array([now]))[0] < axis.high
    assert axis.names == ("05:00",)


def test_times_within_a_second_are_apart() -> None:
    times = np.datetime64("2024-01-01T05:00", "ns") + np.arange(3) * np.timedelta64(100, "ms")
    assert np.diff(seconds_of(times)) == pytest.approx([0.1, 0.1], abs=1e-6)
