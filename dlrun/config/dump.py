"""A config as plain data again, with every default filled in."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from dlrun.config.keras_components import dump_component
from dlrun.registry.component import Component, Section
from dlrun.registry.keras_component import KerasComponent

if TYPE_CHECKING:
    from dlrun.config.schema import Architecture, Config, LayerEntry


def dump_config(config: Config) -> dict[str, Any]:
    """Return what `Config.dump` promises, keys in the order of the config language."""
    dataset, protocol = config.dataset, config.evaluation.protocol
    return {
        "name": config.name,
        "seed": config.seed,
        "backend": config.backend or os.environ.get("KERAS_BACKEND") or "tensorflow",
        **({"plugins": list(config.plugins)} if config.plugins else {}),
        "dataset": {"source": dataset.member_name(), **_options(dataset)},
        "preprocess": _steps(config),
        **({"augment": _plain(config.augment)} if config.augment else {}),
        **({"blocks": _blocks(config)} if config.blocks else {}),
        "architecture": _architecture(config.architecture),
        "loss": _by_output(config, [dump_component(o.loss) for o in config.outputs]),
        **({"loss_weights": dict(config.loss_weights)} if config.loss_weights else {}),
        "optimizer": dump_component(config.optimizer),
        "metrics": _by_output(
            config, [[dump_component(m) for m in o.metrics] for o in config.outputs]
        ),
        "training": _options(config.training),
        "evaluation": {
            "protocol": protocol.member_name(),
            **_options(protocol),
            "score": config.evaluation.score,
        },
        **({"ignore": list(config.ignore)} if config.ignore else {}),
    }


def _by_output(config: Config, values: Sequence[Any]) -> Any:
    """What each output has, by its name; of the only one without."""
    if len(values) == 1:
        return values[0]
    return {output.name: value for output, value in zip(config.outputs, values, strict=True)}


def _steps(config: Config) -> list[Any]:
    steps = [_step(step) for step in config.preprocess]
    if config.target_steps:
        steps.append({"targets": [_step(step) for step in config.target_steps]})
    return steps


def _step(step: Component) -> Any:
    options = _options(step)
    return {step.member_name(): options} if options else step.member_name()


def _blocks(config: Config) -> dict[str, Any]:
    """The blocks as they are written: what is in them depends on their parameters."""
    return {
        name: {key: value for key, value in _options(block).items() if value and key != "path"}
        for name, block in config.blocks.items()
    }


def _architecture(architecture: Architecture) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if architecture.inputs:
        given["inputs"] = {name: _bare(names) for name, names in architecture.inputs.items()}
    given["layers"] = [_layer(entry) for entry in architecture.layers]
    if architecture.outputs:
        given["outputs"] = _bare(architecture.outputs)
    return given


def _bare(names: list[str]) -> str | list[str]:
    """One name alone, or several as a list."""
    return names[0] if len(names) == 1 else list(names)


def _layer(entry: LayerEntry) -> Any:
    beside: dict[str, Any] = {}
    if entry.name is not None:
        beside["name"] = entry.name
    if entry.inputs:
        beside["from"] = _bare(entry.inputs)
    if entry.repeat > 1:
        beside["repeat"] = entry.repeat
    if entry.vectors is not None:
        beside["vectors"] = _options(entry.vectors) if entry.vectors.column else entry.vectors.path
    given = _called(entry)
    if not beside:
        return given
    return {**({given: {}} if isinstance(given, str) else given), **beside}


def _called(entry: LayerEntry) -> Any:
    """What an entry names, without what stands beside it."""
    if entry.layer is not None:
        return dump_component(entry.layer)
    if entry.block is not None:
        parameters = copy.deepcopy(entry.block.parameters)
        return {entry.block.name: parameters} if parameters else entry.block.name
    if entry.application is not None:
        return {"application": dump_component(entry.application)}
    if entry.run is not None:
        return {"run": _options(entry.run) if entry.run.until else entry.run.path}
    return {"use": entry.use}


def _options(section: Section) -> dict[str, Any]:
    """The values of a section; a null that is the default says nothing and is left out."""
    options = {}
    for name in section.own_options():
        value = getattr(section, name)
        if value is not None or type(section).model_fields[name].default is not None:
            options[name] = _plain(value)
    return options


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return _options(value)
    if isinstance(value, KerasComponent):
        return dump_component(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return cast(Any, value)
