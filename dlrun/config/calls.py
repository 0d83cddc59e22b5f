"""How layers are called, and what they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, Unpack

from dlrun.config.messages import found
from dlrun.errors import Details, KeyPath
from dlrun.registry import catalogue
from dlrun.registry.keras_component import Argument, KerasComponent
from dlrun.registry.names import did_you_mean
from dlrun.text import listed, quoted


class ReportProblem(Protocol):
    """Takes problems; see `dlrun.config.document.Reporter`."""

    def __call__(
        self, path: KeyPath, message: str, *, on_key: bool = False, **details: Unpack[Details]
    ) -> None: ...


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
_CELLS = {"LSTMCell": ("h", "c"), "GRUCell": ("h",), "SimpleRNNCell": ("h",)}
_STATES = {
    **dict.fromkeys(("LSTM", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), ("h", "c")),
    **dict.fromkeys(("GRU", "SimpleRNN"), ("h",)),
}

_MEANING = {
    **dict.fromkeys(MERGING, "the inputs to merge"),
    "HashedCrossing": "the two features",
    **dict.fromkeys(("Attention", "AdditiveAttention", *_ARGUMENTS), "query, value and key"),
}


def calling(layer: KerasComponent) -> Calling:
    """Return how a layer is called with several inputs: with a list of them, with each as an
    argument, with the first and a list of states, or not at all."""
    name = _keras_name(layer)
    if name in _LISTS:
        return "list"
    if name in _ARGUMENTS or catalogue.takes_several(layer.implementation):
        return "arguments"
    return "state" if name in ("RNN", "Bidirectional", *_STATES) else "one"


def call_arguments(layer: KerasComponent) -> dict[str, Argument]:
    """Return what a layer is called with, in order, but for `training`; empty where that is one
    input alone."""
    known = catalogue.entry("layer", layer.name)
    return {argument.name: argument for argument in known.call} if known else {}


def wrong_count(layer: KerasComponent, given: int) -> str | None:
    """Return what is wrong with so many inputs for a layer; None where nothing is, or where
    only the layer itself knows."""
    how, name = calling(layer), _keras_name(layer)
    if how == "state":
        return _wrong_states(layer, given - 1)
    meaning = _MEANING.get(name)
    least, most = {**_LISTS, **_ARGUMENTS}.get(name, (1, 1))
    if layer.implementation is not None and meaning is None:
        names = call_arguments(layer)
        if how != "arguments" or not names:
            return None
        least, most = sum(each.required for each in names.values()), len(names)
        meaning = listed(names)
    if least <= given and (most is None or given <= most):
        return None
    if most == 1:
        return f"{layer.alias} takes one input, but `from` names {given}"
    wanted = f"{least} or more" if most is None else f"{least}"
    if most is not None and most > least:
        wanted = f"{least} to {most}"
    named = f"`from` names {given}" if given > 1 else "it gets one"
    return f"{layer.alias} takes {wanted} inputs ({meaning}), but {named}"


def _wrong_states(layer: KerasComponent, given: int) -> str | None:
    states = states_of(layer)
    if given < 1 or states is None or given == len(states):
        return None
    count = f"{len(states)} state" + ("s" if len(states) > 1 else "")
    return (
        f"{layer.alias} starts from {count} ({listed(states)}), but `from` names {given} after "
        "the sequence"
    )


def states_of(layer: KerasComponent) -> tuple[str, ...] | None:
    """Return the names of a recurrent layer's states, as it takes and gives them; empty for other
    layers, None where only the layer itself knows."""
    name, inner_layer = _keras_name(layer), _inner(layer)
    if name == "RNN":
        return _CELLS.get(inner_layer.name) if inner_layer else None
    if name == "Bidirectional":
        inner = states_of(inner_layer) if inner_layer else None
        if inner is None:
            return None
        return tuple(f"{way}_{state}" for way in ("forward", "backward") for state in inner)
    return _STATES.get(name, ())


def outputs_of(layer: KerasComponent, call: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the names of what a layer gives, where it gives several tensors.

    Args:
        layer: The layer.
        call: The values of its call's arguments.

    Returns:
        A name for each, empty for the output itself; no names where it gives one tensor, None
        where only the layer itself knows.
    """
    name = _keras_name(layer)
    first: tuple[str, ...] = ("",)
    inner = layer
    if name == "Bidirectional":
        inner = _inner(layer) or layer
        first = ("forward", "backward") if _merges_nothing(layer) else first
    if inner.arguments.get("return_state"):
        states = states_of(layer)
        return None if states is None else (*first, *states)
    if call.get("return_attention_scores"):
        return (*first, "scores")
    if layer.implementation is not None and not name:
        return None
    return first if len(first) > 1 else ()


def lacking(layer: KerasComponent, output: str) -> str | None:
    """Return what to write so that a layer, which gives one output, gives one more."""
    if states := states_of(layer):
        return "add `return_state: true` to it" if output in states or output == "1" else None
    if output in ("scores", "1") and "return_attention_scores" in call_arguments(layer):
        return "write `call: {return_attention_scores: true}` beside it"
    return None


def check_names(
    title: str,
    given: Mapping[str, Any],
    known: Mapping[str, bool],
    path: KeyPath,
    report: ReportProblem,
) -> None:
    """Report wrong and missing names of what a layer or block is called with.

    Args:
        title: What is called.
        given: What `from` names.
        known: The names there are, and whether each is needed; empty where there is one input.
        path: Where `from` is.
        report: Takes the problems.
    """
    if not known:
        report(path, f"{title} takes one input", hint="write `from: NAME`")
        return
    for name in given:
        if name not in known:
            message = f"{title} is not called with '{name}'{did_you_mean(name, known)}"
            report((*path, name), message, expected=listed(known, "or"), on_key=True)
    if missing := [name for name, needed in known.items() if needed and name not in given]:
        report(path, f"{title} is called without {quoted(missing)}")


def check_arguments(
    layer: KerasComponent, given: Mapping[str, Any], path: KeyPath, report: ReportProblem
) -> None:
    """Report names in `from` that a layer is not called with."""
    known = call_arguments(layer)
    flags = [name for name in given if _is_flag(known.get(name))]
    for name in flags:
        hint = f"write `call: {{{name}: true}}` beside `from`"
        report((*path, name), f"'{name}' is a value, not a tensor", hint=hint, on_key=True)
    if not flags:
        needed = {name: each.required for name, each in known.items() if not _is_flag(each)}
        check_names(layer.alias, given, needed, path, report)


def check_values(
    layer: KerasComponent | None, given: Mapping[str, Any], path: KeyPath, report: ReportProblem
) -> None:
    """Report values in `call` that a layer does not take when it is called.

    Args:
        layer: What is called; None for a block or a model.
        given: The values by the argument.
        path: Where they are.
        report: Takes the problems.
    """
    known = call_arguments(layer) if layer is not None else {}
    of_plugin = layer is not None and layer.implementation is not None
    values = [name for name, each in known.items() if of_plugin or _is_flag(each)]
    for name, value in given.items():
        place = (*path, name)
        if name == "training":
            hint = "freeze layers in a phase of training: `freeze: NAME`"
            report(place, "dlrun itself sets `training`", hint=hint, on_key=True)
        elif name in known and name not in values:
            hint = f"name it in `from`, as in `from: {{{next(iter(known))}: ..., {name}: NAME}}`"
            report(place, f"'{name}' is a tensor, not a value", hint=hint, on_key=True)
        elif name not in values:
            title = "a block or a model" if layer is None else layer.alias
            message = f"{title} is not called with '{name}'{did_you_mean(name, values)}"
            expected = listed(values, "or") or "no `call`: it takes its inputs alone"
            report(place, message, expected=expected, on_key=True)
        elif _is_flag(known[name]) and not isinstance(value, bool):
            message = f"wrong value for '{name}'"
            report(place, message, expected="true or false", found=found(value))


def _is_flag(argument: Argument | None) -> bool:
    """Whether an argument of a call is true or false, and no tensor."""
    return argument is not None and isinstance(argument.default, bool)


def _inner(layer: KerasComponent) -> KerasComponent | None:
    """The layer or the one cell that a layer is made with."""
    inner = layer.arguments.get("layer", layer.arguments.get("cell"))
    return inner if isinstance(inner, KerasComponent) else None


def _merges_nothing(layer: KerasComponent) -> bool:
    return "merge_mode" in layer.arguments and layer.arguments["merge_mode"] is None


def _keras_name(layer: KerasComponent) -> str:
    """The layer of Keras that is called: for a plugin's the one whose `call` it inherits, or an
    empty text."""
    if layer.implementation is None:
        return layer.name
    owner = next(base for base in layer.implementation.__mro__ if "call" in vars(base))
    return owner.__name__ if owner.__module__.startswith("keras.") else ""
