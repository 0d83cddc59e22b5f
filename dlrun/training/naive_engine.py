"""The training loop from scratch: forward pass, gradient, `weight -= rate * gradient`.

It does what `keras.Model.fit` does with the optimizer SGD, step by step in Python, and comes to the
same losses and weights but for rounding. It is here to be read, and it is slow;
`docs/from-scratch.md` walks through it.

Source: Deep Learning with Python, section 2.4; the momentum is that of `keras.optimizers.SGD`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.keras_engine import batches_of, build_variables, whole_inputs
from dlrun.training.reporting import FitControl, callbacks_of, run_fit
from dlrun.training.rows import FitRows, row_order, with_class_weights
from dlrun.training.state import optimizer_variables


class NaiveEngine:
    """Trains with plain or momentum SGD, one step after the other."""

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place.

        Raises:
            TrainingError: A step failed, or the loss became NaN in the first epoch.
        """
        return run_fit(request, lambda: request.model.weights, partial(train, request))


def obstacle_to_naive_steps(model: Any) -> str | None:
    """Return why a model's steps are more than this loop knows of, or None."""
    if "train_step" in vars(model):
        return (
            "the naive engine cannot move targets with their pictures; use `engine: auto`, or say "
            "`places: none` under `dataset` if the pictures may move without them"
        )
    return None


def train(request: FitRequest, control: FitControl) -> None:
    """Train all epochs."""
    model, validation, saving = request.model, request.validation, control.saving
    rows = with_class_weights(request.train, request.class_weight)
    build_variables(model, rows, request.batch_size)
    optimizer_variables(model)
    callbacks = callbacks_of(request, saving.callbacks)
    logs = saving.logs
    model.stop_training = False
    callbacks.on_train_begin()
    saving.restore()
    for epoch in range(saving.done, request.epochs):
        if model.stop_training:
            break
        started, rate = time.perf_counter(), float(model.optimizer.learning_rate)
        control.report.epoch = epoch + 1
        callbacks.on_epoch_begin(epoch)
        logs = train_epoch(request, rows, epoch, callbacks, control)
        if validation is not None:
            measured = measure(model, validation, request.validation_batch_size, callbacks)
            logs |= {f"val_{name}": value for name, value in measured.items()}
        logs = {name: float(value) for name, value in sorted(logs.items())}
        callbacks.on_epoch_end(epoch, logs)
        control.report.epoch_ended(logs, rate, time.perf_counter() - started)
        control.finite.keep(epoch + 1)
        saving.epoch_ended(epoch + 1, logs)
    callbacks.on_train_end(logs)


def train_epoch(
    request: FitRequest, rows: FitRows, epoch: int, callbacks: Any, control: FitControl
) -> dict[str, Any]:
    """See every row once; return the loss and the metrics over all of them."""
    model, losses, total, logs = request.model, list[float](), 0.0, dict[str, Any]()
    order = row_order(
        len(rows),
        seed=request.seed,
        epoch=request.epochs_before + epoch,
        shuffle=request.shuffle,
    )
    batches = batches_of(rows, request.batch_size, lambda: order)
    model.reset_metrics()
    try:
        for step in range(request.steps):
            callbacks.on_train_batch_begin(step)
            loss = train_step(model, *batches[step])
            losses.append(loss)
            # The last batch may be smaller, and counts for as many rows as it has.
            seen = min((step + 1) * request.batch_size, len(rows))
            total += loss * (seen - step * request.batch_size)
            logs = {**model.get_metrics_result(), "loss": total / seen}
            callbacks.on_train_batch_end(step, logs)
            control.report.step(step + 1)
            control.interrupt.check_signals()
    finally:
        request.on_losses(control.report.number, losses)
    return logs


def measure(model: Any, rows: FitRows, batch_size: int, callbacks: Any) -> dict[str, Any]:
    """Return the loss and the metrics of rows that train nothing, as Keras measures them."""
    data: dict[str, Any] = {"x": batches_of(rows, batch_size)}
    if rows.held:
        data = {"x": whole_inputs(rows.inputs), "y": rows.targets, "sample_weight": rows.weights}
        data["batch_size"] = batch_size
    measured: dict[str, Any] = model.evaluate(
        **data, callbacks=callbacks, return_dict=True, verbose=0
    )
    return measured


def train_step(model: Any, inputs: Any, targets: Any, sample_weight: Any = None) -> float:
    """Change the weights so that the loss of a batch falls; return the loss before."""

    def loss_of_batch() -> Any:
        predictions = model(inputs, training=True)
        loss = model.compute_loss(inputs, targets, predictions, sample_weight)
        model.compute_metrics(inputs, targets, predictions, sample_weight)
        return loss

    loss, gradients = loss_and_gradients(model, loss_of_batch)
    update(model.trainable_variables, gradients, model.optimizer)
    return loss


def update(weights: Sequence[Any], gradients: Sequence[Any], sgd: Any) -> None:
    """Take one step down the slope.

    Args:
        weights: The variables to change.
        gradients: Of the loss with regard to each of them, of the same shapes.
        sgd: Holds learning rate, momentum and velocities; it takes no step itself.
    """
    rate = float(sgd.learning_rate)
    for number, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        change = -rate * gradient
        if sgd.momentum:
            velocity = sgd.momentums[number]
            velocity.assign(sgd.momentum * velocity + change)
            change = sgd.momentum * velocity + change if sgd.nesterov else velocity
        weight.assign(weight + change)
        if weight.constraint is not None:
            weight.assign(weight.constraint(weight))
    # A learning-rate schedule counts the steps.
    sgd.iterations.assign_add(1)


def loss_and_gradients(model: Any, loss_of_batch: Callable[[], Any]) -> tuple[float, list[Any]]:
    """Return the loss of a batch, and its gradient with regard to each weight that is trained."""
    import keras

    return {
        "tensorflow": _by_tensorflow,
        "jax": _by_jax,
        "torch": _by_torch,
    }[keras.backend.backend()](model, loss_of_batch)


def _by_tensorflow(model: Any, loss_of_batch: Callable[[], Any]) -> tuple[float, list[Any]]:
    """A tape records every operation on the way forward, and is played backwards."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = loss_of_batch()
    weights = [weight.value for weight in model.trainable_variables]
    gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
    # That of an Embedding names only the rows that are not 0.
    return float(loss), [tf.convert_to_tensor(gradient) for gradient in gradients]


def _by_torch(model: Any, loss_of_batch: Callable[[], Any]) -> tuple[float, list[Any]]:
    """Every tensor remembers the operation that it came from."""
    import torch

    loss = loss_of_batch()
    weights = [weight.value for weight in model.trainable_variables]
    return float(loss.detach()), list(torch.autograd.grad(loss, weights, materialize_grads=True))


def _by_jax(model: Any, loss_of_batch: Callable[[], Any]) -> tuple[float, list[Any]]:
    """JAX derives functions of their arguments alone: the weights become arguments, and whatever
    else a forward pass changes, such as metrics, becomes a result."""
    import jax
    import keras

    weights = model.trainable_variables
    others = [*model.non_trainable_variables, *model.metrics_variables]

    def loss_of_weights(values: list[Any]) -> tuple[Any, list[Any]]:
        known = [*zip(weights, values, strict=True), *((other, other.value) for other in others)]
        with keras.StatelessScope(known, collect_losses=True) as scope:
            return loss_of_batch(), [scope.get_current_value(other) for other in others]

    derived = jax.value_and_grad(loss_of_weights, has_aux=True)
    (loss, changed), gradients = derived([weight.value for weight in weights])
    for other, value in zip(others, changed, strict=True):
        other.assign(value)
    return float(loss), list(gradients)
