"""What single columns hold: names of rows, one value, sentences, several labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from dlrun.checks.architecture import output_of
from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import (
    DATASET,
    drop_columns,
    mark_between_labels,
    may_differ_in_nearly_every_row,
    numeric_columns,
    preprocess_place,
    read_as_text,
    text_columns,
    time_column,
)
from dlrun.checks.finding import Change, Finding, put
from dlrun.checks.subjects.values import columns_of_indices
from dlrun.checks.views import DataView
from dlrun.config.dump import shortest_entry
from dlrun.config.schema import Config
from dlrun.data.reading.table_columns import are_sentences
from dlrun.data.samples import Array
from dlrun.text import first_few

_FEWEST_FOR_IDENTIFIERS = 20

NEARLY_ALL = 0.8
"""Share of the rows that have a unique value; rows may repeat."""

_NAMES_OF_IDENTIFIERS = re.compile(
    r"(^|_)(id|uuid|guid|key|index|record|row|no|nr|number)$", re.IGNORECASE
)


@check(
    "DL115",
    why="a number that names a row says nothing about new rows, and lets a network memorize the "
    "training rows",
    source=BOOK + "4.4",
    instead="leave the column out",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # id numbers the rows
    preprocess: [standardize]
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, drop: [id]}
    """,
)
def identifier(view: DataView) -> Iterator[Finding]:
    """A column with a different value in nearly every row: an identifier."""
    n = len(view.dataset.samples)
    if n < _FEWEST_FOR_IDENTIFIERS:
        return
    found, time = [], time_column(view.dataset.samples)
    columns = numeric_columns(view.dataset.samples)
    found += [name for name, column in columns if _numbers_rows(name, column)]
    as_text = read_as_text(view.config, view.dataset.samples)
    for name, texts in text_columns(view.dataset.samples):
        if name in as_text or not may_differ_in_nearly_every_row(texts):
            continue
        words = [text for text in texts if text is not None]
        if len(set(words)) < NEARLY_ALL * n:
            continue
        # Names or codes rather than sentences.
        if float(np.mean([len(text.split()) for text in words[:100]])) <= 3:
            found.append(name)
    # Times differ in every row too, and DL109 says what to do with them.
    found = [name for name in found if name != time]
    if found:
        have = "has" if len(found) == 1 else "have"
        yield Finding(
            f"{first_few(found)} {have} a different value in nearly every row",
            DATASET,
            drop_columns(view.config, found),
            on_key=True,
        )


def _numbers_rows(name: str, column: Array) -> bool:
    """Whether whole numbers run on from row to row, in whatever order, or are named so."""
    if not len(column) or not may_differ_in_nearly_every_row(column):
        return False
    if column.dtype.kind not in "iu" and not (column == np.floor(column)).all():
        return False
    values = np.unique(column).astype(np.float64)
    if _NAMES_OF_IDENTIFIERS.search(name) and len(values) > len(column) / 2:
        return True
    if len(values) < NEARLY_ALL * len(column):
        return False
    dense = len(values) >= NEARLY_ALL * (values[-1] - values[0] + 1)
    return dense or bool((np.diff(column.astype(np.float64)) > 0).all())


_MANY_COLUMNS = 32


@check(
    "DL117",
    severity="note",
    why="a constant says nothing, and `standardize` cannot divide by its deviation",
    source="scikit-learn, VarianceThreshold",
    instead="leave the column out",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # unit and version never change
    preprocess: [one_hot]
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, drop: [unit, version]}
    """,
)
def constant_column(view: DataView) -> Iterator[Finding]:
    """A column with a single value in all training rows. If there are more than 32 columns, those
    that are 0 everywhere, such as pixels and counts, are not reported, nor places of a sequence of
    word numbers that hold the same word in all rows."""
    columns = [*numeric_columns(view.train), *text_columns(view.train)]
    many = len(columns) > _MANY_COLUMNS
    found, indices = [], columns_of_indices(view)
    for name, column in columns:
        if "[" in name and name[: name.rindex("[")] in indices:
            continue
        first = column[0]
        if bool((column == first).all()) and not (many and first == 0):
            found.append(name)
    if found and len(view.train) > 1:
        have = "has" if len(found) == 1 else "have"
        yield Finding(
            f"{first_few(found)} {have} the same value in all training rows",
            DATASET,
            drop_columns(view.config, found),
            on_key=True,
        )


@check(
    "DL132",
    why="every combination of labels becomes a class of its own, and what they share is lost",
    source=BOOK + "4.5",
    instead="name the separator in `split`, and give the last layer a sigmoid unit for each label",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # red|green, green, red|blue
    preprocess: [standardize]
    architecture: {layers: [{Dense: 16}, {Dense: {units: 4, activation: softmax}}]}
    loss: sparse_categorical_crossentropy
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, split: {y: "|"}}
    preprocess: [standardize]
    architecture: {layers: [{Dense: 16}, {Dense: {units: 3, activation: sigmoid}}]}
    loss: binary_crossentropy
    """,
)
def labels_in_one_field(view: DataView) -> Iterator[Finding]:
    """Classes that are combinations of the same few labels."""
    for name in view.dataset.samples.targets:
        classes = view.dataset.classes.get(name, ())
        if (mark := mark_between_labels(view.config, view.dataset, name)) is None:
            continue
        output = output_of(view.config, name if view.dataset.tasks else None)
        fits = output is None or output.units in (None, len(classes))
        yield Finding(
            f"the classes of '{name}' look like several labels in one field, such as "
            f"'{next(text for text in classes if mark in text)}'",
            DATASET,
            put(("dataset", "split"), {name: mark}),
            on_key=True,
            severity=None if fits else "error",
        )


_OF_CATEGORIES = ("one_hot", "ordinal")


@check(
    "DL124",
    why="nearly every text is a category of its own, so the model learns nothing from its words",
    source=BOOK + "6.1",
    instead="encode it with the step `text`, as word numbers or vectors",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # a review and its kind
    preprocess: [one_hot]
    """,
    fix="""
    preprocess: [{text: {columns: [review], output: multi_hot}}, one_hot]
    """,
)
def text_as_categories(view: DataView) -> Iterator[Finding]:
    """A column of sentences that is encoded as categories."""
    sentences = {name for name, texts in text_columns(view.dataset.samples) if are_sentences(texts)}
    for step in view.config.preprocess:
        columns = getattr(step, "columns", None)
        if step.member_name() == "text":
            sentences -= sentences if columns is None else set(columns)
        if step.member_name() in _OF_CATEGORIES:
            found = [n for n in sorted(sentences) if columns is None or n in columns]
            if found:
                hold = "holds" if len(found) == 1 else "hold"
                yield Finding(
                    f"{first_few(found)} {hold} sentences, which {step.member_name()} treats as "
                    "categories",
                    preprocess_place(view.config),
                    on_key=True,
                )
            sentences -= set(found)


_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
"""Letters of Thai, Lao, Tibetan, Burmese, Khmer, Japanese and Chinese."""

_LONG_WORD = 4.0
"""Letters of these scripts that a word has at most, on average."""

_TEXTS = 200


@check(
    "DL145",
    why="text is split into words at spaces, which this language does not use, so each whole "
    "clause becomes a word that occurs once",
    source="Keras, keras.io/api/layers/preprocessing_layers/text/text_vectorization",
    instead="count characters and pairs of them: `text: {tokens: characters, ngrams: 2}`; or put "
    "spaces between the words",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # reviews in Chinese
    preprocess: [{text: {output: multi_hot}}]
    """,
    fix="""
    preprocess: [{text: {output: multi_hot, tokens: characters, ngrams: 2}}]
    """,
)
def clauses_as_words(view: DataView) -> Iterator[Finding]:
    """Texts of a language without spaces, cut into words by spaces."""
    texts = dict(text_columns(view.train))
    for step in view.config.preprocess:
        if step.member_name() != "text" or getattr(step, "tokens", "words") != "words":
            continue
        named = getattr(step, "columns", None)
        found = [n for n, c in texts.items() if (named is None or n in named) and _is_dense(c)]
        if found:
            have = "has" if len(found) == 1 else "have"
            message = f"{first_few(found)} {have} no spaces between words"
            change = _by_characters(view.config)
            yield Finding(message, preprocess_place(view.config), change, on_key=True)


def _is_dense(column: Array) -> bool:
    """Whether texts are mostly of scripts without spaces, in runs longer than words are."""
    joined = " ".join(text for text in column[:_TEXTS] if text is not None)
    words = [word for word in joined.split() if _WITHOUT_SPACES.search(word)]
    letters = sum(len(_WITHOUT_SPACES.findall(word)) for word in words)
    mostly = letters > 0.5 * sum(letter.isalpha() for letter in joined)
    return mostly and letters > _LONG_WORD * len(words)


def _by_characters(config: Config) -> Change:
    """The change that lets the first step `text` count characters and pairs of them."""
    entries = list(shortest_entry(config, "preprocess") or [])
    for index, entry in enumerate(entries):
        if entry == "text" or (isinstance(entry, dict) and "text" in entry):
            given = entry["text"] if isinstance(entry, dict) else {}
            given = given if isinstance(given, dict) else {"vocabulary": given}
            entries[index] = {"text": {**given, "tokens": "characters", "ngrams": 2}}
            break
    return put(("preprocess",), entries)
