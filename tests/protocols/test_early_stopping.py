"""EarlyStopping acts as Keras' own does, and never on rows that give the score unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import StandardScaler

from dlrun.workflows.results import result_facts

SEED = 1

CONFIG = f"""
    seed: {SEED}
    dataset: {{source: sklearn, name: diabetes}}
    preprocess: [standardize]
    architecture: {{layers: [{{Dense: {{units: 32, activation: relu}}}}, {{Dense: 1}}]}}
    loss: mse
    optimizer: {{adam: {{learning_rate: 0.1}}}}
    metrics: [mae]
    training:
      engine: keras
      epochs: 40
      batch_size: 32
      shuffle: false
      callbacks:
        - EarlyStopping: {{monitor: val_mae, patience: 2, restore_best_weights: true}}
    evaluation: {{protocol: holdout, validation: {{fraction: 0.25}}}}
"""

OPTIMISTIC = "a callback monitored the scored rows, so the score is optimistic"


@pytest.mark.slow
def test_a_hold_out_run_stops_where_keras_stops(run: Callable[..., Any]) -> None:
    import keras

    x, y = load_diabetes(return_X_y=True)
    splitter = ShuffleSplit(1, test_size=0.25, random_state=SEED)
    [(train, validation)] = splitter.split(x)
    scaler = StandardScaler().fit(x[train])
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential([keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), loss="mse", metrics=["mae"])
    stop = keras.callbacks.EarlyStopping("val_mae", patience=2, restore_best_weights=True)
    fitted = model.fit(
        scaler.transform(x[np.sort(train)]),
        y[np.sort(train)],
        validation_data=(scaler.transform(x[validation]), y[validation]),
        epochs=40,
        batch_size=32,
        shuffle=False,
        callbacks=[stop],
        verbose=0,
    )
    assert 3 <= len(fitted.epoch) < 40
    ran = run(CONFIG)
    [fold] = ran.outcome.folds
    assert fold.epochs == len(fitted.epoch)
    assert fold.best_epoch == stop.best_epoch + 1
    assert fold.history["val_mae"] == pytest.approx(fitted.history["val_mae"], rel=1e-5)
    for ours, theirs in zip(ran.weights[0], model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    # The best epoch's weights give the score.
    assert fold.score == pytest.approx(min(fitted.history["val_mae"]), rel=1e-5)


def test_folds_watch_rows_of_their_training_side(run: Callable[..., Any]) -> None:
    ran = run(CONFIG, evaluation="{protocol: kfold, folds: 2}", training__epochs=3)
    rows = ran.memory.row_numbers
    for fold in ran.outcome.folds:
        train, inner = rows[f"fold0{fold.index}_train"], rows[f"fold0{fold.index}_inner_validation"]
        assert not set(inner) & (set(train) | set(fold.rows))
        assert len(inner) == 45  # a fifth of 221, rounded up
        # What is watched is not what gives the score.
        assert fold.score not in fold.history["val_mae"]
    facts = result_facts(ran.config.evaluation.protocol, ran.dataset, ran.outcome)
    assert facts["watched_scored_rows"] is False
    assert OPTIMISTIC not in facts["findings"]


@pytest.mark.slow
def test_monitoring_the_scored_rows_is_reported(run: Callable[..., Any]) -> None:
    changes = {"evaluation": "{protocol: kfold, folds: 2, validation: fold}"}
    ran = run(CONFIG, training__epochs=2, **changes)
    assert set(ran.memory.row_numbers) == {
        "fold00_train", "fold00_validation", "fold01_train", "fold01_validation",
    }  # fmt: skip
    for fold in ran.outcome.folds:
        assert fold.score == pytest.approx(min(fold.history["val_mae"]), rel=1e-5)
    facts = result_facts(ran.config.evaluation.protocol, ran.dataset, ran.outcome)
    assert facts["watched_scored_rows"] is True
    assert OPTIMISTIC in facts["findings"]


@pytest.mark.slow
def test_what_keeps_every_epoch_steers_nothing(run: Callable[..., Any]) -> None:
    """A checkpoint of every epoch costs no fold its rows, and needs no rows held out."""
    every = "[{ModelCheckpoint: {filepath: 'epoch-{epoch:02d}.keras'}}, CSVLogger: log.csv]"
    ran = run(CONFIG, training__callbacks=every, evaluation__validation="null", training__epochs=2)
    assert len(ran.memory.row_numbers["fold00_train"]) == 442
    written = sorted(path.name for path in ran.memory.folder.iterdir())
    assert written == ["epoch-01.keras", "epoch-02.keras", "log.csv"]
