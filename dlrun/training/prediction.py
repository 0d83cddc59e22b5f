"""Predictions of a trained model, and measures that only Keras knows."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from dlrun.data.inputs import Inputs
from dlrun.metrics.arrays import with_unit_axis
from dlrun.models.compiling import spread_row_weights
from dlrun.models.objects import build_object
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.engine import VALIDATION_BATCH_SIZE
from dlrun.training.rows import narrow_integers

Array = np.ndarray


@dataclass(frozen=True)
class ModelOutput:
    """What a model gives for some rows, each output by its name; the only one has none.

    Args:
        values: (n, ..., k) in the form that the loss takes.
        masks: (n, ...) booleans of the outputs that carry a mask of Keras: false where nothing is
            to be measured.
        penalty: What regularizers and `add_loss` add to the loss: the mean over the batches, each
            weighted with its rows, as `Model.evaluate` takes it.
        batch_size: Rows of a batch.
    """

    values: Mapping[str | None, Array]
    masks: Mapping[str | None, Array] = field(default_factory=dict)
    penalty: float = 0.0
    batch_size: int = VALIDATION_BATCH_SIZE


def predict(model: Any, inputs: Inputs, batch_size: int = VALIDATION_BATCH_SIZE) -> ModelOutput:
    """Run a model over rows, in batches.

    Keras compiles it once for a model object, however often it is called.

    Args:
        model: A compiled Keras model.
        inputs: (n, ...), by the input's name where there are several.
        batch_size: Rows of a batch; that of the validation for a score that is to be Keras' own.
    """
    inputs = narrow_integers(inputs)
    observed = _observed(model)
    starts = range(0, len(inputs), batch_size)
    batches = [observed.predict_on_batch(inputs[start : start + batch_size]) for start in starts]
    rows = [len(next(iter(batch["values"].values()))) for batch in batches]

    def whole(part: str) -> dict[str | None, Array]:
        return {
            name or None: np.concatenate([np.asarray(batch[part][name]) for batch in batches])
            for name in batches[0][part]
        }

    penalties = [float(batch["penalty"]) for batch in batches]
    penalty = float(np.average(penalties, weights=rows))
    return ModelOutput(whole("values"), whole("masks"), penalty, batch_size)


def masks_of(model: Any, inputs: Inputs, other: ModelOutput) -> Mapping[str | None, Array]:
    """Return the masks of a model's outputs for rows, as far as it gives any for other rows."""
    return predict(model, inputs, other.batch_size).masks if other.masks else {}


def _observed(model: Any) -> Any:
    """The model whose output is that of another, with its masks and its penalty.

    It is kept with the model. Keras neither tracks nor saves what is put there under such a name.
    """
    kept = model.__dict__.get("__observed__")
    if kept is None:
        kept = model.__dict__["__observed__"] = _observed_class()(model)
    return kept


@cache
def _observed_class() -> Any:
    import keras
    from keras.src.backend import get_keras_mask

    class Observed(keras.Model):
        def __init__(self, model: Any) -> None:
            super().__init__(name="observed", dtype=model.dtype_policy)
            self.model = model
            self.jit_compile, self.run_eagerly = model.jit_compile, model.run_eagerly
            self.built = True

        def call(self, inputs: Any) -> Any:
            given = self.model(inputs, training=False)
            outputs = given if isinstance(given, dict) else {"": given}
            masks = {name: get_keras_mask(each) for name, each in outputs.items()}
            total = keras.ops.zeros((), "float32")
            for penalty in self.model.losses:
                total += keras.ops.sum(keras.ops.cast(penalty, "float32"))
            return {
                "values": outputs,
                "masks": {name: mask for name, mask in masks.items() if mask is not None},
                "penalty": total,
            }

        def stateless_call(self, *args: Any, **options: Any) -> Any:
            # JAX keeps what `add_loss` is given only where someone asks for it.
            outputs, variables, _ = super().stateless_call(*args, **options, return_losses=True)
            return outputs, variables

    return Observed


def keras_measure(
    component: KerasComponent,
    y_true: Array,
    y_pred: Array,
    weights: Array | None = None,
    mask: Array | None = None,
) -> float:
    """Measure predictions with Keras' own metric or loss, for those NumPy has no version of.

    Args:
        component: A metric or a loss of the config.
        y_true: (n, ...) or (n, ..., k).
        y_pred: (n, ..., k).
        weights: (n,) or (n, ...) weights of rows or steps, or None.
        mask: (n, ...) which steps count, or None.
    """
    import keras
    from keras.src.backend import set_keras_mask
    from keras.src.losses.losses import LossFunctionWrapper

    built = build_object(component)
    if isinstance(built, str):
        # The class and not the function of an alias: only the class lines (n,) up with (n, 1).
        space = keras.metrics if component.kind == "metric" else keras.losses
        built = space.get(component.name)
    if inspect.isfunction(built):
        wrapper = LossFunctionWrapper
        if component.kind == "metric":
            wrapper = keras.metrics.MeanMetricWrapper
        built = wrapper(built)
    # As in training: parts of a plugin broadcast (n,) against (n, 1).
    y_true, predicted = with_unit_axis(y_true, y_pred.shape), keras.ops.convert_to_tensor(y_pred)
    if mask is not None:
        set_keras_mask(predicted, keras.ops.convert_to_tensor(mask, "bool"))
    if isinstance(built, keras.metrics.Metric):
        if weights is None:
            built.update_state(y_true, predicted, **mask_as_weights(built, predicted))
        else:
            built.update_state(y_true, predicted, weights)
        return float(np.mean(built.result()))
    if weights is not None:
        weights = spread_row_weights(built, weights, y_true, predicted)
    return float(built(y_true, predicted, weights))


def mask_as_weights(metric: Any, output: Any) -> dict[str, Any]:
    """Return the argument that leaves masked steps out of one of Keras' metrics that is no mean
    over steps; means take the mask from the output themselves.

    Args:
        metric: A metric; one of a plugin gets the output with its mask and nothing else.
        output: The tensor that is measured.
    """
    import keras
    from keras.src.backend import get_keras_mask

    mask = get_keras_mask(output)
    own = type(metric).__module__.startswith("keras.")
    if mask is None or not own or isinstance(metric, keras.metrics.MeanMetricWrapper):
        return {}
    weights = keras.ops.cast(mask, metric.dtype)
    if isinstance(metric, keras.metrics.BinaryIoU):
        # It counts each label of a step.
        weights = keras.ops.broadcast_to(weights[..., None], keras.ops.shape(output))
    return {"sample_weight": weights}
