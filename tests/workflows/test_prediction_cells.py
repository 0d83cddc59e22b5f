"""Cells of predictions that a spreadsheet would take for formulas."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlrun.workflows.prediction_files import (
    PredictedOutput,
    Predictions,
    save_predictions,
    without_formulas,
)

FORMULAS = ["=1+1", "+cmd", "-a", "@SUM(A1)", "\t=1", "=HYPERLINK('x')"]
SOUND = ["a=b", "", "-3.5", "+1e5", "-inf", "'quoted", " =1"]


@pytest.mark.parametrize("raw", [False, True])
def test_no_cell_is_a_formula(raw: bool, tmp_path: Path) -> None:
    names = [*FORMULAS, *SOUND]
    numbers = np.linspace(-1, 1, len(names))
    table = pd.DataFrame({"prediction": names, "probability_x": numbers, "=x": numbers})
    before = {"file": np.asarray(names, object)}
    predictions = Predictions((PredictedOutput("", table, classes=tuple(names)),), before)
    save_predictions(predictions, tmp_path / "new.csv", raw=raw)
    with (tmp_path / "new.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    mark = "" if raw else "'"
    assert header == ["file", "prediction", "probability_x", f"{mark}=x"]
    expected = [mark + name for name in FORMULAS] + SOUND
    assert [row[0] for row in rows] == expected
    assert [row[1] for row in rows] == expected
    if not raw:
        returned = pd.DataFrame({"prediction": ["a\r=1", "\r=1"]})
        assert without_formulas(returned)["prediction"].tolist() == ["a\n=1", "'\n=1"]
    assert [float(row[2]) for row in rows] == numbers.tolist()
