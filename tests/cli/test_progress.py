"""What the terminal says while a run trains."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from dlrun.cli.live_progress import LiveProgress, progress_display
from dlrun.cli.progress import PlainProgress, QuietProgress

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def terminal(clock: Clock) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, color_system=None, width=80, get_time=clock
    )


@pytest.fixture
def pipe() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=20)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def screen(text: str) -> list[str]:
    """What a terminal shows after these bytes: lines, and the control codes that rich uses."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", text):
        if token == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif token.endswith("A"):
            row -= int(token[2:-1])
        elif token == "\x1b[2K":
            lines[row] = ""
        elif not token.startswith("\x1b"):
            before = lines[row].ljust(column)
            lines[row] = before[:column] + token + before[column + len(token) :]
            column += len(token)
        else:
            assert token in (HIDE, SHOW), token
    return [line.rstrip() for line in "\n".join(lines).rstrip().split("\n")]


def shown(progress: LiveProgress) -> list[str]:
    """The moving part, as it would be drawn now."""
    console = Console(file=io.StringIO(), width=progress.console.width, color_system=None)
    console.print(progress.frame())
    return [line.rstrip() for line in written(console).rstrip().split("\n")]


def two_folds(progress: QuietProgress, tick: Callable[[float], None] = lambda _: None) -> None:
    progress.experiment_started("boston", 2, 3, "mae", "min")
    for fold, values in enumerate(([2.5, 2.25, 2.375], [3.0, float("nan")])):
        progress.fold_started(fold)
        for epoch, value in enumerate(values, start=1):
            tick(0.1)
            progress.step_ended(fold, epoch, 5, 5)
            progress.epoch_ended(fold, epoch, {"loss": 0.43214, "val_mae": value}, 0.1)
        progress.fold_ended(fold, values[-1] if fold == 0 else 3.0, 2.0)
    progress.experiment_ended()


PLAIN = """\
boston: 2 folds, at most 3 epochs each, score mae (lower is better)
fold 1/2 epoch 1/3 loss 0.4321 val_mae 2.500 0.1s
fold 1/2 epoch 2/3 loss 0.4321 val_mae 2.250 0.1s
fold 1/2 epoch 3/3 loss 0.4321 val_mae 2.375 0.1s
fold 1/2 mae 2.375, 3 epochs, best val_mae 2.250 in epoch 2, mean so far 2.375, 2.0 s
fold 2/2 epoch 1/3 loss 0.4321 val_mae 3.000 0.1s
fold 2/2 epoch 2/3 loss 0.4321 val_mae nan 0.1s
fold 2/2 mae 3.000, 2 epochs, best val_mae 3.000 in epoch 1, mean so far 2.688, 2.0 s
"""


# Plain lines.


def test_a_pipe_gets_one_plain_line_for_each_thing_whatever_its_width(pipe: Console) -> None:
    progress = progress_display(pipe)
    assert isinstance(progress, PlainProgress)
    two_folds(progress)
    assert written(pipe) == PLAIN


@pytest.mark.parametrize("display", [QuietProgress, PlainProgress, LiveProgress])
def test_every_display_gives_the_log_the_same_lines(terminal: Console, display: Any) -> None:
    log: list[str] = []
    with display(terminal, log.append) as progress:
        two_folds(progress)
    assert "".join(f"{line}\n" for line in log) == PLAIN


def test_one_fold_is_not_counted(pipe: Console) -> None:
    progress = PlainProgress(pipe)
    progress.note("3 rows have no target [and] were left out")
    progress.experiment_started("digits", 1, 2, "accuracy", "max")
    progress.fold_started(0)
    progress.epoch_ended(0, 1, {"accuracy": 0.5, "val_accuracy": 0.75}, 0.0021)
    progress.epoch_ended(0, 2, {"accuracy": 1.0, "val_accuracy": 0.5}, 12.34)
    progress.fold_ended(0, 0.5, 12.4)
    progress.experiment_ended()
    assert written(pipe).splitlines() == [
        "note: 3 rows have no target [and] were left out",
        "digits: at most 2 epochs, score accuracy (higher is better)",
        "epoch 1/2 accuracy 0.5000 val_accuracy 0.7500 0.002s",
        "epoch 2/2 accuracy 1.000 val_accuracy 0.5000 12.3s",
        "accuracy 0.5000, 2 epochs, best val_accuracy 0.7500 in epoch 1",
    ]


def test_a_fold_that_was_broken_off_is_told(pipe: Console) -> None:
    progress = PlainProgress(pipe)
    progress.experiment_started("x", 4, 80, "mae", "min")
    progress.fold_started(2)
    progress.epoch_ended(2, 1, {"loss": 0.5}, 0.1)
    progress.experiment_ended()
    assert written(pipe).splitlines()[-1] == "fold 3/4 stopped after 1 of 80 epochs"


def test_quiet_shows_nothing(terminal: Console) -> None:
    progress = progress_display(terminal, quiet=True)
    with progress:
        two_folds(progress)
    assert written(terminal) == ""


# The live display.


def test_a_fold_in_the_middle(terminal: Console, clock: Clock) -> None:
    progress = LiveProgress(terminal)
    progress.experiment_started("boston", 1, 80, "mae", "min")
    progress.close()
    progress.fold_started(0)
    for epoch, score in enumerate([2.5, 2.25, 2.375, 2.5], start=1):
        # The first epoch compiles; it says nothing about the others.
        clock.now += 30 if epoch == 1 else 0.5
        logs = {"loss": 7.2101, "mae": 1.93, "learning_rate": 0.001, "val_loss": 12.5}
        progress.epoch_ended(0, epoch, {**logs, "val_mae": score}, 0.5)
    clock.now += 0.25
    bar = "━" * 2 + "─" * 47
    assert shown(progress) == [
        "",
        f"  epoch  5/80  {bar}  38 s left",
        "",
        "                         loss        mae  learning_rate",
        "  training              7.210      1.930          0.001",
        "  validation            12.50      2.500",
        "  best, epoch 2                    2.250",
    ]


def test_the_bar_is_as_long_as_the_share_that_is_done(terminal: Console, clock: Clock) -> None:
    progress = LiveProgress(terminal)
    progress.experiment_started("x", 1, 4, "mae", "min")
    progress.close()
    progress.fold_started(0)

    def share() -> float:
        line = shown(progress)[1]
        return (line.count("━") + line.count("╸") / 2) / sum(line.count(c) for c in "━╸─")

    assert share() == 0
    assert shown(progress)[1].endswith("  0.0 s")
    clock.now += 10
    progress.step_ended(0, 1, 50, 100)
    assert share() == pytest.approx(1 / 8, abs=0.02)
    # The first step compiles; it says nothing about the others.
    assert shown(progress)[1].endswith("  step 50/100  10 s")
    clock.now += 2
    progress.step_ended(0, 1, 75, 100)
    assert shown(progress)[1].endswith("  step 75/100  20 s left")
    progress.epoch_ended(0, 1, {"loss": 0.5}, 20)
    assert share() == pytest.approx(1 / 4, abs=0.02)
    for epoch in (2, 3, 4):
        progress.epoch_ended(0, epoch, {"loss": 0.5}, 20)
    assert share() == 1
    # Nothing was measured on held-out rows, so nothing is called best.
    assert shown(progress)[3:] == ["                         loss", "  training             0.5000"]


def test_time_left_counts_the_folds_that_are_to_come(terminal: Console, clock: Clock) -> None:
    progress = LiveProgress(terminal)
    progress.experiment_started("x", 4, 100, "mae", "min")
    progress.close()
    progress.fold_started(0)
    for epoch in range(1, 11):
        clock.now += 0.5
        progress.epoch_ended(0, epoch, {"loss": 0.5}, 0.5)
    assert progress.seconds_left(clock.now) == pytest.approx(90 * 0.5 + 3 * 50)
    # It stopped early: the others are expected to take as long.
    progress.fold_ended(0, None, 6.0)
    progress.fold_started(1)
    assert progress.seconds_left(clock.now) == pytest.approx(3 * 6.0)
    for epoch in (1, 2, 3):
        clock.now += 0.5
        progress.epoch_ended(1, epoch, {"loss": 0.5}, 0.5)
    assert progress.seconds_left(clock.now) == pytest.approx(97 * 0.5 + 2 * 6.0)


def test_no_time_left_is_named_before_it_is_known(terminal: Console, clock: Clock) -> None:
    progress = LiveProgress(terminal)
    progress.experiment_started("x", 1, 9, "mae", "min")
    progress.close()
    progress.fold_started(0)
    clock.now += 8
    progress.epoch_ended(0, 1, {"loss": 0.5}, 8)
    assert progress.seconds_left(clock.now) is None
    clock.now += 0.1
    progress.epoch_ended(0, 2, {"loss": 0.5}, 0.1)
    assert progress.seconds_left(clock.now) is None
    for epoch in range(3, 9):
        clock.now += 0.2
        progress.epoch_ended(0, epoch, {"loss": 0.5}, 0.2)
    assert progress.seconds_left(clock.now) == pytest.approx(1.3 / 7)
    progress.epoch_ended(0, 9, {"loss": 0.5}, 0.2)
    assert shown(progress)[1].endswith("  scoring")


@pytest.mark.parametrize("width", [30, 40, 52, 70])
def test_the_moving_part_fits_into_a_narrow_terminal(width: int, clock: Clock) -> None:
    progress = LiveProgress(
        Console(file=io.StringIO(), width=width, force_terminal=True, get_time=clock)
    )
    progress.experiment_started("x", 4, 100, "mae", "min")
    progress.close()
    progress.fold_started(0)
    for epoch in (1, 2):
        clock.now += 130
        logs = {"loss": 0.5, "mae": 2.0, "mse": 1.0, "val_mae": 2.0, "val_loss": 1.0}
        progress.epoch_ended(0, epoch, logs, 130)
    clock.now += 10
    progress.step_ended(0, 3, 10, 200)
    lines = progress.frame().plain.split("\n")
    assert max(len(line.rstrip()) for line in lines) <= width
    assert any("left" in line for line in lines[1:3])
    assert "loss" in lines[-4]


def test_on_a_terminal_a_row_for_every_fold_stays(terminal: Console, clock: Clock) -> None:
    def tick(seconds: float) -> None:
        clock.now += seconds

    with progress_display(terminal) as progress:
        assert isinstance(progress, LiveProgress)
        progress.note("3 rows have no target [and] were left out")
        two_folds(progress, tick)
    assert screen(written(terminal)) == [
        "note: 3 rows have no target [and] were left out",
        "boston: 2 folds, at most 3 epochs each, score mae (lower is better)",
        "",
        "  fold     epochs  best epoch        mae  mean so far        time",
        "  1/2           3           2      2.375        2.375       2.0 s",
        "  2/2           2           1      3.000        2.688       2.0 s",
    ]


def test_one_fold_ends_with_one_line(terminal: Console) -> None:
    with LiveProgress(terminal) as progress:
        progress.experiment_started("boston", 1, 3, "mae", "min")
        progress.fold_started(0)
        progress.epoch_ended(0, 1, {"mae": 2.0, "val_mae": 2.5}, 0.1)
        progress.fold_ended(0, 2.5, 0.3)
        progress.experiment_ended()
    assert screen(written(terminal)) == [
        "boston: at most 3 epochs, score mae (lower is better)",
        "  mae 2.500, 1 epoch, best val_mae 2.500 in epoch 1",
    ]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_terminal_as_it_was(
    terminal: Console, error: type[BaseException]
) -> None:
    def train() -> None:
        with LiveProgress(terminal) as progress:
            progress.experiment_started("boston", 1, 3, "mae", "min")
            progress.fold_started(0)
            raise error

    with pytest.raises(error):
        train()
    text = written(terminal)
    assert text.rindex(SHOW) > text.rindex(HIDE)
    assert screen(text) == ["boston: at most 3 epochs, score mae (lower is better)"]


def test_only_the_metrics_that_fit_are_shown() -> None:
    progress = LiveProgress(Console(file=io.StringIO(), width=54))
    progress.experiment_started("x", 1, 3, "mae", "min")
    progress.close()
    progress.fold_started(0)
    progress.epoch_ended(0, 1, {"loss": 0.5, "mse": 4.0, "answer_accuracy": 0.1, "mae": 2.0}, 0.1)
    assert shown(progress)[3:] == [
        "                         loss        mae  and 2 more",
        "  training             0.5000      2.000",
    ]
    assert max(len(line) for line in shown(progress)) <= 54


def test_a_terminal_without_unicode_gets_a_bar_it_can_show() -> None:
    console = Console(file=io.TextIOWrapper(io.BytesIO(), "ascii"), width=60)
    progress = LiveProgress(console)
    progress.experiment_started("x", 1, 2, "mae", "min")
    progress.close()
    progress.fold_started(0)
    progress.epoch_ended(0, 1, {"loss": 0.5}, 0.1)
    line = shown(progress)[1]
    assert line.isascii()
    assert re.fullmatch(r"  epoch 2/2  =+-+  .* s", line)
    assert abs(line.count("=") - line.count("-")) <= 1


def test_drawing_does_not_keep_up_with_fast_epochs(
    terminal: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_in: list[threading.Thread] = []
    draw = LiveProgress.frame

    def note(progress: LiveProgress) -> Any:
        drawn_in.append(threading.current_thread())
        return draw(progress)

    monkeypatch.setattr(LiveProgress, "frame", note)
    with LiveProgress(terminal) as progress:
        progress.experiment_started("boston", 1, 5000, "mae", "min")
        progress.fold_started(0)
        for epoch in range(1, 5001):
            progress.step_ended(0, epoch, 1, 1)
            progress.epoch_ended(0, epoch, {"loss": 0.5}, 0.002)
        progress.experiment_ended()
    # Starting, printing a line and stopping draw; epochs leave it to the thread that draws.
    assert drawn_in.count(threading.main_thread()) <= 10


def test_phases_are_told_and_the_bar_counts_to_where_they_may_end(
    terminal: Console, pipe: Console, clock: Clock
) -> None:
    lines: list[str] = []
    plain = PlainProgress(pipe, lines.append)
    live = LiveProgress(terminal)
    for progress in (plain, live):
        progress.experiment_started("cats", 1, 50, "accuracy", "max")
        progress.fold_started(0)
        progress.phase_started(0, "head", 0, 50)
        progress.epoch_ended(0, 1, {"loss": 0.5}, 1.0)
        # The first phase stopped early.
        progress.phase_started(0, "fine-tuning", 1, 21)
    assert [line for line in lines if "from epoch" in line] == [
        "head: from epoch 1 on",
        "fine-tuning: from epoch 2 on",
    ]
    assert "fine-tuning, epoch  2/21" in live.frame().plain
    live.close()
