"""Callbacks of the config: where their files go, and whether they steer by validation data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlrun.errors import ComponentError
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.callbacks import build_callbacks, monitors_validation


def callback(name: str, **arguments: Any) -> KerasComponent:
    return KerasComponent("callback", name, name, arguments, ("training", "callbacks", 0))


@pytest.mark.parametrize(
    ("component", "attribute", "place"),
    [
        (callback("CSVLogger", filename="logs/epochs.csv"), "filename", "logs/epochs.csv"),
        (callback("ModelCheckpoint", filepath="{epoch}.keras"), "filepath", "{epoch}.keras"),
        (callback("BackupAndRestore", backup_dir="backup"), "backup_dir", "backup"),
        # Keras' own default is a folder in the working directory.
        (callback("TensorBoard"), "log_dir", "logs"),
    ],
)
def test_files_go_into_the_runs_folder(
    component: KerasComponent, attribute: str, place: str, tmp_path: Path
) -> None:
    [built] = build_callbacks([component], lambda: tmp_path)
    assert getattr(built, attribute) == str(tmp_path / place)
    assert (tmp_path / place).parent.is_dir()


def test_the_folder_is_asked_for_only_where_files_are_written(tmp_path: Path) -> None:
    def refuse() -> Path:
        raise AssertionError

    [built] = build_callbacks([callback("EarlyStopping", patience=3)], refuse)
    assert built.patience == 3
    build_callbacks([callback("CSVLogger", filename=str(tmp_path / "a" / "b.csv"))])
    assert not (tmp_path / "a").exists()


def test_what_keras_refuses_says_where() -> None:
    with pytest.raises(ComponentError, match=r"^Keras refused ModelCheckpoint: ") as error:
        build_callbacks([callback("ModelCheckpoint", filepath="model.txt")])
    assert error.value.path == ("training", "callbacks", 0)


@pytest.mark.parametrize(
    ("component", "watches"),
    [
        (callback("EarlyStopping"), True),
        (callback("EarlyStopping", monitor="loss"), False),
        (callback("ReduceLROnPlateau", monitor="val_mae"), True),
        (callback("ModelCheckpoint", filepath="m.keras"), False),
        (callback("ModelCheckpoint", filepath="m.keras", save_best_only=True), True),
        (
            callback("ModelCheckpoint", filepath="m.keras", monitor="mae", save_best_only=True),
            False,
        ),
        (callback("CSVLogger", filename="a.csv"), False),
        (callback("TerminateOnNaN"), False),
    ],
)
def test_who_watches_validation_data(component: KerasComponent, watches: bool) -> None:
    assert monitors_validation([callback("TerminateOnNaN"), component]) is watches
