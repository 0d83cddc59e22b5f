"""Running the user's own Python files, and what of them a config can name afterwards."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from dlrun.config.plugins import PluginError, PluginFile
from dlrun.metrics.names import direction_of_class
from dlrun.registry import additions, catalogue
from dlrun.registry.additions import Additions
from dlrun.registry.catalogue import CatalogueEntry, signature_arguments
from dlrun.registry.component import Component
from dlrun.registry.families import PROTOCOLS, SOURCES, STEPS, TARGET_STEPS, Family
from dlrun.registry.keras_component import TITLES, KerasKind, accepted_by
from dlrun.registry.names import snake_case
from dlrun.text import display_path

MODULE = "dlrun_plugins"
"""What the modules of plugins are called, so that a file `numpy.py` hides nothing."""

FAMILIES = (SOURCES, STEPS, TARGET_STEPS, PROTOCOLS)
BASES: dict[KerasKind, str] = {
    kind: {"schedule": "LearningRateSchedule"}.get(kind, kind.capitalize())
    for kind in catalogue.KINDS
    if kind != "application"
}
"""The class that every class of a kind derives from."""

NOTHING = (
    "it defines no layer, loss, metric, callback, data source, preprocessing step or any other "
    "class that a config can name"
)


def run_plugins(files: Sequence[PluginFile]) -> Additions:
    """Run files in order and return what they define; Keras must be started.

    Classes of Keras are registered for saving under their own names, where the file has not done
    so itself.

    Raises:
        PluginError: A file fails, defines nothing, or something that a config cannot name; says
            where.
    """
    additions.use(None)
    entries: dict[tuple[KerasKind, str], CatalogueEntry] = {}
    members: dict[tuple[str, str], type[Component]] = {}
    for file in files:
        before = len(entries) + len(members)
        for name, value in _defined(_run(file)):
            if isinstance(value, type) and issubclass(value, Component):
                _add_member(file, value, members)
            else:
                _add_entries(file, name, value, entries)
        if len(entries) + len(members) == before:
            raise PluginError(file, f"{display_path(file.path)}: {NOTHING}")
    return Additions(entries, members)


def _run(file: PluginFile) -> types.ModuleType:
    """Run a file's bytes, those that are hashed and kept, as a module."""
    shown = display_path(file.path)
    try:
        code = compile(file.content, str(file.path), "exec")
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise PluginError(file, f"{shown}{line}: {type(error).__name__}: {message}") from error
    module = types.ModuleType(f"{MODULE}.{file.path.stem}")
    module.__file__ = str(file.path)
    # Where types are written as text, pydantic looks them up here.
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
    # Whatever the file raises is a fault of the file.
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(file.path)]
        where = f"{shown}:{lines[-1]}" if lines else shown
        raise PluginError(file, f"{where}: {type(error).__name__}: {error}") from error
    return module


def _defined(module: types.ModuleType) -> Iterator[tuple[str, Any]]:
    """The classes and functions of a module that are its own."""
    for name, value in list(vars(module).items()):
        own = getattr(value, "__module__", None) == module.__name__
        if own and not name.startswith("_") and not inspect.isabstract(value):
            yield name, value


def _add_member(
    file: PluginFile, cls: type[Component], members: dict[tuple[str, str], type[Component]]
) -> None:
    bases = {f"{base.__module__}.{base.__name__}" for base in cls.__mro__}
    family: Family | None = next((f for f in FAMILIES if f.base in bases), None)
    if family is None:
        return
    name = snake_case(cls.__name__)
    if name in family.own_names():
        raise _clash(file, cls, name, f"a {family.title} of dlrun")
    if (family.package, name) in members:
        raise _clash(file, cls, name, f"a {family.title} of another plugin")
    cls.plugin_name = name
    members[family.package, name] = cls


def _add_entries(
    file: PluginFile, name: str, value: Any, entries: dict[tuple[KerasKind, str], CatalogueEntry]
) -> None:
    for kind in _kinds(value):
        if catalogue.entry(kind, name) is not None:
            raise _clash(file, value, name, f"{TITLES[kind]} of Keras or of dlrun")
        if (kind, name) in entries:
            raise _clash(file, value, name, f"{TITLES[kind]} of another plugin")
        _check(file, kind, value)
        entries[kind, name] = _entry(kind, name, value)
        _register(value)


def _kinds(value: Any) -> list[KerasKind]:
    """What a config may use a class or function as."""
    if inspect.isfunction(value):
        if list(inspect.signature(value).parameters)[:2] != ["y_true", "y_pred"]:
            return []
        return ["loss", "metric"] if hasattr(value, "direction") else ["loss"]
    if not isinstance(value, type):
        return []
    return [kind for kind in BASES if issubclass(value, _base(kind))]


def _base(kind: KerasKind) -> type:
    base: type = getattr(importlib.import_module(catalogue.NAMESPACES[kind]), BASES[kind])
    return base


def _check(file: PluginFile, kind: KerasKind, value: Any) -> None:
    """Refuse what could not be used later on."""
    if kind in ("layer", "metric"):
        known = {argument.name for argument in signature_arguments(value, "layer")}
        if "name" not in known and not catalogue.takes_keywords(value):
            raise _problem(
                file,
                value,
                f"{value.__name__}.__init__ takes no `name`, which every {kind} has; take **kwargs "
                "and hand them on: super().__init__(**kwargs)",
            )
    if kind == "metric" and own_direction(value) is None:
        raise _problem(
            file,
            value,
            f'{value.__name__} does not say which way is better; add `direction = "max"`, or '
            '"min", to it',
        )


def own_direction(metric: Any) -> Literal["min", "max"] | None:
    """Return which way a user's metric or loss is better: what it says itself, or what the class
    of Keras that it is derived from means; None where nothing tells."""
    direction = getattr(metric, "direction", None)
    if direction is None and isinstance(metric, type):
        known = (direction_of_class(base.__name__) for base in metric.__mro__)
        direction = next(filter(None, known), None)
    return direction if direction in ("min", "max") else None


def _entry(kind: KerasKind, name: str, value: Any) -> CatalogueEntry:
    summary = catalogue.summary_of(value)
    if inspect.isfunction(value):
        return CatalogueEntry(kind, name, summary=summary, implementation=value)
    types_by_name = _types(value)
    arguments = [
        argument
        if argument.accepts
        else replace(argument, accepts=accepted_by(types_by_name.get(argument.name, Any)))
        for argument in signature_arguments(value, kind)
    ]
    if catalogue.takes_keywords(value):
        # What the class hands on to its base.
        own = {argument.name for argument in arguments}
        common = catalogue.common_arguments(kind)
        if kind != "layer":
            base = signature_arguments(_base(kind), kind)
            common = tuple(replace(one, required=False, common=True) for one in base)
        arguments += [argument for argument in common if argument.name not in own]
    return CatalogueEntry(
        kind,
        name,
        arguments=tuple(arguments),
        summary=summary,
        call=catalogue.call_arguments(value) if kind == "layer" else (),
        implementation=value,
    )


def _types(cls: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls.__init__)
    # Types imported only for a type checker cannot be resolved.
    except (NameError, TypeError, AttributeError):
        return {}


def _register(value: Any) -> None:
    """Let Keras find the class when a model with it is loaded."""
    import keras

    saves = inspect.isfunction(value) or hasattr(value, "get_config")
    if saves and keras.saving.get_registered_name(value) == value.__name__:
        keras.saving.register_keras_serializable()(value)


def _clash(file: PluginFile, value: Any, name: str, what: str) -> PluginError:
    return _problem(file, value, f"'{name}' is the name of {what} already; choose another name")


def _problem(file: PluginFile, value: Any, message: str) -> PluginError:
    """An error with the line where a class or function begins."""
    word = "def" if inspect.isfunction(value) else "class"
    lines = file.content.decode("utf-8", "replace").splitlines()
    start = (i for i, line in enumerate(lines, 1) if line.startswith(f"{word} {value.__name__}"))
    line = next(start, None)
    return PluginError(file, f"{display_path(file.path)}{f':{line}' if line else ''}: {message}")
