"""Pretrained word vectors: looked up for the words of the training rows of each fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.graph import layer_graph
from dlrun.config.layer_calls import LayerCall
from dlrun.config.model_schema import Vectors
from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline
from dlrun.data.reading.word_vectors import read_word_vectors
from dlrun.data.samples import Samples
from dlrun.data.source import Source
from dlrun.data.vocabulary import Vocabulary, vocabulary_of_sequences
from dlrun.errors import ComponentError, DataError
from dlrun.registry.names import did_you_mean
from dlrun.text import display_path


@dataclass(frozen=True)
class Coverage:
    """How much of a vocabulary a file of word vectors has.

    Args:
        file: Name of the file.
        words: Words of the vocabulary that have a vector.
        of_words: Words of the vocabulary.
        tokens: Share of all tokens of the training rows that have a vector, from 0 to 1.
    """

    file: str
    words: int
    of_words: int
    tokens: float

    def sentence(self) -> str:
        """The figures in one sentence."""
        return (
            f"{self.file} has vectors for {self.words:,} of {self.of_words:,} words, which are "
            f"{self.tokens:.0%} of all words in the training texts; the others begin as zeros"
        )


def set_word_vectors(
    config: Config, model: Any, pipeline: Pipeline, train: Callable[[], Samples]
) -> tuple[str, ...]:
    """Initialise every Embedding that names word vectors with them.

    Args:
        config: The experiment.
        model: Its model, freshly built.
        pipeline: The preprocessing, fitted on `train`.
        train: Returns the training rows, as they come from the source.

    Returns:
        What share of the words each file has, one sentence each.

    Raises:
        DataError: A file is missing, has vectors of another length or none of the words.
        ComponentError: It is unclear whose words they are.
    """
    if all(entry.vectors is None for entry in config.architecture.layers):
        return ()
    graph = layer_graph(config.architecture, config.blocks)
    known = _vocabularies(config, pipeline, train)
    found = []
    for node in graph.nodes:
        if (vectors := node.entry.vectors) is not None:
            column = _column(vectors, node, config, known)
            found.append(_set(model, node.name, Path(vectors.path), column, known[column]))
    return tuple(coverage.sentence() for coverage in found)


def _set(model: Any, layer: str, file: Path, column: str, vocabulary: Vocabulary) -> Coverage:
    """Let an Embedding begin with the vectors of a file; the saved model holds them as any other
    weights."""
    embedding, words = model.get_layer(layer), vocabulary.places
    rows, dimension = int(embedding.input_dim), int(embedding.output_dim)
    places, vectors = read_word_vectors(file, words, dimension)
    if not len(places):
        raise DataError(
            f"{display_path(file)}: has none of the {len(words):,} words of column '{column}'; is "
            "it a file for another language, or are the words not in lower case?"
        )
    # Numbers that the Embedding has no entry for are refused, or reported, where they occur.
    fitting = places < rows
    weights = np.zeros((rows, dimension), np.float32)
    weights[places[fitting]] = vectors[fitting]
    embedding.embeddings.assign(weights)
    share = float(vocabulary.times[places].sum()) / max(1, vocabulary.total)
    return Coverage(file.name, len(places), len(words), share)


def words_of_numbers(config: Config, pipeline: Pipeline) -> list[str] | None:
    """Return the words of the only column of word numbers, in the order of the numbers; None
    where there is no such column, or several, or its words are unknown."""
    known = [words for words in pipeline.vocabularies.values() if words.numbers]
    if len(known) == 1:
        return known[0].lines()
    kinds = [kind for kind, _ in pipeline.expected_columns.values()]
    if known or kinds.count("sequences") != 1:
        return None
    try:
        numbers = Source.of(config).word_numbers()
    except DataError:
        return None
    if numbers is None:
        return None
    words, special = numbers
    names = {number: word for word, number in words.items()} | dict(special)
    return [names.get(number, "") for number in range(max(names) + 1)]


def _vocabularies(
    config: Config, pipeline: Pipeline, train: Callable[[], Samples]
) -> dict[str, Vocabulary]:
    """The words of every column that an Embedding may take."""
    learnt = {name: words for name, words in pipeline.vocabularies.items() if words.numbers}
    expected = pipeline.expected_columns
    sequences = [name for name, (kind, _) in expected.items() if kind == "sequences"]
    if sequences and (numbers := Source.of(config).word_numbers()) is not None:
        rows = train().features
        learnt |= {name: vocabulary_of_sequences(*numbers, rows[name]) for name in sequences}
    return learnt


def _column(
    vectors: Vectors, node: LayerCall, config: Config, known: Mapping[str, Vocabulary]
) -> str:
    """The column whose words an Embedding is for."""
    place = (*node.entry.path, "vectors")
    if not known:
        raise ComponentError(
            "no column holds word numbers whose words are known; add the step `text` to "
            "`preprocess`",
            place,
        )
    if vectors.column is not None:
        if vectors.column not in known:
            raise ComponentError(
                f"no column '{vectors.column}' with a vocabulary"
                f"{did_you_mean(vectors.column, known) or ';'} there are: {', '.join(known)}",
                (*place, "column"),
            )
        return vectors.column
    if len(known) == 1:
        return next(iter(known))
    # The columns that the layer is called with, where it is called with an input.
    inputs = config.architecture.inputs
    columns = [column for name in node.sources for column in inputs.get(name, [name])]
    fitting = [column for column in columns if column in known]
    if len(fitting) == 1:
        return fitting[0]
    raise ComponentError(
        f"several columns have vocabularies ({', '.join(known)}); say whose words these "
        f"are: `vectors: {{path: ..., column: {next(iter(known))}}}`",
        place,
    )
