"""Every callback that Keras exports, and dlrun's own, from the config to what they leave behind."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fused_cases import CASES, Case
from test_fused_histories import keras_fit, request_of

from dlrun.config.document import Reporter
from dlrun.config.keras_components import read_component
from dlrun.errors import ComponentError, ConfigError
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.callbacks import build_callbacks
from dlrun.training.engine import Engine, FitRequest, FitResult
from dlrun.training.fused.engine import FusedEngine
from dlrun.training.keras_engine import KerasEngine
from dlrun.training.trainer import Trainer

ENGINES: dict[str, Callable[[], Engine]] = {
    "fused": lambda: FusedEngine(xla=False),
    "keras": KerasEngine,
}
EPOCHS = 4

ACCEPTED: dict[str, Any] = {
    "BackupAndRestore": {"backup_dir": "backup", "delete_checkpoint": False},
    "CSVLogger": "epochs.csv",
    "EarlyStopping": {"monitor": "loss", "patience": 1},
    "History": None,
    "LearningRateScheduler": {0: 0.01, 2: 0.001},
    "ModelCheckpoint": {"filepath": "epoch_{epoch:02d}.keras"},
    "ReduceLROnPlateau": {"monitor": "loss"},
    "SwapEMAWeights": None,
    "TensorBoard": None,
    "TerminateOnNaN": None,
}
"""With what each is given in the config."""

REFUSED = {
    "Callback": "is an abstract base class; use one of its subclasses",
    "CallbackList": "is Keras' container of callbacks; write a list instead",
    "LambdaCallback": "takes Python code, which a config does not run; write it as a callback in "
    "a file under 'plugins'",
    "OrbaxCheckpoint": "orbax",
    "ProgbarLogger": "prints the progress of training, which dlrun already does",
    "RemoteMonitor": "sends metrics to a server, which dlrun never does; metrics.csv in the run "
    "directory has a row for every epoch",
}
"""Why not; OrbaxCheckpoint needs a package that dlrun does not depend on."""

WITH_FIT = {"SwapEMAWeights", "TerminateOnNaN"}
"""Callbacks that act inside an epoch, so that Keras' own `fit` trains."""

WRITTEN = {
    "BackupAndRestore": "backup/latest.weights.h5",
    "CSVLogger": "epochs.csv",
    "ModelCheckpoint": "epoch_04.keras",
    "TensorBoard": "logs/train",
}
"""A file or folder that each leaves behind."""


def component(name: str, given: Any = None) -> KerasComponent:
    """A callback as the config reads it."""
    report = Reporter()
    read = read_component("callback", name if given is None else {name: given}, (), report)
    if problems := report.problems():
        raise ConfigError(problems)
    assert read is not None
    return read


def fit(
    engine: str, folder: Path, *callbacks: KerasComponent, case: Case | None = None, **options: Any
) -> tuple[FitResult, FitRequest]:
    """Train with callbacks that write into a folder."""
    case = case or CASES["regression"]
    request = request_of(case, 23, 5, epochs=EPOCHS)
    folder.mkdir(parents=True, exist_ok=True)
    built = build_callbacks(
        callbacks,
        lambda: folder,
        model=request.model,
        rows=None if request.validation is None else request.validation.inputs,
        **options,
    )
    request = FitRequest(**{**vars(request), "callbacks": built})
    return ENGINES[engine]().fit(request), request


def test_every_class_that_keras_exports_is_told_of_here() -> None:
    exported = {name for name, value in vars(keras.callbacks).items() if inspect.isclass(value)}
    assert exported == ACCEPTED.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name: str) -> None:
    if name == "OrbaxCheckpoint":
        with pytest.raises(ComponentError, match=REFUSED[name]):
            build_callbacks([component(name, "checkpoints")])
        return
    with pytest.raises(ConfigError) as error:
        component(name)
    assert error.value.problems[0].message == f"'{name}' {REFUSED[name]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ACCEPTED)
def test_every_other_one_trains_and_leaves_what_it_should(name: str, tmp_path: Path) -> None:
    case = CASES["moving average" if name == "SwapEMAWeights" else "regression"]
    request = request_of(case, 23, 5, epochs=EPOCHS)
    callbacks = [component(name, ACCEPTED[name])]
    trainer = Trainer()
    choice = trainer.choose(request, callbacks)
    if keras.backend.backend() != "torch":
        assert (choice.name == "keras") is (name in WITH_FIT), choice.reason
    built = build_callbacks(callbacks, lambda: tmp_path, model=request.model)
    result = trainer.fit(FitRequest(**{**vars(request), "callbacks": built}))
    assert not result.interrupted
    assert len(result.history["loss"]) <= EPOCHS
    assert name not in WRITTEN or (tmp_path / WRITTEN[name]).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "given", "rates"),
    [
        ("keras", {0: 0.01, 2: 0.001}, [0.01, 0.01, 0.001, 0.001]),
        ("fused", {1: 0.5, 3: 0.25}, [0.001, 0.5, 0.5, 0.25]),
        (
            "fused",
            {
                "schedule": {
                    "ExponentialDecay": {
                        "initial_learning_rate": 0.08,
                        "decay_steps": 1,
                        "decay_rate": 0.5,
                    }
                }
            },
            [0.08, 0.04, 0.02, 0.01],
        ),
        (
            "keras",
            {"PiecewiseConstantDecay": {"boundaries": [1], "values": [0.1, 0.01]}},
            [0.1, 0.1, 0.01, 0.01],
        ),
    ],
)
def test_learning_rates_by_epoch(
    engine: str, given: Any, rates: list[float], tmp_path: Path
) -> None:
    result, request = fit(engine, tmp_path, component("LearningRateScheduler", given))
    assert result.history["learning_rate"] == pytest.approx(rates, rel=1e-6)
    model = CASES["regression"].model()
    by_hand = keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    history = keras_fit(request, model, callbacks=[by_hand])
    np.testing.assert_allclose(result.history["loss"], history["loss"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_activations_are_those_of_a_model_that_ends_there(engine: str, tmp_path: Path) -> None:
    logger = component("ActivationLogger", {"layers": ["dense*"], "rows": 3})
    result, request = fit(engine, tmp_path, logger)
    files = sorted(path.name for path in (tmp_path / "activations").iterdir())
    assert files == [f"epoch_{epoch:02d}.npz" for epoch in range(1, EPOCHS + 1)]
    assert request.validation is not None
    with np.load(tmp_path / "activations" / files[-1]) as kept:
        assert sorted(kept) == ["dense", "dense_1", "dense_2"]
        for name in kept:
            part = keras.Model(result.model.inputs, result.model.get_layer(name).output)
            expected = part.predict(request.validation.inputs[:3], verbose=0)
            np.testing.assert_allclose(kept[name], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_activations_inside_nested_models_and_of_every_use_of_a_shared_layer(
    tmp_path: Path,
) -> None:
    entrance = keras.Input((6,), name="entrance")
    body = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, name="inner")], name="body")
    twice = keras.layers.Dense(6, activation="tanh", name="twice")
    model = keras.Model(entrance, keras.layers.Dense(1)(body(twice(twice(entrance)))))
    model.compile("sgd", "mse")
    rows = CASES["regression"].rows(9)
    logger = component("ActivationLogger", {"layers": ["body.inner", "twice"], "rows": 2})
    callbacks = build_callbacks([logger], lambda: tmp_path, model=model, rows=rows.inputs)
    model.fit(rows.inputs, rows.targets, epochs=1, verbose=0, callbacks=callbacks)
    first = np.tanh(rows.inputs[:2] @ np.asarray(twice.kernel) + np.asarray(twice.bias))
    second = np.tanh(first @ np.asarray(twice.kernel) + np.asarray(twice.bias))
    inner = body.get_layer("inner")
    with np.load(tmp_path / "activations" / "epoch_01.npz") as kept:
        assert sorted(kept) == ["body.inner", "twice", "twice_call1"]
        np.testing.assert_allclose(kept["twice"], first, rtol=1e-5)
        np.testing.assert_allclose(kept["twice_call1"], second, rtol=1e-5)
        expected = second @ np.asarray(inner.kernel) + np.asarray(inner.bias)
        np.testing.assert_allclose(kept["body.inner"], expected, rtol=1e-5)


def test_a_layer_that_is_not_there_is_named_with_those_that_are() -> None:
    logger = component("ActivationLogger", "conv*")
    with pytest.raises(ComponentError) as error:
        build_callbacks([logger], model=CASES["regression"].model())
    assert str(error.value) == (
        "ActivationLogger: no layer is called 'conv*'; there are dense_1, dense_2, dense"
    )


def events(folder: Path) -> dict[str, dict[int, Any]]:
    """Every summary below a folder, read with TensorFlow's own parser: by tag and step."""
    import tensorflow as tf

    found: dict[str, dict[int, Any]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                tensor = tf.make_ndarray(value.tensor)
                plugin = value.metadata.plugin_data.plugin_name
                if plugin:
                    found.setdefault(f"{plugin}:{value.tag}", {})[event.step] = tensor
                else:
                    tags = [tag for tag in found if tag.endswith(f":{value.tag}")]
                    found[tags[0]][event.step] = tensor
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_tensorboard_gets_the_history_and_the_weights(engine: str, tmp_path: Path) -> None:
    board = component("TensorBoard", {"histogram_freq": 1, "write_images": True})
    result, _ = fit(engine, tmp_path, board)
    train, held_out = events(tmp_path / "logs/train"), events(tmp_path / "logs/validation")
    for epoch in range(EPOCHS):
        told = train["scalars:epoch_loss"][epoch]
        assert told == pytest.approx(result.history["loss"][epoch], rel=1e-6)
        told = held_out["scalars:epoch_loss"][epoch]
        assert told == pytest.approx(result.history["val_loss"][epoch], rel=1e-6)
    assert held_out.keys() == {
        f"scalars:{tag}"
        for name in ("loss", "mae")
        for tag in (f"epoch_{name}", f"evaluation_{name}_vs_iterations")
    }
    # 23 rows in batches of 5: an epoch is 5 steps.
    assert list(held_out["scalars:evaluation_loss_vs_iterations"]) == [5, 10, 15, 20]
    [tag] = [tag for tag in train if tag.startswith("histograms:") and "dense_1/kernel" in tag]
    left, right, counts = train[tag][EPOCHS - 1].T
    kernel = np.asarray(result.model.get_layer("dense_1").kernel)
    assert counts.sum() == kernel.size
    assert (left[0], right[-1]) == pytest.approx((kernel.min(), kernel.max()))
    assert any(tag.startswith("images:") for tag in train)
    assert "graph_keras_model:keras" in train


@pytest.mark.slow
def test_embeddings_are_tables_with_a_word_a_line(tmp_path: Path) -> None:
    words = [f"word {number}" for number in range(17)]
    board = component("TensorBoard", {"embeddings_freq": 1, "write_graph": False})
    case = CASES["pooled embedding"]
    result, _ = fit("fused", tmp_path, board, case=case, vocabulary=lambda: words)
    logs = tmp_path / "logs"
    table = np.loadtxt(logs / "embedding.tsv", delimiter="\t")
    np.testing.assert_allclose(table, result.model.get_layer("embedding").embeddings, rtol=1e-5)
    # The table has 20 rows, of which three stand for no word.
    assert (logs / "embedding_words.tsv").read_text().splitlines() == [*words, "", "", ""]
    config = (logs / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "embedding.tsv"' in config
    assert 'metadata_path: "embedding_words.tsv"' in config


@pytest.mark.parametrize("engine", ["fused", pytest.param("keras", marks=pytest.mark.slow)])
def test_several_callbacks_see_the_same_epochs(engine: str, tmp_path: Path) -> None:
    result, _ = fit(
        engine,
        tmp_path,
        component("CSVLogger", "epochs.csv"),
        component("LearningRateScheduler", {0: 0.01, 2: 0.001}),
        component("ActivationLogger", "dense_2"),
    )
    with (tmp_path / "epochs.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses == pytest.approx(result.history["loss"], rel=1e-6)
    assert len(list((tmp_path / "activations").iterdir())) == EPOCHS
