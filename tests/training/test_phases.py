"""Phases of training in whole runs, against `fit` by hand."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

import dlrun
from dlrun.config.dump import dump_config
from dlrun.config.load import load_config
from dlrun.errors import ConfigError, TrainingError
from dlrun.store.run_directory import RunDirectory
from dlrun.training.rows import row_order
from dlrun.workflows.finalize import finalize

CONFIG = """
dataset: {source: npz, path: rows.npz, inputs: x, targets: y}
architecture:
  layers:
    - Dense: {units: 8, activation: relu, name: base}
    - BatchNormalization: {name: norm}
    - Dense: {units: 1, activation: sigmoid, name: head}
loss: binary_crossentropy
optimizer: {sgd: {learning_rate: 0.1}}
metrics: [accuracy]
training:
  batch_size: 16
  phases:
    - {name: head alone, epochs: 3, freeze: base}
    - {epochs: 2, unfreeze: "*", optimizer: adam, learning_rate: 0.01, batch_size: 8}
evaluation: {validation: {fraction: 0.25}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(80, 5)).astype("float32")
    targets = (inputs.sum(axis=1) > 0).astype("int64")
    np.savez(tmp_path / "rows.npz", x=inputs, y=targets)
    file = tmp_path / "experiment.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def train(config: Path, *overrides: str) -> dlrun.Run:
    return dlrun.train(config, runs_dir=config.parent / "runs", overrides=overrides)


def metrics_of(run: dlrun.Run) -> pd.DataFrame:
    return pd.read_csv(run.path / "metrics.csv")


def by_hand(config: Path, run: dlrun.Run) -> tuple[Any, dict[str, list[float]]]:
    """The same two trainings with `fit`, one batch after another in dlrun's order of rows."""
    with np.load(config.parent / "rows.npz") as arrays:
        inputs, targets = arrays["x"], arrays["y"]
    with np.load(run.path / "splits.npz") as splits:
        train_rows, held_out = splits["fold00_train"], splits["fold00_validation"]
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(8, activation="relu", name="base"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(1, activation="sigmoid", name="head"),
        ]
    )
    history: dict[str, list[float]] = {}
    epoch = 0
    model.get_layer("base").trainable = False
    optimizers: list[Any] = [keras.optimizers.SGD(0.1), keras.optimizers.Adam(0.01)]
    for optimizer, epochs, size in zip(optimizers, (3, 2), (16, 8), strict=True):
        model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
        for _ in range(epochs):
            rows = train_rows[row_order(len(train_rows), seed=0, epoch=epoch, shuffle=True)]
            told = model.fit(
                inputs[rows],
                targets[rows, None],
                batch_size=size,
                shuffle=False,
                verbose=0,
                validation_data=(inputs[held_out], targets[held_out, None]),
            )
            for name, values in told.history.items():
                history.setdefault(name, []).extend(values)
            epoch += 1
        for layer in model.layers:
            layer.trainable = True
    return model, history


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", pytest.param("keras", marks=pytest.mark.slow)])
def test_phases_train_what_fit_trains_twice(config: Path, engine: str) -> None:
    run = train(config, f"training.engine={engine}")
    model, history = by_hand(config, run)
    told = metrics_of(run)
    assert list(told["phase"]) == [1, 1, 1, 2, 2]
    assert list(told["epoch"]) == [1, 2, 3, 4, 5]
    for name, values in history.items():
        np.testing.assert_allclose(told[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(told["learning_rate"], [0.1] * 3 + [0.01] * 2, rtol=1e-6)
    trained = keras.saving.load_model(run.path / "model.keras")
    for ours, theirs in zip(trained.weights, model.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("curves_drawn")
@pytest.mark.slow
def test_the_result_keeps_each_phase(config: Path) -> None:
    run = train(config)
    told, facts = metrics_of(run), json.loads((run.path / "run.json").read_text("utf-8"))
    first, second = run.result["folds"][0]["phases"]
    assert facts["phases"] == [first, second]
    assert (first["name"], second["name"]) == ("head alone", "phase 2")
    assert (first["first"], first["epochs"], second["first"], second["epochs"]) == (1, 3, 4, 2)
    assert (first["trained_weights"], second["trained_weights"]) == (9 + 16, 48 + 9 + 16)
    accuracy = told["val_accuracy"]
    assert first["best_epoch"] == accuracy[:3].idxmax() + 1
    assert second["best_epoch"] == accuracy[3:].idxmax() + 1
    assert second["best_value"] == pytest.approx(accuracy[3:].max())
    svg = (run.path / "curves.svg").read_text(encoding="utf-8")
    assert "head alone" in svg
    assert "phase 2" in svg


@pytest.mark.slow
def test_repeating_a_run_repeats_its_digits(config: Path) -> None:
    run = train(config)
    again = dlrun.train(run.path / "resolved.yaml", runs_dir=config.parent / "again")
    measured = [name for name in metrics_of(run) if name != "seconds"]
    pd.testing.assert_frame_equal(metrics_of(run)[measured], metrics_of(again)[measured])
    one, other = (RunDirectory.open(path).read_predictions() for path in (run.path, again.path))
    np.testing.assert_array_equal(one["predictions"], other["predictions"])


@pytest.mark.slow
def test_early_stopping_acts_in_each_phase_by_itself(config: Path) -> None:
    stopping = "[{EarlyStopping: {monitor: val_accuracy, patience: 0, baseline: 2, mode: max}}]"
    restoring = "[{EarlyStopping: {patience: 9, restore_best_weights: true}}]"
    run = train(
        config,
        f"training.callbacks={stopping}",
        f"training.phases.1.callbacks={restoring}",
        "training.phases.0.epochs=6",
        "training.phases.1.learning_rate=3.0",
        "training.phases.1.epochs=5",
    )
    told = metrics_of(run)
    assert list(told["phase"]) == [1] * 2 + [2] * 5
    best = int(told["val_loss"][2:].idxmin()) + 1
    assert run.result["kept_weights"] == {"epoch": best, "monitor": "val_loss"}
    with np.load(config.parent / "rows.npz") as arrays:
        held_out = RunDirectory.open(run.path).read_splits()["fold00_validation"]
        rows, targets = arrays["x"][held_out], arrays["y"][held_out, None]
    loss, _ = keras.saving.load_model(run.path / "model.keras").evaluate(rows, targets, verbose=0)
    assert loss == pytest.approx(told["val_loss"][best - 1], rel=1e-5)


@pytest.mark.slow
def test_files_of_callbacks_stand_apart(config: Path) -> None:
    run = train(config, "training.callbacks=[{CSVLogger: log.csv}]")
    for number, epochs in ((1, 3), (2, 2)):
        log = pd.read_csv(run.path / "callbacks" / f"phase-{number}" / "log.csv")
        assert len(log) == epochs


@pytest.mark.slow
def test_folds_are_trained_in_all_phases(config: Path) -> None:
    run = dlrun.kfold(config, folds=2, runs_dir=config.parent / "runs")
    told = metrics_of(run)
    assert list(told["phase"]) == [1, 1, 1, 2, 2] * 2
    second = json.loads((run.path / "folds/01/result.json").read_text("utf-8"))
    assert [phase["epochs"] for phase in second["phases"]] == [3, 2]
    # Fold i is seeded with seed + i, so that it comes out as if it were alone.
    assert told["loss"][0] != told["loss"][5]


@pytest.mark.slow
def test_a_loss_that_becomes_nan_in_a_later_phase_keeps_the_phase_before(config: Path) -> None:
    plain = train(config, "training.phases.1.epochs=1")
    with pytest.raises(TrainingError, match=r"the loss became (NaN|infinite) in epoch 4"):
        train(
            config,
            "loss=mse",
            "architecture.layers.2.Dense.activation=linear",
            "training.phases.1.optimizer=sgd",
            "training.phases.1.learning_rate=1e30",
        )
    (run,) = (path for path in (config.parent / "runs").iterdir() if path != plain.path
              and not path.name.startswith("."))  # fmt: skip
    facts = json.loads((run / "run.json").read_text("utf-8"))
    assert facts["status"] == "failed"
    assert "the model is kept as epoch 3 left it" in facts["error"]
    model = keras.saving.load_model(run / "model.keras")
    assert all(np.isfinite(weight.numpy()).all() for weight in model.weights)
    assert list(pd.read_csv(run / "metrics.csv")["phase"]) == [1, 1, 1, 2]


@pytest.mark.slow
def test_ctrl_c_in_a_later_phase_keeps_what_was_reached(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlrun.protocols.observer import Observer

    class Impatient(Observer):
        def epoch_ended(self, fold: int, epoch: int, logs: dict[str, float], s: float) -> None:
            if epoch == 4:
                signal.raise_signal(signal.SIGINT)

    run = dlrun.train(
        config,
        runs_dir=config.parent / "runs",
        observer=Impatient(),
        overrides=["training.phases.1.epochs=50", "training.engine=keras"],
    )
    assert run.status == "interrupted"
    assert run.result["folds"][0]["phases"][0]["epochs"] == 3
    assert 4 <= len(metrics_of(run)) < 50
    assert (run.path / "model.keras").is_file()


@pytest.mark.slow
def test_the_final_model_repeats_all_phases_as_long_as_was_best(config: Path) -> None:
    run = train(config, "training.phases.1.epochs=4")
    final = finalize(run.path, runs_dir=config.parent / "runs")
    best = run.result["folds"][0]["phases"][1]["best_epoch"] - 3
    planned = yaml.safe_load((final.path / "resolved.yaml").read_text("utf-8"))["training"]
    # 80 rows instead of 60.
    assert [phase["epochs"] for phase in planned["phases"]] == [4, max(1, round(best * 80 / 60))]
    assert list(metrics_of(final)["phase"]).count(1) == 4
    longer = finalize(run.path, epochs=3, runs_dir=config.parent / "runs")
    assert list(metrics_of(longer)["phase"]) == [1] * 4 + [2] * 3


@pytest.mark.slow
def test_a_frozen_base_is_run_once_and_the_run_says_so(config: Path) -> None:
    cached = train(config)
    whole = train(config, "training.cache_features=false")
    first, second = cached.result["folds"][0]["phases"]
    assert (first["features"], second["features"]) == (8, None)
    assert whole.result["folds"][0]["phases"][0]["features"] is None
    runs = config.parent / "runs"
    assert len(list((runs / ".cache/features").glob("*.npy"))) == 1
    for name in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(metrics_of(cached)[name], metrics_of(whole)[name], rtol=1e-4)
    model = keras.saving.load_model(cached.path / "model.keras")
    assert model.input_shape == (None, 5)
    assert RunDirectory.open(cached.path).status == "finished"


def test_a_layer_that_is_not_there_is_told_before_anything_is_trained(config: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        train(config, "training.phases.1.unfreeze=[base, hed]")
    (problem,) = caught.value.problems
    assert problem.message == (
        "'hed' under 'unfreeze' matches no layer of the model; did you mean 'head'?"
    )
    assert not (config.parent / "runs").exists()
    with pytest.raises(ConfigError, match="nothing is left to be trained"):
        train(config, 'training.phases.0.freeze="*"')


def test_phases_of_other_callbacks_decide_what_is_watched(config: Path) -> None:
    callbacks = "[{EarlyStopping: {patience: 3}}]"
    loaded = load_config(config, [f"training.phases.1.callbacks={callbacks}"])
    assert [callback.name for callback in loaded.training.every_callback] == ["EarlyStopping"]
    assert loaded.training.epochs == 5
    without = load_config(config, ["training.phases=null", "training.epochs=7"])
    assert (without.training.phases, without.training.epochs) == ([], 7)
    assert "epochs" not in dump_config(loaded)["training"]
