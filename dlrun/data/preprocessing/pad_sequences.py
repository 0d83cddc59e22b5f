"""Integer sequences padded or cut to one length."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from dlrun.data.samples import Array, Columns, Kind
from dlrun.data.step import State, Step, join_sequences

Side = Literal["pre", "post"]


class PadSequences(Step):
    """Makes each column (n, maxlen) int32, as `keras.utils.pad_sequences` does.

    Suits columns of integer sequences. Rows that were cut are counted in the findings.
    """

    maxlen: int | None = Field(default=None, ge=1)
    """Length of every row. Default: that of the longest training row."""

    padding: Side = "pre"
    """Where shorter sequences are filled up: before or after their values."""

    truncating: Side = "pre"
    """Where longer sequences lose values: at their beginning or end."""

    value: int = Field(default=0, ge=-(2**31), lt=2**31)
    """What shorter sequences are filled up with."""

    reverse: bool = False
    """Whether sequences run from their last value to their first; they are reversed before they are
    cut."""

    suits: ClassVar[tuple[Kind, ...]] = ("sequences",)

    def learn(self, name: str, column: Array) -> State:
        _, lengths = join_sequences(self, name, column)
        return {"maxlen": self.maxlen or max(1, int(lengths.max(initial=1)))}

    def transform(self, name: str, column: Array, state: State) -> Array:
        numbers, lengths = join_sequences(self, name, column)
        return padded(
            numbers,
            lengths,
            state["maxlen"][name],
            padding=self.padding,
            truncating=self.truncating,
            value=self.value,
            reverse=self.reverse,
        )

    def findings(self, features: Columns, state: State) -> list[str]:
        found = []
        for name in state["columns"]:
            maxlen = state["maxlen"][name]
            longer = sum(len(sequence) > maxlen for sequence in features[name])
            if longer:
                at_beginning = (self.truncating == "pre") != self.reverse
                side = "beginning" if at_beginning else "end"
                found.append(
                    f"pad_sequences: column '{name}' is longer than {maxlen} in {longer} of "
                    f"{len(features[name])} rows, which lost their {side}"
                )
        return found


def padded(
    numbers: Array,
    lengths: Array,
    length: int,
    *,
    padding: Side = "pre",
    truncating: Side = "pre",
    value: int = 0,
    reverse: bool = False,
) -> Array:
    """Return (n, length) int32, as `keras.utils.pad_sequences` does.

    Args:
        numbers: (m,) of all rows, one after another.
        lengths: (n,) numbers that each row has.
        length: That of every row of the answer.
        padding: Where shorter rows are filled up.
        truncating: Where longer rows lose numbers.
        value: What shorter rows are filled up with.
        reverse: Whether rows are turned round, before they are cut.
    """
    result = np.full((len(lengths), length), value, np.int32)
    ends = np.cumsum(lengths)
    # What a reversed row loses at its beginning was at its end.
    at_beginning = (truncating == "pre") != reverse
    for row, (end, count) in enumerate(zip(ends.tolist(), lengths.tolist(), strict=True)):
        kept = min(count, length)
        start = end - kept if at_beginning else end - count
        place = slice(length - kept, None) if padding == "pre" else slice(0, kept)
        given = numbers[start : start + kept]
        result[row, place] = given[::-1] if reverse else given
    return result
