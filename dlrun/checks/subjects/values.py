"""How large the numbers are that the model gets and predicts, and where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlrun.checks.architecture import DROPPING, output_of, range_of
from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import preprocess_place, with_step
from dlrun.checks.finding import Finding
from dlrun.checks.views import DataView, PreparedInput, is_array_of_inputs, is_own_target
from dlrun.config.graph import layer_graph
from dlrun.config.layer_calls import LayerGraph
from dlrun.config.layers import plain
from dlrun.data.preprocessing.rescale import Rescale
from dlrun.data.samples import kind_of
from dlrun.text import figure, first_few

LARGE = 10.0

"""Standardized values, and pixels from 0 to 1, stay below it but for rare ones."""

RATIO = 10.0

ALMOST_ZERO = 1e-6
"""A percentage of a smaller target means nothing."""

FOR_WORDS = (
    "begin with an `Embedding`, which takes word numbers; or `text: {output: tf_idf}`, which makes "
    "weights of the words"
)

"""What to do about word numbers: standardized they would still mean nothing."""

_SCALING_LAYERS = frozenset(
    {"BatchNormalization", "GroupNormalization", "LayerNormalization", "Normalization"}
    | {"RMSNormalization", "Rescaling", "UnitNormalization"}
)

_TAKE_INDICES = frozenset(
    {"CategoryEncoding", "Discretization", "Embedding", "HashedCrossing", "Hashing"}
    | {"IntegerLookup", "StringLookup"}
)
"""Layers that take numbers for names."""

_SAME_VALUES = DROPPING | {"Cropping1D", "Cropping2D", "Flatten", "Identity", "Masking", "Permute"}
_LEAVE_VALUES = _SAME_VALUES | {"Reshape", "ZeroPadding1D", "ZeroPadding2D"}
"""Layers whose output holds the same numbers as their input."""


@dataclass(frozen=True)
class Scales:
    """The largest and the least of the features' magnitudes, of the input where they are largest.

    Args:
        largest: 99th percentile of the magnitude of the feature where it is largest.
        largest_name: That feature.
        least: The same of the feature where it is least, constants left out.
        least_name: That feature.
        differ: Whether they are so far apart that one drowns the other.
        columns: The columns of that input, where the model has several; else None.
    """

    largest: float
    largest_name: str
    least: float
    least_name: str
    differ: bool
    columns: tuple[str, ...] | None = None

    def step(self, name: str) -> Any:
        """A scaling step for the columns of the input."""
        return name if self.columns is None else {name: {"columns": [*self.columns]}}


def input_scales(view: DataView) -> Scales | None:
    """Return the scales of what the model gets; None where there is nothing to report, or
    where the first layer scales them."""
    graph = layer_graph(view.config.architecture, view.config.blocks)
    several = view.config.architecture.inputs
    found = []
    for name, given in view.prepared.inputs.items():
        source = name or graph.inputs[0]
        if not given.values.size or not _takes_as_it_is(graph, source):
            continue
        scales = _scales(given, f"the input '{name}'" if name else "the input")
        if scales is not None and name:
            numbers = {n for n, c in view.train.features.items() if kind_of(c) == "numeric"}
            columns = tuple(column for column in several.get(name, ()) if column in numbers)
            scales = replace(scales, columns=columns or None)
        found += [] if scales is None else [scales]
    return max(found, key=lambda scales: scales.largest, default=None)


def _scales(given: PreparedInput, whole: str) -> Scales | None:
    x, names = given.values, given.names
    if x.ndim != 2 or x.shape[1] != len(names):
        largest = float(_magnitude(x.reshape(-1, 1))[0])
        return Scales(largest, whole, largest, whole, False)
    size = _magnitude(x)
    varies = np.flatnonzero((x != x[0]).any(axis=0))
    if not varies.size:
        return None
    most, least = varies[size[varies].argmax()], varies[size[varies].argmin()]
    differ = bool(size[most] > LARGE and size[most] > RATIO * size[least])
    return Scales(float(size[most]), names[most], float(size[least]), names[least], differ)


def are_word_numbers(view: DataView) -> bool:
    """Whether a step makes word numbers of texts for the model."""
    return any(
        step.member_name() == "text" and getattr(step, "output", None) == "sequence"
        for step in view.config.preprocess
    )


def _gives_shares(view: DataView) -> bool:
    output = output_of(view.config)
    return output is not None and range_of(output) == (0, 1)


def word_numbers(view: DataView, scales: Scales) -> Finding:
    """Return the finding for word numbers that no `Embedding` takes."""
    return Finding(
        f"the inputs are word numbers up to {figure(scales.largest)}, and the first layer takes "
        "them for quantities",
        preprocess_place(view.config),
        advice=FOR_WORDS,
        on_key=True,
        why="word 40 is not twice word 20: the numbers only say which word it is",
    )


def _takes_as_it_is(graph: LayerGraph, name: str) -> bool:
    """Whether the layers that get an input leave its scale as it is, and take it for quantities."""
    waiting = graph.users(name)
    while waiting:
        node = waiting.pop()
        layer = plain(node)
        if layer is None or layer.layer.name in _SCALING_LAYERS | _TAKE_INDICES:
            return False
        if layer.layer.name in _LEAVE_VALUES:
            waiting += graph.users(node.name)
    return True


def columns_of_indices(view: DataView) -> set[str]:
    """Return the features that the model takes for numbers of words or categories."""
    graph = layer_graph(view.config.architecture, view.config.blocks)
    several, found = view.config.architecture.inputs, set[str]()
    for name in view.prepared.inputs:
        users = [plain(node) for node in graph.users(name or graph.inputs[0])]
        if any(user is not None and user.layer.name in _TAKE_INDICES for user in users):
            found.update(several.get(name, [name]) if name else view.train.features)
    return found


def _magnitude(x: np.ndarray) -> np.ndarray:
    """The 99th percentile of |x| in each column; the largest value in rows that are few."""
    values = np.abs(x.astype(np.float32, copy=False))
    top = values.max(axis=0)
    # Most columns are settled by their largest value, which costs little.
    large = np.flatnonzero(top > LARGE)
    if large.size:
        top[large] = np.quantile(values[:, large], 0.99, axis=0)
    return top


@check(
    "DL102",
    why="large inputs make large gradients, and a network starts from weights meant for numbers "
    "around 0 to 1",
    source=BOOK + "4.3.1",
    instead="add `rescale` for pixels, `standardize` for measurements",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # inputs around 300
    preprocess: []
    """,
    fix="""
    preprocess: [standardize]
    """,
)
def large_inputs(view: DataView) -> Iterator[Finding]:
    """Inputs far larger than 1 that no step scales down."""
    scales = input_scales(view)
    if scales is None or scales.differ or scales.largest <= LARGE:
        return
    if are_word_numbers(view):
        yield word_numbers(view, scales)
        return
    depths = {column.dtype.name for column in view.train.features.values()}
    if "uint16" in depths and any(isinstance(step, Rescale) for step in view.config.preprocess):
        # DL140 says so.
        return
    scaling = {"uint8": "1/255", "uint16": "auto"}.get(depths.pop() if len(depths) == 1 else "")
    step = {"rescale": scaling} if scaling else scales.step("standardize")
    own = is_own_target(view.config) or is_array_of_inputs(view.config)
    if step == "standardize" and own and _gives_shares(view):
        # The output can only be as the input is if that lies in the same range.
        step = "minmax"
    named = "the inputs go"
    if scales.columns is not None:
        named = f"{first_few(scales.columns)} go{'es' if len(scales.columns) == 1 else ''}"
    yield Finding(
        f"{named} up to {figure(scales.largest)}, and no step scales them to around 1",
        preprocess_place(view.config),
        with_step(view.config, step, last=True),
        on_key=True,
    )


@check(
    "DL103",
    why="the network has to learn the scales first, and the largest feature drowns out the others",
    source=BOOK + "4.3.1",
    instead="add `standardize` to the preprocessing",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # an income beside an age
    preprocess: []
    """,
    fix="""
    preprocess: [standardize]
    """,
)
def different_scales(view: DataView) -> Iterator[Finding]:
    """Features of very different scales that no step brings to one scale."""
    scales = input_scales(view)
    if scales is None or not scales.differ:
        return
    if are_word_numbers(view):
        yield word_numbers(view, scales)
        return
    yield Finding(
        f"'{scales.largest_name}' goes up to {figure(scales.largest)}, "
        f"'{scales.least_name}' to {figure(scales.least)}: the scales differ",
        preprocess_place(view.config),
        with_step(view.config, scales.step("standardize"), last=True),
        on_key=True,
    )


@check(
    "DL144",
    severity="error",
    why="a row of weight 0 counts nothing in the loss, so that nothing is learnt, and a mean over "
    "such rows is no number",
    source="Keras, keras.io/api/models/model_training_apis",
    instead="leave `sample_weight` out, or name a column of weights above 0",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # weight is 0 in all rows
    training: {sample_weight: weight}
    """,
    fix="""
    training: {epochs: 1}
    """,
)
def weights_of_zero(view: DataView) -> Iterator[Finding]:
    """Weights that are 0 in all training rows, or in all scored rows, of a fold."""
    name = view.config.training.sample_weight
    weights = None if name is None else view.dataset.samples.extras.get(name)
    if weights is None or weights.dtype.kind not in "biuf":
        return
    for fold in view.folds:
        for rows, side in ((fold.train, "training"), (fold.scored, "scored")):
            if rows is not None and len(rows) and not weights[rows].any():
                where = f" of fold {fold.index + 1}" if len(view.folds) > 1 else ""
                message = f"'{name}' is 0 in all {len(rows):,} {side} rows{where}"
                yield Finding(message, ("training", "sample_weight"), on_key=True)
                return
