"""The number that an explanation explains: what a model says of one class, for each row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from dlrun.views.parts.subject import ChosenRows, Subject

Array = np.ndarray

Score = Literal["probability", "logit"]

_SQUASHING = ("softmax", "sigmoid")


class ClassScore:
    """What a model says of a class of each row, or the quantity that it predicts.

    Args:
        subject: Its model.
        score: `probability`, or `logit`: what comes before the last softmax or sigmoid.
    """

    def __init__(self, subject: Subject, score: Score) -> None:
        self._subject, self.score = subject, score
        if len(subject.model_output_shape) != 2:
            message = "this view needs a model with one prediction for each row"
            raise subject.problem(f"{message}, and its output has the axes of steps or pixels")

    def classes(self, wanted: str | int, predictions: Array, chosen: ChosenRows) -> Array:
        """Return the index of the class that is explained for each row, (n,).

        Args:
            wanted: `predicted`, `true`, or a class by name or index.
            predictions: (n, k) probabilities.
            chosen: The rows.

        Raises:
            ComponentError: There is no such class, or the rows have no targets.
        """
        subject, count = self._subject, len(predictions)
        if subject.task == "regression":
            if wanted != "predicted":
                message = f"the model predicts a quantity, and knows no class '{wanted}'"
                raise subject.problem(message, "class")
            return np.zeros(count, np.int64)
        names = subject.class_names
        if wanted == "predicted":
            if predictions.shape[1] == 1:
                return (predictions[:, 0] > 0.5).astype(np.int64)
            return np.asarray(predictions.argmax(axis=1))
        if wanted == "true":
            if not chosen.labels or subject.task == "multilabel":
                raise subject.problem("these rows have no true class", "class")
            return subject.true_classes(chosen.samples)
        if str(wanted) not in names:
            message = f"there is no class '{wanted}'; the classes are {', '.join(names[:20])}"
            raise subject.problem(message, "class")
        return np.full(count, names.index(str(wanted)), np.int64)

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Let the model give, in the body, what `of` makes the scores of."""
        subject = self._subject
        if self.score == "probability" or subject.meaning != "probabilities":
            yield
            return
        import keras

        layer = _last_layer(subject)
        kind = type(layer).__name__
        activation = getattr(getattr(layer, "activation", None), "__name__", kind.lower())
        if activation not in _SQUASHING:
            message = "the last layer has no softmax or sigmoid, before which there were a logit"
            raise subject.problem(message, "score")
        if kind == "Softmax":
            layer.__dict__["call"] = lambda inputs, *args, **options: inputs
            try:
                yield
            finally:
                del layer.__dict__["call"]
            return
        before = layer.activation
        layer.activation = keras.activations.linear
        try:
            yield
        finally:
            layer.activation = before

    def of(self, outputs: Any, classes: Any) -> Any:
        """Return the score of each row, a tensor (n,), of what the model gives for a batch.

        Args:
            outputs: What the model gives.
            classes: (n,) the class of each row.
        """
        from keras import ops

        subject = self._subject
        name = subject.output.name
        values = outputs[name] if isinstance(outputs, dict) else outputs
        values = ops.cast(values, "float32")
        squash = self.score == "probability" and subject.meaning in ("logits", "class logits")
        if squash:
            one = values.shape[-1] == 1 or subject.meaning == "logits"
            values = ops.sigmoid(values) if one else ops.softmax(values, axis=-1)
        if subject.task == "regression" or values.shape[-1] > 1:
            chosen = np.zeros((len(classes), values.shape[-1]), np.float32)
            chosen[np.arange(len(classes)), classes] = 1
            return ops.sum(values * ops.convert_to_tensor(chosen), axis=-1)
        # The first of two classes has what the second one lacks.
        shares = self.score == "probability" and subject.meaning != "margins"
        sign = np.where(np.asarray(classes) == 1, 1, -1).astype(np.float32)
        offset = np.where(np.asarray(classes) == 1, 0, 1 if shares else 0).astype(np.float32)
        return ops.convert_to_tensor(offset) + ops.convert_to_tensor(sign) * values[:, 0]


def _last_layer(subject: Subject) -> Any:
    """The layer that gives the scored output, within nested models."""
    model = subject.model
    names = list(getattr(model, "output_names", ()))
    index = names.index(subject.output.name) if subject.output.name in names else 0
    layer = model.outputs[index]._keras_history.operation
    while hasattr(layer, "layers"):
        layer = layer.outputs[0]._keras_history.operation
    return layer
