"""Write `docs/config.md`, the reference of the config language, and `docs/findings.md`, that of the
findings of `dlrun check`.

    python scripts/build_docs.py            # write the files
    python scripts/build_docs.py --check    # exit 1 if a file differs

Fields, types, defaults and meanings come from the classes that read a config, findings from the
checks; what is written by hand stands in `scripts/templates/`. A line there that is one word or
more in double braces is a directive; see `_Page`.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import re
import sys
import tempfile
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from dlrun.checks.check import STAGES, Check, checks
from dlrun.config.extends import Extension
from dlrun.config.load import EXAMPLES, KEYS, load_config
from dlrun.config.messages import describe
from dlrun.config.model_schema import Architecture, Block, LayerEntry
from dlrun.config.schema import CHOSEN_PROTOCOL, Config, Evaluation, Phase, Training
from dlrun.config.search_schema import Search
from dlrun.config.yaml_writer import in_line
from dlrun.data.source import Source
from dlrun.data.step import Step, TargetStep
from dlrun.errors import ConfigError
from dlrun.protocols.protocol import Protocol
from dlrun.registry import catalogue
from dlrun.registry.component import Component, Section
from dlrun.registry.families import (
    PROTOCOLS,
    SAMPLERS,
    SOURCES,
    STEPS,
    TARGET_STEPS,
    VIEWS,
    Family,
)
from dlrun.registry.keras_component import KerasComponent, KerasKind
from dlrun.searches.sampler import Sampler
from dlrun.views import View

ROOT = Path(__file__).parents[1]
PAGES = ("config", "findings")
"""Each is a template and the page in `docs` that is made of it."""

Fields = dict[str, FieldInfo]

SECTIONS: dict[str, type[Section]] = {
    cls.__name__: cls
    for cls in (
        Source,
        Step,
        Architecture,
        Block,
        LayerEntry,
        Training,
        Phase,
        Evaluation,
        Protocol,
        Search,
    )
}

FAMILIES: dict[str, tuple[Family, type[Component]]] = {
    "sources": (SOURCES, Source),
    "steps": (STEPS, Step),
    "target_steps": (TARGET_STEPS, TargetStep),
    "protocols": (PROTOCOLS, Protocol),
    "views": (VIEWS, View),
    "samplers": (SAMPLERS, Sampler),
}

TITLES: dict[KerasKind, str] = {
    "layer": "Layers",
    "optimizer": "Optimizers",
    "loss": "Losses",
    "metric": "Metrics",
    "callback": "Callbacks",
    "regularizer": "Regularizers",
    "initializer": "Initializers",
    "constraint": "Constraints",
    "schedule": "Learning-rate schedules",
    "application": "Models of keras.applications",
}


def build(page: str = "config") -> str:
    """Return a whole page."""
    template = ROOT / "scripts" / "templates" / f"{page}.md"
    return _Page(template.read_text(encoding="utf-8")).text()


class _Page:
    """The template with its directives carried out.

    `keys`: the table of top-level keys. `fields NAME, ...`: a table of the fields of classes, or
    of one class's `fields NAME: FIELD`. `sources`, `steps`, `target_steps`, `protocols`,
    `samplers`, `views`: a part for every member of a family. `example NAME`: the block of code
    below belongs to that member's part. `checks GROUP`: a part for every check of a group.
    `problems`: what is said about the block of YAML that is marked as broken. `names`: the classes
    of Keras. `keras version`: also within a line.
    """

    def __init__(self, template: str) -> None:
        template = template.replace("{{keras version}}", catalogue.keras_version())
        example = re.compile(r"^\{\{example (\w+)\}\}\n(```yaml\n.*?^```)\n+", re.M | re.S)
        self._examples = {match[1]: match[2] for match in example.finditer(template)}
        self._template = example.sub("", template)
        self._explained: dict[type[Section], str] = {}

    def text(self) -> str:
        """Return the page."""
        return re.sub(r"^\{\{(.+)\}\}$", self._directive, self._template, flags=re.MULTILINE)

    def _directive(self, match: re.Match[str]) -> str:
        word, _, argument = match[1].partition(" ")
        if word in FAMILIES:
            family, base = FAMILIES[word]
            return "\n\n".join(self._member(name, family, base) for name in family.names())
        if word == "keys":
            return _keys()
        if word == "fields":
            return self._fields(_fields_of(argument), argument)
        if word == "problems":
            return _problems(self._template)
        if word == "names":
            return "\n\n".join([*(_names(kind) for kind in catalogue.KINDS), _activations()])
        if word == "checks":
            (stage,) = (known for known in STAGES if known == argument)
            return "\n\n".join(_check(check) for check in checks(stage))
        raise ValueError(f"unknown directive {match[0]}")

    def _member(self, name: str, family: Family, base: type[Component]) -> str:
        """What a member does, how it is spelt, and the options that are its own."""
        member = family.get(name)
        title = f"targets: {name}" if base is TargetStep else name
        heading = "####" if base is TargetStep else "###"
        parts = [f"{heading} {title}"]
        parts += [_joined(text) for text in inspect.cleandoc(member.__doc__ or "").split("\n\n")]
        first = member.first_option()
        if issubclass(member, Step | TargetStep) and first not in (None, "columns"):
            parts[-1] += f" `{name}: VALUE` sets `{first}`."
        if name in self._examples and base is not TargetStep:
            parts.append(self._examples[name])
        if own := _own_fields(member, base):
            parts.append(self._fields(own, title))
        return "\n\n".join(parts)

    def _fields(self, fields: Fields, owner: str) -> str:
        """A table of fields, and one for each mapping that a field may hold."""
        rows = [
            [f"`{name}`", _type(f), _default(name, f), _meaning(f)] for name, f in fields.items()
        ]
        parts = [_table(["option", "type", "default", "meaning"], rows)]
        for name, field in fields.items():
            for section in _sections_in(field.annotation):
                parts += self._mapping(name, section, owner)
        return "\n\n".join(parts)

    def _mapping(self, name: str, section: type[Section], owner: str) -> list[str]:
        """A mapping that a field may hold, explained where it comes first."""
        if (before := self._explained.setdefault(section, owner)) != owner:
            return [f"`{name}` as a mapping: the same as [above](#{before})."]
        # The options exclude each other, so that none has a default.
        rows = [[f"`{key}`", _type(f), _meaning(f)] for key, f in section.options().items()]
        about = f"`{name}` as a mapping. {_one_line(section.__doc__)}"
        return [about, _table(["option", "type", "meaning"], rows)]


def _keys() -> str:
    rows = []
    for key in KEYS:
        field = (Extension if key == "extends" else Config).options()[key]
        default = "required" if key in EXAMPLES else _default(key, field)
        # What the classes require beyond that, the reader of the file fills in.
        default = "" if default == "required" and key not in EXAMPLES else default
        rows.append([f"`{key}`", _key_type(key, field), default, _meaning(field)])
    return _table(["key", "type", "default", "meaning"], rows)


HEADINGS = ["dataset", "preprocess", "blocks", "architecture", "training", "evaluation", "search"]
"""Keys that have a part of the page."""


def _key_type(key: str, field: FieldInfo) -> str:
    if key in HEADINGS:
        return f"see [{key}](#{key})"
    if key == "look":
        return f"a list of views, see [{key}](#{key})"
    if key == "augment":
        return f"a list of layers, see [{key}](#{key})"
    if key in ("loss", "optimizer", "metrics"):
        return f"see [{key}](#loss-optimizer-metrics)"
    return describe(field.annotation, field.metadata)


def _fields_of(argument: str) -> Fields:
    names, _, only = argument.partition(": ")
    fields: Fields = {}
    for name in names.split(", "):
        fields |= SECTIONS[name].options()
    if only:
        fields = {name: fields[name] for name in only.split(", ")}
    return fields


def _own_fields(member: type[Component], base: type[Component]) -> Fields:
    """The options that a member does not share with its whole family, its very own first."""
    own = {
        name: field
        for name, field in member.options().items()
        if name not in base.options() or not _same(field, base.options()[name])
    }
    very_own = inspect.get_annotations(member)
    return dict(sorted(own.items(), key=lambda item: item[0] not in very_own))


def _same(field: FieldInfo, other: FieldInfo) -> bool:
    return (field.annotation, field.default, field.description) == (
        other.annotation,
        other.default,
        other.description,
    )


def _problems(template: str) -> str:
    """What dlrun says about the template's broken config."""
    match = re.search(r"^```yaml broken\n(.*?)^```$", template, re.M | re.S)
    if match is None:
        raise ValueError("the template has no block of broken YAML")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("houses.yaml").write_text(match[1], encoding="utf-8")
        try:
            load_config("houses.yaml")
        except ConfigError as error:
            return f"```text\n{error}\n```"
    raise ValueError("nothing is wrong with the broken YAML of the template")


def _check(check: Check[Any]) -> str:
    """What a check finds, why it matters, and what to write instead."""
    lines = [
        f"### {check.code} {check.title} ({check.severity})",
        check.about,
        f"```yaml\n{check.fault}\n```",
        f"Why: {check.why} ({check.source}).",
        f"Instead: {check.instead}.",
        f"```yaml\n{check.fix}\n```",
    ]
    return "\n\n".join(lines)


def _names(kind: KerasKind) -> str:
    aliases: dict[str, list[str]] = {name: [] for name in catalogue.names(kind)}
    for word in catalogue.spellings(kind):
        entry = catalogue.entry(kind, word)
        if entry is not None and word != entry.name:
            aliases[entry.name].append(f"`{word}`")
    words = [
        f"`{name}`" + (f" ({', '.join(others)})" if others else "")
        for name, others in aliases.items()
    ]
    return _folded(f"{TITLES[kind]} ({len(words)})", words)


def _activations() -> str:
    words = [f"`{name}`" for name in catalogue.activations()]
    return _folded(f"Activations ({len(words)})", words)


def _folded(summary: str, words: Iterable[str]) -> str:
    return f"<details><summary>{summary}</summary>\n\n{', '.join(words)}\n\n</details>"


def _type(field: FieldInfo) -> str:
    if field.annotation in (Component, KerasComponent):
        return "a name" if field.annotation is Component else "a component"
    return describe(field.annotation, field.metadata).partition(", each on a line")[0]


def _default(name: str, field: FieldInfo) -> str:
    if name == "protocol":
        return f"`{CHOSEN_PROTOCOL.default}`"
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is None or isinstance(value, Section) else f"`{in_line(value)}`"


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    """The mappings of options that a type allows."""
    if get_origin(annotation) in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _sections_in(branch)
    elif _is_section(annotation):
        yield annotation


def _is_section(annotation: Any) -> bool:
    return (
        isinstance(annotation, type)
        and issubclass(annotation, Section)
        and not issubclass(annotation, Component)
    )


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _meaning(field: FieldInfo) -> str:
    return _one_line(field.description)


def _one_line(text: str | None) -> str:
    return _joined(text or "").removesuffix(".") + "."


def _joined(paragraph: str) -> str:
    return " ".join(paragraph.split())


def main() -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="exit 1 if the file differs")
    arguments = parser.parse_args()
    status = 0
    for page in PAGES:
        text, target = build(page), ROOT / "docs" / f"{page}.md"
        if not arguments.check:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            print(f"{target} is out of date: run python scripts/build_docs.py", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
