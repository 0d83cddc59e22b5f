"""Where the config asks for what the data cannot give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlrun.config.schema import Config
from dlrun.errors import ConfigError, DataError, KeyPath

IN_DATASET = ("target", "features", "drop", "types", "time")
IN_EVALUATION = ("groups", "time")


def with_place(config: Config, error: DataError) -> ConfigError | None:
    """Return an error of the data as one of the config, at the place that asks for what is not
    there, such as a column; None where the config has no such place."""
    place = _place(config, error)
    return None if place is None else ConfigError([config.problem_at(place, str(error))])


def _place(config: Config, error: DataError) -> KeyPath | None:
    if error.column is not None:
        return next(_places(config, error.column), None)
    if error.step is not None:
        return _place_of_step(config, error.step, error.path)
    if error.path == ("dataset", "lookback"):
        # Either makes a window and its target reach too far; the longer one does more so.
        delay, lookback = (getattr(config.dataset, key, 0) for key in ("delay", "lookback"))
        return ("dataset", "delay" if delay > lookback else "lookback")
    return error.path or None


def _place_of_step(config: Config, number: int, path: KeyPath) -> KeyPath | None:
    """The place of a step on features, counted without those on targets."""
    entries = config.document.root.plain().get("preprocess")
    steps = [
        (index, entry)
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if not (isinstance(entry, dict) and "targets" in entry)
    ]
    if number >= len(steps):
        return None
    index, entry = steps[number]
    name = next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else None
    return ("preprocess", index) if name is None else ("preprocess", index, name, *path)


def _places(config: Config, column: str) -> Iterator[KeyPath]:
    for section, component, options in (
        ("dataset", config.dataset, IN_DATASET),
        ("evaluation", config.evaluation.protocol, IN_EVALUATION),
        ("training", config.training, ("sample_weight",)),
    ):
        for option in options:
            yield from _places_in(getattr(component, option, None), column, (section, option))


def _places_in(named: Any, column: str, place: KeyPath) -> Iterator[KeyPath]:
    if named == column:
        yield place
    elif isinstance(named, Mapping) and column in named:
        yield (*place, column)
    elif isinstance(named, list) and column in named:
        yield (*place, named.index(column))
