"""Ctrl-C between two calls of a compiled program, and never inside the account of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function that this yields is called; that raises it.

    So epochs that a call has trained are told before training ends. A second Ctrl-C is not held
    back. Outside the main thread, which alone gets signals, nothing is held.

    Raises:
        KeyboardInterrupt: From the yielded function, where Ctrl-C was pressed since.
    """
    pressed = threading.Event()

    def answer() -> None:
        if pressed.is_set():
            raise KeyboardInterrupt

    def on_signal(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield answer
        return
    signal.signal(signal.SIGINT, on_signal)
    try:
        yield answer
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
