"""Progress on a terminal: a bar and the latest metrics, below a row for every finished fold.

Events only note what happened; a thread draws it ten times a second, so that an epoch of 2 ms
costs no more to show than one of a minute, and the clock moves on while a long one runs.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dlrun.cli.console import FoldRow, fold_header, fold_line, headline_text
from dlrun.cli.lines import MARGIN, OnLine, harmless, print_line
from dlrun.cli.progress import PlainProgress, QuietProgress
from dlrun.text import duration, steady_figure

FRAMES_PER_SECOND = 10
WIDEST = 100
"""Columns that the bar's line takes at most, however wide the terminal is."""

TAIL_WIDTH = 14
"""Columns kept for the time left, so that the bar does not change its length."""

LABEL_WIDTH = 18
MORE = len("  and 99 more")
CELL_WIDTH = 9
LONGEST_PHASE = 20
LEAST_BAR = 10
MEASURED = 1.0
"""Seconds that steps or epochs after the first took, before the time left is estimated."""

SOON = 0.05
"""Seconds left that are not counted any more."""

SLOW_EPOCH = 1.0
"""Seconds from which on an epoch's own steps are worth showing."""


class LiveProgress(QuietProgress):
    """Draws on a terminal. Arguments as `QuietProgress`."""

    def __init__(self, console: Console, on_line: OnLine | None = None) -> None:
        super().__init__(console, on_line)
        self._live: Live | None = None
        self._preparing = True
        self._logs: dict[str, float] = {}
        self._steps = (0, 0)
        self._first_step: tuple[int, float] | None = None
        self._fold_seconds: list[float] = []
        now = console.get_time()
        self._opened = self._fold_began = now
        self._first_epoch_ended = self._epoch_ended = self._step_ended = now

    def __enter__(self) -> Self:
        self._start()
        return self

    def close(self) -> None:
        """Remove the moving part and show the cursor again."""
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def experiment_started(
        self, name: str, folds: int, epochs: int, score: str, direction: str
    ) -> None:
        """Show what is going to be trained, and begin to draw."""
        super().experiment_started(name, folds, epochs, score, direction)
        headline = Text(self._headline())
        headline.stylize("bold", 0, len(name))
        self._print(headline)
        if folds > 1:
            self._print(Text())
            self._print(fold_header(self.score, self.console.width))
        self._start()

    def fold_started(self, fold: int, together: int = 1) -> None:
        """Begin a new bar."""
        super().fold_started(fold, together)
        self._logs = {}
        self._forget_steps()
        self._fold_began = self._epoch_ended = self.console.get_time()
        self._preparing = False

    def phase_started(self, fold: int, name: str, done: int, epochs: int) -> None:
        """Name the phase next to the bar, and print when it began."""
        super().phase_started(fold, name, done, epochs)
        self._forget_steps()
        self._epoch_ended = self.console.get_time()
        if self.folds == 1:
            self._print(Text(f"{MARGIN}{name}: from epoch {done + 1} on"))

    def step_ended(self, fold: int, epoch: int, step: int, steps: int) -> None:
        """Note the step for the next frame."""
        self._steps = (step, steps)
        self._step_ended = self.console.get_time()
        if self._first_step is None:
            self._first_step = step, self._step_ended

    def epoch_ended(self, fold: int, epoch: int, logs: dict[str, float], seconds: float) -> None:
        """Note the metrics for the next frame."""
        super().epoch_ended(fold, epoch, logs, seconds)
        self._logs = logs
        self._forget_steps()
        self._epoch_ended = self.console.get_time()
        if epoch == 1:
            self._first_epoch_ended = self._epoch_ended

    def say_fold(self, row: FoldRow) -> None:
        """Add the fold's row to the table, or close the only one with a line."""
        super().say_fold(row)
        self._fold_seconds.append(row.seconds)
        self._preparing = True
        if row.folds > 1:
            self._print(fold_line(row, self.score, self.console.width))
        else:
            self._print(Text(MARGIN + self.fold_text(row)))

    def note(self, text: str) -> None:
        """Show the sentence above the moving part."""
        super().note(text)
        self._print(Text.assemble(("note: ", "cyan"), text))

    def found(self, headline: str, severity: str) -> None:
        """Show the finding above the moving part."""
        super().found(headline, severity)
        self._print(headline_text(headline, severity))

    def frame(self) -> Text:
        """Return the moving part in its current state."""
        now = self.console.get_time()
        if self._preparing:
            waited = duration(now - self._opened)
            return Text(f"{MARGIN}preparing, {waited}", style="dim") if not self.name else Text()
        return harmless(Text("\n").join([Text(), self._bar_line(now), *self._metric_lines()]))

    def seconds_left(self, now: float) -> float | None:
        """Return an estimate of the time that all remaining epochs and folds take, or None while
        too little was measured to tell."""
        finished, pace = self._fold_seconds, self._pace()
        a_fold = sum(finished) / len(finished) if finished else None
        if pace is not None:
            begun = now - (self._epoch_ended if self.epoch else self._fold_began)
            left = max((self.epochs - self.epoch) * pace - begun, 0)
        elif a_fold is not None:
            left = max(a_fold - (now - self._fold_began), 0)
        else:
            return None
        if a_fold is None and pace is not None:
            a_fold = self.epochs * pace / self.together
        return left + (self.folds - self.fold - self.together) * (a_fold or 0)

    def _pace(self) -> float | None:
        """Return the seconds that an epoch takes, or None while too little was measured. The first
        epoch, and the first step of each, do not count: they compile."""
        if self.epoch > 1:
            measured = self._epoch_ended - self._first_epoch_ended
            if measured >= MEASURED:
                return measured / (self.epoch - 1)
        if self._first_step is not None:
            (step, steps), (first, began) = self._steps, self._first_step
            if step > first and self._step_ended - began >= MEASURED:
                return (self._step_ended - began) / (step - first) * steps
        return None

    def _forget_steps(self) -> None:
        self._steps, self._first_step = (0, 0), None

    def _start(self) -> None:
        if self._live is None:
            self._live = Live(
                get_renderable=self.frame,
                console=self.console,
                refresh_per_second=FRAMES_PER_SECOND,
                transient=True,
            )
            self._live.start()

    def _print(self, text: Text) -> None:
        print_line(self.console, text)

    def _bar_line(self, now: float) -> Text:
        step, steps = self._steps
        # Figures that grow must not push the bar about.
        epoch = f"{min(self.epoch + 1, self.epochs):>{len(str(self.epochs))}}/{self.epochs}"
        phase = f"{self.phase[:LONGEST_PHASE]}, " if self.phase else ""
        where = f"{MARGIN}{self._places()}{phase}epoch {epoch}  "
        tail = self._tail(now)
        if step and now - self._epoch_ended >= SLOW_EPOCH:
            with_step = f"step {step}/{steps}  {tail}"
            if len(where) + LEAST_BAR + len(with_step) + 2 <= self.console.width:
                tail = with_step
        room = min(self.console.width, WIDEST) - len(where) - max(len(tail), TAIL_WIDTH) - 2
        if room < LEAST_BAR:
            gap = "" if len(where) + len(tail) <= self.console.width else f"\n{MARGIN}"
            return Text.assemble((where, "bold"), gap, tail)
        share = (self.epoch + (step / steps if steps else 0)) / self.epochs
        bar = _bar(share, room, ascii_only=self.console.options.ascii_only)
        return Text.assemble((where, "bold"), bar, f"  {tail}")

    def _tail(self, now: float) -> str:
        """The time left, or that has passed while this cannot be told."""
        if self.epoch >= self.epochs and self.fold + self.together >= self.folds:
            return "scoring"
        left = self.seconds_left(now)
        if left is None:
            return duration(now - self._fold_began)
        # A training that stopped early is still scored.
        return f"{duration(left)} left" if left >= SOON else "a moment left"

    def _places(self) -> str:
        if self.together == 1:
            return self._place()
        return f"folds {self.fold + 1}-{self.fold + self.together}/{self.folds} "

    def _metric_lines(self) -> list[Text]:
        """Training and validation below each other, a column a metric; the best score last."""
        names = list(dict.fromkeys(name.removeprefix("val_") for name in self._logs))
        if not names:
            return []
        # What does not fit is left out, and these two never are.
        names.sort(key=lambda name: name not in ("loss", self.score))
        shown = _fitting(names, self.console.width - LABEL_WIDTH)
        header = "".join(f"{name:>{_width(name)}}" for name in shown)
        if len(shown) < len(names) and len(header) + LABEL_WIDTH + MORE <= self.console.width:
            header += f"  and {len(names) - len(shown)} more"
        rows = [Text(" " * LABEL_WIDTH + header, "dim")]
        rows.append(self._row("training", {name: self._logs.get(name) for name in shown}))
        if any(name.startswith("val_") for name in self._logs):
            validation = {name: self._logs.get(f"val_{name}") for name in shown}
            rows.append(self._row("validation", validation))
        if self.best is not None:
            epoch, value = self.best
            best = {name: value if name == self.score else None for name in shown}
            rows.append(self._row(f"best, epoch {epoch}", best, "green"))
        return [Text(), *rows]

    def _row(self, label: str, values: dict[str, float | None], style: str = "") -> Text:
        text = Text(f"{MARGIN}{label:<{LABEL_WIDTH - len(MARGIN)}}", style)
        for name, value in values.items():
            number = "" if value is None else steady_figure(value)
            text.append(f"{number:>{_width(name)}}", "bold" if name == self.score else "")
        return text


def _fitting(names: list[str], room: int) -> list[str]:
    """Return the first names whose columns fit, with room for a note on the rest."""
    widths = list(accumulate(_width(name) for name in names))
    if widths[-1] <= room:
        return names
    for kept in (room - MORE, room):
        if shown := [name for name, width in zip(names, widths, strict=True) if width <= kept]:
            return shown
    return names[:1]


def _width(name: str) -> int:
    return max(CELL_WIDTH, len(name)) + 2


def _bar(share: float, width: int, *, ascii_only: bool) -> Text:
    """Return a bar, filled in steps of half a column."""
    halves = int(min(max(share, 0), 1) * width * 2)
    if ascii_only:
        return Text("=" * (halves // 2) + "-" * (width - halves // 2))
    full, half = divmod(halves, 2)
    done = "━" * full + "╸" * half
    # A thinner line, so that the bar can be read without colours too.
    rest = "─" * (width - full - half)
    return Text.assemble((done, "cyan"), (rest, "bright_black"))


def progress_display(
    console: Console, *, quiet: bool = False, on_line: OnLine | None = None
) -> QuietProgress:
    """Return the display that suits the console: live on a terminal, else plain lines.

    Args:
        console: Where to show it.
        quiet: Show nothing.
        on_line: See `QuietProgress`.
    """
    if quiet:
        return QuietProgress(console, on_line)
    if not console.is_terminal or console.is_dumb_terminal:
        return PlainProgress(console, on_line)
    return LiveProgress(console, on_line)
