"""Weights that no memory holds."""

from __future__ import annotations

import pytest

from dlrun.models.memory import TooManyWeightsError, free_memory, refuse_large


def test_weights_are_compared_with_the_free_memory() -> None:
    refuse_large([10, 100], 4_000)
    refuse_large([10**9, 10**9], None)
    with pytest.raises(TooManyWeightsError, match=r"64 x 1,000,000,000, take 256\.0 GB, and 8\.0"):
        refuse_large([64, 10**9], 8 * 10**9)
    assert (free_memory() or 1) > 0
