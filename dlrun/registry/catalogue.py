"""Keras' public classes and their arguments, known without importing Keras.

The facts are in `keras_catalogue.json`, which `scripts/build_catalogue.py` writes from the
installed Keras. Where another version of Keras is installed, a name that the file does not
know is looked up in Keras itself.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from dlrun.registry import additions
from dlrun.registry.keras_component import KINDS as KINDS
from dlrun.registry.keras_component import Argument as Argument
from dlrun.registry.keras_component import CatalogueEntry as CatalogueEntry
from dlrun.registry.keras_component import KerasKind
from dlrun.registry.own_callbacks import own_callback_entry, own_callback_names

NAMESPACES: dict[KerasKind, str] = {
    "layer": "keras.layers",
    "optimizer": "keras.optimizers",
    "loss": "keras.losses",
    "metric": "keras.metrics",
    "callback": "keras.callbacks",
    "regularizer": "keras.regularizers",
    "initializer": "keras.initializers",
    "constraint": "keras.constraints",
    "schedule": "keras.optimizers.schedules",
    "application": "keras.applications",
}
"""The module in which Keras exports the classes of a kind."""


def entry(kind: KerasKind, name: str) -> CatalogueEntry | None:
    """Return what is known of a class.

    Args:
        kind: Which of Keras' name spaces to look in.
        name: The class's name or an alias, exactly as Keras spells it.

    Returns:
        The entry, or None where Keras has no such class and nothing was added under the name.
        Keras is imported only if its installed version is not the catalogue's and the catalogue
        does not know the name.
    """
    added = own_callback_entry(name) if kind == "callback" else None
    if (added := added or additions.entry(kind, name)) is not None:
        return added
    canonical = _spellings(kind).get(name)
    if canonical is not None:
        return _entry(kind, canonical)
    return live_entry(kind, name)


def names(kind: KerasKind) -> list[str]:
    """Return the names of all classes of a kind that a config can use, sorted."""
    classes = _catalogue()["entries"][kind]
    usable = [name for name, facts in classes.items() if "refusal" not in facts]
    return sorted({*usable, *_added_names(kind)})


def spellings(kind: KerasKind) -> list[str]:
    """Return every name and alias that a config can use for a kind, sorted."""
    usable = set(names(kind))
    words = (word for word, name in _spellings(kind).items() if name in usable)
    return sorted({*words, *_added_names(kind)})


def class_name(kind: KerasKind, name: str) -> str | None:
    """Return the name of the class that a name or alias stands for, as the catalogue has it."""
    return _spellings(kind).get(name)


def activations() -> tuple[str, ...]:
    """Return the names of Keras' activation functions, sorted."""
    return tuple(_catalogue()["activations"])


def words_for(argument: Argument) -> list[str]:
    """Return the names of all components that an argument takes."""
    words = [word for kind in argument.component_kinds for word in spellings(kind)]
    return [*words, *activation_layers()] if "activation" in argument.accepts else words


@cache
def activation_layers() -> tuple[str, ...]:
    """Return the layers that may be given where an activation is wanted."""
    return tuple(filter(acts_as_activation, names("layer")))


def acts_as_activation(name: object) -> bool:
    """Tell whether a name is that of a layer that may be given as an activation."""
    known = entry("layer", name) if isinstance(name, str) else None
    return known is not None and known.act_as_activation


def keras_version() -> str:
    """Return the version of Keras that the catalogue was made from."""
    return str(_catalogue()["keras"])


def live_entry(kind: KerasKind, name: str) -> CatalogueEntry | None:
    """Return a class as the installed Keras has it, from its signature.

    Returns:
        The entry, with types only for arguments that the catalogue knows; None where Keras
        has no such class, or where the installed version is the catalogue's, so that Keras
        has nothing to add.
    """
    if _installed_version() in (None, keras_version()) or not name.isidentifier():
        return None
    namespace = importlib.import_module(NAMESPACES[kind])
    found = getattr(namespace, name, None)
    if not inspect.isclass(found):
        return None
    arguments = list(signature_arguments(found, kind))
    own = {argument.name for argument in arguments}
    if takes_keywords(found):
        arguments += [a for a in common_arguments(kind) if a.name not in own]
    live = CatalogueEntry(
        kind,
        name,
        arguments=tuple(arguments),
        summary=summary_of(found),
        call=call_arguments(found) if kind == "layer" else (),
    )
    canonical = _spellings(kind).get(name)
    return live if canonical is None else _updated(_entry(kind, canonical), live)


def signature_arguments(cls: type, kind: KerasKind) -> Iterator[Argument]:
    """Yield the arguments that a class names in its signature, without types or documentation.

    Args:
        cls: A class of Keras.
        kind: What it is.
    """
    for argument in _named_arguments(_parameters(cls)):
        yield replace(argument, accepts=component_kinds_of(argument.name, kind))


def call_arguments(cls: Any) -> tuple[Argument, ...]:
    """Return what a layer is called with, in order, but for `training`.

    Args:
        cls: A class of layers; one that is called with `*args` takes arguments of any name.
    """
    parameters = list(inspect.signature(cls.call).parameters.values())[1:]
    return tuple(each for each in _named_arguments(parameters) if each.name != "training")


def takes_several(cls: Any) -> bool:
    """Tell whether a layer is called with several arguments rather than a list; False for None."""
    if cls is None:
        return False
    parameters = inspect.signature(cls.call).parameters.values()
    named = sum(argument.required for argument in call_arguments(cls))
    return named > 1 or any(each.kind is each.VAR_POSITIONAL for each in parameters)


def _named_arguments(parameters: Iterable[inspect.Parameter]) -> Iterator[Argument]:
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        required = parameter.default is parameter.empty
        default = None if required else parameter.default
        plain = not required and is_plain(default)
        yield Argument(
            name=parameter.name,
            required=required,
            default=as_plain(default) if plain else None,
            has_plain_default=plain,
        )


def component_kinds_of(argument: str, kind: KerasKind) -> tuple[str, ...]:
    """Return what an argument accepts where its name tells that it takes a component.

    Args:
        argument: The argument's name.
        kind: The kind of the class that has it.
    """
    for nested in ("initializer", "regularizer", "constraint"):
        if argument == nested or argument.endswith(f"_{nested}"):
            return (nested, "null")
    if argument == "activation" or argument.endswith("_activation"):
        return ("activation", "null")
    if kind == "optimizer":
        exact = {"learning_rate": ("number", "schedule"), "inner_optimizer": ("optimizer",)}
        return exact.get(argument, ())
    if kind == "layer":
        exact = {
            "layer": ("layer",),
            "backward_layer": ("layer", "null"),
            "cell": ("layer", "layers"),
            "cells": ("layers",),
            "layers": ("layers",),
        }
        return exact.get(argument, ())
    return ()


@cache
def common_arguments(kind: KerasKind) -> tuple[Argument, ...]:
    """Return the arguments that every class of a kind has, and hands on to its base."""
    common = _catalogue()["common"].get(kind, {})
    return tuple(_argument(name, facts, common=True) for name, facts in common.items())


def is_plain(value: Any) -> bool:
    """Tell whether a value can be written as JSON (a tuple counts as a list)."""
    if isinstance(value, list | tuple):
        return all(is_plain(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def as_plain(value: Any) -> Any:
    """Return the value with tuples turned into lists."""
    return [as_plain(item) for item in value] if isinstance(value, list | tuple) else value


def summary_of(cls: type) -> str:
    """Return the first line of a class's documentation, without a full stop."""
    lines = inspect.cleandoc(cls.__doc__ or "").splitlines()
    return lines[0].strip().rstrip(".") if lines else ""


def takes_keywords(cls: type) -> bool:
    """Tell whether a class takes more arguments than its signature names."""
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in _parameters(cls))


def _parameters(cls: type) -> list[inspect.Parameter]:
    constructor = cast(Any, cls).__init__
    return list(inspect.signature(constructor).parameters.values())[1:]


def _added_names(kind: KerasKind) -> list[str]:
    """The names of what is no class of Keras."""
    return [*(own_callback_names() if kind == "callback" else ()), *additions.names(kind)]


def _updated(known: CatalogueEntry, live: CatalogueEntry) -> CatalogueEntry:
    """The known entry with the arguments and defaults that the installed Keras has."""
    arguments = []
    for argument in live.arguments:
        if (typed := known.argument(argument.name)) is not None:
            argument = replace(
                typed,
                required=argument.required,
                default=argument.default,
                has_plain_default=argument.has_plain_default,
            )
        arguments.append(argument)
    return replace(known, arguments=tuple(arguments), call=live.call)


@cache
def _catalogue() -> dict[str, Any]:
    text = Path(__file__).with_name("keras_catalogue.json").read_text(encoding="utf-8")
    return cast(dict[str, Any], json.loads(text))


@cache
def _installed_version() -> str | None:
    # Costs more to import than the whole catalogue to read, and is hardly ever needed.
    from importlib import metadata

    try:
        return metadata.version("keras")
    except metadata.PackageNotFoundError:
        return None


@cache
def _spellings(kind: KerasKind) -> dict[str, str]:
    """Every accepted name of a kind, to the name of the class."""
    words = {}
    for name, facts in _catalogue()["entries"][kind].items():
        words.update(dict.fromkeys((name, *facts.get("aliases", ())), name))
    return words


@cache
def _entry(kind: KerasKind, name: str) -> CatalogueEntry:
    facts = _catalogue()["entries"][kind][name]
    arguments = tuple(_argument(*item) for item in facts.get("arguments", {}).items())
    if facts.get("common"):
        known = {argument.name for argument in arguments}
        arguments += tuple(a for a in common_arguments(kind) if a.name not in known)
    return CatalogueEntry(
        kind=kind,
        name=name,
        aliases=tuple(facts.get("aliases", ())),
        arguments=arguments,
        summary=facts.get("summary", ""),
        refusal=facts.get("refusal"),
        resolved_by_compile=facts.get("resolved_by_compile", False),
        act_as_activation=facts.get("act_as_activation", False),
        call=tuple(_argument(*item) for item in facts.get("call", {}).items()),
    )


def _argument(name: str, facts: dict[str, Any], common: bool = False) -> Argument:
    return Argument(
        name=name,
        required=facts.get("required", False),
        default=facts.get("default"),
        has_plain_default="default" in facts,
        accepts=tuple(facts["accepts"].split("|")) if "accepts" in facts else (),
        minimum=facts.get("minimum"),
        maximum=facts.get("maximum"),
        choices=tuple(facts.get("choices", ())),
        doc=facts.get("doc", ""),
        common=common,
    )
