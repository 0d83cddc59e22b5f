"""What the checks say of series: planted faults, and no false alarm on a sound one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlrun.checks.check import data_findings
from dlrun.checks.finding import Findings
from dlrun.config.load import load_config
from dlrun.workflows.loading import load_rows

CONFIG = """\
dataset: {source: timeseries, path: load.csv, target: load, lookback: 48, delay: 6}
preprocess: [standardize, {targets: standardize}]
architecture: {layers: [{GRU: 8}, {Dense: 1}]}
loss: mae
optimizer: adam
metrics: [mae]
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    hours, random = np.arange(3000), np.random.default_rng(0)
    return pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=3000, freq="h"),
            "load": 5000 + 900 * np.sin(hours * 2 * np.pi / 24) + random.normal(0, 90, 3000),
            "wind": random.gamma(2.0, 2.0, 3000),
        }
    ).round({"load": 2, "wind": 2})


def findings(table: pd.DataFrame, *overrides: str) -> Findings:
    table.to_csv("load.csv", index=False)
    config = load_config("c.yaml", overrides)
    return data_findings(config, load_rows(config))


def test_nothing_is_said_of_a_sound_series(table: pd.DataFrame) -> None:
    """Windows that overlap are no copies, the last value may tell the next, and rows in the order
    of time are dealt so."""
    assert findings(table) == Findings()
    two = ("dataset.delay=1", "dataset.steps_ahead=2", "architecture.layers.1.Dense=2")
    assert findings(table, *two) == Findings()
    assert findings(table, "evaluation={protocol: time_series, folds: 3}") == Findings()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("DL103", "'load' goes up to"),
        ("DL104", "20 values missing in wind, and no step fills them in"),
        ("DL117", "wind has the same value in all training rows"),
        ("DL119", "wind holds -9999, far from all other values"),
    ],
)
def test_a_planted_fault_is_found(code: str, told: str, table: pd.DataFrame) -> None:
    overrides: tuple[str, ...] = ()
    if code == "DL103":
        overrides = ("preprocess=[{targets: standardize}]",)
    elif code == "DL104":
        table.loc[100:119, "wind"] = np.nan
    elif code == "DL117":
        table["wind"] = 3.0
    else:
        table.loc[100:119, "wind"] = -9999.0
    found = {finding.code: finding.problem.message for finding in findings(table, *overrides).shown}
    assert told in found[code]


def test_a_later_season_is_a_note(table: pd.DataFrame) -> None:
    table["wind"] += np.linspace(0, 40, len(table))
    (finding,) = findings(table).shown
    assert (finding.code, finding.severity) == ("DL116", "note")


def test_series_that_are_not_declared_are_found(table: pd.DataFrame) -> None:
    shops = pd.concat([table.iloc[:400].assign(shop=shop) for shop in ("north", "south")])
    finding = findings(shops.drop(columns="when")).shown[0]
    assert (finding.code, finding.severity) == ("DL130", "warning")
    assert "'shop' tells them apart" in finding.problem.message
    assert findings(shops, "dataset.series=shop") == Findings()
