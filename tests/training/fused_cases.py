"""Models of every kind that the fused engine must train as `fit` does, and their rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.training.rows import FitRows

Array = np.ndarray


@dataclass(frozen=True)
class Case:
    """One kind of model.

    Args:
        layers: Makes the layers, anew each time.
        shape: Shape of one row.
        inputs: `float`, `int` (numbers below 20) or `image` (uint8).
        classes: Number of classes; 0 for one quantity, 1 for two classes and one output.
        optimizer: Makes the optimizer.
        metrics: Makes the metrics.
        class_weight: Weights of the classes.
        weights: Whether the rows have weights.
    """

    layers: Callable[[], list[Any]]
    shape: tuple[int, ...] = (6,)
    inputs: str = "float"
    classes: int = 3
    optimizer: Callable[[], Any] = lambda: "rmsprop"
    metrics: Callable[[], list[Any]] = lambda: ["accuracy"]
    class_weight: dict[int, float] | None = None
    weights: bool = False

    def model(self, seed: int = 0) -> Any:
        """Return a fresh model; the same seed gives the same initial weights."""
        import keras

        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(seed)
        dtype = {"float": "float32", "int": "int32", "image": "uint8"}[self.inputs]
        output = keras.layers.Dense(
            max(self.classes, 1), activation=["linear", "sigmoid", "softmax"][min(self.classes, 2)]
        )
        model = keras.Sequential(
            [keras.Input(self.shape, dtype=dtype, name="input_layer"), *self.layers(), output]
        )
        loss = ["mse", "binary_crossentropy", "sparse_categorical_crossentropy"]
        model.compile(
            optimizer=self.optimizer(), loss=loss[min(self.classes, 2)], metrics=self.metrics()
        )
        return model

    def rows(self, count: int, seed: int = 0) -> FitRows:
        """Return random rows."""
        random = np.random.default_rng(seed)
        shape = (count, *self.shape)
        inputs: Array
        if self.inputs == "float":
            inputs = random.normal(size=shape).astype(np.float32)
        else:
            high = 20 if self.inputs == "int" else 256
            inputs = random.integers(0, high, shape).astype(
                np.int32 if self.inputs == "int" else np.uint8
            )
        targets: Array = random.normal(size=count).astype(np.float32)
        if self.classes:
            targets = random.integers(0, max(self.classes, 2), count).astype(np.int32)
        weights = random.uniform(0.1, 2, count).astype(np.float32) if self.weights else None
        return FitRows(inputs, targets, weights)


def _layers() -> Any:
    import keras

    return keras.layers


def _dense(*extra: Callable[[], Any], **options: Any) -> Callable[[], list[Any]]:
    def layers() -> list[Any]:
        return [
            _layers().Dense(8, activation="relu", **options),
            *[make() for make in extra],
            _layers().Dense(4, activation="tanh"),
        ]

    return layers


def _adam(**options: Any) -> Callable[[], Any]:
    def make() -> Any:
        import keras

        return keras.optimizers.Adam(**options)

    return make


def _scheduled() -> Any:
    import keras

    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.7)
    return keras.optimizers.SGD(schedule, momentum=0.9)


def _several_metrics() -> list[Any]:
    import keras

    return ["accuracy", "mse", keras.metrics.AUC(name="auc"), keras.metrics.Precision(name="p")]


CASES = {
    "dense": Case(_dense()),
    "regression": Case(_dense(), classes=0, metrics=lambda: ["mae"]),
    "image": Case(
        lambda: [_layers().Rescaling(1 / 255), _layers().Flatten(), _layers().Dense(8)],
        shape=(4, 4, 1),
        inputs="image",
    ),
    "conv": Case(
        lambda: [
            _layers().Conv2D(3, 3, activation="relu"),
            _layers().MaxPooling2D(),
            _layers().Flatten(),
        ],
        shape=(6, 6, 1),
    ),
    "lstm": Case(
        lambda: [_layers().Embedding(20, 4), _layers().LSTM(5)],
        shape=(7,),
        inputs="int",
    ),
    "masked gru in both directions": Case(
        lambda: [
            _layers().Embedding(20, 4, mask_zero=True),
            _layers().Bidirectional(_layers().GRU(3)),
        ],
        shape=(6,),
        inputs="int",
        optimizer=_adam(),
    ),
    "pooled embedding": Case(
        lambda: [_layers().Embedding(20, 4), _layers().GlobalAveragePooling1D()],
        shape=(5,),
        inputs="int",
        optimizer=lambda: "sgd",
    ),
    "gru with recurrent dropout": Case(
        lambda: [_layers().GRU(4, recurrent_dropout=0.3, dropout=0.2)], shape=(5, 3)
    ),
    "dropout": Case(_dense(lambda: _layers().Dropout(0.4), lambda: _layers().GaussianNoise(0.3))),
    "batch norm": Case(_dense(lambda: _layers().BatchNormalization())),
    "layer norm": Case(_dense(lambda: _layers().LayerNormalization())),
    "regularizers": Case(_dense(kernel_regularizer="L1L2", bias_regularizer="l2")),
    "activity regularizer": Case(_dense(activity_regularizer="l1")),
    "constraint": Case(_dense(kernel_constraint="max_norm")),
    "class weights": Case(_dense(), class_weight={0: 0.3, 2: 4.0}),
    "weighted line": Case(list, classes=0, metrics=lambda: ["mae"], weights=True),
    "row weights": Case(_dense(), weights=True),
    "clipnorm": Case(_dense(), optimizer=_adam(clipnorm=0.1)),
    "global clipnorm": Case(_dense(), optimizer=_adam(global_clipnorm=0.1)),
    "moving average": Case(_dense(), optimizer=_adam(use_ema=True, ema_overwrite_frequency=3)),
    "gradient accumulation": Case(_dense(), optimizer=_adam(gradient_accumulation_steps=2)),
    "schedule": Case(_dense(), optimizer=_scheduled),
    "several metrics": Case(_dense(), classes=1, metrics=_several_metrics),
}
