"""One picture from a file: its pixels as `keras.utils.image_dataset_from_directory` gives them.

Pillow decodes, whatever the backend, so that all backends see the same pixels. Of a JPEG they are
those of TensorFlow's `decode_jpeg(dct_method="INTEGER_ACCURATE")`; Keras' loader decodes with the
faster and less exact method, which is off by about 1 of 255, at most by about 8. Pixels are rounded
to whole numbers, which Keras does not do after resizing.

Legend: h height, w width, c channels.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from dlrun.errors import DlrunError

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray
Color = Literal["rgb", "grayscale", "rgba"]
Resize = Literal["stretch", "crop", "pad"]

CHANNELS: dict[Color, int] = {"grayscale": 1, "rgb": 3, "rgba": 4}
_MODES: dict[Color, str] = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_ORIENTATION = 0x0112
"""EXIF tag; 1 is upright."""

IMAGE_ENDINGS = (
    *(".avif", ".bmp", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
"""Endings of files that are taken for pictures, in lower case."""


class ImageError(DlrunError):
    """A file is not a picture, or is broken; the text says why, without naming the file."""


@dataclass(frozen=True)
class ImageFormat:
    """What pictures are brought into.

    Args:
        size: Height and width in pixels.
        color: Channels: red, green and blue; grey; or red, green, blue and opacity.
        resize: How another size becomes this one.
    """

    size: tuple[int, int]
    color: Color
    resize: Resize

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, w, c) of every picture."""
        return (*self.size, CHANNELS[self.color])


@dataclass(frozen=True)
class DecodedImage:
    """What was read.

    Args:
        pixels: (h, w, c) uint8.
        turned: Whether its EXIF orientation is turned or mirrored.
    """

    pixels: Array
    turned: bool


def size_of(file: Path) -> tuple[int, int]:
    """Return height and width, from the first bytes of a file.

    Raises:
        ImageError: It is not a picture.
    """
    with _opened(file) as image:
        return image.height, image.width


def are_grayscale(files: Sequence[Path]) -> bool:
    """Whether none of the pictures that can be read has colours, as their first bytes say."""
    modes = set()
    for file in files:
        with suppress(ImageError), _opened(file) as image:
            modes.add(image.mode)
    return bool(modes) and all(mode in ("1", "L", "LA") or mode[:2] == "I;" for mode in modes)


def read_image(file: Path, form: ImageFormat) -> DecodedImage:
    """Return the pixels of a picture; of a film the first.

    EXIF orientation is ignored, and without an alpha channel only the colours of transparent
    pixels are kept: both as Keras' loader does.

    Raises:
        ImageError: It is not a picture, or is broken.
    """
    with _opened(file) as image:
        turned = _is_turned(image)
        pixels = _pixels(image, form.color)
    return DecodedImage(resized(pixels, form), turned)


def resized(pixels: Array, form: ImageFormat) -> Array:
    """Return (h, w, c) uint8 pixels in another size: bilinear, without smoothing, as
    `tf.image.resize` does.

    `crop` cuts out the largest middle part of the new aspect ratio first, as
    `keras.utils.image_utils.smart_resize`; `pad` leaves the picture whole between black bars, as
    `tf.image.resize_with_pad`.
    """
    height, width = form.size
    if pixels.shape[:2] == form.size:
        return pixels
    if form.resize == "crop":
        return _stretched(_middle(pixels, form.size), height, width)
    if form.resize == "pad":
        return _padded(pixels, height, width)
    return _stretched(pixels, height, width)


class _PillowWarnings:
    """Keeps Pillow from warning of oddities that it copes with, such as damaged EXIF, while any
    thread reads pictures.

    `warnings.catch_warnings` would not do: one thread puts back the filters that another needs.
    """

    _FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """While at least one reader is inside, there are no warnings of Pillow."""
        with self._lock:
            self._readers += 1
            if self._FILTER not in warnings.filters:
                self._filters().insert(0, self._FILTER)
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if not self._readers and self._FILTER in warnings.filters:
                    self._filters().remove(self._FILTER)

    @staticmethod
    def _filters() -> list[Any]:
        """The list that Python looks through; whoever catches warnings puts another in place."""
        return cast("list[Any]", warnings.filters)


_WARNINGS = _PillowWarnings()


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """The picture in a file; whatever goes wrong inside is a `ImageError`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _WARNINGS.silenced(), Image.open(file) as image:
            yield image
    except UnidentifiedImageError as error:
        found = "is empty" if file.stat().st_size == 0 else "is not an image that Pillow can read"
        raise ImageError(found) from error
    except FileNotFoundError as error:
        raise ImageError("is not there") from error
    except Image.DecompressionBombError as error:
        raise ImageError("has more pixels than Pillow agrees to read") from error
    except ImageError:
        raise
    except Exception as error:
        # Damaged files make Pillow's decoders fail in any way: struct, zlib, index errors, ...
        raise ImageError(f"cannot be decoded: {error or type(error).__name__}") from error


def _pixels(image: Image.Image, color: Color) -> Array:
    """(h, w, c) uint8."""
    if image.mode.startswith("I;16"):
        # As TensorFlow: the upper eight bits. Pillow cuts off what is above 255.
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        if color == "grayscale":
            return grey[:, :, np.newaxis]
        opaque = [np.full_like(grey, 255)] if color == "rgba" else []
        return np.stack([grey, grey, grey, *opaque], axis=-1)
    if image.mode in ("I", "F"):
        raise ImageError(f"holds numbers of 32 bits (mode {image.mode}) rather than 0 to 255")
    if color == "grayscale" and image.format == "JPEG":
        # The brightness as the file holds it.
        image.draft("L", None)
    if image.mode in ("P", "PA") and "transparency" in image.info:
        image = image.convert("RGBA")
    mode = _MODES[color]
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def _is_turned(image: Image.Image) -> bool:
    if "exif" not in image.info:
        return False
    try:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    except Exception:
        # Damaged EXIF is ignored; the picture may be intact.
        return False


def _middle(pixels: Array, size: tuple[int, int]) -> Array:
    height, width = pixels.shape[:2]
    of_height = max(1, min(height, int(np.float32(width * size[0]) / np.float32(size[1]))))
    of_width = max(1, min(width, int(np.float32(height * size[1]) / np.float32(size[0]))))
    top, left = (height - of_height) // 2, (width - of_width) // 2
    return pixels[top : top + of_height, left : left + of_width]


def _padded(pixels: Array, height: int, width: int) -> Array:
    old = np.float32(pixels.shape[0]), np.float32(pixels.shape[1])
    new = np.float32(height), np.float32(width)
    ratio = max(old[1] / new[1], old[0] / new[0])
    inner = old[0] / ratio, old[1] / ratio
    part = _stretched(pixels, max(1, int(inner[0])), max(1, int(inner[1])))
    top, left = (max(0, int((whole - one) / 2)) for whole, one in zip(new, inner, strict=True))
    result = np.zeros((height, width, pixels.shape[2]), np.uint8)
    result[top : top + part.shape[0], left : left + part.shape[1]] = part
    return result


def _stretched(pixels: Array, height: int, width: int) -> Array:
    """Interpolate between the four pixels around the middle of each new one, in float32 and in
    TensorFlow's order of operations."""
    left, right, across = _neighbours(pixels.shape[1], width)
    upper, lower, down = _neighbours(pixels.shape[0], height)
    if pixels.shape[0] > 2 * height:
        # Only rows that are needed.
        rows = np.concatenate([upper, lower])
        pixels, upper, lower = pixels[rows], np.arange(height), np.arange(height, 2 * height)
    across = across[np.newaxis, :, np.newaxis]
    row = pixels.take(left, axis=1).astype(np.float32)
    row += (pixels.take(right, axis=1).astype(np.float32) - row) * across
    result, below = row.take(upper, axis=0), row.take(lower, axis=0)
    below -= result
    below *= down[:, np.newaxis, np.newaxis]
    result += below
    return np.rint(result, out=result).astype(np.uint8)


def _neighbours(old: int, new: int) -> tuple[Any, Any, Array]:
    """For each new position the old ones before and after it, and how far it lies between."""
    scale = np.float32(old) / np.float32(new)
    place = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    before = np.floor(place)
    first = before.astype(np.int64)
    return np.clip(first, 0, old - 1), np.clip(first + 1, 0, old - 1), place - before
