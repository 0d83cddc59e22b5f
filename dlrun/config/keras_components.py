"""Components of Keras as a config names them, read and checked against the catalogue, without
importing Keras; and written out again.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.config.document import Reporter
from dlrun.config.messages import expected_value, fits, found
from dlrun.config.shapes import KerasShape, canonical_value, is_table
from dlrun.config.yaml_writer import in_line
from dlrun.errors import KeyPath
from dlrun.registry import catalogue
from dlrun.registry.catalogue import Argument, CatalogueEntry
from dlrun.registry.keras_component import TITLES, KerasComponent, KerasKind
from dlrun.registry.names import closest, did_you_mean, snake_case
from dlrun.text import listed, quoted

SHORT_LIST = 8
"""So many arguments are named in a message; more would hide what it says."""

OLD_NAMES = {"lr": "learning_rate"}
"""What arguments were called in the Keras of older books."""

INFERRED = {"input_shape", "input_dim", "input_length", "batch_input_shape"}
"""What a layer was told about its input in older Keras."""


def read_component(
    kind: KerasKind, value: Any, path: KeyPath, report: Reporter
) -> KerasComponent | None:
    """Read one component and everything nested in it.

    Args:
        kind: What is wanted.
        value: What the config holds there, as plain data in any of the three spellings.
        path: Where it is.
        report: Called for every problem found.

    Returns:
        The component, with the path of its arguments; None if anything was reported.
    """
    before = len(report)
    component = _Reader(report).component(kind, canonical_value(value, KerasShape((kind,))), path)
    return component if len(report) == before else None


def dump_component(component: KerasComponent) -> Any:
    """Return the component as plain data, as a config would give it, with defaults filled in.

    Defaults that are null are left out, as are names and what all layers have in common
    (`trainable`, `dtype`, ...). Losses, metrics and initializers without arguments stay bare
    words: Keras names metrics in its history after the word, and draws the seed of an
    initializer given as a word when the layer is made.
    """
    given = {name: _dump(value) for name, value in component.arguments.items()}
    if not given and component.kind in ("loss", "metric", "initializer"):
        return component.alias
    known = catalogue.entry(component.kind, component.name)
    for argument in known.arguments if known else ():
        if argument.default is not None and not argument.common and argument.name != "name":
            given.setdefault(argument.name, copy.deepcopy(argument.default))
    return {component.alias: given} if given else component.alias


def metric_names(metrics: Sequence[KerasComponent]) -> list[str]:
    """Return the name of each metric in Keras' history (without `val_`).

    A bare word is its own name. A metric with arguments has its `name`, or the one that Keras
    gives the first metric of its class; a second one of the same name gets `_1`.
    """
    names: list[str] = []
    for metric in metrics:
        if not metric.arguments:
            names.append(metric.alias)
            continue
        known = catalogue.entry("metric", metric.name)
        default = known.argument("name") if known else None
        name = metric.arguments.get("name") or (default.default if default else None)
        name = name or snake_case(metric.name)
        same = sum(1 for other in names if re.fullmatch(rf"{re.escape(name)}(_\d+)?", other))
        names.append(f"{name}_{same}" if same else name)
    return names


@dataclass(frozen=True)
class _Reader:
    """Reads components and everything nested in them."""

    report: Reporter

    def component(self, kind: KerasKind, value: Any, path: KeyPath) -> KerasComponent | None:
        """Read one component, in its canonical form."""
        hint, several = None, isinstance(value, dict) and len(value) > 1
        if several and (owner := _owner_of(kind, [str(key) for key in value])) is not None:
            hint = f"these are arguments: write {owner}: {{...}} around them"
        elif several and self._report_beside(kind, value, path):
            return None
        if isinstance(value, str):
            value = {value: {}}
        if isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value)), str):
            [(word, given)] = value.items()
            return self._named(kind, word, given, (*path, word))
        message, wanted = f"this is not {TITLES[kind]}", f"the name of {TITLES[kind]}"
        wanted += ", alone or with its arguments"
        self.report(path, message, expected=wanted, found=found(value), hint=hint)
        return None

    def _report_beside(self, kind: KerasKind, value: dict[Any, Any], path: KeyPath) -> bool:
        """Report arguments, or other components, that are written beside a component's name."""
        named = [key for key in value if isinstance(key, str) and catalogue.entry(kind, key)]
        if not named:
            return False
        title = TITLES[kind].split(" ", 1)[1]
        first, *more = named
        if more:
            hint = f"begin each {title} on a line of its own with '- '"
            if path in (("loss",), ("optimizer",)):
                hint = f"name one {title}"
            message = f"'{first}' and '{more[0]}' in one entry"
            self.report((*path, more[0]), message, hint=hint, on_key=True)
            return True
        others = {key: value[key] for key in value if key != first}
        inside = value[first] if isinstance(value[first], dict) else {}
        self.report(
            (*path, next(iter(others))),
            f"indent {quoted(others)} under '{first}'",
            hint=f"write {first}: {in_line(inside | others)}",
            on_key=True,
        )
        return True

    def _named(
        self, kind: KerasKind, word: str, given: Any, path: KeyPath
    ) -> KerasComponent | None:
        entry = self._entry(kind, word, path)
        if entry is None:
            return None
        if entry.resolved_by_compile and given:
            self.report(
                path,
                f"'{word}' takes no arguments: Keras chooses the kind of {entry.name} by itself",
                hint=f"name the kind, such as binary_{entry.name}, to give it arguments",
                on_key=True,
            )
            return None
        if isinstance(given, dict):
            arguments = self._arguments(entry, word, given, path)
        else:
            arguments, hint = {}, f"write {word} alone"
            self.report(path, f"'{word}' takes no value", found=found(given), hint=hint)
        return KerasComponent(kind, entry.name, word, arguments, path, entry.implementation)

    def _entry(self, kind: KerasKind, word: str, path: KeyPath) -> CatalogueEntry | None:
        entry = catalogue.entry(kind, word)
        if entry is not None and entry.refusal is None:
            return entry
        title = TITLES[kind].split(" ", 1)[1]
        known, expected = catalogue.names(kind), None
        if entry is not None:
            message = f"'{word}' {entry.refusal}"
        elif others := [k for k in catalogue.KINDS if word in catalogue.spellings(k)]:
            message = f"'{word}' is {TITLES[others[0]]}, not {TITLES[kind]}"
        else:
            message = f"unknown {title} '{word}'{did_you_mean(word, catalogue.spellings(kind))}"
            expected = listed(known, "or") if len(known) <= SHORT_LIST else None
        say = self.report.unknown_name if entry is None else self.report
        say(path, message, expected=expected, on_key=True)
        return None

    def _arguments(
        self, entry: CatalogueEntry, word: str, given: dict[Any, Any], path: KeyPath
    ) -> dict[str, Any]:
        if any(entry.argument(str(name)) is None for name in given):
            entry = catalogue.live_entry(entry.kind, entry.name) or entry
        arguments, meant = {}, set()
        for key, value in given.items():
            name = str(key)
            argument = entry.argument(name)
            if argument is None:
                meant.add(self._report_unknown(entry, word, name, (*path, key)))
            else:
                arguments[name] = self._value(word, argument, value, (*path, key))
        known = {*arguments, *meant}
        missing = [f"'{a.name}'" for a in entry.arguments if a.required and a.name not in known]
        if missing:
            self.report(path, f"{word} needs {' and '.join(missing)}", on_key=True)
        return arguments

    def _report_unknown(
        self, entry: CatalogueEntry, word: str, name: str, path: KeyPath
    ) -> str | None:
        """Report an unknown argument; return the argument that was probably meant."""
        own = [argument.name for argument in entry.arguments if not argument.common]
        known = [argument.name for argument in entry.arguments]
        nested = catalogue.words_for(entry.first) if entry.first else []
        message, hint = f"unknown argument '{name}' of {word}", None
        meant = OLD_NAMES[name] if OLD_NAMES.get(name) in known else closest(name, known)
        if entry.kind in ("layer", "application") and name in INFERRED:
            hint = "leave it out: the input's shape is inferred from the data"
        elif entry.kind == "layer" and any(argument.name == name for argument in entry.call):
            hint = f"it is an argument of the call: write `call: {{{name}: ...}}` beside {word}"
        elif name == "vectors" and word == "Embedding":
            hint = "it belongs beside the layer's name, on a line of its own"
        elif meant:
            message += f"; did you mean '{meant}'?"
        elif (component := closest(name, nested)) is not None and entry.first:
            meant = entry.first.name
            if component == name:
                hint = f"beside other arguments, write it as {meant}: {{{name}: ...}}"
            else:
                message += f"; did you mean '{component}'?"
        short = 0 < len(own) <= SHORT_LIST
        expected = listed(own, "or") if short else None
        self.report(path, message, expected=expected, hint=hint, on_key=True)
        return meant

    def _value(self, owner: str, argument: Argument, value: Any, path: KeyPath) -> Any:
        accepts = argument.accepts
        if "python" in accepts:
            message = f"`{argument.name}` takes Python code, which a config does not run"
            self.report(path, message, on_key=True)
            return None
        if not accepts or (value is None and "null" in accepts):
            return value
        if "activation" in accepts and isinstance(value, str | dict):
            return self._activation(value, path)
        if "layers" in accepts and isinstance(value, list):
            return [self.component("layer", v, (*path, i)) for i, v in enumerate(value)]
        if is_table(argument, value):
            return self._table(owner, argument, value, path)
        for kind in argument.component_kinds:
            if isinstance(value, dict):
                return self.component(kind, value, path)
        if not fits(argument, value):
            self._report_wrong(owner, argument, value, path)
        return value

    def _table(self, owner: str, argument: Argument, value: dict[Any, Any], path: KeyPath) -> Any:
        """Numbers by epoch."""
        for epoch, number in value.items():
            place, where = (*path, epoch), f"in '{argument.name}' of {owner}"
            if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0:
                expected = "the number of an epoch, counted from 0"
                message = f"wrong key {where}"
                self.report(place, message, expected=expected, found=found(epoch), on_key=True)
            elif isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
                expected = "a number at least 0"
                self.report(place, f"wrong value {where}", expected=expected, found=found(number))
        return value

    def _activation(self, value: str | dict[Any, Any], path: KeyPath) -> Any:
        word = value if isinstance(value, str) else str(next(iter(value), ""))
        if isinstance(value, str) and value in catalogue.activations():
            return value
        layers = catalogue.activation_layers()
        if word in layers:
            return self.component("layer", value, path)
        if word in catalogue.activations():
            message = f"activation '{word}' takes no arguments"
            self.report(path, message, hint=f"layers that do: {', '.join(layers)}")
        else:
            near = did_you_mean(word, [*catalogue.activations(), *layers])
            self.report(path, f"unknown activation '{word}'{near}")
        return None

    def _report_wrong(self, owner: str, argument: Argument, value: Any, path: KeyPath) -> None:
        message, hint = f"wrong value for '{argument.name}' of {owner}", None
        if argument.choices and isinstance(value, str):
            message = f"unknown {argument.name} '{value}' of {owner}"
            message += did_you_mean(value, argument.choices)
        if "regularizer" in argument.accepts and isinstance(value, int | float):
            hint = f"write {argument.name}: {{L2: {value}}}"
        expected = expected_value(argument)
        self.report(path, message, expected=expected, found=found(value), hint=hint)


def _owner_of(kind: KerasKind, arguments: Sequence[str]) -> str | None:
    """The only class of a kind that has all these arguments, or None."""
    entries = [entry for name in catalogue.names(kind) if (entry := catalogue.entry(kind, name))]
    owners = [each.name for each in entries if all(map(each.argument, arguments))]
    return owners[0] if len(owners) == 1 else None


def _dump(value: Any) -> Any:
    if isinstance(value, KerasComponent):
        return dump_component(value)
    if isinstance(value, list):
        return [_dump(item) for item in value]
    return copy.deepcopy(value)
