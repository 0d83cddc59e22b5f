"""Which columns a model needs: permutation importance.

Source: Breiman (2001); scikit-learn's guide, Permutation feature importance, also on columns that
are correlated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dlrun.data.lazy import windows_of
from dlrun.data.samples import Samples, kind_of
from dlrun.protocols.preparation import sample_weights
from dlrun.reports.charts import Axis, Chart, DotsMark, LineMark, axis_holding, rule
from dlrun.reports.sheets import AnySheet, ChartSheet
from dlrun.scoring.bootstrap import bootstrap_mean
from dlrun.scoring.intervals import NoIntervalError
from dlrun.scoring.measures import Measure, measures_of, select_measure
from dlrun.scoring.model_scores import Truth, truths_of
from dlrun.text import counted, figure, figure_beside, listed, shortened
from dlrun.training.prediction import predict
from dlrun.views import RowChoice, ViewOfRows, ViewResult
from dlrun.views.parts.sanity import rank_correlation
from dlrun.views.parts.subject import Subject

Array = np.ndarray

MOST_DRAWN = 20
"""Columns of the picture; the others are in `look.json`."""

LONGEST_NAME = 28
"""Characters of a name in the picture."""

COPY = 0.9999
"""From which rank correlation on a column is called a copy."""

RESAMPLES = 200
"""Draws of the rows for the interval of a score that is no mean over rows."""


@dataclass(frozen=True)
class ColumnImportance:
    """What the score loses without some columns.

    Args:
        name: Of the column, or of the group.
        columns: Which were shuffled together.
        loss: What the score loses, in its own unit: the mean over the shuffles.
        low: Lower end of its 95 % interval; None where there is none.
        high: Upper end.
    """

    name: str
    columns: tuple[str, ...]
    loss: float
    low: float | None
    high: float | None

    @property
    def matters(self) -> bool:
        """Whether the score loses more than by chance."""
        return self.low is not None and self.low > 0

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        ends = {"low": self.low, "high": self.high, "matters": self.matters}
        return {"name": self.name, "columns": list(self.columns), "loss": self.loss, **ends}


class Importance(ViewOfRows):
    """Measure what the score loses when a column is shuffled among the validation rows, so that it
    says nothing any more, and name columns that stand in for each other."""

    rows: RowChoice = 1000
    """Which rows, at most; see `rows`."""

    repeats: Annotated[int, Field(ge=1, le=100)] = 5
    """How often each column is shuffled."""

    groups: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    """Columns that are shuffled together, by a name of your choice, besides each alone."""

    correlated: Annotated[float, Field(gt=0, le=1)] = 0.8
    """From which rank correlation on columns are named as standing in for each other, and shuffled
    together, too."""

    def look(self, subject: Subject) -> ViewResult:
        chosen = subject.rows(self.rows)
        columns = _columns(subject, chosen.samples)
        if not chosen.samples.targets:
            raise subject.problem("a score needs rows whose targets are known", "rows")
        for name, group in self.groups.items():
            for column in group:
                if column not in columns:
                    message = f"there is no column '{column}'; there are {', '.join(columns)}"
                    raise subject.problem(message, "groups", name)
        scored = _ScoredRows(subject, chosen.samples)
        pairs = _correlated(columns, self.correlated)
        groups = {name: (name,) for name in columns} | {
            name: tuple(group) for name, group in self.groups.items()
        }
        groups |= {_called(each): each for each in _together(pairs)}
        found = [
            _importance(scored, columns, name, group, self.repeats, subject.config.seed)
            for name, group in groups.items()
        ]
        found.sort(key=lambda one: -one.loss)
        facts = {
            "part": chosen.part,
            "rows": len(chosen.samples),
            "score": {"name": scored.measure.name, "value": scored.value},
            "columns": [one.as_dict() for one in found],
            "correlated": [{"columns": [a, b], "correlation": r} for a, b, r in pairs],
        }
        arrays = {
            "names": np.array([one.name for one in found]),
            "loss": np.array([one.loss for one in found]),
            "low": np.array([np.nan if one.low is None else one.low for one in found]),
            "high": np.array([np.nan if one.high is None else one.high for one in found]),
            "rows": chosen.numbers,
        }
        title = f"{subject.config.name}: what {scored.measure.name} loses without a column"
        chart = _chart(found[:MOST_DRAWN], scored.measure.name)
        sheets: list[AnySheet] = [ChartSheet("importance", title, [chart])]
        return ViewResult(_lines(found, pairs, scored, chosen.part), facts, arrays, sheets)


class _ScoredRows:
    """Rows whose predictions can be scored by the measure of success."""

    def __init__(self, subject: Subject, samples: Samples) -> None:
        config, self._subject, self._samples = subject.config, subject, samples
        self.measure: Measure = select_measure(measures_of(config.outputs), config.evaluation.score)
        if self.measure.is_sum:
            message = "the score is the sum of several losses; name another one as `score`"
            raise subject.problem(f"{message} under 'evaluation'")
        self.truth: Truth = truths_of(subject.pipeline, samples)[self.measure.output]
        self.weights = sample_weights(config.training.sample_weight, samples)
        self.predictions = self.predicted(samples)
        self.value = self.score(self.predictions)

    def __len__(self) -> int:
        return len(self._samples)

    def predicted(self, samples: Samples, change: Callable[[Any], Any] = lambda x: x) -> Array:
        """Return the output in the form that the measure takes."""
        inputs = change(self._subject.inputs(samples))
        values = predict(self._subject.model, inputs).values[self.measure.output]
        if self.measure.is_loss:
            return values
        return self._subject.pipeline.of_output(self.measure.output).invert(values)

    def without(self, names: Sequence[str], order: Array) -> Array:
        """Return the predictions for the rows with some columns in another order."""
        features, samples = self._samples.features, self._samples
        if all(name in features for name in names):
            shuffled = {name: features[name][order] for name in names}
            return self.predicted(samples.with_features({**features, **shuffled}))
        (windows,) = [w for column in features.values() if (w := windows_of(column)) is not None]
        places = [windows.series.names.index(name) for name in names]
        values = np.asarray(windows[:])
        values[..., places] = values[order][..., places]
        (column,) = features
        return self.predicted(samples.with_features({column: _as_windows(windows, values)}))

    def score(self, predictions: Array, rows: Array | slice = slice(None)) -> float:
        """Return the measure of rows."""
        weights = None if self.weights is None else self.weights[rows]
        return self.measure(self.truth.form(self.measure.is_loss)[rows], predictions[rows], weights)

    @property
    def sign(self) -> int:
        """1 where a greater score is better, else -1."""
        return 1 if self.measure.direction == "max" else -1

    def of_rows(self, predictions: Array) -> Array | None:
        """Return a value for each row whose plain mean is the score; None where there is none."""
        score = self.measure.score
        if score is None or score.rows is None or score.of_mean is not None:
            return None
        if self.weights is not None and self.measure.is_loss:
            return None
        truth = self.truth.form(self.measure.is_loss)
        return np.asarray(score.rows(truth, predictions, None, None), np.float64)


def _importance(
    scored: _ScoredRows,
    columns: Mapping[str, Array],
    name: str,
    group: tuple[str, ...],
    repeats: int,
    seed: int,
) -> ColumnImportance:
    random = np.random.default_rng([seed, *(list(columns).index(one) for one in group)])
    shuffled = [scored.without(group, random.permutation(len(scored))) for _ in range(repeats)]
    losses = [scored.sign * (scored.value - scored.score(one)) for one in shuffled]
    low, high = _interval(scored, shuffled, seed)
    return ColumnImportance(name, group, float(np.mean(losses)), low, high)


def _interval(
    scored: _ScoredRows, shuffled: Sequence[Array], seed: int
) -> tuple[float | None, float | None]:
    """The 95 % interval of the mean loss, over the rows that might have been drawn."""
    own = scored.of_rows(scored.predictions)
    if own is not None:
        others = [scored.of_rows(one) for one in shuffled]
        each = scored.sign * (own - np.mean([one for one in others if one is not None], axis=0))
        if not each.any():
            return 0.0, 0.0
        try:
            interval = bootstrap_mean(each, seed=seed).interval
        except NoIntervalError:
            return None, None
        return interval.low, interval.high
    random, count = np.random.default_rng(seed), len(scored)
    drawn = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, count, count)
        base = scored.score(scored.predictions, rows)
        drawn.append(
            scored.sign * (base - float(np.mean([scored.score(one, rows) for one in shuffled])))
        )
    finite = np.array(drawn)[np.isfinite(drawn)]
    if len(finite) < RESAMPLES / 2:
        return None, None
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def _as_windows(windows: Any, values: Array) -> Any:
    """Windows with other values, each over rows of its own."""
    count, length, width = values.shape
    rows = np.repeat(windows.starts, length) + np.tile(np.arange(length) * windows.step, count)
    series = replace(
        windows.series,
        values=values.reshape(-1, width),
        numbers=windows.series.numbers[rows],
        times=None if windows.series.times is None else windows.series.times[rows],
        codes=None if windows.series.codes is None else windows.series.codes[rows],
    )
    return replace(windows, series=series, starts=np.arange(count) * length, step=1)


def _columns(subject: Subject, samples: Samples) -> dict[str, Array]:
    """The columns of a table, or the quantities of windows over a series.

    Raises:
        ComponentError: The rows are pictures or texts.
    """
    features = samples.features
    for column in features.values():
        if (windows := windows_of(column)) is not None and len(features) == 1:
            values = np.asarray(windows[:])
            return {name: values[..., i] for i, name in enumerate(windows.series.names)}
    if len(features) > 1 and all(
        c.ndim == 1 and kind_of(c) != "sequences" for c in features.values()
    ):
        return dict(features)
    raise subject.problem(
        "this view needs a table with several columns, or windows over a series; for pictures and "
        "texts there is 'class_activation'"
    )


def _correlated(columns: Mapping[str, Array], least: float) -> list[tuple[str, str, float]]:
    """Pairs of columns of numbers by Spearman's rank correlation, the closest first."""
    numbers = {
        name: np.asarray(column, np.float64).reshape(-1)
        for name, column in columns.items()
        if column.dtype.kind in "biuf"
    }
    numbers = {name: column for name, column in numbers.items() if np.isfinite(column).all()}
    names, pairs = list(numbers), list[tuple[str, str, float]]()
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            r = rank_correlation(numbers[one], numbers[other])
            if abs(r) >= least:
                pairs.append((one, other, r))
    return sorted(pairs, key=lambda pair: -abs(pair[2]))


def _together(pairs: Sequence[tuple[str, str, float]]) -> Iterator[tuple[str, ...]]:
    """Groups of columns that are correlated with one another, directly or by others."""
    groups: list[list[str]] = []
    for one, other, _ in pairs:
        joined = [group for group in groups if one in group or other in group]
        merged = list(dict.fromkeys([*chain.from_iterable(joined), one, other]))
        groups = [group for group in groups if group not in joined] + [merged]
    yield from map(tuple, groups)


def _lines(
    found: Sequence[ColumnImportance],
    pairs: Sequence[tuple[str, str, float]],
    scored: _ScoredRows,
    part: str,
) -> list[str]:
    matter = [one for one in found if one.matters]
    name, value = scored.measure.name, figure(scored.value)
    lines = [f"{name} is {value} on {counted(len(scored), part.removesuffix('s'))}"]
    for one in matter[:5]:
        width = None if one.low is None or one.high is None else (one.high - one.low) / 2
        ends = [figure_beside(end, width) for end in (one.low, one.high)]
        verb = "rises" if scored.sign < 0 else "falls"
        lines.append(
            f"without {one.name}, it {verb} by {figure_beside(one.loss, width)} "
            f"(95% interval {ends[0]} to {ends[1]})"
        )
    columns = [one for one in found if len(one.columns) == 1]
    rest = [one for one in columns if not one.matters]
    if all(one.low is None for one in found):
        lines.append("too few rows for intervals: what chance explains is not known")
    elif not matter:
        lines.append("no column matters more than chance would explain")
    elif rest:
        lines.append(
            f"{counted(len(rest), 'column')} of {len(columns)} alone make no difference beyond "
            "chance"
        )
    for group in _together(pairs):
        within = [pair for pair in pairs if {*pair[:2]} <= {*group}]
        if len(group) == 2 and abs(within[0][2]) > COPY:
            lines.append(f"{group[0]} is a copy of {group[1]}: look at both together")
        else:
            least = figure(round(min(abs(r) for *_, r in within), 2))
            lines.append(
                f"{listed(group)} stand in for one another (rank correlations from {least} on): "
                "look at them together"
            )
    return lines


def _called(group: Sequence[str]) -> str:
    """What columns that are shuffled together are called."""
    return " + ".join(group) if len(group) == 2 else f"{group[0]} + {len(group) - 1} like it"


def _chart(found: Sequence[ColumnImportance], name: str) -> Chart:
    rows = list(reversed(range(len(found))))
    marks: list[Any] = []
    for row, one in zip(rows, found, strict=True):
        if one.low is not None and one.high is not None:
            label = "95% interval" if not marks else ""
            marks.append(LineMark((one.low, one.high), (row, row), "model interval", label))
    losses = [one.loss for one in found]
    marks.append(DotsMark(losses, rows, "model", "loss of the score"))
    ends = [*losses, *(end for one in found for end in (one.low, one.high) if end is not None), 0.0]
    x = axis_holding(ends, f"what {name} loses")
    if x.low < 0 < x.high:
        marks.insert(0, rule((0, -0.5), (0, len(found) - 0.5), "reference", "no difference"))
    names = tuple(shortened(one.name, LONGEST_NAME) for one in found)
    y = Axis(-0.7, len(found) - 0.3, "", tuple(rows), names)
    described = ", ".join(f"{one.name} {figure(one.loss)}" for one in found[:5])
    return Chart(x, y, tuple(marks), description=f"What {name} loses without {described}")
