"""A loss that becomes NaN after some good epochs: what is kept, and what is said."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dlrun
from dlrun.errors import TrainingError
from dlrun.training.state import LastFiniteState

CONFIG = """\
dataset: {source: sklearn, name: diabetes}
architecture:
  layers:
    - Dropout: 0.1
    - Dense: 1
loss: mse
optimizer: {SGD: {learning_rate: 1.3}}
metrics: [mae]
training: {epochs: 60, batch_size: 64, engine: ENGINE}
evaluation: {protocol: holdout}
"""


def rows_of(path: Path) -> list[str]:
    return (path / "metrics.csv").read_text().splitlines()[1:]


def trained(folder: Path, engine: str, **changes: Any) -> Path:
    """Train and return the run directory, whether training failed or not."""
    file, runs = folder / "diabetes.yaml", folder / "runs"
    file.write_text(CONFIG.replace("ENGINE", engine))
    before = set(runs.iterdir()) if runs.exists() else set()
    overrides = [f"{key.replace('__', '.')}={value}" for key, value in changes.items()]
    with suppress(TrainingError):
        dlrun.train(file, overrides=overrides, runs_dir=runs)
    (path,) = set(runs.iterdir()) - before
    return path


@pytest.mark.usefixtures("curves_drawn")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "on_device"),
    [
        ("fused", False),
        ("fused", True),
        ("keras", True),
    ],
)
def test_the_last_state_whose_loss_was_a_number_is_kept(
    engine: str, on_device: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    if on_device:
        # As the weights of large models are kept.
        monkeypatch.setattr("dlrun.training.state.SMALL", 0)
    run = trained(tmp_path, engine)
    facts = json.loads((run / "run.json").read_text())
    result = json.loads((run / "result.json").read_text())
    bad = len(rows_of(run))
    assert 2 < bad < 60, "this data diverges after some epochs, or the test shows nothing"
    assert facts["status"] == "failed"
    assert f"the loss became infinite in epoch {bad}, " in facts["error"]
    (finding,) = result["diagnosis"]
    assert (finding["kind"], finding["epoch"]) == ("diverged", bad)
    assert result["suggestions"][0]["text"] == "a smaller learning rate"
    assert (run / "curves.png").exists()
    model = keras.saving.load_model(run / "model.keras")
    kept = int(facts["error"].split("as epoch ")[1].split(" ")[0])
    assert kept < bad
    # The very weights that a training has which ends there.
    same = trained(tmp_path, engine, training__epochs=kept)
    assert json.loads((same / "run.json").read_text())["status"] == "finished"
    expected = keras.saving.load_model(same / "model.keras")
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        assert np.isfinite(ours).all()
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_no_numbers_are_not_kept() -> None:
    import keras

    weights = keras.Variable(np.arange(70_000, dtype="float32"))
    state = LastFiniteState(lambda: [weights])
    assert not state.put_back()
    state.keep(1)
    spoilt = np.arange(70_000, dtype="float32")
    spoilt[69_999] = np.nan
    weights.assign(spoilt)
    state.keep(2)
    assert state.put_back()
    assert state.epoch == 1
    np.testing.assert_array_equal(weights.numpy(), np.arange(70_000))
    # The sum is infinite, and no part of it is.
    weights.assign(np.full(70_000, 3e38, "float32"))
    state.keep(3)
    assert state.epoch == 3


@pytest.mark.slow
def test_the_epoch_that_is_said_is_the_one_whose_weights_are_restored(tmp_path: Path) -> None:
    import keras

    stopping = "[{EarlyStopping: {monitor: loss, patience: 99, restore_best_weights: true}}]"
    run = trained(tmp_path, "keras", training__callbacks=stopping)
    error = json.loads((run / "run.json").read_text())["error"]
    best = int(pd.read_csv(run / "metrics.csv")["loss"].argmin()) + 1
    assert best < len(rows_of(run)) - 1, "else the last good epoch is the best, and nothing shown"
    assert f"kept as epoch {best} left it" in error
    model = keras.saving.load_model(run / "model.keras")
    same = trained(tmp_path, "keras", training__epochs=best)
    expected = keras.saving.load_model(same / "model.keras")
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_the_error_says_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "diabetes.yaml"
    file.write_text(CONFIG.replace("ENGINE", "fused"))
    with pytest.raises(TrainingError) as error:
        dlrun.kfold(file, folds=2, runs_dir=tmp_path / "runs")
    (run,) = (tmp_path / "runs").iterdir()
    first, second = str(error.value).splitlines()
    assert first.startswith("the loss became infinite in epoch ")
    assert second.startswith("the model is kept as epoch ")
    assert second.endswith(f"left it, with the curves up to there, in {run}")
    assert not (run / "folds" / "01").exists(), "no further fold is trained"
