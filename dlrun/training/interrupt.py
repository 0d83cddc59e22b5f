"""What may end a run early, signals and a limit of time, and where it may end."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

from dlrun.errors import INTERRUPTED, TIMED_OUT, RunError, UsageError
from dlrun.text import seconds_of

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that ask a run to end, as far as the system has them: Ctrl-C, the end of a job, a closed
terminal."""

TIME_LIMIT = "time limit"
"""The cause of an end that is no signal."""

RESERVE, SHORTEST_RESERVE, LONGEST_RESERVE = 0.05, 10.0, 120.0
"""Share of a time limit that is kept for scoring and writing what was reached, and its bounds in
seconds; of a short limit it is a quarter."""


def exit_status(cause: str | None) -> int:
    """Return the exit status of a command that was ended early.

    Args:
        cause: A signal's name or `TIME_LIMIT`; None where it is not known.
    """
    early = TIMED_OUT if cause == TIME_LIMIT else INTERRUPTED
    return 128 + signal.Signals[cause] if cause in SIGNALS else early


class Interrupted(KeyboardInterrupt):
    """A run was asked to end.

    Args:
        cause: See `exit_status`.
    """

    def __init__(self, cause: str) -> None:
        super().__init__()
        self.cause = cause


@dataclass(frozen=True)
class TimeLimit:
    """How long a command may take.

    Args:
        text: As the user gave it.
        seconds: The same, in seconds.
        began: When the command began, on `time.monotonic`.
    """

    text: str
    seconds: float
    began: float = field(default_factory=lambda: _began or time.monotonic())

    @classmethod
    def of(cls, given: str | float) -> TimeLimit:
        """Read `90s`, `30m`, `2h`, `1h30m`, `HH:MM:SS`, or a number of seconds.

        Raises:
            UsageError: It is none of them, or not above zero.
        """
        text = str(given).strip()
        try:
            seconds = seconds_of(text)
        except ValueError:
            raise UsageError(
                f"the time limit must be like 90s, 30m, 2h, 1h30m or 01:30:00, found '{text[:60]}'"
            ) from None
        return cls(text if isinstance(given, str) else f"{text}s", seconds)

    def is_over(self, needed: float = 0.0) -> bool:
        """Whether no time is left but what writing takes, and this many seconds."""
        least = min(SHORTEST_RESERVE, self.seconds / 4)
        reserve = min(max(RESERVE * self.seconds, least), LONGEST_RESERVE)
        return time.monotonic() + reserve + needed >= self.began + self.seconds


def time_limit_of(given: TimeLimit | str | float | None) -> TimeLimit | None:
    """Return a time limit as a program may give it; see `TimeLimit.of`."""
    return TimeLimit.of(given) if isinstance(given, str | float | int) else given


class Interrupt:
    """Whether a run is asked to end.

    Args:
        limit: How long the command may take.

    Attributes:
        advice: What the user may do after an end at once.
        signal: The first signal that asked, if one did.
        answered: Whether a fit was ended for that signal.
    """

    def __init__(self, limit: TimeLimit | None = None) -> None:
        self.limit = limit
        self.advice = ""
        self.signal: str | None = None
        self.answered = False
        self._cause: str | None = None
        self._checked: float | None = None
        self._longest = 0.0
        self._trained = False

    @property
    def cause(self) -> str | None:
        """What asks for it: a signal's name or `TIME_LIMIT`; None where nothing does."""
        # A job that is put back into the queue each time has to get on a little each time.
        limit = self.limit if self._trained else None
        if self._cause is None and limit is not None and limit.is_over(self._longest):
            self._cause = TIME_LIMIT
        return self._cause

    @property
    def asked(self) -> bool:
        """Whether something asks for it."""
        return self.cause is not None

    def ask(self, signal_name: str) -> None:
        """Ask the run to end where it can; the first cause is the one that counts."""
        self._cause = self._cause or signal_name
        self.signal = self.signal or signal_name

    def begin(self) -> None:
        """Note that a fit begins: what took time before is no step of it."""
        self._checked = None

    def check_signals(self) -> None:
        """End here, within a step, if a signal asks for it. A time limit waits until the step can
        be saved.

        Raises:
            Interrupted: One does.
        """
        if self._checked is None:
            # What came before may have compiled.
            self._checked = time.monotonic()
        if self._cause in SIGNALS:
            self.end(self._cause)

    def step_ended(self) -> str | None:
        """Return what asks the run to end after a step, or None. The time between two steps' ends
        is taken to be what the next one needs at most, so that a time limit is kept."""
        now, self._trained = time.monotonic(), True
        if self._checked is not None:
            self._longest = max(self._longest, now - self._checked)
        self._checked = now
        return self.cause

    def check(self) -> None:
        """End here, after a step, if that is asked for.

        Raises:
            Interrupted: It is.
        """
        if (cause := self.step_ended()) is not None:
            self.end(cause)

    def end(self, cause: str) -> NoReturn:
        """End the fit for a cause.

        Raises:
            Interrupted: Always.
        """
        self.answered = self.answered or cause == self.signal
        raise Interrupted(cause)


class _OfThread(threading.local):
    """The run of each thread."""

    interrupt: Interrupt | None = None


_of_thread = _OfThread()

_current: Interrupt | None = None
"""The run of the main thread: signals are put off for it."""

_began: float | None = None
"""When the command began that this process runs; None in a program that imports dlrun."""

_raised: str | None = None
"""The cause of the interrupt that this process was ended with, if it was."""

_announce: list[Callable[[str], None]] = []
"""Called with a sentence when a run that goes on is asked to end."""


@contextmanager
def deferred_interrupt(limit: TimeLimit | None = None) -> Iterator[Interrupt]:
    """Put signals off until the body checks for them.

    Raised inside a step, an interrupt passes through the backend's own code, which may turn it
    into another error; raised while files are written, it would leave a part of them. Inside
    another such body of the thread, that one's state is used. In a program that imports dlrun a
    second Ctrl-C stops at once; SIGTERM, SIGHUP, and a Ctrl-C that has ended no fit are raised at
    the end; and no signal is handled outside the main thread or where the program handles it in its
    own way.

    Args:
        limit: How long the command may take.

    Raises:
        RunError: No time is left.
        Interrupted: Ctrl-C came when nothing was left to train, in a program that imports dlrun.
    """
    global _current
    if (outer := _of_thread.interrupt) is not None:
        yield outer
        return
    if limit is not None and limit.is_over():
        raise RunError(
            f"the time limit of {limit.text} was over before training began; give it more time"
        )
    interrupt = _of_thread.interrupt = Interrupt(limit)
    changed = []
    if _in_main_thread():
        _current = interrupt
        changed = [] if _began is not None else _install(_handle)
    try:
        yield interrupt
    finally:
        _of_thread.interrupt = None
        if _in_main_thread():
            _current = None
        _restore(changed)
        if (name := interrupt.signal) is not None and _began is None:
            if name != "SIGINT":
                signal.raise_signal(signal.Signals[name])
            elif not interrupt.answered:
                interrupt.end(name)


def interrupt_cause() -> str | None:
    """Return what asks the run of this thread to end, or None; see `Interrupt.cause`."""
    interrupt = _of_thread.interrupt
    return None if interrupt is None else interrupt.cause


def end_if_asked() -> None:
    """End here if that is asked for: between two fits.

    Raises:
        Interrupted: It is.
    """
    interrupt = _of_thread.interrupt
    if interrupt is not None and (cause := interrupt.cause) is not None:
        interrupt.end(cause)


def end_if_signalled() -> None:
    """End here if a signal asks for it, where nothing can be saved: a time limit waits until a step
    is trained, so that the run has got on when it ends.

    Raises:
        Interrupted: One does.
    """
    interrupt = _of_thread.interrupt
    if interrupt is not None and interrupt.signal is not None:
        interrupt.end(interrupt.signal)


@contextmanager
def announced(say: Callable[[str], None]) -> Iterator[None]:
    """Call a function with a sentence when a signal is put off."""
    _announce.append(say)
    try:
        yield
    finally:
        _announce.remove(say)


@contextmanager
def signals_handled() -> Iterator[None]:
    """Handle signals in a process that is one command, as `Interrupted`: one line for the user.

    A second Ctrl-C ends the process at once, whatever it is doing. Nothing is changed outside the
    main thread, in another such body, and for signals that are ignored, as under `nohup`.
    """
    global _began, _raised
    if _began is not None or not _in_main_thread():
        yield
        return
    _began, _raised = time.monotonic(), None
    changed = _install(_handle)
    wakes = signal.set_wakeup_fd(-1)
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakes)
        os.close(write)
        _restore(changed)
        _began = None


def interrupted_by() -> str | None:
    """Return the cause of the interrupt that was raised in this process, or None."""
    return _raised


def ends_quietly(status: int) -> None:
    """Let no signal change how a command ends that is done: only Python itself has to end."""
    # What Python waits for may take long; what comes after its exit functions does not.
    _install(lambda number, frame: os._exit(status))
    for name in SIGNALS:
        if (number := getattr(signal, name, None)) is not None:
            atexit.register(signal.signal, number, signal.SIG_IGN)


def _handle(number: int, frame: FrameType | None) -> None:
    global _raised
    cause = signal.Signals(number).name
    if _current is not None:
        if _began is None and cause == _current.signal == "SIGINT":
            _current.end(cause)
        _current.ask(cause)
        return
    # Half a module is imported then, and a library may turn the interrupt into another error.
    if _began is not None and _is_importing(frame):
        end_at_once(cause)
    _raised = cause
    raise Interrupted(cause)


def _watch(pipe: int) -> None:
    """Wait for signals in a thread of its own: a step of the main thread may take long."""
    asked = 0
    # Until the other end is closed.
    while data := os.read(pipe, 64):
        for number in data:
            asked += number == signal.SIGINT
            if asked > 1:
                end_at_once("SIGINT", "" if _current is None else _current.advice)
            elif _current is not None and number in {getattr(signal, n, 0) for n in SIGNALS}:
                again = "; press Ctrl-C again to end at once" if asked else ""
                for say in _announce:
                    # A full disk must not keep the second Ctrl-C from being heard.
                    with suppress(Exception):
                        say(f"{signal.Signals(number).name}: ending after the current step{again}")
    os.close(pipe)


def end_at_once(cause: str | None, advice: str = "") -> NoReturn:
    """End the process, whatever it is doing, with one line."""
    text = f"error: interrupted{f'; {advice}' if advice else ''}\n"
    with suppress(OSError):
        if os.isatty(sys.__stdout__.fileno() if sys.__stdout__ else 1):
            # A progress display hides the cursor.
            os.write(1, b"\x1b[?25h\n")
        os.write(2, text.encode(errors="replace"))
    os._exit(exit_status(cause))


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _install(handler: Callable[[int, FrameType | None], None]) -> list[tuple[int, object]]:
    """Handle the signals that nobody else handles or ignores; return them as they were before."""
    untouched = (signal.SIG_DFL, signal.default_int_handler, _handle)
    changed: list[tuple[int, object]] = []
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and (before := signal.getsignal(number)) in untouched:
            changed.append((number, before))
            signal.signal(number, handler)
    return changed


def _restore(changed: list[tuple[int, object]]) -> None:
    for number, before in changed:
        # Not where the command is done: see `ends_quietly`.
        if signal.getsignal(number) is _handle:
            signal.signal(number, before)  # type: ignore[arg-type]  # what `getsignal` returned
