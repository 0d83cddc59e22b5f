"""What the curves of a run show, as facts: which panels, which epoch is marked, what is left out.

Epochs are counted from 1; a curve is one value an epoch, NaN where there is none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dlrun.metrics.folds import best_epoch, mean_history, moving_average
from dlrun.metrics.names import Direction, canonical, direction
from dlrun.metrics.table import MEASURES
from dlrun.registry.names import snake_case
from dlrun.reports.marked_epoch import BEST, Kept, MarkedEpoch
from dlrun.text import figure, figure_near

Curve = tuple[float, ...]
History = Mapping[str, Sequence[float]]

NO_METRICS = ("fold", "epoch", "seconds", "phase", "learning_rate", "lr")
"""Columns of a history that get no panel."""

EARLY_SHARE = 0.25
"""At most this share of the epochs may be left out at the beginning."""

FEW_EPOCHS = 40
"""Shorter trainings are shown whole."""

DWARFING = 3.0
"""An early epoch is left out if it lies further from the range of the later epochs than this
many times that range: it would press the rest flat."""

NOISY = 5.0
"""A curve is noisy if its ups and downs add up to more than this many times its range."""

SMOOTHED_EPOCHS = 15
"""Shorter curves are not smoothed."""

STRONGEST_SMOOTHING = 0.9
"""Factor of the moving average of long curves, as in the book."""

LAG_SHARE = 0.02
"""Shorter curves are smoothed less: a moving average may lag behind by this share of them."""

LOG_RATIO = 50.0
"""The axis is logarithmic if the largest value is more than this many times the median."""


@dataclass(frozen=True)
class Smoothed:
    """Moving averages of the curves of several folds, from the first shown epoch on, NaN before.

    `factor` is the weight of the past in them; see `dlrun.metrics.folds.moving_average`.
    """

    factor: float
    folds: tuple[Curve, ...]
    mean: Curve
    std: Curve


@dataclass(frozen=True)
class CurvePanel:
    """One metric of one training, or of several folds.

    Args:
        metric: Its name in the history, without `val_`.
        label: Of the axis.
        training: One value an epoch; empty where only validation was measured. Of several folds
            only where validation was not: the mean over folds.
        validation: One value an epoch; empty without validation rows. Of several folds the mean
            of the epochs that all reached.
        marked: The epoch that is marked on the validation curve (not on the smoothed one): the kept
            one where that is known, else the curve's own best; None where there is none.
        folds: Each fold's curve; lengths may differ. Empty for one training.
        std: Standard deviation over folds (`ddof=1`) of the epochs that all reached.
        smoothed: What is drawn instead where the mean over folds is noisy, else None.
        logarithmic: Whether the axis should be.
    """

    metric: str
    label: str
    training: Curve
    validation: Curve
    marked: MarkedEpoch | None
    folds: tuple[Curve, ...] = ()
    std: Curve = ()
    smoothed: Smoothed | None = None
    logarithmic: bool = False

    @property
    def curve(self) -> Curve:
        """The curve that matters most: of validation rows, or else of training rows."""
        return self.validation or self.training


@dataclass(frozen=True)
class PhaseStart:
    """The first epoch of a phase of training, and the phase's name."""

    epoch: int
    name: str


@dataclass(frozen=True)
class CurveFacts:
    """All curves of a run.

    Args:
        title: Name of the run.
        epochs: Epochs of the longest training.
        panels: One for each metric, in the order of the history.
        left_out: Epochs at the beginning that are not shown.
        phases: Where phases of training begin, as far as all folds agree on it.
        several: The word for several trainings of the run: `folds` or `repeats`.
        mark: Which epoch is marked: `KEPT` or `BEST`.
    """

    title: str
    epochs: int
    panels: tuple[CurvePanel, ...]
    left_out: int = 0
    phases: tuple[PhaseStart, ...] = ()
    several: str = "folds"
    mark: str = BEST

    @property
    def shown_phases(self) -> tuple[PhaseStart, ...]:
        """The phases of which an epoch is shown, each from its first epoch shown."""
        ends = [phase.epoch - 1 for phase in self.phases[1:]] + [self.epochs]
        return tuple(
            PhaseStart(max(phase.epoch, self.left_out + 1), phase.name)
            for phase, end in zip(self.phases, ends, strict=False)
            if end > self.left_out
        )


def curve_facts(
    histories: Sequence[History],
    title: str,
    *,
    directions: Mapping[str, Direction] | None = None,
    several: str = "folds",
) -> CurveFacts:
    """Return the facts of one training, or of several folds: their mean and spread.

    Args:
        histories: Each fold's: metric to its value in every epoch, `val_` before those of
            validation data.
        title: Name of the run.
        directions: Which way is better, for metrics whose names Keras does not know.
        several: The word for several trainings of the run: `folds` or `repeats`.
    """
    means = mean_history(histories) if len(histories) > 1 else {}
    left_out, panels = 0, []
    for metric in metric_names([means] if means else histories):
        better = curve_direction(metric, directions)
        if means:
            panel = _folds_panel(metric, histories, means, better)
        else:
            training = _curve(histories[0].get(metric, ()))
            validation = _curve(histories[0].get(f"val_{metric}", ()))
            marked = _best(validation, better)
            panel = CurvePanel(metric, metric_label(metric), training, validation, marked)
        left_out = max(left_out, dwarfing_epochs(panel.curve, better))
        panels.append(panel)
    shown = tuple(_without_first(panel, left_out) for panel in panels)
    lengths = [len(h[name]) for h in histories for name in h if name not in NO_METRICS]
    return CurveFacts(title, max(lengths, default=0), shown, left_out, several=several)


def _folds_panel(
    metric: str,
    histories: Sequence[History],
    means: Mapping[str, Mapping[str, Sequence[float]]],
    better: Direction | None,
) -> CurvePanel:
    validated = f"val_{metric}" in means
    key = f"val_{metric}" if validated else metric
    mean = _curve(means[key]["mean"])
    return CurvePanel(
        metric=metric,
        label=metric_label(metric),
        training=() if validated else mean,
        validation=mean if validated else (),
        marked=_best(mean, better) if validated else None,
        folds=tuple(_curve(history[key]) for history in histories),
        std=_curve(means[key]["std"]),
    )


def facts_from_table(
    table: History,
    title: str,
    *,
    directions: Mapping[str, Direction] | None = None,
    phases: Sequence[str] = (),
    several: str = "folds",
    kept: Kept | None = None,
) -> CurveFacts:
    """Return the facts of a run's `metrics.csv`.

    Args:
        table: Its columns, `fold` among them; rows of one fold are in the order of its epochs.
        title: Name of the run.
        directions: As in `curve_facts`.
        phases: Names of the phases of training, in order.
        several: As in `curve_facts`.
        kept: The epoch that all curves mark; None to mark the best one of each.
    """
    folds = list(table.get("fold", ()))
    numbers = sorted(set(folds))
    histories = [
        {
            name: [value for value, fold in zip(values, folds, strict=True) if fold == number]
            for name, values in table.items()
        }
        for number in numbers
    ]
    facts = curve_facts(histories or [table], title, directions=directions, several=several)
    facts = replace(facts, phases=phase_starts(histories, phases))
    if kept is None:
        return facts
    panels = tuple(replace(panel, marked=_kept(panel, kept)) for panel in facts.panels)
    return replace(facts, panels=panels, mark=kept.label)


def _kept(panel: CurvePanel, kept: Kept) -> MarkedEpoch | None:
    value = panel.validation[kept.epoch - 1] if kept.epoch <= len(panel.validation) else math.nan
    if not math.isfinite(value):
        return None
    text = figure_near(value, kept.width if panel.metric == kept.score else None)
    return MarkedEpoch(kept.epoch, value, text)


def metric_names(histories: Iterable[Mapping[str, object]]) -> list[str]:
    """Names of all metrics without `val_`, in the order in which they first come."""
    names: dict[str, None] = {}
    for history in histories:
        for name in history:
            if name not in NO_METRICS:
                names.setdefault(name.removeprefix("val_"))
    return list(names)


def curve_direction(
    name: str, directions: Mapping[str, Direction] | None = None
) -> Direction | None:
    """Return which way a metric of a history is better, or None if that is not known.

    The names of outputs before it (`answer_accuracy`) and numbers behind it (`auc_1`) do not
    count.
    """
    name = name.removeprefix("val_")
    if directions and name in directions:
        return directions[name]
    parts = re.sub(r"_\d+$", "", name).split("_")
    for start in range(len(parts)):
        try:
            return direction("_".join(parts[start:]))
        except LookupError:
            continue
    return None


def metric_label(name: str) -> str:
    """Return the label of a metric's axis: `Accuracy`, `MAE`."""
    facts = MEASURES.get(canonical(name) or "")
    words = snake_case(name).replace("_", " ").strip()
    return facts.label if facts else words[:1].upper() + words[1:]


def dwarfing_epochs(values: Sequence[float], better: Direction | None) -> int:
    """Return how many first epochs are so far off that they would press the rest flat.

    An epoch counts if it is worse than all epochs after the first quarter by more than
    `DWARFING` times the range of those. Only a beginning is left out, at most a quarter, and
    nothing of a training of fewer than `FEW_EPOCHS` epochs.
    """
    limit = int(len(values) * EARLY_SHARE) if len(values) >= FEW_EPOCHS else 0
    late = np.asarray(values[limit:], np.float64)
    late = late[np.isfinite(late)]
    if limit == 0 or late.size < 2:
        return 0
    low, high = float(late.min()), float(late.max())
    margin = DWARFING * (high - low)
    if margin == 0:
        return 0
    for epoch, value in enumerate(values[:limit]):
        above = value > high + margin and better != "max"
        below = value < low - margin and better != "min"
        if not (above or below):
            return epoch
    return limit


def is_noisy(values: Sequence[float]) -> bool:
    """Whether a curve's ups and downs add up to more than `NOISY` times its range."""
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size < SMOOTHED_EPOCHS:
        return False
    return bool(np.abs(np.diff(finite)).sum() > NOISY * np.ptp(finite) > 0)


def smoothing_factor(epochs: int) -> float:
    """Return the factor for a curve of `epochs` epochs, in steps of 0.05.

    An exponential moving average with factor f lags behind by f / (1 - f) epochs.
    """
    lag = LAG_SHARE * epochs
    return min(STRONGEST_SMOOTHING, round(20 * lag / (1 + lag)) / 20)


def _without_first(panel: CurvePanel, left_out: int) -> CurvePanel:
    """The panel with what depends on the epochs that are shown."""
    shown = panel.curve[left_out:]
    if not panel.folds:
        shown = panel.training[left_out:] + panel.validation[left_out:]
    smoothing = None
    if panel.folds and is_noisy(shown):
        factor = smoothing_factor(len(shown))
        smoothing = Smoothed(
            factor=factor,
            folds=tuple(smoothed(curve, left_out, factor) for curve in panel.folds),
            mean=smoothed(panel.curve, left_out, factor),
            std=smoothed(panel.std, left_out, factor),
        )
    finite = np.asarray(shown, np.float64)
    finite = finite[np.isfinite(finite)]
    positive = finite.size > 0 and finite.min() > 0
    logarithmic = bool(positive and finite.max() > LOG_RATIO * np.median(finite))
    return replace(panel, smoothed=smoothing, logarithmic=logarithmic)


def smoothed(values: Curve, left_out: int, factor: float) -> Curve:
    """Return the moving average of a curve from the first shown epoch on, NaN before."""
    hidden = (math.nan,) * min(left_out, len(values))
    return hidden + tuple(moving_average(values[left_out:], factor))


def _best(values: Curve, better: Direction | None) -> MarkedEpoch | None:
    found = best_epoch(values, better) if better else None
    return MarkedEpoch(*found, figure(found[1])) if found else None


def _curve(values: Sequence[float]) -> Curve:
    return tuple(float(value) if np.isfinite(value) else math.nan for value in values)


def phase_starts(
    histories: Sequence[Mapping[str, Sequence[float]]], names: Sequence[str]
) -> tuple[PhaseStart, ...]:
    """Return the phases that begin in the same epoch of all folds; empty without phases.

    Args:
        histories: Each fold's, with a column `phase`.
        names: Of the phases, in order; those without are numbered.
    """
    columns = [[int(number) for number in history.get("phase", ())] for history in histories]
    if not columns or not all(columns):
        return ()
    found = []
    for number in dict.fromkeys(columns[0]):
        starts = {column.index(number) + 1 if number in column else 0 for column in columns}
        if len(starts) == 1 and 0 not in starts:
            name = names[number - 1] if number <= len(names) else f"phase {number}"
            found.append(PhaseStart(starts.pop(), name))
    return tuple(found)
