"""What rows hold, in a form that a person can look at: pictures, texts, series or table cells."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from dlrun.data.samples import Array, Samples, is_of_tokens, kind_of
from dlrun.data.source import Source
from dlrun.errors import DataError
from dlrun.reports.html.pictures import is_picture, picture_of_columns
from dlrun.reports.sheets import stretched
from dlrun.text import figure
from dlrun.views.parts.subject import Subject

LONGEST_TEXT = 400
"""Characters of a text that are shown."""

LONGEST_SEQUENCE = 60
"""Words or numbers of a sequence that are shown."""

TEXT = 40
"""A column whose texts are at least this long is a column of texts."""


def pictures_in(samples: Samples) -> Array | None:
    """Return the rows' pictures, (n, h, w) or (n, h, w, c): bytes as they are, other numbers from 0
    to 1 over all rows; None where the rows hold none."""
    features = samples.features
    found = next(
        (c for c in features.values() if isinstance(c, np.ndarray) and is_picture(c)), None
    )
    if found is None and all(c.ndim == 1 and c.dtype.kind in "iuf" for c in features.values()):
        found = picture_of_columns({name: c.tolist() for name, c in features.items()})
    return found if found is None or found.dtype == np.uint8 else stretched(found)


def words_of(subject: Subject, samples: Samples) -> list[list[str]] | None:
    """Return the words of each row of the one column of texts or of word numbers, as the model
    reads them; None where there is no such column."""
    for name, column in samples.features.items():
        if column.ndim > 1 or kind_of(column) == "numeric":
            continue
        first = next((value for value in column if value is not None), "")
        if isinstance(first, str) and len(max(map(str, column), key=len)) < TEXT:
            continue
        if isinstance(first, str):
            return [str(text or "").split() for text in column]
        if is_of_tokens(column):
            return [list(tokens) for tokens in column]
        meanings = meanings_of(subject, name)
        return [[meanings.get(int(number), str(number)) for number in row] for row in column]
    return None


def meanings_of(subject: Subject, column: str) -> dict[int, str]:
    """Return the word of each word number of a column; empty where there is no vocabulary."""
    if (vocabulary := subject.pipeline.vocabularies.get(column)) is not None:
        return dict(enumerate(vocabulary.words))
    # The file of the words may be missing; the numbers are shown then.
    with suppress(DataError):
        if (known := Source.of(subject.config).word_numbers()) is not None:
            numbers, special = known
            return {number: word for word, number in numbers.items()} | dict(special)
    return {}


def cells(samples: Samples) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and a text for each of every row."""
    names = list(samples.features)
    columns = [[_cell(value) for value in column] for column in samples.features.values()]
    return names, [list(row) for row in zip(*columns, strict=True)]


def _cell(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, float | np.floating):
        return "missing" if np.isnan(value) else figure(float(value))
    if isinstance(value, np.ndarray | tuple | list):
        flat = np.asarray(value, dtype=object).reshape(-1)[:6]
        return ", ".join(_cell(one) for one in flat) + (", …" if np.size(value) > 6 else "")
    return str(value)[:LONGEST_TEXT]


def shortened_words(words: list[str]) -> str:
    """Return the first words as a text."""
    more = " …" if len(words) > LONGEST_SEQUENCE else ""
    return " ".join(words[:LONGEST_SEQUENCE]) + more
