"""Paths in a config start from the folder of the file that holds them."""

from __future__ import annotations

import glob
from pathlib import Path

from dlrun.config.document import Node
from dlrun.config.grammar import Shape, config_shape, is_hole, is_path, names_of

NO_PATHS = ("", "imagenet")
"""Texts that stand where a path may, and are none."""


def with_absolute_paths(root: Node) -> Node:
    """Return a canonical config whose paths mean the same from anywhere: `extends` mixes those of
    several folders, and one in an override starts from the working directory."""
    return _with_absolute(root, config_shape(names_of(root)))


def absolute(entry: str, folder: Path) -> str:
    """Return a path or glob absolute; the folder's own `[ ]` and `*` are no wildcards in it."""
    given, folder = Path(entry).expanduser(), folder.absolute()
    if given.is_absolute() or not glob.has_magic(entry) or (folder / given).exists():
        return str(folder / given)
    return str(Path(glob.escape(str(folder))) / given)


def _with_absolute(node: Node, shape: Shape) -> Node:
    if isinstance(node.value, list):
        entries = [
            _with_absolute(each, shape.below(index, node)) for index, each in enumerate(node.value)
        ]
        return Node(entries, node.place)
    if node.mapping is not None:
        below = {
            key: _with_absolute(each, shape.below(key, node)) for key, each in node.mapping.items()
        }
        return Node(below, node.place, node.keys)
    if not is_path(node, shape) or node.value in NO_PATHS or is_hole(node):
        return node
    return Node(absolute(str(node.value), node.place.folder or Path.cwd()), node.place)
