"""Reading the layers of an architecture and of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dlrun.config.blocks import substituted
from dlrun.config.document import Reporter
from dlrun.config.grammar import layers_shape
from dlrun.config.graph import layer_graph
from dlrun.config.keras_components import read_component
from dlrun.config.layer_calls import INPUT, LayerCall, LayerGraph
from dlrun.config.limits import how_to_raise, limit
from dlrun.config.messages import found, list_of
from dlrun.config.model_schema import Architecture, Block, BlockCall, LayerEntry
from dlrun.config.sections import SectionReader
from dlrun.config.shapes import Names, canonical_value
from dlrun.config.unknown_keys import UnknownKeys
from dlrun.config.validation import validate
from dlrun.errors import KeyPath
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent
from dlrun.registry.names import closest, did_you_mean
from dlrun.text import counted, listed


@dataclass(frozen=True)
class Scope:
    """Where a list of layers is.

    Args:
        report: Takes the problems.
        blocks: The blocks of the config.
        within: The blocks that the list is in, the outermost first.
        sizes: Layers of each sound block by its name and parameters, so that it is read once.
        faulty: Other blocks, with the places of their parameters.
    """

    report: Reporter
    blocks: Mapping[str, Block]
    within: tuple[str, ...] = ()
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)
    faulty: set[tuple[str, str]] = field(default_factory=set)

    def size(self, entries: Sequence[LayerEntry], place: KeyPath) -> int:
        """Return how many layers entries come to; reports too many."""
        total, most = 0, limit("layers")
        for entry in entries:
            block = entry.block and _key(entry.block.name, entry.block.parameters)
            total += entry.repeat * (self.sizes.get(block, 1) if block else 1)
            if total > most:
                what = f"from here on, the model has more than {most:,} layers"
                hint = how_to_raise("layers", 2 * most)
                self.report(entry.path or place, f"{what} (blocks and `repeat`)", hint=hint)
                break
        return total


def _key(name: str, parameters: Mapping[str, Any]) -> tuple[str, str]:
    return name, repr(parameters)


class _Moved(Reporter):
    """Reports what is wrong with a parameter's value where the value is given.

    Args:
        report: Takes the problems.
        places: From a path inside the block to the path of the value that is put there.
    """

    def __init__(self, report: Reporter, places: Mapping[KeyPath, KeyPath]) -> None:
        super().__init__()
        self.root = report.root
        self._inner = report
        self._places = places

    def __call__(self, path: KeyPath, message: str, **details: Any) -> None:
        self._inner(self._moved(path), message, **details)

    def given_at(self, path: KeyPath) -> KeyPath:
        return self._inner.given_at(self._moved(path))

    def _moved(self, path: KeyPath) -> KeyPath:
        for length in range(len(path), 0, -1):
            if (given := self._places.get(path[:length])) is not None:
                return (*given, *path[length:])
        return path

    def repeated(self) -> None:
        self._inner.repeated()

    def __len__(self) -> int:
        return len(self._inner)


def read_architecture(
    value: Any, blocks: Mapping[str, Block], report: Reporter
) -> Architecture | None:
    """Read `architecture`.

    Args:
        value: As the config gives it, canonical.
        blocks: The blocks of the config.
        report: Takes the problems.

    Returns:
        The architecture; its `inputs` are all named unless there is one input of all columns.
    """
    if not isinstance(value, dict):
        hint = "put the layers under `layers:`" if isinstance(value, list) else None
        report.wrong(("architecture",), value, "a mapping with 'layers'", hint)
        return None
    before, values = len(report), {k: v for k, v in value.items() if v is not None or k == "layers"}
    if "layers" in values:
        scope, place = Scope(report, blocks), ("architecture", "layers")
        values["layers"] = read_layers(values["layers"], place, scope)
        scope.size(values["layers"], place)
    unknown = UnknownKeys(report, "architecture", list(Architecture.options()))
    reported = ["layers"] if len(report) > before else []
    architecture = validate(
        Architecture, values, ("architecture",), report, unknown=unknown, reported=reported
    )
    if architecture is None or len(report) > before:
        return None
    names = layer_graph(architecture, blocks, report).inputs
    if not architecture.inputs and names != (INPUT,):
        inputs = {name: [name] for name in names}
        architecture = architecture.model_copy(update={"inputs": inputs})
    return architecture if len(report) == before else None


def read_layers(value: Any, path: KeyPath, scope: Scope) -> list[LayerEntry]:
    """Read a list of layers; a problem with one leaves that one out."""
    if not isinstance(value, list) or not value:
        scope.report.wrong(path, value, list_of("layer"))
        return []
    read = [_read_layer(entry, (*path, index), scope) for index, entry in enumerate(value)]
    return [entry for entry in read if entry is not None]


def block_body(call: BlockCall, blocks: Mapping[str, Block]) -> Architecture:
    """Return what a block is made of, with the values of its parameters.

    Args:
        call: The block's name and parameters, as a config that was read has them.
        blocks: The blocks of that config.
    """
    body = _body(blocks[call.name], call.parameters, Scope(Reporter(), blocks), call.places)
    assert body is not None
    return body


def check_blocks(blocks: Mapping[str, Block], report: Reporter) -> None:
    """Report what is wrong in blocks whose parameters all have defaults, used or not."""
    scope = Scope(report, blocks)
    for name, block in blocks.items():
        if None not in block.parameters.values():
            places = {key: (*block.path, "parameters", key) for key in block.parameters}
            _body(block, block.parameters, replace(scope, within=(name,)), places)


def _body(
    block: Block,
    parameters: Mapping[str, Any],
    scope: Scope,
    places: Mapping[str, KeyPath] | None = None,
) -> Architecture | None:
    """The block with these parameters; `places` says where each value is given."""
    before, path = len(scope.report), (*block.path, "layers")
    layers, put = substituted(block.layers, parameters, path, scope.report)
    moved = _Moved(scope.report, {at: places[name] for at, name in put.items()} if places else {})
    if len(scope.report) > before:
        return None
    first = {name: next(iter(each.parameters), None) for name, each in scope.blocks.items()}
    names = Names(first=tuple((name, key) for name, key in first.items() if key is not None))
    layers = canonical_value(layers, layers_shape(names))
    moved_scope = replace(scope, report=moved)
    entries = read_layers(layers, path, moved_scope)
    size = moved_scope.size(entries, path)
    if len(scope.report) > before:
        return None
    outputs = {"outputs": block.outputs} if block.outputs else {}
    inputs = {name: [name] for name in block.inputs}
    body = Architecture(inputs=inputs, layers=entries, path=block.path, **outputs)
    layer_graph(body, scope.blocks, moved)
    if len(scope.report) == before:
        scope.sizes[_key(str(block.path[-1]), parameters)] = size
    return body


def _read_layer(given: Any, path: KeyPath, scope: Scope) -> LayerEntry | None:
    """Read one entry: a layer, block or model, and beside it `name`, `from` and what else may be
    there."""
    report, before = scope.report, len(scope.report)
    if not isinstance(given, dict):
        read_component("layer", given, path, report)
        return None
    keys = LayerEntry.options()
    values = {key: value for key, value in given.items() if key in keys}
    called = {key: value for key, value in given.items() if key not in keys}
    values = {k: v for k, v in values.items() if v is not None or k in LayerEntry.models}
    filled_in: dict[str, Any] = {}
    if models := [key for key in given if key in LayerEntry.models]:
        if others := [*models[1:], *called]:
            message = f"an entry cannot be both '{models[0]}' and '{others[0]}'"
            report((*path, others[0]), message, on_key=True)
            return None
        filled_in["file_at"] = report.given_at(_file_at(models[0], given[models[0]], path))
    elif not called:
        expected = "the name of a layer, alone or with its arguments"
        report(path, "this entry does not name a layer", expected=expected)
    elif (block := next((name for name in called if name in scope.blocks), None)) is not None:
        filled_in["block"] = _read_call(block, called, path, scope)
    elif not _report_wrapped(called, path, scope) and not _report_near_block(called, path, scope):
        filled_in["layer"] = read_component("layer", called, path, report)
    entry = SectionReader(report).section(LayerEntry, values, path, filled_in=filled_in)
    if entry is None or len(report) > before:
        return None
    _check_beside(entry, scope)
    return entry if len(report) == before else None


def _file_at(model: str, value: Any, path: KeyPath) -> KeyPath:
    """Where the run, or the file of weights, is named that an entry is made from."""
    inside: dict[str, KeyPath] = {"run": ("path",)}
    if model == "application" and isinstance(value, dict) and len(value) == 1:
        inside["application"] = (*value, "weights")
    return (*path, model, *inside.get(model, ()))


def _check_beside(entry: LayerEntry, scope: Scope) -> None:
    """Report what does not go together in one entry."""
    report = scope.report
    inside = entry.layer.arguments.get("name") if entry.layer else None
    if entry.name is not None and inside not in (None, entry.name):
        message = "this layer has two names"
        report((*entry.path, "name"), message, hint="remove one of them")
    if entry.vectors is not None:
        _check_vectors(entry, scope)
    if entry.repeat > 1 and entry.use is not None:
        message = "'repeat' cannot be combined with 'use'"
        hint = "`use` reuses one layer's weights; `repeat` makes new weights each time"
        report((*entry.path, "repeat"), message, hint=hint, on_key=True)
    elif entry.repeat > 1 and len(entry.sources) > 1:
        message = f"a repeated layer takes one input, but `from` names {len(entry.sources)}"
        report((*entry.path, "from"), message)
    block = scope.blocks.get(entry.block.name) if entry.block else None
    by_name = isinstance(entry.inputs, dict)
    if entry.block and block and not by_name and len(block.inputs) != max(1, len(entry.inputs)):
        count, given = len(block.inputs), max(1, len(entry.inputs))
        named = f"`from` names {given}" if entry.inputs else "the layer above gives one"
        report(
            (*entry.path, "from") if entry.inputs else entry.path,
            f"the block '{entry.block.name}' takes {counted(count, 'input')} "
            f"({listed(block.inputs)}), but {named}",
        )


def _check_vectors(entry: LayerEntry, scope: Scope) -> None:
    """Report word vectors anywhere but beside an Embedding that is used once."""
    place, title = (*entry.path, "vectors"), "'vectors' belongs to an Embedding"
    if entry.layer is None or entry.layer.name != "Embedding":
        scope.report(place, title, on_key=True)
    elif entry.repeat > 1 or scope.within:
        where = "inside a block" if scope.within else "with `repeat`"
        hint = "write the Embedding under `architecture`, and call it again by `use`"
        scope.report(place, f"{title} that is used once, not {where}", hint=hint, on_key=True)


def _report_near_block(given: Mapping[Any, Any], path: KeyPath, scope: Scope) -> bool:
    """Report an unknown name that is near to that of a block, and to no layer's."""
    word = next(iter(given))
    if not isinstance(word, str) or catalogue.entry("layer", word) or not scope.blocks:
        return False
    near = closest(word, [*scope.blocks, *catalogue.spellings("layer")])
    if near not in scope.blocks:
        return False
    message = f"unknown layer or block '{word}'; did you mean '{near}'?"
    scope.report((*path, word), message, on_key=True)
    return True


def _report_wrapped(given: Mapping[Any, Any], path: KeyPath, scope: Scope) -> bool:
    """Report a wrapper, such as TimeDistributed, of something else than a layer of Keras."""
    if len(given) != 1:
        return False
    [(word, value)] = given.items()
    known = catalogue.entry("layer", word) if isinstance(word, str) else None
    if known is None or known.first is None or "layer" not in known.first.component_kinds:
        return False
    place: KeyPath = (*path, word)
    if isinstance(value, dict) and known.first.name in value:
        place, value = (*place, known.first.name), value[known.first.name]
    for name in value if isinstance(value, dict) else ():
        if name in scope.blocks or name in LayerEntry.models:
            is_block = name in scope.blocks
            what = "a block" if is_block else f"`{name}`"
            scope.report(
                (*place, name),
                f"{word} wraps a Keras layer, not {what}",
                hint="wrap the layers of the block one by one" if is_block else None,
                on_key=True,
            )
            return True
    return False


def _read_call(
    name: str, given: Mapping[Any, Any], path: KeyPath, scope: Scope
) -> BlockCall | None:
    """Read the use of a block, and look at the block with these parameters."""
    report, block = scope.report, scope.blocks[name]
    before, place, value = len(report), (*path, name), given[name]
    if others := [key for key in given if key != name]:
        hint = f"write {name}: {{...}} around it"
        message = f"indent '{others[0]}' under '{name}'"
        report((*path, others[0]), message, hint=hint, on_key=True)
        return None
    if name in scope.within:
        chain = " > ".join([*scope.within[scope.within.index(name) :], name])
        report(place, f"the block '{name}' contains itself ({chain})", on_key=True)
        return None
    if not isinstance(value, dict):
        report(place, f"the block '{name}' takes no value", found=found(value))
        return None
    known = list(block.parameters)
    for key in value:
        if key not in known:
            near = did_you_mean(str(key), known)
            message = f"unknown parameter '{key}' of the block '{name}'{near}"
            expected = listed(known, "or") or "no parameter at all"
            report((*place, key), message, expected=expected, on_key=True)
    missing = [key for key in known if block.parameters[key] is None and key not in value]
    if missing and len(report) == before:
        message = f"the block '{name}' needs {' and '.join(repr(key) for key in missing)}"
        report(place, message, on_key=True)
    if len(report) > before:
        return None
    parameters = {**block.parameters, **value}
    places = {
        key: (*place, key) if key in value else (*block.path, "parameters", key) for key in known
    }
    here = name, f"{parameters} {places}"
    if _key(name, parameters) not in scope.sizes:
        if here in scope.faulty:
            report.repeated()
        else:
            _body(block, parameters, replace(scope, within=(*scope.within, name)), places)
    if len(report) > before:
        scope.faulty.add(here)
        return None
    given_at = {key: report.given_at(place) for key, place in places.items()}
    return BlockCall(name=name, parameters=parameters, places=given_at)


@dataclass(frozen=True)
class PlainLayer:
    """A layer of Keras in the config.

    Args:
        layer: The layer and its arguments.
        path: Where its entry is.
    """

    layer: KerasComponent
    path: KeyPath


def every_layer(architecture: Architecture, blocks: Mapping[str, Block]) -> list[PlainLayer]:
    """Return the layers of Keras from top to bottom; those of a block that is used with several
    values of its parameters come once for each."""
    return [
        layer
        for graph in every_graph(architecture, blocks)
        for node in graph.nodes
        if node.number == 0 and (layer := plain(node)) is not None
    ]


def every_graph(architecture: Architecture, blocks: Mapping[str, Block]) -> Iterator[LayerGraph]:
    """Yield the architecture, and then what each block in it is made of."""
    waiting, seen = [architecture], list[tuple[str, dict[str, object]]]()
    while waiting:
        current = waiting.pop(0)
        yield layer_graph(current, blocks)
        for entry in current.layers:
            if entry.block is None or (entry.block.name, entry.block.parameters) in seen:
                continue
            seen.append((entry.block.name, entry.block.parameters))
            waiting.append(block_body(entry.block, blocks))


def plain(node: LayerCall) -> PlainLayer | None:
    """Return the layer of Keras that a node is; None where it is something else."""
    layer = node.entry.layer
    return None if layer is None else PlainLayer(layer, node.entry.path)
