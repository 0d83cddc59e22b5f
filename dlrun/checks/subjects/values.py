"""How large the numbers are that the model gets and predicts, and where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlrun.checks.architecture import output_of
from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import DATASET, numeric_columns, preprocess_place, with_step
from dlrun.checks.finding import Change, Finding, put, with_arguments
from dlrun.checks.subjects.losses_and_metrics import QUANTITY_LOSSES
from dlrun.checks.views import DataView
from dlrun.config.graph import LayerGraph, layer_graph
from dlrun.config.layers import every_layer, plain
from dlrun.config.schema import Config
from dlrun.data.preprocessing.impute import Impute
from dlrun.data.preprocessing.rescale import Rescale
from dlrun.metrics.names import canonical
from dlrun.text import counted, figure, first_few, percent

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
    {"BatchNormalization", "Embedding", "LayerNormalization", "Normalization", "Rescaling"}
)


@dataclass(frozen=True)
class Scales:
    """The largest and the least of the features' magnitudes.

    Args:
        largest: 99th percentile of the magnitude of the feature where it is largest.
        largest_name: That feature.
        least: The same of the feature where it is least, constants left out.
        least_name: That feature.
        differ: Whether they are so far apart that one drowns the other.
    """

    largest: float
    largest_name: str
    least: float
    least_name: str
    differ: bool


def input_scales(view: DataView) -> Scales | None:
    """Return the scales of what the model gets; None where there is nothing to report, or
    where the first layer scales them."""
    x, graph = view.inputs, layer_graph(view.config.architecture, view.config.blocks)
    if x is None or not x.size or not _takes_as_it_is(graph):
        return None
    if x.ndim != 2 or x.shape[1] != len(view.input_names):
        largest = _magnitude(x.reshape(-1, 1))[0]
        return Scales(float(largest), "the input", float(largest), "the input", False)
    size = _magnitude(x)
    varies = np.flatnonzero((x != x[0]).any(axis=0))
    if not varies.size:
        return None
    most, least = varies[size[varies].argmax()], varies[size[varies].argmin()]
    return Scales(
        float(size[most]),
        view.input_names[most],
        float(size[least]),
        view.input_names[least],
        bool(size[most] > LARGE and size[most] > RATIO * size[least]),
    )


def are_word_numbers(view: DataView) -> bool:
    """Whether a step makes word numbers of texts for the model."""
    return any(
        step.member_name() == "text" and getattr(step, "output", None) == "sequence"
        for step in view.config.preprocess
    )


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


def _takes_as_it_is(graph: LayerGraph) -> bool:
    """Whether the layers that get the input leave its scale as it is."""
    first = [plain(node) for name in graph.inputs for node in graph.users(name)]
    return all(layer and layer.layer.name not in _SCALING_LAYERS for layer in first)


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
    step = {"rescale": scaling} if scaling else "standardize"
    yield Finding(
        f"the inputs go up to {figure(scales.largest)}, and no step scales them to around 1",
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
        with_step(view.config, "standardize", last=True),
        on_key=True,
    )


@check(
    "DL104",
    severity="error",
    why="a single NaN in a row makes the loss NaN",
    source=BOOK + "4.3.1",
    instead="add `impute` to the preprocessing",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # some cells are empty
    preprocess: [standardize]
    """,
    fix="""
    preprocess: [impute, standardize]
    """,
)
def missing_values(view: DataView) -> Iterator[Finding]:
    """Missing values that no step fills in."""
    covered = [step for step in view.config.preprocess if isinstance(step, Impute)]
    missing = {}
    for name, column in numeric_columns(view.dataset.samples):
        if any(step.columns is None or name in step.columns for step in covered):
            continue
        if column.dtype.kind == "f" and (count := int(np.isnan(column).sum())):
            missing[name] = count
    if missing:
        values = counted(sum(missing.values()), "value")
        yield Finding(
            f"{values} missing in {first_few(missing)}, and no step fills them in",
            preprocess_place(view.config),
            with_step(view.config, "impute"),
            on_key=True,
        )


@check(
    "DL105",
    why="a network can learn that 0 means missing only if 0 means nothing else",
    source=BOOK + "4.3.1",
    instead="use `impute: median`, or `impute: {strategy: zero, indicator: true}`",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # 0 children is a value, too
    preprocess: [{impute: zero}]
    """,
    fix="""
    preprocess: [{impute: {strategy: zero, indicator: true}}]
    """,
)
def zero_for_missing(view: DataView) -> Iterator[Finding]:
    """Missing values become 0 in a column where 0 already has a meaning."""
    for index, step in enumerate(view.config.preprocess):
        if not isinstance(step, Impute) or step.strategy != "zero" or step.indicator:
            continue
        names = [
            name
            for name, column in numeric_columns(view.train)
            if column.dtype.kind == "f"
            and (step.columns is None or name in step.columns)
            and np.isnan(column).any()
            and (column == 0).mean() > 0.01
        ]
        if names:
            yield Finding(
                f"missing values of {first_few(names)} become 0, which also occurs as a value",
                ("preprocess", index),
                Change((), "- impute: {strategy: zero, indicator: true}"),
            )


_MARKERS = (-99999, -9999, -999, -99, 999, 9999, 99999, 999999)


@check(
    "DL119",
    why="as a number it is the strongest signal in the column, and it means nothing",
    source=BOOK + "4.3.1",
    instead="name it in `missing` under dataset, and add `impute` to the preprocessing",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # x is -999 if unknown
    preprocess: [standardize]
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, missing: [-999]}
    preprocess: [impute, standardize]
    """,
)
def missing_value_marker(view: DataView) -> Iterator[Finding]:
    """A number that marks a missing value, such as -999."""
    found: dict[str, int] = {}
    for name, column in numeric_columns(view.train):
        for marker in _MARKERS:
            marked = column == marker
            others = column[~marked & np.isfinite(column)]
            if not 3 <= marked.sum() < len(column) / 2 or len(others) < 10:
                continue
            low, high = float(others.min()), float(others.max())
            if min(abs(marker - low), abs(marker - high)) > 3 * (high - low):
                found[name] = marker
    if found:
        markers = sorted(set(found.values()))
        has = hasattr(view.config.dataset, "missing")
        hold = "holds" if len(found) == 1 else "hold"
        yield Finding(
            f"{first_few(found)} {hold} {first_few(markers)}, far from all other values",
            DATASET,
            put(("dataset", "missing"), markers) if has else None,
            on_key=True,
        )


_RANGES = {
    "hard_sigmoid": (0.0, 1.0),
    "relu": (0.0, np.inf),
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "softplus": (0.0, np.inf),
    "tanh": (-1.0, 1.0),
}


@check(
    "DL131",
    severity="error",
    why="mape divides by the target, msle takes the logarithm of 1 + the target and counts what is "
    "negative as 0, and poisson compares counts",
    source="Keras, keras.io/api/losses/regression_losses",
    instead="use mae or mse",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}
    architecture: {layers: [{Dense: 1}]}
    loss: mse
    metrics: [mape]
    """,
    fix="""
    metrics: [mae]
    """,
)
def targets_outside_measure(view: DataView) -> Iterator[Finding]:
    """Targets that a loss or a metric cannot measure: 0 for mape, negative ones for msle and
    poisson."""
    loss = view.config.loss
    for measure in (loss, *view.config.metrics) if view.task == "regression" else ():
        name = canonical(measure.name)
        for values in view.dataset.samples.targets.values():
            if values.ndim > 1 and _masks_steps(view.config):
                # What pads the targets is left out of the measure.
                continue
            seen = _standardized(values) if measure is loss and view.config.target_steps else values
            share, what = 0.0, "0"
            if name == "MeanAbsolutePercentageError":
                share = float((np.abs(seen) < ALMOST_ZERO).mean())
            elif name in ("MeanSquaredLogarithmicError", "Poisson"):
                share, what = float((seen < 0).mean()), "negative"
            if share:
                write = "loss: mse" if measure is loss else "metrics: [mae]"
                message = f"{percent(share)} of the targets are {what}"
                message += f", which {measure.alias} cannot measure"
                yield Finding(message, measure.path, Change((), write))
                break


def _masks_steps(config: Config) -> bool:
    """Whether a layer gives its output a mask."""
    layers = (layer.layer for layer in every_layer(config.architecture, config.blocks))
    return any(layer.name == "Masking" or layer.arguments.get("mask_zero") for layer in layers)


def _standardized(values: np.ndarray) -> np.ndarray:
    """Targets as `targets: standardize` makes them."""
    spread = np.where(values.std(axis=0) > 0, values.std(axis=0), 1)
    return np.asarray((values - values.mean(axis=0)) / spread)


@check(
    "DL118",
    severity="error",
    why="sigmoid stays between 0 and 1, tanh between -1 and 1, relu above 0, and softmax adds up "
    "to 1",
    source=BOOK + "4.5, table 4.1",
    instead="predict quantities with a last layer without an activation",
    fault="""
    dataset: {source: sklearn, name: diabetes}
    preprocess: [standardize]
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 1, activation: sigmoid}
    loss: mse
    metrics: [mae]
    """,
    fix="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: 1
    """,
)
def unreachable_targets(view: DataView) -> Iterator[Finding]:
    """Targets outside the range of the last activation."""
    output = output_of(view.config)
    limits = _RANGES.get(output.activation) if output is not None else None
    if view.task != "regression" or output is None or limits is None:
        return
    if view.config.loss.name not in QUANTITY_LOSSES:
        return
    low, high, unit = limits[0], limits[1], ""
    for values in view.train.targets.values():
        if view.config.target_steps:
            values, unit = _standardized(values), " standardized"
        outside = float(((values < low) | (values > high)).mean())
        if outside > 0.01:
            change = None if output.apart else with_arguments(output.entry, activation=None)
            yield Finding(
                f"{output.activation} cannot give {outside:.0%} of the targets, which go from "
                f"{figure(float(values.min()))} to {figure(float(values.max()))}{unit}",
                output.place,
                change,
            )
            return
