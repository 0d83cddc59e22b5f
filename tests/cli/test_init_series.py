"""`dlrun init` on a table with a row in even steps of time: windows over a series."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml


def series(rows: int, step: str, start: str = "2024-01-01", **columns: Any) -> pd.DataFrame:
    """Two quantities, and whatever else is given."""
    random = np.random.default_rng(0)
    times = pd.date_range(start, periods=rows, freq=step).strftime("%Y-%m-%d %H:%M")
    values = random.normal(size=(rows, 2)).round(3)
    return pd.DataFrame({"when": times, "load": values[:, 0], "heat": values[:, 1], **columns})


def findings(said: str) -> set[str]:
    """Codes, but for the one that short tables have."""
    return set(re.findall(r"DL\d+", said)) - {"DL113"}


def windows(config: Path) -> tuple[int, int, int]:
    dataset = yaml.safe_load(config.read_text(encoding="utf-8"))["dataset"]
    assert dataset["source"] == "timeseries"
    assert dataset["time"] == "when"
    return dataset["lookback"], dataset["step"], dataset["delay"]


@pytest.mark.parametrize(
    ("rows", "step", "expected", "told"),
    [
        (2000, "h", (48, 1, 6), "every hour"),
        (6000, "10min", (288, 6, 36), "every 10 minutes"),
        (600, "D", (28, 1, 1), "every day"),
        (300, "MS", (12, 1, 1), "every month"),
        # The windows of short tables are shorter.
        (120, "D", (7, 1, 1), "every day"),
        (200, "min", (10, 1, 10), "every minute"),
    ],
)
def test_the_windows_suit_the_steps(
    call: Any, tmp_path: Path, rows: int, step: str, expected: tuple[int, ...], told: str
) -> None:
    series(rows, step).to_csv(tmp_path / "grid.csv", index=False)
    said = call("init", "grid.csv", "--target", "load")
    assert said.status == 0, said.err
    assert said.line("series").startswith(f"one row {told}: windows of {expected[0]} rows")
    assert windows(tmp_path / "grid.yaml") == expected
    checked = call("check", "grid.yaml", "--data")
    assert checked.status == 0, checked.err
    assert findings(checked.out) == set()
    assert f"windows of {-(-expected[0] // expected[1])} x 2 over {rows:,} rows" in checked.out


def test_how_the_file_is_written_and_what_it_lacks(call: Any, tmp_path: Path) -> None:
    frame = series(500, "h", name=[f"row {row}" for row in range(500)])
    frame.loc[5:8, "load"] = None
    frame = frame.drop(index=range(300, 305))
    frame.to_csv(tmp_path / "grid.csv", index=False, sep=";", decimal=",")
    said = call("init", "grid.csv", "--target", "load")
    assert windows(tmp_path / "grid.yaml") == (24, 1, 6)
    assert said.line("left") == "out name (a different text in most rows)"
    dataset = yaml.safe_load((tmp_path / "grid.yaml").read_text())["dataset"]
    assert (dataset["separator"], dataset["decimal"], dataset["drop"]) == (";", ",", ["name"])
    checked = call("check", "grid.yaml", "--data")
    assert checked.status == 0, checked.err
    assert "windows of 24 x 2 over 495 rows" in checked.out


def test_the_config_says_how_to_use_the_table_as_a_plain_one(call: Any, tmp_path: Path) -> None:
    series(500, "h").to_csv(tmp_path / "grid.csv", index=False)
    call("init", "grid.csv", "--target", "load")
    text = (tmp_path / "grid.yaml").read_text()
    assert "take out `time`, `lookback`, `step`, `delay` and `season` under" in text
    config = yaml.safe_load(text)
    config["dataset"]["source"] = "csv"
    for option in ("time", "lookback", "step", "delay", "season"):
        del config["dataset"][option]
    layers = config["architecture"]["layers"]
    config["architecture"]["layers"] = [
        {"Dense": {"units": 64, "activation": "relu"}},
        layers[-1],
    ]
    assert "\n# say `time: when`." in text
    config["evaluation"]["time"] = "when"
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(config))
    checked = call("check", "plain.yaml", "--data")
    assert checked.status == 0, checked.err
    assert findings(checked.out) == set()
    assert "(1,) -> (1,)" in checked.out


def test_which_quantity_is_meant_is_not_guessed(call: Any, tmp_path: Path) -> None:
    series(500, "h").to_csv(tmp_path / "grid.csv", index=False)
    said = call("init", "grid.csv")
    assert said.line("target").startswith("heat (regression;")
    assert said.line("series") == (
        "one row every hour: --target COLUMN predicts one ahead, from the rows before"
    )
    text = (tmp_path / "grid.yaml").read_text()
    assert yaml.safe_load(text)["dataset"]["source"] == "csv"
    assert yaml.safe_load(text)["evaluation"]["time"] == "when"
    assert "# The rows are a series." in text
    # A likely name tells, and so does a column that is alone.
    for name, frame in {
        "named": series(500, "h").rename(columns={"load": "price"}),
        "alone": series(500, "h").drop(columns="load"),
    }.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        assert call("init", f"{name}.csv").status == 0
        assert windows(tmp_path / f"{name}.yaml") == (25, 1, 6)


def _panel() -> pd.DataFrame:
    """Two places, one below the other."""
    return pd.concat([series(300, "D"), series(300, "D")])


NO_SERIES = {
    "uneven": lambda: series(500, "h").sample(frac=0.5, random_state=0).sort_index(),
    "places": _panel,
    "with words": lambda: series(500, "h", sky=["clear", "cloudy"] * 250),
    "short": lambda: series(60, "D"),
}


@pytest.mark.parametrize("name", NO_SERIES)
def test_other_tables_stay_tables(call: Any, tmp_path: Path, name: str) -> None:
    NO_SERIES[name]().to_csv(tmp_path / "table.csv", index=False)
    said = call("init", "table.csv", "--target", "load")
    assert said.status == 0, said.err
    text = (tmp_path / "table.yaml").read_text()
    assert yaml.safe_load(text)["dataset"]["source"] == "csv"
    assert "are a series" not in text
    assert "series  " not in said.out
