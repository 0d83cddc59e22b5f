"""K-fold is the loop that one would write by hand with scikit-learn and Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from dlrun.metrics.folds import mean_history
from dlrun.workflows.results import out_of_fold, result_facts

SEED, FOLDS, EPOCHS = 3, 3, 6

CONFIG = f"""
    seed: {SEED}
    dataset: {{source: sklearn, name: diabetes}}
    preprocess: [standardize]
    architecture:
      layers:
        - Dense: {{units: 16, activation: relu}}
        - Dropout: 0.2
        - Dense: 1
    loss: mse
    optimizer: {{rmsprop: {{learning_rate: 0.01}}}}
    metrics: [mae]
    training: {{engine: keras, epochs: {EPOCHS}, batch_size: 16, shuffle: false}}
    evaluation: {{protocol: kfold, folds: {FOLDS}, score: mae}}
"""


def loop_by_hand() -> tuple[list[float], list[list[float]], np.ndarray]:
    """Return each fold's score, its `val_mae` of every epoch, and the predictions of all rows."""
    import keras

    x, y = load_diabetes(return_X_y=True)
    scores, histories, predictions = [], [], np.empty((len(x), 1), np.float32)
    splitter = KFold(FOLDS, shuffle=True, random_state=SEED)
    for fold, (train, validation) in enumerate(splitter.split(x)):
        scaler = StandardScaler().fit(x[train])
        x_train, x_validation = scaler.transform(x[train]), scaler.transform(x[validation])
        keras.utils.set_random_seed(SEED + fold)
        model = keras.Sequential(
            [
                keras.layers.Dense(16, activation="relu"),
                keras.layers.Dropout(0.2),
                keras.layers.Dense(1),
            ]
        )
        model.compile(keras.optimizers.RMSprop(0.01), loss="mse", metrics=["mae"])
        fitted = model.fit(
            x_train,
            y[train],
            validation_data=(x_validation, y[validation]),
            epochs=EPOCHS,
            batch_size=16,
            shuffle=False,
            verbose=0,
        )
        predictions[validation] = model.predict(x_validation, verbose=0)
        scores.append(float(np.abs(predictions[validation, 0] - y[validation]).mean()))
        histories.append(fitted.history["val_mae"])
    return scores, histories, predictions


@pytest.mark.slow
def test_scores_histories_and_predictions_are_those_of_a_loop_by_hand(
    run: Callable[..., Any],
) -> None:
    scores, histories, predictions = loop_by_hand()
    ran = run(CONFIG)
    folds = ran.outcome.folds
    assert [fold.score for fold in folds] == pytest.approx(scores, rel=1e-5)
    for fold, history in zip(folds, histories, strict=True):
        assert fold.history["val_mae"] == pytest.approx(history, rel=1e-5)
    facts = result_facts(ran.config.evaluation.protocol, ran.dataset, ran.outcome)
    assert facts["score"]["value"] == pytest.approx(np.mean(scores), rel=1e-5)
    assert facts["score"]["std"] == pytest.approx(np.std(scores, ddof=1), rel=1e-5)
    average_mae_history = np.mean(histories, axis=0)
    assert facts["mean_history"]["val_mae"]["mean"] == pytest.approx(average_mae_history, rel=1e-5)
    assert facts["best_epoch"] == average_mae_history.argmin() + 1
    assert facts["watched_scored_rows"] is False
    every_row = out_of_fold(folds)
    assert every_row is not None
    np.testing.assert_array_equal(every_row["rows"], np.arange(len(predictions)))
    np.testing.assert_allclose(every_row["predictions"], predictions, rtol=1e-5)
    assert (every_row["times"] == 1).all()


@pytest.mark.slow
def test_iterations_average_what_each_of_them_predicts(run: Callable[..., Any]) -> None:
    changes = {"evaluation__protocol": "iterated_kfold", "evaluation__iterations": 2}
    ran = run(CONFIG, training__epochs=1, evaluation__folds=2, **changes)
    folds = ran.outcome.folds
    assert [(fold.index, fold.iteration) for fold in folds] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    every_row = out_of_fold(folds)
    assert every_row is not None
    by_hand = np.zeros((len(ran.dataset.samples), 1))
    for fold in folds:
        by_hand[fold.rows] += fold.main.predictions / 2
    np.testing.assert_allclose(every_row["predictions"], by_hand, rtol=1e-5)
    assert (every_row["times"] == 2).all()
    mean = mean_history([fold.history for fold in folds])["val_mae"]["mean"]
    assert mean == pytest.approx([np.mean([fold.history["val_mae"][0] for fold in folds])])
