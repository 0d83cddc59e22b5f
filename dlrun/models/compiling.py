"""Giving a Keras model the loss, the optimizer and the metrics of a config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dlrun.config.keras_components import metric_names
from dlrun.config.schema import OutputEntry
from dlrun.errors import ComponentError, KeyPath
from dlrun.models.objects import REFUSALS, build_object, reason
from dlrun.models.precision import scaling_losses
from dlrun.registry.keras_component import KerasComponent


def compile_model(
    model: Any,
    loss: KerasComponent,
    optimizer: KerasComponent,
    metrics: Sequence[KerasComponent],
) -> None:
    """Give a model its loss, a new optimizer and new metrics.

    The history's names are those of `dlrun.config.keras_components.metric_names`.

    Args:
        model: A Keras model.
        loss: What training minimises.
        optimizer: How training minimises it.
        metrics: What is measured besides the loss.

    Raises:
        ComponentError: Keras refused one of them.
    """
    _compile(model, optimizer, loss.path, loss=build_object(loss), metrics=_built_metrics(metrics))


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
    _compile(
        model,
        optimizer,
        ("loss",),
        loss={output.name: build_object(output.loss) for output in outputs},
        loss_weights={output.name: output.weight for output in outputs},
        metrics={output.name: _built_metrics(output.metrics) for output in outputs},
    )


def _compile(model: Any, optimizer: KerasComponent, path: KeyPath, **options: Any) -> None:
    scaled = scaling_losses(build_object(optimizer), model)
    try:
        model.compile(optimizer=scaled, **options)
    except REFUSALS as error:
        raise ComponentError(f"Keras cannot compile the model: {reason(error)}", path) from error


def _built_metrics(metrics: Sequence[KerasComponent]) -> list[Any]:
    built = []
    for metric, name in zip(metrics, metric_names(metrics), strict=True):
        if metric.arguments:
            metric = replace(metric, arguments={**metric.arguments, "name": name})
        built.append(build_object(metric))
    return built
