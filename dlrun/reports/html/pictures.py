"""Arrays as small pictures within the page."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SIDE = 112
"""Pixels of the longer side of a picture; smaller ones are enlarged by whole factors."""

CHANNELS = (1, 3, 4)

PIXEL_NAME = re.compile(r"(?:pixel|px|p)_?(\d+)(?:[_x](\d+))?")


def is_picture(array: np.ndarray) -> bool:
    """Whether (rows, ...) can be drawn: (rows, h, w) or (rows, h, w, c)."""
    if array.dtype.kind not in "buif" or array.size == 0:
        return False
    if array.ndim == 4:
        return array.shape[3] in CHANNELS
    return array.ndim == 3 and min(array.shape[1:]) >= 4


def picture_of_columns(columns: Mapping[str, Sequence[Any]]) -> np.ndarray | None:
    """Return (rows, h, w) where columns are pixels by name: `pixel_0_0`, `pixel_0_1`, ...

    Also `pixel0` to `pixel783`, whose picture is square. None for any other columns.
    """
    found = [PIXEL_NAME.fullmatch(name) for name in columns]
    if len(columns) < 16 or not all(found):
        return None
    places = [(int(match[1]), int(match[2] or 0)) for match in found if match is not None]
    side = math.isqrt(len(places))
    shape = (len({row for row, _ in places}), len({column for _, column in places}))
    if shape == (len(places), 1):
        shape = (side, side)
    if shape[0] * shape[1] != len(columns):
        return None
    in_order = [column for _, column in sorted(zip(places, columns, strict=True))]
    values = np.array([_numbers(columns[name]) for name in in_order], np.float64)
    return values.T.reshape(-1, *shape)


def data_uris(array: np.ndarray) -> list[str]:
    """Return a PNG as a `data:` address for each entry of (rows, h, w) or (rows, h, w, c).

    Bytes are taken as they are; all other numbers are spread over black to white, the least
    and the greatest of all rows together.
    """
    return [_data_uri(picture) for picture in _as_bytes(array)]


def _as_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    values = np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if array.dtype.kind in "ui" and low >= 0 and high > 128:
        low, high = 0.0, max(255.0, high)
    return np.round((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _data_uri(picture: np.ndarray) -> str:
    from PIL import Image

    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(picture))
    longer = max(image.size)
    if longer > SIDE:
        factor = SIDE / longer
        width, height = (max(1, round(side * factor)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _numbers(column: Sequence[Any]) -> list[float]:
    return [float(value) if isinstance(value, (int, float)) else math.nan for value in column]
