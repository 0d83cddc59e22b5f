"""A config as plain data again, with every default filled in."""

from __future__ import annotations

import copy
import os
import types
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from dlrun.config.document import NOWHERE, node_of
from dlrun.config.fields import ChosenBy, Member, OneOrMany, unpacked
from dlrun.config.grammar import layers_shape, shapes_of
from dlrun.config.keras_components import dump_component
from dlrun.config.model_schema import Block, LayerEntry
from dlrun.config.schema import Config, Experiment
from dlrun.config.shapes import NO_NAMES, Arguments, Items, Keys, Named, Shape, canonical_value
from dlrun.registry.component import Component, Section
from dlrun.registry.keras_component import KerasComponent

ALWAYS_DUMPED = ("preprocess", "metrics")
"""Keys that `resolved.yaml` holds where they are empty, too."""


def dump_experiment(experiment: Experiment) -> dict[str, Any]:
    """Return a config of any task as plain data, as `dump_config` does."""
    if isinstance(experiment, Config):
        return dump_config(experiment)
    given = {**_options(experiment), "backend": _backend(experiment)}
    return {key: value for key, value in given.items() if value not in (None, [], {})}


def _backend(experiment: Experiment) -> str:
    return experiment.backend or os.environ.get("KERAS_BACKEND") or "tensorflow"


def dump_config(config: Config) -> dict[str, Any]:
    """Return the whole config as plain data, every default filled in, keys in the order of the
    config language: what `resolved.yaml` holds.

    Paths are absolute, so that it can be run from anywhere; `null` options that are null by
    default are left out.
    """
    several = len(config.outputs) > 1
    losses = {output.name: dump_component(output.loss) for output in config.outputs}
    metrics = {output.name: _dump(output.metrics) for output in config.outputs}
    steps = _dump(config.preprocess)
    if config.target_steps:
        steps.append({"targets": _dump(config.target_steps)})
    given = {
        **_options(config),
        "backend": _backend(config),
        "preprocess": steps,
        "loss": losses if several else losses[config.outputs[0].name],
        "metrics": metrics if several else metrics[config.outputs[0].name],
    }
    return {
        key: given[key]
        for key in Config.options()
        if key in ALWAYS_DUMPED or given.get(key) not in (None, [], {})
    }


def _options(section: Section) -> dict[str, Any]:
    """The values of a section; a null that is the default says nothing and is left out."""
    options: dict[str, Any] = {}
    own = section.own_options()
    for key, field in type(section).options().items():
        if key not in own:
            continue
        name = next(n for n, each in type(section).model_fields.items() if each is field)
        value, default = getattr(section, name), field.get_default(call_default_factory=True)
        if value == default and (default is None or not type(section).dumps_defaults):
            continue
        marks = unpacked(field.metadata)
        chosen = next((mark for mark in marks if isinstance(mark, ChosenBy)), None)
        if chosen is None:
            dumped = _dump(value, field.annotation, marks)
            if dumped is None or dumped != _default_member(field.annotation):
                options[key] = dumped
        else:
            component = {chosen.key: value.member_name(), **_options(value)}
            options |= component if chosen.key == key else {key: component}
    return options


def _default_member(annotation: Any) -> str | None:
    """The name of the component that stands for a missing key."""
    marks = [mark for branch in get_args(annotation) for mark in unpacked(get_args(branch)[1:])]
    return next((mark.default for mark in marks if isinstance(mark, Member)), None)


def _dump(value: Any, annotation: Any = None, marks: Sequence[Any] = ()) -> Any:
    """A value as plain data; its type tells whether a single one stands for a list."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next((b for b in get_args(annotation) if _is_of(b, value)), annotation)
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        marks = [*marks, *unpacked(more)]
    inner = (get_args(annotation) or (None,))[-1]
    if isinstance(value, KerasComponent):
        return dump_component(value)
    if isinstance(value, LayerEntry):
        return _layer(value)
    if isinstance(value, Block):
        return _block(value)
    if isinstance(value, Component):
        options = _options(value)
        return {value.member_name(): options} if options else value.member_name()
    if isinstance(value, Section):
        options, bare = _options(value), value.bare_option
        return options[bare] if bare is not None and list(options) == [bare] else options
    if isinstance(value, list):
        dumped = [_dump(each, inner) for each in value]
        alone = any(isinstance(mark, OneOrMany) and mark.dumped_alone for mark in marks)
        return dumped[0] if alone and len(dumped) == 1 else dumped
    if isinstance(value, dict):
        return {key: _dump(each, inner) for key, each in value.items()}
    return copy.deepcopy(value)


def _is_of(branch: Any, value: Any) -> bool:
    """Whether a list or mapping is of the kind that a branch of a type allows."""
    if get_origin(branch) is Annotated:
        branch = get_args(branch)[0]
    return isinstance(value, list | dict) and get_origin(branch) is type(value)


def _layer(entry: LayerEntry) -> Any:
    beside = _options(entry)
    if entry.layer is not None:
        called = dump_component(entry.layer)
    elif entry.block is not None:
        parameters = copy.deepcopy(entry.block.parameters)
        called = {entry.block.name: parameters} if parameters else entry.block.name
    else:
        return beside
    if not beside:
        return called
    return {**({called: {}} if isinstance(called, str) else called), **beside}


def _block(block: Block) -> dict[str, Any]:
    """A block as it is written: what is in it depends on its parameters."""
    layers = [shortest(layer, layers_shape(NO_NAMES).below(0, NO_NODE)) for layer in block.layers]
    return {**_options(block), "layers": layers}


NO_NODE = node_of(None, NOWHERE)


def shortest_entry(config: Config, key: str) -> Any:
    """Return what a config holds under a top-level key, in the shortest spelling; None where it
    holds nothing there."""
    given = (config.document.root.mapping or {}).get(key)
    return None if given is None else shortest(given.plain(), shapes_of(Config)[key])


def shortest(value: Any, shape: Shape) -> Any:
    """Return canonical plain data in the shortest spelling that means the same."""
    node = node_of(value, NOWHERE)
    if isinstance(value, list):
        value = [shortest(each, shape.below(index, node)) for index, each in enumerate(value)]
        return value[0] if isinstance(shape, Items) and shape.alone and len(value) == 1 else value
    if not isinstance(value, dict):
        return value
    value = {key: shortest(each, shape.below(key, node)) for key, each in value.items()}
    if len(value) != 1:
        return value
    [(key, inside)] = value.items()
    bare = isinstance(shape, Keys) and key == shape.section.bare_option
    if isinstance(shape, Arguments):
        bare = canonical_value(inside, shape) == canonical_value({key: inside}, shape)
    if bare:
        return inside
    return key if isinstance(shape, Named) and inside == {} and key not in shape.beside else value
