"""What ends a run early: signals that wait, and a limit of time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlrun.errors import RunError, UsageError
from dlrun.training import interrupt as module
from dlrun.training.interrupt import (
    Interrupt,
    Interrupted,
    TimeLimit,
    announced,
    deferred_interrupt,
    end_if_asked,
    end_if_signalled,
    exit_status,
    interrupt_cause,
    signals_handled,
)


class Clock:
    """A clock that tests set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that limits are measured on."""
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h0m5s", 3605),
        ("01:30:00", 5400),
        ("100:00:01", 360_001),
        ("90", 90),
        (90, 90),
        (0.5, 0.5),
    ],
)
def test_a_time_limit_is_read_as_it_is_written_elsewhere(text: str, seconds: float) -> None:
    assert TimeLimit.of(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "h", "2 h", "-1h", "0s", "30:00", "1:70:00", "inf", 0, -3])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="like 90s, 30m, 2h, 1h30m or 01:30:00, found"):
        TimeLimit.of(text)


def test_the_time_limit_leaves_room_for_the_longest_step_and_for_writing(clock: Clock) -> None:
    interrupt = Interrupt(TimeLimit.of("100s"))
    interrupt.begin()
    for now in (1010.0, 1011.0, 1041.0, 1059.9):
        clock.now = now
        interrupt.check()
    # The step of 30 seconds might come again, and 10 seconds are for writing.
    clock.now = 1060.0
    with pytest.raises(Interrupted):
        interrupt.check()
    assert interrupt.cause == "time limit"
    assert exit_status(interrupt.cause) == 75


def test_compiling_is_no_step(clock: Clock) -> None:
    interrupt = Interrupt(TimeLimit.of("100s"))
    interrupt.begin()
    clock.now = 1060.0
    interrupt.check()
    interrupt.begin()
    clock.now = 1085.0
    interrupt.check()


def test_where_nothing_can_be_saved_only_a_signal_ends_a_job(clock: Clock) -> None:
    with deferred_interrupt(TimeLimit.of("100s")) as interrupt:
        interrupt.step_ended()
        clock.now = 2000.0
        assert interrupt.asked
        end_if_signalled()
        interrupt.ask("SIGTERM")
        with pytest.raises(Interrupted) as raised:
            end_if_signalled()
        assert raised.value.cause == "SIGTERM"
        interrupt.signal = None


def test_a_job_that_is_queued_again_always_trains_a_step(clock: Clock) -> None:
    with deferred_interrupt(TimeLimit.of("100s")) as interrupt:
        clock.now = 2000.0
        end_if_asked()
        with pytest.raises(Interrupted):
            interrupt.check()


def test_a_time_limit_that_is_over_before_training_is_an_error(clock: Clock) -> None:
    limit = TimeLimit.of("20s")
    clock.now = 1019.0
    with (
        pytest.raises(RunError, match="20s was over before training began; give it more time"),
        deferred_interrupt(limit),
    ):
        pass


@pytest.mark.parametrize(("cause", "status"), [("SIGHUP", 129), ("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_signals_wait_until_the_run_checks_for_them(
    cause: str, status: int, request: pytest.FixtureRequest
) -> None:
    if cause == "SIGHUP":
        # Under `nohup` it is ignored.
        inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        request.addfinalizer(lambda: signal.signal(signal.SIGHUP, inherited))
    said: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with signals_handled(), announced(said.append), deferred_interrupt() as interrupt:
        assert not interrupt.asked
        signal.raise_signal(signal.Signals[cause])
        assert interrupt.asked
        with deferred_interrupt() as inner, pytest.raises(Interrupted) as raised:
            inner.check()
        assert raised.value.cause == cause
    assert exit_status(cause) == status
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_signal_ends_a_command_at_once_where_nothing_waits() -> None:
    with signals_handled(), pytest.raises(Interrupted) as raised:
        signal.raise_signal(signal.SIGTERM)
    assert raised.value.cause == "SIGTERM"


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_sigterm_reaches_a_program_that_imports_dlrun_once_the_run_is_written() -> None:
    heard: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.signal, "raise_signal", heard.append)
        with deferred_interrupt() as interrupt:
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupt.cause == "SIGTERM"
            assert heard == []
    assert heard == [signal.SIGTERM]


def test_a_time_limit_waits_for_the_end_of_a_step_that_cannot_be_saved_before(
    clock: Clock,
) -> None:
    with deferred_interrupt(TimeLimit.of("100s")) as interrupt:
        interrupt.begin()
        clock.now = 1020.0
        interrupt.check_signals()
        clock.now = 1055.0
        interrupt.check_signals()
        # 35 seconds of it might come again, and 10 are for writing.
        assert interrupt.step_ended() == "time limit"
        interrupt.check_signals()


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_signal_ends_a_step_that_a_time_limit_waits_for() -> None:
    with signals_handled(), deferred_interrupt(TimeLimit.of("1h")) as interrupt:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted):
            interrupt.check_signals()


@pytest.fixture
def default_ctrl_c() -> Iterator[None]:
    """Ctrl-C as Python handles it: the tests may run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_ctrl_c")
def test_ctrl_c_when_all_is_trained_reaches_a_program_that_imports_dlrun() -> None:
    written = []

    def run() -> None:
        with deferred_interrupt():
            signal.raise_signal(signal.SIGINT)
            written.append("result.json")

    with pytest.raises(Interrupted):
        run()
    assert written == ["result.json"]


@pytest.mark.usefixtures("default_ctrl_c")
def test_ctrl_c_that_ended_a_fit_is_answered() -> None:
    with deferred_interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            interrupt.check()
    with signals_handled(), deferred_interrupt():
        # A command has no other run that would go on.
        signal.raise_signal(signal.SIGINT)


def test_a_time_limit_holds_in_another_thread(clock: Clock) -> None:
    causes: list[str | None] = []

    def train() -> None:
        with deferred_interrupt(TimeLimit.of("100s")) as outer, deferred_interrupt() as interrupt:
            assert interrupt is outer
            clock.now = 1099.0
            interrupt.step_ended()
            causes.append(interrupt_cause())

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert causes == ["time limit"]
    assert interrupt_cause() is None


def test_outside_the_main_thread_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGINT)
    found: list[object] = []

    def look() -> None:
        with deferred_interrupt(TimeLimit.of("1h")) as interrupt:
            found.extend([interrupt.asked, signal.getsignal(signal.SIGINT)])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [False, before]


def run(code: str, folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run Python that begins as a process of one command does."""
    # Where the tests run in the background of a shell, a child ignores interrupts.
    begin = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    (folder / "begin.py").write_text(begin + code)
    words = [sys.executable, "begin.py", *map(str, options.pop("arguments", ()))]  # type: ignore[call-overload]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)


STUCK = """
import os, threading, time
from dlrun.training.interrupt import deferred_interrupt, signals_handled

with signals_handled(), deferred_interrupt() as interrupt:
    interrupt.advice = "the results so far are kept in runs/x"
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    # Waits in C, as in a step of a backend that takes an hour.
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_second_ctrl_c_ends_the_process_whatever_it_is_doing(tmp_path: Path) -> None:
    done = run(STUCK, tmp_path)
    assert done.returncode == 130
    assert done.stderr == "error: interrupted; the results so far are kept in runs/x\n"


IMPORTING = """
import sys
from dlrun.__main__ import main
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_modules_are_imported_ends_with_one_line(
    name: str, status: int, tmp_path: Path
) -> None:
    # Imported first of all by the command line.
    (tmp_path / "click.py").write_text(
        "import os, signal\n"
        "try:\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
        "    for _ in range(1000): pass\n"
        "except BaseException as error:\n"
        "    raise ImportError('half a module')\n"
    )
    done = run(IMPORTING, tmp_path, arguments=["runs"])
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "error: interrupted\n")
