"""Writing plain data as YAML that people like to read and that reads back the same."""

from __future__ import annotations

from typing import Any

import yaml

from dlrun.config.yaml_reader import scalar

LONGEST_INLINE = 72
"""Lists of plain values up to this many characters go on one line."""

_TAGS = {bool: "bool", int: "int", float: "float", type(None): "null"}


class _OneLine(yaml.SafeDumper):
    """Puts quotes around text that YAML could take for another value."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0]:
            tag = _TAGS.get(type(scalar(value)))
            if tag is not None:
                return f"tag:yaml.org,2002:{tag}"
        # Otherwise YAML 1.1 decides, so that its readers are not misled by `no` either.
        return super().resolve(kind, value, implicit)


class _Block(_OneLine):
    """One key or list entry a line; short lists of plain values on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    plain = all(not isinstance(item, list | dict) for item in data)
    inline = plain and sum(len(str(item)) + 2 for item in data) <= LONGEST_INLINE
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=inline)


def _represent_text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
    # Line ends are escaped; PyYAML would lose some of Unicode's.
    style = '"' if any(end in data for end in "\n\r\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_OneLine.add_representer(str, _represent_text)
_Block.add_representer(str, _represent_text)
_Block.add_representer(list, _represent_list)


def dump_yaml(data: Any) -> str:
    """Return plain data as YAML, keys in their order.

    Args:
        data: Dictionaries with text or integer keys, lists, text, numbers, booleans and None.
    """
    return _dump(data, _Block, flow=False)


def in_line(data: Any) -> str:
    """Return plain data as YAML on one line, for messages."""
    return _dump(data, _OneLine, flow=True).strip("\n")


def _dump(data: Any, dumper: type[_OneLine], *, flow: bool) -> str:
    text = yaml.dump(
        data,
        Dumper=dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=flow,
        width=10_000,
    )
    return str(text).removesuffix("...\n")
