"""Layers follow each other so that each does something, and the model suits the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dlrun.checks.architecture import (
    DROPPING,
    LINEAR,
    NORMALISING,
    RECURRENT,
    activation_of,
    embeddings_of_places,
    recurrent,
    units_of,
)
from dlrun.checks.check import BOOK, check
from dlrun.checks.finding import Finding, as_written, put, with_arguments
from dlrun.checks.subjects.losses_and_metrics import PROBABILITY_LOSSES
from dlrun.checks.views import ConfigView, ModelView
from dlrun.config.graph import layer_graph
from dlrun.config.layer_calls import LayerGraph
from dlrun.config.layers import every_graph, plain
from dlrun.text import figure

_ENOUGH_FOR_CLASSES = 64
"""Units that tell any number of classes apart: networks name thousands of words from so many."""


@check(
    "DL010",
    why="later layers cannot recover what a layer drops, and a few numbers cannot tell many "
    "classes apart",
    source=BOOK + "3.5.7",
    instead="give hidden layers as many units as there are classes, or at least 64",
    fault="""
    architecture:
      layers:
        - Dense: {units: 4, activation: relu}
        - Dense: {units: 46, activation: softmax}
    """,
    fix="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 46, activation: softmax}
    """,
)
def bottleneck(view: ConfigView) -> Iterator[Finding]:
    """A hidden layer of fewer than 64 units that is narrower than the number of classes. The code
    of an autoencoder is meant to be narrow, and labels that are independent need no more units."""
    output = view.output
    if output is None or output.units is None or output.units < 3:
        return
    one_of_several = PROBABILITY_LOSSES.get(view.config.loss.name) == "softmax"
    if view.predicts_input or view.known.task == "regression" or not one_of_several:
        return
    for entry in output.before:
        units = units_of(entry.layer)
        hidden = entry.layer.name in ("Dense", *RECURRENT)
        if hidden and units is not None and units < min(output.units, _ENOUGH_FOR_CLASSES):
            yield Finding(
                f"a hidden layer of {units} units before {output.units} classes",
                (*entry.layer.path, "units"),
                with_arguments(entry, units=_ENOUGH_FOR_CLASSES),
            )


@check(
    "DL011",
    why="without an activation between them, two layers compute no more than one",
    source=BOOK + "3.4.3",
    instead="give the first one `activation: relu`",
    fault="""
    architecture:
      layers:
        - Dense: 64
        - Dense: {units: 10, activation: softmax}
    """,
    fix="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 10, activation: softmax}
    """,
)
def linear_stack(view: ConfigView) -> Iterator[Finding]:
    """Two dense layers with no activation between them."""
    for entry, following in view.followed(DROPPING):
        both = entry.layer.name == "Dense" and following.layer.name == "Dense"
        if both and activation_of(entry.layer) == LINEAR:
            message = "this layer has no activation, and a dense layer follows"
            yield Finding(message, entry.layer.path, with_arguments(entry, activation="relu"))


_TAKE_A_SEQUENCE = frozenset(
    {"Conv1D", "MaxPooling1D", "AveragePooling1D", "GlobalMaxPooling1D", "GlobalAveragePooling1D"}
    | {"SeparableConv1D", "TimeDistributed"}
)


@check(
    "DL012",
    severity="error",
    why="the next layer needs a sequence, and without `return_sequences: true` it gets only the "
    "last output",
    source=BOOK + "6.2.1",
    instead="set `return_sequences: true`",
    fault="""
    architecture:
      layers:
        - LSTM: 32
        - LSTM: 32
        - Dense: {units: 10, activation: softmax}
    """,
    fix="""
    architecture:
      layers:
        - LSTM: {units: 32, return_sequences: true}
        - LSTM: 32
        - Dense: {units: 10, activation: softmax}
    """,
)
def stacked_recurrent(view: ConfigView) -> Iterator[Finding]:
    """A recurrent layer that passes only its last output to a layer that needs the whole
    sequence."""
    for entry, following in view.followed(DROPPING | NORMALISING):
        layer, above = recurrent(entry.layer), following.layer
        if layer is None or layer.arguments.get("return_sequences"):
            continue
        if recurrent(above) is None and above.name not in _TAKE_A_SEQUENCE:
            continue
        inside = {"return_sequences": True}
        if layer is entry.layer:
            change = with_arguments(entry, **inside)
        else:
            change = with_arguments(entry, layer=as_written(layer, inside))
        name = entry.layer.alias
        message = f"{name} returns only its last output, but {above.alias} needs the sequence"
        yield Finding(message, entry.layer.path, change)


@check(
    "DL013",
    severity="error",
    why="a word number without an entry is an error, or on a GPU silently a vector of zeros",
    source=BOOK + "6.1.2",
    instead="set `input_dim` to the largest word number plus 1",
    fault="""
    dataset: {source: keras, name: imdb, num_words: 10000}
    architecture:
      layers:
        - Embedding: {input_dim: 1000, output_dim: 8}
        - GlobalAveragePooling1D
        - Dense: {units: 1, activation: sigmoid}
    loss: binary_crossentropy
    """,
    fix="""
    architecture:
      layers:
        - Embedding: {input_dim: 10000, output_dim: 8}
        - GlobalAveragePooling1D
        - Dense: {units: 1, activation: sigmoid}
    """,
)
def embedding_too_small(view: ConfigView) -> Iterator[Finding]:
    """An Embedding with fewer entries than there are word numbers."""
    words, of_places = view.known.words, embeddings_of_places(view.config)
    for entry in view.layers:
        size = entry.layer.arguments.get("input_dim")
        if entry.layer.name != "Embedding" or words is None or not isinstance(size, int):
            continue
        if entry.path in of_places:
            continue
        if size < words:
            yield Finding(
                f"an Embedding of {size:,} entries for word numbers up to {words - 1:,}",
                (*entry.layer.path, "input_dim"),
                with_arguments(entry, input_dim=words),
            )


@check(
    "DL014",
    severity="error",
    why="during training it sets outputs to 0 at random, whatever the row says",
    source=BOOK + "4.4.3",
    instead="put dropout between hidden layers",
    fault="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 10, activation: softmax}
        - Dropout: 0.5
    """,
    fix="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dropout: 0.5
        - Dense: {units: 10, activation: softmax}
    """,
)
def dropout_after_output(view: ConfigView) -> Iterator[Finding]:
    """Dropout after the output layer."""
    for entry in view.output.after if view.output else ():
        if entry.layer.name in DROPPING:
            message = f"{entry.layer.alias} comes after the output layer"
            yield Finding(message, entry.path)


@check(
    "DL015",
    why="the mean of one row is the row itself, so after a dense layer only the layer's own "
    "offset is left",
    source="Ioffe and Szegedy 2015, arxiv.org/abs/1502.03167",
    instead="use batches of at least 16 rows, or LayerNormalization",
    fault="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - BatchNormalization
        - Dense: {units: 10, activation: softmax}
    training: {batch_size: 1}
    """,
    fix="""
    training: {batch_size: 32}
    """,
)
def batch_normalization_of_one_row(view: ConfigView) -> Iterator[Finding]:
    """Batch normalization with one row per batch."""
    if view.config.training.batch_size != 1:
        return
    for entry in view.layers:
        if entry.layer.name == "BatchNormalization":
            message = f"{entry.layer.alias} normalizes over the batch, but a batch is one row"
            yield Finding(message, entry.path, put(("training", "batch_size"), 32))


_NO_BLOCK = "use it as a layer, or remove it"


@check(
    "DL018",
    why="it is not part of the model: it is neither trained nor saved",
    source="Keras, keras.io/guides/functional_api",
    instead="name it in a later `from` or under `outputs`, or remove it",
    fault="""
    architecture:
      layers:
        - {Dense: {units: 64, activation: relu}, name: hidden}
        - {Dense: {units: 32, activation: relu}, from: input, name: aside}
        - {Dense: {units: 10, activation: softmax}, from: hidden}
    """,
    fix="""
    architecture:
      layers:
        - {Dense: {units: 64, activation: relu}, name: hidden}
        - {Dense: {units: 32, activation: relu}, from: input, name: aside}
        - {Concatenate: {}, from: [hidden, aside]}
        - Dense: {units: 10, activation: softmax}
    """,
)
def unused_layer(view: ConfigView) -> Iterator[Finding]:
    """A layer whose output nothing uses, or a block that no layer uses."""
    config, reported = view.config, set()
    used: set[str] = set()
    for graph in every_graph(config.architecture, config.blocks):
        reached = _reached(graph)
        for node in graph.nodes:
            if node.entry.block is not None:
                used.add(node.entry.block.name)
            if node.name in reached or node.entry.path in reported:
                continue
            reported.add(node.entry.path)
            yield Finding(f"nothing uses the output of '{node.name}'", node.entry.path)
    for name in config.blocks:
        if name not in used:
            message = f"no layer uses the block '{name}'"
            yield Finding(message, ("blocks", name), advice=_NO_BLOCK, on_key=True)


def _reached(graph: LayerGraph) -> set[str]:
    """The nodes that an output depends on."""
    waiting = [node for name in graph.outputs if (node := graph.node(name)) is not None]
    reached: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.name in reached:
            continue
        reached.add(node.name)
        sources = [*node.sources, node.calls]
        waiting += [found for name in sources if (found := graph.node(name)) is not None]
    return reached


_MOST_WEIGHTS = 100


@check(
    "DL201",
    why="so many weights can memorize the rows, and usually do",
    source=BOOK + "4.4.1",
    instead="start with fewer units and add until the model overfits, or add dropout or L2",
    fault="""
    dataset: {source: sklearn, name: digits}   # 1,797 rows of 64 pixels
    architecture:
      layers:
        - Dense: {units: 4096, activation: relu}
        - Dense: {units: 10, activation: softmax}
    """,
    fix="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 10, activation: softmax}
    """,
)
def many_parameters(view: ModelView) -> Iterator[Finding]:
    """More than a hundred weights for every training row. Word vectors and frozen layers do not
    count."""
    weights = sum(
        int(math.prod(weight.shape))
        for layer in view.model.layers
        if type(layer).__name__ != "Embedding"
        for weight in layer.trainable_weights
    )
    if weights > _MOST_WEIGHTS * view.rows:
        each = weights // view.rows
        yield Finding(
            f"{weights:,} weights are trained on {view.rows:,} rows, {each:,} for each",
            ("architecture", "layers"),
            on_key=True,
        )


LARGE_VECTORS = 10.0
"""Numbers of word vectors stay below it: GloVe's and fastText's are within 5 of 0."""


@check(
    "DL203",
    why="large inputs make large gradients, and a network starts from weights meant for numbers "
    "around 0 to 1",
    source=BOOK + "4.3.1",
    instead="divide the file's numbers by their standard deviation, or put a `LayerNormalization` "
    "after the Embedding",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}
    preprocess: [{text: {output: sequence}}]
    architecture:
      layers:
        - {Embedding: {input_dim: 10000, output_dim: 2}, vectors: vectors.txt}   # from -127 to 127
        - GlobalAveragePooling1D
        - Dense: {units: 1, activation: sigmoid}
    """,
    fix="""
    architecture:
      layers:
        - {Embedding: {input_dim: 10000, output_dim: 2}, vectors: vectors.txt}
        - LayerNormalization
        - GlobalAveragePooling1D
        - Dense: {units: 1, activation: sigmoid}
    """,
)
def large_word_vectors(view: ModelView) -> Iterator[Finding]:
    """Word vectors of a file whose numbers are far larger than 1."""
    import numpy as np

    graph = layer_graph(view.config.architecture, view.config.blocks)
    for node in graph.nodes:
        if node.entry.vectors is None:
            continue
        above = [plain(user) for user in graph.users(node.name)]
        if above and all(user and user.layer.name in NORMALISING for user in above):
            continue
        numbers = np.abs(np.asarray(view.model.get_layer(node.name).embeddings))
        used = numbers[numbers.any(axis=1)]
        if used.size and (largest := float(np.quantile(used, 0.99))) > LARGE_VECTORS:
            message = f"the word vectors go up to {figure(largest)}, and nothing scales them"
            yield Finding(message, node.entry.path, on_key=True)
