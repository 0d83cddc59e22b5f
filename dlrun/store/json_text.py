"""Facts as JSON that any reader accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import PurePath
from typing import Any


def to_json(value: Any, *, exact: bool = False) -> str:
    """Return facts as JSON: indented by 2, order kept, one newline at the end.

    NumPy scalars and arrays become numbers and lists, paths text, dates ISO 8601. JSON has no
    NaN and no infinity: both become `null`.

    Args:
        value: Plain data, of any depth.
        exact: Refuse what would not come back as it went in: NaN, infinity, arrays, and keys
            that are not text. (A tuple comes back as a list.)

    Raises:
        TypeError: A value has no form in JSON.
        ValueError: Two keys of one mapping have the same text, or `exact` refused something.
    """
    text = json.dumps(_plain(value, exact), indent=2, ensure_ascii=False, allow_nan=False)
    # A file name that is not UTF-8 holds lone surrogates; escaped, they are valid JSON too.
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8") + "\n"


def _plain(value: Any, exact: bool) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if exact and not math.isfinite(value):
            raise ValueError(f"JSON has no {float(value)}; keep it in an array")
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _mapping(value, exact)
    if isinstance(value, (list, tuple)):
        return [_plain(item, exact) for item in value]
    if isinstance(value, frozenset):
        return [_plain(item, exact) for item in sorted(value)]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "tolist"):
        plain = value.tolist()
        if exact and isinstance(plain, list):
            raise ValueError("JSON has no arrays; keep it in an npz file")
        if type(plain) is not type(value):
            return _plain(plain, exact)
    raise TypeError(f"cannot write a {type(value).__name__} as JSON: {value!r}")


def _mapping(value: Mapping[Any, Any], exact: bool) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in value.items():
        if exact and not isinstance(key, str):
            raise ValueError(f"a key in JSON is text, not {key!r}")
        if str(key) in plain:
            raise ValueError(f"two keys read '{key}'")
        plain[str(key)] = _plain(item, exact)
    return plain
