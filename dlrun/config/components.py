"""Components of dlrun's own families: data sources, preprocessing steps, protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.config.document import Reporter
from dlrun.config.fields import ChosenBy
from dlrun.config.messages import found, list_of
from dlrun.config.schema import CHOSEN_PROTOCOL, CHOSEN_SOURCE
from dlrun.config.unknown_keys import UnknownKeys
from dlrun.config.validation import validate
from dlrun.config.yaml_writer import in_line
from dlrun.errors import KeyPath
from dlrun.registry.component import Component
from dlrun.registry.families import STEPS, TARGET_STEPS, Family
from dlrun.registry.names import closest, did_you_mean
from dlrun.text import listed, quoted


def read_dataset(value: Any, report: Reporter) -> Component | None:
    """Read `dataset`: `source` names the loader, the other keys are its options."""
    if isinstance(value, dict):
        return read_chosen(CHOSEN_SOURCE, "dataset", value, report)
    example = "dataset: {source: sklearn, name: digits}"
    report.wrong(("dataset",), value, f"a mapping with 'source', such as `{example}`")
    return None


def read_chosen(
    chosen: ChosenBy, section: str, value: Mapping[Any, Any], report: Reporter, *beside: str
) -> Component | None:
    """Read a section in which one key names the component that the others are options of.

    Args:
        chosen: The key and the family.
        section: The section's name.
        value: The section, a mapping.
        report: Takes the problems.
        beside: Keys that are no options of the component.
    """
    key, family = chosen.key, chosen.family
    if key not in value:
        if misspelt := next((other for other in value if closest(str(other), [key])), None):
            message = f"unknown key '{misspelt}' in '{section}'; did you mean '{key}'?"
            report((section, misspelt), message, on_key=True)
            return None
        if chosen.default is None:
            _report_not_chosen(chosen, section, value, report)
            return None
    name = value.get(key, chosen.default)
    cls = _member_class(family, name, (section, key), report)
    if cls is None:
        return None
    options = {k: option for k, option in value.items() if k not in (key, *beside)}
    known = [key, *cls.options(), *beside]
    unknown = UnknownKeys(report, section, known, family, name)
    return validate(cls, options, (section,), report, unknown=unknown)


def read_steps(value: Any, report: Reporter) -> tuple[list[Component], list[Component]]:
    """Read `preprocess`: the steps on features and those on targets, each in order."""
    features: list[Component | None] = []
    targets: list[Component | None] = []
    if value is None:
        return [], []
    if not isinstance(value, list):
        report.wrong(("preprocess",), value, list_of("step"))
        return [], []
    for number, entry in enumerate(value):
        path: KeyPath = ("preprocess", number)
        if not (isinstance(entry, dict) and list(entry) == ["targets"]):
            features.append(read_member(STEPS, entry, path, report))
        elif isinstance(entry["targets"], list):
            for index, step in enumerate(entry["targets"]):
                place = (*path, "targets", index)
                targets.append(read_member(TARGET_STEPS, step, place, report))
        else:
            _report_no_step(TARGET_STEPS, entry["targets"], (*path, "targets"), report)
    return [s for s in features if s is not None], [s for s in targets if s is not None]


def read_member(family: Family, entry: Any, path: KeyPath, report: Reporter) -> Component | None:
    """Read one component in its canonical form."""
    if not isinstance(entry, dict) or len(entry) != 1:
        _report_no_step(family, entry, path, report)
        return None
    [(name, options)] = entry.items()
    path = (*path, name)
    cls = _member_class(family, name, path, report, on_key=True)
    if cls is None:
        return None
    if not isinstance(options, dict):
        report(path, f"'{name}' takes no value", found=found(options), hint=f"write {name} alone")
        return None

    def unknown(key: str | int) -> None:
        known = list(cls.options())
        report(
            (*path, key),
            f"unknown option '{key}' of {name}{did_you_mean(str(key), known)}",
            expected=listed(known, "or") or "no option at all",
            on_key=True,
        )

    return validate(cls, options, path, report, name=name, unknown=unknown)


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
        else f"this does not name a {family.title}",
        expected=None if hint or near else expected,
        found=None if isinstance(name, str) else found(name),
        hint=hint,
        on_key=on_key,
    )
    return None


def _report_no_step(family: Family, entry: Any, path: KeyPath, report: Reporter) -> None:
    if isinstance(entry, dict) and len(entry) > 1:
        first, *others = entry
        if any(key in family.names() or key == "targets" for key in others):
            message = f"'{first}' and {quoted(others)} in one entry"
            hint = f"begin each {family.title.split()[-1]} on a line of its own with '- '"
        else:
            message = f"indent {quoted(others)} under '{first}'"
            given = entry[first] if isinstance(entry[first], dict) else {}
            options = given | {key: entry[key] for key in others}
            hint = f"write {first}: {in_line(options)}"
        report((*path, others[0]), message, hint=hint, on_key=True)
        return
    report(
        path,
        f"this is not a {family.title}",
        expected=f"the name of a {family.title.split()[-1]}, alone or with its options",
        found=found(entry),
    )


def _report_not_chosen(
    chosen: ChosenBy, section: str, value: Mapping[Any, Any], report: Reporter
) -> None:
    names = chosen.family.names()
    as_key = next((key for key in value if key in names), None)
    report(
        (section,) if as_key is None else (section, as_key),
        f"the key '{chosen.key}' is missing in '{section}'",
        expected=listed(names, "or"),
        hint=f"write `{chosen.key}: {as_key}`" if as_key is not None else None,
        on_key=True,
    )


def with_own_validation(evaluation: Any, dataset: Component | None) -> Any:
    """Return `evaluation` as it was given, with the source's own validation rows as the hold-out
    where it says nothing of one."""
    path = getattr(dataset, "own_validation", lambda: None)()
    if path is None or not (evaluation is None or isinstance(evaluation, dict)):
        return evaluation
    given = {} if evaluation is None else evaluation
    if given.get("protocol", CHOSEN_PROTOCOL.default) != "holdout" or "validation" in given:
        return evaluation
    return {**given, "validation": {"path": path}}
