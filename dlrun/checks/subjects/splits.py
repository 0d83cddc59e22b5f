"""Whether the split is fair: groups, time, classes, drift, and how many rows are scored."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import (
    DATASET,
    as_codes,
    is_series,
    labels_of,
    numeric_columns,
    time_column,
)
from dlrun.checks.finding import Change, Finding, put
from dlrun.checks.views import DataView
from dlrun.config.yaml_writer import in_line
from dlrun.data.reading.table_columns import has_several_words
from dlrun.data.samples import Array, kind_of
from dlrun.protocols.protocol import repeated_iterations
from dlrun.scoring.intervals import share_of_rows
from dlrun.text import first_few

NAMES_OF_GROUPS = re.compile(
    r"(^|_)(patient|subject|person|user|customer|client|group|session|speaker|author|household"
    r"|device|machine|station|site|school|hospital|family|batch)s?(_?(id|no|nr|number|code|name))?$",
    re.IGNORECASE,
)


@check(
    "DL108",
    why="rows of one person, machine or place are alike, so the model is asked about what it "
    "already knows",
    source="scikit-learn, cross-validation iterators for grouped data",
    instead="name the column in `evaluation.groups`",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # several rows a patient
    preprocess: [standardize]
    """,
    fix="""
    evaluation: {groups: patient}
    """,
)
def group_on_both_sides(view: DataView) -> Iterator[Finding]:
    """A column that looks like a group, with values on both sides of the split."""
    config = view.config
    if getattr(config.evaluation.protocol, "groups", None) is not None or view.held_out is None:
        return
    for name, column in view.dataset.samples.features.items():
        if not NAMES_OF_GROUPS.search(name) or column.ndim > 1 or column.dtype.kind == "f":
            continue
        if kind_of(column) == "categorical" and has_several_words(column):
            # The `subject` of a message is not a person.
            continue
        codes = as_codes(column)
        values = int(codes.max()) + 1
        if not 5 <= values <= len(codes) / 2:
            continue
        both = np.intersect1d(codes[view.folds[0].train], codes[view.folds[0].scored])
        if len(both):
            yield Finding(
                f"'{name}' looks like a group: {len(both)} of its {values} values are both in the "
                "training rows and in the scored rows",
                DATASET,
                put(("evaluation", "groups"), name),
                on_key=True,
            )


@check(
    "DL109",
    why="a model trained on tomorrow is asked about today; in use it will not have seen tomorrow",
    source=BOOK + "4.2.2",
    instead="name the column that holds the time in `evaluation.time`",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # one row a day, in order
    preprocess: [standardize]
    """,
    fix="""
    evaluation: {time: day}
    """,
)
def shuffled_time(view: DataView) -> Iterator[Finding]:
    """Rows in time order that are split at random."""
    protocol = view.config.evaluation.protocol
    given = getattr(protocol, "time", None) or getattr(protocol, "in_time_order", False)
    if given or view.held_out is None or not getattr(protocol, "shuffle", True):
        return
    if getattr(getattr(protocol, "validation", None), "path", None) is not None:
        return
    name = time_column(view.dataset.samples)
    if name is not None:
        yield Finding(
            f"the rows are in the order of '{name}', but the split shuffles them",
            DATASET,
            put(("evaluation", "time"), name),
            on_key=True,
        )


@check(
    "DL130",
    why="windows run from one series into the next, so the model learns jumps that never happen",
    source="Keras, timeseries_dataset_from_array",
    instead="name the column in `series`",
    fault="""
    dataset: {source: timeseries, path: rows.csv, target: sales, lookback: 14}   # three shops
    preprocess: [standardize]
    """,
    fix="""
    dataset: {source: timeseries, path: rows.csv, target: sales, lookback: 14, series: shop}
    """,
)
def undeclared_series(view: DataView) -> Iterator[Finding]:
    """Windows over a table without times whose rows are those of several series."""
    name = view.dataset.undeclared_series
    if name is not None:
        yield Finding(
            f"the rows look like several series, one after another: '{name}' tells them apart",
            ("dataset", "lookback"),
            put(("dataset", "series"), name),
        )


_WIDEST = 0.05
"""Half the 95% interval of an accuracy; from here on it is reported as wide."""

_ASSUMED = 0.9
"""The accuracy that it is given for."""

_WIDEST_ERROR = 0.2
"""The same for the mean error of a regression, as a share of it."""

_SPREAD_OF_ERRORS = 0.756
"""Deviation of the absolute errors of a normal distribution, as a share of their mean."""

_FEWEST_OF_SEVERAL = 20
"""Rows of several answers, whose share of right ones says little with fewer."""

_FEW_ROWS = 200
"""With fewer rows in all, one round of K-fold still varies with the seed."""


def _have_several_answers(view: DataView) -> bool:
    """Whether the rows have more than one class or quantity to predict."""
    targets = [*view.train.targets.values()]
    one_hot = labels_of(view.train) is not None
    return view.known.steps or len(targets) > 1 or (targets[0].ndim > 1 and not one_hot)


@check(
    "DL113",
    why="with so few rows the score of one model varies more than models differ",
    source=BOOK + "4.2.1",
    instead="score every row once with K-fold, or with iterated K-fold if rows are very few",
    fault="""
    dataset: {source: sklearn, name: wine}   # 178 rows
    preprocess: [standardize]
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 3, activation: softmax}
    """,
    fix="""
    evaluation: {protocol: iterated_kfold, folds: 5}
    """,
)
def few_scored_rows(view: DataView) -> Iterator[Finding]:
    """So few rows are scored that chance decides between models. Where a row has several answers,
    such as a class for each pixel, their number does not tell how far the score is known."""
    scored = view.folds[0].scored
    if scored is None or len(view.folds) > 1:
        return
    n = len(scored)
    if _have_several_answers(view):
        half, widest = float(n < _FEWEST_OF_SEVERAL), 0.5
        known = "the answers of a row are right or wrong together"
    elif view.task == "regression":
        half = NormalDist().inv_cdf(0.975) * _SPREAD_OF_ERRORS / math.sqrt(n)
        known, widest = f"a mean error is known to within ±{half:.0%} of itself", _WIDEST_ERROR
    else:
        interval = share_of_rows(round(_ASSUMED * n), n)
        half = (interval.high - interval.low) / 2
        known, widest = f"an accuracy of {_ASSUMED:.0%} is known to within ±{half:.1%}", _WIDEST
    if half <= widest:
        return
    name = "iterated_kfold" if len(view.dataset.samples) < _FEW_ROWS else "kfold"
    in_time = getattr(view.config.evaluation.protocol, "time", None) is not None
    if in_time or is_series(view.dataset.samples):
        name = "time_series"
    protocol = {"protocol": name, "folds": 5}
    path = ("evaluation", "protocol")
    values = ((path, protocol["protocol"]), (("evaluation", "validation"), None))
    yield Finding(
        f"only {n} rows are scored: {known}",
        ("evaluation", "validation"),
        Change(values, f"evaluation: {in_line(protocol)}"),
    )


_LARGE_GAP = 0.3

_P_VALUE = 1e-4

_IN_TIME = (
    "find out what changed over time; if a column only grows, its change from row to row may say "
    "more than its value"
)


@check(
    "DL146",
    severity="note",
    why="a repeated split scores the same rows again, which shows how much the score varies with "
    "the seed of training, but not with the choice of rows",
    source="scikit-learn, ShuffleSplit",
    instead="repeat less often, or hold out another share",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # 4 houses
    evaluation: {protocol: repeated_holdout, repeats: 9, reshuffle: true, groups: house}
    """,
    fix="""
    evaluation: {protocol: repeated_holdout, repeats: 4, reshuffle: true, groups: house}
    """,
)
def repeated_splits(view: DataView) -> Iterator[Finding]:
    """Splits that are to be different, of which fewer were found than were asked for."""
    protocol = view.config.evaluation.protocol
    if not getattr(protocol, "reshuffle", hasattr(protocol, "iterations")):
        return
    count = len({fold.iteration for fold in view.folds})
    if repeated := repeated_iterations(view.folds):
        text = (
            f"{repeated} of {count} splits repeat an earlier one: only {count - repeated} "
            "different ones were found"
        )
        option = "iterations" if hasattr(protocol, "iterations") else "repeats"
        yield Finding(text, ("evaluation", option))


@check(
    "DL116",
    why="the score comes from a different kind of rows than the model learnt from",
    source=BOOK + "4.2.2",
    instead="find out how the rows differ; shuffle them unless time or groups forbid it",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # the last rows are from another year
    evaluation: {shuffle: false, validation: {samples: 200}}
    """,
    fix="""
    evaluation: {validation: {samples: 200}}
    """,
)
def drift(view: DataView) -> Iterator[Finding]:
    """A column distributed differently in the training rows and in the scored rows. Test rows are
    sealed, so they are not compared."""
    if view.held_out is None or len(view.held_out) < 20:
        return
    protocol, series = view.config.evaluation.protocol, is_series(view.train)
    in_time_order = getattr(protocol, "time", None) or getattr(protocol, "in_time_order", False)
    held_out = dict(numeric_columns(view.held_out))
    columns = [(n, c) for n, c in numeric_columns(view.train) if n in held_out]
    gaps = {}
    for name, column in columns:
        gap, p_value = largest_gap(column, held_out[name])
        if gap > _LARGE_GAP and p_value * len(columns) < _P_VALUE:
            gaps[name] = gap
    if gaps:
        worst = max(gaps, key=lambda name: gaps[name])
        here = f"{np.nanmean(dict(columns)[worst]):.4g}"
        there = f"{np.nanmean(held_out[worst]):.4g}"
        yield Finding(
            f"{first_few(gaps)} differ{'s' if len(gaps) == 1 else ''} between training and "
            f"validation rows (the mean of '{worst}' is {here} and {there})",
            DATASET,
            on_key=True,
            advice=_IN_TIME if series or in_time_order else None,
            # Later stretches of a series differ by their season; it cannot be shuffled.
            severity="note" if series else None,
        )


def largest_gap(one: Array, other: Array) -> tuple[float, float]:
    """Return the two-sample Kolmogorov-Smirnov statistic and its p-value for many rows.

    https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.ks_2samp.html
    """
    one, other = np.sort(one[~np.isnan(one)]), np.sort(other[~np.isnan(other)])
    if not len(one) or not len(other):
        return 0.0, 1.0
    every = np.concatenate([one, other])
    shares = [np.searchsorted(part, every, side="right") / len(part) for part in (one, other)]
    gap = float(np.abs(shares[0] - shares[1]).max())
    size = len(one) * len(other) / (len(one) + len(other))
    return gap, min(1.0, 2 * math.exp(-2 * size * gap**2))
