"""The weather of Jena, June to October 2024: 19,132 real rows, one every 10 minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dlrun

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

CONFIG = """\
dataset:
  source: timeseries
  path: {path}
  target: T (degC)
  lookback: {lookback}
  step: 6
  delay: {delay}
  test: {{fraction: 0.2}}
preprocess: [standardize, {{targets: standardize}}]
architecture: {{layers: [{layers}, {{Dense: 1}}]}}
loss: mae
optimizer: {{adam: {{learning_rate: 0.002}}}}
metrics: [mae]
training: {{epochs: {epochs}, batch_size: 128}}
evaluation: {{validation: {{fraction: 0.25}}}}
"""


@pytest.fixture(scope="module")
def weather(keras_home: Path) -> Path:
    """The file beside the folder of Keras' own files."""
    file = (keras_home / "datasets").resolve().parents[
        1
    ] / "data/jena_weather/jena_climate_2024.csv"
    if not file.is_file():
        pytest.skip("no jena_weather/jena_climate_2024.csv in the data beside KERAS_HOME")
    return file


def config(folder: Path, **options: Any) -> Path:
    file = folder / "jena.yaml"
    file.write_text(CONFIG.format(**options))
    return file


def baselines(run: dlrun.Run) -> dict[str, float]:
    shown = run.result["baseline"]
    return {one["name"]: one["value"] for one in (shown, *shown["others"])}


def errors_by_hand(weather: Path, lookback: int, delay: int) -> dict[str, dict[str, float]]:
    """Mean absolute errors of persistence and of the value a day before, by NumPy alone."""
    heat = pd.read_csv(weather)["T (degC)"].to_numpy()
    span = (lookback // 6 - 1) * 6 + 1
    last = np.arange(span - 1, len(heat) - delay)
    test = last[-int(np.ceil(0.2 * len(last))) :]
    kept = last[last + delay < test[0] - span + 1]
    validation = kept[-int(np.ceil(0.25 * len(kept))) :]
    days = -(-delay // 144)
    return {
        part: {
            "persistence": float(np.abs(heat[now] - heat[now + delay]).mean()),
            "seasonal": float(np.abs(heat[now + delay - 144 * days] - heat[now + delay]).mean()),
        }
        for part, now in (("validation", validation), ("test", test))
    }


def test_the_last_known_temperature_is_off_by_what_numpy_says(
    weather: Path, tmp_path: Path
) -> None:
    small = "Flatten, {Dense: {units: 4, activation: relu}}"
    file = config(tmp_path, path=weather, lookback=720, delay=144, layers=small, epochs=1)
    run = dlrun.train(file, runs_dir=tmp_path)
    expected = errors_by_hand(weather, 720, 144)
    # A day ahead, the last known value is the one of a day before as well.
    assert baselines(run)["persistence"] == pytest.approx(expected["validation"]["persistence"])
    assert "seasonal" not in baselines(run)
    look = dlrun.evaluate(run.path).facts["baseline"]
    found = {one["name"]: one["value"] for one in (look, *look["others"])}
    assert found["persistence"] == pytest.approx(expected["test"]["persistence"])


@pytest.mark.timeout(1800)
def test_a_gru_beats_the_last_known_temperature_three_hours_ahead(
    weather: Path, tmp_path: Path
) -> None:
    """A day ahead no network did so in tries on these four months: summer trains it, and autumn
    asks."""
    file = config(tmp_path, path=weather, lookback=144, delay=18, layers="{GRU: 16}", epochs=12)
    run = dlrun.train(file, runs_dir=tmp_path)
    expected = errors_by_hand(weather, 144, 18)["validation"]
    found = baselines(run)
    assert found["persistence"] == pytest.approx(expected["persistence"])
    assert found["seasonal"] == pytest.approx(expected["seasonal"])
    assert run.result["baseline"]["name"] == "seasonal", "the stronger one is to be beaten"
    assert run.score is not None
    assert run.score < 0.85 * expected["persistence"]
    assert run.score < expected["seasonal"]
    assert run.result["verdict"]["beats_baseline"] is True
