"""All fits of an experiment: one engine, one compiled model, and every fold as if it were alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from fused_cases import CASES
from test_fused_histories import request_of, state

from dlrun.errors import ComponentError, TrainingError
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.choice import Choice
from dlrun.training.engine import FitRequest
from dlrun.training.fused import tensorflow_program
from dlrun.training.prediction import predict
from dlrun.training.trainer import Trainer

ON_JAX = keras.backend.backend() == "jax"


def callback(name: str, **arguments: Any) -> KerasComponent:
    """A callback as the config names it."""
    return KerasComponent("callback", name, name, arguments)


def fold(seed: int, rows: int = 23, case: str = "dropout") -> FitRequest:
    """One fold of an experiment: its own rows, its own initial state."""
    return request_of(
        CASES[case],
        rows,
        5,
        model=CASES[case].model(seed),
        train=CASES[case].rows(rows, seed=seed),
        seed=seed,
        shuffle=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "case"),
    [
        ("fused", "dropout"),
        pytest.param("fused", "batch norm", marks=pytest.mark.slow),
        pytest.param("fused", "schedule", marks=pytest.mark.slow),
        pytest.param("keras", "batch norm", marks=pytest.mark.slow),
    ],
)
def test_a_fold_comes_out_as_if_it_were_the_only_one(engine: str, case: str) -> None:
    together = Trainer(engine)
    for seed in range(3):
        rows = 23 if seed < 2 else 21
        result = together.fit(fold(seed, rows, case))
        alone = Trainer(engine).fit(fold(seed, rows, case))
        assert result.history == alone.history
        for ours, theirs in zip(state(result.model), state(alone.model), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        rows_to_predict = CASES[case].rows(300, seed=9).inputs
        np.testing.assert_allclose(
            predict(result.model, rows_to_predict).values[None],
            alone.model.predict(rows_to_predict, verbose=0),
            rtol=1e-6,
        )


@pytest.mark.slow
@pytest.mark.skipif(ON_JAX, reason="JAX compiles for exact numbers of rows")
def test_folds_are_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = count_calls(monkeypatch, tensorflow_program.TensorFlowProgram, "_chunk")
    trainer = Trainer("fused")
    for seed, rows in enumerate([23, 23, 24]):
        trainer.fit(fold(seed, rows))
    assert len(traced) == 1


@pytest.mark.slow
@pytest.mark.skipif(not ON_JAX, reason="TensorFlow compiles for any number of rows")
def test_folds_of_a_shape_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from dlrun.training.fused import jax_epochs

    traced = count_calls(monkeypatch, jax_epochs.JaxEpochs, "__call__")
    trainer = Trainer("fused")
    for seed, rows in enumerate([23, 24, 23, 24]):
        trainer.fit(fold(seed, rows, "dense"))
    assert len(traced) == 2


def count_calls(monkeypatch: pytest.MonkeyPatch, cls: type, method: str) -> list[Any]:
    """The objects whose method is called from now on, one entry a call."""
    calls: list[Any] = []
    original = getattr(cls, method)

    def counted(self: Any, *arguments: Any) -> Any:
        calls.append(self)
        return original(self, *arguments)

    monkeypatch.setattr(cls, method, counted)
    return calls


@pytest.mark.slow
def test_a_fold_of_another_shape_gets_a_program_of_its_own() -> None:
    trainer = Trainer("fused")
    for case in ("dense", "image", "dense"):
        result = trainer.fit(fold(0, case=case))
        alone = Trainer("fused").fit(fold(0, case=case))
        assert result.history == alone.history


@pytest.mark.parametrize(
    ("component", "engine"),
    [
        (callback("EarlyStopping"), "fused"),
        pytest.param(
            callback("ModelCheckpoint", filepath="best.keras"), "fused", marks=pytest.mark.slow
        ),
        (callback("ModelCheckpoint", filepath="best.keras", save_freq=10), "keras"),
        (callback("TerminateOnNaN"), "keras"),
        (callback("SwapEMAWeights"), "keras"),
    ],
)
def test_callbacks_that_look_into_an_epoch_train_with_fit(
    component: KerasComponent, engine: str
) -> None:
    assert Trainer().choose(fold(0), [component]).name == engine


def test_fused_where_it_cannot_be_is_a_mistake_of_the_config() -> None:
    with pytest.raises(ComponentError) as caught:
        Trainer("fused").choose(fold(0), [callback("TerminateOnNaN")])
    assert caught.value.path == ("training", "engine")
    assert str(caught.value) == (
        "training cannot be fused: TerminateOnNaN looks at every batch; use `engine: auto`"
    )


def test_what_cannot_be_traced_is_said() -> None:
    class ReadsValues(keras.layers.Layer):
        def call(self, inputs: Any, training: bool = False) -> Any:
            if training:
                inputs.numpy()
            return inputs

    request = fold(0, case="dense")
    model = keras.Sequential([keras.Input((6,)), ReadsValues(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    request = FitRequest(model, request.train, None, epochs=1, batch_size=5)
    with pytest.raises(
        ComponentError, match=r"^training cannot be fused: (TensorFlow|JAX) cannot trace"
    ):
        Trainer("fused").choose(request, [])
    assert Trainer().choose(request, []).name == "keras"


def test_what_keras_cannot_train_either_is_not_blamed_on_fusing() -> None:
    request = fold(0, case="dense")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    model.compile("sgd", "categorical_crossentropy")
    request = FitRequest(model, request.train, None, epochs=1, batch_size=5)
    for engine in ("fused", "auto"):
        with pytest.raises(TrainingError, match=r"^Keras cannot train the model: Argument"):
            Trainer(engine).choose(request, [])


@pytest.mark.slow
@pytest.mark.skipif(ON_JAX, reason="on JAX, Keras computes NaN too")
def test_an_error_that_xla_hides_is_said() -> None:
    request = fold(0, case="dense")
    request.train.targets[4] = 7
    # The loss and the metrics run beside each other: whichever meets the label first says it.
    said = r"^training failed in epoch 1: (Received a label value of 7|indices\[4\] = 7 is not in)"
    with pytest.raises(TrainingError, match=said):
        Trainer("fused", xla=True).fit(request)


@pytest.mark.slow
@pytest.mark.skipif(ON_JAX, reason="JAX compiles with XLA or not at all")
def test_what_xla_cannot_compile_is_fused_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run = tensorflow_program.TensorFlowProgram.run

    def refuse_xla(self: Any, *arguments: Any) -> Any:
        if self._xla:
            raise tensorflow_program.tf.errors.InvalidArgumentError(None, None, "no such kernel")
        return run(self, *arguments)

    monkeypatch.setattr(tensorflow_program.TensorFlowProgram, "run", refuse_xla)
    request = replace(fold(0, case="dense"), epochs=100_000)
    choice = Trainer().choose(request, [])
    expected = "XLA off: XLA cannot compile it: no such kernel"
    assert choice == Choice("fused", False, expected)
