"""Where components stand in a config, and how their three spellings are one.

`extends` and overrides change a config before it is checked. They need to know that in
`optimizer: {adam: {learning_rate: 0.1}}` the key `adam` is a name, and `learning_rate` an
argument: another name replaces it, another argument is added to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dlrun.config.document import Key, Node
from dlrun.config.outputs import output_names
from dlrun.registry import catalogue
from dlrun.registry.catalogue import Argument, CatalogueEntry
from dlrun.registry.component import Component
from dlrun.registry.families import PROTOCOLS, STEPS, TARGET_STEPS, Family
from dlrun.registry.keras_component import KerasKind

Member = CatalogueEntry | type[Component]

DEFAULT_PROTOCOL = "holdout"


@dataclass(frozen=True)
class Role:
    """What stands at a path of a config.

    Args:
        kinds: For a component of Keras (or a list of them), its possible kinds.
        family: For a component of dlrun's own (or a list of them), its family.
        keys: What stands under the keys of a section, or beside a component's name.
        owner: For a component's arguments, whose they are.
        alternatives: Whether a mapping holds one of several keys, such as `fraction` or
            `samples`, so that one takes the place of another; `keys` stand beside any.
        each: What stands under every other key of a section.
        outputs: For a loss or metrics, the outputs of the model whose names may stand around them.
        blocks: For a layer, the first parameter of every block that has one.
        first: For the parameters of a block, the one that a bare value sets.
    """

    kinds: tuple[KerasKind, ...] = ()
    family: Family | None = None
    keys: Mapping[str, Role] = field(default_factory=dict)
    owner: Member | None = None
    alternatives: bool = False
    each: Role | None = None
    outputs: tuple[str, ...] = ()
    blocks: Mapping[str, str] = field(default_factory=dict)
    first: str | None = None

    @property
    def is_component(self) -> bool:
        """Whether a component stands here, or a list of them."""
        return bool(self.kinds) or self.family is not None

    def chooses_otherwise(self, base: Mapping[Key, Node], child: Mapping[Key, Node]) -> bool:
        """Whether a mapping of alternatives takes another one than the base."""
        return self.alternatives and not set(child) <= {*base, *self.keys}

    def goes_by_output(self, node: Node) -> bool:
        """Whether a mapping goes by the outputs of the model, and is no component."""
        return any(key in self.outputs for key in node.mapping or ())

    def by_output(self, node: Node) -> Node:
        """The same for every output, by name."""
        value: dict[Key, Node] = {}
        if node.value is not None:
            value = dict.fromkeys(self.outputs, node)
        return Node(value, node.place, dict.fromkeys(value, node.place))

    def below(self, key: Key) -> Role:
        """What stands under a key or list index."""
        if (self.is_component or self.keys) and isinstance(key, int):
            return replace(self, outputs=())
        if isinstance(key, str) and key in self.keys:
            return self.keys[key]
        if key in self.outputs:
            return replace(self, outputs=())
        if self.each is not None:
            return self.each
        if self.is_component:
            return Role(owner=self.member(str(key)), first=self.blocks.get(str(key)))
        if isinstance(self.owner, CatalogueEntry):
            if (argument := self.owner.argument(str(key))) is not None:
                return _component_in(argument)
            if self.owner.first is not None:
                return _component_in(self.owner.first).below(key)
        return Role()

    def member(self, name: str) -> Member | None:
        """The component of that name, or None where there is none."""
        if self.family is not None:
            return self.family.get(name) if name in self.family.names() else None
        return next((e for kind in self.kinds if (e := catalogue.entry(kind, name))), None)

    def same(self, one: str, other: str) -> bool:
        """Whether two names mean the same component."""
        if one == other:
            return True
        member = self.member(one)
        return member is not None and member == self.member(other)

    def name_in(self, node: Node) -> str | None:
        """The component's name in a node of any spelling; None where there is not one name."""
        if isinstance(node.value, str):
            return node.value
        names = [key for key in node.mapping or () if key not in self.keys]
        return names[0] if len(names) == 1 and isinstance(names[0], str) else None

    def spelt_out(self, node: Node) -> Node:
        """A component as a mapping from its name; a bare name gets no arguments."""
        if isinstance(node.value, str):
            nothing = Node({}, node.place)
            return Node({node.value: nothing}, node.place, {node.value: node.place})
        return node

    def arguments_in(self, node: Node) -> Node | None:
        """Arguments as a mapping; a bare value is the first one. None where that is not known.

        To be asked of the role of the arguments, not of the component's.
        """
        if node.value is None:
            return Node({}, node.place)
        if node.mapping is not None and not self._holds_first_component(node.mapping):
            return node
        first = self.first if self.owner is None else first_argument(self.owner)
        return None if first is None else Node({first: node}, node.place, {first: node.place})

    def _holds_first_component(self, mapping: Mapping[Key, Node]) -> bool:
        """Whether a mapping is the first argument itself, as in `Bidirectional: {LSTM: 32}`."""
        if (
            not isinstance(self.owner, CatalogueEntry)
            or self.owner.first is None
            or len(mapping) != 1
        ):
            return False
        [name] = mapping
        return (
            self.owner.argument(str(name)) is None
            and _component_in(self.owner.first).member(str(name)) is not None
        )


def _component_in(argument: Argument) -> Role:
    layers = bool({"activation", "layers"} & set(argument.accepts))
    return Role(kinds=argument.component_kinds + (("layer",) if layers else ()))


def first_argument(member: Member) -> str | None:
    """The argument that a bare value sets."""
    if isinstance(member, CatalogueEntry):
        return member.first.name if member.first else None
    return member.first_option()


def protocol_options(name: object) -> set[str]:
    """The keys under `evaluation` that go with a protocol."""
    options = {"protocol", "score"}
    if isinstance(name, str) and name in PROTOCOLS.names():
        options |= set(PROTOCOLS.get(name).model_fields)
    return options


_ALTERNATIVES = Role(alternatives=True)

_LAYERS = Role(
    kinds=("layer",),
    keys={
        **{key: Role() for key in ("name", "from", "repeat", "vectors", "use", "run")},
        "application": Role(kinds=("application",)),
    },
)

ROOT = Role(
    keys={
        "dataset": Role(
            keys={"test": Role(alternatives=True, keys={"shuffle": Role()}), "limit": _ALTERNATIVES}
        ),
        "preprocess": Role(family=STEPS, keys={"targets": Role(family=TARGET_STEPS)}),
        "blocks": Role(each=Role(keys={"layers": _LAYERS})),
        "architecture": Role(keys={"layers": _LAYERS}),
        "loss": Role(kinds=("loss",)),
        "optimizer": Role(kinds=("optimizer",)),
        "metrics": Role(kinds=("metric",)),
        "augment": Role(kinds=("layer",)),
        "training": Role(
            keys={
                "callbacks": Role(kinds=("callback",)),
                "phases": Role(
                    keys={
                        "callbacks": Role(kinds=("callback",)),
                        "optimizer": Role(kinds=("optimizer",)),
                    }
                ),
            }
        ),
        "evaluation": Role(keys={"validation": Role(alternatives=True, keys={"hold_out": Role()})}),
    }
)
"""What stands where in a config, whatever its outputs and blocks are called."""


def role_of(root: Node) -> Role:
    """Return what stands where in a config with these outputs and blocks."""
    entries = root.mapping or {}
    names = output_names(entries["architecture"].plain()) if "architecture" in entries else []
    keys = dict(ROOT.keys)
    for key, kind in _BY_OUTPUT.items():
        # The name of the only output may as well be that of a loss.
        outputs = [each for each in names if len(names) > 1 or not catalogue.entry(kind, each)]
        keys[key] = replace(keys[key], outputs=tuple(outputs))
    layers = Role(keys={"layers": replace(_LAYERS, blocks=first_parameters(entries.get("blocks")))})
    return replace(ROOT, keys={**keys, "architecture": layers, "blocks": Role(each=layers)})


_BY_OUTPUT: dict[str, KerasKind] = {"loss": "loss", "metrics": "metric"}


def first_parameters(blocks: Node | None) -> dict[str, str]:
    """Return the first parameter of every block that has one, as far as they can be read."""
    found = {}
    for name, block in ((blocks.mapping if blocks else None) or {}).items():
        given = (block.mapping or {}).get("parameters")
        names = given.plain() if given else None
        first = next(iter(names), None) if isinstance(names, dict | list) else None
        if isinstance(name, str) and isinstance(first, str):
            found[name] = first
    return found
