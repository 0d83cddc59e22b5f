"""Several inputs by name, from tables and arrays, against Keras' own `fit` and NumPy."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlrun.data.fitting import batches
from dlrun.errors import ConfigError
from dlrun.workflows.check import check
from dlrun.workflows.evaluate import evaluate
from dlrun.workflows.predict import predict
from dlrun.workflows.train import train

ROWS, TRAINED = 80, 60
WORDS = ["good", "bad", "red", "blue", "wine", "bread"]
CITIES = ["Bonn", "Oslo", "Rome"]

SHARED = """
    optimizer: {SGD: {learning_rate: 0.1}}
    metrics: [accuracy]
    training: {epochs: 2, batch_size: 16, shuffle: false, xla: false}
    evaluation: {validation: {fraction: 0.25}, shuffle: false, stratify: false}
"""

TABLE = """
    dataset: {source: csv, path: shop.csv, target: bought}
    preprocess:
      - standardize: {columns: [age, price]}
      - one_hot: {columns: [city]}
      - text: {columns: [review], vocabulary: 8, length: 4}
    architecture:
      inputs: {numbers: [age, price, city], text: review}
      layers:
        - {Embedding: {input_dim: 8, output_dim: 4}, from: text}
        - {GlobalAveragePooling1D: {}, name: words}
        - {Dense: {units: 4, activation: relu}, from: numbers, name: facts}
        - {Concatenate: {}, from: [words, facts]}
        - {Dense: {units: 1, activation: sigmoid}}
    loss: binary_crossentropy
"""

SIAMESE = """
    dataset: {source: npz, path: pairs.npz, inputs: [left, right], targets: same}
    architecture:
      layers:
        - {Embedding: {input_dim: 10, output_dim: 4}, from: left, name: words}
        - {LSTM: 3, name: left_code}
        - {use: words, from: right}
        - {use: left_code, name: right_code}
        - {Concatenate: {}, from: [left_code, right_code]}
        - {Dense: {units: 1, activation: sigmoid}}
    loss: binary_crossentropy
"""


def run(folder: Path, text: str, *overrides: str) -> Any:
    (folder / "c.yaml").write_text(textwrap.dedent(text) + textwrap.dedent(SHARED))
    return train(folder / "c.yaml", runs_dir=folder / "runs", overrides=overrides)


def fit_by_hand(model: Any, x: dict[str, np.ndarray], y: np.ndarray) -> dict[str, list[float]]:
    import keras

    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    model.optimizer = keras.optimizers.SGD(learning_rate=0.1)
    y = y.astype(np.float32)[:, None]
    history: dict[str, list[float]] = model.fit(
        {name: part[:TRAINED] for name, part in x.items()},
        y[:TRAINED],
        validation_data=({name: part[TRAINED:] for name, part in x.items()}, y[TRAINED:]),
        validation_batch_size=256,
        batch_size=16,
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history
    return history


def agree(ours: pd.DataFrame, theirs: dict[str, list[float]]) -> None:
    assert theirs
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=2e-5, err_msg=name)


@pytest.fixture
def shop(tmp_path: Path) -> pd.DataFrame:
    draw = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "age": draw.normal(40, 9, ROWS).round(2),
            "city": draw.choice(CITIES, ROWS),
            "review": [" ".join(draw.choice(WORDS, 4)) for _ in range(ROWS)],
            "price": draw.gamma(2.0, 5.0, ROWS).round(2),
            "bought": draw.integers(0, 2, ROWS),
        }
    )
    table.to_csv(tmp_path / "shop.csv", index=False)
    return table


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_a_table_of_numbers_categories_and_text_feeds_named_inputs(
    tmp_path: Path, shop: pd.DataFrame, engine: str
) -> None:
    import keras

    from dlrun.training.backend import reset

    done = run(tmp_path, TABLE, f"training.engine={engine}")
    reset(0)
    text = keras.Input((4,), dtype="int32", name="text")
    numbers = keras.Input((5,), name="numbers")
    words = keras.layers.Embedding(8, 4)(text)
    words = keras.layers.GlobalAveragePooling1D()(words)
    facts = keras.layers.Dense(4, activation="relu")(numbers)
    both = keras.layers.Concatenate()([words, facts])
    answer = keras.layers.Dense(1, activation="sigmoid")(both)
    model = keras.Model({"text": text, "numbers": numbers}, answer)
    known = shop[["age", "price"]][:TRAINED]
    scaled = (shop[["age", "price"]] - known.mean()) / known.std(ddof=0)
    one_hot = np.eye(3)[shop["city"].map(CITIES.index)]
    table = (done.path / "vocabulary.txt").read_text().split("\n")
    index = {word: number for number, word in enumerate(table)}
    codes = np.array([[index[word] for word in line.split()] for line in shop["review"]])
    x = {"numbers": np.column_stack([scaled, one_hot]).astype(np.float32), "text": codes}
    agree(done.history, fit_by_hand(model, x, shop["bought"].to_numpy()))


@pytest.mark.slow
def test_new_rows_and_test_rows_go_through_the_same_inputs(
    tmp_path: Path, shop: pd.DataFrame
) -> None:
    done = run(tmp_path, TABLE, "dataset.test.fraction=0.25")
    look = evaluate(done.path)
    said = np.load(look.path.with_suffix(".npz"), allow_pickle=False)
    rows = np.load(done.path / "splits.npz")["test"]
    # A column that feeds no input is not asked for, and the order does not matter.
    shop.iloc[rows][["review", "price", "city", "age"]].to_csv(tmp_path / "new.csv", index=False)
    table = predict(done.path, tmp_path / "new.csv").table
    np.testing.assert_allclose(table["probability_1"], said["predictions"][:, 0], rtol=1e-5)


@pytest.fixture
def pairs(tmp_path: Path) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(2)
    left, right = draw.integers(1, 10, (2, ROWS, 5)).astype(np.int32)
    right[::2] = left[::2]
    arrays = {"left": left, "right": right, "same": (np.arange(ROWS) % 2 == 0).astype(np.int64)}
    np.savez(tmp_path / "pairs.npz", **arrays)
    return arrays


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", pytest.param("keras", marks=pytest.mark.slow)])
def test_two_arrays_of_an_npz_file_share_their_layers(
    tmp_path: Path, pairs: dict[str, np.ndarray], engine: str
) -> None:
    import keras

    from dlrun.training.backend import reset

    done = run(tmp_path, SIAMESE, f"training.engine={engine}")
    reset(0)
    left, right = (keras.Input((5,), dtype="int32", name=name) for name in ("left", "right"))
    words, code = keras.layers.Embedding(10, 4), keras.layers.LSTM(3)
    both = keras.layers.Concatenate()([code(words(left)), code(words(right))])
    model = keras.Model(
        {"left": left, "right": right}, keras.layers.Dense(1, activation="sigmoid")(both)
    )
    agree(done.history, fit_by_hand(model, {n: pairs[n] for n in ("left", "right")}, pairs["same"]))
    assert done.result["parameters"] == model.count_params()


@pytest.mark.slow
def test_rows_on_disk_give_the_same_as_rows_in_memory(
    tmp_path: Path, pairs: dict[str, np.ndarray]
) -> None:
    for name, array in pairs.items():
        np.save(tmp_path / f"{name}.npy", array)
    text = SIAMESE.replace("path: pairs.npz", "path: '*.npy'")
    held = run(tmp_path, text, "dataset.stream=false", "training.engine=keras")
    streamed = run(tmp_path, text, "dataset.stream=true", "training.engine=keras")
    columns = ["loss", "accuracy", "val_loss", "val_accuracy"]
    np.testing.assert_array_equal(held.history[columns], streamed.history[columns])


@pytest.mark.slow
def test_an_input_of_few_ones_stays_small_beside_others(
    tmp_path: Path, shop: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run(tmp_path, TABLE, "training.engine=fused")
    # The numbers stand beside the one-hot column: with it, the input is kept by its ones.
    monkeypatch.setattr(batches, "SMALL_BYTES", 100)
    encoded = run(tmp_path, TABLE, "training.engine=fused")
    columns = ["loss", "accuracy", "val_loss", "val_accuracy"]
    np.testing.assert_allclose(plain.history[columns], encoded.history[columns], rtol=1e-5)


def test_an_input_without_a_column_is_told_with_its_place(
    tmp_path: Path, shop: pd.DataFrame
) -> None:
    (tmp_path / "c.yaml").write_text(
        textwrap.dedent(TABLE.replace("text: review", "text: reviews")) + textwrap.dedent(SHARED)
    )
    with pytest.raises(ConfigError) as caught:
        check(tmp_path / "c.yaml", with_data=True)
    told = str(caught.value)
    assert "there is no column 'reviews' for the input 'text'; did you mean 'review'?" in told
    assert "c.yaml:" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        (
            (4, 6, 6, 1),
            "[{Conv3D: {filters: 2, kernel_size: 3, activation: relu}}, GlobalAveragePooling3D]",
        ),
        (
            (32, 1),
            "[{Conv1D: {filters: 3, kernel_size: 5, strides: 2}}, GlobalMaxPooling1D]",
        ),
    ],
    ids=["volumes and video", "audio"],
)
def test_volumes_and_sound_from_arrays(tmp_path: Path, shape: tuple[int, ...], layers: str) -> None:
    import keras

    draw = np.random.default_rng(3)
    y = draw.integers(0, 2, 40)
    x = (draw.normal(size=(40, *shape)) + y.reshape(-1, *[1] * len(shape))).astype(np.float32)
    np.savez(tmp_path / "arrays.npz", x=x, y=y)
    text = """
    dataset: {source: npz, path: arrays.npz, test: {fraction: 0.2}}
    architecture: {layers: [*LAYERS, {Dense: {units: 1, activation: sigmoid}}]}
    loss: binary_crossentropy
    """.replace("*LAYERS", layers.strip("[]"))
    done = run(tmp_path, text, "training.epochs=1")
    assert done.model.input_shape == (None, *shape)
    held = np.load(done.path / "predictions.npz", allow_pickle=False)
    model = keras.saving.load_model(done.path / "model.keras")
    by_hand = model.predict(x[held["rows"]], verbose=0)
    np.testing.assert_allclose(held["predictions"], by_hand, rtol=1e-5)
    assert evaluate(done.path).facts["rows"] == 8


@pytest.mark.slow
def test_the_simple_model_sees_all_inputs_side_by_side(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    left, right = np.random.default_rng(6).normal(size=(2, ROWS, 2))
    same = (left[:, 0] + right[:, 1] > 0).astype(np.int64)
    np.savez(tmp_path / "pairs.npz", left=left, right=right, same=same)
    text = """
    dataset: {source: npz, path: pairs.npz, inputs: [left, right], targets: same}
    architecture:
      layers:
        - {Concatenate: {}, from: [left, right]}
        - {Dense: {units: 1, activation: sigmoid}}
    loss: binary_crossentropy
    """
    done = run(tmp_path, text, "training.epochs=1")
    both = np.column_stack([left, right])
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        both[:TRAINED], same[:TRAINED]
    )
    expected = model.score(both[TRAINED:], same[TRAINED:])
    assert done.result["simple_model"]["value"] == pytest.approx(expected)
