"""Paths in a config start from the folder of the file that holds them."""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path

from dlrun.config.document import Node
from dlrun.config.grammar import first_parameters
from dlrun.errors import KeyPath

ANY = "*"
"""Stands for every key of a mapping, or every entry of a list."""

_IN_LAYERS = (
    *(("layers", ANY, *at) for key in ("run", "vectors") for at in ((key,), (key, "path"))),
    ("layers", ANY, "application", ANY, "weights"),
)
_SECTIONS: tuple[KeyPath, ...] = (("architecture",), ("blocks", ANY))
_MODELS = [(*section, *inside) for section in _SECTIONS for inside in _IN_LAYERS]

NO_PATHS = ("", "imagenet")
"""Texts that stand where a path may, and are none."""

DATA_PATHS: tuple[KeyPath, ...] = (
    ("dataset", "path"),
    ("dataset", "labels"),
    ("dataset", "test", "path"),
    ("evaluation", "validation", "path"),
)
"""Where paths to data stand: one each, or a list of them."""


def with_absolute_paths(root: Node) -> Node:
    """Return a config whose paths mean the same from anywhere: `extends` mixes those of
    several folders, and one in an override starts from the working directory."""
    for path in (*DATA_PATHS, *_MODELS, *_in_parameters((root.mapping or {}).get("blocks"))):
        root = _changed_at(root, path, _absolute)
    return root


def absolute(entry: str, folder: Path) -> str:
    """Return a path or glob absolute; the folder's own `[ ]` and `*` are no wildcards in it."""
    given, folder = Path(entry).expanduser(), folder.absolute()
    if given.is_absolute() or not glob.has_magic(entry) or (folder / given).exists():
        return str(folder / given)
    return str(Path(glob.escape(str(folder))) / given)


def _in_parameters(blocks: Node | None) -> list[KeyPath]:
    """Where values are given for parameters of blocks that stand for paths."""
    if blocks is None or blocks.mapping is None:
        return []
    found: list[tuple[str, str]] = []
    while True:
        # A block may hand its parameter on to another one.
        places = [*_IN_LAYERS, *_of_calls(found, blocks)]
        more = dict.fromkeys(
            (str(name), parameter)
            for name, block in blocks.mapping.items()
            for path in places
            for parameter in _parameters_at(block, path)
        )
        if len(more) == len(found):
            break
        found = list(more)
    calls = _of_calls(found, blocks)
    return [
        *(("blocks", name, "parameters", parameter) for name, parameter in found),
        *((*section, *call) for section in _SECTIONS for call in calls),
    ]


def _of_calls(found: list[tuple[str, str]], blocks: Node) -> list[KeyPath]:
    """Where layers give these parameters of blocks a value: by name, or alone for the first."""
    first = first_parameters(blocks)
    return [
        ("layers", ANY, name, *([] if bare else [parameter]))
        for name, parameter in found
        for bare in ((False, True) if first.get(name) == parameter else (False,))
    ]


def _parameters_at(block: Node, path: KeyPath) -> list[str]:
    """The parameters that stand at a path in a block."""
    names = list[str]()

    def note(node: Node) -> Node:
        if isinstance(node.value, str) and node.value.startswith("$"):
            names.append(node.value.removeprefix("$"))
        return node

    _changed_at(block, path, note)
    return names


def _changed_at(node: Node, path: KeyPath, change: Callable[[Node], Node]) -> Node:
    if not path:
        return change(node)
    key, *rest = path
    if key == ANY and isinstance(node.value, list):
        entries = [_changed_at(entry, tuple(rest), change) for entry in node.value]
        return Node(entries, node.place)
    if key == ANY and node.mapping is not None:
        below = {
            name: _changed_at(value, tuple(rest), change) for name, value in node.mapping.items()
        }
        return Node(below, node.place, node.keys)
    if node.mapping is None or key not in node.mapping:
        return node
    changed = _changed_at(node.mapping[key], tuple(rest), change)
    return node.with_entry(key, changed, node.keys[key])


def _absolute(node: Node) -> Node:
    if isinstance(node.value, list):
        return Node([_absolute(entry) for entry in node.value], node.place)
    if not isinstance(node.value, str) or node.value in NO_PATHS or node.value[0] == "$":
        return node
    return Node(absolute(node.value, node.place.folder or Path.cwd()), node.place)
