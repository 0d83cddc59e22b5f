"""Texts as sequences of token numbers, or as vectors that say which tokens occur."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, Literal
from zlib import crc32

import numpy as np
from pydantic import Field, model_validator

from dlrun.data.preprocessing.pad_sequences import Side, padded
from dlrun.data.samples import Array, Columns, Samples
from dlrun.data.step import State, Step, Storage, choose_columns
from dlrun.data.vocabulary import (
    FIRST_WORD,
    PADDING_WORD,
    UNKNOWN,
    UNKNOWN_WORD,
    Tokens,
    Unit,
    Vocabulary,
    inverse_frequencies,
    learn_words,
)
from dlrun.errors import DataError

Output = Literal["sequence", "multi_hot", "count", "tf_idf", "hashing"]

_OF_SEQUENCES = ("length", "padding", "truncating", "reverse")


class Text(Step):
    """Makes numbers of texts, by a vocabulary that is learnt from the training rows.

    Suits columns of text. As `sequence`, a column becomes (n, length) int32: 0 is padding, 1 any
    word that is not in the vocabulary, 2 the most frequent word, and so on. All other outputs are
    (n, words), a column a word. The vocabulary is kept in the run, in `vocabulary.txt`.
    """

    vocabulary: int = Field(default=10000, ge=3)
    """How many words to keep, the most frequent ones of the training rows. For a `sequence`,
    padding and unknown words count too: it is the `input_dim` of an Embedding. For `hashing`, the
    number of columns that all words share."""

    output: Output = "sequence"
    """What becomes of a text: the `sequence` of its word numbers, for an Embedding; or a vector
    with 1 for each word that occurs (`multi_hot`), how often it occurs (`count`), or how often,
    with words that many texts have counting less (`tf_idf`: as scikit-learn's TfidfVectorizer,
    rows of length 1). `hashing` is a `multi_hot` without a vocabulary: words that share a hash
    (CRC-32) share a column."""

    tokens: Unit = "words"
    """What is counted: `words`, separated by spaces and punctuation, or single `characters`."""

    ngrams: int = Field(default=1, ge=1, le=10)
    """Runs of up to this many tokens count as tokens too."""

    length: int | None = Field(default=None, ge=1)
    """Length of every sequence. Default: that of the longest training row."""

    padding: Side = "pre"
    """Where shorter sequences are filled up with 0: before or after their words."""

    truncating: Side = "pre"
    """Where longer sequences lose words: at their beginning or end."""

    reverse: bool = False
    """Whether sequences run from the last word to the first; they are reversed before they are
    cut."""

    lower: bool = True
    """Whether to convert text to lower case."""

    strip_punctuation: bool | None = None
    """Whether punctuation counts as spaces, all of it but the apostrophe (as in Keras'
    `Tokenizer`). Default: for words, not for characters."""

    @model_validator(mode="after")
    def _options_fit(self) -> Text:
        for option in _OF_SEQUENCES if self.output != "sequence" else ():
            if getattr(self, option) != type(self).model_fields[option].default:
                raise ValueError(f"`{option}` goes with `output: sequence`, not `{self.output}`")
        return self

    def own_options(self) -> list[str]:
        options = super().own_options()
        return [o for o in options if self.output == "sequence" or o not in _OF_SEQUENCES]

    @property
    def storage(self) -> Storage:
        if self.output == "sequence":
            return "dense"
        return "ones" if self.output in ("multi_hot", "hashing") else "sparse"

    def fit(self, features: Columns) -> State:
        chosen = choose_columns(self, features, ["categorical"])
        state: State = {"columns": chosen, "words": {}, "times": {}, "total": {}, "length": {}}
        for name in chosen if self.output != "hashing" else ():
            special = FIRST_WORD if self.output == "sequence" else 0
            of_texts = self._tokens.of_all(features[name])
            learnt = learn_words(of_texts, self.vocabulary - special)
            if not learnt.words:
                raise DataError(
                    f"text: column '{name}' holds no word in the training rows; leave it out"
                )
            state["words"][name] = learnt.words
            state["times"][name] = learnt.times
            state["total"][name] = learnt.total
            if self.output == "sequence":
                state["length"][name] = self.length or learnt.longest
            if self.output == "tf_idf":
                texts = self._tokens.of_all(features[name])
                weights = inverse_frequencies(texts, learnt.words, len(features[name]))
                state.setdefault("weights", {})[name] = weights
        return state

    def apply(self, features: Columns, state: State) -> Columns:
        result = dict(features)
        for name in state["columns"]:
            numbers, lengths = self._numbers(features[name], name, state)
            if self.output == "sequence":
                result[name] = padded(
                    numbers,
                    lengths,
                    state["length"][name],
                    padding=self.padding,
                    truncating=self.truncating,
                    reverse=self.reverse,
                )
            else:
                result[name] = self._vectors(numbers, lengths, name, state)
        return result

    def findings(self, features: Columns, state: State) -> list[str]:
        rows = np.arange(len(next(iter(features.values()), ())))
        return self.findings_of_rows(features, state, Samples(features, {}, rows).listed)

    def findings_of_rows(
        self, features: Columns, state: State, listed: Callable[[Array], str]
    ) -> list[str]:
        found = []
        for name in state["columns"]:
            texts = self._tokens.of_all(features[name])
            lengths = np.fromiter(map(len, texts), np.int64, len(features[name]))
            of_rows = f"of {len(lengths):,} rows"
            if (empty := np.flatnonzero(lengths == 0)).size:
                found.append(
                    f"text: column '{name}' holds no word in {empty.size:,} {of_rows}: "
                    f"{listed(empty)}"
                )
            length = state["length"].get(name)
            if length is not None and (longer := int((lengths > length).sum())):
                side = "end" if (self.truncating == "post") != self.reverse else "beginning"
                half = f"half of them hold at most {int(np.median(lengths)):,}"
                found.append(
                    f"text: column '{name}' is longer than {length:,} {self.tokens} in "
                    f"{longer:,} {of_rows} ({half}); "
                    f"these lost their {side}"
                )
        return found

    def entry_names(self, column: str, state: State) -> list[str] | None:
        words = state["words"].get(column)
        if words is None or self.output == "sequence":
            return None
        return [f"{column}={word}" for word in words]

    def vocabularies(self, state: State) -> dict[str, Vocabulary]:
        special = [PADDING_WORD, UNKNOWN_WORD] if self.output == "sequence" else []
        return {
            name: Vocabulary(
                words=(*special, *words),
                times=np.concatenate([np.zeros(len(special), np.int64), state["times"][name]]),
                total=state["total"][name],
                special=len(special),
                numbers=self.output == "sequence",
            )
            for name, words in state["words"].items()
        }

    @property
    def _tokens(self) -> Tokens:
        strip = self.strip_punctuation
        return Tokens(
            self.tokens, self.ngrams, self.lower, self.tokens == "words" if strip is None else strip
        )

    def _numbers(self, texts: Array, name: str, state: State) -> tuple[Array, Array]:
        """The numbers of all tokens, (m,), and how many each text has, (n,); tokens that have
        none are left out, or unknown in a sequence."""
        parts = [np.empty(0, np.int64)]
        lengths = np.empty(len(texts), np.int64)
        for row, numbers in enumerate(self._numbers_of_each(texts, name, state)):
            parts.append(numbers)
            lengths[row] = len(numbers)
        return np.concatenate(parts), lengths

    def _numbers_of_each(self, texts: Array, name: str, state: State) -> Iterator[Array]:
        if self.output == "hashing":
            for tokens in self._tokens.of_all(texts):
                hashes = (crc32(t.encode("utf-8", "surrogatepass")) for t in tokens)
                yield np.fromiter(hashes, np.int64, len(tokens)) % self.vocabulary
            return
        first = FIRST_WORD if self.output == "sequence" else 0
        places = {word: number for number, word in enumerate(state["words"][name], first)}
        missing = UNKNOWN if self.output == "sequence" else -1
        for tokens in self._tokens.of_all(texts):
            numbers = np.fromiter(map(places.get, tokens, repeat(missing)), np.int64, len(tokens))
            yield numbers if self.output == "sequence" else numbers[numbers >= 0]

    def _vectors(self, numbers: Array, lengths: Array, name: str, state: State) -> Array:
        hashed = self.output == "hashing"
        width = self.vocabulary if hashed else len(state["words"][name])
        rows = np.repeat(np.arange(len(lengths)), lengths)
        if self.storage == "ones":
            vectors: Array = np.zeros((len(lengths), width), np.uint8)
            vectors[rows, numbers] = 1
            return vectors
        places, times = np.unique(rows * width + numbers, return_counts=True)
        values: Any = times.astype(np.float64)
        if self.output == "tf_idf":
            values *= state["weights"][name][places % width]
            of_rows = places // width
            squares = np.bincount(of_rows, values**2, minlength=len(lengths))
            values /= np.sqrt(squares)[of_rows]
        vectors = np.zeros((len(lengths), width), np.float32)
        vectors.reshape(-1)[places] = values
        return vectors
