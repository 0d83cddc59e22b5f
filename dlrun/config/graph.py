"""Resolving who calls whom in an architecture, and reporting what does not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from dlrun.config.calls import (
    ReportProblem,
    check_arguments,
    check_names,
    check_values,
    lacking,
    outputs_of,
    wrong_count,
)
from dlrun.config.document import Reporter
from dlrun.config.layer_calls import (
    INPUT,
    INPUT_LAYER,
    POSITIONS,
    LayerCall,
    LayerGraph,
    gives,
    owner_of,
)
from dlrun.config.model_schema import Architecture, Block, LayerEntry
from dlrun.errors import KeyPath
from dlrun.registry.names import did_you_mean, snake_case
from dlrun.text import listed, quoted


def layer_graph(
    architecture: Architecture, blocks: Mapping[str, Block], report: ReportProblem | None = None
) -> LayerGraph:
    """Resolve the names of an architecture.

    Args:
        architecture: Its entries. Where it states no inputs, names that no layer has are inputs.
        blocks: The blocks of the config.
        report: Takes what is wrong; None where it was looked at before.
    """
    if report is not None:
        return _Linking(architecture, blocks, report).graph()
    return _known_graph(_Same(architecture), _Same(blocks))


class _Same:
    """Equal for the same object alone: configs are not changed once they are read."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value


@lru_cache(maxsize=16)
def _known_graph(architecture: _Same, blocks: _Same) -> LayerGraph:
    return _Linking(architecture.value, blocks.value, Reporter()).graph()


def given_name(entry: LayerEntry) -> str | None:
    """Return the name that the config gives an entry."""
    return entry.name or (entry.layer.arguments.get("name") if entry.layer else None)


def _given_names(entry: LayerEntry) -> list[str]:
    """The names of an entry's repetitions, where it is given a name."""
    name = given_name(entry)
    if name is None:
        return []
    return [*(f"{name}_{number}" for number in range(1, entry.repeat)), name]


def _place_of(entry: LayerEntry, argument: str, index: int) -> KeyPath:
    """Where a name in `from` is."""
    names = entry.inputs[argument] if isinstance(entry.inputs, dict) else entry.inputs
    numbered = [index] if len(names) > 1 else []
    return (*entry.path, "from", *([argument] if argument else []), *numbered)


class _Linking:
    """Resolves the names of one architecture."""

    def __init__(
        self, architecture: Architecture, blocks: Mapping[str, Block], report: ReportProblem
    ) -> None:
        self._architecture = architecture
        self._blocks = blocks
        self._report = report
        self._stated = tuple(architecture.inputs)
        self._inferred: list[str] = []
        self._nodes: dict[str, LayerCall] = {}
        self._numbers = Counter[str]()
        self._names = self._all_names()

    def graph(self) -> LayerGraph:
        above: str | None = None
        unsourced: list[LayerEntry] = []
        for entry, names in zip(self._architecture.layers, self._names, strict=True):
            named = self._named(entry)
            sources = tuple(name for names in named.values() for name in names)
            if not entry.sources:
                if above is None:
                    unsourced.append(entry)
                sources = () if above is None else (above,)
            calls, by_argument = self._called(entry), not isinstance(entry.inputs, list)
            for number, name in enumerate(names):
                node = LayerCall(name, entry, sources, calls or name, number)
                if by_argument and number == 0:
                    node = self._by_argument(node, named)
                self._nodes[name] = replace(node, outputs=self._outputs_of(node))
                sources = (name,)
            above = names[-1]
        inputs = self._inputs(unsourced)
        nodes = [
            node if node.sources or node.entry.sources else replace(node, sources=inputs[:1])
            for node in self._nodes.values()
        ]
        for node in nodes:
            self._check_sources(node)
        self._check_inputs(nodes)
        return LayerGraph(inputs, tuple(nodes), self._outputs(above))

    def _all_names(self) -> list[list[str]]:
        """The names of each entry's repetitions; the last one bears the name that is given."""
        entries = self._architecture.layers
        taken: set[str] = {INPUT_LAYER, *self._stated}
        for entry in entries:
            for name in _given_names(entry):
                self._check_name(entry, name, taken)
                taken.add(name)
        found = []
        for entry in entries:
            # What is not above is an input, which no layer may be named after.
            taken.update(entry.sources)
            taken.update(name.removesuffix(POSITIONS) for name in entry.sources)
            names = _given_names(entry)
            while len(names) < entry.repeat:
                names.append(self._free_name(self._base(entry), taken))
                taken.add(names[-1])
            found.append(names)
        return found

    def _free_name(self, base: str, taken: set[str]) -> str:
        number = self._numbers[base]
        while (name := f"{base}_{number}" if number else base) in taken:
            number += 1
        self._numbers[base] = number
        return name

    def _check_name(self, entry: LayerEntry, name: str, taken: set[str]) -> None:
        if name not in taken:
            return
        place = (*entry.path, "name")
        if entry.name is None and entry.layer is not None:
            place = entry.layer.path
        if name in self._stated:
            self._report(place, f"an input is named '{name}' already")
        else:
            self._report(place, f"two layers are named '{name}'", hint="give each its own name")

    def _base(self, entry: LayerEntry) -> str:
        if entry.layer is not None:
            return snake_case(entry.layer.name)
        if entry.application is not None:
            return entry.application.name.lower()
        if entry.block is not None:
            return entry.block.name
        return entry.use or "run"

    def _named(self, entry: LayerEntry) -> dict[str, tuple[str, ...]]:
        """The nodes and inputs that `from` means, by the argument; a list has no argument."""
        named = entry.inputs if isinstance(entry.inputs, dict) else {"": entry.inputs}
        return {
            argument: tuple(
                name
                for index, name in enumerate(names)
                if self._is_source(entry, name, _place_of(entry, argument, index))
            )
            for argument, names in named.items()
        }

    def _is_source(self, entry: LayerEntry, name: str, place: KeyPath) -> bool:
        """Whether a name in `from` means a node or an input; reports it where it does not."""
        if name in self._nodes or name in self._stated:
            return True
        owner = owner_of(name, self._nodes)
        if owner is not None and gives(self._nodes[owner], name):
            return True
        if name.endswith(POSITIONS):
            return self._is_source(entry, name.removesuffix(POSITIONS), place)
        if self._stands_below(entry, name, place):
            return False
        if owner is not None and self._report_output(name, self._nodes[owner], place):
            return False
        if self._stated or owner is not None:
            known = [*self._stated, *self._nodes]
            self._report(
                place,
                f"there is no layer or input named '{name}' above{did_you_mean(name, known)}",
                expected=listed(known, "or") if len(known) <= MOST_NAMED else None,
            )
            return False
        if name not in self._inferred:
            self._inferred.append(name)
        return True

    def _report_output(self, name: str, node: LayerCall, place: KeyPath) -> bool:
        """Report the name of an output that a node with further outputs does not give, or does
        not give yet."""
        output, layer = name.removeprefix(f"{node.name}."), self._origin(node).layer
        if node.outputs:
            outputs = [f"{node.name}.{output}" for output in node.outputs if output]
            near = did_you_mean(name, outputs)
            message = f"'{node.name}' gives no '{output}'{near}"
            self._report(place, message, expected=listed(outputs, "or"))
        elif layer is not None:
            message = f"'{node.name}' gives one output, not '{output}'"
            self._report(place, message, hint=lacking(layer, output))
        return bool(node.outputs) or layer is not None

    def _stands_below(self, entry: LayerEntry, name: str, place: KeyPath) -> bool:
        """Report a name that a layer further down has been given."""
        owner = self._given.get(name)
        if owner is None:
            return False
        if owner is entry:
            self._report(place, f"'{name}' is this layer itself", hint=NO_CYCLES)
        else:
            self._report(place, f"'{name}' is defined later", hint=NO_CYCLES)
        return True

    @cached_property
    def _given(self) -> dict[str, LayerEntry]:
        """The first entry that is given a name, by the names."""
        entries = reversed(self._architecture.layers)
        return {name: entry for entry in entries if (name := given_name(entry)) is not None}

    def _called(self, entry: LayerEntry) -> str | None:
        """The node whose layer an entry with `use` calls."""
        if entry.use is None:
            return None
        place = (*entry.path, "use")
        if (node := self._nodes.get(entry.use)) is not None:
            return node.calls
        if entry.use in self._stated or entry.use in self._inferred:
            self._report(place, f"'{entry.use}' is an input, not a layer")
        elif not self._stands_below(entry, entry.use, place):
            message = f"there is no layer named '{entry.use}' above"
            self._report(place, message + did_you_mean(entry.use, self._nodes))
        return None

    def _inputs(self, unsourced: Sequence[LayerEntry]) -> tuple[str, ...]:
        inputs = self._stated or tuple(self._inferred) or (INPUT,)
        if len(inputs) > 1 or (inputs != (INPUT,) and not self._stated):
            for entry in unsourced:
                self._report(
                    entry.path,
                    "this layer must name its input, as there are several",
                    expected=f"`from:` with {listed(inputs, 'or')}",
                )
        return inputs

    def _check_inputs(self, nodes: Sequence[LayerCall]) -> None:
        """Report inputs that no layer takes."""
        taken = {source.removesuffix(POSITIONS) for node in nodes for source in node.sources}
        for name in self._stated:
            if name not in taken:
                place = (*self._architecture.path, "inputs", name)
                hint = "name it in a `from`, or remove it"
                self._report(place, f"no layer uses the input '{name}'", hint=hint, on_key=True)

    def _origin(self, node: LayerCall) -> LayerEntry:
        """The entry whose layer a node calls."""
        return self._nodes.get(node.calls, node).entry

    def _outputs_of(self, node: LayerCall) -> tuple[str, ...] | None:
        origin = self._origin(node)
        if origin.layer is not None:
            return outputs_of(origin.layer, node.entry.call)
        block = self._blocks.get(origin.block.name) if origin.block else None
        if block is not None:
            return tuple(block.outputs) if len(block.outputs) > 1 else ()
        return None if origin.run is not None else ()

    def _by_argument(self, node: LayerCall, named: Mapping[str, tuple[str, ...]]) -> LayerCall:
        """The node with its sources by the call's argument; those of a block in its order."""
        origin, path = self._origin(node), (*node.entry.path, "from")
        if origin.layer is not None:
            check_arguments(origin.layer, named, path, self._report)
            return replace(node, named=named)
        block = self._blocks.get(origin.block.name) if origin.block else None
        known = dict.fromkeys(block.inputs if block else (), True)
        title = f"the block '{origin.block.name}'" if origin.block else self._base(origin)
        check_names(title, named, known, path, self._report)
        return replace(node, sources=tuple(name for one in known for name in named.get(one, ())))

    def _check_sources(self, node: LayerCall) -> None:
        """Report sources that a node cannot be called with, and wrong values of its call."""
        place = (*node.entry.path, "from") if node.entry.sources else node.entry.path
        origin = self._origin(node)
        if node.number > 0:
            return
        check_values(origin.layer, node.entry.call, (*node.entry.path, "call"), self._report)
        if origin.layer is not None and node.sources and not node.named:
            given = max(len(node.sources), len(node.entry.sources))
            if (wrong := wrong_count(origin.layer, given)) is not None:
                self._report(place, wrong)
        for source in node.sources:
            outputs = self._block_outputs(source)
            if outputs:
                names = [f"{source}.{output}" for output in outputs]
                self._report(
                    place, f"'{source}' gives {len(outputs)} outputs", expected=listed(names, "or")
                )

    def _block_outputs(self, name: str) -> tuple[str, ...]:
        """The outputs of the block that a name means, where it has several."""
        node = self._nodes.get(name)
        if node is None or self._origin(node).block is None:
            return ()
        return node.outputs or ()

    def _outputs(self, last: str | None) -> tuple[str, ...]:
        given, outputs = self._architecture.outputs, list[str]()
        for index, name in enumerate(given):
            place = (*self._architecture.path, "outputs", *([index] if len(given) > 1 else []))
            owner = owner_of(name, self._nodes)
            node = None if owner is None else self._nodes[owner]
            if name in outputs:
                self._report(place, f"the output '{name}' is named twice")
            elif node is not None and gives(node, name):
                outputs.append(name)
            elif node is not None and node.name == name:
                names = [f"{name}.{output}" for output in node.outputs or ()]
                message = f"'{name}' gives {quoted(node.outputs or ())}"
                self._report(place, message, expected=listed(names))
            elif node is None or not self._report_output(name, node, place):
                what = "is an input, not a layer" if name in self._stated else "is not a layer"
                near = did_you_mean(name, self._nodes)
                self._report(place, f"the output '{name}' {what}{near}")
        return tuple(outputs) if given or last is None else (last,)


MOST_NAMED = 12
"""So many names are listed in a message."""

NO_CYCLES = "layers are read from top to bottom; each can only use layers above it"
