"""Who calls whom: the layers of an architecture, and what each of them is called with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Unpack

from dlrun.config.document import Reporter
from dlrun.config.schema import Architecture, Block, LayerEntry
from dlrun.errors import Details, KeyPath
from dlrun.registry.keras_component import KerasComponent
from dlrun.registry.names import did_you_mean, snake_case
from dlrun.text import listed, quoted

INPUT = "input"
"""What `from` calls the one input of an architecture that states none, and of a block."""

INPUT_LAYER = "input_layer"
"""What Keras calls that input's layer."""


class ReportProblem(Protocol):
    """Takes problems; see `dlrun.config.document.Reporter`."""

    def __call__(
        self, path: KeyPath, message: str, *, on_key: bool = False, **details: Unpack[Details]
    ) -> None: ...


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer.

    Args:
        name: What others call its output, and the layer's own name.
        entry: The entry that it is written in.
        sources: Names of the nodes and inputs that it is called with.
        calls: Name of the node whose layer is called: its own, but for `use`.
        number: Which of the entry's repetitions it is, from 0.
    """

    name: str
    entry: LayerEntry
    sources: tuple[str, ...]
    calls: str
    number: int = 0


@dataclass(frozen=True)
class LayerGraph:
    """An architecture whose names are resolved.

    Args:
        inputs: Names of the inputs.
        nodes: The calls from top to bottom, repetitions written out.
        outputs: Names of the nodes that give the answers; `block.output` for one of several
            outputs of a block.
    """

    inputs: tuple[str, ...]
    nodes: tuple[LayerCall, ...]
    outputs: tuple[str, ...]

    @property
    def is_chain(self) -> bool:
        """Whether each layer takes the output of the one above, and the last gives the answer."""
        if not self.nodes or len(self.inputs) != 1:
            return False
        above = (*self.inputs, *(node.name for node in self.nodes[:-1]))
        return self.outputs == (self.nodes[-1].name,) and all(
            node.sources == (name,) and node.calls == node.name
            for node, name in zip(self.nodes, above, strict=True)
        )

    def node(self, name: str) -> LayerCall | None:
        """The node that a name means, also as one of its outputs; None for an input."""
        by_name = {node.name: node for node in self.nodes}
        if name in by_name or name in self.inputs:
            return by_name.get(name)
        return by_name.get(name.rpartition(".")[0])

    def users(self, name: str) -> list[LayerCall]:
        """The nodes that take a node's or an input's output."""
        return [
            node
            for node in self.nodes
            if any(s == name or s.startswith(f"{name}.") for s in node.sources)
        ]


def layer_graph(
    architecture: Architecture, blocks: Mapping[str, Block], report: ReportProblem | None = None
) -> LayerGraph:
    """Resolve the names of an architecture.

    Args:
        architecture: Its entries. Where it states no inputs, names that no layer has are inputs.
        blocks: The blocks of the config.
        report: Takes what is wrong; None where it was looked at before.
    """
    return _Linking(architecture, blocks, Reporter() if report is None else report).graph()


def given_name(entry: LayerEntry) -> str | None:
    """Return the name that the config gives an entry."""
    return entry.name or (entry.layer.arguments.get("name") if entry.layer else None)


def _given_names(entry: LayerEntry) -> list[str]:
    """The names of an entry's repetitions, where it is given a name."""
    name = given_name(entry)
    if name is None:
        return []
    return [*(f"{name}_{number}" for number in range(1, entry.repeat)), name]


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
        self._names = self._all_names()

    def graph(self) -> LayerGraph:
        above: str | None = None
        unsourced: list[LayerEntry] = []
        for entry, names in zip(self._architecture.layers, self._names, strict=True):
            sources = tuple(
                source
                for index, name in enumerate(entry.inputs)
                if (source := self._source(entry, name, index)) is not None
            )
            if not entry.inputs:
                if above is None:
                    unsourced.append(entry)
                sources = () if above is None else (above,)
            calls = self._called(entry)
            for number, name in enumerate(names):
                node = LayerCall(name, entry, sources, calls or name, number)
                self._nodes[name] = node
                sources = (name,)
            above = names[-1]
        inputs = self._inputs(unsourced)
        nodes = [
            node if node.sources or node.entry.inputs else replace(node, sources=inputs[:1])
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
            taken.update(entry.inputs)
            names = _given_names(entry)
            while len(names) < entry.repeat:
                names.append(_free_name(self._base(entry), taken))
                taken.add(names[-1])
            found.append(names)
        return found

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

    def _source(self, entry: LayerEntry, name: str, index: int) -> str | None:
        """The node or input that a name in `from` means."""
        place = (*entry.path, "from", *([index] if len(entry.inputs) > 1 else []))
        if name in self._nodes or name in self._stated:
            return name
        head, dot, tail = name.rpartition(".")
        if dot and head in self._nodes and tail in self.outputs_of(self._nodes[head]):
            return name
        if self._stands_below(entry, name, place):
            return None
        if self._stated or (dot and head in self._nodes):
            known = [*self._stated, *self._nodes]
            self._report(
                place,
                f"there is no layer or input named '{name}' above{did_you_mean(name, known)}",
                expected=listed(known, "or") if len(known) <= MOST_NAMED else None,
            )
            return None
        if name not in self._inferred:
            self._inferred.append(name)
        return name

    def _stands_below(self, entry: LayerEntry, name: str, place: KeyPath) -> bool:
        """Report a name that a layer further down has been given."""
        owner = next((e for e in self._architecture.layers if given_name(e) == name), None)
        if owner is None:
            return False
        if owner is entry:
            self._report(place, f"'{name}' is this layer itself", hint=NO_CYCLES)
        else:
            self._report(place, f"'{name}' is defined later", hint=NO_CYCLES)
        return True

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
        taken = {source for node in nodes for source in node.sources}
        for name in self._stated:
            if name not in taken:
                place = (*self._architecture.path, "inputs", name)
                hint = "name it in a `from`, or remove it"
                self._report(place, f"no layer uses the input '{name}'", hint=hint, on_key=True)

    def _check_sources(self, node: LayerCall) -> None:
        """Report a node that takes a block as a whole that gives several outputs."""
        place = (*node.entry.path, "from") if node.entry.inputs else node.entry.path
        origin = self._nodes.get(node.calls, node).entry
        if origin.layer is not None and node.number == 0 and node.sources:
            given = max(len(node.sources), len(node.entry.inputs))
            if (wrong := wrong_count(origin.layer, given)) is not None:
                self._report(place, wrong)
        for source in node.sources:
            outputs = self.outputs_of(self._nodes[source]) if source in self._nodes else ()
            if outputs and node.number == 0:
                names = [f"{source}.{output}" for output in outputs]
                self._report(
                    place, f"'{source}' gives {len(outputs)} outputs", expected=listed(names, "or")
                )

    def outputs_of(self, node: LayerCall) -> tuple[str, ...]:
        """The names of a node's outputs, where it gives several."""
        origin = self._nodes.get(node.calls, node).entry
        block = self._blocks.get(origin.block.name) if origin.block else None
        return tuple(block.outputs) if block and len(block.outputs) > 1 else ()

    def _outputs(self, last: str | None) -> tuple[str, ...]:
        given, found = self._architecture.outputs, []
        for index, name in enumerate(given):
            place = (*self._architecture.path, "outputs", *([index] if len(given) > 1 else []))
            head, _, tail = name.rpartition(".")
            node = self._nodes.get(name)
            inner = head in self._nodes and tail in self.outputs_of(self._nodes[head])
            if name in found:
                self._report(place, f"the output '{name}' is named twice")
            elif node is None and not inner:
                what = "is an input, not a layer" if name in self._stated else "is not a layer"
                near = did_you_mean(name, self._nodes)
                self._report(place, f"the output '{name}' {what}{near}")
            elif node is not None and (outputs := self.outputs_of(node)):
                names = [f"{name}.{output}" for output in outputs]
                self._report(place, f"'{name}' gives {quoted(outputs)}", expected=listed(names))
            else:
                found.append(name)
        return tuple(found) if given or last is None else (last,)


MOST_NAMED = 12
"""So many names are listed in a message."""

NO_CYCLES = "layers are read from top to bottom; each can only use layers above it"


def _free_name(base: str, taken: set[str]) -> str:
    number = 0
    while (name := f"{base}_{number}" if number else base) in taken:
        number += 1
    return name


Calling = Literal["one", "list", "arguments", "state"]

MERGING = frozenset(
    {"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"}
)
"""Layers that make one of several inputs: they take a list of two or more."""

_LISTS = {
    **dict.fromkeys(MERGING - {"Dot", "Subtract"}, (2, None)),
    **dict.fromkeys(("Dot", "Subtract", "HashedCrossing"), (2, 2)),
    **dict.fromkeys(("Attention", "AdditiveAttention"), (2, 3)),
}
_ARGUMENTS = {"MultiHeadAttention": (2, 3), "GroupQueryAttention": (2, 3)}
_STATES = {"SimpleRNN": (1, 2), "GRU": (1, 2), "LSTM": (1, 3)}

_MEANING = {
    **dict.fromkeys(MERGING, "the inputs to merge"),
    "HashedCrossing": "the two features",
    **dict.fromkeys(("Attention", "AdditiveAttention", *_ARGUMENTS), "query, value and key"),
    **dict.fromkeys(_STATES, "the sequence, then its initial state"),
}


def calling(layer: KerasComponent) -> Calling:
    """Return how a layer of Keras is called with several inputs: with a list of them, with each
    as an argument, with the first and a list of states, or not at all."""
    if layer.name in _LISTS:
        return "list"
    if layer.name in _ARGUMENTS:
        return "arguments"
    return "state" if layer.name in _STATES else "one"


def wrong_count(layer: KerasComponent, given: int) -> str | None:
    """Return what is wrong with so many inputs for a layer; None where nothing is, or where
    only the layer itself knows."""
    if layer.implementation is not None:
        return None
    counts = {**_LISTS, **_ARGUMENTS, **_STATES}
    least, most = counts.get(layer.name, (1, 1))
    if least <= given and (most is None or given <= most):
        return None
    if most == 1:
        return f"{layer.alias} takes one input, but `from` names {given}"
    wanted = f"{least} or more" if most is None else f"{least}"
    if most is not None and most > least:
        wanted = f"{least} to {most}"
    named = f"`from` names {given}" if given > 1 else "it gets one"
    return f"{layer.alias} takes {wanted} inputs ({_MEANING[layer.name]}), but {named}"
