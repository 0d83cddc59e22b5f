"""What the numbers of a column of words mean.

Legend: k numbers, from 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Literal

import numpy as np

from dlrun.data.samples import Array

PADDING_WORD = "[PAD]"
UNKNOWN_WORD = "[UNK]"
"""What the numbers 0 and 1 of a sequence are called in a list of its words."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that numbers mean.

    Args:
        words: The word of each number from 0.
        times: (k,) int64, how often each occurs in the training rows.
        total: Number of all tokens in the training rows, unknown ones included.
        special: How many numbers from 0 are not words: padding, unknown words.
        numbers: Whether a column holds the numbers themselves, as an Embedding takes them, rather
            than an entry for each.
    """

    words: tuple[str, ...]
    times: Array
    total: int
    special: int
    numbers: bool = True

    def __len__(self) -> int:
        return len(self.words)

    def lines(self) -> list[str]:
        """A word a line, that of 0 first; characters that cannot be printed are written as Python
        writes them."""
        return [
            "".join(c if c.isprintable() else repr(c)[1:-1] for c in word) for word in self.words
        ]

    @property
    def places(self) -> dict[str, int]:
        """The number of each word."""
        return {word: i for i, word in enumerate(self.words) if i >= self.special}


def vocabulary_of_sequences(
    words: Mapping[str, int], special: Mapping[int, str], sequences: Array
) -> Vocabulary:
    """Return the vocabulary of columns that hold word numbers already.

    Args:
        words: The number of each word.
        special: What to call the numbers that are not words, and padding.
        sequences: (n,) objects, the training rows: whole numbers from 0.
    """
    filled = [np.asarray(row, np.int64) for row in sequences if len(row)]
    found = np.concatenate([np.empty(0, np.int64), *filled])
    last = max(max(special), int(found.max(initial=0)))
    names = [""] * (last + 1)
    for word, number in words.items():
        if number <= last:
            names[number] = word
    for number, name in special.items():
        names[number] = name
    times = np.bincount(found, minlength=last + 1)
    # Padding and the mark of a beginning are not words of a text.
    total = len(found) - int(sum(times[n] for n, name in special.items() if name != UNKNOWN_WORD))
    return Vocabulary(tuple(names), times, total, max(special) + 1)


def vocabulary_of_words(words: Sequence[str], times: Array, total: int) -> Vocabulary:
    """Return the vocabulary of sequences of words that have numbers from 2 on."""
    special = (PADDING_WORD, UNKNOWN_WORD)
    counts = np.concatenate([np.zeros(len(special), np.int64), times])
    return Vocabulary((*special, *words), counts, total, len(special))


UNKNOWN = 1
FIRST_WORD = 2
"""Numbers in a sequence: 0 is padding, 1 an unknown word, from 2 on come the words."""


@dataclass(frozen=True)
class WordCounts:
    """Words and how often they occur.

    Args:
        words: The w most frequent ones, the most frequent first, equally frequent ones sorted.
        times: (w,) int64, how often each occurs.
        total: Number of all tokens, those that are not kept included.
        longest: Tokens of the longest text, at least 1.
    """

    words: list[str]
    times: Array
    total: int
    longest: int


def learn_words(texts: Iterable[Sequence[str]], most: int) -> WordCounts:
    """Count the tokens of all texts, and keep the most frequent ones.

    Args:
        texts: Tokens of each text.
        most: How many to keep at most.
    """
    longest = 1

    def measured() -> Iterable[Sequence[str]]:
        nonlocal longest
        for tokens in texts:
            longest = max(longest, len(tokens))
            yield tokens

    times = Counter(chain.from_iterable(measured()))
    kept = sorted(times, key=lambda word: (-times[word], word))[:most]
    counts = np.fromiter((times[word] for word in kept), np.int64, len(kept))
    return WordCounts(kept, counts, times.total(), longest)


def inverse_frequencies(texts: Iterable[Sequence[str]], words: Sequence[str], count: int) -> Array:
    """Return (w,) float64, the weight of each word: `ln((1 + n) / (1 + d)) + 1` for n texts of
    which d hold the word (scikit-learn's user guide, section 7.2.3.4, with `smooth_idf`).

    Args:
        texts: Tokens of each text.
        words: The words.
        count: n.
    """
    holding = Counter(chain.from_iterable(map(set, texts)))
    d = np.fromiter((holding[word] for word in words), np.float64, len(words))
    weights: Array = np.log((1 + count) / (1 + d)) + 1
    return weights


Unit = Literal["words", "characters"]

PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'
"""What separates words: all ASCII punctuation but the apostrophe, as in Keras' `Tokenizer`."""

_AS_BLANKS = bytes.maketrans(PUNCTUATION.encode(), b" " * len(PUNCTUATION))


@dataclass(frozen=True)
class Tokens:
    """How a text is cut into tokens.

    Args:
        unit: Words, separated by spaces, or single characters.
        ngrams: Runs of up to this many tokens are tokens too.
        lower: Whether letters become lower case.
        punctuation_is_blank: Whether punctuation becomes spaces.
    """

    unit: Unit
    ngrams: int
    lower: bool
    punctuation_is_blank: bool

    def of(self, text: str | None) -> list[str]:
        """Return the tokens of a text in their order; after them the runs of two, and so on. A
        missing text has none."""
        if text is None:
            return []
        if self.lower:
            text = text.lower()
        if self.punctuation_is_blank:
            # Bytes are translated five times faster; half a pair of surrogates passes through.
            raw = text.encode("utf-8", "surrogatepass").translate(_AS_BLANKS)
            text = raw.decode("utf-8", "surrogatepass")
        tokens = text.split() if self.unit == "words" else list(text)
        if self.ngrams == 1:
            return tokens
        runs = list(tokens)
        for size in range(2, self.ngrams + 1):
            shifted = [tokens[start:] for start in range(size)]
            runs += map(self._between.join, zip(*shifted, strict=False))
        return runs

    def of_all(self, texts: Array) -> Iterator[list[str]]:
        """Yield the tokens of each text of a column."""
        return map(self.of, texts)

    @cached_property
    def _between(self) -> str:
        return " " if self.unit == "words" else ""
