"""Integer sequences brought to one length."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from dlrun.data.fitting.sequences import join_sequences
from dlrun.data.fitting.step_columns import choose_columns
from dlrun.data.samples import Array, Columns
from dlrun.data.step import State, Step

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

    def fit(self, features: Columns) -> State:
        chosen = choose_columns(self, features, ["sequences"])
        lengths = {}
        for name in chosen:
            _, given = join_sequences(self, name, features[name])
            lengths[name] = self.maxlen or max(1, int(given.max(initial=1)))
        return {"columns": chosen, "maxlen": lengths}

    def apply(self, features: Columns, state: State) -> Columns:
        result = dict(features)
        for name in state["columns"]:
            result[name] = self._pad(name, features[name], state["maxlen"][name])
        return result

    def findings(self, features: Columns, state: State) -> list[str]:
        found = []
        for name in state["columns"]:
            maxlen = state["maxlen"][name]
            longer = sum(len(sequence) > maxlen for sequence in features[name])
            if longer:
                side = "beginning" if self.truncating == "pre" else "end"
                found.append(
                    f"pad_sequences: column '{name}' is longer than {maxlen} in {longer} of "
                    f"{len(features[name])} rows, which lost their {side}"
                )
        return found

    def _pad(self, name: str, sequences: Array, maxlen: int) -> Array:
        numbers, lengths = join_sequences(self, name, sequences)
        padded = np.full((len(sequences), maxlen), self.value, np.int32)
        ends = np.cumsum(lengths)
        for row, (end, length) in enumerate(zip(ends.tolist(), lengths.tolist(), strict=True)):
            kept = min(length, maxlen)
            start = end - kept if self.truncating == "pre" else end - length
            place = slice(maxlen - kept, None) if self.padding == "pre" else slice(0, kept)
            padded[row, place] = numbers[start : start + kept]
        return padded
