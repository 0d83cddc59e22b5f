"""The step `text` against scikit-learn, Keras and counting by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from dlrun.data.encoded import Encoded
from dlrun.data.fitting.feature_pipeline import fit_features
from dlrun.data.preprocessing.text import Text
from dlrun.data.reading.word_vectors import read_word_vectors
from dlrun.data.samples import Array, Samples, as_objects
from dlrun.errors import DataError

WORDS = ["the", "cat", "sat", "on", "a", "mat", "don't-know", "10/10", "café", "GOOD", "bad,"]
WORDS += ["<br", "/>film", "saw.The"]
AS_WORDS = r"[^\s!\"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~]+"
"""Words as scikit-learn is told: what neither blanks nor punctuation part."""


def texts(count: int, seed: int = 3) -> Array:
    random = np.random.default_rng(seed)
    return as_objects(
        [" ".join(random.choice(WORDS, size=random.integers(0, 12))) for _ in range(count)]
    )


TRAIN, OTHER = texts(80), as_objects([*texts(30, seed=4), "words never seen before", "", "?!"])


def made(options: dict[str, Any], rows: Array = OTHER) -> tuple[Array, list[str]]:
    """What the step makes of `rows` after `TRAIN`, and its words."""
    step = Text.model_validate(options)
    state = step.fit({"t": TRAIN})
    return step.apply({"t": rows}, state)["t"], state["words"].get("t", [])


@pytest.mark.parametrize("ngrams", [1, 2])
@pytest.mark.parametrize("unit", ["words", "characters"])
def test_vectors_are_those_of_scikit_learn(unit: str, ngrams: int) -> None:
    told: dict[str, Any] = {"ngram_range": (1, ngrams), "analyzer": "char", "lowercase": True}
    if unit == "words":
        told |= {"analyzer": "word", "token_pattern": AS_WORDS}
    rows = OTHER
    if unit == "characters":
        # scikit-learn makes one blank of several.
        rows = as_objects([" ".join(text.split()) for text in OTHER])
    for output, vectorizer in (
        ("count", CountVectorizer(**told)),
        ("multi_hot", CountVectorizer(**told, binary=True)),
        ("tf_idf", TfidfVectorizer(**told)),
    ):
        vectorizer.fit(TRAIN)
        options = {"output": output, "tokens": unit, "ngrams": ngrams, "vocabulary": 5000}
        vectors, words = made(options, rows)
        assert sorted(words) == sorted(vectorizer.vocabulary_)
        expected = vectorizer.transform(rows).toarray()[
            :, [vectorizer.vocabulary_[w] for w in words]
        ]
        np.testing.assert_allclose(vectors, expected, rtol=1e-6, err_msg=output)


def test_sequences_are_those_of_keras() -> None:
    from keras.layers import TextVectorization

    told = {"vocabulary": 9, "length": 6, "padding": "post", "truncating": "post", "ngrams": 2}
    sequences, words = made(told)
    layer = TextVectorization(
        standardize=None, ngrams=2, output_sequence_length=6, vocabulary=words
    )
    plain = [" ".join(re.findall(AS_WORDS, text.lower())) for text in OTHER]
    np.testing.assert_array_equal(sequences, np.asarray(layer(plain)))
    assert layer.get_vocabulary() == ["", "[UNK]", *words]
    assert sequences.max() == 8, "two of the nine numbers are padding and unknown words"


def test_words_are_those_of_the_books_tokenizer() -> None:
    from keras.src.legacy.preprocessing.text import Tokenizer

    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(TRAIN)
    step = Text(vocabulary=5000)
    state = step.fit({"t": TRAIN})
    times = dict(zip(state["words"]["t"], state["times"]["t"].tolist(), strict=True))
    assert times == dict(tokenizer.word_counts)
    assert list(times.values()) == sorted(times.values(), reverse=True)


def test_the_most_frequent_words_are_kept() -> None:
    every = CountVectorizer(token_pattern=AS_WORDS)
    times = every.fit_transform(TRAIN).sum(axis=0).A1
    expected = sorted(every.vocabulary_, key=lambda word: (-times[every.vocabulary_[word]], word))
    assert made({"output": "count", "vocabulary": 4})[1] == expected[:4]
    assert made({"output": "sequence", "vocabulary": 4})[1] == expected[:2]


@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("padding", ["pre", "post"])
def test_reversed_sequences_are_turned_before_they_are_cut(padding: str, truncating: str) -> None:
    from keras.utils import pad_sequences

    whole, _ = made({"length": 50, "padding": "post"})
    turned = [row[row > 0][::-1] for row in whole]
    options = {"length": 4, "padding": padding, "truncating": truncating, "reverse": True}
    expected = pad_sequences(turned, maxlen=4, padding=padding, truncating=truncating)
    np.testing.assert_array_equal(made(options)[0], expected)


def test_hashes_are_crc32() -> None:
    vectors, words = made({"output": "hashing", "vocabulary": 32})
    assert words == []
    for row, text in zip(vectors, OTHER, strict=True):
        tokens = re.findall(AS_WORDS, text.lower())
        assert set(np.flatnonzero(row)) == {crc32(token.encode()) % 32 for token in tokens}


def test_capitals_and_punctuation_can_stay() -> None:
    options = {"output": "count", "lower": False, "strip_punctuation": False, "vocabulary": 50}
    words = made(options)[1]
    assert {"GOOD", "bad,", "10/10", "don't-know"} <= set(words)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["multi_hot", "count", "tf_idf", "hashing"])
def test_large_vectors_are_kept_by_their_places(output: str) -> None:
    rows = texts(3000)
    vocabulary = 3000 if output == "hashing" else 5000
    step = Text(output=output, vocabulary=vocabulary, tokens="characters", ngrams=6)  # type: ignore[arg-type] # one of the literals
    samples = Samples({"t": rows}, {}, np.arange(len(rows)))
    inputs = fit_features([step], samples).inputs(samples)
    assert isinstance(inputs, Encoded)
    dense = step.apply({"t": rows}, step.fit({"t": rows}))["t"]
    np.testing.assert_array_equal(inputs[:], dense)
    some = np.array([2999, 0, 17, 17])
    np.testing.assert_array_equal(inputs.take(some)[:], dense[some])
    np.testing.assert_array_equal(inputs.take(slice(5, 2000, 3))[7:9], dense[26:32:3])
    kept = sum(array.nbytes for array in inputs.arrays)
    assert kept < dense.astype(np.float32).nbytes / 5


def test_a_batch_is_the_same_on_the_device() -> None:
    import keras

    from dlrun.training.fused.tensorflow_rows import DeviceRows
    from dlrun.training.rows import FitRows

    rows = texts(3000)
    step = Text(output="tf_idf", vocabulary=5000, tokens="characters", ngrams=6)
    samples = Samples({"t": rows}, {}, np.arange(len(rows)))
    inputs = fit_features([step], samples).inputs(samples)
    numbers = np.array([5, 2999, 0, 5], np.int32)
    expanded = inputs.expand([keras.ops.convert_to_tensor(a) for a in inputs.arrays], numbers)
    np.testing.assert_array_equal(np.asarray(expanded), inputs[numbers])
    arrays = FitRows(inputs, np.zeros(3000, np.float32))
    for xla in (True, False):
        device = DeviceRows(arrays, xla=xla)
        batch, _ = device.batch(device.put(arrays), numbers)
        np.testing.assert_array_equal(np.asarray(batch), inputs[numbers])


def test_what_is_cut_or_empty_is_told() -> None:
    step = Text(length=3)
    state = step.fit({"t": TRAIN})
    lengths = [len(re.findall(AS_WORDS, text)) for text in OTHER]
    longer, empty = sum(n > 3 for n in lengths), [row for row, n in enumerate(lengths) if n == 0]
    # By their lines in the source, which are every other one here.
    *first, last = (f"t.csv:{102 + 2 * row}" for row in empty)
    numbers = 100 + 2 * np.arange(len(OTHER))
    rows = Samples({"t": OTHER}, {}, numbers, places=lambda of: [f"t.csv:{row + 2}" for row in of])
    assert step.findings_of_rows(rows.features, state, rows.listed) == [
        f"text: column 't' holds no word in {len(empty)} of 33 rows: {', '.join(first)} and {last}",
        f"text: column 't' is longer than 3 words in {longer} of 33 rows (half of them hold at "
        f"most {int(np.median(lengths))}); these lost their beginning",
    ]


def test_training_texts_without_any_word_are_refused() -> None:
    with pytest.raises(DataError, match="column 't' holds no word in the training rows"):
        Text().fit({"t": as_objects(["", "?!", None])})


def test_options_of_sequences_go_with_sequences_alone() -> None:
    with pytest.raises(ValidationError, match="`length` goes with `output: sequence`"):
        Text(output="count", length=7)
    again = Text(output="count")
    assert not {"length", "padding", "truncating", "reverse"} & set(again.own_options())


@pytest.mark.parametrize(
    ("column", "step"),
    [
        (["see you at the station today", "thanks for the notes on it"], "`text`"),
        (["Bonn", "Ulm"], "`one_hot` or `ordinal`"),
    ],
)
def test_text_that_no_step_takes_is_told_which_does(column: list[str], step: str) -> None:
    samples = Samples({"t": as_objects(column)}, {}, np.arange(2))
    with pytest.raises(DataError, match=f"column 't' holds text; add {step} to `preprocess`"):
        fit_features([], samples)


@pytest.mark.parametrize("head", ["", "2 2\n"])
def test_a_byte_order_mark_belongs_to_no_word(head: str, tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text(f"{head}the 1 2\nof 3 4\n", encoding="utf-8-sig")
    places, vectors = read_word_vectors(file, {"the": 5, "of": 6}, 2)
    assert places.tolist() == [5, 6]
    assert vectors.tolist() == [[1, 2], [3, 4]]
