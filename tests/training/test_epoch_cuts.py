"""How an epoch is cut into calls: every batch once, in order, and no call of nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlrun.training.fused.epochs import GROWTH, SECONDS_A_CALL, EpochLength, RowsPerCall

COUNTS = st.integers(1, 40)


@given(
    steps=COUNTS,
    checks=st.integers(0, 20),
    batch_size=COUNTS,
    check_size=COUNTS,
    budgets=st.lists(st.integers(0, 400), min_size=1),
)
def test_every_batch_is_done_once_in_order(
    steps: int, checks: int, batch_size: int, check_size: int, budgets: list[int]
) -> None:
    length = EpochLength(steps, batch_size, checks, check_size)
    step = check = calls = 0
    while chunk := length.next_chunk(step, check, budgets[calls % len(budgets)]):
        assert (chunk.steps.start, chunk.validation.start) == (step, check)
        assert length.rows_of(chunk) > 0
        # Validation comes when the last step is done.
        assert chunk.steps.stop == steps or chunk.validation.stop == 0
        step, check, calls = chunk.steps.stop, chunk.validation.stop, calls + 1
    assert (step, check) == (steps, checks)


@given(speed=st.floats(1.0, 1e7), batch_size=st.integers(1, 512))
def test_calls_soon_last_as_long_as_they_should(speed: float, batch_size: int) -> None:
    per_call = RowsPerCall(batch_size)
    per_call.record(per_call.rows, 5.0)
    assert per_call.rows == batch_size  # the first call compiles, and tells nothing
    for _ in range(12):
        before = per_call.rows
        per_call.record(per_call.rows, per_call.rows / speed)
        assert per_call.rows <= before * GROWTH
    fitting = speed * SECONDS_A_CALL
    assert per_call.rows == max(1, int(fitting)) or abs(per_call.rows - fitting) <= 1
