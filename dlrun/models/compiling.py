"""Giving a Keras model the loss, the optimizer and the metrics of a config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dlrun.config.keras_components import metric_names
from dlrun.config.schema import OutputEntry
from dlrun.errors import ComponentError, KeyPath
from dlrun.metrics.arrays import EPSILON
from dlrun.metrics.cuts import Change, changed, meaning_by_loss, suited
from dlrun.metrics.names import canonical
from dlrun.metrics.scores import ACROSS_ROWS
from dlrun.models.objects import REFUSALS, build_object, reason
from dlrun.models.precision import scaling_losses
from dlrun.registry.keras_component import KerasComponent


def compile_model(
    model: Any,
    loss: KerasComponent,
    optimizer: KerasComponent,
    metrics: Sequence[KerasComponent],
) -> None:
    """Give a model its loss, a new optimizer and new metrics.

    The history's names are those of `dlrun.config.keras_components.metric_names`.

    Args:
        model: A Keras model.
        loss: What training minimises.
        optimizer: How training minimises it.
        metrics: What is measured besides the loss.

    Raises:
        ComponentError: Keras refused one of them.
    """
    built = _built_metrics(metrics, loss, model.output_shape)
    _compile(model, optimizer, loss.path, loss=build_object(loss), metrics=built)


def compile_outputs(model: Any, outputs: Sequence[OutputEntry], optimizer: KerasComponent) -> None:
    """Give a model the loss and new metrics of each of its outputs, and a new optimizer.

    The history's names are those of `dlrun.scoring.measures.measures_of`.

    Args:
        model: A Keras model; one with several outputs gives a mapping by their names.
        outputs: All of its outputs.
        optimizer: How training minimises the sum of the losses.

    Raises:
        ComponentError: Keras refused one of them.
    """
    if len(outputs) == 1:
        compile_model(model, outputs[0].loss, optimizer, outputs[0].metrics)
        return
    shapes = dict(zip(model.output_names, model.output_shape, strict=True))
    _compile(
        model,
        optimizer,
        ("loss",),
        loss={output.name: build_object(output.loss) for output in outputs},
        loss_weights={output.name: output.weight for output in outputs},
        metrics={
            output.name: _built_metrics(output.metrics, output.loss, shapes[output.name])
            for output in outputs
        },
    )


def _compile(model: Any, optimizer: KerasComponent, path: KeyPath, **options: Any) -> None:
    scaled = scaling_losses(build_object(optimizer), model)
    try:
        model.compile(optimizer=scaled, **options)
    except REFUSALS as error:
        raise ComponentError(f"Keras cannot compile the model: {reason(error)}", path) from error
    _spread_row_weights(model)
    _count_masks_on_jax(model)


def _spread_row_weights(model: Any) -> None:
    """Let the weight of a row count for each of its steps or pixels: Keras lines weights up with
    the last axis of a loss, and takes them for those of steps where there are as many."""
    compiled = model._compile_loss
    call = compiled.call

    def call_with_spread_weights(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if sample_weight is None:
            return call(y_true, y_pred)
        if not compiled.built:
            compiled.build(y_true, y_pred)

        def weights(output: Any, loss: Any) -> Any:
            given, truth, predicted = (
                part[output] if output is not None and isinstance(part, dict) else part
                for part in (sample_weight, y_true, y_pred)
            )
            return spread_row_weights(loss, given, truth, predicted)

        losses = {path[0] if path else None: loss for path, loss, *_ in compiled._flat_losses}
        if isinstance(y_pred, dict):
            return call(y_true, y_pred, {name: weights(name, one) for name, one in losses.items()})
        return call(y_true, y_pred, weights(None, losses[None]))

    compiled.call = call_with_spread_weights


def spread_row_weights(loss: Any, weights: Any, y_true: Any, y_pred: Any) -> Any:
    """Return weights of rows as weights of the values that a loss gives for these rows.

    Args:
        loss: A `keras.Loss`.
        weights: (n,) or (n, 1) of the rows; others stay as they are.
        y_true: (n, ...) or (n, ..., k).
        y_pred: (n, ..., k).
    """
    from keras import KerasTensor, ops
    from keras.src.backend import compute_output_spec

    of_rows = tuple(weights.shape[1:]) in ((), (1,))
    if len(y_pred.shape) < 3 or not of_rows:
        return weights
    parts = (KerasTensor(part.shape, dtype=loss.dtype) for part in (y_true, y_pred))
    _, *axes = compute_output_spec(loss.call, *parts).shape or (None,)
    if not axes or None in axes:
        return weights
    weights = ops.reshape(weights, (-1, *[1] * len(axes)))
    return ops.broadcast_to(weights, (ops.shape(weights)[0], *axes))


def _count_masks_on_jax(model: Any) -> None:
    """Let metrics of training rows count masks on JAX as well: Keras loses those of the outputs on
    their way out of the gradient."""
    import keras
    from keras.src.backend import get_keras_mask, set_keras_mask

    if keras.backend.backend() != "jax":
        return
    computed = type(model).compute_loss_and_updates
    updated = type(model)._update_metrics_variables

    def compute_loss_and_updates(*args: Any, **options: Any) -> Any:
        loss, (unscaled, outputs, *rest) = computed(model, *args, **options)
        masks = [get_keras_mask(each) for each in keras.tree.flatten(outputs)]
        return loss, (unscaled, (outputs, masks), *rest)

    def update_metrics_variables(
        variables: Any, loss: Any, x: Any, y: Any, given: Any, weights: Any
    ) -> Any:
        outputs, masks = given
        for each, mask in zip(keras.tree.flatten(outputs), masks, strict=True):
            if mask is not None:
                set_keras_mask(each, mask)
        return updated(model, variables, loss, x, y, outputs, weights)

    model.compute_loss_and_updates = compute_loss_and_updates
    model._update_metrics_variables = update_metrics_variables


def _built_metrics(
    metrics: Sequence[KerasComponent], loss: KerasComponent, shape: Sequence[int | None]
) -> list[Any]:
    """The metrics of an output, with the names of the history; they cut where its loss does."""
    meaning, built = meaning_by_loss(loss), []
    for metric, name in zip(metrics, metric_names(metrics), strict=True):
        known = None if metric.implementation else canonical(metric.name)
        fitting = suited(known or "", metric.arguments, meaning)
        # Over several outputs an accuracy takes the largest.
        if fitting.arguments != metric.arguments and (known != "Accuracy" or shape[-1] == 1):
            own = "BinaryAccuracy" if known == "Accuracy" else metric.name
            metric = replace(metric, name=own, arguments=fitting.arguments)
        if metric.arguments or fitting.change:
            metric = replace(metric, arguments={**metric.arguments, "name": name})
        measured = build_object(metric)
        if fitting.change:
            measured = _of_changed(measured, fitting.change)
        elif known in ACROSS_ROWS and metric.arguments.get("axis") == 0 and None not in shape[1:]:
            measured = _over_all_rows(measured, known, shape[1:])
        built.append(measured)
    return built


def _of_changed(metric: Any, change: Change) -> Any:
    """The metric of changed targets and outputs; it is saved as what it was."""
    import keras
    from keras.src.backend import get_keras_mask, set_keras_mask

    update_state = metric.update_state

    def update(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        true, predicted = changed(change, y_true, y_pred, keras.ops)
        if (mask := get_keras_mask(y_pred)) is not None:
            set_keras_mask(predicted, mask)
        return update_state(true, predicted, sample_weight=sample_weight)

    metric.update_state = update
    return metric


def _over_all_rows(metric: Any, name: str, shape: Sequence[int | None]) -> Any:
    """The correlation or cosine of each output over all rows, where Keras has the mean of batches.

    Batches are merged by their moments (Chan, Golub and LeVeque 1983, Algorithms for computing the
    sample variance, The American Statistician 37).
    """
    from keras import ops
    from keras.src.backend import get_keras_mask

    rows = metric.add_variable(shape, "zeros", name="rows")
    # The difference of the means, whose digits those of values far from 0 do not hold.
    parts = ("true", "predicted", "difference")
    means = [metric.add_variable(shape, "zeros", name=part) for part in parts]
    products = [metric.add_variable(shape, "zeros", name=part) for part in ("tt", "pp", "tp")]
    pairs = ((0, 0), (1, 1), (0, 1))

    def update_state(y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch without its masked steps; as `metrics` of `Model.compile`, it has no
        weights."""
        true, predicted = (
            ops.cast(ops.reshape(part, ops.shape(y_pred)), rows.dtype) for part in (y_true, y_pred)
        )
        values = [true, predicted, predicted - true]
        counted = ops.ones_like(predicted)
        if (mask := get_keras_mask(y_pred)) is not None:
            counted *= ops.cast(mask, rows.dtype)[..., None]
        count = ops.sum(counted, axis=0)
        seen = ops.maximum(count, 1)
        centres = [ops.sum(counted * part, axis=0) / seen for part in values]
        if name == "CosineSimilarity":
            centres = [ops.zeros_like(centre) for centre in centres]
        apart = [centre - mean for centre, mean in zip(centres, means, strict=True)]
        deviations = [part - centre for part, centre in zip(values, centres, strict=True)]
        share = count / ops.maximum(rows + count, 1)
        for product, (i, j) in zip(products, pairs, strict=True):
            inside = ops.sum(counted * deviations[i] * deviations[j], axis=0)
            product.assign(product + inside + apart[i] * apart[j] * rows * share)
        for mean, step in zip(means, apart, strict=True):
            mean.assign(mean + step * share)
        rows.assign(rows + count)

    def result() -> Any:
        ours, theirs, both = (product / rows for product in products)
        if name == "ConcordanceCorrelation":
            return ops.mean(2 * both / (ours + theirs + means[2] ** 2 + EPSILON))
        return ops.mean(both / ops.sqrt(ours) / ops.sqrt(theirs))

    def reset_state() -> None:
        for variable in (rows, *means, *products):
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    metric.update_state, metric.result, metric.reset_state = update_state, result, reset_state
    return metric
