"""The results of training under a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dlrun.data.pipeline import Pipeline
from dlrun.metrics.names import Direction
from dlrun.scoring.baselines import Baseline
from dlrun.scoring.model_scores import OutputRows
from dlrun.scoring.rivals import Rivals
from dlrun.training.engine import Divergence, History, KeptWeights, PhaseResult

Array = np.ndarray


@dataclass(frozen=True)
class PhaseOutcome:
    """One phase of a fold's training.

    Args:
        trained: What was trained.
        best_epoch: Its epoch whose monitored score was best, counted from 1 over all phases; None
            where nothing was monitored.
        best_value: The monitored score at that epoch, or None.
    """

    trained: PhaseResult
    best_epoch: int | None
    best_value: float | None


@dataclass(frozen=True)
class FoldResult:
    """One fold, trained and scored.

    Args:
        index: Counted from 0 over all iterations.
        iteration: Which reshuffling of the rows it belongs to, from 0.
        history: Every metric of every epoch, errors in the target's own unit.
        measures: Loss and metrics of the trained model on the scored rows, in the target's own
            unit; empty where nothing was held out.
        score: The measure of success among them, or None.
        baseline: The common-sense baseline on the same rows, or None.
        best_epoch: Epoch (from 1) whose monitored score was best, or None.
        best_value: The monitored score at that epoch, or None.
        rows: (m,) int64 row numbers that were scored, in the source's numbering.
        main: Predictions for them of the output that gives the score, of the first where that is
            the sum of the losses of several.
        seconds: Time the fold took.
        interrupted: Whether the user stopped it.
        findings: What the user should know, one sentence each.
        parameters: Number of weights of the model.
        pipeline: The preprocessing it was trained with.
        rivals: The scores that it has to beat, with all predictions; None where there are none.
        diverged: Where the loss became NaN, or None.
        outputs: Predictions and targets of every output, where there are several.
        phases: The outcome of each phase; empty where training has no phases.
        kept: The epoch whose weights the model has, or None where it is not known.
    """

    index: int
    iteration: int
    history: History
    measures: dict[str, float]
    score: float | None
    baseline: Baseline | None
    best_epoch: int | None
    best_value: float | None
    rows: Array
    main: OutputRows
    seconds: float
    interrupted: bool
    findings: tuple[str, ...]
    parameters: int
    pipeline: Pipeline
    rivals: Rivals | None = None
    diverged: Divergence | None = None
    outputs: Mapping[str, OutputRows] = field(default_factory=dict)
    phases: tuple[PhaseOutcome, ...] = ()
    kept: KeptWeights | None = None

    @property
    def epochs(self) -> int:
        """Completed epochs."""
        return len(next(iter(self.history.values()), []))


@dataclass(frozen=True)
class Outcome:
    """All folds of one protocol, at least one.

    Args:
        folds: The folds that were trained, in order, without their models.
        score_name: The measure of success, as the history names it.
        direction: `min` where lower is better, else `max`.
        interrupted: Whether the user stopped before the last fold was done.
        watched_scored_rows: Whether a callback monitored the rows that give the score, which
            makes it optimistic.
        parameters: Number of weights of the model.
        seconds: Time all folds took.
        lost: Where the loss of a fold after these became NaN in its first epoch, which leaves
            nothing of that fold, or None.
    """

    folds: tuple[FoldResult, ...]
    score_name: str
    direction: Direction
    interrupted: bool
    watched_scored_rows: bool
    parameters: int
    seconds: float
    lost: Divergence | None = None

    @property
    def diverged(self) -> Divergence | None:
        """Where the loss of a fold became NaN, which ended the experiment."""
        return self.lost or self.folds[-1].diverged

    @property
    def complete_folds(self) -> tuple[FoldResult, ...]:
        """The folds that were trained to their end, which scores are averaged over; the one
        that was interrupted, or diverged, where there is no other."""
        whole = (fold for fold in self.folds if not fold.interrupted and fold.diverged is None)
        return tuple(whole) or self.folds
