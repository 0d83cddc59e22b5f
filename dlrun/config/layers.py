"""Reading the entries of a list of layers, those of blocks included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dlrun.config.blocks import names_in, substituted
from dlrun.config.graph import layer_graph
from dlrun.config.keras_components import read_named
from dlrun.config.messages import found
from dlrun.config.report import Reporter
from dlrun.config.schema import Architecture, Block, BlockCall, LayerEntry, TrainedRun, Vectors
from dlrun.config.validation import validate
from dlrun.errors import KeyPath
from dlrun.registry import catalogue
from dlrun.registry.names import closest, did_you_mean
from dlrun.text import counted, listed

BESIDE = ("name", "from", "repeat", "vectors")
"""Keys beside what an entry names."""

MODELS = ("use", "application", "run")
"""Keys that name something else than a layer or a block."""


@dataclass(frozen=True)
class Scope:
    """Where a list of layers stands.

    Args:
        report: Takes the problems.
        blocks: The blocks of the config.
        within: The blocks that the list stands in, the outermost first.
    """

    report: Reporter
    blocks: Mapping[str, Block]
    within: tuple[str, ...] = ()


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

    def __len__(self) -> int:
        return len(self._inner)


def read_layers(value: Any, path: KeyPath, scope: Scope) -> list[LayerEntry]:
    """Read a list of layers; a problem with one leaves that one out."""
    if not isinstance(value, list) or not value:
        scope.report(
            path,
            "wrong value for 'layers'",
            expected="a list of layers, each on a line that begins with '- '",
            found=found(value),
        )
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
    for name, block in blocks.items():
        if name in (*BESIDE, *MODELS):
            message = f"a block cannot be named '{name}': it is a key of a layer"
            report(block.path, message, on_key=True)
        if None not in block.parameters.values():
            places = {key: (*block.path, "parameters", key) for key in block.parameters}
            _body(block, block.parameters, Scope(report, blocks, (name,)), places)


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
    entries = read_layers(layers, path, replace(scope, report=moved))
    if len(scope.report) > before:
        return None
    inputs: dict[str, list[str]] = {name: [] for name in block.inputs}
    body = Architecture(inputs=inputs, layers=entries, outputs=block.outputs, path=block.path)
    layer_graph(body, scope.blocks, moved)
    return body


def _read_layer(given: Any, path: KeyPath, scope: Scope) -> LayerEntry | None:
    """Read one entry: a layer, block or model, and beside it `name`, `from` and `repeat`."""
    report, beside = scope.report, dict[Any, Any]()
    before = len(report)
    if isinstance(given, dict):
        beside = {key: value for key, value in given.items() if key in BESIDE}
        given = {key: value for key, value in given.items() if key not in BESIDE}
    read: dict[str, Any] = {"path": path, **_read_beside(beside, path, report)}
    if not given and beside:
        if len(report) == before:
            expected = "the name of a layer, alone or with its arguments"
            report(path, "this entry names no layer", expected=expected)
        return None
    models = [key for key in MODELS if isinstance(given, dict) and key in given]
    if models:
        others = [key for key in given if key != models[0]]
        if others:
            message = f"'{others[0]}' stands beside '{models[0]}': an entry is one of them"
            report((*path, others[0]), message, on_key=True)
            return None
        read[models[0]] = _read_model(models[0], given[models[0]], (*path, models[0]), report)
        inside = {"run": ("path",), "application": (*_only(given[models[0]]), "weights")}
        file = (*path, models[0], *inside.get(models[0], ()))
        read["file_at"] = report.given_at(file)
    elif (block := _block_named(given, scope.blocks)) is not None:
        read["block"] = _read_call(block, given, path, scope)
    elif not _report_wrapped(given, path, scope) and not _report_near_block(given, path, scope):
        read["layer"] = read_named("layer", given, path, report)
    if len(report) > before:
        return None
    entry = LayerEntry(**read)
    _check_beside(entry, scope)
    return entry if len(report) == before else None


def _read_beside(beside: Mapping[Any, Any], path: KeyPath, report: Reporter) -> dict[str, Any]:
    read: dict[str, Any] = {}
    if (name := beside.get("name")) is not None:
        if not (isinstance(name, str) and name and "/" not in name):
            expected = "text without '/'"
            report((*path, "name"), "wrong value for 'name'", expected=expected, found=found(name))
        read["name"] = name
    if beside.get("from") is not None:
        read["inputs"] = names_in(beside["from"], (*path, "from"), report)
    if (repeat := beside.get("repeat")) is not None:
        if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1:
            where, expected = (*path, "repeat"), "an integer at least 1"
            report(where, "wrong value for 'repeat'", expected=expected, found=found(repeat))
        read["repeat"] = repeat
    if (vectors := beside.get("vectors")) is not None:
        read["vectors"] = _read_vectors(vectors, (*path, "vectors"), report)
    return read


def _read_vectors(value: Any, path: KeyPath, report: Reporter) -> Vectors | None:
    if isinstance(value, dict):
        return validate(Vectors, value, path, report)
    if not isinstance(value, str) or not value:
        expected = "the path of a file of word vectors, or a mapping with 'path' and 'column'"
        report(path, "wrong value for 'vectors'", expected=expected, found=found(value))
        return None
    return Vectors(path=value)


def _check_beside(entry: LayerEntry, scope: Scope) -> None:
    """Report what does not go together in one entry."""
    report = scope.report
    inside = entry.layer.arguments.get("name") if entry.layer else None
    if entry.name is not None and inside not in (None, entry.name):
        message = "this layer is given two names"
        report((*entry.path, "name"), message, hint="remove one of them")
    if entry.vectors is not None:
        _check_vectors(entry, scope)
    if entry.repeat > 1 and entry.use is not None:
        hint = "`use` calls one layer again; a layer that is repeated has new weights each time"
        report((*entry.path, "repeat"), "'repeat' does not go with 'use'", hint=hint, on_key=True)
    elif entry.repeat > 1 and len(entry.inputs) > 1:
        message = f"a layer that is repeated takes one input, and `from` names {len(entry.inputs)}"
        report((*entry.path, "from"), message)
    block = scope.blocks.get(entry.block.name) if entry.block else None
    if entry.block and block and len(block.inputs) != max(1, len(entry.inputs)):
        count, given = len(block.inputs), max(1, len(entry.inputs))
        named = f"`from` names {given}" if entry.inputs else "the layer above gives one"
        report(
            (*entry.path, "from") if entry.inputs else entry.path,
            f"the block '{entry.block.name}' takes {counted(count, 'input')} "
            f"({listed(block.inputs)}), and {named}",
        )


def _check_vectors(entry: LayerEntry, scope: Scope) -> None:
    """Report word vectors that stand elsewhere than beside an Embedding that is written once."""
    place, title = (*entry.path, "vectors"), "'vectors' stands beside an Embedding"
    if entry.layer is None or entry.layer.name != "Embedding":
        scope.report(place, title, on_key=True)
    elif entry.repeat > 1 or scope.within:
        where = "inside a block" if scope.within else "with `repeat`"
        hint = "write the Embedding under `architecture`, and call it again by `use`"
        scope.report(place, f"{title} that is written once, not {where}", hint=hint, on_key=True)


def _read_model(key: str, value: Any, path: KeyPath, report: Reporter) -> Any:
    """Read what stands under `use`, `application` or `run`."""
    if key == "use":
        if not isinstance(value, str) or not value:
            expected = "the name of a layer or block above"
            report(path, "wrong value for 'use'", expected=expected, found=found(value))
        return value
    if key == "application":
        return read_named("application", value, path, report)
    if isinstance(value, dict):
        return validate(TrainedRun, value, path, report)
    if not isinstance(value, str) or not value:
        expected = "the path of a run directory, or a mapping with 'path' and 'until'"
        report(path, "wrong value for 'run'", expected=expected, found=found(value))
        return None
    return TrainedRun(path=value)


def _block_named(given: Any, blocks: Mapping[str, Block]) -> str | None:
    """The block that an entry names."""
    names = list(given) if isinstance(given, dict) else [given]
    return next((name for name in names if isinstance(name, str) and name in blocks), None)


def _report_near_block(given: Any, path: KeyPath, scope: Scope) -> bool:
    """Report an unknown name that is near to that of a block, and to no layer's."""
    word = next(iter(given), None) if isinstance(given, dict) else given
    if not isinstance(word, str) or catalogue.entry("layer", word) or not scope.blocks:
        return False
    near = closest(word, [*scope.blocks, *catalogue.spellings("layer")])
    if near not in scope.blocks:
        return False
    place = (*path, word) if isinstance(given, dict) else path
    message = f"unknown layer or block '{word}'; did you mean '{near}'?"
    scope.report(place, message, on_key=isinstance(given, dict))
    return True


def _report_wrapped(given: Any, path: KeyPath, scope: Scope) -> bool:
    """Report a wrapper, such as TimeDistributed, of something else than a layer of Keras."""
    if not isinstance(given, dict) or len(given) != 1:
        return False
    [(word, value)] = given.items()
    known = catalogue.entry("layer", word) if isinstance(word, str) else None
    if known is None or known.first is None or "layer" not in known.first.component_kinds:
        return False
    place: KeyPath = (*path, word)
    if isinstance(value, dict) and known.first.name in value:
        place, value = (*place, known.first.name), value[known.first.name]
    names = list(value) if isinstance(value, dict) else [value]
    for name in names:
        if isinstance(name, str) and (name in scope.blocks or name in MODELS):
            is_block = name in scope.blocks
            what = "a block" if is_block else f"`{name}`"
            scope.report(
                (*place, name) if isinstance(value, dict) else place,
                f"{word} wraps a layer of Keras, and this is {what}",
                hint="wrap the layers of the block one by one" if is_block else None,
                on_key=isinstance(value, dict),
            )
            return True
    return False


def _read_call(name: str, given: Any, path: KeyPath, scope: Scope) -> BlockCall | None:
    """Read the use of a block, and look at the block with these parameters."""
    report, block = scope.report, scope.blocks[name]
    before = len(report)
    place = (*path, name) if isinstance(given, dict) else path
    value = given[name] if isinstance(given, dict) else None
    if isinstance(given, dict) and (others := [key for key in given if key != name]):
        hint = f"write {name}: {{...}} around it"
        message = f"'{others[0]}' stands beside '{name}', not inside it"
        report((*path, others[0]), message, hint=hint, on_key=True)
        return None
    if name in scope.within:
        chain = " > ".join([*scope.within[scope.within.index(name) :], name])
        report(place, f"the block '{name}' contains itself ({chain})", on_key=place != path)
        return None
    known, bare = list(block.parameters), value is not None and not isinstance(value, dict)
    if bare and not known:
        report(place, f"the block '{name}' takes no value", found=found(value))
        return None
    values = {known[0]: value} if bare else dict(value or {})
    for key in values:
        if key not in known:
            message = f"unknown parameter '{key}' of the block '{name}'{did_you_mean(key, known)}"
            expected = listed(known, "or") or "no parameter at all"
            report((*place, key), message, expected=expected, on_key=True)
    missing = [key for key in known if block.parameters[key] is None and key not in values]
    if missing and len(report) == before:
        message = f"the block '{name}' needs {' and '.join(repr(key) for key in missing)}"
        report(place, message, on_key=place != path)
    if len(report) > before:
        return None
    parameters = {**block.parameters, **values}
    places = {
        key: (place if bare else (*place, key))
        if key in values
        else (*block.path, "parameters", key)
        for key in known
    }
    _body(block, parameters, replace(scope, within=(*scope.within, name)), places)
    if len(report) > before:
        return None
    given_at = {key: report.given_at(place) for key, place in places.items()}
    return BlockCall(name=name, parameters=parameters, places=given_at)


def _only(value: Any) -> KeyPath:
    """The only key of a mapping."""
    return tuple(value) if isinstance(value, dict) and len(value) == 1 else ()
