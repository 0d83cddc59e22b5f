"""`mixed_precision: true`: 16 bits inside, 32 bits where they matter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import dlrun
from dlrun.models import precision

pytestmark = pytest.mark.slow

CONFIG = """\
dataset: {source: sklearn, name: digits}
preprocess: [{rescale: 1/16}]
architecture:
  layers:
    - Dense: {units: 64, activation: relu}
    - Dense: {units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
training: {epochs: 4, batch_size: 32, mixed_precision: true}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "digits.yaml"
    path.write_text(CONFIG)
    return path


def trained(config: Path, *overrides: str) -> dlrun.Run:
    return dlrun.train(config, overrides=overrides, runs_dir=config.parent / "runs")


def policy_of(run: dlrun.Run) -> str:
    policy: str = json.loads((run.path / "run.json").read_text())["dtype_policy"]
    return policy


@pytest.mark.parametrize(
    ("engine", "narrow"), [("fused", "float16"), ("keras", "float16"), ("fused", "bfloat16")]
)
def test_hidden_layers_are_narrow_and_the_score_is_as_good(
    config: Path, engine: str, narrow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.setattr(precision, "has_gpu", lambda: narrow == "float16")
    exact = trained(config, f"training.engine={engine}", "training.mixed_precision=false")
    mixed = trained(config, f"training.engine={engine}")
    assert (policy_of(exact), policy_of(mixed)) == ("float32", f"mixed_{narrow}")
    # Not by dlrun: the file must be one that plain Keras reads.
    model = keras.saving.load_model(mixed.path / "model.keras")
    hidden, output = model.layers
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert (hidden.compute_dtype, output.compute_dtype) == (narrow, "float32")
    assert np.asarray(model.predict_on_batch(np.zeros((2, 64), np.float32))).dtype == np.float32
    scales = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scales == (narrow == "float16")
    assert mixed.score == pytest.approx(exact.score, abs=0.03)
    assert mixed.score > 0.85
    np.testing.assert_allclose(mixed.history["loss"], exact.history["loss"], rtol=0.05)
    assert (mixed.history["loss"] != exact.history["loss"]).any()
    np.testing.assert_allclose(mixed.history["learning_rate"], 0.001, rtol=1e-6)


def test_both_engines_and_every_fold_compute_alike(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "has_gpu", lambda: True)
    folds = ["evaluation.protocol=kfold", "evaluation.folds=2", "training.epochs=2"]
    fused = trained(config, "training.engine=fused", "training.xla=false", *folds)
    fitted = trained(config, "training.engine=keras", *folds)
    np.testing.assert_allclose(fused.history["loss"], fitted.history["loss"], rtol=1e-3)


def test_the_policy_ends_with_the_model(config: Path) -> None:
    import keras

    before = keras.config.dtype_policy().name
    trained(config, "training.epochs=1")
    assert keras.config.dtype_policy().name == before == "float32"
    assert keras.layers.Dense(1).compute_dtype == "float32"
    again = trained(config, "training.epochs=1", "training.mixed_precision=false")
    assert {layer.compute_dtype for layer in again.model.layers} == {"float32"}


def test_an_output_layer_keeps_the_dtype_that_it_names(config: Path) -> None:
    run = trained(
        config,
        "training.epochs=1",
        "architecture.layers.1.Dense.dtype=mixed_bfloat16",
    )
    assert run.model.layers[-1].compute_dtype == "bfloat16"
    assert run.score > 0.2
