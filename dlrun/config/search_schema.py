"""The section `search`: which values `dlrun search` tries, how many, and who proposes them."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dlrun.config.fields import Duration, Member
from dlrun.registry.component import Component, Section
from dlrun.registry.families import SAMPLERS

TRIALS = 50
"""Trials of a search that says neither how many nor how long."""

Number = int | float


class Choices(Section):
    """A few values, of which a trial has one."""

    choices: list[Any] = Field(min_length=1)
    """The values; `null` leaves out an entry of a list, and elsewhere means the default."""

    when: dict[str, Any] | None = None
    """Only in trials in which another part of the space has this value, or one of a list of
    values: `{optimizer: adam}`. That part has to come before."""


class Range(Section):
    """All numbers between two."""

    low: Number
    """The smallest value."""

    high: Number
    """The largest value; integers alone are tried where both are integers."""

    log: bool = False
    """Whether the numbers are drawn evenly on a logarithmic scale."""

    step: Number | None = None
    """Distance between two values, counted from `low`."""

    when: dict[str, Any] | None = None
    """Only in trials in which another part of the space has this value, or one of a list of
    values: `{optimizer: adam}`. That part has to come before."""

    @property
    def of_integers(self) -> bool:
        """Whether its values are integers."""
        ends = (self.low, self.high, *(() if self.step is None else (self.step,)))
        return all(isinstance(each, int) for each in ends)

    @property
    def count(self) -> int | None:
        """How many values there are; None for a range of all real numbers."""
        step = self.step if self.step is not None else (1 if self.of_integers else None)
        return None if step is None else math.floor((self.high - self.low) / step + 1e-9) + 1

    @model_validator(mode="after")
    def _holds_values(self) -> Range:
        if not all(map(math.isfinite, (self.low, self.high))):
            raise ValueError("both ends of a range must be finite")
        if self.low >= self.high:
            raise ValueError(f"the range from {self.low} to {self.high} is empty")
        if self.log and self.low <= 0:
            raise ValueError("on a logarithmic scale, 'low' must be above 0")
        if self.step is not None and self.log:
            raise ValueError("'log' and 'step' exclude each other")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError("'step' must be above 0 and at most the distance of the ends")
        return self


class Search(Section):
    """Which values `dlrun search` tries, how many, and how it chooses them."""

    trials: int | None = Field(default=None, ge=1)
    """How many trainings there are, that of the config itself included; default: 50, or as many
    as fit into `time`."""

    time: Duration | None = None
    """How long the search goes on starting trainings, such as `30m` or `1h30m`."""

    sampler: Annotated[Component, Member(SAMPLERS, "tpe")] | None = None
    """What proposes the values: `tpe` (the default), `random`, `grid` or `cmaes`, with its own
    options."""

    keep: Literal["best", "all"] = "best"
    """Trials whose trained models are kept: the three `best`, or `all`; scores and predictions are
    kept of every trial."""

    space: dict[str, list[Any] | Choices | Range] = Field(min_length=1)
    """The values to try, by the path that `--set` would take: a list of choices, or a range
    `{low: 16, high: 256, step: 16}`."""

    @property
    def most_trials(self) -> int | None:
        """How many trials there are at most; None for as many as fit into the time."""
        return TRIALS if self.trials is None and self.time is None else self.trials
