"""Predictions of a series name the time they are for, and mistakes the row in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest

from dlrun.data.sources.timeseries import Timeseries
from dlrun.data.windows import Windows
from dlrun.workflows.check import check
from dlrun.workflows.evaluate import evaluate
from dlrun.workflows.predict import names_of_rows, predict
from dlrun.workflows.train import train

CONFIG = """\
dataset:
  {source: timeseries, path: grid.csv, target: load, lookback: 5, delay: 3, AHEAD, \
test: {fraction: 0.3}}
preprocess: [standardize, {targets: standardize}]
architecture: {layers: [Flatten, {Dense: STEPS}]}
loss: mse
optimizer: adam
metrics: [mae]
training: {epochs: 1}
"""


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.slow)])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    hours = pd.date_range("2024-03-01", periods=200, freq="h")
    # One gap of many hours among the test rows.
    hours += pd.to_timedelta(np.where(np.arange(200) < 170, 0, 2), unit="D")
    load = np.random.default_rng(0).normal(size=200).cumsum().round(3)
    frame = pd.DataFrame({"when": hours.strftime("%Y-%m-%d %H:%M"), "load": load})
    frame.to_csv(folder / "grid.csv", index=False)
    text = CONFIG.replace("AHEAD", f"steps_ahead: {request.param}")
    (folder / "grid.yaml").write_text(text.replace("STEPS", str(request.param)))
    made = train(folder / "grid.yaml", runs_dir=folder / "runs")
    return made.path


def test_the_worst_rows_are_found_in_the_file(run: Path) -> None:
    frame = pd.read_csv(run.parents[1] / "grid.csv")
    looked = evaluate(run)
    facts = json.loads(json.dumps(looked.facts, default=float))
    for target in facts["figures"]["targets"]:
        for worst in target["worst"]:
            row = frame.iloc[worst["row"]]
            assert row.load == pytest.approx(worst["true"], rel=1e-5)
            assert f"{row.when}:00" == worst["time"]
            assert worst["place"].endswith(f"grid.csv:{worst['row'] + 2}")


def test_predictions_say_when_they_are_due(run: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(run.parents[1] / "grid.csv")
    frame.tail(12).to_csv(tmp_path / "last.csv", index=False)
    table = predict(run, tmp_path / "last.csv").table
    names = [name for name in table if str(name).startswith("time")]
    assert names == (["time"] if len(names) == 1 else ["time_0", "time_1"])
    for step, name in enumerate(names):
        ahead = pd.to_datetime(table[name]) - pd.to_datetime(table["until"])
        assert (ahead == pd.Timedelta(hours=3 + step)).all()


def test_windows_left_out_between_the_parts_are_said(run: Path) -> None:
    built = check(run.parents[1] / "grid.yaml", with_data=True).built
    assert built is not None
    line = next(line for line in built.lines() if line.startswith("rows:"))
    ((training, validation),) = built.splits
    left = built.rows - training - validation
    assert left > 0
    assert (
        f"{built.rows} windows: {training} to train, {validation} to validate, {left} left" in line
    )


def test_predictions_name_their_series(tmp_path: Path) -> None:
    days = pd.date_range("2024-03-01", periods=6).strftime("%Y-%m-%d")
    table = pd.DataFrame(
        [
            (day, shop, 10 * n + len(shop))
            for n, day in enumerate(days)
            for shop in ("north", "east")
        ],
        columns=["day", "shop", "sales"],
    )
    table.to_csv(tmp_path / "shops.csv", index=False)
    source = Timeseries(path="shops.csv", target="sales", series="shop", lookback=4)
    (windows,) = source.read_new([tmp_path / "shops.csv"], {}).columns.values()
    names = names_of_rows(cast("Windows", windows))
    assert list(names) == ["series", "row", "until", "time"]
    assert names["series"].tolist() == ["north", "east"] * 3
    assert table["shop"][names["row"]].tolist() == names["series"].tolist()
    assert (
        table["day"][names["row"]].tolist() == np.datetime_as_string(names["until"], "D").tolist()
    )
    assert (names["time"] - names["until"] == np.timedelta64(1, "D")).all()
