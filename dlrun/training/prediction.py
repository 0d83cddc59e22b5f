"""Predictions of a trained model, and measures that only Keras knows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from dlrun.data.inputs import Inputs
from dlrun.models.objects import build_object
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.rows import narrow_integers

PREDICTION_BATCH_SIZE = 256


def predict(model: Any, inputs: Inputs) -> Any:
    """Return the model's output for every row, (n, k) float32, in batches; of a model with several
    outputs such an array for each, by the output's name.

    Keras compiles it once for a model object, however often it is called.
    """
    inputs = narrow_integers(inputs)
    starts = range(0, len(inputs), PREDICTION_BATCH_SIZE)
    batches = (inputs[start : start + PREDICTION_BATCH_SIZE] for start in starts)
    predictions = [model.predict_on_batch(batch) for batch in batches]
    if isinstance(predictions[0], dict):
        return {
            name: np.concatenate([part[name] for part in predictions]) for name in predictions[0]
        }
    return np.concatenate([np.asarray(part) for part in predictions])


def keras_measure(
    component: KerasComponent,
    y_true: np.ndarray,
    y_pred: np.ndarray,
    weights: np.ndarray | None = None,
) -> float:
    """Measure predictions with Keras' own metric or loss, for those NumPy has no version of.

    Args:
        component: A metric or a loss of the config.
        y_true: (n,) or (n, k).
        y_pred: (n, k).
        weights: (n,) weights of the rows, or None.
    """
    import keras

    built = build_object(component)
    if isinstance(built, str):
        # The class and not the function of an alias: only the class lines (n,) up with (n, 1).
        space = keras.metrics if component.kind == "metric" else keras.losses
        built = space.get(component.name)
    if inspect.isfunction(built):
        return _mean(built, y_true, y_pred, weights)
    if isinstance(built, keras.metrics.Metric):
        built.update_state(y_true, y_pred, weights)
        return float(np.mean(built.result()))
    return float(built(y_true, y_pred, weights))


def _mean(
    function: Callable[[Any, Any], Any],
    y_true: np.ndarray,
    y_pred: np.ndarray,
    weights: np.ndarray | None,
) -> float:
    """Mean over the rows of a plugin's function of each, as Keras takes it for a loss."""
    import keras

    if y_true.size == y_pred.size:
        y_true = y_true.reshape(y_pred.shape)
    losses = function(keras.ops.convert_to_tensor(y_true), keras.ops.convert_to_tensor(y_pred))
    values = np.asarray(keras.ops.convert_to_numpy(losses))
    rows = values.reshape(len(y_pred), -1).mean(axis=1) if values.ndim else values
    return float(np.mean(rows if weights is None else rows * weights))
