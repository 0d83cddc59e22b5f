"""Word vectors from text files in the format of GloVe: a word and its numbers a line.

Legend: k words that are found, d numbers of a vector.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dlrun.data.samples import Array
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean

WHERE_FROM = "GloVe's are at https://nlp.stanford.edu/projects/glove (glove.6B.zip)"

_PACKED = (".zip", ".gz", ".bin", ".npz", ".npy", ".kv", ".model")
"""Endings of files that are no such text."""


def read_word_vectors(file: Path, words: Mapping[str, int], dimension: int) -> tuple[Array, Array]:
    """Look words up, line by line: only the vectors that are found are held in memory.

    A byte-order mark is passed over, and so is a first line of two whole numbers, as word2vec and
    fastText write it. Of a word that is there twice, the first line counts.

    Args:
        file: The file, in UTF-8.
        words: The words wanted, and a number for each.
        dimension: d.

    Returns:
        (k,) int64, the numbers of the words that were found, in the order of the file, and (k, d)
        float32, their vectors.

    Raises:
        DataError: The file is missing, no such text, or has vectors of another length; says what
            to do.
    """
    if not file.is_file():
        raise DataError(_missing(file))
    if file.suffix.lower() in _PACKED:
        raise DataError(
            f"{file}: expected a text file of word vectors, a word and its numbers a line; "
            "unpack it, or save it as text"
        )
    wanted = {word.encode("utf-8", "surrogatepass"): number for word, number in words.items()}
    places: list[int] = []
    vectors: list[Array] = []
    with file.open("rb") as lines:
        for count, line in enumerate(lines, start=1):
            word, _, rest = line.removeprefix(BOM_UTF8 if count == 1 else b"").partition(b" ")
            if count == 1:
                if word.isdigit() and _is_head(line.removeprefix(BOM_UTF8)):
                    _refuse_length(file, count, int(rest), dimension)
                    continue
                _refuse_length(file, count, _numbers_in(file, count, rest), dimension)
            number = wanted.get(word)
            if number is None:
                continue
            fields = rest.split()
            if len(fields) > dimension:
                # A word of several parts, as in GloVe's largest file.
                continue
            try:
                vector = np.array(fields, np.float32)
            except ValueError:
                vector = np.empty(0, np.float32)
            if len(vector) != dimension or not np.isfinite(vector).all():
                raise DataError(
                    f"{file}:{count}: expected a word and {dimension} numbers, found {_shown(line)}"
                )
            del wanted[word]
            places.append(number)
            vectors.append(vector)
    found = np.stack(vectors) if vectors else np.empty((0, dimension), np.float32)
    return np.asarray(places, np.int64), found


def _is_head(line: bytes) -> bool:
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def _numbers_in(file: Path, count: int, rest: bytes) -> int:
    fields = rest.split()
    try:
        np.array(fields, np.float32)
    except ValueError:
        fields = []
    if not fields:
        raise DataError(
            f"{file}:{count}: expected a word and its numbers, separated by spaces, found "
            f"{_shown(rest)}; it is not a text file of word vectors"
        )
    return len(fields)


def _refuse_length(file: Path, count: int, length: int, dimension: int) -> None:
    if length != dimension:
        raise DataError(
            f"{file}:{count}: the vectors have {length} numbers, and the Embedding has "
            f"`output_dim: {dimension}`; say `output_dim: {length}`, or name a file of "
            f"{dimension} numbers"
        )


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    plain = "".join(c if c.isprintable() else "�" for c in text)
    return f"'{plain[:40]}{'…' if len(plain) > 40 else ''}'"


def _missing(file: Path) -> str:
    if not file.parent.is_dir():
        return (
            f"{file}: no such file, and no folder {file.parent}; {WHERE_FROM}: put the file there"
        )
    near = did_you_mean(file.name, (other.name for other in file.parent.iterdir()))
    return f"{file}: no such file{near or ';'} {WHERE_FROM}: put the file there"
