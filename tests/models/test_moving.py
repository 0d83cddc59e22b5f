"""Targets that are places in a picture move as random layers move the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlrun.config.places import Layout, Move, UnplacedTargetError, move_of, stands_still
from dlrun.models.moving import MovedTargets

ROWS, HEIGHT, WIDTH = 12, 40, 60
RANDOM = np.random.default_rng(0)
POINTS = RANDOM.uniform((22, 15), (38, 25), (ROWS, 2)).astype("float32")
ACROSS, DOWN = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
SPOTS = np.exp(
    -((ACROSS - POINTS[:, 0, None, None]) ** 2 + (DOWN - POINTS[:, 1, None, None]) ** 2) / 5
)[..., None].astype("float32")
CLASSES = RANDOM.integers(0, 4, (ROWS, HEIGHT, WIDTH)).astype("int32")

LAYERS: dict[str, Callable[[], Any]] = {
    "flip": lambda: layers.RandomFlip("horizontal", seed=1),
    "both": lambda: layers.RandomFlip(seed=2),
    "rotation": lambda: layers.RandomRotation(0.1, fill_mode="constant", seed=3),
    "translation": lambda: layers.RandomTranslation(0.2, 0.2, fill_mode="constant", seed=4),
    "zoom": lambda: layers.RandomZoom((-0.3, 0.2), (-0.2, 0.3), fill_mode="constant", seed=5),
    "shear": lambda: layers.RandomShear(0.2, 0.1, fill_mode="constant", seed=6),
}


def moved(layer: Any, pictures: np.ndarray, move: Move, target: np.ndarray) -> list[np.ndarray]:
    """A batch of pictures and targets as a step of training gets them."""
    entrance = keras.Input(pictures.shape[1:])
    model = keras.Model(entrance, layer(entrance))
    targets = MovedTargets(model, [layer], "input", {None: move})
    targets.install()
    return [np.asarray(part) for part in targets._moved((pictures, ops.convert_to_tensor(target)))]


def centers(pictures: np.ndarray) -> np.ndarray:
    light = pictures[..., 0].clip(0)
    sums = [(light * place).sum((1, 2)) / light.sum((1, 2)) for place in (ACROSS, DOWN)]
    return np.stack(sums, axis=1)


@pytest.mark.parametrize("name", LAYERS)
def test_points_are_where_the_picture_shows_them(name: str) -> None:
    pictures, points = moved(LAYERS[name](), SPOTS, Layout.of("xy"), POINTS)
    assert np.abs(points - POINTS).max() > 1
    np.testing.assert_allclose(points, centers(pictures), atol=0.05)
    shares = POINTS[:, ::-1] / np.float32([HEIGHT, WIDTH])
    _, relative = moved(LAYERS[name](), SPOTS, Layout.of("rel_yx"), shares)
    np.testing.assert_allclose(relative[:, ::-1] * [WIDTH, HEIGHT], points, atol=1e-3)


@pytest.mark.parametrize("name", LAYERS)
def test_classes_of_pixels_move_as_the_pixels(name: str) -> None:
    # The pixels themselves, taken from the nearest place, show where each class comes from.
    layer = LAYERS[name]()
    if hasattr(layer, "interpolation"):
        layer.interpolation = "nearest"
    pictures, classes = moved(layer, CLASSES[..., None].astype("float32"), "classes", CLASSES)
    np.testing.assert_array_equal(classes, pictures[..., 0])
    assert classes.dtype == CLASSES.dtype
    one_hot = np.eye(4, dtype="float32")[CLASSES]
    _, found = moved(LAYERS[name](), SPOTS, "one_hot", one_hot)
    np.testing.assert_array_equal(found, np.eye(4)[classes])


def test_a_picture_as_target_stays_the_input() -> None:
    pictures, target = moved(LAYERS["rotation"](), SPOTS, "picture", SPOTS)
    np.testing.assert_array_equal(pictures, target)


def test_boxes_of_every_layout_hold_their_corners() -> None:
    boxes = np.concatenate(
        [POINTS - np.float32([3, 2]), POINTS + np.float32([4, 5])], axis=1
    ).astype("float32")
    x, y, x2, y2 = boxes.T
    size = np.float32([WIDTH, HEIGHT, WIDTH, HEIGHT])
    layouts = {
        "xyxy": boxes,
        "rel_xyxy": boxes / size,
        "yxyx": np.stack([y, x, y2, x2], 1),
        "xywh": np.stack([x, y, x2 - x, y2 - y], 1),
        "rel_xywh": np.stack([x, y, x2 - x, y2 - y], 1) / size,
        "center_xywh": np.stack([(x + x2) / 2, (y + y2) / 2, x2 - x, y2 - y], 1),
        "center_yxhw": np.stack([(y + y2) / 2, (x + x2) / 2, y2 - y, x2 - x], 1),
    }
    corners = [
        moved(LAYERS["rotation"](), SPOTS, Layout.of("xy"), np.stack(pair, 1))[1]
        for pair in ((x, y), (x, y2), (x2, y), (x2, y2))
    ]
    first, last = np.min(corners, axis=0), np.max(corners, axis=0)
    expected = np.concatenate([first, last], axis=1).clip(0, size)
    for name, values in layouts.items():
        _, found = moved(LAYERS["rotation"](), SPOTS, Layout.of(name), values)
        ex, ey, ex2, ey2 = expected.T
        wanted = {
            "xyxy": expected,
            "rel_xyxy": expected / size,
            "yxyx": np.stack([ey, ex, ey2, ex2], 1),
            "xywh": np.stack([ex, ey, ex2 - ex, ey2 - ey], 1),
            "rel_xywh": np.stack([ex, ey, ex2 - ex, ey2 - ey], 1) / size,
            "center_xywh": np.stack([(ex + ex2) / 2, (ey + ey2) / 2, ex2 - ex, ey2 - ey], 1),
            "center_yxhw": np.stack([(ey + ey2) / 2, (ex + ex2) / 2, ey2 - ey, ex2 - ex], 1),
        }[name]
        np.testing.assert_allclose(found, wanted, atol=1e-3, err_msg=name)
    flip = LAYERS["flip"]()
    flip.bounding_box_format = "xyxy"
    transformation = flip.get_random_transformation(SPOTS, training=True)
    given = {"boxes": ops.convert_to_tensor(boxes[:, None]), "labels": np.zeros((ROWS, 1))}
    kerass = flip.transform_bounding_boxes(given, transformation, training=True)["boxes"]
    _, found = moved(LAYERS["flip"](), SPOTS, Layout.of("xyxy"), boxes)
    np.testing.assert_allclose(found, np.asarray(kerass)[:, 0], atol=1e-4)


def test_boxes_of_no_size_stay() -> None:
    padded = np.zeros((ROWS, 3, 4), "float32")
    padded[:, 0] = [2, 3, 10, 12]
    _, found = moved(LAYERS["flip"](), SPOTS, Layout.of("xyxy"), padded)
    np.testing.assert_array_equal(found[:, 1:], 0)
    assert (found[:, 0] != padded[:, 0]).any()


@pytest.mark.parametrize(
    ("quantities", "shape", "place", "move"),
    [
        (False, (), None, None),
        (False, (40, 60), None, "classes"),
        (False, (40, 60, 1), None, "classes"),
        (False, (40, 60, 3), None, "one_hot"),
        (False, (40, 60), "none", None),
        (True, (), None, None),
        (True, (40, 60, 3), None, "picture"),
        (True, (2,), "none", None),
        (True, (5, 2), "xy", Layout(False, "xy", False)),
        (True, (8,), "rel_center_xywh", Layout(True, "xywh", True)),
    ],
)
def test_what_moves(quantities: bool, shape: Any, place: str | None, move: Move | None) -> None:
    assert move_of("y", quantities, shape, (40, 60, 3), place) == move


@pytest.mark.parametrize(
    ("quantities", "shape", "place", "message"),
    [
        (True, (2,), None, "the numbers of the target 'y' may be places in the picture"),
        (True, (5,), "xy", "has 5 numbers a row, which are no `xy`: that takes 2 for each point"),
        (True, (6,), "xywh", "takes 4 for each box"),
        (False, (20, 30), None, r"is \(20, 30\) and the picture \(40, 60\)"),
    ],
)
def test_what_cannot_move(quantities: bool, shape: Any, place: str | None, message: str) -> None:
    with pytest.raises(UnplacedTargetError, match=message):
        move_of("y", quantities, shape, (40, 60, 3), place)


def test_layers_that_keras_cannot_apply_to_both() -> None:
    assert stands_still(["RandomFlip", "RandomElasticTransform"], "classes") is not None
    assert stands_still(["RandomFlip", "RandomPerspective"], "classes") is None
    assert stands_still(["RandomPerspective"], Layout.of("xy")) == "RandomPerspective"
    assert stands_still(["RandomBrightness", "RandomZoom"], Layout.of("xy")) is None
