"""The outputs of a model: their shapes, their targets, and where the config names their layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlrun.config.graph import layer_graph
from dlrun.config.layers import every_layer
from dlrun.config.schema import Config, OutputEntry
from dlrun.data.pipeline import Pipeline
from dlrun.errors import ComponentError, KeyPath
from dlrun.metrics.names import TargetType
from dlrun.registry.keras_component import KerasComponent
from dlrun.text import figure, shape_text
from dlrun.training.rows import FitRows

Array = np.ndarray

Shape = tuple[int | None, ...]
"""Of an output, with the batch axis; None where any size will do."""

_OF_EMBEDDINGS = ("CTC", "Circle")
"""Losses whose outputs are not one value for each class or target."""

_OF_OTHER_AXES = (*_OF_EMBEDDINGS, "CategoricalGeneralizedCrossEntropy")
"""Losses whose outputs need not have the targets' axes."""

_OF_ANY_FORM = ("accuracy", "crossentropy", "IoU", "MeanIoU")
"""Metrics that Keras adapts to the form of the targets."""

_OF_THE_LARGEST = ("accuracy", "CategoricalAccuracy")
"""Metrics that Keras compares the largest outputs by, where there are several."""


def output_shapes(model: Any) -> dict[str | None, Shape]:
    """Return the shape of each output of a model, with the batch axis, by the output's name; the
    only one has none."""
    shape = model.output_shape
    if isinstance(shape, list):
        return dict(zip(model.output_names, map(tuple, shape), strict=True))
    return {None: tuple(shape)}


def targets_of(arrays: FitRows, name: str | None) -> Array:
    """Return the targets of one output; None for the only one."""
    targets = arrays.targets
    if isinstance(targets, dict):
        return next(iter(targets.values())) if name is None else targets[name]
    return targets


def check_outputs(
    config: Config,
    shapes: Mapping[str | None, Shape],
    train: FitRows,
    held_out: Sequence[FitRows],
) -> None:
    """Refuse outputs that cannot be compared with their targets.

    Args:
        config: Names the losses and metrics.
        shapes: What each output gives, with the batch axis.
        train: Rows to train on.
        held_out: Other rows, whose targets the outputs must fit as well.

    Raises:
        ComponentError: Says what is given and what is needed.
    """
    layers = every_layer(config.architecture, config.blocks)
    sequences = any(_gives_sequences(layer.layer) for layer in layers)
    graph = layer_graph(config.architecture, config.blocks)
    split, target = getattr(config.dataset, "split", {}), getattr(config.dataset, "target", None)
    tokens = any(
        name in (target or ()) if isinstance(target, list) else name == target for name in split
    )
    for output, name in zip(config.outputs, graph.outputs, strict=True):
        node, shape = graph.node(name), shapes[output.name]
        place = config.architecture.path if node is None else node.entry.path
        for arrays in (train, *held_out):
            targets = targets_of(arrays, output.name)
            check_output(shape, targets, output.loss, place, sequences=sequences, tokens=tokens)
        check_metrics(shape, targets_of(train, output.name), output.metrics)


def _gives_sequences(layer: KerasComponent) -> bool:
    """Whether a recurrent layer, or one that it wraps, gives its output at every timestep."""
    wrapped = [v for v in layer.arguments.values() if isinstance(v, KerasComponent)]
    return bool(layer.arguments.get("return_sequences")) or any(map(_gives_sequences, wrapped))


def findings_of_outputs(
    config: Config, pipeline: Pipeline, shapes: Mapping[str | None, Shape]
) -> list[str]:
    """What the user should know about the last layers; several outputs by their names."""
    found: list[str] = []
    for output in config.outputs:
        own = pipeline.of_output(output.name)
        task, shape = own.target_pipeline.task, shapes[output.name]
        texts = output_findings(shape, output, task, own.class_names)
        lead = "" if output.name is None else f"output '{output.name}': "
        found += [lead + text for text in texts]
    return found


def check_output(
    output_shape: Shape,
    targets: Array,
    loss: KerasComponent,
    path: KeyPath,
    *,
    sequences: bool = False,
    tokens: bool = False,
) -> None:
    """Refuse a last layer whose axes or size do not fit the targets, and targets that the loss is
    not made for.

    Args:
        output_shape: The model's, with the batch axis.
        targets: (n, ...) as the loss sees them.
        loss: As the config gives it.
        path: The last layer's place in the config.
        sequences: Whether a recurrent layer of the model gives its output at every timestep.
        tokens: Whether the targets are the numbers of tokens, which begin with padding.

    Raises:
        ComponentError: Says what is given and what is needed.
    """
    if loss.implementation is None and loss.name not in _OF_OTHER_AXES:
        _check_axes(output_shape[1:], targets.shape[1:], loss, path, sequences)
    if loss.name.startswith("SparseCategorical"):
        _check_classes(output_shape[-1], targets, path, tokens=tokens)
    elif len(output_shape) == 2 and targets.ndim <= 2 and loss.name not in _OF_EMBEDDINGS:
        _check_one_output(output_shape[-1], targets, path)
        _check_width(output_shape[-1], targets, loss.name, path)
    _check_values(targets, loss)


def check_metrics(output_shape: Shape, targets: Array, metrics: Sequence[KerasComponent]) -> None:
    """Refuse metrics that compare outputs with targets of another form: Keras lets some of them
    give numbers that mean nothing.

    Args:
        output_shape: The model's, with the batch axis.
        targets: (n, ...) or (n, ..., k) as the loss sees them.
        metrics: As the config gives them.

    Raises:
        ComponentError: Says which form the metric needs.
    """
    units = output_shape[-1] or 0
    if units < 2:
        return
    indices = targets.ndim < len(output_shape) or targets.shape[-1] == 1
    for metric in metrics:
        if metric.name in _OF_ANY_FORM:
            continue
        if indices and not metric.name.startswith("Sparse"):
            raise ComponentError(
                f"the metric {metric.alias} needs one target for each of the {units} "
                "outputs, but the targets are class indices; say `targets: one_hot` in "
                "preprocess and use a categorical loss, or choose a sparse metric",
                metric.path,
            )
        if not indices and metric.name.startswith("Sparse"):
            raise ComponentError(
                f"the metric {metric.alias} takes class indices, but the targets are rows of "
                f"{targets.shape[-1]} values; leave out `targets: one_hot`, or choose a metric "
                "that is not sparse",
                metric.path,
            )


def output_findings(
    output_shape: Shape,
    output: OutputEntry,
    task: TargetType,
    names: Sequence[str],
) -> list[str]:
    """What the user should know about a last layer that can be trained, one sentence each.

    Args:
        output_shape: The model's, with the batch axis.
        output: Names the loss and the metrics.
        task: What is predicted.
        names: Class names; empty where they have none.
    """
    width, found = output_shape[-1] or 0, []
    if 0 < len(names) < width and output.loss.name not in _OF_EMBEDDINGS:
        found.append(f"the last layer gives {width} values for {len(names)} classes")
    of_the_largest = any(metric.name in _OF_THE_LARGEST for metric in output.metrics)
    if task == "multilabel" and width > 1 and of_the_largest:
        found.append("accuracy compares only the largest output of each row; use binary_accuracy")
    return found


def _check_axes(
    given: Shape, needed: Shape, loss: KerasComponent, path: KeyPath, sequences: bool
) -> None:
    """Refuse outputs that Keras would broadcast against targets with fewer or other axes."""
    sparse = loss.name.startswith("SparseCategorical")
    if len(given) < 2 and len(needed) < (1 if sparse and needed != (1,) else 2):
        # Their sizes are compared by meaning, below.
        return
    compared = given[:-1] if sparse else given
    # Keras leaves out a last axis of 1 of either, where the other has none.
    forms = [needed, *([needed[:-1]] if needed[-1:] == (1,) else [])]
    forms += [] if sparse else [(*needed, 1)]
    if any(_same(compared, form) for form in forms):
        return
    message = f"the last layer gives {shape_text(given)} a row, but {_needed(needed, sparse)}"
    if sparse and len(given) == 2 and len(needed) == 1 < (needed[0] or 0):
        message += "; give the inputs and the targets the same number of steps"
    elif len(needed) < 2 <= len(given):
        pooling = f"GlobalAveragePooling{len(given) - 1}D"
        kinds = f"Flatten or {pooling}" if len(given) <= 4 else "Flatten"
        message += f"; put {kinds} before it"
        message += ", or leave out `return_sequences` of the layer above" if sequences else ""
    elif len(given) == 1 and len(needed) == (1 if sparse else 2) and not sequences:
        message += "; for an answer at every step, say `return_sequences: true` in the layers above"
    raise ComponentError(message, path)


def _same(one: Shape, other: Shape) -> bool:
    """Whether two shapes are the same where both are known."""
    return len(one) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(one, other, strict=True)
    )


def _needed(needed: Shape, sparse: bool) -> str:
    if sparse:
        one = "one class index" if needed in ((), (1,)) else f"{shape_text(needed)} class indices"
        return f"each row has {one}"
    if needed in ((), (1,)):
        return "one value is needed"
    if len(needed) == 1:
        return f"{needed[0]} values are needed"
    return f"{shape_text(needed)} is needed"


def _check_classes(
    given: int | None, targets: Array, path: KeyPath, *, tokens: bool = False
) -> None:
    classes, needed = len(np.unique(targets)), int(targets.max()) + 1
    if given is None or given >= needed:
        return
    fix = f"give it {needed} units"
    if not tokens and (targets.min() > 0 or classes <= given):
        fix = "number the classes from 0 by `targets: [label_index]` under `preprocess`"
        fix += "" if classes <= given else f", and give it {classes} units"
    raise ComponentError(
        f"the last layer gives {_values(given)}, but the targets have classes 0 to {needed - 1}; "
        f"{fix}",
        path,
    )


def _check_one_output(given: int | None, targets: Array, path: KeyPath) -> None:
    if given != 1 or not _are_labels(targets) or (classes := len(np.unique(targets))) <= 2:
        return
    raise ComponentError(
        f"the last layer gives 1 value, which tells two classes apart, but the targets have "
        f"{classes}; give it {classes} units with the activation softmax, and use the loss "
        "sparse_categorical_crossentropy",
        path,
    )


def _check_width(given: int | None, targets: Array, loss: str, path: KeyPath) -> None:
    needed = 1 if targets.ndim == 1 else targets.shape[1]
    if given == needed:
        return
    fix = f"give it {needed} {'unit' if needed == 1 else 'units'}"
    if _are_labels(targets):
        fix = "use a sparse loss, or `targets: one_hot` in preprocess"
    raise ComponentError(
        f"the last layer gives {_values(given)}, but each row has {needed} "
        f"{'target' if needed == 1 else 'targets'} for the loss {loss}; {fix}",
        path,
    )


def _check_values(targets: Array, loss: KerasComponent) -> None:
    """Refuse targets other than those of two classes for a loss that is made for them."""
    if loss.name in ("BinaryCrossentropy", "BinaryFocalCrossentropy"):
        wanted, fits = "from 0 to 1,", not (targets.min() < 0 or targets.max() > 1)
    elif loss.name in ("Hinge", "SquaredHinge"):
        found = np.unique(targets)
        wanted = "0 and 1, or -1 and 1,"
        fits = bool(np.isin(found, (0, 1)).all() or np.isin(found, (-1, 1)).all())
    else:
        return
    if not fits:
        least, largest = figure(float(targets.min())), figure(float(targets.max()))
        raise ComponentError(
            f"{loss.alias} compares with targets {wanted} but these go from {least} to {largest}; "
            "a loss for quantities is mse, one for more than two classes is "
            "sparse_categorical_crossentropy",
            loss.path,
        )


def _are_labels(targets: Array) -> bool:
    return targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer)


def _values(count: int | None) -> str:
    return f"{count} value" if count == 1 else f"{count} values"
