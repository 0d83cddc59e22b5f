"""Augmentation as the first layers of a model: active while it is trained, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlrun.config.sections import OF_ANY_INPUT
from dlrun.errors import ComponentError, KeyPath
from dlrun.models.objects import REFUSALS, build_object, reason
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent
from dlrun.registry.names import snake_case
from dlrun.text import shape_text

Layers = Sequence[KerasComponent]
Shape = tuple[int | None, ...]

PATH: KeyPath = ("augment",)
SEEDS = 2**31
"""Keras on TensorFlow takes seeds below this number."""


@dataclass(frozen=True)
class InputSpec:
    """What a model is called with under one name.

    Args:
        shape: Shape of one row; None where a length varies.
        dtype: NumPy's name of the type, such as `float32`.
    """

    shape: Shape
    dtype: str


@dataclass(frozen=True)
class Augmentation:
    """What `augment` of a config says.

    Args:
        layers: Random layers for the one input of pictures, or a list of them for each input.
        seed: Where their random numbers begin, unless a layer says so itself. No other layer
            draws from it, so that a model has the same initial weights with and without.
    """

    layers: Layers | Mapping[str, Layers] = ()
    seed: int = 0

    @property
    def every_layer(self) -> list[KerasComponent]:
        """The layers of all inputs."""
        by_input = self.layers
        lists = by_input.values() if isinstance(by_input, Mapping) else [by_input]
        return [layer for layers in lists for layer in layers]

    def on(self, inputs: Mapping[str, InputSpec]) -> Mapping[str, Layers]:
        """Return the layers of each input that has some.

        Args:
            inputs: What each input gets, by its name.

        Raises:
            ComponentError: An input does not exist, does not hold pictures, or it is unclear
                which one is meant.
        """
        if not self.layers:
            return {}
        if isinstance(self.layers, Mapping):
            chosen = dict(self.layers)
            for name in chosen:
                if name not in inputs and len(inputs) + len(chosen) > 2:
                    names = ", ".join(inputs)
                    message = f"the model has no input '{name}'; its inputs are {names}"
                    raise ComponentError(message, (*PATH, name))
            if len(inputs) == 1 and len(chosen) == 1:
                # One input may go by any name.
                chosen = dict(zip(inputs, chosen.values(), strict=True))
        else:
            chosen = {self._only_input(inputs): self.layers}
        for name, layers in chosen.items():
            for layer in layers:
                _require_pictures(layer, inputs[name].shape)
        return chosen

    def apply(
        self, layers: Layers, tensor: Any, entrance: str | None = None
    ) -> tuple[list[Any], Any]:
        """Return the Keras layers, and their output for the symbolic tensor of an input; `entrance`
        is its name, where several inputs have such layers.

        Raises:
            ComponentError: Keras refused a layer.
        """
        import keras

        made = []
        if not str(tensor.dtype).startswith("float"):
            # Some of the layers take no integers. The numbers stay the same.
            made.append(
                keras.layers.Rescaling(1.0, dtype="float32", name=f"{_prefix(entrance)}_as_float")
            )
            tensor = made[0](tensor)
        for number, component in enumerate(layers):
            defaults: dict[str, Any] = {
                "dtype": "float32",
                "name": layer_name(number, component, entrance),
            }
            known = catalogue.entry("layer", component.name)
            if known is not None and known.argument("seed") is not None:
                defaults["seed"] = (self.seed + number) % SEEDS
            arguments = {**defaults, **component.arguments}
            layer = build_object(replace(component, arguments=arguments))
            try:
                tensor = layer(tensor)
            except REFUSALS as error:
                message = f"{component.alias} cannot take the input: {reason(error)}"
                raise ComponentError(message, component.path) from error
            made.append(layer)
        return made, tensor

    def _only_input(self, inputs: Mapping[str, InputSpec]) -> str:
        if len(inputs) == 1:
            return next(iter(inputs))
        pictures = [name for name, spec in inputs.items() if len(spec.shape) == 3]
        if len(pictures) == 1:
            return pictures[0]
        found = ", ".join(f"{name} {shape_text(spec.shape)}" for name, spec in inputs.items())
        raise ComponentError(
            f"the model has {len(pictures) or 'no'} inputs of pictures ({found}); name the one you "
            "mean: `augment: {INPUT: [...]}`",
            PATH,
        )


NO_AUGMENTATION = Augmentation()
"""Nothing is changed while a model is trained."""


def _prefix(entrance: str | None) -> str:
    return "augment" if entrance is None else f"augment_{entrance}"


def layer_name(number: int, component: KerasComponent, entrance: str | None = None) -> str:
    """Return the name of a layer in the model; `number` counts from 0, for `entrance` see
    `Augmentation.apply`."""
    own = f"{_prefix(entrance)}_{number + 1}_{snake_case(component.name)}"
    return str(component.arguments.get("name", own))


def _require_pictures(layer: KerasComponent, shape: Shape) -> None:
    """Refuse a layer for pictures on rows of another shape."""
    if layer.name in OF_ANY_INPUT or len(shape) == 3:
        return
    hint = ""
    if len(shape) == 2:
        sizes = shape_text(shape)[1:-1]
        hint = f"; a step `reshape: [{sizes}, 1]` under `preprocess` adds the axis of colours"
    raise ComponentError(
        f"{layer.alias} changes pictures (height, width, colours), but the input is "
        f"{shape_text(shape)}{hint}",
        layer.path,
    )
