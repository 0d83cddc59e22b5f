"""Metrics of a training on scaled targets are those of predictions in the target's own unit; see
`test_other_backends.py`, which runs this on JAX too."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from dlrun.data.fitting.target_pipeline import FittedTarget, TargetPipeline
from dlrun.data.step import FittedStep
from dlrun.data.targets.standardize import StandardizeTarget
from dlrun.training.engine import FitRequest
from dlrun.training.own_unit import measure_in_own_unit, own_unit_variables
from dlrun.training.rows import FitRows
from dlrun.training.trainer import Trainer

pytestmark = pytest.mark.engines

Array = np.ndarray
RATE = 0.05
ON_JAX = keras.backend.backend() == "jax"

# A different mean and deviation for each target and fold.
FOLDS = [([12.0, 300.0], [3.0, 80.0]), ([15.0, 200.0], [2.0, 50.0]), ([9.0, 250.0], [4.0, 9.0])]


def metrics() -> list[Any]:
    return [
        "mae",
        "mape",
        "msle",
        keras.metrics.MeanMetricWrapper(keras.losses.huber, name="huber"),
        keras.metrics.R2Score(name="r2"),
        keras.metrics.RootMeanSquaredError(name="rmse"),
        keras.metrics.LogCoshError(name="logcosh"),
        keras.metrics.CosineSimilarity(name="cosine"),
        keras.metrics.PearsonCorrelation(axis=0, name="pearson"),
    ]


def pipeline(fold: int) -> TargetPipeline:
    learnt = zip(("a", "b"), *FOLDS[fold], strict=True)
    return TargetPipeline(
        "regression",
        {
            name: FittedTarget(
                (FittedStep(StandardizeTarget(), {"mean": mean, "std": std}),), 1, None
            )
            for name, mean, std in learnt
        },
    )


def scaled(fold: int, count: int, seed: int) -> FitRows:
    random = np.random.default_rng((fold, seed))
    inputs = random.normal(size=(count, 4)).astype(np.float32)
    noise = random.normal(scale=0.1, size=(count, 2))
    return FitRows(inputs, (inputs[:, :2] + noise).astype(np.float32))


def fresh_model(seed: int) -> Any:
    keras.utils.set_random_seed(seed)
    keras.utils.clear_session(free_memory=False)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(RATE), "mse", metrics=metrics())
    return model


def measured(truth: Array, guess: Array) -> dict[str, float]:
    """The same metrics in NumPy."""
    error = guess - truth
    small = np.abs(error) <= 1
    logarithms = np.log1p(np.maximum(guess, 1e-7)) - np.log1p(np.maximum(truth, 1e-7))
    spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    products = (truth * guess).sum(axis=1)
    return {
        "mae": np.abs(error).mean(),
        "mape": 100 * (np.abs(error) / np.abs(truth)).mean(),
        "msle": (logarithms**2).mean(),
        "huber": np.where(small, error**2 / 2, np.abs(error) - 0.5).mean(),
        "r2": (1 - (error**2).sum(axis=0) / spread).mean(),
        "rmse": np.sqrt((error**2).mean()),
        "logcosh": np.logaddexp(error, -error).mean() - np.log(2),
        "cosine": (products / np.sqrt((truth**2).sum(1) * (guess**2).sum(1))).mean(),
        "pearson": np.mean([np.corrcoef(truth[:, k], guess[:, k])[0, 1] for k in range(2)]),
    }


def by_hand(fold: int) -> dict[str, list[float]]:
    """Gradient descent in NumPy, and metrics of predictions that are brought back by hand."""
    train, checked = scaled(fold, 30, 0), scaled(fold, 14, 1)
    mean, std = map(np.array, FOLDS[fold])
    kernel, bias = (weights.astype(np.float64) for weights in fresh_model(fold).get_weights())
    history: dict[str, list[float]] = {}

    def measure(rows: FitRows, prefix: str) -> None:
        guess = rows.inputs @ kernel + bias
        for name, value in measured(rows.targets * std + mean, guess * std + mean).items():
            history.setdefault(prefix + name, []).append(value)

    for _ in range(3):
        measure(train, "")
        slope = (train.inputs @ kernel + bias - train.targets) / len(train)
        kernel = kernel - RATE * train.inputs.T @ slope
        bias = bias - RATE * slope.sum(axis=0)
        measure(checked, "val_")
    return history


def requests(**options: Any) -> list[FitRequest]:
    made = []
    for fold in range(len(FOLDS)):
        model = fresh_model(fold)
        measure_in_own_unit(model, {None: pipeline(fold)})
        made.append(
            FitRequest(model, scaled(fold, 30, 0), scaled(fold, 14, 1), 3, 30, seed=fold, **options)
        )
    return made


@pytest.mark.parametrize(
    ("engine", "xla", "together"),
    [
        pytest.param("fused", None if ON_JAX else False, 1, marks=pytest.mark.slow),
        pytest.param("fused", None if ON_JAX else True, 3, marks=pytest.mark.slow),
        pytest.param("keras", None, 1, marks=pytest.mark.slow),
    ],
)
def test_every_metric_of_every_fold_is_in_the_own_unit(
    engine: str, xla: bool | None, together: int
) -> None:
    trainer = Trainer(engine, xla, fits=3, alike=together)
    choice = trainer.choose(requests()[0], ())
    assert choice.folds_together == (together if ON_JAX else 1)
    for fold, fitted in enumerate(trainer.fit_all(requests())):
        expected = by_hand(fold)
        assert expected.keys() == fitted.history.keys() - {"loss", "val_loss", "learning_rate"}
        for name, values in expected.items():
            np.testing.assert_allclose(fitted.history[name], values, rtol=2e-5, err_msg=name)


@pytest.mark.slow
def test_callbacks_see_the_own_unit_and_the_model_is_saved_as_it_was_compiled(
    tmp_path: Any,
) -> None:
    seen: list[float] = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(logs["val_mape"])
    )
    request = requests(callbacks=[watch])[0]
    fitted = Trainer("keras").fit(request)
    assert seen == fitted.history["val_mape"]
    fitted.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert own_unit_variables(loaded) == []
    rows = scaled(0, 14, 1)
    in_deviations = loaded.evaluate(rows.inputs, rows.targets, verbose=0, return_dict=True)
    guess = loaded.predict(rows.inputs, verbose=0)
    assert in_deviations["mae"] == pytest.approx(np.abs(guess - rows.targets).mean(), rel=1e-5)
    assert in_deviations["loss"] == pytest.approx(fitted.history["val_loss"][-1], rel=1e-5)


@pytest.mark.slow
def test_a_metric_of_several_numbers_is_their_mean_in_every_engine() -> None:
    def request() -> FitRequest:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="sigmoid")])
        model.compile("sgd", "binary_crossentropy", metrics=[keras.metrics.F1Score(threshold=0.5)])
        measure_in_own_unit(model, {})
        rows = scaled(0, 30, 0)
        return FitRequest(
            model, FitRows(rows.inputs, (rows.targets > 0).astype(np.float32)), None, 2, 30
        )

    fused, fit = (Trainer(engine).fit(request()) for engine in ("fused", "keras"))
    assert fused.history["f1_score"] == pytest.approx(fit.history["f1_score"])
    each = fit.model.evaluate(
        request().train.inputs, request().train.targets, verbose=0, return_dict=True
    )
    assert np.ndim(each["f1_score"]) == 0
