"""The parts of a config that name components of Keras, and those that hold plain options."""

from __future__ import annotations

from typing import Any

from dlrun.config.callbacks import check_files
from dlrun.config.components import read_protocol
from dlrun.config.keras_components import read_named
from dlrun.config.measures import check_monitor, check_score
from dlrun.config.messages import found
from dlrun.config.phases import read_phases
from dlrun.config.report import Reporter
from dlrun.config.schema import Evaluation, Training
from dlrun.config.unknown_keys import UnknownKeys
from dlrun.config.validation import advice, validate
from dlrun.errors import KeyPath
from dlrun.registry.families import PROTOCOLS, finding_codes
from dlrun.registry.keras_component import KerasComponent, KerasKind
from dlrun.registry.names import did_you_mean


def read_training(
    value: Any, metrics: list[KerasComponent] | None, report: Reporter
) -> Training | None:
    """Read `training`; `metrics` are those of the config, None where they cannot be known
    because of problems of their own."""
    options = _options("training", value, report)
    if options is None:
        return None
    before, path = len(report), ("training", "callbacks")
    given = options.get("callbacks")
    callbacks = []
    if given is not None and not isinstance(given, list):
        report(
            path,
            "wrong value for 'callbacks'",
            expected="a list of callbacks, each on a line that begins with '- '",
            found=found(given),
        )
    elif given is not None:
        callbacks = _read_list("callback", given, path, report)
    for callback in callbacks:
        check_files(callback, report)
        if metrics is not None:
            check_monitor(callback, metrics, report)
    phases = read_phases(options, metrics, report)
    unknown = UnknownKeys(report, "training", list(Training.model_fields))
    read = {"callbacks": callbacks, "phases": phases}
    if phases:
        read["epochs"] = sum(phase.epochs for phase in phases)
    training = validate(Training, {**options, **read}, ("training",), report, unknown=unknown)
    return training if len(report) == before else None


def read_evaluation(
    value: Any, metrics: list[KerasComponent] | None, output: str | None, report: Reporter
) -> Evaluation | None:
    """Read `evaluation`; `metrics` are those of the config, None where they cannot be known
    because of problems of their own, and `output` is the name of its only output, if it has one."""
    options = _options("evaluation", value, report)
    if options is None:
        return None
    protocol = read_protocol(options, report)
    if metrics is None:
        return None
    score = check_score(options.get("score"), metrics, report, output)
    return None if protocol is None else Evaluation(protocol=protocol, score=score)


def read_ignore(value: Any, report: Reporter) -> list[str]:
    """Read `ignore`: one code of a finding, or a list of them."""
    known, codes = finding_codes(), list[str]()
    for index, code in enumerate(value if isinstance(value, list) else [value]):
        path = ("ignore", index) if isinstance(value, list) else ("ignore",)
        if code in known:
            codes.append(code)
        elif isinstance(code, str):
            report(
                path,
                f"unknown finding '{code}'{did_you_mean(code, known)}",
                hint="`dlrun check` shows the code of every finding",
            )
        elif value is not None:
            expected = "codes of findings, such as [DL012]"
            report(path, "wrong value for 'ignore'", expected=expected, found=found(code))
    return codes


def _options(section: str, value: Any, report: Reporter) -> dict[Any, Any] | None:
    """The entries of a section that may be left out; None where it is no mapping."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    hint = advice(value, [dict])
    if section == "evaluation" and value in PROTOCOLS.names():
        hint = f"write `evaluation: {{protocol: {value}}}`"
    report(
        (section,),
        f"wrong value for '{section}'",
        expected="a mapping from options to values",
        found=found(value),
        hint=hint,
    )
    return None


def _read_list(
    kind: KerasKind, values: list[Any], path: KeyPath, report: Reporter
) -> list[KerasComponent]:
    read = [read_named(kind, value, (*path, i), report) for i, value in enumerate(values)]
    return [component for component in read if component is not None]
