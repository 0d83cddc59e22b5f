"""Missing values: those that no step fills in, and numbers that mark them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import DATASET, is_series, numeric_columns, preprocess_place, with_step
from dlrun.checks.finding import Change, Finding, Severity, put
from dlrun.checks.views import DataView
from dlrun.config.schema import Config
from dlrun.data.preprocessing.impute import Impute
from dlrun.data.samples import Array
from dlrun.text import counted, first_few


@check(
    "DL104",
    severity="error",
    why="a single NaN in a row makes the loss NaN",
    source=BOOK + "4.3.1",
    instead="add `impute` to the preprocessing",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # some cells are empty
    preprocess: [standardize]
    """,
    fix="""
    preprocess: [impute, standardize]
    """,
)
def missing_values(view: DataView) -> Iterator[Finding]:
    """Missing values that no step fills in."""
    covered = [step for step in view.config.preprocess if isinstance(step, Impute)]
    missing = {}
    for name, column in numeric_columns(view.dataset.samples):
        if any(step.columns is None or name in step.columns for step in covered):
            continue
        if column.dtype.kind == "f" and (count := int(np.isnan(column).sum())):
            missing[name] = count
    if missing:
        values = counted(sum(missing.values()), "value")
        yield Finding(
            f"{values} missing in {first_few(missing)}, and no step fills them in",
            preprocess_place(view.config),
            with_step(view.config, "impute"),
            on_key=True,
        )


@check(
    "DL105",
    why="a network can learn that 0 means missing only if 0 means nothing else",
    source=BOOK + "4.3.1",
    instead="use `impute: median`, or `impute: {strategy: zero, indicator: true}`",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # 0 children is a value, too
    preprocess: [{impute: zero}]
    """,
    fix="""
    preprocess: [{impute: {strategy: zero, indicator: true}}]
    """,
)
def zero_for_missing(view: DataView) -> Iterator[Finding]:
    """Missing values become 0 in a column where 0 already has a meaning."""
    for index, step in enumerate(view.config.preprocess):
        if not isinstance(step, Impute) or step.strategy != "zero" or step.indicator:
            continue
        names = [
            name
            for name, column in numeric_columns(view.train)
            if column.dtype.kind == "f"
            and (step.columns is None or name in step.columns)
            and np.isnan(column).any()
            and (column == 0).mean() > 0.01
        ]
        if names:
            yield Finding(
                f"missing values of {first_few(names)} become 0, which also occurs as a value",
                ("preprocess", index),
                Change((), "- impute: {strategy: zero, indicator: true}"),
            )


_DIGITS_OF_MARKERS = frozenset({"9", "99", "999", "9999", "99999", "999999", "8888", "7777"})
_FEWEST_MARKED = 3
_FEWEST_UNMARKED = 10

_FAR = 0.5
"""A number such as -999 is a marker this many ranges of the other values away from them, ..."""

_FAR_ANY = 1.0
"""... a negative one beside values of at least 0, this many times the range of their middle nine
tenths, ..."""

_FAR_ALL = 2.0
"""... any other whole number, this many of their ranges, ..."""

_FAR_ZERO = 0.4
"""... and so is 0 where all others are well above it: it may be a value."""


def marker_of(column: Array) -> float | None:
    """Return the number that marks missing values in (n,) numbers, or None.

    It is whole, the least or the largest one, occurs several times, and lies far from the others.
    """
    known = column[np.isfinite(column.astype(np.float64, copy=False))].astype(np.float64)
    if len(known) < _FEWEST_MARKED + _FEWEST_UNMARKED:
        return None
    values, counts = np.unique(known, return_counts=True)
    if len(values) < _FEWEST_UNMARKED:
        return None
    for place in (0, -1):
        value, count = float(values[place]), int(counts[place])
        others, usual = np.delete(values, place), np.delete(counts, place)
        if value != np.floor(value) or not _FEWEST_MARKED <= count < len(known) / 2:
            continue
        distance = abs(value - float(others[0 if place == 0 else -1]))
        low, high = np.quantile(np.repeat(others, usual), (0.05, 0.95))
        digits = f"{abs(value):.0f}"
        if digits in _DIGITS_OF_MARKERS and (value < 0 or len(digits) > 1):
            far = _FAR * float(others[-1] - others[0])
        elif value == 0:
            far = _FAR_ZERO * float(high - low) if others[0] > 0 else np.inf
        elif value < 0 <= others[0]:
            far = _FAR_ANY * float(high - low)
        else:
            far = _FAR_ALL * float(others[-1] - others[0])
        common = count >= 3 * np.median(usual) or digits in _DIGITS_OF_MARKERS
        if common and distance > far > 0:
            return value
    return None


@check(
    "DL119",
    why="as a number it is the strongest signal in the column, and it means nothing",
    source=BOOK + "4.3.1",
    instead="name it in `missing` under dataset, and add `impute` to the preprocessing",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # x is -999 if unknown
    preprocess: [standardize]
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, missing: [-999]}
    preprocess: [impute, standardize]
    """,
)
def missing_value_marker(view: DataView) -> Iterator[Finding]:
    """A whole number far from all others that marks a missing value, such as -999 or -200, in a
    column or in the target. Of 0, where the others are well above it, a note says so."""
    found = {
        n: marker for n, c in numeric_columns(view.train) if (marker := marker_of(c)) is not None
    }
    for zero in (False, True):
        names = [name for name, marker in found.items() if (marker == 0) == zero]
        markers = sorted({int(found[name]) for name in names})
        if names:
            change = _missing(view.config, names, markers, by_column=zero)
            severity: Severity | None = "note" if zero else None
            why = "0 is no plausible value if all others are far above it" if zero else None
            message = _far_away(names, markers)
            yield Finding(message, DATASET, change, on_key=True, severity=severity, why=why)
    if view.task != "regression" or is_series(view.train):
        return
    for name, column in view.train.targets.items():
        marker = marker_of(column) if column.ndim == 1 and column.dtype.kind in "iuf" else None
        if marker:
            message = _far_away([f"the target '{name}'"], [int(marker)])
            yield Finding(message, DATASET, advice=_NO_TARGET, on_key=True)


_NO_TARGET = "remove these rows from the file: what is not known cannot be learnt"


def _far_away(names: Sequence[str], markers: Sequence[int]) -> str:
    hold = "holds" if len(names) == 1 else "hold"
    return f"{first_few(names)} {hold} {first_few(markers)}, far from all other values"


def _missing(
    config: Config, names: Sequence[str], markers: Sequence[int], *, by_column: bool
) -> Change | None:
    """The change that names markers in `missing`, by column where they may be values in others."""
    if not hasattr(config.dataset, "missing"):
        return None
    given = config.dataset.missing or []
    if not by_column and not isinstance(given, dict):
        return put(("dataset", "missing"), [*given, *markers])
    by_name = given if isinstance(given, dict) else {"*": given} if given else {}
    return put(("dataset", "missing"), {**by_name, **{name: [*markers] for name in names}})
