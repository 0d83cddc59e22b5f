"""Comparing configs that are spelt differently."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from dlrun.config.document import NOWHERE, node_of
from dlrun.config.grammar import canonical_config


def assert_holds(config: dict[str, Any], path: Sequence[str | int], expected: object) -> None:
    """The config holds a value at a path, which is given in any spelling."""
    changed = copy.deepcopy(config)
    inside: Any = changed
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = expected
    assert canonical(changed) == config


def canonical(config: dict[str, Any]) -> Any:
    """A config as plain data in its canonical form."""
    return canonical_config(node_of(config, NOWHERE)).plain()
