"""Sequences of words or tags to predict, a class for each step."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from dlrun.data.preprocessing.pad_sequences import Side, learn_tokens, padded
from dlrun.data.samples import Array, is_of_tokens
from dlrun.data.step import State, TargetStep, number_tokens
from dlrun.data.vocabulary import FIRST_WORD, PADDING_WORD, UNKNOWN, UNKNOWN_WORD
from dlrun.errors import DataError
from dlrun.metrics.names import TargetType


class PadSequencesTarget(TargetStep):
    """Makes sequences of text class indices, (n, maxlen) int32: 0 is padding, 1 a word that the
    training rows do not have, 2 the most frequent word, and so on; the last layer needs as many
    units. Steps of padding count unless the model's output carries a mask: give the Embedding of
    the input `mask_zero: true`, and pad input and target on the same side."""

    suits: ClassVar[tuple[TargetType, ...]] = ("multiclass",)

    maxlen: int | None = Field(default=None, ge=1)
    """Length of every row. Default: that of the longest training row."""

    padding: Side = "pre"
    """Where shorter sequences are filled up: before or after their words."""

    truncating: Side = "pre"
    """Where longer sequences lose words: at their beginning or end."""

    vocabulary: int | None = Field(default=None, ge=3)
    """How many words to keep, the most frequent ones; padding and unknown words count too. Default:
    all."""

    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        if not is_of_tokens(target):
            raise DataError(
                "pad_sequences needs sequences of text; say how they are separated: `split` under "
                "`dataset`"
            )
        learnt = learn_tokens(target, self.vocabulary, self.maxlen)
        return {"words": learnt["words"], "maxlen": learnt["maxlen"]}

    def apply(self, target: Array, state: State) -> Array:
        numbers, lengths = number_tokens(target, state["words"], FIRST_WORD, UNKNOWN)
        return padded(
            numbers, lengths, state["maxlen"], padding=self.padding, truncating=self.truncating
        )

    def class_names(self, state: State) -> tuple[str, ...]:
        return (PADDING_WORD, UNKNOWN_WORD, *state["words"])
