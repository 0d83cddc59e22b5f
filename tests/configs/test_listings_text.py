"""The book's networks on text: what a config builds and trains is what Keras by hand does.

Listing numbers are those of Deep Learning with Python, first edition.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlrun
from dlrun.config.load import load_config

pytestmark = pytest.mark.slow

BOOK = Path(__file__).parents[2] / "configs" / "book"
ROWS, BATCH = 50, 8
HELD_OUT = (
    "evaluation={protocol: holdout, validation: {first: 10}, shuffle: false, score: accuracy}"
)


def embedding_on_20_words(layers: Any) -> list[Any]:
    """Listing 6.7."""
    return [layers.Embedding(10000, 8), layers.Flatten(), layers.Dense(1, activation="sigmoid")]


def simple_rnn(layers: Any) -> list[Any]:
    """Listing 6.23."""
    return [
        layers.Embedding(10000, 32),
        layers.SimpleRNN(32),
        layers.Dense(1, activation="sigmoid"),
    ]


def lstm(layers: Any) -> list[Any]:
    """Listing 6.27."""
    return [layers.Embedding(10000, 32), layers.LSTM(32), layers.Dense(1, activation="sigmoid")]


def reversed_lstm(layers: Any) -> list[Any]:
    """Listing 6.42."""
    return [layers.Embedding(10000, 128), layers.LSTM(32), layers.Dense(1, activation="sigmoid")]


def bidirectional_lstm(layers: Any) -> list[Any]:
    """Listing 6.43."""
    return [
        layers.Embedding(10000, 32),
        layers.Bidirectional(layers.LSTM(32)),
        layers.Dense(1, activation="sigmoid"),
    ]


def conv1d(layers: Any, words: int = 10000) -> list[Any]:
    """Listing 6.46, and 7.7 with fewer words, with the sigmoid that their loss needs."""
    return [
        layers.Embedding(words, 128),
        layers.Conv1D(32, 7, activation="relu"),
        layers.MaxPooling1D(5),
        layers.Conv1D(32, 7, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(1, activation="sigmoid"),
    ]


def dense_on_embedding(layers: Any) -> list[Any]:
    """Listings 6.12 and 6.16."""
    return [
        layers.Embedding(10000, 100),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]


def dense_on_words(layers: Any) -> list[Any]:
    """The network of section 3.4 on the vectors of listings 6.3 and 6.4."""
    return [
        layers.Dense(16, activation="relu"),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]


def built(by_hand: Callable[[Any], list[Any]], entry: tuple[int, ...], dtype: str) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(entry, dtype=dtype), *by_hand(keras.layers)])


def first_epoch(model: Any, x: np.ndarray, y: np.ndarray, rate: float) -> dict[str, float]:
    """Loss and accuracy after one epoch; the first rows are held out."""
    import keras

    model.compile(keras.optimizers.RMSprop(rate), "binary_crossentropy", metrics=["accuracy"])
    fitted = model.fit(
        x[10:],
        y[10:],
        validation_data=(x[:10], y[:10]),
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
    )
    return {name: values[0] for name, values in fitted.history.items()}


def assert_same(run: Any, model: Any, expected: dict[str, float]) -> None:
    import keras

    trained = keras.saving.load_model(run.path / "model.keras")
    assert [type(layer) for layer in trained.layers] == [type(layer) for layer in model.layers]
    for ours, theirs in zip(trained.layers, model.layers, strict=True):
        assert ours.output.shape == theirs.output.shape
        assert ours.count_params() == theirs.count_params()
        assert ours.trainable == theirs.trainable
    found = run.history.iloc[0]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    for ours, theirs in zip(trained.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def overrides(*others: str) -> list[str]:
    small = ["training.epochs=1", f"training.batch_size={BATCH}", "training.shuffle=false"]
    return ["training.engine=keras", *small, HELD_OUT, *others]


@pytest.mark.parametrize(
    ("name", "by_hand", "length", "rate"),
    [
        ("imdb_embedding", embedding_on_20_words, 20, 0.001),
        ("imdb_simple_rnn", simple_rnn, 500, 0.001),
        ("imdb_lstm", lstm, 500, 0.001),
        ("imdb_lstm_reversed", reversed_lstm, 500, 0.001),
        ("imdb_bidirectional_lstm", bidirectional_lstm, 500, 0.001),
        ("imdb_conv1d", conv1d, 500, 0.0001),
    ],
)
def test_networks_on_word_numbers(
    name: str, by_hand: Callable[[Any], list[Any]], length: int, rate: float, tmp_path: Path
) -> None:
    given = load_config(BOOK / f"{name}.yaml")
    step = given.preprocess[0]
    assert (step.member_name(), step.maxlen) == ("pad_sequences", length)  # type: ignore[attr-defined] # an option of this step
    random = np.random.default_rng(1)
    # Shorter than the book's, which changes no weight of these networks but that on 20 words.
    x = random.integers(1, 10000, (ROWS, min(length, 45))).astype(np.int32)
    y = random.integers(0, 2, ROWS)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    run = dlrun.train(
        BOOK / f"{name}.yaml",
        runs_dir=tmp_path / "runs",
        overrides=overrides(f"dataset={{source: npz, path: {tmp_path}/rows.npz}}", "preprocess=[]"),
    )
    model = built(by_hand, x.shape[1:], "int32")
    assert_same(run, model, first_epoch(model, x, y, rate))


def test_what_tensorboard_shows_of_a_convnet(tmp_path: Path) -> None:
    """Listings 7.7 to 7.9."""
    import tensorflow as tf

    given = load_config(BOOK / "imdb_tensorboard.yaml")
    assert (given.training.epochs, given.training.batch_size) == (20, 128)
    random = np.random.default_rng(1)
    x = random.integers(1, 2000, (ROWS, 45)).astype(np.int32)
    y = random.integers(0, 2, ROWS)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    source = f"dataset={{source: npz, path: {tmp_path}/rows.npz}}"
    run = dlrun.train(
        BOOK / "imdb_tensorboard.yaml",
        runs_dir=tmp_path / "runs",
        overrides=overrides(source, "preprocess=[]"),
    )
    model = built(lambda layers: conv1d(layers, 2000), x.shape[1:], "int32")
    assert_same(run, model, first_epoch(model, x, y, 0.001))
    logs = run.path / "callbacks" / "logs"
    table = np.loadtxt(logs / "embed.tsv", delimiter="\t")
    np.testing.assert_allclose(table, model.layers[0].get_weights()[0], rtol=1e-4, atol=1e-6)
    (file,) = (logs / "train").glob("events.out.tfevents.*")
    tags = {
        value.tag
        for record in tf.data.TFRecordDataset(str(file))
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
        if value.metadata.plugin_data.plugin_name == "histograms"
    }
    for layer in ("embed", "conv1d", "conv1d_1", "dense"):
        assert any(layer in tag.split("/") for tag in tags), tags


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A folder of 50 short reviews; half of them in the first rows of neither class."""
    random = np.random.default_rng(2)
    words = [f"word{number}" for number in range(60)]
    for number in range(ROWS):
        folder = tmp_path / "reviews" / ["neg", "pos"][number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        text = " ".join(random.choice(words, random.integers(20, 160)))
        (folder / f"{number:02d}.txt").write_text(text)
    return tmp_path / "reviews"


def rows_of(reviews: Path, vocabulary: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The last 100 word numbers of each review, in the order of classes and names."""
    from keras.utils import pad_sequences

    numbers = {word: number for number, word in enumerate(vocabulary)}
    files = [file for label in ("neg", "pos") for file in sorted((reviews / label).iterdir())]
    sequences = [[numbers.get(word, 1) for word in file.read_text().split()] for file in files]
    y = np.array([int(file.parent.name == "pos") for file in files])
    return pad_sequences(sequences, maxlen=100), y


@pytest.mark.parametrize("name", ["imdb_glove", "imdb_without_glove"])
def test_raw_reviews_with_and_without_word_vectors(
    name: str, reviews: Path, tmp_path: Path
) -> None:
    vectors = {f"word{n}": np.random.default_rng(n).normal(size=100) for n in range(0, 60, 2)}
    lines = [f"{word} {' '.join(map(repr, v.tolist()))}\n" for word, v in vectors.items()]
    (tmp_path / "vectors.txt").write_text("".join(lines))
    others = [f"dataset={{source: text_folder, path: {reviews}}}"]
    if name == "imdb_glove":
        others.append(f"architecture.layers.0.vectors={tmp_path}/vectors.txt")
    run = dlrun.train(
        BOOK / f"{name}.yaml", runs_dir=tmp_path, overrides=overrides(*others), force=True
    )
    vocabulary = (run.path / "vocabulary.txt").read_text().splitlines()
    x, y = rows_of(reviews, vocabulary)
    model = built(dense_on_embedding, (100,), "int32")
    if name == "imdb_glove":
        matrix = np.zeros((10000, 100), np.float32)
        for number, word in enumerate(vocabulary):
            if word in vectors:
                matrix[number] = vectors[word]
        model.layers[0].set_weights([matrix])
        model.layers[0].trainable = False
    assert_same(run, model, first_epoch(model, x, y, 0.001))


@pytest.mark.parametrize("name", ["imdb_raw_one_hot", "imdb_raw_hashing"])
def test_raw_reviews_as_vectors(name: str, reviews: Path, tmp_path: Path) -> None:
    from zlib import crc32

    others = [f"dataset={{source: text_folder, path: {reviews}}}"]
    run = dlrun.train(
        BOOK / f"{name}.yaml", runs_dir=tmp_path, overrides=overrides(*others), force=True
    )
    files = [file for label in ("neg", "pos") for file in sorted((reviews / label).iterdir())]
    texts = [file.read_text().split() for file in files]
    if name == "imdb_raw_one_hot":
        places = {w: i for i, w in enumerate((run.path / "vocabulary.txt").read_text().split())}
        width = len(places)
    else:
        places, width = {f"word{n}": crc32(f"word{n}".encode()) % 1000 for n in range(60)}, 1000
    x = np.zeros((ROWS, width), np.float32)
    for row, text in enumerate(texts):
        x[row, [places[word] for word in text if word in places]] = 1
    y = np.array([int(file.parent.name == "pos") for file in files])
    model = built(dense_on_words, (width,), "float32")
    assert_same(run, model, first_epoch(model, x, y, 0.001))
