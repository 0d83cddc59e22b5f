"""`metrics.csv`: appended as training goes on, readable by anything at any time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.errors import RunError
from dlrun.store.training_folder import TrainingFolder


@pytest.fixture
def folder(tmp_path: Path) -> TrainingFolder:
    return TrainingFolder(tmp_path)


def test_the_file_as_anybody_sees_it(folder: TrainingFolder) -> None:
    folder.append_metrics(0, 1, 0.25, {"loss": 0.5, "val_loss": np.float32(0.75)})
    assert folder.metrics.read_text() == "fold,epoch,seconds,loss,val_loss\n0,1,0.250000,0.5,0.75\n"
    folder.append_metrics(1, 2, 0.25, {"val_loss": float("nan"), "loss": float("inf")})
    table = pd.read_csv(folder.metrics)
    assert table["loss"].tolist() == [0.5, math.inf]
    assert table["val_loss"].isna().tolist() == [False, True]


@given(st.lists(st.tuples(st.floats(), st.floats(width=32)), min_size=1, max_size=5))
def test_values_come_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float]]
) -> None:
    folder = TrainingFolder(tmp_path_factory.mktemp("run"))
    for epoch, (loss, score) in enumerate(rows, start=1):
        folder.append_metrics(0, epoch, 0.001, {"loss": loss, 'a, "b" ü': score})
    history = folder.history()
    assert list(history) == ["fold", "epoch", "seconds", "loss", 'a, "b" ü']
    assert history["epoch"] == list(range(1, len(rows) + 1))
    np.testing.assert_array_equal(history["loss"], [loss for loss, _ in rows])
    np.testing.assert_array_equal(history['a, "b" ü'], [score for _, score in rows])


def test_rows_of_all_folds_are_in_one_file(folder: TrainingFolder) -> None:
    assert folder.history() == {}
    for fold in (0, 1):
        for epoch in (1, 2):
            folder.append_metrics(fold, epoch, 0.5, {"loss": 10 * fold + epoch})
    assert folder.history() == {
        "fold": [0, 0, 1, 1],
        "epoch": [1, 2, 1, 2],
        "seconds": [0.5] * 4,
        "loss": [1, 2, 11, 12],
    }


@pytest.mark.parametrize("torn", ["1", "1,2,0.1,0.4", "1,2,0.1,0.43,0.9", '1,2,0.1,"'])
def test_a_last_line_that_was_cut_off_is_left_out(folder: TrainingFolder, torn: str) -> None:
    folder.append_metrics(0, 1, 0.1, {"loss": 0.5, "val_loss": 0.6})
    with folder.metrics.open("a") as file:
        file.write(torn)
    assert folder.history()["loss"] == [0.5]
    assert folder.history()["val_loss"] == [0.6]


@pytest.mark.parametrize("torn", ["", "fold,epo"])
def test_a_header_that_was_cut_off_is_no_history(folder: TrainingFolder, torn: str) -> None:
    folder.metrics.write_text(torn)
    assert folder.history() == {}


@pytest.mark.parametrize("damage", ["0,2,0.1", "0,2,0.1,0.5,0.6,0.7", "0,two,0.1,0.5,0.6", ""])
def test_a_damaged_row_is_named(folder: TrainingFolder, damage: str) -> None:
    folder.append_metrics(0, 1, 0.1, {"loss": 0.5, "val_loss": 0.6})
    with folder.metrics.open("a") as file:
        file.write(f"{damage}\n0,3,0.1,0.5,0.6\n")
    with pytest.raises(RunError, match=r"metrics\.csv is damaged in line 3$"):
        folder.history()


def test_columns_are_fixed_by_the_first_row(folder: TrainingFolder) -> None:
    folder.append_metrics(0, 1, 0.1, {"loss": 0.5, "val_loss": 0.6})
    folder.append_metrics(0, 2, 0.1, {"val_loss": 0.7})
    np.testing.assert_array_equal(folder.history()["val_loss"], [0.6, 0.7])
    np.testing.assert_array_equal(folder.history()["loss"], [0.5, np.nan])
    with pytest.raises(
        RunError, match=r"no column for 'mae': its columns were fixed by its first row as loss, "
    ):
        folder.append_metrics(0, 3, 0.1, {"mae": 0.7})
    # Another object for the same folder goes on where the first one stopped.
    again = TrainingFolder(folder.path)
    again.append_metrics(0, 3, 0.1, {"val_loss": 0.8, "loss": 0.4})
    assert folder.history()["val_loss"][-1] == 0.8
    assert folder.history()["epoch"] == [1, 2, 3]


def test_a_metric_cannot_take_the_name_of_a_counting_column(folder: TrainingFolder) -> None:
    with pytest.raises(RunError, match="a metric cannot be called 'epoch'"):
        folder.append_metrics(0, 1, 0.1, {"epoch": 0.5})
    assert not folder.metrics.exists()


def test_phases_are_whole_numbers(folder: TrainingFolder) -> None:
    folder.append_metrics(0, 1, 0.25, {"phase": 1.0, "loss": 0.5})
    folder.append_metrics(0, 2, 0.25, {"phase": 2.0, "loss": 0.25})
    assert folder.metrics.read_text().splitlines()[1:] == [
        "0,1,0.250000,1,0.5",
        "0,2,0.250000,2,0.25",
    ]
    assert folder.history()["phase"] == [1, 2]


def test_a_resumed_run_keeps_the_epochs_that_it_has(folder: TrainingFolder) -> None:
    for fold, epochs in ((0, 2), (1, 3)):
        for epoch in range(1, epochs + 1):
            folder.append_metrics(fold, epoch, 0.5, {"loss": 1 / (fold + epoch + 2)})
    before = folder.metrics.read_text().splitlines()
    # The write of a row was cut off.
    with folder.metrics.open("a") as file:
        file.write("1,4,0.5,0.3")
    folder.cut_metrics({0: 2, 1: 1})
    assert folder.metrics.read_text().splitlines() == before[:4]
    folder.append_metrics(1, 2, 0.5, {"loss": 0.25})
    assert folder.metrics.read_text().splitlines() == [*before[:4], "1,2,0.500000,0.25"]
    folder.cut_metrics({})
    assert not folder.metrics.exists()
    # Other columns may follow.
    folder.append_metrics(0, 1, 0.5, {"mae": 0.25})
    assert folder.history()["mae"] == [0.25]
    folder.metrics.unlink()
    folder.cut_metrics({0: 1})


def test_a_resumed_run_keeps_the_losses_of_the_epochs_that_it_has(folder: TrainingFolder) -> None:
    folder.cut_steps(1)
    folder.append_steps(1, [0.5, 0.25])
    before = folder.steps.read_text()
    folder.append_steps(2, [0.125])
    with folder.steps.open("a") as file:
        file.write("3,1,0.")
    folder.cut_steps(1)
    assert folder.steps.read_text() == before
