"""What a step learnt as plain JSON data and named arrays, and back again, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlrun.data.samples import Array

_MARK = "array"


def to_plain(value: Any, arrays: dict[str, Array]) -> Any:
    """Return a state without its arrays: each is put into `arrays`, and its name in its place.

    Args:
        value: Text, numbers, booleans, None, lists, mappings with text as keys, and arrays.
        arrays: Gets the arrays, by names that are new in it.

    Raises:
        TypeError: A value is none of these.
    """
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            raise TypeError("an object array has no plain form")
        name = f"{_MARK}_{len(arrays)}"
        arrays[name] = value
        return {_MARK: name}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"the keys of a state are text, not {list(value)}")
        # A mapping of the state that looks like a reference would come back as an array.
        plain = {str(key): to_plain(item, arrays) for key, item in value.items()}
        return {_MARK: None, "value": plain} if _MARK in plain else plain
    if isinstance(value, list):
        return [to_plain(item, arrays) for item in value]
    if isinstance(value, str):
        return str(value)
    # NumPy's numbers are not taken: read back as Python's, they would compute otherwise.
    if value is None or type(value) in (bool, int, float):
        return value
    raise TypeError(f"a {type(value).__name__} has no plain form: {value!r}")


def from_plain(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Return what `to_plain` was given.

    Raises:
        KeyError: An array is missing.
    """
    if isinstance(value, dict):
        if _MARK in value:
            if value[_MARK] is None:
                return {key: from_plain(item, arrays) for key, item in value["value"].items()}
            return np.asarray(arrays[value[_MARK]])
        return {key: from_plain(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [from_plain(item, arrays) for item in value]
    return value
