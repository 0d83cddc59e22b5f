"""Keras' classes and functions: what is known of each, and how a config names one."""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin

from dlrun.errors import KeyPath

KerasKind = Literal[
    "layer",
    "optimizer",
    "loss",
    "metric",
    "callback",
    "regularizer",
    "initializer",
    "constraint",
    "schedule",
    "application",
]

TITLES: dict[KerasKind, str] = {
    "layer": "a layer",
    "optimizer": "an optimizer",
    "loss": "a loss",
    "metric": "a metric",
    "callback": "a callback",
    "regularizer": "a regularizer",
    "initializer": "an initializer",
    "constraint": "a constraint",
    "schedule": "a learning-rate schedule",
    "application": "an application",
}
"""What each kind is called, with its article."""


@dataclass(frozen=True)
class KerasComponent:
    """One named thing of Keras with its arguments.

    Args:
        kind: Which of Keras' name spaces it belongs to.
        name: Keras' own name of the class (`Dense`), or of the function or alias where Keras
            has no class of that meaning (`accuracy`).
        alias: The name as the config gives it (`rmsprop`, `mae`); Keras names metrics in its
            history after it.
        arguments: What the config gives, by argument name: plain data or further components.
        path: Where it is in the config, for messages.
        implementation: The class itself, where a plugin brought it.
    """

    kind: KerasKind
    name: str
    alias: str
    arguments: dict[str, Any] = field(default_factory=dict)
    path: KeyPath = ()
    implementation: Any = field(default=None, compare=False, repr=False)


KINDS: tuple[KerasKind, ...] = get_args(KerasKind)

_WORDS: dict[Any, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "list",
    tuple: "list",
    type(None): "null",
}


@dataclass(frozen=True)
class Argument:
    """One argument of a class.

    Args:
        name: Its name.
        required: Whether the class cannot do without it.
        default: What holds where it is not given; None also where the default is no plain data.
        has_plain_default: Whether `default` is what Keras takes.
        accepts: What may be given, any of: `boolean`, `integer`, `number`, `string`, `list`,
            `null`, `python` (code, which a config does not hold), `activation` (a name of
            `activations()`, or a layer that acts as one), `layers` (a list of layers), or a
            kind of component; `table` (numbers by epoch). Empty: anything.
        minimum: Smallest number allowed.
        maximum: Largest number allowed.
        choices: The only strings allowed; empty: any string.
        doc: The first sentence of Keras' own documentation.
        common: Whether every class of the kind has it (`name`, `dtype`, ... of layers).
    """

    name: str
    required: bool = False
    default: Any = None
    has_plain_default: bool = False
    accepts: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    doc: str = ""
    common: bool = False

    @property
    def component_kinds(self) -> tuple[KerasKind, ...]:
        """The kinds of component that may be given."""
        return tuple(kind for kind in KINDS if kind in self.accepts)


@dataclass(frozen=True)
class CatalogueEntry:
    """One class of Keras.

    Args:
        kind: What it is.
        name: Keras' own name of the class.
        aliases: Other names that Keras accepts for it.
        arguments: Its arguments in order; those common to all of its kind come last.
        summary: The first line of Keras' own documentation.
        refusal: Why a config cannot use it, following the name in a sentence; or None.
        resolved_by_compile: Whether it is no class but a word that `Model.compile` understands
            (`accuracy`, `crossentropy`), which takes no arguments.
        act_as_activation: Whether this layer may be given where an activation is wanted.
        call: For a layer, what it is called with, in order, but for `training`; empty for a layer
            of Keras that takes one argument.
        implementation: The class or function itself, where a plugin brought it.
    """

    kind: KerasKind
    name: str
    aliases: tuple[str, ...] = ()
    arguments: tuple[Argument, ...] = ()
    summary: str = ""
    refusal: str | None = None
    resolved_by_compile: bool = False
    act_as_activation: bool = False
    call: tuple[Argument, ...] = ()
    implementation: Any = field(default=None, compare=False, repr=False)

    @property
    def first(self) -> Argument | None:
        """The argument that a bare value sets, or None where there is none."""
        return next((a for a in self.arguments if not a.common), None)

    def argument(self, name: str) -> Argument | None:
        """The argument of that name, or None."""
        return next((a for a in self.arguments if a.name == name), None)


def accepted_by(annotation: Any) -> tuple[str, ...]:
    """Return what a type accepts, in the words of `Argument.accepts`; empty where a part of it
    has no such word."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        branches = [accepted_by(branch) for branch in get_args(annotation)]
        return tuple(word for branch in branches for word in branch) if all(branches) else ()
    if origin is Literal:
        return ("string",) if all(isinstance(v, str) for v in get_args(annotation)) else ()
    word = _WORDS.get(origin or annotation)
    return () if word is None else (word,)
