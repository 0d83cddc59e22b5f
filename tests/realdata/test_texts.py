"""The book's experiments on text, on the real reviews and GloVe's real vectors."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

import dlrun
from dlrun.data.reading.word_vectors import read_word_vectors
from dlrun.data.sources.keras import Keras
from dlrun.data.vocabulary import vocabulary_of_sequences

BOOK = Path(__file__).parents[2] / "configs" / "book"
pytestmark = [pytest.mark.realdata, pytest.mark.slow]


@pytest.fixture(scope="module")
def plain_files(keras_home: Path) -> Path:
    """The folder beside that of Keras' own files."""
    return (keras_home / "datasets").resolve().parents[1] / "data"


@pytest.fixture(scope="module")
def vectors(plain_files: Path) -> Path:
    """The 2,604 most frequent words of GloVe 6B, 100 numbers each."""
    file = plain_files / "glove" / "glove.6B.100d.top2604.txt"
    if not file.is_file():
        pytest.skip(f"no glove/{file.name} in the data beside KERAS_HOME")
    return file


@pytest.fixture(scope="module")
def reviews(plain_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw reviews, unpacked."""
    archive = plain_files / "imdb_reviews" / "aclImdb_labelled.tar.gz"
    if not archive.is_file():
        pytest.skip(f"no imdb_reviews/{archive.name} in the data beside KERAS_HOME")
    folder = tmp_path_factory.mktemp("reviews")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "aclImdb"


def test_glove_has_three_quarters_of_all_words_of_the_reviews(
    keras_home: Path, vectors: Path, tmp_path: Path
) -> None:
    # Ranks 1 to 9,999 are the numbers 4 to 10,002.
    source = Keras(name="imdb", num_words=10_003)
    numbers = source.word_numbers()
    assert numbers is not None
    rows = source.load("train", tmp_path).features["x"]
    vocabulary = vocabulary_of_sequences(*numbers, rows)
    assert vocabulary.words[4:8] == ("the", "and", "a", "of")
    places, found = read_word_vectors(vectors, vocabulary.places, 100)
    assert len(vocabulary.places) == 9_999
    assert found.shape == (2_241, 100)
    assert vocabulary.times[places].sum() / vocabulary.total == pytest.approx(0.75, abs=0.01)
    words = [line.split()[0] for line in vectors.read_text("utf-8").splitlines()]
    rank = words.index(str(vocabulary.words[places[5]]))
    line = vectors.read_text("utf-8").splitlines()[rank].split()[1:]
    np.testing.assert_allclose(found[5], np.array(line, np.float32))


@pytest.mark.timeout(1800)
def test_an_embedding_of_20_words_reaches_the_books_accuracy(
    keras_home: Path, tmp_path: Path
) -> None:
    run = dlrun.train(BOOK / "imdb_embedding.yaml", runs_dir=tmp_path)
    assert 0.74 <= run.history["val_accuracy"].max() <= 0.78


@pytest.mark.timeout(1800)
def test_an_lstm_comes_near_the_books_accuracy(keras_home: Path, tmp_path: Path) -> None:
    run = dlrun.train(BOOK / "imdb_lstm.yaml", runs_dir=tmp_path, overrides=["training.epochs=2"])
    assert 0.78 <= run.history["val_accuracy"].max() <= 0.90


@pytest.mark.timeout(1800)
def test_raw_reviews_as_words_come_near_those_of_keras(reviews: Path, tmp_path: Path) -> None:
    overrides = [f"dataset.path={reviews}"]
    run = dlrun.train(BOOK / "imdb_raw_one_hot.yaml", runs_dir=tmp_path, overrides=overrides)
    assert 0.87 <= run.history["val_accuracy"].max() <= 0.91
    words = (run.path / "vocabulary.txt").read_text("utf-8").splitlines()
    assert len(words) == 10_000
    assert words[:4] == ["the", "and", "a", "of"]
    new = tmp_path / "new.txt"
    new.write_text("A wonderful film: moving, superbly acted, and one of the best I have seen.")
    told = dlrun.predict(run.path, new)
    assert told.table["prediction"].tolist() == ["pos"]


@pytest.mark.timeout(1800)
def test_200_reviews_with_glove(reviews: Path, vectors: Path, tmp_path: Path) -> None:
    overrides = [f"dataset.path={reviews}", f"architecture.layers.0.vectors={vectors}"]
    run = dlrun.train(BOOK / "imdb_glove.yaml", runs_dir=tmp_path, overrides=overrides)
    assert run.score is not None
    assert 0.50 <= run.score <= 0.60
    assert any("75% of all words in the training texts" in f for f in run.result["findings"])
