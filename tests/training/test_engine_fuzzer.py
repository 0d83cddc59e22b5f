"""Random models, losses, optimizers, weights, masks, units and callbacks: the fused engine, the
Keras engine and a hand-written `fit` give the same history and weights.

`DLRUN_FUZZ=200 pytest -m slow tests/training/test_engine_fuzzer.py` tries more of them;
`test_other_backends.py` runs this on JAX.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import pytest

from dlrun.data.fitting.target_pipeline import FittedTarget, TargetPipeline
from dlrun.data.step import FittedStep
from dlrun.data.targets.standardize import StandardizeTarget
from dlrun.training.engine import FitRequest
from dlrun.training.own_unit import measure_in_own_unit
from dlrun.training.rows import FitRows
from dlrun.training.trainer import Trainer

pytestmark = [pytest.mark.slow, pytest.mark.engines, pytest.mark.timeout(900)]

ON_JAX = keras.backend.backend() == "jax"
CONFIGS = int(os.environ.get("DLRUN_FUZZ", "4" if ON_JAX else "10"))
EPOCHS = 3
STEPS = 5
MEAN, STD = 12.0, 3.0

Array = np.ndarray
Make = Callable[[], Any]


class AddsLoss(keras.layers.Layer):
    """A penalty of the activity, as `add_loss` in a plugin gives it."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        self.add_loss(0.01 * keras.ops.mean(keras.ops.square(inputs)))
        return inputs


class AreaUnderUnmasked(keras.metrics.AUC):
    """Leaves masked steps out; Keras' own counts them unless they get a weight of 0."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(y_true, y_pred, getattr(y_pred, "_keras_mask", sample_weight))


@dataclass(frozen=True)
class Setup:
    """One random experiment; everything of Keras is made anew each time.

    Args:
        layers: The layers above the output.
        shape: Of one row.
        dtype: Of the inputs.
        output: The last layer.
        loss: The loss.
        metrics: The metrics.
        target: Draws the targets of some rows, given their predicted shape.
        optimizer: The optimizer.
        callbacks: The callbacks.
        weights: Whether rows have weights.
        per_step: Whether each step has a target: then Keras takes weights as (n, 1).
        class_weight: Weights of classes.
        scaled: Whether the targets are scaled.
        folds: How many fits use one trainer.
        rows: Training rows.
        batch_size: Rows of a step.
        xla: Whether XLA compiles the fused engine.
    """

    layers: Make
    shape: tuple[int, ...]
    dtype: str
    output: Make
    loss: Any
    metrics: Make
    target: Callable[[Any, int], Array]
    optimizer: Make
    callbacks: Make
    weights: bool
    per_step: bool
    class_weight: dict[int, float] | None
    scaled: bool
    folds: int
    rows: int
    batch_size: int
    xla: bool

    def model(self, fold: int, metrics: Make | None = None) -> Any:
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(fold)
        layers = [keras.Input(self.shape, dtype=self.dtype), *self.layers(), self.output()]
        model = keras.Sequential(layers)
        model.compile(self.optimizer(), self.loss, metrics=(metrics or self.metrics)())
        return model

    def fit_rows(self, fold: int, count: int, *, training: bool) -> FitRows:
        draw = np.random.default_rng((fold, count))
        inputs: Array = draw.normal(size=(count, *self.shape)).astype(np.float32)
        if self.dtype == "int32":
            inputs = draw.integers(0, 12, (count, *self.shape)).astype(np.int32)
        one_each = (count, 1) if self.per_step else (count,)
        weights = draw.uniform(0.1, 2, one_each).astype(np.float32) if self.weights else None
        return FitRows(inputs, self.target(draw, count), weights)

    def request(self, fold: int) -> FitRequest:
        model = self.model(fold)
        measure_in_own_unit(model, {None: own_unit()} if self.scaled else {})
        return FitRequest(
            model,
            self.fit_rows(fold, self.rows, training=True),
            self.fit_rows(fold, 11, training=False),
            EPOCHS,
            self.batch_size,
            shuffle=False,
            class_weight=self.class_weight,
            callbacks=self.callbacks(),
        )


def own_unit() -> TargetPipeline:
    step = FittedStep(StandardizeTarget(), {"mean": MEAN, "std": STD})
    return TargetPipeline("regression", {"y": FittedTarget((step,), 1, None)})


def restored(function: Any) -> Any:
    """A metric of one value in the own unit, as one writes it for Keras."""
    return lambda truth, guess: function(truth * STD + MEAN, guess * STD + MEAN)


def setup_of(draw: random.Random) -> Setup:
    """A random experiment."""
    kind = draw.choice(["flat", "flat", "tokens", "series"])
    per_step = kind != "flat" and draw.random() < 0.4
    random_layers = draw.random() < 0.3
    layers, shape = layers_of(draw, kind, per_step, random_layers)
    task = draw.choice(["regression", "binary", "classes", "one_hot"])
    steps = (STEPS,) if per_step else ()
    scaled = task == "regression" and not per_step and draw.random() < 0.6
    output, loss, metrics, target = head_of(draw, task, steps, scaled)
    classes = {"binary": 2, "classes": 3, "one_hot": 3}.get(task, 0)
    weighting = draw.choice(["none", "rows", "classes"])
    by_class = weighting == "classes" and classes > 0 and not per_step
    return Setup(
        layers=layers,
        shape=shape,
        dtype="int32" if kind == "tokens" else "float32",
        output=output,
        loss=loss,
        metrics=metrics,
        target=target,
        optimizer=optimizer_of(draw),
        callbacks=callbacks_of(draw),
        weights=weighting == "rows",
        per_step=per_step,
        class_weight={0: 0.4, classes - 1: 2.5} if by_class else None,
        scaled=scaled,
        folds=draw.choice([1, 1, 1, 2]),
        rows=draw.choice([20, 23]),
        batch_size=draw.choice([4, 7, 32]),
        xla=not ON_JAX and not random_layers and kind == "flat" and draw.random() < 0.4,
    )


def layers_of(
    draw: random.Random, kind: str, per_step: bool, random_layers: bool
) -> tuple[Make, tuple[int, ...]]:
    layers = keras.layers
    parts: list[Make] = []
    penalty = draw.choice([{}, {"kernel_regularizer": "l2"}, {"activity_regularizer": "l1"}])
    if kind == "tokens":
        mask = draw.random() < 0.7
        parts.append(lambda: layers.Embedding(12, 4, mask_zero=mask))
    elif kind == "series" and draw.random() < 0.5:
        parts.append(lambda: layers.Masking(mask_value=0.0))
    if kind != "flat":
        cell = draw.choice([layers.GRU, layers.LSTM, layers.SimpleRNN])
        wrap = draw.choice([False, True])

        def recurrent() -> Any:
            inner = cell(3, return_sequences=per_step)
            return layers.Bidirectional(inner) if wrap else inner

        parts.append(recurrent)
    activation = draw.choice(["relu", "tanh", "gelu"])
    parts.append(lambda: layers.Dense(6, activation=activation, **penalty))
    choices: list[Make] = [
        lambda: layers.LayerNormalization(),
        lambda: layers.ActivityRegularization(l2=0.02),
        lambda: AddsLoss(),
        lambda: layers.Dense(4, activation="tanh", kernel_constraint="max_norm"),
    ]
    if not per_step:
        choices.append(lambda: layers.BatchNormalization())
    if random_layers:
        parts += [lambda: layers.Dropout(0.3), lambda: layers.GaussianNoise(0.1)]
    parts += draw.sample(choices, draw.randint(0, 2))
    shape = {"flat": (5,), "tokens": (STEPS,), "series": (STEPS, 2)}[kind]
    return lambda: [make() for make in parts], shape


def head_of(
    draw: random.Random, task: str, steps: tuple[int, ...], scaled: bool
) -> tuple[Make, Any, Make, Callable[[Any, int], Array]]:
    dense, metrics = keras.layers.Dense, keras.metrics
    if task == "regression":
        own = [keras.metrics.mean_absolute_error, keras.losses.mean_absolute_percentage_error]
        own.append(keras.losses.huber)

        def measured() -> list[Any]:
            if scaled or steps:
                return [metrics.MeanMetricWrapper(f, name=f.__name__) for f in own]
            return ["mae", metrics.R2Score(), metrics.RootMeanSquaredError(name="rmse")]

        return (
            lambda: dense(1),
            draw.choice(["mse", "mae", "huber", "log_cosh"]),
            measured,
            lambda rng, n: rng.normal(size=(n, *steps, 1)).astype(np.float32),
        )
    if task == "binary":
        logits = draw.random() < 0.3
        options = {"from_logits": True} if logits else {}
        return (
            lambda: dense(1, activation=None if logits else "sigmoid"),
            keras.losses.BinaryCrossentropy(**options),
            lambda: [
                metrics.BinaryAccuracy(threshold=0.0 if logits else 0.5, name="accuracy"),
                metrics.AUC(from_logits=logits, name="auc"),
                *([] if steps else [metrics.F1Score(threshold=0.5, name="f1")]),
            ],
            lambda rng, n: rng.integers(0, 2, (n, *steps, 1)).astype(np.float32),
        )
    sparse = task == "classes"
    smoothing = draw.choice([0.0, 0.1])
    loss = (
        keras.losses.SparseCategoricalCrossentropy()
        if sparse
        else keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    )
    whole = [] if sparse or steps else [lambda: metrics.F1Score(average="macro", name="f1")]

    def target(rng: Any, n: int) -> Array:
        labels = rng.integers(0, 3, (n, *steps)).astype(np.int32)
        return labels if sparse else np.eye(3, dtype=np.float32)[labels]

    return (
        lambda: dense(3, activation="softmax"),
        loss,
        lambda: ["accuracy", *(make() for make in whole)],
        target,
    )


def optimizer_of(draw: random.Random) -> Make:
    name = draw.choice(["SGD", "Adam", "RMSprop", "AdamW", "Nadam", "Adagrad", "ScheduleFreeAdamW"])
    options: dict[str, Any] = draw.choice(
        [
            {},
            {},
            {"clipnorm": 0.1},
            {"global_clipnorm": 0.1},
            {"clipvalue": 0.01},
            {"use_ema": True, "ema_overwrite_frequency": 3},
            {"use_ema": True},
            {"gradient_accumulation_steps": 2},
        ]
    )
    if name == "ScheduleFreeAdamW":
        options = {}
    schedule = name != "ScheduleFreeAdamW" and draw.random() < 0.3

    def make() -> Any:
        rate = keras.optimizers.schedules.ExponentialDecay(0.02, 3, 0.7) if schedule else 0.02
        return getattr(keras.optimizers, name)(learning_rate=rate, **options)

    # A schedule sets the rate itself.
    make.scheduled = schedule  # type: ignore[attr-defined]
    return make


def callbacks_of(draw: random.Random) -> Make:
    callbacks = keras.callbacks
    makes: list[Make] = [
        lambda: callbacks.EarlyStopping(patience=1, restore_best_weights=True),
        lambda: callbacks.EarlyStopping(monitor="loss", min_delta=0.05, start_from_epoch=1),
        lambda: callbacks.ReduceLROnPlateau(patience=1, min_delta=0.1, factor=0.3),
    ]
    chosen = draw.sample(makes, draw.choice([0, 0, 1, 2]))
    return lambda: [make() for make in chosen]


def without_rates(setup: Setup) -> Setup:
    """A schedule allows no callback that sets the learning rate."""
    if not getattr(setup.optimizer, "scheduled", False):
        return setup
    return replace(
        setup,
        callbacks=lambda: [
            one for one in setup.callbacks() if type(one).__name__ != "ReduceLROnPlateau"
        ],
    )


def by_hand(setup: Setup, fold: int) -> tuple[dict[str, list[float]], list[Array]]:
    """A `fit` as one writes it."""

    def metrics() -> list[Any]:
        if not setup.scaled:
            return [
                AreaUnderUnmasked(from_logits=one._from_logits, name=one.name)
                if isinstance(one, keras.metrics.AUC)
                else one
                for one in setup.metrics()
            ]
        names = [one.name for one in setup.metrics()]
        functions = [one._fn for one in setup.metrics()]
        return [
            keras.metrics.MeanMetricWrapper(restored(function), name=name)
            for name, function in zip(names, functions, strict=True)
        ]

    model = setup.model(fold, metrics)
    # Steps as small as these take less time than compiling them.
    model.run_eagerly = True
    model.optimizer.build(model.trainable_variables)
    train = setup.fit_rows(fold, setup.rows, training=True)
    checked = setup.fit_rows(fold, 11, training=False)
    parts = (checked.inputs, checked.targets, checked.weights)
    fitted = model.fit(
        train.inputs,
        train.targets,
        sample_weight=train.weights,
        class_weight=setup.class_weight,
        validation_data=tuple(part for part in parts if part is not None),
        validation_batch_size=256,
        batch_size=setup.batch_size,
        epochs=EPOCHS,
        callbacks=setup.callbacks(),
        shuffle=False,
        verbose=0,
    )
    history = {
        name: [float(np.mean(value)) for value in values] for name, values in fitted.history.items()
    }
    return history, model.get_weights()


class Recorded(random.Random):
    """Keeps what was chosen, in words."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.chosen: set[str] = set()

    def choice(self, options: Any) -> Any:
        found = super().choice(options)
        self.chosen.add(f"{len(options)} {getattr(found, '__name__', found)}")
        return found


def choices_of(seed: int) -> tuple[set[str], float]:
    """What the experiment of a seed draws, and each pair of it; and how much work it is."""
    draw = Recorded(seed)
    setup = setup_of(draw)
    flags = {
        "xla": setup.xla,
        "class weights": setup.class_weight is not None,
        "own unit": setup.scaled,
        "schedule": getattr(setup.optimizer, "scheduled", False),
    }
    facts = {*draw.chosen, *(f"{name} {flag}" for name, flag in flags.items())}
    pairs = {" and ".join(pair) for pair in itertools.combinations(sorted(facts), 2)}
    recurrent = len(setup.shape) > 1 or setup.dtype == "int32"
    return facts | pairs, setup.folds * (2 if recurrent else 1)


def telling_seeds(count: int) -> list[int]:
    """The seeds that draw most of what there is, and most pairs of it, for their work."""
    left = {seed: choices_of(seed) for seed in range(max(50, count))}
    seeds: list[int] = []
    covered: set[str] = set()
    for _ in range(count):
        best = max(left, key=lambda seed: len(left[seed][0] - covered) / left[seed][1] ** 0.5)
        seeds.append(best)
        covered |= left.pop(best)[0]
    return seeds


@pytest.mark.parametrize("seed", telling_seeds(CONFIGS))
def test_engines_agree_with_a_fit_written_by_hand(seed: int) -> None:
    setup = without_rates(setup_of(random.Random(seed)))
    fused = Trainer("fused", setup.xla if not ON_JAX else None, setup.folds, alike=setup.folds)
    plain = Trainer("keras")
    close = 1e-3 if setup.xla else 1e-4
    requests = [setup.request(fold) for fold in range(setup.folds)]
    for fold, result in enumerate(fused.fit_all(requests)):
        history, weights = by_hand(setup, fold)
        # The model of a result is that of the next one.
        ours = [result.model.get_weights(), plain.fit(setup.request(fold))]
        other = ours.pop()
        for found, values in (
            (result.history, ours[0]),
            (other.history, other.model.get_weights()),
        ):
            for name in history.keys() - {"learning_rate"}:
                np.testing.assert_allclose(
                    found[name], history[name], rtol=close, atol=close, err_msg=name
                )
            assert found.keys() - {"learning_rate"} == history.keys() - {"learning_rate"}
            for one, expected in zip(values, weights, strict=True):
                np.testing.assert_allclose(one, expected, rtol=close, atol=close)
