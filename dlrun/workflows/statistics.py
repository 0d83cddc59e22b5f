"""How far a run's score can be trusted, and whether it is better than baseline and simple model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlrun.data.samples import Dataset, Samples
from dlrun.data.windows import windows_of
from dlrun.metrics.comparison import Difference, compare_folds, compare_on_rows
from dlrun.metrics.folds import spread_facts
from dlrun.metrics.intervals import (
    CORRECTED_T,
    Interval,
    NoIntervalError,
    corrected_resampled_t,
    stretches,
    widened_by_seeds,
)
from dlrun.metrics.on_rows import bounds, score_on_rows
from dlrun.metrics.verdict import verdict
from dlrun.protocols.contest import Contest, SimpleScore
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.result import Outcome
from dlrun.protocols.scoring import Scored

Array = np.ndarray
ONLY_KERAS = "only Keras computes this measure"
NO_NUMBER = "the score is not a number"


@dataclass(frozen=True)
class Statistics:
    """What the rows or folds say of a score.

    Args:
        interval: Where the true score probably lies, or None.
        why: Why there is no interval, one clause; None where there is one.
        baseline: How much better than the baseline the model is; None where nobody can tell.
        simple: How much better than the simple model it is, or None.
    """

    interval: Interval | None
    why: str | None
    baseline: Difference | None = None
    simple: Difference | None = None


@dataclass(frozen=True)
class Units:
    """Rows that are to be drawn together.

    Args:
        places: (n,) int64 the unit of each row, counted from 0.
        name: `groups` or `stretches of time`.
    """

    places: Array
    name: str


def run_statistics(protocol: Protocol, dataset: Dataset, outcome: Outcome, seed: int) -> Statistics:
    """Return what a run's rows or folds say of its score.

    One fold: a bootstrap over the rows that it scored. Several: the corrected resampled t of
    their scores. The same rows scored with several seeds: a bootstrap over rows, wider by the
    spread of the seeds. Stretches of time: a bootstrap over blocks of the rows of all.

    Args:
        protocol: How the rows were dealt.
        dataset: The rows.
        outcome: What training came to.
        seed: Of the draws.
    """
    folds = [fold for fold in outcome.complete_folds if fold.score is not None]
    if not folds:
        return Statistics(None, "no rows were held out")
    contests = [fold.judged.contest for fold in folds if fold.judged is not None]
    if len(contests) < len(folds):
        return Statistics(None, ONLY_KERAS)
    if not np.isfinite([fold.score or 0.0 for fold in folds]).all():
        return Statistics(None, NO_NUMBER)
    of_rows = [units_of(protocol, rows_of(dataset, fold.rows)) for fold in folds]
    if all(np.array_equal(fold.rows, folds[0].rows) for fold in folds):
        return statistics_on_rows(contests, of_rows[0], seed)
    series = windows_of(dataset.samples.features) is not None
    if protocol.in_time_order or protocol.time is not None or series:
        return _over_stretches(contests, of_rows, seed)
    return _over_folds(contests)


def evaluation_statistics(
    protocol: Protocol, samples: Samples, scored: Scored, value: float, seed: int
) -> Statistics:
    """Return what some rows say of the score of one model.

    Args:
        protocol: Says which rows go together.
        samples: The rows.
        scored: The model on them.
        value: The score.
        seed: Of the draws.
    """
    if scored.judged is None:
        return Statistics(None, ONLY_KERAS)
    if not np.isfinite(value):
        return Statistics(None, NO_NUMBER)
    return statistics_on_rows([scored.judged.contest], units_of(protocol, samples), seed)


def units_of(protocol: Protocol, samples: Samples) -> Units | None:
    """Return which rows are to be drawn together; None where each is independent.

    Groups as a whole, and rows in time in stretches.
    """
    if protocol.groups is not None and protocol.groups in samples.extras:
        return Units(np.unique(samples.extras[protocol.groups], return_inverse=True)[1], "groups")
    times = None if protocol.time is None else samples.extras.get(protocol.time)
    if (windows := windows_of(samples.features)) is not None:
        # Windows whose targets lie within one another's reach err alike.
        places = stretches(windows.places, len(samples), least=windows.horizon)
        return Units(places, "stretches of time")
    if protocol.in_time_order or times is not None:
        return Units(stretches(times, len(samples)), "stretches of time")
    return None


def statistics_on_rows(contests: Sequence[Contest], units: Units | None, seed: int) -> Statistics:
    """Return what some rows say of the score of a model, or of models of several seeds.

    Args:
        contests: One for each model, all on the same rows.
        units: As `units_of` returns them.
        seed: Of the draws.
    """
    first = contests[0]
    models = [contest.model for contest in contests]
    given: dict[str, Any] = {
        "sample_weight": first.weights,
        "units": None if units is None else units.places,
        "seed": seed,
    }
    added = float(np.mean([contest.added for contest in contests]))
    interval, why = None, None
    try:
        found = score_on_rows(first.score, first.truth, models, **given).interval
        interval = _complete(found.shifted(added), contests, units)
    except NoIntervalError as error:
        why = str(error)

    def against(rival: Array | None) -> Difference | None:
        if rival is None:
            return None
        found = compare_on_rows(first.score, first.truth, models, rival, **given)
        # A penalty is part of a loss, of which less is better.
        difference = replace(found, difference=found.difference - added)
        if found.interval is None:
            return difference
        return replace(
            difference, interval=_complete(found.interval.shifted(-added), contests, units)
        )

    return Statistics(interval, why, against(first.baseline), against(first.simple))


def _complete(interval: Interval, contests: Sequence[Contest], units: Units | None) -> Interval:
    """The interval made wider by what the seeds of several models add, and what it comes from."""
    rows, seeds = len(contests[0].truth), len(contests)
    note = f"from {rows} rows"
    if units is not None:
        note += f" in {len(np.unique(units.places))} {units.name}"
    if seeds == 1:
        return replace(interval, note=note)
    scores = [_value(contest, contest.model) for contest in contests]
    return replace(widened_by_seeds(interval, scores), note=f"{note} and {seeds} seeds")


def _over_stretches(
    contests: Sequence[Contest], of_rows: Sequence[Units | None], seed: int
) -> Statistics:
    """All stretches as one: their mean score is that of all rows where they are of one length."""
    first, sizes = contests[0], {len(contest.truth) for contest in contests}
    if first.score.rows is None or first.score.of_mean is not None or len(sizes) > 1:
        return Statistics(
            None,
            "stretches of time depend on each other, and this measure is no mean over rows",
            *(_mean_difference(contests, name) for name in ("baseline", "simple")),
        )
    parts: list[Array] = []
    for units in of_rows:
        assert units is not None
        parts.append(units.places + (int(parts[-1].max()) + 1 if parts else 0))
    joined = Units(np.concatenate(parts), "stretches of time")
    return statistics_on_rows([_joined(contests)], joined, seed)


def _joined(contests: Sequence[Contest]) -> Contest:
    def join(name: str) -> Any:
        parts = [getattr(contest, name) for contest in contests]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    names = ("truth", "model", "baseline", "simple", "weights")
    added = float(np.mean([contest.added for contest in contests]))
    return replace(contests[0], added=added, **{name: join(name) for name in names})


def _over_folds(contests: Sequence[Contest]) -> Statistics:
    train = float(np.mean([contest.trained for contest in contests]))
    test = float(np.mean([len(contest.truth) for contest in contests]))
    scores = [_value(contest, contest.model) for contest in contests]
    score = contests[0].score
    interval, why = None, None
    try:
        found = corrected_resampled_t(scores, train, test).interval.within(*bounds(score))
        interval = replace(found, note=f"from {len(contests)} folds of {round(test)} rows")
    except NoIntervalError as error:
        why = str(error)

    def against(name: str) -> Difference | None:
        rivals = [getattr(contest, name) for contest in contests]
        if any(rival is None for rival in rivals):
            return None
        return compare_folds(
            scores,
            [_value(contest, rival, 0.0) for contest, rival in zip(contests, rivals, strict=True)],
            direction=score.direction,
            train_rows=train,
            test_rows=test,
        )

    return Statistics(interval, why, against("baseline"), against("simple"))


def _mean_difference(contests: Sequence[Contest], name: str) -> Difference | None:
    rivals = [getattr(contest, name) for contest in contests]
    if any(rival is None for rival in rivals):
        return None
    sign = 1.0 if contests[0].score.direction == "max" else -1.0
    pairs = zip(contests, rivals, strict=True)
    gains = [
        _value(contest, contest.model) - _value(contest, rival, 0.0) for contest, rival in pairs
    ]
    why = "stretches of time depend on each other"
    return Difference(sign * float(np.mean(gains)), None, None, CORRECTED_T, why)


def _value(contest: Contest, predictions: Array, added: float | None = None) -> float:
    value = contest.score.function(contest.truth, predictions, contest.weights)
    return value + (contest.added if added is None else added)


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
    found = statistics.simple
    return {
        "name": known[0].name,
        "description": known[0].description,
        **spread_facts([score.value for score in known]),
        "verdict": None
        if found is None
        else verdict(found, "simple model").as_dict("beats_simple_model"),
    }
