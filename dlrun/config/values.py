"""Plain values of Keras' arguments: whether they fit, and how a message says what does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.registry.catalogue import Argument
from dlrun.text import listed

_WORDS = {
    "boolean": "true or false",
    "list": "a list",
    "activation": "the name of an activation",
    "layers": "a list of layers",
    "table": "numbers by epoch, such as {0: 0.01, 10: 0.001}",
}


def fits(argument: Argument, value: Any) -> bool:
    """Tell whether a plain value is one that the argument accepts.

    Args:
        argument: What is known of it; one without a type accepts anything.
        value: Plain data; components are not judged here.
    """
    accepts = argument.accepts
    if not accepts:
        return True
    if value is None:
        return "null" in accepts
    if isinstance(value, bool):
        return "boolean" in accepts
    if isinstance(value, int | float):
        is_kind = "number" in accepts or ("integer" in accepts and isinstance(value, int))
        return is_kind and _in_range(argument, value)
    if isinstance(value, str):
        known = not argument.choices or {value, value.lower()} & set(argument.choices)
        return "string" in accepts and bool(known)
    return isinstance(value, list | tuple) and "list" in accepts


def expected_value(argument: Argument, titles: Mapping[Any, str]) -> str:
    """Return what an argument accepts, in words.

    Args:
        argument: What is known of it.
        titles: What each kind of component is called, with its article.
    """
    words: list[str] = []
    for accepted in argument.accepts:
        if accepted in ("integer", "number"):
            words.append(_number_words(argument, accepted))
        elif accepted == "string":
            words += argument.choices or ["text"]
        elif accepted != "null":
            words.append({**_WORDS, **titles}[accepted])
    return listed(words, "or")


def _in_range(argument: Argument, value: float) -> bool:
    low, high = argument.minimum, argument.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _number_words(argument: Argument, accepted: str) -> str:
    noun = "an integer" if accepted == "integer" else "a number"
    if argument.minimum is not None and argument.maximum is not None:
        return f"{noun} between {argument.minimum:g} and {argument.maximum:g}"
    return noun if argument.minimum is None else f"{noun} at least {argument.minimum:g}"
