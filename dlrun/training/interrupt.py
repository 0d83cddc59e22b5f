"""Ctrl-C between two steps of training, and not in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interrupt:
    """Whether the user has asked to stop."""

    asked: bool = False

    def check(self) -> None:
        """Stop here if the user has asked to.

        Raises:
            KeyboardInterrupt: The user has.
        """
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Delay the first Ctrl-C until the body checks for it; the second one stops at once.

    Raised inside a step, an interrupt passes through the backend's own code, which may turn it
    into another error. Outside the main thread, or where the program handles Ctrl-C in its own
    way, nothing is changed.
    """
    interrupt = Interrupt()

    def ask(number: int, frame: FrameType | None) -> None:
        interrupt.check()
        interrupt.asked = True

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
