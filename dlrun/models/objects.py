"""From a checked component to the live Keras object."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from dlrun.config.keras_components import metric_names
from dlrun.errors import ComponentError, without_colours
from dlrun.registry.catalogue import NAMESPACES, entry
from dlrun.registry.keras_component import KerasComponent

REFUSALS = (ValueError, TypeError, AttributeError, ImportError, NotImplementedError)
"""What Keras raises where it does not accept a component."""

LONGEST_REASON = 300


def build_object(component: KerasComponent) -> Any:
    """Return the Keras object that a component describes, nested ones included.

    Returns:
        The object, or the function of a plugin; for a metric of Keras without arguments, and a
        loss given by an alias (`mse`), the word of the config: `Model.compile` understands it and
        names the metric after it.

    Raises:
        ComponentError: Keras refused the component, or one nested in it.
    """
    if _passed_by_name(component):
        return component.alias
    arguments = {name: _argument(value) for name, value in component.arguments.items()}
    if component.kind == "metric":
        # Keras would count up from object to object in a process: auc, auc_1, ...
        arguments.setdefault("name", metric_names([component])[0])
    try:
        make = class_of(component)
        if make is None:
            raise AttributeError(f"there is no {component.kind} {component.name}")
        return make if inspect.isfunction(make) else make(**arguments)
    except REFUSALS as error:
        raise refused(component, error) from error


def refused(component: KerasComponent, error: Exception) -> ComponentError:
    """Return the error that says why Keras does not accept a component."""
    return ComponentError(f"Keras refused {component.alias}: {reason(error)}", component.path)


def class_of(component: KerasComponent) -> Any:
    """Return the class of a plugin or of Keras that a component names; None where it is neither."""
    if component.implementation is not None:
        return component.implementation
    return getattr(importlib.import_module(NAMESPACES[component.kind]), component.name, None)


def leaf_layers(model: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the layers of a model, those of nested models in their place, by address: a layer of
    the nested model `vgg16` is `vgg16.block5_conv1`."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaf_layers(layer, f"{above}{layer.name}.")
        else:
            yield f"{above}{layer.name}", layer


def reason(error: Exception) -> str:
    """Return what an error of Keras says, as one line without its lists of call arguments."""
    text = without_colours(str(error))
    # TensorFlow puts its own line below a traceback of the code that built the step.
    text = re.sub(
        r"^Graph execution error:.*\n(?=\S[^\n]*\n\s*\[\[\{\{node )", "", text, flags=re.S
    )
    text = re.sub(r"\s*\[\[\{\{node .*", "", text, flags=re.S)
    text = re.sub(r"\{\{function_node [^}]*\}\} |\s*\[Op:\w+\]( name:)?", "", text)
    text = re.sub(r"^Exception encountered when calling \S+\s+", "", text)
    text = text.rsplit("Exception encountered: ", 1)[-1].rsplit("Error encountered:", 1)[-1]
    text = re.split(r"\s*Arguments received by ", text)[0]
    text = re.sub(r"\s+", " ", text).strip().rstrip(".")
    if len(text) <= LONGEST_REASON:
        return text
    return text[:LONGEST_REASON].rsplit(" ", 1)[0] + " ..."


def _passed_by_name(component: KerasComponent) -> bool:
    if component.arguments or component.kind not in ("loss", "metric"):
        return False
    if component.implementation is not None:
        return False
    known = entry(component.kind, component.name)
    by_compile = known is not None and known.resolved_by_compile
    return by_compile or component.kind == "metric" or component.alias != component.name


def _argument(value: Any) -> Any:
    if isinstance(value, list):
        return [_argument(item) for item in value]
    if not isinstance(value, KerasComponent):
        return value
    if value.kind == "initializer" and not value.arguments:
        known = entry("initializer", value.name)
        if known is not None and known.argument("seed") is not None:
            # Keras makes it in the layer, where a layer written by hand draws its seed too.
            return value.name
    return build_object(value)
