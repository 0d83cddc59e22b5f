"""Targets that are places in a picture: moved as random layers move the picture, in training alone.

The layers stay where they are in the model, which is saved as any other. A step of training applies
them before the model, to picture and target by the same random numbers, and the model then passes
the picture through.

Legend: b rows of a batch, h height, w width, k points or boxes, c classes or channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dlrun.config.places import (
    MOVING,
    Layout,
    Move,
    Places,
    UnplacedTargetError,
    move_of,
    place_of,
    stands_still,
)
from dlrun.errors import ComponentError
from dlrun.models.augment import PATH, Augmentation, InputSpec, layer_name
from dlrun.models.objects import leaf_layers
from dlrun.registry.keras_component import KerasComponent
from dlrun.text import listed

WHAT_THEY_ARE = (
    "say under `dataset` what they are, such as `places: rel_xy`, or `places: none` if the picture "
    "may move without them"
)


@dataclass(frozen=True)
class TargetOfOutput:
    """What is known of the target of an output.

    Args:
        name: Its name, or those of several.
        quantities: Whether it holds quantities, and no classes.
        shape: Of one row, as the loss takes it.
        prepared: Whether steps change its numbers.
    """

    name: str
    quantities: bool
    shape: tuple[int, ...]
    prepared: bool


def let_targets_move(
    model: Any,
    augmentation: Augmentation,
    places: Places,
    targets: Mapping[str | None, TargetOfOutput],
) -> None:
    """Let the targets that are places in a picture move as the augmentation moves it.

    Args:
        model: A compiled `keras.Model` that begins with the augmentation.
        augmentation: Its random layers.
        places: What the config says that the numbers of targets are.
        targets: The target of each output; the only one has no name.

    Raises:
        ComponentError: It is unknown whether a target has to move, or it cannot.
    """
    specs = {t.name: InputSpec(tuple(t.shape[1:]), "float32") for t in model.inputs}
    if not any(layer.name in MOVING for layer in augmentation.every_layer):
        _refuse_inside(model, places, targets)
        return
    augmented = augmentation.on(specs)
    moving = {
        name: layers
        for name, layers in augmented.items()
        if any(layer.name in MOVING for layer in layers)
    }
    entrance, components = next(iter(moving.items()))
    picture = specs[entrance].shape
    found = {name: _move(target, picture, places, components) for name, target in targets.items()}
    moves = {name: move for name, move in found.items() if move is not None}
    if moves and len(moving) > 1:
        raise ComponentError(
            f"the pictures {listed(moving)} move, each in its own way, and the target can move "
            "with one of them alone",
            PATH,
        )
    if moves:
        named = entrance if len(augmented) > 1 else None
        made = [model.get_layer(layer_name(i, each, named)) for i, each in enumerate(components)]
        MovedTargets(model, made, entrance, moves).install()


def _move(
    target: TargetOfOutput,
    picture: tuple[int | None, ...],
    places: Places,
    components: Sequence[KerasComponent],
) -> Move | None:
    kinds = [component.name for component in components]
    first = next(component for component in components if component.name in MOVING)
    try:
        move = move_of(
            target.name, target.quantities, target.shape, picture, place_of(places, target.name)
        )
    except UnplacedTargetError as error:
        message = f"{first.alias} moves the picture, and {error}; {WHAT_THEY_ARE}"
        raise ComponentError(message, first.path) from error
    if move is None:
        return None
    if (other := stands_still(kinds, move)) is not None:
        what = "points and boxes" if isinstance(move, Layout) else "masks and pictures"
        raise ComponentError(
            f"{other} moves the picture, and Keras cannot move {what} along; leave it out, or "
            "say `places: none` under `dataset`",
            PATH,
        )
    if target.prepared and isinstance(move, Layout):
        raise ComponentError(
            f"{first.alias} moves the picture and the target '{target.name}', whose numbers are no "
            "places after the steps on it; leave these steps out",
            first.path,
        )
    return move


def _refuse_inside(
    model: Any, places: Places, targets: Mapping[str | None, TargetOfOutput]
) -> None:
    """Refuse layers in the architecture that move the picture alone."""
    inside = [type(layer).__name__ for _, layer in leaf_layers(model)]
    kind = next((name for name in inside if name in MOVING), None)
    shape = next((tuple(t.shape[1:]) for t in model.inputs if len(t.shape) == 4), None)
    if kind is None or shape is None:
        return
    for target in targets.values():
        try:
            move = move_of(
                target.name, target.quantities, target.shape, shape, place_of(places, target.name)
            )
        except UnplacedTargetError as error:
            message = f"{kind} among the layers moves the picture, and {error}; {WHAT_THEY_ARE}"
            raise ComponentError(message, ("architecture",)) from error
        if move is not None:
            raise ComponentError(
                f"{kind} among the layers moves the picture and not the target '{target.name}'; "
                "put it under `augment`, which moves both",
                ("architecture",),
            )


@dataclass
class MovedTargets:
    """How the batches of a model's training change before its steps.

    Args:
        model: A compiled `keras.Model` whose first layers augment the picture.
        layers: These layers, in order.
        entrance: Name of the picture's input.
        moves: How the target of each output moves; the only one has no name.
    """

    model: Any
    layers: Sequence[Any]
    entrance: str
    moves: Mapping[str | None, Move]

    def install(self) -> None:
        """Let the model's steps of training move the targets too."""
        import keras

        self._calls = {layer.name: layer.call for layer in self.layers}
        self._applied = False
        for layer in self.layers:
            layer.call = self._passing(layer.call)
        step = self.model.train_step
        on_jax = keras.backend.backend() == "jax"
        self.model.train_step = self._step_on_jax(step) if on_jax else self._step(step)

    def _passing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def passing(inputs: Any, *args: Any, **options: Any) -> Any:
            return inputs if self._applied else call(inputs, *args, **options)

        return passing

    def _step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def moved_step(data: Any) -> Any:
            data = self._moved(data)
            with self._passed_through():
                return step(data)

        return moved_step

    def _step_on_jax(self, step: Callable[..., Any]) -> Callable[..., Any]:
        import keras

        def moved_step(state: Any, data: Any) -> Any:
            trainable, others, *rest = state
            variables = self.model.non_trainable_variables
            # The random numbers are among these variables, and go on from step to step.
            with keras.StatelessScope(list(zip(variables, others, strict=True))) as scope:
                data = self._moved(data)
            others = [scope.get_current_value(variable) for variable in variables]
            with self._passed_through():
                return step((trainable, others, *rest), data)

        return moved_step

    @contextmanager
    def _passed_through(self) -> Iterator[None]:
        self._applied = True
        try:
            yield
        finally:
            self._applied = False

    def _moved(self, data: Any) -> Any:
        """A batch with the picture augmented, and what moves with it."""
        import keras

        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        picture = inputs[self.entrance] if isinstance(inputs, dict) else inputs
        picture = keras.ops.cast(picture, "float32")
        several = isinstance(targets, dict)
        moving = {name: targets[name] if several else targets for name in self.moves}
        for layer in self.layers:
            if type(layer).__name__ not in MOVING:
                picture = self._calls[layer.name](picture, training=True)
                continue
            transformation = layer.get_random_transformation(picture, training=True)
            shape = keras.ops.shape(picture)
            for name, move in self.moves.items():
                moving[name] = _along(layer, transformation, move, moving[name], shape)
            picture = layer.transform_images(picture, transformation, training=True)
        inputs = {**inputs, self.entrance: picture} if isinstance(inputs, dict) else picture
        targets = {**targets, **moving} if several else moving[None]
        return keras.utils.pack_x_y_sample_weight(inputs, targets, weights)


def _along(layer: Any, transformation: Any, move: Move, target: Any, picture: Any) -> Any:
    """The target of a batch, moved as its pictures; `picture` is their shape, (b, h, w, c)."""
    if isinstance(move, Layout):
        return _moved_numbers(layer, transformation, move, target, picture)
    if move == "picture":
        return _as_picture(
            target, lambda pixels: layer.transform_images(pixels, transformation, training=True)
        )
    return _moved_classes(layer, transformation, move, target)


def _as_picture(target: Any, transformed: Callable[[Any], Any]) -> Any:
    """A target (b, h, w[, c]), transformed as (b, h, w, c) float32."""
    from keras import ops

    pixels = ops.cast(target, "float32")
    flat = len(target.shape) == 3
    pixels = transformed(pixels[..., None] if flat else pixels)
    return ops.cast(pixels[..., 0] if flat else pixels, target.dtype)


def _moved_classes(layer: Any, transformation: Any, move: Move, target: Any) -> Any:
    """Classes of pixels; where a constant fills what comes in from outside, it is class 0."""
    from keras import ops

    def transformed(classes: Any) -> Any:
        filled = getattr(layer, "fill_value", None)
        if filled is not None:
            layer.fill_value = 0.0
        try:
            return layer.transform_segmentation_masks(classes, transformation, training=True)
        finally:
            if filled is not None:
                layer.fill_value = filled

    if move == "classes":
        return _as_picture(target, transformed)
    moved = _as_picture(ops.argmax(target, axis=-1), transformed)
    return ops.cast(ops.one_hot(moved, target.shape[-1]), target.dtype)


def _moved_numbers(
    layer: Any, transformation: Any, layout: Layout, target: Any, picture: Any
) -> Any:
    """Points, or boxes around where their corners come to be, cut off at the picture's edges."""
    from keras import ops

    height, width = (ops.cast(size, "float32") for size in picture[1:3])
    forward = _forward(_matrix(layer, transformation, height, width))
    numbers = ops.reshape(ops.cast(target, "float32"), (picture[0], -1, len(layout.order)))
    values = dict(_with_letters(layout, numbers, height, width))
    if len(layout.order) == 2:
        moved = dict(zip("xy", forward(values["x"], values["y"]), strict=True))
    else:
        moved = _moved_boxes(forward, values, height, width)
    scales = {"x": width, "w": width, "y": height, "h": height}
    columns = [
        moved[letter] / scales[letter[0]] if layout.relative else moved[letter]
        for letter in _letters(layout)
    ]
    return ops.cast(ops.reshape(ops.stack(columns, axis=-1), ops.shape(target)), target.dtype)


def _letters(layout: Layout) -> list[str]:
    """The numbers of a point or box by name: a second corner is `x2` and `y2`."""
    seen: list[str] = []
    for letter in layout.order:
        seen.append(f"{letter}2" if letter in seen else letter)
    return seen if not layout.centered else [{"x": "xc", "y": "yc"}.get(s, s) for s in seen]


def _with_letters(
    layout: Layout, numbers: Any, height: Any, width: Any
) -> Iterator[tuple[str, Any]]:
    """The numbers (b, k) in pixels by name."""
    scales = {"x": width, "w": width, "y": height, "h": height}
    for index, letter in enumerate(_letters(layout)):
        yield letter, numbers[..., index] * (scales[letter[0]] if layout.relative else 1.0)


def _moved_boxes(
    forward: Callable[[Any, Any], tuple[Any, Any]], values: dict[str, Any], height: Any, width: Any
) -> dict[str, Any]:
    from keras import ops

    whole = {}
    for axis, size in (("x", "w"), ("y", "h")):
        if f"{axis}2" in values:
            whole[axis], whole[f"{axis}2"] = values[axis], values[f"{axis}2"]
        else:
            half = values[size] / 2
            first = values[axis] if axis in values else values[f"{axis}c"] - half
            whole[axis], whole[f"{axis}2"] = first, first + values[size]
    corners = [forward(whole[x], whole[y]) for x in ("x", "x2") for y in ("y", "y2")]
    # Boxes of no size fill up rows that have fewer than others.
    is_box = ops.logical_and(whole["x2"] > whole["x"], whole["y2"] > whole["y"])
    moved: dict[str, Any] = {}
    for number, (axis, size, most) in enumerate((("x", "w", width), ("y", "h", height))):
        places = ops.stack([corner[number] for corner in corners], axis=-1)
        for name, edge in ((axis, ops.min(places, -1)), (f"{axis}2", ops.max(places, -1))):
            moved[name] = ops.where(is_box, ops.clip(edge, 0.0, most), whole[name])
        moved[size] = moved[f"{axis}2"] - moved[axis]
        moved[f"{axis}c"] = (moved[axis] + moved[f"{axis}2"]) / 2
    return moved


def _forward(matrix: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Where a point of the old picture is in the new one, both measured from the picture's edge.

    The matrix, (b, 8), says which pixel of the old picture a pixel of the new one is; the middle
    of the first pixel is 0 there.
    """
    a0, a1, a2, b0, b1, b2 = (matrix[:, index, None] for index in range(6))
    determinant = a0 * b1 - a1 * b0

    def forward(x: Any, y: Any) -> tuple[Any, Any]:
        u, v = x - 0.5 - a2, y - 0.5 - b2
        return (b1 * u - a1 * v) / determinant + 0.5, (a0 * v - b0 * u) / determinant + 0.5

    return forward


def _matrix(layer: Any, transformation: Any, height: Any, width: Any) -> Any:
    """(b, 8): which pixel of the old picture a layer shows at a pixel of the new one, as Keras'
    `affine_transform` takes it."""
    from keras import ops

    kind = type(layer).__name__
    if kind == "RandomRotation":
        return transformation["rotation_matrix"]
    if kind == "RandomTranslation":
        return layer._get_translation_matrix(transformation["translations"])
    if kind == "RandomShear":
        return layer._get_shear_matrix(transformation["shear_factor"])
    if kind == "RandomZoom":
        zooms = [transformation["width_zoom"], transformation["height_zoom"]]
        zooms = ops.cast(ops.concatenate(zooms, axis=1), "float32")
        return layer._get_zoom_matrix(zooms, height, width)
    flips = ops.cast(ops.reshape(transformation["flips"], (-1,)), "float32")
    none = ops.zeros_like(flips)
    across = flips if "horizontal" in layer.mode else none
    down = flips if "vertical" in layer.mode else none
    rows = [1 - 2 * across, none, across * (width - 1), none, 1 - 2 * down, down * (height - 1)]
    return ops.stack([*rows, none, none], axis=1)
