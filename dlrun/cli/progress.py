"""What the terminal shows while a run trains.

Every display is a `dlrun.protocols.observer.Observer`: folds are counted from 0, epochs from 1.
"""

from __future__ import annotations

import math
from types import TracebackType
from typing import Self

from rich.console import Console

from dlrun.cli.console import FoldRow
from dlrun.cli.lines import OnLine
from dlrun.protocols.observer import Observer
from dlrun.text import counted, duration, figure, steady_figure, visible


class QuietProgress(Observer):
    """Shows nothing, and keeps count of what happens.

    Args:
        console: Where the other displays show it.
        on_line: Takes what happens in plain lines, for the run's log.
    """

    def __init__(
        self,
        console: Console,
        on_line: OnLine | None = None,
    ) -> None:
        self.console = console
        self.score = "score"
        self.direction = "min"
        self.on_line = on_line
        self.name = ""
        self.folds = 1
        self.epochs = 1
        self.fold = 0
        self.together = 1
        self.epoch = 0
        self.phase = ""
        self.best: tuple[int, float] | None = None
        self.scores: list[float] = []
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was found; safe to call at any time and again."""

    def experiment_started(
        self, name: str, folds: int, epochs: int, score: str, direction: str
    ) -> None:
        """All folds are about to be trained."""
        self.name, self.folds, self.epochs = name, folds, epochs
        self.score, self.direction = score, direction
        self.say(self._headline())

    def fold_started(self, fold: int, together: int = 1) -> None:
        """A fold is about to be trained, and with it those that come next."""
        self.fold, self.epoch, self.best = fold, 0, None
        self.together = together
        self.phase = ""
        self._open = True

    def phase_started(self, fold: int, name: str, done: int, epochs: int) -> None:
        """A phase of the fold's training begins."""
        self.phase, self.epochs = name, epochs
        self.say(f"{self._place()}{name}: from epoch {done + 1} on")

    def epoch_ended(self, fold: int, epoch: int, logs: dict[str, float], seconds: float) -> None:
        """An epoch is done; `logs` holds its metrics."""
        self.epoch = epoch
        value = logs.get(f"val_{self.score}")
        if value is not None and not math.isnan(value):
            sign = 1 if self.direction == "min" else -1
            if self.best is None or sign * value < sign * self.best[1]:
                self.best = (epoch, value)
        # What is set, and not measured, is written as it was set.
        values = " ".join(
            f"{name} {(figure if name == 'learning_rate' else steady_figure)(number)}"
            for name, number in logs.items()
        )
        self.say(f"{self._place()}epoch {epoch}/{self.epochs} {values} {_seconds(seconds)}")

    def fold_ended(self, fold: int, score: float | None, seconds: float) -> None:
        """A fold is trained and scored."""
        self._open = False
        if score is not None:
            self.scores.append(score)
        mean = sum(self.scores) / len(self.scores) if self.scores else None
        best = self.best[0] if self.best else None
        self.say_fold(FoldRow(fold, self.folds, self.epoch, best, score, mean, seconds))

    def note(self, text: str) -> None:
        """Something the user should know, one sentence."""
        self.say(f"note: {text}")

    def found(self, headline: str, severity: str) -> None:
        """A finding of the checks, one line with its place."""
        self.say(headline)

    def experiment_ended(self) -> None:
        """All folds are done, or the run was stopped."""
        if self._open:
            planned = counted(self.epochs, "epoch")
            self.say(f"{self._place()}stopped after {self.epoch} of {planned}")
        self._open = False
        self.close()

    def say(self, line: str) -> None:
        """Report one plain line."""
        if self.on_line is not None:
            self.on_line(line)

    def say_fold(self, row: FoldRow) -> None:
        """Report the result of a fold."""
        self.say(self._place() + self.fold_text(row))

    def fold_text(self, row: FoldRow) -> str:
        """Return a fold as one plain line."""
        parts = [counted(row.epochs, "epoch")]
        if row.score is not None:
            parts.insert(0, f"{self.score} {steady_figure(row.score)}")
        if self.best is not None:
            epoch, value = self.best
            parts.append(f"best val_{self.score} {steady_figure(value)} in epoch {epoch}")
        if row.folds > 1 and row.mean is not None:
            parts.append(f"mean so far {steady_figure(row.mean)}")
            parts.append(duration(row.seconds))
        # The summary gives the time of a single training.
        return ", ".join(parts)

    def _headline(self) -> str:
        parts = [f"at most {counted(self.epochs, 'epoch')}"]
        if self.folds > 1:
            parts = [f"{self.folds} folds", f"{parts[0]} each"]
        better = "lower" if self.direction == "min" else "higher"
        parts.append(f"score {self.score} ({better} is better)")
        return f"{self.name}: {', '.join(parts)}"

    def _place(self) -> str:
        return f"fold {self.fold + 1}/{self.folds} " if self.folds > 1 else ""


class PlainProgress(QuietProgress):
    """One plain line for each thing that happens: for files, pipes and build servers."""

    def say(self, line: str) -> None:
        """Print one plain line."""
        super().say(line)
        # Rich takes 0.1 ms to print a line, which counts where there is one every 2 ms.
        if self.console.quiet:
            return
        print(visible(line), file=self.console.file, flush=True)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds >= 0.0995 else f"{seconds:.3f}s"
