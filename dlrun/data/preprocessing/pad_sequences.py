"""Sequences padded or cut to one length."""

from __future__ import annotations

import sys
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from dlrun.data.samples import Array, Columns, Kind, is_of_tokens
from dlrun.data.step import State, Step, join_sequences, number_tokens
from dlrun.data.vocabulary import (
    FIRST_WORD,
    UNKNOWN,
    Vocabulary,
    learn_words,
    vocabulary_of_words,
)

Side = Literal["pre", "post"]


class PadSequences(Step):
    """Makes each column (n, maxlen) int32, as `keras.utils.pad_sequences` does.

    Suits columns of integer sequences, and of text, which the `split` of a table makes: its words
    get the numbers that the step `text` gives them. Rows that were cut are counted in the findings.
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

    vocabulary: int | None = Field(default=None, ge=3)
    """Of text, how many words to keep, the most frequent ones of the training rows; padding and
    unknown words count too. Default: all."""

    suits: ClassVar[tuple[Kind, ...]] = ("sequences",)

    def learn(self, name: str, column: Array) -> State:
        if is_of_tokens(column):
            return learn_tokens(column, self.vocabulary, self.maxlen)
        _, lengths = join_sequences(self, name, column)
        return {"maxlen": self.maxlen or max(1, int(lengths.max(initial=1)))}

    def transform(self, name: str, column: Array, state: State) -> Array:
        if name in state.get("words", {}):
            numbers, lengths = number_tokens(column, state["words"][name], FIRST_WORD, UNKNOWN)
        else:
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

    def vocabularies(self, state: State) -> dict[str, Vocabulary]:
        return {
            name: vocabulary_of_words(words, state["times"][name], state["total"][name])
            for name, words in state.get("words", {}).items()
        }


def learn_tokens(column: Array, vocabulary: int | None, maxlen: int | None) -> State:
    """Return `words`, their `times`, the `total` of all tokens, and `maxlen`.

    Args:
        column: (n,) tuples of str, the training rows.
        vocabulary: How many words to keep, with padding and unknown words; None: all.
        maxlen: The length of all rows; None: that of the longest one.
    """
    most = sys.maxsize if vocabulary is None else vocabulary - FIRST_WORD
    learnt = learn_words(column, most)
    return {
        "words": learnt.words,
        "times": learnt.times,
        "total": learnt.total,
        "maxlen": maxlen or learnt.longest,
    }


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
