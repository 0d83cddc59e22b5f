"""Which losses predict quantities, and which predict classes."""

from __future__ import annotations

REGRESSION_LOSSES = frozenset(
    {
        "CosineSimilarity",
        "Huber",
        "LogCosh",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredError",
        "MeanSquaredLogarithmicError",
        "Poisson",
    }
)


def predicts_quantities(loss: str) -> bool:
    """Whether a loss, by Keras' class name, is one for quantities rather than classes."""
    return loss in REGRESSION_LOSSES
