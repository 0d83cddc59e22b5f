"""What a column of a table holds, and turning it into an array."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import numpy as np
from pydantic import Field

from dlrun.data.reading.delimited import MISSING_WORDS
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import Array, as_objects
from dlrun.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


ColumnType = Literal["numeric", "categorical", "boolean"]
Separator = Annotated[str, Field(min_length=1)]
"""What a column of a table holds; a boolean one becomes 0, 1 and NaN where it is missing."""

BOOLEAN_WORDS = {"true": True, "false": False, "yes": True, "no": False}
"""Words, in any case, that are enough to make a column boolean."""

_BOOLEAN_TEXTS = BOOLEAN_WORDS | {"t": True, "f": False, "y": True, "n": False}
_BOOLEAN_TEXTS |= {"1": True, "0": False, "on": True, "off": False}

NUMERIC_SHARE = 0.9
"""If at least this share of a column is numbers, texts among them are errors."""


@dataclass(frozen=True)
class FactorizedText:
    """A column as text, each different text once.

    Args:
        codes: (n,) index into `words`, -1 where the value is missing.
        words: The different texts, in the order in which they appear.
        decimal: Decimal point of numbers.
        thousands: Thousands separator of numbers; None: none.
    """

    codes: Array
    words: list[str]
    decimal: str
    thousands: str | None = None

    @cached_property
    def numbers(self) -> Array:
        """(len(words),) float64: each word as a number, NaN where it is not a number."""
        import pandas as pd

        # pandas' own `thousands` would make a number of 01.02.2024.
        plain = [self._ungrouped(word).replace(self.decimal, ".") for word in self.words]
        return np.asarray(pd.to_numeric(pd.Series(plain, dtype=object), errors="coerce"), float)

    def _ungrouped(self, word: str) -> str:
        """A number without the marks between its thousands; anything else as it is."""
        if self.thousands is None or self.thousands not in word:
            return word
        mark, point = re.escape(self.thousands), re.escape(self.decimal)
        grouped = re.fullmatch(rf"[-+]?\d{{1,3}}({mark}\d{{3}})+({point}\d+)?", word.strip())
        return word.replace(self.thousands, "") if grouped else f"'{word}'"

    @cached_property
    def counts(self) -> Array:
        """(len(words),) how often each word appears."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.words))

    def are_values_besides(self, others: Collection[str]) -> bool:
        """Whether the words besides `others` are all numbers, or all true and false."""
        found = [(word, n) for word, n in zip(self.words, self.numbers, strict=True)]
        rest = [(word.lower() in BOOLEAN_WORDS, n == n) for word, n in found if word not in others]
        return bool(rest) and any(all(column) for column in zip(*rest, strict=True))

    def spread(self, values: Array, missing: Any) -> Array:
        """Return a value a row, from a value a word."""
        last = np.empty(1, values.dtype)
        last[0] = missing
        return np.append(values, last)[self.codes]

    def first_row(self, words: Array) -> int:
        """The first row that holds one of the words marked in `words` ((len(words),) bool)."""
        return int(np.flatnonzero(np.append(words, False)[self.codes])[0])


def column_type(table: TableFiles, name: str, given: ColumnType | None = None) -> ColumnType:
    """Return the type of a column: as `given`, else inferred from its values.

    Only-true-or-false and only-yes-or-no are boolean; numbers are numeric; other text is
    categorical.

    Raises:
        DataError: There is no such column, it holds dates or lists, or it holds numbers with
            a few texts among them.
    """
    import pandas as pd

    series = table.series(name)
    if given is not None:
        return given
    if pd.api.types.is_numeric_dtype(series.dtype):
        return "boolean" if pd.api.types.is_bool_dtype(series.dtype) else "numeric"
    texts = as_texts(table, name)
    if texts.words and all(word.lower() in BOOLEAN_WORDS for word in texts.words):
        return "boolean"
    is_text = np.isnan(texts.numbers)
    if not is_text.any():
        return "numeric"
    share = texts.counts[~is_text].sum() / texts.counts.sum()
    # One word among several numbers is a missing marker rather than a category.
    one_word = is_text.sum() == 1 and (~is_text).sum() >= 3
    if share >= NUMERIC_SHARE or (one_word and share >= 0.5):
        _refuse_text(table, name, texts, is_text)
    return "categorical"


def are_flags(table: TableFiles, name: str) -> bool:
    """Whether a column of text holds true and false in any way of writing them, such as Y and N."""
    words = {word.lower() for word in as_texts(table, name).words}
    return len(words) == 2 and {_BOOLEAN_TEXTS.get(word) for word in words} == {True, False}


def boolean_words(table: TableFiles, name: str) -> tuple[str, str]:
    """Return how a boolean column writes false and true: the first word that it has for each,
    `false` and `true` where it has none."""
    words = {False: "false", True: "true"}
    for word in reversed(as_texts(table, name).words):
        words[_BOOLEAN_TEXTS[word.lower()]] = word
    return words[False], words[True]


def to_array(table: TableFiles, name: str, kind: ColumnType) -> Array:
    """Return a column as an array (see `dlrun.data.samples.Columns` for the kinds).

    Returns:
        (n,) int64 or float64 for numeric; bool, or float64 where values are missing, for
        boolean; object holding str or None for categorical.

    Raises:
        DataError: A value does not fit the type; names its row.
    """
    import pandas as pd

    series = table.series(name)
    if kind == "numeric" and pd.api.types.is_numeric_dtype(series.dtype):
        return _numbers(series)
    if kind == "boolean" and pd.api.types.is_bool_dtype(series.dtype) and not series.hasnans:
        return series.to_numpy(dtype=bool)
    texts = as_texts(table, name)
    if kind == "categorical":
        return texts.spread(np.asarray(texts.words, dtype=object), None)
    if kind == "numeric":
        if (is_text := np.isnan(texts.numbers)).any():
            _refuse_text(table, name, texts, is_text)
        return texts.spread(texts.numbers, np.nan)
    return _booleans(table, name, texts)


def to_tokens(table: TableFiles, name: str, separator: str) -> Array:
    """Return a column of text as (n,) tuples of its parts; a missing text has none.

    Args:
        table: The rows.
        name: The column.
        separator: Between two parts; a space stands for any white space.
    """
    texts = as_texts(table, name)
    cut = None if separator == " " else separator
    parts = [tuple(p.strip() for p in word.split(cut) if p.strip()) for word in texts.words]
    return texts.spread(as_objects(parts), ())


def labels_of(column: Array) -> tuple[str, ...]:
    """Return the different parts of a column of tuples of str, sorted."""
    return tuple(sorted({label for row in column for label in row}))


def as_texts(table: TableFiles, name: str) -> FactorizedText:
    """Return a column as text; that of the column asked for last is kept.

    Raises:
        DataError: It holds dates, lists or objects.
    """
    import pandas as pd

    series, file = table.series(name), table.files[0]
    if "texts" in table.latest:
        kept: FactorizedText = table.latest["texts"]
        return kept
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        raise DataError(
            f"{file}: column '{name}' holds dates, which cannot be a feature; leave it out by "
            f"`drop: [{name}]`, or name it as `time` under `evaluation`"
        )
    present = series.dropna()
    if len(present) and isinstance(present.iloc[0], list | dict | tuple | np.ndarray):
        raise DataError(
            f"{file}: column '{name}' holds lists or objects, where one value a row is needed; "
            f"leave it out by `drop: [{name}]`"
        )
    dialect = table.dialect
    codes, uniques = pd.factorize(series)
    words = [as_text(value) for value in uniques]
    texts = FactorizedText(codes, words, dialect.decimal, dialect.thousands)
    if not set(words).isdisjoint(MISSING_WORDS) and texts.are_values_besides(MISSING_WORDS):
        codes, uniques = pd.factorize(series.mask(series.isin(MISSING_WORDS)))
        words = [as_text(value) for value in uniques]
        texts = FactorizedText(codes, words, dialect.decimal, dialect.thousands)
    table.latest["texts"] = texts
    return texts


def column_findings(table: TableFiles, name: str, values: Array) -> list[str]:
    """What the user should know about a feature, one sentence each."""
    if name.startswith("Unnamed: "):
        return [f"column '{name}' has no name in the file; drop it if it numbers the rows"]
    if values.dtype != object:
        if values.dtype.kind == "f" and np.isnan(values).all():
            return [f"column '{name}' holds no value in any row; drop it"]
        return []
    different = len(set(as_texts(table, name).words))
    if different < 20:
        return _missing_words(table, name, values)
    present = values[values != None]  # noqa: E711 - element by element
    if different > len(present) / 2 and not are_sentences(present):
        return [
            f"column '{name}' holds {different} different texts in {len(present)} rows, as an "
            f"identifier does; drop it unless they mean something"
        ]
    return []


def _missing_words(table: TableFiles, name: str, values: Array) -> list[str]:
    """What is read as a missing value of a category, where that may be a category."""
    missing = np.flatnonzero(values == None)  # noqa: E711 - element by element
    word = table.field(int(missing[0]), name) if len(missing) else None
    if word not in MISSING_WORDS:
        return []
    return [
        f"column '{name}' says '{word}', which is read as a missing value: {len(missing)} of "
        f"{len(values)} are missing; if it is a category, say `missing: {{{name}: []}}`"
    ]


def missing_classes(table: TableFiles, name: str) -> list[str]:
    """What the user should know about a target of text: classes that may mark a missing one."""
    texts = as_texts(table, name)
    return [
        f"'{word}' is a class of the target '{name}', in {count} rows; if it marks a missing one, "
        f"say `missing: {{{name}: ['{word}']}}`"
        for word, count in zip(texts.words, texts.counts.tolist(), strict=True)
        if word in MISSING_WORDS
    ]


def _refuse_text(table: TableFiles, name: str, texts: FactorizedText, is_text: Array) -> NoReturn:
    row = texts.first_row(is_text)
    word = texts.words[texts.codes[row]]
    raise DataError(
        f"{table.place(row)}: expected a number in column '{name}', found '{word}'; if that "
        f"marks a missing value, say `missing: ['{word}']`, and if the column is not a "
        f"quantity, say `types: {{{name}: categorical}}`"
    )


def _booleans(table: TableFiles, name: str, texts: FactorizedText) -> Array:
    known = np.asarray([word.lower() in _BOOLEAN_TEXTS for word in texts.words], dtype=bool)
    if not known.all():
        row = texts.first_row(~known)
        raise DataError(
            f"{table.place(row)}: expected true or false in column '{name}', found "
            f"'{texts.words[texts.codes[row]]}'"
        )
    values = np.asarray([_BOOLEAN_TEXTS[word.lower()] for word in texts.words], dtype=float)
    spread = texts.spread(values, np.nan)
    return spread if np.isnan(spread).any() else spread.astype(bool)


def _numbers(series: pd.Series) -> Array:
    if series.hasnans:
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.array(series.to_numpy())


def as_text(value: Any) -> str:
    """Return a value as it is written in a file: `true`, `3` for 3.0, `a`."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


FEWEST_WORDS = 4.0
"""Texts with at least this many words on average are sentences rather than names or codes."""

_ROWS_SAMPLED = 200


def are_sentences(column: Array) -> bool:
    """Whether a column of text holds sentences rather than categories: several words a row, and
    most of them different. Only the first rows that have a value count."""
    texts = _first(column)
    return has_several_words(column) and len(set(texts)) > len(texts) / 2


def has_several_words(column: Array) -> bool:
    """Whether the texts of a column have several words on average, however often each is
    repeated. Only the first rows that have a value count."""
    texts = _first(column)
    return bool(texts) and sum(len(text.split()) for text in texts) / len(texts) >= FEWEST_WORDS


def _first(column: Array) -> list[str]:
    return list(islice((text for text in column if text is not None), _ROWS_SAMPLED))
