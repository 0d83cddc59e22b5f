"""What a column of a table holds, and turning it into an array."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import numpy as np
from pydantic import Field

from dlrun.data.reading.delimited import EXACT, MISSING_WORDS
from dlrun.data.reading.factorized_text import BOOLEAN_WORDS, FactorizedText
from dlrun.data.reading.number_texts import category_text, notation_of, number_pattern, without_unit
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import Array, as_objects
from dlrun.data.timestamps import plain_times
from dlrun.errors import DataError
from dlrun.text import counted

if TYPE_CHECKING:
    import pandas as pd


ColumnType = Literal["numeric", "categorical", "boolean"]
Separator = Annotated[str, Field(min_length=1)]
"""What a column of a table holds; a boolean one becomes 0, 1 and NaN where it is missing."""

_BOOLEAN_TEXTS = BOOLEAN_WORDS | {"t": True, "f": False, "y": True, "n": False}
_BOOLEAN_TEXTS |= {"1": True, "0": False, "on": True, "off": False}

NUMERIC_SHARE = 0.9
"""If at least this share of a column is numbers, texts among them are errors."""

_ZERO_IN_FRONT = re.compile(r"\s*[-+]?0\d")
_MOST_SHOWN = 3
_LONGEST_NUMBER = 40
"""Characters of a number with its unit: texts that are longer need no closer look."""


def column_type(table: TableFiles, name: str, given: ColumnType | None = None) -> ColumnType:
    """Return the type of a column: as `given`, else inferred from its values.

    Only-true-or-false and only-yes-or-no are boolean; numbers are numeric; other text is
    categorical, and so are whole numbers that floats do not hold exactly.

    Raises:
        DataError: There is no such column, it holds dates or lists, or it holds numbers with
            a few texts among them, or numbers that are written in another way.
    """
    import pandas as pd

    series = table.series(name)
    if given is not None:
        return given
    if pd.api.types.is_numeric_dtype(series.dtype):
        if pd.api.types.is_bool_dtype(series.dtype):
            return "boolean"
        large = series.dtype.kind in "iu" and not series.between(-EXACT, EXACT).all()
        return "categorical" if large else "numeric"
    texts = as_texts(table, name)
    if texts.words and all(word.lower() in BOOLEAN_WORDS for word in texts.words):
        return "boolean"
    is_text = np.isnan(texts.numbers)
    if not is_text.any():
        return "categorical" if texts.are_large else "numeric"
    _refuse_other_notation(table, name, texts, is_text)
    # One word among several numbers is a missing marker rather than a category.
    one_word = is_text.sum() == 1 and (~is_text).sum() >= 3
    share = texts.counts[~is_text].sum() / texts.counts.sum()
    if share >= NUMERIC_SHARE or (one_word and share >= 0.5):
        _refuse_text(table, name, texts, is_text)
    return "categorical"


def are_flags(table: TableFiles, name: str) -> bool:
    """Whether a column of text holds true and false in any way of writing them, such as Y and N."""
    words = {word.lower() for word in as_texts(table, name).words}
    return len(words) == 2 and {_BOOLEAN_TEXTS.get(word) for word in words} == {True, False}


def target_type(
    table: TableFiles, name: str, given: ColumnType | None = None, *, several: bool
) -> ColumnType:
    """Return the type of a target: `several` are true or false where they can be."""
    kind = column_type(table, name, given)
    flags = several and given is None and kind == "categorical" and are_flags(table, name)
    return "boolean" if flags else kind


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
        words = [category_text(word, texts.decimal) for word in texts.words]
        return texts.spread(np.asarray(words, dtype=object), None)
    if kind == "numeric":
        if (is_text := np.isnan(texts.amounts)).any():
            _refuse_text(table, name, texts, is_text)
        _refuse_several_units(table, name, texts)
        return texts.spread(texts.amounts, np.nan)
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


def to_extra(table: TableFiles, name: str, given: ColumnType | None = None) -> Array:
    """Return a column of groups, times or weights: (n,) datetime64, numbers, bool or text.

    Digits that are a code stay text: those with zeros in front, and those that floats do not hold
    exactly.

    Raises:
        DataError: A value does not fit the given type.
    """
    series = table.series(name)
    if series.dtype.kind == "M":
        return plain_times(series)
    if given is None and series.dtype.kind not in "biuf":
        texts = as_texts(table, name)
        is_code = texts.are_large or any(map(_ZERO_IN_FRONT.match, texts.words))
        given = "categorical" if is_code or np.isnan(texts.numbers).any() else "numeric"
        if all(word.lower() in BOOLEAN_WORDS for word in texts.words):
            given = "boolean"
    values = to_array(table, name, given or "numeric")
    exact = values.dtype.kind == "f" and bool((np.abs(values) <= EXACT).all())
    if exact and (values == np.floor(values)).all():
        return values.astype(np.int64)
    return values


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
    if holds_lists(series):
        raise DataError(
            f"{file}: column '{name}' holds lists or objects, where one value a row is needed; "
            f"leave it out by `drop: [{name}]`"
        )
    dialect = table.dialect
    codes, uniques = pd.factorize(series)
    words = [as_text(value, dialect.decimal) for value in uniques]
    texts = FactorizedText(codes, words, dialect.decimal, dialect.thousands)
    if not set(words).isdisjoint(MISSING_WORDS) and texts.are_values_besides(MISSING_WORDS):
        codes, uniques = pd.factorize(series.mask(series.isin(MISSING_WORDS)))
        words = [as_text(value, dialect.decimal) for value in uniques]
        texts = FactorizedText(codes, words, dialect.decimal, dialect.thousands)
    table.latest["texts"] = texts
    return texts


def holds_lists(series: pd.Series) -> bool:
    """Tell whether a column holds lists or objects rather than one value a row."""
    present = series.dropna() if series.dtype == object else series[:0]
    return len(present) > 0 and isinstance(present.iloc[0], list | dict | tuple | np.ndarray)


def column_findings(
    table: TableFiles, name: str, values: Array, given: ColumnType | None = None
) -> list[str]:
    """What the user should know about a feature of an inferred or given type, one sentence each."""
    if name.startswith("Unnamed: "):
        return [f"column '{name}' has no name in the file; drop it if it numbers the rows"]
    if values.dtype != object:
        if values.dtype.kind == "f" and np.isnan(values).all():
            return [f"column '{name}' holds no value in any row; drop it"]
        if given is None and values.dtype.kind in "iuf" and (code := table.codes.get(name)):
            return [
                f"column '{name}' holds numbers such as '{code}', whose zeros in front are lost; "
                f"if they are codes, say `types: {{{name}: categorical}}`"
            ]
        return []
    texts = as_texts(table, name)
    if texts.are_large:
        return [
            f"column '{name}' holds whole numbers beyond 2^53, which floats do not hold exactly: "
            f"they are text; drop it if they identify the rows"
        ]
    is_text = np.isnan(texts.numbers)
    share = texts.counts[~is_text].sum() / max(1, texts.counts.sum())
    if 0.5 <= share < 1:
        rows = texts.rows(is_text)
        return [
            f"column '{name}' is text, though it holds numbers in all but "
            f"{counted(len(rows), 'row')}: {_shown(table, texts, rows)}"
        ]
    different = len(set(texts.words))
    if different < 20:
        return _missing_words(table, name, values)
    present = values[values != None]  # noqa: E711 - element by element
    if different > len(present) / 2 and not are_sentences(present):
        return [
            f"column '{name}' holds {different} different texts in {len(present)} rows, as an "
            f"identifier does; drop it unless they mean something"
        ]
    return []


def _shown(table: TableFiles, texts: FactorizedText, rows: Array) -> str:
    """The first of some rows with what they hold: `d.csv:3 'a', d.csv:7 'b' and 4 more`."""
    shown = rows[:_MOST_SHOWN].tolist()
    places = zip(table.places(shown), texts.codes[shown].tolist(), strict=True)
    listing = ", ".join(f"{place} '{texts.words[code]}'" for place, code in places)
    more = len(rows) - len(shown)
    return f"{listing} and {more:,} more" if more else listing


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
    rows = texts.rows(is_text)
    word = texts.words[texts.codes[rows[0]]]
    others = f", and in {counted(len(rows) - 1, 'other row')}" if len(rows) > 1 else ""
    if 1 < len(rows) <= _MOST_SHOWN + 1:
        others = f", and {_shown(table, texts, rows[1:])}"
    place = table.place(int(rows[0]))
    raise DataError(
        f"{place}: expected a number in column '{name}', found '{word}'{others}",
        advice=f"if that marks a missing value, say `missing: ['{word}']`, and if the column is "
        f"not a quantity, say `types: {{{name}: categorical}}`",
    )


def _refuse_other_notation(
    table: TableFiles, name: str, texts: FactorizedText, is_text: Array
) -> None:
    """Raise an error where a column holds numbers that are written in another way."""
    indices = np.flatnonzero(is_text)
    dialect, total = table.dialect, texts.counts.sum()
    long = np.asarray([len(texts.words[i]) > _LONGEST_NUMBER for i in indices])
    if texts.counts[indices[long]].sum() > (1 - NUMERIC_SHARE) * total:
        return
    found = notation_of([texts.words[i] for i in indices], dialect.decimal, dialect.thousands)
    if found is None:
        return
    numbers = ~is_text
    numbers[indices[found.fits]] = True
    if texts.counts[numbers].sum() < NUMERIC_SHARE * total:
        return
    row = int(texts.rows(is_text & numbers)[0])
    word = texts.words[texts.codes[row]]
    options = [f"`types: {{{name}: numeric}}`"] if found.units else []
    if found.decimal != dialect.decimal:
        options.insert(0, f"`decimal: '{found.decimal}'`")
    if found.thousands != dialect.thousands and found.thousands is not None:
        options.insert(0, f'`thousands: "{found.thousands}"`')
    value = f"{found.value(word):.15g}"
    others = [texts.words[i] for i in indices]
    either = all(map(number_pattern(",", None).fullmatch, others))
    if found.thousands == "," and either and not table.has_commas_between_fields:
        value += f", or `decimal: ','` to read it as {float(word.replace(',', '.'))}"
    raise DataError(
        f"{table.place(row)}: column '{name}' holds numbers that are written as '{word}' is",
        advice=f"say {' and '.join(options)} to read it as {value}, or `types: "
        f"{{{name}: categorical}}` if the column is not a quantity",
    )


def _refuse_several_units(table: TableFiles, name: str, texts: FactorizedText) -> None:
    """Raise an error where amounts of several currencies, or percentages and plain numbers, are
    in one column."""
    units = [without_unit(word)[1] for word in texts.words]
    different = {*units} if "%" in units else {*units} - {""}
    if len(different) > 1:
        rows = [int(texts.rows(np.asarray([u == unit for u in units]))[0]) for unit in different]
        shown = _shown(table, texts, np.sort(rows))
        raise DataError(f"column '{name}' holds amounts in several units: {shown}")


def _booleans(table: TableFiles, name: str, texts: FactorizedText) -> Array:
    known = np.asarray([word.lower() in _BOOLEAN_TEXTS for word in texts.words], dtype=bool)
    if not known.all():
        row = int(texts.rows(~known)[0])
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


def as_text(value: Any, decimal: str = ".") -> str:
    """Return a value as it is written in a file with that decimal point: `true`, `3` for 3.0."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value).replace(".", decimal)
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
