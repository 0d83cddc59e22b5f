"""Targets that are places in a picture, which move where `augment` moves the picture.

Legend: n rows, h height, w width, k points or boxes, c classes or channels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from dlrun.errors import DlrunError

Place = Literal[
    "none",
    "xy",
    "yx",
    "rel_xy",
    "rel_yx",
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
]
"""Layouts of points and, by Keras' names, of boxes."""

Places = Place | Mapping[str, Place] | None

MOVING = frozenset(
    {
        "AugMix",
        "RandAugment",
        "RandomElasticTransform",
        "RandomFlip",
        "RandomPerspective",
        "RandomRotation",
        "RandomShear",
        "RandomTranslation",
        "RandomZoom",
    }
)
"""Layers that move what a picture shows."""

LINEAR = frozenset(
    {"RandomFlip", "RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom"}
)
"""Those that move points by a matrix."""

WITH_MASKS = LINEAR | {"RandomPerspective"}
"""Those of which Keras moves two pictures alike."""


class UnplacedTargetError(DlrunError):
    """A target cannot move along with its picture, or it is unknown whether it has to."""


@dataclass(frozen=True)
class Layout:
    """How numbers say where points or boxes are.

    Args:
        relative: Whether they are shares of the picture's height and width rather than pixels.
        order: A letter for each number of a point or box, such as `xyxy` or `xywh`.
        centered: Whether a box begins with its centre rather than with its first corner.
    """

    relative: bool
    order: str
    centered: bool

    @classmethod
    def of(cls, place: str) -> Layout:
        """The layout of a name of `Place`, but for `none`."""
        name = place.removeprefix("rel_")
        return cls(name != place, name.removeprefix("center_"), name.startswith("center_"))


Move = Literal["classes", "one_hot", "picture"] | Layout
"""How a target moves: (n, h, w[, 1]) as classes, which take the nearest pixel, (n, h, w, c) as
one-hot classes or as a picture, numbers by their layout."""


def move_of(
    target: str,
    quantities: bool,
    shape: tuple[int, ...],
    picture: tuple[int | None, ...],
    place: str | None,
) -> Move | None:
    """Return how a target moves with its picture; None where it stays.

    Args:
        target: Its name.
        quantities: Whether it holds quantities, and no classes.
        shape: Of the target of one row.
        picture: (h, w, c) of the picture.
        place: What the config says that its numbers are.

    Raises:
        UnplacedTargetError: It is unknown, or the numbers do not fit.
    """
    if place == "none":
        return None
    if place is not None:
        layout, count = Layout.of(place), len(Layout.of(place).order)
        numbers = 1
        for size in shape:
            numbers *= size
        if numbers % count or len(shape) > 2:
            raise UnplacedTargetError(
                f"the target '{target}' has {numbers} numbers a row, which are no `{place}`: that "
                f"takes {count} for each {'point' if count == 2 else 'box'}"
            )
        return layout
    if len(shape) >= 2 and shape[:2] == picture[:2]:
        if quantities:
            return "picture"
        return "one_hot" if len(shape) == 3 and shape[2] > 1 else "classes"
    if len(shape) >= 2 and not quantities:
        raise UnplacedTargetError(
            f"the target '{target}' is {shape} and the picture {picture[:2]}: it is unknown how it "
            "moves with the picture"
        )
    if quantities and shape not in ((), (1,)):
        raise UnplacedTargetError(
            f"the numbers of the target '{target}' may be places in the picture"
        )
    return None


def place_of(places: Places, target: str) -> str | None:
    """Return what the config says that the numbers of a target are; None: nothing."""
    return places if isinstance(places, str) or places is None else places.get(target)


def stands_still(layers: Collection[str], move: Move) -> str | None:
    """Return a layer that moves a picture and not such a target; None where there is none."""
    known = LINEAR if isinstance(move, Layout) else WITH_MASKS
    return next((name for name in layers if name in MOVING - known), None)
