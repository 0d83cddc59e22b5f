"""Config files, and the files they extend.

Mappings merge key by key, losses and metrics that go by output among them; lists and plain values
replace. A component with another name, a data set of another source, and a choice such as
`test: {fraction: 0.2}` replace as a whole.

A config may have been written by somebody else. What it extends is a YAML file in its own folder or
below, unless the user allows others, and of a file that is no config only the name is shown.
"""

from __future__ import annotations

import codecs
import difflib
import glob
import os
import re
from pathlib import Path

from dlrun.config.document import Node, Place, Reporter
from dlrun.config.grammar import ChosenKeys, canonical_config, config_shape, is_path, names_of
from dlrun.config.limits import how_to_raise, limit, real_path, special_file
from dlrun.config.messages import found
from dlrun.config.schema import Config
from dlrun.config.shapes import NO_NAMES, Keys, Named, OutputsShape, Shape, is_hole
from dlrun.config.yaml_reader import read_yaml
from dlrun.registry.component import Section
from dlrun.registry.names import did_you_mean

_END_OF_FILE = 1_000_000_000


class Extension(Section):
    """How a config refers to another one."""

    extends: str | None = None
    """Another config file, relative to this one, that this one starts from. What this file
    says comes first; `name` is not taken over. It is in the folder of the config that is run, or
    below; `--allow-outside` allows others."""


_KEYS = ("extends", *(key for key in Config.options() if key != "name"))
"""Keys that only a config has; many kinds of files have a name."""

_KEY = re.compile(rf"^['\"]?(?:{'|'.join(_KEYS)})['\"]? *:", re.MULTILINE)
"""A key of a config at the beginning of a line."""

_NEAR = 0.8
"""How near a mistyped key is to one of a config: `data` is not meant to be `dataset`."""


def read_files(
    file: Path, report: Reporter, *, allow_outside: bool = False
) -> tuple[Node | None, bytes]:
    """Read a config file and those it extends, merged.

    Args:
        file: The config file.
        report: Takes the problems.
        allow_outside: Whether files outside the folder of `file` may be extended.

    Returns:
        The merged config, or None where a file cannot be read (which is reported); and the
        bytes of `file`.
    """
    chain: list[tuple[Path, Node]] = []
    seen: list[Path] = []
    content, folder = b"", None if allow_outside else real_path(file.parent)
    place = Place(str(file), (0, 0, 0))
    named: str | None = None
    while True:
        read = _read_file(file, named, len(chain), place, report)
        if read is None:
            return None, content
        node, given = read
        content = content or given
        chain.append((file, node))
        seen.append(real_path(file))
        base = _extended(node, report)
        if base is None:
            break
        named, place = base
        file = Path(os.path.normpath(file.parent / named))
        if not _may_extend(file, named, folder, place, report):
            return None, content
        if (real := real_path(file)) in seen:
            names = [str(path) for path, _ in chain[seen.index(real) :]]
            circle = " -> ".join([*names, names[0]])
            report.at(place, f"'extends' leads in a circle: {circle}", file=named)
            return None, content
    merged = canonical_config(chain[-1][1])
    for _, child in reversed(chain[:-1]):
        merged = _extend(merged.only(key for key in merged.mapping or () if key != "name"), child)
    entries = [key for key in merged.mapping or () if key != "extends"]
    return merged.only(entries), content


def _extend(base: Node, child: Node) -> Node:
    """Return a config with what another one says that extends it."""
    making = ("architecture", "blocks", "task")
    names = names_of(merge(base.only(making), child.only(making), config_shape(NO_NAMES)))
    shape = config_shape(names)
    return merge(shape.canonical(base), shape.canonical(child), shape)


def merge(base: Node, child: Node, shape: Shape, depth: int = 0) -> Node:
    """Return `base` with what `child` says; places keep pointing to where a value is.

    Args:
        base: The value in the config that is extended, canonical.
        child: What takes its place, or is added to it.
        shape: What is there.
        depth: How many keys lie above.
    """
    shape = shape.of(child.value)
    if base.mapping is None or child.mapping is None:
        # A section whose entries are all commented out says nothing.
        says_nothing = child.value is None and base.mapping and depth == 1
        return base if says_nothing and not isinstance(shape, Named | OutputsShape) else child
    if isinstance(shape, OutputsShape):
        if not (shape.is_by_output(base) and shape.is_by_output(child)):
            return merge(base, child, shape.each)
        # What the base says of outputs that there are no more is not taken over.
        return _merge_entries(base.only(shape.outputs), child, shape, depth)
    if isinstance(shape, Named):
        return _merge_component(base, child, shape)
    if isinstance(shape, Keys) and shape.section.alternatives & (
        child.mapping.keys() - base.mapping.keys()
    ):
        return child
    if isinstance(shape, ChosenKeys) and shape.chooses_otherwise(base, child):
        if not shape.mark.shares_options:
            return child
        base = base.only({shape.mark.key, *shape.options(child)})
    return _merge_entries(base, child, shape, depth)


def _merge_entries(base: Node, child: Node, shape: Shape, depth: int) -> Node:
    # The child's place: what is missing is best added there.
    merged = Node(base.value, child.place, base.keys)
    for key, value in (child.mapping or {}).items():
        before = (base.mapping or {}).get(key)
        if before is not None:
            value = merge(before, value, shape.below(key, child), depth + 1)
        merged = merged.with_entry(key, value, child.keys[key])
    return merged


def _merge_component(base: Node, child: Node, shape: Named) -> Node:
    name, before = shape.name_in(child), shape.name_in(base)
    if name is None or before is None or not shape.same(name, before):
        return child
    arguments = shape.arguments(name)
    old, new = (base.mapping or {})[before], (child.mapping or {})[name]
    bare = not new.mapping and new.place == child.keys[name]
    if bare or old.mapping is None or new.mapping is None:
        # A name without a mapping means its defaults.
        return child
    return child.with_entry(name, _merge_entries(old, new, arguments, 0), child.keys[name])


def _extended(node: Node, report: Reporter) -> tuple[str, Place] | None:
    """The file that a config extends and where it says so."""
    value = (node.mapping or {}).get("extends")
    if value is None or value.value is None:
        return None
    if not isinstance(value.value, str):
        report.at(
            value.place,
            "wrong value for 'extends'",
            expected="the name of one other config file",
            found=found(value.plain()),
        )
        return None
    return value.value, value.place


def _may_extend(
    file: Path, named: str, folder: Path | None, place: Place, report: Reporter
) -> bool:
    """Report a file that a config may not extend, whether it is there or not."""
    try:
        inside = folder is None or real_path(file).is_relative_to(folder)
    except ValueError:
        report.at(
            place, f"'{named}' is not a possible file name", expected="a YAML file", file=named
        )
        return False
    if not inside:
        report.at(
            place,
            f"'{named}' is outside the config's folder",
            expected=f"a config in {folder} or below",
            hint="read that file; if you trust this config, add --allow-outside "
            "(in Python: allow_outside=True)",
            file=named,
        )
    elif file.suffix not in (".yaml", ".yml") and not file.is_dir():
        expected = "a file that ends in .yaml or .yml"
        report.at(place, f"'{named}' is not a config by its name", expected=expected, file=named)
    elif (special := special_file(file)) is not None:
        report.at(place, f"'{named}' is {special}", expected="a regular YAML file", file=named)
    else:
        return True
    return False


def _read_file(
    file: Path, named: str | None, number: int, place: Place, report: Reporter
) -> tuple[Node, bytes] | None:
    """Read one file; `place` is where it is named, `named` how, if that is in a file."""
    what, most = f"'{named}'" if named is not None else "this file", limit("config_bytes")
    try:
        with file.open("rb") as stream:
            content = stream.read(most + 1)
    except FileNotFoundError:
        files = file.parent.iterdir() if file.parent.is_dir() else ()
        near = did_you_mean(file.name, (f.name for f in files if f.suffix in (".yaml", ".yml")))
        looked = f"it was looked for at {file}" if named is not None else None
        report.at(place, f"{what} does not exist{near}", hint=looked, file=named)
        return None
    except IsADirectoryError:
        report.at(place, f"{what} is a folder", expected="a YAML file", file=named)
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name has a null character"
        report.at(place, f"{what} cannot be read: {reason}", file=named)
        return None
    if len(content) > most:
        hint = how_to_raise("config_bytes", 2 * most)
        report.at(
            place, f"{what} is too large", expected=f"at most {most:,} bytes", hint=hint, file=named
        )
        return None
    # The mark that some editors put at the start of a file is no part of the text.
    raw = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        text = raw.decode(_other_encoding(raw), "replace")
        root = _parsed(text, file, number, Reporter())
        if named is not None and not _may_be_config(root, text):
            _refuse_no_config(what, place, named, report)
            return None
        line = raw.count(b"\n", 0, error.start) + 1
        report.at(
            Place(f"{file}:{line}", (number, line, 0)),
            "not valid UTF-8",
            found=f"the byte 0x{raw[error.start]:02x}",
            hint="save the file as UTF-8",
        )
        return None
    problems = Reporter()
    root = _parsed(text, file, number, problems)
    if named is not None and not _may_be_config(root, text):
        _refuse_no_config(what, place, named, report)
        return None
    report.take(problems)
    node = None if root is None else _mapping(root, file, number, report)
    return None if node is None else (node, content)


def _parsed(text: str, file: Path, number: int, report: Reporter) -> Node | None:
    lines, folder = text.splitlines(), file.parent

    def place_at(line: int, column: int) -> Place:
        return Place(
            text=f"{file}:{line + 1}:{column + 1}",
            order=(number, line + 1, column + 1),
            line=lines[line] if line < len(lines) else "",
            column=column + 1,
            folder=folder,
        )

    return read_yaml(text, place_at, report)


def _other_encoding(content: bytes) -> str:
    """The encoding of text that is not UTF-8, as far as its first bytes say."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if utf16 else "utf-8"


def _refuse_no_config(what: str, place: Place, named: str, report: Reporter) -> None:
    expected = "a YAML file with keys such as dataset, architecture or training"
    report.at(place, f"{what} is not a config", expected=expected, file=named)


def _may_be_config(root: Node | None, text: str) -> bool:
    """Whether messages may show what is in a file: not in that of another program, which may hold
    secrets."""
    if root is None:
        return _KEY.search(text) is not None
    if root.mapping is None:
        return root.value is None
    keys = [str(key) for key in root.mapping if key != "name"]
    return not keys or any(difflib.get_close_matches(key, _KEYS, 1, _NEAR) for key in keys)


def _mapping(root: Node, file: Path, number: int, report: Reporter) -> Node | None:
    """A whole file as a mapping; None where it is none, which is reported."""
    whole = Place(str(file), (number, _END_OF_FILE, 0), folder=file.parent)
    if root.value is None:
        report.at(whole, "the file is empty", hint="`dlrun init` writes a config to start from")
        return None
    if root.mapping is None:
        report.at(
            root.place,
            "a config is a mapping from keys to values",
            expected="`key: value` lines such as `loss: mse`",
            found=found(root.plain()),
        )
        return None
    return Node(root.value, whole, root.keys)


NO_PATHS = ("", "imagenet")
"""Values allowed in place of a path that are not paths."""


def with_absolute_paths(root: Node) -> Node:
    """Return a canonical config whose paths mean the same from anywhere: `extends` mixes those of
    several folders, and one in an override starts from the working directory."""
    return _with_absolute(root, config_shape(names_of(root)))


def absolute(entry: str, folder: Path) -> str:
    """Return a path or glob absolute; the folder's own `[ ]` and `*` are no wildcards in it."""
    given, folder = Path(os.path.expanduser(entry)), folder.absolute()
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
