"""The outputs of a model: their shapes, their targets, and where the config names their layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlrun.config.graph import layer_graph
from dlrun.config.schema import Config
from dlrun.config.walk import every_layer
from dlrun.data.pipeline import Pipeline
from dlrun.errors import KeyPath
from dlrun.protocols.compatibility import check_metrics, check_output, output_findings
from dlrun.registry.keras_component import KerasComponent
from dlrun.training.rows import FitRows

Array = np.ndarray


def output_shapes(model: Any) -> dict[str | None, tuple[int | None, ...]]:
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


def places_of_outputs(config: Config) -> list[KeyPath]:
    """Where the layers stand that give the outputs, in the order of the outputs."""
    graph = layer_graph(config.architecture, config.blocks)
    nodes = (graph.node(name) for name in graph.outputs)
    return [config.architecture.path if node is None else node.entry.path for node in nodes]


def check_outputs(
    config: Config,
    shapes: Mapping[str | None, tuple[int | None, ...]],
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
    for output, place in zip(config.outputs, places_of_outputs(config), strict=True):
        shape = shapes[output.name]
        for arrays in (train, *held_out):
            targets = targets_of(arrays, output.name)
            check_output(shape, targets, output.loss, place, sequences=sequences)
        check_metrics(shape, targets_of(train, output.name), output.metrics)


def _gives_sequences(layer: KerasComponent) -> bool:
    """Whether a recurrent layer, or one that it wraps, gives its output at every timestep."""
    wrapped = [v for v in layer.arguments.values() if isinstance(v, KerasComponent)]
    return bool(layer.arguments.get("return_sequences")) or any(map(_gives_sequences, wrapped))


def findings_of_outputs(
    config: Config, pipeline: Pipeline, shapes: Mapping[str | None, tuple[int | None, ...]]
) -> list[str]:
    """What the user should know of the last layers; of several outputs it says which is meant."""
    found: list[str] = []
    for output in config.outputs:
        own = pipeline.of_output(output.name)
        task, shape = own.target_pipeline.task, shapes[output.name]
        told = output_findings(shape, output, task, own.class_names)
        found += told if output.name is None else [f"output '{output.name}': {t}" for t in told]
    return found
