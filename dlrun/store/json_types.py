"""Types of what the JSON files of a run hold: another one is damage, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import EllipsisType
from typing import Any

from dlrun.errors import RunError
from dlrun.text import display_path

Types = Mapping[str | EllipsisType, Any]
"""A type, or types, by key; a mapping for an object, a list of one type for a list. `...` is every
key."""


NUMBER = (int, float, type(None))

RESULT: Types = {
    "protocol": str,
    "task": str,
    "score": {"name": str, "direction": str, "value": NUMBER, "folds": list},
    "baseline": dict,
    "simple_model": dict,
    "verdict": dict,
    "clean_rows": dict,
    "measures": {...: dict},
    "best_epoch": int,
    "epochs": int,
    "seconds": NUMBER,
    "parameters": int,
    "folds": [dict],
    "mean_history": {...: dict},
    "kept_weights": dict,
    "findings": list,
    "diagnosis": [dict],
    "suggestions": [dict],
    "next": str,
}
"""Types of what `result.json` holds; each may be null."""


RUN: Types = {
    "status": object,
    "name": str,
    "seed": int,
    "engine": dict,
    "config": dict,
    "packages": dict,
    "plugins": [dict],
    "devices": list,
    "process": dict,
    "git": dict,
    "parent": str,
    "result": dict,
    "ensemble": int,
    "members": [dict],
    "forced": list,
    "started": str,
    "seconds": NUMBER,
}
"""Types of what `run.json` holds; each may be null."""

DATA_TYPES: Types = {
    "description": str,
    "task": str,
    "rows": int,
    "fingerprint": str,
    "classes": {...: list},
    "features": {...: dict},
    "targets": {...: dict},
    "splits": {...: dict},
    "questions": {...: dict},
    "test": dict,
    "findings": list,
}
"""Types of what `data.json` holds; each may be null."""

EVALUATION: Types = {
    "time": str,
    "rows": int,
    "fingerprint": str,
    "score": {"name": str, "value": NUMBER},
    "look": int,
    "ledger": str,
}
"""Types of what a test evaluation holds; each may be null."""


def expect_types(facts: dict[str, Any], path: Path, types: Types) -> dict[str, Any]:
    """Return the facts of a JSON file if each is of its type, or null, or missing.

    Args:
        facts: What the file holds.
        path: Its name in errors.
        types: By key.

    Raises:
        RunError: One is of another type; names it.
    """
    if (wrong := _wrong_key(facts, types)) is not None:
        raise RunError(f"{display_path(path)} is damaged: '{wrong}' is of an unexpected type")
    return facts


def _wrong_key(facts: Mapping[str, Any], types: Types) -> str | None:
    every = types.get(...)
    for key, value in facts.items():
        expected = types.get(key, every)
        if value is None or expected is None:
            continue
        if isinstance(expected, Mapping):
            if not isinstance(value, dict):
                return key
            if (inner := _wrong_key(value, expected)) is not None:
                return f"{key}.{inner}"
        elif isinstance(expected, list):
            if not isinstance(value, list) or not all(isinstance(v, expected[0]) for v in value):
                return key
        elif not isinstance(value, expected):
            return key
    return None
