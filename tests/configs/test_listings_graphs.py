"""The book's networks that are no chain of layers: what a config builds and trains is what Keras'
functional API by hand does (sections 7.1 and 7.3 of Deep Learning with Python, first edition).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import dlrun

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.slow
L = keras.layers

BOOK = Path(__file__).parents[2] / "configs" / "book"
ROWS, BATCH, HELD_OUT = 40, 8, 8

Compiled = dict[str, Any]


def question_answering() -> Any:
    """Listing 7.1."""
    text, question = keras.Input((12,), name="text"), keras.Input((2,), name="question")
    code = L.Embedding(40, 64)(text)
    code = L.LSTM(32)(code)
    asked = L.Embedding(40, 32)(question)
    asked = L.LSTM(16)(asked)
    both = L.Concatenate(axis=-1)([code, asked])
    answer = L.Dense(14, activation="softmax")(both)
    return keras.Model({"text": text, "question": question}, answer)


def three_outputs() -> Any:
    """Listing 7.3, with fewer layers."""
    posts = keras.Input((40,))
    x = L.Embedding(200, 32)(posts)
    x = L.Conv1D(32, 5, activation="relu")(x)
    x = L.MaxPooling1D(2)(x)
    x = L.Conv1D(64, 5, activation="relu")(x)
    x = L.GlobalMaxPooling1D()(x)
    x = L.Dense(64, activation="relu")(x)
    age = L.Dense(1, name="age")(x)
    income = L.Dense(5, activation="softmax", name="income")(x)
    gender = L.Dense(1, activation="sigmoid", name="gender")(x)
    return keras.Model(posts, {"age": age, "income": income, "gender": gender})


def inception() -> Any:
    """The module of section 7.1.4, twice."""

    def module(x: Any, filters: int) -> Any:
        def conv(size: int) -> Any:
            return L.Conv2D(filters, size, activation="relu", padding="same")

        a = conv(1)(x)
        b = conv(1)(x)
        b = conv(3)(b)
        c = L.AveragePooling2D(3, strides=1, padding="same")(x)
        c = conv(3)(c)
        d = conv(1)(x)
        d = conv(3)(d)
        d = conv(3)(d)
        return L.Concatenate(axis=-1)([a, b, c, d])

    pixels = keras.Input((64,))
    x = module(L.Reshape((8, 8, 1))(pixels), 8)
    x = module(L.MaxPooling2D(2)(x), 16)
    x = L.Flatten()(x)
    return keras.Model(pixels, L.Dense(10, activation="softmax")(x))


def residual() -> Any:
    """Both kinds of residual connection of section 7.1.4."""

    def conv(filters: int) -> Any:
        return L.Conv2D(filters, 3, activation="relu", padding="same")

    def same_size(x: Any, filters: int) -> Any:
        y = conv(filters)(x)
        y = conv(filters)(y)
        return L.Add()([y, x])

    def half_size(x: Any, filters: int) -> Any:
        y = conv(filters)(x)
        y = L.MaxPooling2D(2)(y)
        shortcut = L.Conv2D(filters, 1, strides=2)(x)
        return L.Add()([y, shortcut])

    pixels = keras.Input((64,))
    x = conv(16)(L.Reshape((8, 8, 1))(pixels))
    x = same_size(same_size(x, 16), 16)
    x = same_size(half_size(x, 32), 32)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, L.Dense(10, activation="softmax")(x))


def siamese_lstm() -> Any:
    """The network of section 7.1.5, with a layer that compares."""
    left, right = keras.Input((8, 4), name="left"), keras.Input((8, 4), name="right")
    lstm = L.LSTM(32)
    both = L.Concatenate(axis=-1)([lstm(left), lstm(right)])
    x = L.Dense(32, activation="relu")(both)
    return keras.Model({"left": left, "right": right}, L.Dense(1, activation="sigmoid")(x))


def shared_vision() -> Any:
    """The network of section 7.1.6, with a small base."""
    left, right = keras.Input((8, 6, 1), name="left"), keras.Input((8, 6, 1), name="right")
    base = keras.Sequential(
        [
            keras.Input((8, 6, 1)),
            L.Conv2D(16, 3, activation="relu", padding="same"),
            L.MaxPooling2D(2),
            L.Conv2D(32, 3, activation="relu", padding="same"),
            L.Flatten(),
        ]
    )
    both = L.Concatenate(axis=-1)([base(left), base(right)])
    answer = L.Dense(10, activation="softmax")(both)
    return keras.Model({"left": left, "right": right}, answer)


def wide_and_deep() -> Any:
    """Section 7.3: what two layers make of the quantities, beside the quantities."""
    x = keras.Input((30,))
    deep = L.Dense(16, activation="relu")(x)
    deep = L.Dense(16, activation="relu")(deep)
    both = L.Concatenate()([deep, x])
    return keras.Model(x, L.Dense(1, activation="sigmoid")(both))


def classes(loss: str = "sparse_categorical_crossentropy") -> Compiled:
    return {"loss": loss, "metrics": ["accuracy"]}


THREE_LOSSES: Compiled = {
    "loss": {
        "age": "mse",
        "income": "sparse_categorical_crossentropy",
        "gender": "binary_crossentropy",
    },
    "loss_weights": {"age": 0.01, "income": 1.0, "gender": 1.0},
}

NETWORKS: dict[str, tuple[Callable[[], Any], Compiled]] = {
    "question_answering": (question_answering, classes()),
    "three_outputs": (three_outputs, THREE_LOSSES),
    "inception": (inception, classes()),
    "residual": (residual, classes()),
    "siamese_lstm": (siamese_lstm, classes("binary_crossentropy")),
    "shared_vision": (shared_vision, classes()),
}


def rows_of(name: str) -> tuple[Any, Any]:
    """Inputs as the config's preprocessing gives them, and targets, of the first rows."""
    files = {
        "question_answering": ("stories", ["text", "question"], ["answer"], 1),
        "three_outputs": ("posts", ["posts"], ["age", "income", "gender"], 1),
        "siamese_lstm": ("pairs", ["left", "right"], ["similar"], 255),
        "shared_vision": ("cameras", ["left", "right"], ["digit"], 16),
    }
    if name not in files:
        digits = load_digits()
        return (digits.data[:ROWS] / 16).astype("float32"), digits.target[:ROWS]
    file, inputs, targets, scale = files[name]
    with np.load(BOOK / "data" / f"{file}.npz", allow_pickle=False) as arrays:
        x = {key: (arrays[key][:ROWS] / scale).astype("float32") for key in inputs}
        y = {key: arrays[key][:ROWS] for key in targets}
    return x if len(x) > 1 else x[inputs[0]], y if len(y) > 1 else y[targets[0]]


def part(rows: Any, which: slice) -> Any:
    if isinstance(rows, Mapping):
        return {name: values[which] for name, values in rows.items()}
    return rows[which]


def leaves(model: Any) -> list[Any]:
    """The layers of a model and of those nested in it, without the symbolic inputs."""
    found = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found += leaves(layer)
        elif type(layer).__name__ != "InputLayer":
            found.append(layer)
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_a_config_is_the_network_written_by_hand(name: str, tmp_path: Path) -> None:
    by_hand, compiled = NETWORKS[name]
    run = dlrun.train(
        BOOK / f"{name}.yaml",
        overrides=[
            f"dataset.limit={ROWS}",
            f"evaluation.validation={{first: {HELD_OUT}}}",
            "training.epochs=1",
            f"training.batch_size={BATCH}",
            "training.shuffle=false",
            "training.engine=keras",
        ],
        runs_dir=tmp_path,
    )
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = by_hand()
    x, y = rows_of(name)
    model.compile("rmsprop", **compiled)
    fitted = model.fit(
        part(x, slice(HELD_OUT, None)),
        part(y, slice(HELD_OUT, None)),
        validation_data=(part(x, slice(HELD_OUT)), part(y, slice(HELD_OUT))),
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
    )
    kept = keras.saving.load_model(run.path / "model.keras")
    for tell in (lambda layer: type(layer).__name__, lambda layer: layer.count_params()):
        assert Counter(map(tell, leaves(kept))) == Counter(map(tell, leaves(model)))
    assert kept.output_shape == model.output_shape
    first = run.history.iloc[0]
    for measure in ("loss", "val_loss"):
        assert first[measure] == pytest.approx(fitted.history[measure][0], rel=1e-5)


def test_the_wide_and_deep_model_is_the_one_written_by_hand(tmp_path: Path) -> None:
    run = dlrun.train(
        BOOK / "wide_and_deep.yaml",
        overrides=["training.epochs=1", "evaluation={protocol: holdout, score: accuracy}"],
        runs_dir=tmp_path,
    )
    kept, model = keras.saving.load_model(run.path / "model.keras"), wide_and_deep()
    assert [type(x) for x in leaves(kept)] == [type(x) for x in leaves(model)]
    assert kept.count_params() == model.count_params()
    rows = np.random.default_rng(0).normal(size=(4, 30)).astype("float32")
    model.set_weights(kept.get_weights())
    np.testing.assert_allclose(np.asarray(kept(rows)), np.asarray(model(rows)), rtol=1e-5)
