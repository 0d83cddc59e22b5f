"""Who calls whom: the layers of an architecture, and what each of them is called with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dlrun.config.model_schema import LayerEntry

INPUT = "input"
"""What `from` calls the one input of an architecture that states none, and of a block."""

INPUT_LAYER = "input_layer"
"""What Keras calls that input's layer."""

POSITIONS = ".positions"
"""After the name of a sequence: the places of its steps, counted from 0."""


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer.

    Args:
        name: What others call its output, and the layer's own name.
        entry: The entry that it is written in.
        sources: Names of the nodes and inputs that it is called with: `node.output` for one of
            several outputs of a node, `sequence.positions` for the places of a sequence's steps.
        calls: Name of the node whose layer is called: its own, but for `use`.
        number: Which of the entry's repetitions it is, from 0.
        named: The sources by the call's argument, where the entry names arguments.
        outputs: Names of what it gives, where that is several tensors: empty for a layer's output
            itself; None where only the layer knows.
    """

    name: str
    entry: LayerEntry
    sources: tuple[str, ...]
    calls: str
    number: int = 0
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] | None = ()


@dataclass(frozen=True)
class LayerGraph:
    """An architecture whose names are resolved.

    Args:
        inputs: Names of the inputs.
        nodes: The calls from top to bottom, repetitions written out.
        outputs: Names of the nodes that give the answers; `node.output` for one of several
            outputs of a node.
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
            node.sources == (name,)
            and node.calls == node.name
            and not (node.named or node.outputs or node.entry.call)
            for node, name in zip(self.nodes, above, strict=True)
        )

    def node(self, name: str) -> LayerCall | None:
        """The node that a name means, also as one of its outputs; None for an input."""
        owner = owner_of(name, self._by_name)
        return None if owner is None else self._by_name[owner]

    def users(self, name: str) -> list[LayerCall]:
        """The nodes that take a node's or an input's output."""
        return [*self._users.get(name, ())]

    def callers(self, name: str) -> int:
        """How many nodes call a node's layer, itself included."""
        return self._callers[name]

    @cached_property
    def _by_name(self) -> dict[str, LayerCall | None]:
        return {**dict.fromkeys(self.inputs), **{node.name: node for node in self.nodes}}

    @cached_property
    def _users(self) -> dict[str, list[LayerCall]]:
        """By every name that a source is, or begins with before a dot."""
        users: dict[str, list[LayerCall]] = {}
        for node in self.nodes:
            names = dict[str, None]()
            for source in node.sources:
                parts = source.split(".")
                names |= dict.fromkeys(".".join(parts[:n]) for n in range(1, len(parts) + 1))
            for name in names:
                users.setdefault(name, []).append(node)
        return users

    @cached_property
    def _callers(self) -> Counter[str]:
        return Counter(node.calls for node in self.nodes)


def owner_of(name: str, known: Collection[str]) -> str | None:
    """Return the longest name that a name is, or begins with before a dot; None where none is."""
    while name not in known:
        name, dot, _ = name.rpartition(".")
        if not dot:
            return None
    return name


def gives(node: LayerCall, name: str) -> bool:
    """Tell whether a node's name, alone or with an output behind it, means one tensor."""
    output, of_block = name.removeprefix(node.name).removeprefix("."), node.entry.block is not None
    if not output or node.outputs is None:
        return not (of_block and node.outputs)
    numbered = output.isdecimal() and int(output) < len(node.outputs) and not of_block
    return numbered or output in node.outputs
