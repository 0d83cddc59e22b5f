"""What a table in the order of time is refused for, and which of its windows are left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from weather_table import ROWS, load, source, weather, with_gap

from dlrun.data.encoded import Encoded
from dlrun.data.pipeline import fit_pipeline
from dlrun.errors import DataError
from dlrun.protocols.experiment import row_info_of
from dlrun.protocols.protocol import Protocol
from dlrun.registry.families import PROTOCOLS, STEPS


def test_no_window_spans_a_gap(tmp_path: Path) -> None:
    dataset = load(tmp_path, with_gap())
    # A window takes 10 rows, and its target lies 4 rows later: 13 windows would span row 40.
    now = dataset.samples.rows
    assert sorted(set(range(9, 96)) - set(now.tolist())) == list(range(36, 49))
    assert dataset.findings == (
        "columns that do not hold numbers are not features: station",
        "the times have 1 gap, the first after 2024-03-02 15:00:00, up to 2.04 days: 13 windows "
        "that would span one are left out",
    )
    ignoring = load(tmp_path, with_gap(), gaps="ignore")
    assert ignoring.samples.rows.tolist() == list(range(9, 96))
    assert "windows span them, as `gaps: ignore` says" in ignoring.findings[1]


def test_a_repeated_time_is_left_out_and_more_of_them_are_refused(
    tmp_path: Path, refusal: Callable[..., str]
) -> None:
    frame = weather(300)
    repeated = pd.concat([frame.iloc[:150], frame.iloc[148:]], ignore_index=True)
    dataset = load(tmp_path, repeated)
    assert len(dataset.samples) == len(load(tmp_path, frame).samples)
    assert "2 rows at a time that has passed already are left out" in dataset.findings
    # Row numbers are those of the file.
    assert dataset.samples.rows[-1] == 297
    assert refusal(source(tmp_path, frame.iloc[::-1])) == (
        "{weather.csv}:3: the rows are not in the order of 'when': 2024-03-13 10:00:00 comes after "
        "2024-03-13 11:00:00, and so in 299 of 300 rows; write `sort: true`"
    )


def test_missing_targets_are_left_out_and_missing_features_are_named(tmp_path: Path) -> None:
    frame = weather(100)
    frame.loc[30, "heat"] = -9999.0
    dataset = load(tmp_path, frame, missing=[-9999])
    assert 26 not in dataset.samples.rows
    assert len(dataset.samples) == 100 - 13 - 1
    assert "1 window whose target is missing is left out" in dataset.findings
    with pytest.raises(DataError) as error:
        fit_pipeline([], [], dataset, dataset.samples).inputs(dataset.samples)
    assert str(error.value) == (
        f"column 'heat' has 1 missing value, the first in {tmp_path / 'weather.csv'}:32; add "
        "`impute` to `preprocess`"
    )
    filled = fit_pipeline([STEPS.get("impute")()], [], dataset, dataset.samples)
    made = cast("Encoded", filled.inputs(dataset.samples))
    # All windows together look at rows 0 to 95.
    mean = np.delete(frame["heat"].to_numpy(), 30)[:95].mean()
    (place,) = np.flatnonzero(dataset.samples.rows == 30)
    assert made[place : place + 1][0, -1, 0] == pytest.approx(mean, rel=1e-5)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "too few rows",
        {"lookback": 390, "delay": 20},
        "{weather.csv}: 400 rows are too few: a window takes 388 rows, and its target lies 20 rows "
        "later",
    ),
    (
        "no such target",
        {"target": "heet"},
        "{weather.csv}: no column 'heet'; did you mean 'heat'? The columns are: when, heat, wind, "
        "station",
    ),
    (
        "a time that is none",
        {"time": "station"},
        "{weather.csv}: the time 'station' cannot be read: 'roof'; write numbers, or dates as "
        "2024-06-09 11:40:00, or say how it is written: `time: {column: station, format: "
        "'%Y%m%d'}`",
    ),
    (
        "a file that can be downloaded",
        {"path": "jena.csv", "origin": "https://example.org/jena.csv"},
        "{jena.csv}: no such file. Download it to that path from https://example.org/jena.csv",
    ),
    (
        "every window over a gap",
        {"lookback": 300, "delay": 30, "path": "gap.csv"},
        "{gap.csv}: no window is left: columns that do not hold numbers are not features: "
        "station, and the times have 1 gap, the first after 2024-03-09 07:00:00, up to 2.04 "
        "days: 73 windows that would span one are left out",
    ),
]


@pytest.mark.parametrize(
    ("options", "message"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_is_refused(
    options: dict[str, Any], message: str, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    with_gap(ROWS, 200).to_csv(tmp_path / "gap.csv", index=False)
    assert refusal(source(tmp_path, **options)) == message


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "kfold",
            {},
            "5 folds of a series would train on the future of what they score; use `dlrun train` "
            "with the protocol `time_series`, or `holdout`",
        ),
        (
            "iterated_kfold",
            {},
            "5 folds of a series would train on the future of what they score; use `dlrun train` "
            "with the protocol `time_series`, or `holdout`",
        ),
        (
            "repeated_holdout",
            {"reshuffle": True},
            "the rows of a series are held out in time order, so every split would be the same; "
            "remove `reshuffle`",
        ),
        (
            "holdout",
            {"validation": {"first": 50}},
            "validation rows: the first rows cannot come after the others in time; leave out "
            "`first`",
        ),
        (
            "time_series",
            {"folds": 42},
            "fold 1 of 42: no window is left to train on: each takes 14 rows with its targets, and "
            "9 begin before those held out; take a shorter `lookback` or `delay`, or hold less "
            "out",
        ),
    ],
)
def test_splits_that_a_series_cannot_have(
    name: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    dataset = load(tmp_path)
    protocol = cast("Protocol", PROTOCOLS.get(name).model_validate(options))
    with pytest.raises(DataError) as error:
        protocol.split(row_info_of(dataset, protocol, 0), monitors_validation=False)
    assert str(error.value) == message
