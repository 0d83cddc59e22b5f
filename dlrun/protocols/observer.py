"""What is notified while a protocol runs: the display on the terminal, and the run directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from dlrun.data.pipeline import Pipeline
    from dlrun.protocols.result import FoldResult
    from dlrun.store.features import FeatureStore
    from dlrun.training.checkpoint import Checkpoints
    from dlrun.training.choice import Choice
    from dlrun.training.engine import FitResult


class Observer:
    """Shows nothing; a display of progress overrides what it shows.

    Folds are counted from 0, epochs from 1.
    """

    def experiment_started(
        self, name: str, folds: int, epochs: int, score: str, direction: str
    ) -> None:
        """All folds are about to be trained; `score` is the measure of success as the history
        names it, `direction` is `min` where lower is better, else `max`."""

    def fold_started(self, fold: int, together: int = 1) -> None:
        """A fold is about to be trained, in the same calls as those that come next where
        `together` is more than 1; those are announced when it has ended."""

    def phase_started(self, fold: int, name: str, done: int, epochs: int) -> None:
        """A phase of a fold's training begins, after `done` epochs of at most `epochs` in all."""

    def step_ended(self, fold: int, epoch: int, step: int, steps: int) -> None:
        """A gradient step is done."""

    def epoch_ended(self, fold: int, epoch: int, logs: dict[str, float], seconds: float) -> None:
        """An epoch is done; `logs` holds its metrics."""

    def fold_ended(self, fold: int, score: float | None, seconds: float) -> None:
        """A fold is trained and scored."""

    def note(self, text: str) -> None:
        """Something the user should know, one sentence."""

    def found(self, headline: str, severity: str) -> None:
        """A finding of the checks, one line with its place; `error`, `warning` or `note`."""

    def experiment_ended(self) -> None:
        """All folds are done, or the run was stopped."""


class Recorder(Protocol):
    """What keeps the results as they come."""

    def training_begins(self, fold: int, choice: Choice) -> None:
        """Data and model of a fold are ready; its first step comes next, by the chosen engine."""
        ...

    def callback_folder(self, fold: int) -> Path:
        """Return the folder for the files of a fold's callbacks."""
        ...

    def feature_store(self) -> FeatureStore | None:
        """Return where the features of frozen bases are kept; None keeps none."""
        ...

    def splits(self, splits: dict[str, np.ndarray]) -> None:
        """The row numbers of every split, before anything is trained."""
        ...

    def epoch(self, fold: int, epoch: int, logs: dict[str, float], seconds: float) -> None:
        """One epoch's metrics."""
        ...

    def losses(self, fold: int, epoch: int, losses: Sequence[float]) -> None:
        """The loss of each gradient step of an epoch, by the naive engine alone."""
        ...

    def checkpoints(self, fold: int) -> Checkpoints | None:
        """Return where a fold's fit is saved while it goes on; None saves nothing."""
        ...

    def epoch_seconds(self, fold: int) -> list[float]:
        """Return how long each epoch of a fold took that was trained before the run was resumed."""
        ...

    def finished(self, fold: int) -> FitResult | None:
        """Return the outcome of a fold's fit that was finished before the run was resumed."""
        ...

    def trained(self, fold: int, fitted: FitResult, pipeline: Pipeline) -> None:
        """One fold's fit and its preprocessing, before they are scored."""
        ...

    def fold(self, result: FoldResult) -> None:
        """One fold's score and predictions."""
        ...
