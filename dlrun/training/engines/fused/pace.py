"""How much training one call takes on, so that the user is never left waiting.

Nothing here changes a result: a call's length decides when progress is told and Ctrl-C is
answered, and nothing else.
"""

from __future__ import annotations

SECONDS_A_CALL = 0.3
"""What a call should last: short enough to answer the user, long enough to make the time
between two calls count for nothing."""

FIRST_STEPS = 1
GROWTH = 8
"""How many times more steps a call takes on than the one before, at most."""


class Pace:
    """Learns from the calls so far how many rows the next one takes on.

    Args:
        batch_size: Rows in a gradient step.
    """

    def __init__(self, batch_size: int) -> None:
        self.rows = FIRST_STEPS * batch_size
        """Training and validation rows that the next call takes on, roughly."""
        self._compiled = False

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a call; the first one compiles and tells nothing of speed."""
        if not self._compiled:
            self._compiled = True
            return
        fitting = rows * SECONDS_A_CALL / max(seconds, 1e-6)
        self.rows = int(min(max(fitting, 1), self.rows * GROWTH))
