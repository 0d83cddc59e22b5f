"""How an epoch is cut into calls."""

from __future__ import annotations

from dataclasses import dataclass

from dlrun.training.engine import FitRequest
from dlrun.training.engines.fused.program import Stretch


@dataclass(frozen=True)
class EpochLength:
    """What one epoch consists of.

    Args:
        steps: Gradient steps, a last partial batch included.
        batch_size: Training rows in a step.
        checks: Batches of validation rows, a last partial one included.
        check_size: Validation rows in a batch.
    """

    steps: int
    batch_size: int
    checks: int
    check_size: int

    @classmethod
    def of(cls, request: FitRequest) -> EpochLength:
        """Return the length of a fit's epochs."""
        size = request.validation_batch_size
        rows = 0 if request.validation is None else len(request.validation)
        return cls(request.steps, request.batch_size, -(-rows // size), size)

    @property
    def rows(self) -> int:
        """Rows of a whole epoch, partial batches counted as full."""
        return self.steps * self.batch_size + self.checks * self.check_size

    def rows_of(self, stretch: Stretch) -> int:
        """Rows that a stretch trains on or measures."""
        trained = (stretch.last - stretch.first) * self.batch_size
        checked = (stretch.last_check - stretch.first_check) * self.check_size
        return stretch.epochs * (trained + checked)

    def whole(self, epochs: int) -> Stretch:
        """Return whole epochs as one stretch."""
        return Stretch(epochs, 0, self.steps, 0, self.checks)

    def next_stretch(self, step: int, check: int, rows: int) -> Stretch | None:
        """Return the next piece of an epoch, or None at its end.

        Args:
            step: Gradient steps that are done.
            check: Batches of validation rows that are done.
            rows: About how many rows to take on; always at least one batch.
        """
        if step == self.steps and check == self.checks:
            return None
        last = min(self.steps, step + max(rows // self.batch_size, 1))
        if last < self.steps:
            return Stretch(1, step, last, check, check)
        rows -= (last - step) * self.batch_size
        batches = max(rows // self.check_size, int(step == last))
        return Stretch(1, step, last, check, min(self.checks, check + batches))
