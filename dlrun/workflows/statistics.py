"""How far a run's score can be trusted, and whether it is better than baseline and simple model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlrun.data.samples import Dataset, Samples
from dlrun.metrics.folds import spread_facts
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.result import Outcome
from dlrun.scoring.differences import (
    ScoreDifference,
    bounds,
    compare_folds,
    compare_on_rows,
    score_on_rows,
)
from dlrun.scoring.intervals import (
    CORRECTED_T,
    FEWEST_UNITS,
    Interval,
    NoIntervalError,
    corrected_resampled_t,
    stretches,
    widened_by_seeds,
)
from dlrun.scoring.model_scores import ModelScores
from dlrun.scoring.rivals import ComparedPredictions
from dlrun.scoring.simple_models import SimpleScore
from dlrun.scoring.verdict import verdict

Array = np.ndarray
ONLY_KERAS = "only Keras computes this measure"
NO_NUMBER = "the score is not a number"
STRETCHES = "stretches of time"


@dataclass(frozen=True)
class Statistics:
    """What the rows or folds show about a score.

    Args:
        interval: Where the true score probably lies, or None.
        why: Why there is no interval, one clause; None where there is one.
        baseline: How much better than the baseline the model is; None where that is unknown.
        simple: How much better than the simple model it is, or None.
    """

    interval: Interval | None
    why: str | None
    baseline: ScoreDifference | None = None
    simple: ScoreDifference | None = None


@dataclass(frozen=True)
class Units:
    """Rows that are to be drawn together.

    Args:
        places: (n,) int64 the unit of each row, counted from 0.
        name: `groups` or `stretches of time`.
    """

    places: Array
    name: str

    @property
    def too_few(self) -> str | None:
        """Why there are too few of them for an interval; None where there are enough."""
        if (count := len(np.unique(self.places))) >= FEWEST_UNITS:
            return None
        what = f"{count} {self.name}"
        if self.name == STRETCHES:
            what = f"the {len(self.places)} rows in time order make {count} stretches, which"
        return f"{what} are too few; {FEWEST_UNITS} are needed"


def run_statistics(protocol: Protocol, dataset: Dataset, outcome: Outcome, seed: int) -> Statistics:
    """Return what a run's rows or folds show about its score.

    One fold: a bootstrap over the rows that it scored. Several: the corrected resampled t of
    their scores. The same rows scored with several seeds: a bootstrap over rows, wider by the
    spread of the seeds. Stretches of time: a bootstrap over blocks of the rows of all.

    Args:
        protocol: How the rows were dealt.
        dataset: The rows.
        outcome: Of the training.
        seed: Of the draws.
    """
    folds = [fold for fold in outcome.complete_folds if fold.score is not None]
    if not folds:
        return Statistics(None, "no rows were held out")
    comparisons = [fold.rivals.comparison for fold in folds if fold.rivals is not None]
    if len(comparisons) < len(folds):
        return Statistics(None, ONLY_KERAS)
    if not np.isfinite([fold.score or 0.0 for fold in folds]).all():
        return Statistics(None, NO_NUMBER)
    of_rows = [units_of(protocol, rows_of(dataset, fold.rows)) for fold in folds]
    if all(np.array_equal(fold.rows, folds[0].rows) for fold in folds):
        return statistics_on_rows(comparisons, of_rows[0], seed)
    series = dataset.samples.windows is not None and protocol.groups is None
    if protocol.in_time_order or protocol.time is not None or series:
        return _over_stretches(comparisons, of_rows, seed)
    return _over_folds(comparisons)


def evaluation_statistics(
    protocol: Protocol, samples: Samples, scored: ModelScores, value: float, seed: int
) -> Statistics:
    """Return what some rows show about the score of one model.

    Args:
        protocol: Says which rows go together.
        samples: The rows.
        scored: The model on them.
        value: The score.
        seed: Of the draws.
    """
    if scored.rivals is None:
        return Statistics(None, ONLY_KERAS)
    if not np.isfinite(value):
        return Statistics(None, NO_NUMBER)
    return statistics_on_rows([scored.rivals.comparison], units_of(protocol, samples), seed)


def units_of(protocol: Protocol, samples: Samples) -> Units | None:
    """Return which rows are to be drawn together; None where each is independent.

    Groups as a whole, and rows in time in stretches.
    """
    if protocol.groups is not None and protocol.groups in samples.extras:
        return Units(np.unique(samples.extras[protocol.groups], return_inverse=True)[1], "groups")
    time = protocol.time_columns
    times = None if time is None else samples.extras.get(time.name)
    if (windows := samples.windows) is not None:
        # Windows whose targets lie within one another's reach err alike, in all series.
        order, least = windows.places, windows.horizon
        if windows.codes is not None:
            moments = windows.last_times()
            order = order if moments is None else moments
            least *= len(np.unique(windows.codes))
        places = stretches(order, len(samples), least=least)
        return Units(places, STRETCHES)
    if protocol.in_time_order or times is not None:
        return Units(stretches(times, len(samples)), STRETCHES)
    return None


def statistics_on_rows(
    comparisons: Sequence[ComparedPredictions], units: Units | None, seed: int
) -> Statistics:
    """Return what some rows show about the score of a model, or of models of several seeds.

    Args:
        comparisons: One for each model, all on the same rows.
        units: As `units_of` returns them.
        seed: Of the draws.
    """
    first = comparisons[0]
    models = [comparison.model for comparison in comparisons]
    given: dict[str, Any] = {
        "sample_weight": first.weights,
        "mask": first.mask,
        "units": None if units is None else units.places,
        "seed": seed,
    }
    added = float(np.mean([comparison.added for comparison in comparisons]))
    too_few = None if units is None else units.too_few
    interval, why = None, None
    try:
        found = score_on_rows(first.score, first.truth, models, **given).interval
        interval = _complete(found.shifted(added), comparisons, units)
    except NoIntervalError as error:
        why = too_few or str(error)

    def against(rival: Array | None) -> ScoreDifference | None:
        if rival is None or not np.isfinite(_value(first, rival, 0.0)):
            return None
        found = compare_on_rows(first.score, first.truth, models, rival, **given)
        # A penalty is part of a loss, of which less is better.
        difference = replace(found, difference=found.difference - added)
        if found.interval is None:
            return replace(difference, why=too_few or difference.why)
        interval = _complete(found.interval.shifted(-added), comparisons, units)
        return replace(difference, interval=interval)

    return Statistics(interval, why, against(first.baseline), against(first.simple))


def _complete(
    interval: Interval, comparisons: Sequence[ComparedPredictions], units: Units | None
) -> Interval:
    """The interval made wider by what the seeds of several models add, and what it comes from."""
    rows, seeds = len(comparisons[0].truth), len(comparisons)
    note = f"from {rows} rows"
    if units is not None:
        note += f" in {len(np.unique(units.places))} {units.name}"
    if seeds == 1:
        return replace(interval, note=note)
    scores = [_value(comparison, comparison.model) for comparison in comparisons]
    return replace(widened_by_seeds(interval, scores), note=f"{note} and {seeds} seeds")


def _over_stretches(
    comparisons: Sequence[ComparedPredictions], of_rows: Sequence[Units | None], seed: int
) -> Statistics:
    """All stretches as one: their mean score is that of all rows where they are of one length."""
    first, sizes = comparisons[0], {len(comparison.truth) for comparison in comparisons}
    if first.score.rows is None or first.score.of_mean is not None or len(sizes) > 1:
        return Statistics(
            None,
            "stretches of time depend on each other, and this measure is not a mean over rows",
            *(_mean_difference(comparisons, name) for name in ("baseline", "simple")),
        )
    parts: list[Array] = []
    for units in of_rows:
        assert units is not None
        parts.append(units.places + (int(parts[-1].max()) + 1 if parts else 0))
    joined = Units(np.concatenate(parts), STRETCHES)
    return statistics_on_rows([_joined(comparisons)], joined, seed)


def _joined(comparisons: Sequence[ComparedPredictions]) -> ComparedPredictions:
    def join(name: str) -> Any:
        parts = [getattr(comparison, name) for comparison in comparisons]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    names = ("truth", "model", "baseline", "simple", "weights", "mask")
    added = float(np.mean([comparison.added for comparison in comparisons]))
    return replace(comparisons[0], added=added, **{name: join(name) for name in names})


def _over_folds(comparisons: Sequence[ComparedPredictions]) -> Statistics:
    train = float(np.mean([comparison.trained for comparison in comparisons]))
    test = float(np.mean([len(comparison.truth) for comparison in comparisons]))
    scores = [_value(comparison, comparison.model) for comparison in comparisons]
    score = comparisons[0].score
    interval, why = None, None
    try:
        found = corrected_resampled_t(scores, train, test).interval.within(*bounds(score))
        interval = replace(found, note=f"from {len(comparisons)} folds of {round(test)} rows")
    except NoIntervalError as error:
        why = str(error)

    def against(name: str) -> ScoreDifference | None:
        rivals = [getattr(comparison, name) for comparison in comparisons]
        if any(rival is None for rival in rivals):
            return None
        pairs = zip(comparisons, rivals, strict=True)
        others = [_value(comparison, rival, 0.0) for comparison, rival in pairs]
        if not np.isfinite(others).all():
            return None
        return compare_folds(
            scores, others, direction=score.direction, train_rows=train, test_rows=test
        )

    return Statistics(interval, why, against("baseline"), against("simple"))


def _mean_difference(
    comparisons: Sequence[ComparedPredictions], name: str
) -> ScoreDifference | None:
    rivals = [getattr(comparison, name) for comparison in comparisons]
    if any(rival is None for rival in rivals):
        return None
    sign = 1.0 if comparisons[0].score.direction == "max" else -1.0
    pairs = zip(comparisons, rivals, strict=True)
    gains = [
        _value(comparison, comparison.model) - _value(comparison, rival, 0.0)
        for comparison, rival in pairs
    ]
    if not np.isfinite(gains).all():
        return None
    why = "stretches of time depend on each other"
    return ScoreDifference(sign * float(np.mean(gains)), None, None, CORRECTED_T, why)


def _value(
    comparison: ComparedPredictions, predictions: Array, added: float | None = None
) -> float:
    value = comparison.score.function(
        comparison.truth, predictions, comparison.weights, comparison.mask
    )
    return value + (comparison.added if added is None else added)


def rows_of(dataset: Dataset, rows: Array) -> Samples:
    """Return the rows of some row numbers, (m,), in the source's numbering."""
    return dataset.samples.take(np.searchsorted(dataset.samples.rows, rows))


def interval_facts(statistics: Statistics) -> dict[str, Any]:
    """Return `interval` of a score, and `no_interval` where there is none, as plain data."""
    if statistics.interval is None:
        return {"interval": None, "no_interval": statistics.why}
    return {"interval": statistics.interval.as_dict()}


def verdict_facts(statistics: Statistics) -> dict[str, Any] | None:
    """Return whether the model beats the baseline, as plain data."""
    if statistics.baseline is None:
        return None
    return verdict(statistics.baseline, "baseline").as_dict()


NO_SCORE = "the score is undefined for its predictions"


def simple_model_facts(
    scores: Sequence[SimpleScore | None], statistics: Statistics
) -> dict[str, Any] | None:
    """Return the simple model's score, and how it compares with the model's, as plain data.

    Args:
        scores: Of each fold.
        statistics: Of the run.
    """
    known = [score for score in scores if score is not None]
    if not known:
        return None
    if skipped := next((score.skipped for score in known if score.skipped), None):
        return {"name": known[0].name, "skipped": skipped}
    if not np.isfinite([score.value or 0.0 for score in known]).all():
        return {"name": known[0].name, "skipped": NO_SCORE}
    found = statistics.simple
    return {
        "name": known[0].name,
        "description": known[0].description,
        **spread_facts([score.value for score in known]),
        "verdict": None
        if found is None
        else verdict(found, "simple model").as_dict("beats_simple_model"),
    }
