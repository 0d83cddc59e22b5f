"""One picture from a file: its pixels as `keras.utils.load_img` gives them, in the depth of the
file, resized as `keras.utils.image_dataset_from_directory` does.

Pillow decodes, whatever the backend, so that all backends see the same pixels. Of a JPEG they are
those of TensorFlow's `decode_jpeg(dct_method="INTEGER_ACCURATE")`; the loader of directories uses
the faster and less exact method, which is off by about 1 of 255, at most by about 8. Whole numbers
are rounded, which Keras does not do after resizing.

Legend: h height, w width, c channels.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from dlrun.config.limits import how_to_raise, limit
from dlrun.data.reading.image_depth import Color, Depth, ImageError, deep_colors, depth_of, in_color

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

Array = np.ndarray
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

MAYBE_DEEP = frozenset({".jp2", ".pgm", ".png", ".ppm", ".tif", ".tiff"})
"""Those of files whose pixels may have more than eight bits."""


@dataclass(frozen=True)
class ImageFormat:
    """What pictures are brought into.

    Args:
        size: Height and width in pixels.
        color: Channels: red, green and blue; grey; or red, green, blue and opacity.
        resize: How another size becomes this one.
        depth: Type of the pixels.
    """

    size: tuple[int, int]
    color: Color
    resize: Resize
    depth: Depth = "uint8"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, w, c) of every picture."""
        return (*self.size, CHANNELS[self.color])


@dataclass(frozen=True)
class DecodedImage:
    """What was read.

    Args:
        pixels: (h, w, c).
        turned: Whether its EXIF orientation is turned or mirrored.
    """

    pixels: Array
    turned: bool


@dataclass(frozen=True)
class ImageHeader:
    """What the first bytes of a picture say.

    Args:
        file: The file.
        size: Height and width.
        depth: Type that holds its pixels without loss.
    """

    file: Path
    size: tuple[int, int]
    depth: Depth


def header_of(file: Path) -> ImageHeader:
    """Return what the first bytes of a file say.

    Raises:
        ImageError: It is not a picture.
    """
    with _opened(file) as image:
        return ImageHeader(file, (image.height, image.width), depth_of(image))


def are_grayscale(files: Sequence[Path]) -> bool:
    """Whether none of the pictures that can be read has colours, as their first bytes say."""
    modes = set()
    for file in files:
        with suppress(ImageError), _opened(file) as image:
            modes.add(image.mode)
    return bool(modes) and all(mode in ("1", "L", "LA") or mode[0] in "IF" for mode in modes)


def read_image(file: Path, form: ImageFormat) -> DecodedImage:
    """Return the pixels of a picture; of a film the first.

    EXIF orientation and gamma are ignored, and without an alpha channel only the colours of
    transparent pixels are kept: as Keras' `load_img` does. Of 16 bits, `uint8` keeps the upper
    eight.

    Raises:
        ImageError: It is not a picture, is broken, or has another depth.
    """
    with _opened(file) as image:
        # The depth is known only before pixels are decoded, which EXIF may do.
        pixels = _pixels(image, form.color, form.depth)
        turned = _is_turned(image)
    return DecodedImage(resized(pixels, form), turned)


def read_mask(file: Path, form: ImageFormat) -> Array:
    """Return the class of each pixel of a mask, (h, w): the grey value or, where there is a
    palette, the index in it. Another size is made by taking the nearest pixels.

    Raises:
        ImageError: It is not a picture, is broken, or has colours.
    """
    with _opened(file) as image:
        depth = depth_of(image)
        if depth == "float32":
            raise ImageError("holds fractions, where a mask holds the class of each pixel")
        if image.mode in ("1", "P"):
            classes = np.asarray(image).astype(np.uint8)[:, :, np.newaxis]
        elif image.mode in ("RGB", "RGBA", "CMYK", "YCbCr"):
            channels = _pixels(image, "rgb", depth)
            if not (channels == channels[:, :, :1]).all():
                raise ImageError(
                    "is in colour; a mask holds the class of each pixel as a grey value or as the "
                    "index in a palette"
                )
            classes = channels[:, :, :1]
        else:
            classes = _pixels(image, "grayscale", depth)
    return resized(classes, form, nearest=True)[:, :, 0]


def resized(pixels: Array, form: ImageFormat, *, nearest: bool = False) -> Array:
    """Return (h, w, c) pixels in another size: bilinear, without smoothing, as `tf.image.resize`
    does, or each the nearest pixel's.

    `crop` cuts out the largest middle part of the new aspect ratio first, as
    `keras.utils.image_utils.smart_resize`; `pad` leaves the picture whole between black bars, as
    `tf.image.resize_with_pad`.
    """
    height, width = form.size
    if pixels.shape[:2] == form.size:
        return pixels
    stretched = _nearest if nearest else _stretched
    if form.resize == "crop":
        return stretched(_middle(pixels, form.size), height, width)
    if form.resize == "pad":
        return _padded(pixels, height, width, stretched)
    return stretched(pixels, height, width)


class _PillowSettings:
    """Sets Pillow's own limit of pixels, and keeps it from warning of oddities that it copes with,
    such as damaged EXIF, while any thread reads pictures. Both are those of the whole process.

    `warnings.catch_warnings` would not do: one thread puts back the filters that another needs.
    """

    _FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._limit_before: int | None = None

    @contextmanager
    def reading(self, most_pixels: int) -> Iterator[None]:
        """While at least one reader is inside, there are no warnings of Pillow, and its limit is
        this one; after the last one it is what it was before the first."""
        from PIL import Image

        with self._lock:
            if not self._readers:
                self._limit_before = Image.MAX_IMAGE_PIXELS
            self._readers += 1
            Image.MAX_IMAGE_PIXELS = most_pixels
            if self._FILTER not in warnings.filters:
                self._filters().insert(0, self._FILTER)
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if not self._readers:
                    Image.MAX_IMAGE_PIXELS = self._limit_before
                    if self._FILTER in warnings.filters:
                        self._filters().remove(self._FILTER)

    @staticmethod
    def _filters() -> list[Any]:
        """The list that Python looks through; whoever catches warnings puts another in place."""
        return cast("list[Any]", warnings.filters)


_SETTINGS = _PillowSettings()


@contextmanager
def _opened(file: Path) -> Iterator[ImageFile]:
    """The picture in a file; whatever goes wrong inside is a `ImageError`."""
    from PIL import Image, UnidentifiedImageError

    most = limit("picture_pixels")
    try:
        # Above its own limit Pillow refuses nothing, only from twice as many pixels on.
        with _SETTINGS.reading(most), Image.open(file) as image:
            if image.width * image.height > most:
                raise ImageError(_too_large(f"has {image.width * image.height:,} pixels"))
            yield image
    except UnidentifiedImageError as error:
        found = "is empty" if file.stat().st_size == 0 else "is not an image that Pillow can read"
        raise ImageError(found) from error
    except FileNotFoundError as error:
        raise ImageError("is not there") from error
    except Image.DecompressionBombError as error:
        raise ImageError(_too_large(f"has more than {2 * most:,} pixels")) from error
    except ImageError:
        raise
    except Exception as error:
        # Damaged files make Pillow's decoders fail in any way: struct, zlib, index errors, ...
        raise ImageError(f"cannot be decoded: {error or type(error).__name__}") from error


def _too_large(found: str) -> str:
    most = limit("picture_pixels")
    return f"{found}, and at most {most:,} are read; {how_to_raise('picture_pixels', 2 * most)}"


def _pixels(image: ImageFile, color: Color, depth: Depth) -> Array:
    """(h, w, c) in this depth."""
    own = depth_of(image)
    if own != depth and (own, depth) != ("uint16", "uint8"):
        raise ImageError(f"has pixels of type {own}, where {depth} is expected")
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image)
        # As TensorFlow: the upper eight bits. Pillow cuts off what is above 255.
        grey = grey >> 8 if own != depth else grey
        return in_color(grey.astype(depth)[:, :, np.newaxis], color)
    if depth == "uint16":
        return in_color(deep_colors(image), color)
    if color == "grayscale" and image.format == "JPEG":
        # The brightness as the file holds it.
        image.draft("L", None)
    see_through = image.mode in ("P", "PA") and "transparency" in image.info
    shown = image.convert("RGBA") if see_through else image
    mode = _MODES[color]
    pixels = np.asarray(shown if shown.mode == mode else shown.convert(mode))
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def _is_turned(image: ImageFile) -> bool:
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


def _padded(
    pixels: Array, height: int, width: int, stretched: Callable[[Array, int, int], Array]
) -> Array:
    old = np.float32(pixels.shape[0]), np.float32(pixels.shape[1])
    new = np.float32(height), np.float32(width)
    ratio = max(old[1] / new[1], old[0] / new[0])
    inner = old[0] / ratio, old[1] / ratio
    part = stretched(pixels, max(1, int(inner[0])), max(1, int(inner[1])))
    top, left = (max(0, int((whole - one) / 2)) for whole, one in zip(new, inner, strict=True))
    result = np.zeros((height, width, pixels.shape[2]), pixels.dtype)
    result[top : top + part.shape[0], left : left + part.shape[1]] = part
    return result


def _stretched(pixels: Array, height: int, width: int) -> Array:
    """Interpolate between the four pixels around the middle of each new one, in float32 (whole
    numbers of 32 bits: in float64) and in TensorFlow's order of operations."""
    depth = pixels.dtype
    is_whole = depth.kind != "f"
    precise = np.float64 if is_whole and depth.itemsize > 2 else np.float32
    left, right, across = _neighbours(pixels.shape[1], width)
    upper, lower, down = _neighbours(pixels.shape[0], height)
    if pixels.shape[0] > 2 * height:
        # Only rows that are needed.
        rows = np.concatenate([upper, lower])
        pixels, upper, lower = pixels[rows], np.arange(height), np.arange(height, 2 * height)
    across = across[np.newaxis, :, np.newaxis]
    row = pixels.take(left, axis=1).astype(precise)
    row += (pixels.take(right, axis=1).astype(precise) - row) * across
    result, below = row.take(upper, axis=0), row.take(lower, axis=0)
    below -= result
    below *= down[:, np.newaxis, np.newaxis]
    result += below
    return (np.rint(result, out=result) if is_whole else result).astype(depth)


def _nearest(pixels: Array, height: int, width: int) -> Array:
    """Resize to the nearest pixels, with the pixel centres that TensorFlow uses."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * (old / new)).astype(np.int64), old - 1)
        for old, new in zip(pixels.shape[:2], (height, width), strict=True)
    )
    return pixels[rows][:, columns]


def _neighbours(old: int, new: int) -> tuple[Any, Any, Array]:
    """For each new position the old ones before and after it, and how far it lies between."""
    scale = np.float32(old) / np.float32(new)
    place = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    before = np.floor(place)
    first = before.astype(np.int64)
    return np.clip(first, 0, old - 1), np.clip(first + 1, 0, old - 1), place - before
