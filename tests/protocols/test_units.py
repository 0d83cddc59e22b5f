"""Standardised targets train better, and are never what the user reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.preprocessing import StandardScaler

CONFIG = """
    dataset: {source: sklearn, name: diabetes}
    preprocess: [standardize, {targets: standardize}]
    architecture: {layers: [{Dense: {units: 8, activation: relu}}, {Dense: 1}]}
    loss: mse
    optimizer: {SGD: {learning_rate: 0.05}}
    metrics: [mae, mse, RootMeanSquaredError, R2Score]
    training: {engine: keras, shuffle: false, epochs: 3, batch_size: 32}
    evaluation: {protocol: holdout, validation: {samples: 100}, shuffle: false}
"""


def test_scores_and_epochs_are_in_the_targets_own_unit(run: Callable[..., Any]) -> None:
    import keras

    x, y = load_diabetes(return_X_y=True)
    inputs = StandardScaler().fit(x[:-100]).transform(x)
    scaler = StandardScaler().fit(y[:-100, None])
    scaled, sigma = scaler.transform(y[:, None])[:, 0], float(scaler.scale_[0])
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    metrics = ["mae", "mse", "RootMeanSquaredError", "R2Score"]
    model.compile(keras.optimizers.SGD(0.05), loss="mse", metrics=metrics)
    validation = (inputs[-100:], scaled[-100:])
    fitted = model.fit(
        inputs[:-100], scaled[:-100], validation_data=validation, epochs=3, shuffle=False, verbose=0
    )
    own_unit = scaler.inverse_transform(model.predict(inputs[-100:], verbose=0))

    ran = run(CONFIG)
    [fold] = ran.outcome.folds
    np.testing.assert_allclose(fold.main.predictions, own_unit, rtol=1e-5)
    truth = y[-100:]
    assert fold.score == pytest.approx(mean_absolute_error(truth, own_unit), rel=1e-5)
    assert fold.measures == pytest.approx(
        {
            "loss": fitted.history["val_loss"][-1],
            "mae": mean_absolute_error(truth, own_unit),
            "mse": root_mean_squared_error(truth, own_unit) ** 2,
            "RootMeanSquaredError": root_mean_squared_error(truth, own_unit),
            "R2Score": r2_score(truth, own_unit),
        },
        rel=1e-5,
    )
    dummy = DummyRegressor(strategy="median").fit(x[:-100], y[:-100])
    assert fold.baseline is not None
    by_dummy = mean_absolute_error(truth, dummy.predict(x[-100:]))
    assert fold.baseline.value == pytest.approx(by_dummy)

    factors = {"mae": sigma, "mse": sigma**2, "RootMeanSquaredError": sigma}
    for name, values in fitted.history.items():
        factor = factors.get(name.removeprefix("val_"), 1)
        assert fold.history[name] == pytest.approx(factor * np.asarray(values), rel=1e-5), name
    # metrics.csv is written from the same figures.
    [*_, (_, epoch, logs)] = ran.memory.epochs
    assert epoch == 3
    assert logs == {name: values[-1] for name, values in fold.history.items()}


SERIES = """
    dataset:
      source: timeseries
      path: {path}
      target: heat
      lookback: 4
      delay: 1
      steps_ahead: 3
    preprocess: [standardize, {{targets: standardize}}]
    architecture: {{layers: [Flatten, {{Dense: 3}}]}}
    loss: mse
    optimizer: {{SGD: {{learning_rate: 0.01}}}}
    metrics: [mae]
    training: {{epochs: 2, batch_size: 32}}
    evaluation: {{protocol: holdout, validation: 0.3, score: mae}}
"""


@pytest.mark.slow
def test_all_steps_ahead_of_a_series_have_one_unit(run: Callable[..., Any], tmp_path: Path) -> None:
    # Rising: the steps ahead have means and deviations of their own.
    heat = 20 + np.arange(120) ** 1.5 / 10 + np.random.default_rng(0).normal(size=120)
    (tmp_path / "series.csv").write_text("heat\n" + "\n".join(map(repr, heat.tolist())))
    ran = run(SERIES.format(path=tmp_path / "series.csv"))
    [fold] = ran.outcome.folds
    targets = ran.dataset.samples.targets["heat"]
    held_out = ran.memory.row_numbers["fold00_validation"]
    truth = np.stack([heat[held_out + ahead] for ahead in (1, 2, 3)], axis=1)
    assert targets.shape[1:] == (3,)
    error = mean_absolute_error(truth, fold.main.predictions)
    assert fold.score == pytest.approx(error, rel=1e-5)
    assert fold.history["val_mae"][-1] == pytest.approx(error, rel=1e-4)
