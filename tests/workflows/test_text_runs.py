"""Raw texts from a file to a trained model and back: vocabularies, word vectors, predictions."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlrun
from dlrun.data.vocabulary import vocabulary_of_sequences
from dlrun.errors import ConfigError, DlrunError
from dlrun.workflows.kfold import kfold
from dlrun.workflows.predict import predict

GOOD = ["lovely", "great", "fine", "superb", "moving"]
BAD = ["awful", "dull", "poor", "boring", "weak"]
OTHER = ["the", "film", "was", "a", "plot", "with", "actors"]

CONFIG = """
dataset: {source: csv, path: reviews.csv, target: mood}
preprocess:
  - text: {vocabulary: 20, length: 6}
architecture:
  layers:
    - Embedding: {input_dim: 20, output_dim: 3, trainable: false}
      vectors: vectors.txt
    - Flatten
    - Dense: {units: 1, activation: sigmoid}
loss: binary_crossentropy
optimizer: {adam: {learning_rate: 0.05}}
metrics: [accuracy]
training: {epochs: 12, batch_size: 8}
evaluation: {protocol: holdout, validation: 0.25}
"""


def vector(word: str) -> list[float]:
    """A vector that tells good words from bad ones."""
    mood = (word in GOOD) - (word in BAD)
    return [float(mood), 0.25 * len(word), -0.5]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    lines = ["review,mood"]
    for row in range(120):
        words = random.choice(OTHER, 5).tolist() + random.choice([BAD, GOOD][row % 2], 2).tolist()
        lines.append(f'"{" ".join(random.permutation(words))}, row",{["sad", "glad"][row % 2]}')
    (tmp_path / "reviews.csv").write_text("\n".join(lines) + "\n")
    known = [*GOOD, *BAD, "the", "film", "zebra"]
    (tmp_path / "vectors.txt").write_text(
        "".join(f"{word} {' '.join(map(str, vector(word)))}\n" for word in known)
    )
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def embedding(model_file: Path) -> np.ndarray:
    import keras

    model = keras.saving.load_model(model_file)
    return np.asarray(model.layers[0].embeddings)


def expected_embedding(vocabulary: list[str]) -> np.ndarray:
    rows = np.zeros((20, 3), np.float32)
    for number, word in enumerate(vocabulary):
        if word in (*GOOD, *BAD, "the", "film"):
            rows[number] = vector(word)
    return rows


def test_an_embedding_begins_with_the_vectors_of_its_words(folder: Path) -> None:
    run = dlrun.train(folder / "c.yaml", runs_dir=folder / "runs")
    vocabulary = (run.path / "vocabulary.txt").read_text().splitlines()
    assert vocabulary[:2] == ["[PAD]", "[UNK]"]
    np.testing.assert_array_equal(
        embedding(run.path / "model.keras"), expected_embedding(vocabulary)
    )
    rows = np.load(run.path / "splits.npz")["fold00_train"]
    texts = [line.split('"')[1] for line in (folder / "reviews.csv").read_text().splitlines()[1:]]
    times = Counter(w for row in rows for w in re.findall(r"\w+", texts[row]))
    kept = sorted(times, key=lambda word: (-times[word], word))[:18]
    assert vocabulary[2:] == kept
    known = [word for word in kept if word in (*GOOD, *BAD, "the", "film")]
    share = sum(times[word] for word in known) / times.total()
    told = (
        f"vectors.txt has vectors for {len(known)} of {len(kept)} words, which are {share:.0%} of "
        "all words in the training texts; the others begin as zeros"
    )
    assert any(told in finding for finding in run.result["findings"])
    assert run.score is not None
    assert run.score >= 0.9


@pytest.mark.slow
def test_raw_text_is_predicted(folder: Path) -> None:
    run = dlrun.train(folder / "c.yaml", runs_dir=folder / "runs")
    new = folder / "new.jsonl"
    new.write_text(
        '{"review": "The film was GREAT: superb!"}\n{"review": "dull,dull; weak plot"}\n'
    )
    assert predict(run.path, new).table["prediction"].tolist() == ["glad", "sad"]


@pytest.mark.slow
def test_every_fold_looks_its_own_words_up(folder: Path) -> None:
    overrides = ["evaluation={protocol: kfold, folds: 3}", "preprocess.0.text.vocabulary=12"]
    overrides.append("training.epochs=1")
    run = kfold(folder / "c.yaml", runs_dir=folder / "runs", overrides=overrides)
    vocabularies = []
    for fold in sorted((run.path / "folds").iterdir()):
        vocabulary = (fold / "vocabulary.txt").read_text().splitlines()
        vocabularies.append(tuple(vocabulary))
        np.testing.assert_array_equal(
            embedding(fold / "model.keras"), expected_embedding(vocabulary)
        )
    assert len(set(vocabularies)) > 1


@pytest.mark.slow
def test_of_several_columns_the_embedding_takes_the_one_that_is_named(folder: Path) -> None:
    rows = (folder / "reviews.csv").read_text().splitlines()
    named = [f"{'zebra' if i % 2 else 'film'} {rows[i]}".split(" ", 1) for i in range(1, len(rows))]
    lines = ["title,review,mood", *(f"{title},{row}" for title, row in named)]
    (folder / "reviews.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigError, match="several columns have vocabularies"):
        dlrun.train(folder / "c.yaml", runs_dir=folder / "runs")
    overrides = [
        "architecture.layers.0.vectors={path: " + str(folder / "vectors.txt") + ", column: title}",
        "training.epochs=1",
    ]
    run = dlrun.train(folder / "c.yaml", runs_dir=folder / "runs", overrides=overrides)
    weights = embedding(run.path / "model.keras")
    vocabulary = (run.path / "vocabulary-title.txt").read_text().splitlines()
    assert sorted(vocabulary) == ["[PAD]", "[UNK]", "film", "zebra"]
    for number, word in enumerate(vocabulary[2:], start=2):
        np.testing.assert_array_equal(weights[number], vector(word))
    assert (run.path / "vocabulary-review.txt").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"gone.txt: no such file; GloVe's are at https://nlp.stanford.edu/projects/glove"),
        ("film 1 2\n", "the vectors have 2 numbers, and the Embedding has `output_dim: 3`; say "),
        ("2 5\nfilm 1 2 3 4 5\n", "the vectors have 5 numbers"),
        ("word,x,y\n", "expected a word and its numbers, separated by spaces, found"),
        ("film 1 2 3\nthe 1 two 3\n", ":2: expected a word and 3 numbers, found 'the 1 two 3'"),
        ("film 1 2 3\nthe 1 nan 3\n", ":2: expected a word and 3 numbers, found 'the 1 nan 3'"),
        ("haus 1 2 3\n", "has none of the 18 words of column 'review'"),
    ],
)
def test_files_that_are_no_word_vectors(folder: Path, content: str | None, message: str) -> None:
    file = folder / "gone.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DlrunError, match=re.escape(message) if content else message):
        dlrun.train(
            folder / "c.yaml",
            runs_dir=folder / "runs",
            overrides=[f"architecture.layers.0.vectors={file}"],
        )
    assert not (folder / "runs").exists() or not list((folder / "runs").iterdir())


@pytest.mark.slow
def test_a_first_line_of_word2vec_is_passed_over(folder: Path) -> None:
    file = folder / "vectors.txt"
    file.write_text("13 3\n" + file.read_text())
    run = dlrun.train(folder / "c.yaml", runs_dir=folder / "runs", overrides=["training.epochs=1"])
    vocabulary = (run.path / "vocabulary.txt").read_text().splitlines()
    np.testing.assert_array_equal(
        embedding(run.path / "model.keras"), expected_embedding(vocabulary)
    )


def test_words_of_keras_data_sets_are_counted_from_their_offset() -> None:
    rows: Any = np.empty(2, object)
    rows[:] = [np.array([1, 4, 2, 5, 5]), np.array([1, 6])]
    special = {0: "[PAD]", 1: "[START]", 2: "[UNK]", 3: "[3]"}
    known = vocabulary_of_sequences({"the": 4, "and": 5, "a": 6, "rare": 7}, special, rows)
    assert known.words == ("[PAD]", "[START]", "[UNK]", "[3]", "the", "and", "a")
    assert known.places == {"the": 4, "and": 5, "a": 6}
    assert known.times[4:].tolist() == [1, 2, 1]
    assert known.total == 5, "the marks of a beginning are no words"
