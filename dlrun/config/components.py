"""Components of dlrun's own families: data sources, preprocessing steps, protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.config.grammar import DEFAULT_PROTOCOL
from dlrun.config.messages import found
from dlrun.config.report import Reporter
from dlrun.config.unknown_keys import UnknownKeys
from dlrun.config.validation import validate
from dlrun.config.yaml_writer import in_line
from dlrun.errors import KeyPath
from dlrun.registry.component import Component
from dlrun.registry.families import PROTOCOLS, SOURCES, STEPS, TARGET_STEPS, Family
from dlrun.registry.names import closest, did_you_mean
from dlrun.text import listed, quoted


def read_dataset(value: Any, report: Reporter) -> Component | None:
    """Read `dataset`: `source` names the loader, the other keys are its options."""
    example = "dataset: {source: sklearn, name: digits}"
    if not isinstance(value, dict):
        report(
            ("dataset",),
            "wrong value for 'dataset'",
            expected=f"a mapping with 'source', such as `{example}`",
            found=found(value),
        )
        return None
    if "source" not in value:
        _report_no_source(value, report)
        return None
    name = value["source"]
    cls = _member_class(SOURCES, name, ("dataset", "source"), report)
    if cls is None:
        return None
    options = {key: option for key, option in value.items() if key != "source"}
    unknown = UnknownKeys(report, "dataset", ["source", *cls.model_fields], SOURCES, name)
    return validate(cls, options, ("dataset",), report, unknown=unknown)


def read_protocol(value: Mapping[Any, Any], report: Reporter) -> Component | None:
    """Read the protocol and its options from `evaluation`."""
    if "protocol" not in value and _report_misspelt("protocol", "evaluation", value, report):
        return None
    name = value.get("protocol", DEFAULT_PROTOCOL)
    cls = _member_class(PROTOCOLS, name, ("evaluation", "protocol"), report)
    if cls is None:
        return None
    options = {key: option for key, option in value.items() if key not in ("protocol", "score")}
    known = ["protocol", *cls.model_fields, "score"]
    unknown = UnknownKeys(report, "evaluation", known, PROTOCOLS, name)
    return validate(cls, options, ("evaluation",), report, unknown=unknown)


def read_steps(value: Any, report: Reporter) -> tuple[list[Component], list[Component]]:
    """Read `preprocess`: the steps on features and those on targets, each in order."""
    features: list[Component | None] = []
    targets: list[Component | None] = []
    if value is None:
        return [], []
    if not isinstance(value, list):
        report(
            ("preprocess",),
            "wrong value for 'preprocess'",
            expected="a list of steps, each on a line that begins with '- '",
            found=found(value),
        )
        return [], []
    for number, entry in enumerate(value):
        path: KeyPath = ("preprocess", number)
        if isinstance(entry, dict) and list(entry) == ["targets"]:
            given, path = entry["targets"], (*path, "targets")
            if isinstance(given, list):
                targets += [
                    _read_step(TARGET_STEPS, step, (*path, i), report)
                    for i, step in enumerate(given)
                ]
            else:
                targets.append(_read_step(TARGET_STEPS, given, path, report))
        else:
            features.append(_read_step(STEPS, entry, path, report))
    return [s for s in features if s is not None], [s for s in targets if s is not None]


def _read_step(family: Family, entry: Any, path: KeyPath, report: Reporter) -> Component | None:
    """Read one step in any of the three spellings."""
    if isinstance(entry, str):
        name, value, inside = entry, None, path
    elif isinstance(entry, dict) and len(entry) == 1:
        [(name, value)] = entry.items()
        inside = (*path, name)
    else:
        _report_no_step(family, entry, path, report)
        return None
    cls = _member_class(family, name, inside, report, on_key=inside != path)
    if cls is None:
        return None
    options = _options(cls, value)
    if options is None:
        report(inside, f"'{name}' takes no value", found=found(value), hint=f"write {name} alone")
        return None

    def unknown(key: str | int) -> None:
        known = list(cls.model_fields)
        report(
            (*inside, key),
            f"unknown option '{key}' of {name}{did_you_mean(str(key), known)}",
            expected=listed(known, "or") or "no option at all",
            on_key=True,
        )

    return validate(cls, options, inside, report, name=name, unknown=unknown)


def _options(cls: type[Component], value: Any) -> dict[Any, Any] | None:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    first = cls.first_option()
    return None if first is None else {first: value}


def _member_class(
    family: Family, name: Any, path: KeyPath, report: Reporter, *, on_key: bool = False
) -> type[Component] | None:
    """The class of a member, or None where there is none (which is reported)."""
    names = family.names()
    if isinstance(name, str) and name in names:
        return family.get(name)
    expected, hint, near = listed(names, "or"), None, did_you_mean(str(name), names)
    if family is STEPS and name in TARGET_STEPS.names():
        hint = f"it works on targets: write `targets: {name}`"
    elif family is TARGET_STEPS and name in STEPS.names():
        hint = "it works on features, not on targets"
    say = report.unknown_name if isinstance(name, str) else report
    say(
        path,
        f"unknown {family.title} {quoted([name])}{near}"
        if isinstance(name, str)
        else f"this names no {family.title}",
        expected=None if hint or near else expected,
        found=None if isinstance(name, str) else found(name),
        hint=hint,
        on_key=on_key,
    )
    return None


def _options_given(family: Family, name: Any, value: Any) -> dict[Any, Any]:
    """The options that a member's value stands for, as far as that can be told."""
    if isinstance(value, dict):
        return value
    first = family.get(name).first_option() if name in family.names() else None
    return {} if value is None or first is None else {first: value}


def _report_no_step(family: Family, entry: Any, path: KeyPath, report: Reporter) -> None:
    if isinstance(entry, dict) and len(entry) > 1:
        first, *others = entry
        if any(key in family.names() or key == "targets" for key in others):
            hint = "begin each step on a line of its own with '- '"
        else:
            options = {**_options_given(family, first, entry[first]), **entry}
            del options[first]
            hint = f"write {first}: {in_line(options)}"
        stands = "stands" if len(others) == 1 else "stand"
        report(
            (*path, others[0]),
            f"{quoted(others)} {stands} beside '{first}'",
            hint=hint,
            on_key=True,
        )
        return
    report(
        path,
        f"this is no {family.title}",
        expected="the name of a step, alone or with its options",
        found=found(entry),
    )


def _report_no_source(value: dict[Any, Any], report: Reporter) -> None:
    if _report_misspelt("source", "dataset", value, report):
        return
    names = SOURCES.names()
    as_key = next((key for key in value if key in names), None)
    report(
        ("dataset",) if as_key is None else ("dataset", as_key),
        "the key 'source' is missing in 'dataset'",
        expected=listed(names, "or"),
        hint=f"write `source: {as_key}`" if as_key is not None else None,
        on_key=True,
    )


def _report_misspelt(key: str, section: str, value: Mapping[Any, Any], report: Reporter) -> bool:
    """Report what was meant as a key that decides what the others mean."""
    misspelt = next((other for other in value if closest(str(other), [key])), None)
    if misspelt is None:
        return False
    message = f"unknown key '{misspelt}' in '{section}'; did you mean '{key}'?"
    report((section, misspelt), message, on_key=True)
    return True


def with_own_validation(evaluation: Any, dataset: Component | None) -> Any:
    """Return `evaluation` as it was given, with the source's own validation rows as the hold-out
    where it says nothing of one."""
    path = getattr(dataset, "own_validation", lambda: None)()
    if path is None or not (evaluation is None or isinstance(evaluation, dict)):
        return evaluation
    given = {} if evaluation is None else evaluation
    if given.get("protocol", DEFAULT_PROTOCOL) != "holdout" or "validation" in given:
        return evaluation
    return {**given, "validation": {"path": path}}
