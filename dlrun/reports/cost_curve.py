"""A metric on training and validation rows as costs, so that lower is better whatever it is.

Legend: e epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.metrics.folds import moving_average
from dlrun.metrics.names import Direction
from dlrun.reports.curve_facts import History, dwarfing_epochs, is_noisy, smoothing_factor
from dlrun.text import figures_apart

FEWEST_EPOCHS = 3
"""Shorter trainings show no trend, only a beginning."""


@dataclass(frozen=True)
class CostCurve:
    """One metric on training and validation rows, turned so that lower is better.

    Args:
        metric: Its name, without `val_`.
        training: (e,) costs; None where training was not measured.
        validation: (e,) costs, smoothed where they jump.
        raw: (e,) validation costs as measured.
        given: The measured values, to be shown: training and validation.
        first: Index of the first epoch that is not far off the rest.
        direction: `min` where a lower value is better.
        bounded: Whether a cost is 1 minus a score that cannot pass 1.
    """

    metric: str
    training: np.ndarray | None
    validation: np.ndarray
    raw: np.ndarray
    given: tuple[Sequence[float] | None, Sequence[float]]
    first: int
    direction: Direction
    bounded: bool

    @classmethod
    def of(cls, history: History, metric: str, direction: Direction) -> CostCurve | None:
        values, training = history.get(f"val_{metric}"), history.get(metric)
        if not values or not np.isfinite(values).all() or len(values) < FEWEST_EPOCHS:
            return None
        if training is not None and not np.isfinite(training).all():
            training = None
        smooth = list(values)
        if is_noisy(values):
            smooth = moving_average(values, smoothing_factor(len(values)))
        bounded = direction == "max" and max([*values, *(training or ())]) <= 1
        return cls(
            metric=metric,
            training=None if training is None else costs_of(training, direction, bounded),
            validation=costs_of(smooth, direction, bounded),
            raw=costs_of(values, direction, bounded),
            given=(training, values),
            first=dwarfing_epochs(values, direction),
            direction=direction,
            bounded=bounded,
        )

    @property
    def epochs(self) -> int:
        return len(self.raw)

    @property
    def best(self) -> int:
        """Index of the best epoch of the (smoothed) validation curve."""
        return int(np.argmin(self.validation))

    @property
    def reached(self) -> float:
        """The (smoothed) validation value in the best epoch."""
        cost = float(self.validation[self.best])
        return cost if self.direction == "min" else 1 - cost if self.bounded else -cost

    @property
    def gain(self) -> float:
        """What validation had gained by its best epoch."""
        return float(self.validation[self.first] - self.validation[self.best])

    @property
    def noise(self) -> float:
        """The usual jump between epochs: the median distance of a value from the middle of its
        neighbours, which a steady slope does not count in."""
        if self.epochs < 3:
            return 0.0
        middle = (self.raw[:-2] + self.raw[2:]) / 2
        return float(np.median(np.abs(self.raw[1:-1] - middle)))

    def apart(self, part: Literal["training", "validation"], *epochs: int) -> list[str]:
        """The values of some epochs, rounded by how far they are apart."""
        return figures_apart(*(self.number(part, epoch) for epoch in epochs))

    def number(self, part: Literal["training", "validation"], epoch: int) -> float:
        values = self.given[0] if part == "training" else self.given[1]
        assert values is not None
        return float(values[epoch])


def costs_of(values: Sequence[float], direction: Direction, bounded: bool) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if direction == "min":
        return array
    return 1 - array if bounded else -array
