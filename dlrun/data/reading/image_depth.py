"""Pixels of more than eight bits.

Legend: h height, w width, c channels.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from dlrun.errors import DlrunError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

Array = np.ndarray
Color = Literal["rgb", "grayscale", "rgba"]
Depth = Literal["uint8", "uint16", "int32", "uint32", "float32"]

OPAQUE: dict[Depth, float] = {
    "uint8": 255,
    "uint16": 65535,
    "int32": 2**31 - 1,
    "uint32": 2**32 - 1,
    "float32": 1.0,
}
"""Opacity of a pixel that hides all behind it."""

_LUMA = (19595, 38470, 7471)
"""Shares of red, green and blue in brightness, of 65,536, as Pillow's (ITU-R 601)."""

_SAMPLE_FORMAT, _UNSIGNED = 339, 1
"""TIFF tag: how numbers are written."""


class ImageError(DlrunError):
    """A file is not a picture, or is broken; the text says why, without naming the file."""


def depth_of(image: ImageFile) -> Depth:
    """Return the type that holds the pixels of an opened picture without loss."""
    if image.mode == "F":
        return "float32"
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return "uint16"
    if image.mode == "I":
        unsigned = getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED
        return "uint32" if unsigned else "int32"
    layouts = _layouts(image)
    if image.format == "PPM":
        # The largest number that a channel may hold.
        return "uint16" if any(layout[-1] > 255 for layout in layouts if layout[1:]) else "uint8"
    return "uint16" if any(";16" in str(layout[:1]) for layout in layouts) else "uint8"


def _layouts(image: ImageFile) -> list[tuple[Any, ...]]:
    """How each part of the file holds pixels, in Pillow's terms, such as `RGB;16B`."""
    return [
        (tile.args,) if isinstance(tile.args, str) else tuple(tile.args or ())
        for tile in image.tile
    ]


def deep_colors(image: ImageFile) -> Array:
    """Return the (h, w, c) uint16 pixels of a picture with 16-bit colour channels.

    Pillow keeps only the upper byte, so the file is decoded twice, the second time with its bytes
    swapped to get the lower one.

    Raises:
        ImageError: The file stores its channels in a layout that cannot be read twice.
    """
    known, modes = {f"{image.mode};16{order}" for order in "BLN"}, {m for m, *_ in _layouts(image)}
    if not modes <= known or image.mode not in ("RGB", "RGBA"):
        layouts = " and ".join(sorted(modes))
        raise ImageError(
            f"has 16 bits per channel, of which Pillow can read only 8 in this layout ({layouts}); "
            "save it as RGB, RGBA or grey without alpha, or write `depth: uint8` for the upper 8"
        )
    from PIL import Image

    with Image.open(image.filename) as again:
        again.tile = [_byte_swapped(tile) for tile in again.tile]
        lower = np.asarray(again)
    return np.asarray(image).astype(np.uint16) << 8 | lower


def _byte_swapped(tile: Any) -> Any:
    swapped = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    mode, *rest = [tile.args] if isinstance(tile.args, str) else tile.args
    mode = mode[:-1] + swapped[mode[-1]]
    return tile._replace(args=mode if isinstance(tile.args, str) else (mode, *rest))


def in_color(pixels: Array, color: Color) -> Array:
    """Return (h, w, 1, 3 or 4) pixels of any depth with the channels of a colour."""
    depth = pixels.dtype
    if pixels.shape[2] == 1 and color != "grayscale":
        pixels = np.repeat(pixels, 3, axis=2)
    if color == "grayscale":
        if pixels.shape[2] == 1:
            return pixels
        grey = pixels[:, :, :3].astype(np.int64) @ np.array(_LUMA)
        return ((grey + 0x8000) >> 16).astype(depth)[:, :, np.newaxis]
    if color == "rgb":
        return pixels[:, :, :3]
    if pixels.shape[2] == 4:
        return pixels
    opaque = np.full_like(pixels[:, :, :1], OPAQUE[cast("Depth", depth.name)])
    return np.concatenate([pixels, opaque], axis=2)
