"""From the layers of a config to a compiled Keras model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlrun.config.keras_components import metric_names
from dlrun.config.schema import Architecture, Block, OutputEntry
from dlrun.errors import ComponentError
from dlrun.models.augment import NO_AUGMENTATION, Augmentation
from dlrun.models.graph import InputSpec as InputSpec
from dlrun.models.graph import build_graph
from dlrun.models.objects import REFUSALS, build_object, reason
from dlrun.models.precision import scaling_losses
from dlrun.registry.keras_component import KerasComponent


def build_model(
    architecture: Architecture,
    blocks: Mapping[str, Block],
    inputs: Mapping[str, InputSpec],
    augmentation: Augmentation = NO_AUGMENTATION,
) -> Any:
    """Return a new Keras model with its weights made: a `keras.Sequential` where each layer
    takes the output of the one above, else a functional model.

    A model with several inputs takes a mapping by their names, one with several outputs gives a
    mapping by theirs. Layers without a name of their own are named as Keras names them in a
    fresh process (`dense`, `dense_1`), so that every fold's model has the same names.

    Args:
        architecture: The layers, and the names of inputs and outputs.
        blocks: The blocks of the config.
        inputs: What each input gets, by name; one alone may have any name.
        augmentation: What changes inputs while the model is trained.

    Raises:
        ComponentError: Keras refused a layer, or a layer cannot take what it is given; names the
            layer, the shapes it gets and what it wants.
    """
    if not architecture.layers:
        raise ComponentError("the architecture has no layers", ("architecture", "layers"))
    return build_graph(architecture, blocks, inputs, augmentation)


def compile_model(
    model: Any,
    loss: KerasComponent,
    optimizer: KerasComponent,
    metrics: Sequence[KerasComponent],
    weighted: bool = False,
) -> None:
    """Give a model its loss, a new optimizer and new metrics.

    The history's names are those of `dlrun.config.keras_components.metric_names`.

    Args:
        model: A Keras model.
        loss: What training minimises.
        optimizer: How training minimises it.
        metrics: What is measured besides the loss.
        weighted: Whether metrics count rows by their sample weight, as the loss does.

    Raises:
        ComponentError: Keras refused one of them.
    """
    measured = {"weighted_metrics" if weighted else "metrics": _built_metrics(metrics)}
    objects = {
        "loss": build_object(loss),
        "optimizer": scaling_losses(build_object(optimizer), model),
    }
    try:
        model.compile(**objects, **measured)
    except REFUSALS as error:
        raise ComponentError(
            f"Keras cannot compile the model: {reason(error)}", loss.path
        ) from error


def compile_outputs(model: Any, outputs: Sequence[OutputEntry], optimizer: KerasComponent) -> None:
    """Give a model the loss and new metrics of each of its outputs, and a new optimizer.

    The history's names are those of `dlrun.scoring.measures.measures_of`.

    Args:
        model: A Keras model; one with several outputs gives a mapping by their names.
        outputs: All of its outputs.
        optimizer: How training minimises the sum of the losses.

    Raises:
        ComponentError: Keras refused one of them.
    """
    if len(outputs) == 1:
        compile_model(model, outputs[0].loss, optimizer, outputs[0].metrics)
        return
    objects = {
        "loss": {output.name: build_object(output.loss) for output in outputs},
        "loss_weights": {output.name: output.weight for output in outputs},
        "metrics": {output.name: _built_metrics(output.metrics) for output in outputs},
        "optimizer": scaling_losses(build_object(optimizer), model),
    }
    try:
        model.compile(**objects)
    except REFUSALS as error:
        raise ComponentError(
            f"Keras cannot compile the model: {reason(error)}", ("loss",)
        ) from error


def _built_metrics(metrics: Sequence[KerasComponent]) -> list[Any]:
    built = []
    for metric, name in zip(metrics, metric_names(metrics), strict=True):
        if metric.arguments:
            metric = replace(metric, arguments={**metric.arguments, "name": name})
        built.append(build_object(metric))
    return built
