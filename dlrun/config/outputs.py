"""Losses, loss weights and metrics by the name of an output, where a model has several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlrun.config.document import Reporter
from dlrun.config.keras_components import metric_names, read_component
from dlrun.config.messages import found
from dlrun.config.schema import OutputEntry
from dlrun.config.sections import SectionReader
from dlrun.config.shapes import Items, KerasShape
from dlrun.errors import KeyPath
from dlrun.registry import catalogue
from dlrun.registry.component import Component
from dlrun.registry.keras_component import KerasComponent, KerasKind
from dlrun.registry.names import did_you_mean
from dlrun.text import listed, quoted


def read_outputs(
    given: Mapping[Any, Any], names: Sequence[str], dataset: Component | None, report: Reporter
) -> tuple[OutputEntry, ...]:
    """Read `loss`, `loss_weights` and `metrics` of several outputs.

    Args:
        given: The config.
        names: The outputs.
        dataset: The source, whose targets are compared with them where it names them.
        report: Takes the problems.

    Returns:
        The outputs in their order; empty where a loss or a metric cannot be read.
    """
    _check_targets(names, dataset, report)
    losses = _read_losses(given["loss"], names, report) if "loss" in given else None
    weights = _read_weights(given.get("loss_weights"), names, report)
    metrics = _read_metrics(given.get("metrics"), names, report)
    if losses is None or metrics is None:
        return ()
    return tuple(
        OutputEntry(name=name, loss=loss, weight=weights[name], metrics=metrics[name])
        for name, loss in losses.items()
    )


def read_loss(value: Any, targets: Sequence[str], report: Reporter) -> KerasComponent | None:
    """Read the loss of one output."""
    if _report_by_target("loss", value, targets, report):
        return None
    return read_component("loss", value, ("loss",), report)


def read_metrics(value: Any, targets: Sequence[str], report: Reporter) -> list[KerasComponent]:
    """Read the metrics of one output."""
    # One that may be a metric is in a list already.
    given = value[0] if isinstance(value, list) and len(value) == 1 else value
    if _report_by_target("metric", given, targets, report):
        return []
    return _read_some(value, ("metrics",), report)


def declared_targets(dataset: Component | None) -> list[str]:
    """Return the targets that the source's options name; empty where they name none."""
    option = _targets_option(dataset)
    declared = getattr(dataset, option, None) if option else None
    targets = [declared] if isinstance(declared, str) else declared
    if not isinstance(targets, list) or not all(isinstance(name, str) for name in targets):
        return []
    return targets


def _targets_option(dataset: Component | None) -> str | None:
    return next((o for o in ("targets", "target") if getattr(dataset, o, None)), None)


def _report_by_target(
    kind: KerasKind, value: Any, targets: Sequence[str], report: Reporter
) -> bool:
    """Report settings by target where the model has one output for all targets."""
    if len(targets) < 2 or not isinstance(value, dict) or not value:
        return False
    if not all(key in targets and not catalogue.entry(kind, key) for key in value):
        return False
    key = "metrics" if kind == "metric" else kind
    report(
        (key,),
        f"'{key}' is given by target, but one output predicts all {len(targets)} targets",
        hint="name a layer after each target, and write "
        f"`architecture: {{outputs: [{', '.join(targets)}]}}`",
        on_key=True,
    )
    return True


def refuse_loss_weights(value: Any, report: Reporter) -> dict[str, float]:
    """Report weights of losses where there is one loss."""
    if value:
        hint = "name several layers under `architecture: {outputs: [...]}`, or leave it out"
        message = "'loss_weights' needs several outputs, but there is one"
        report(("loss_weights",), message, hint=hint, on_key=True)
    return {}


def refuse_class_weight(training: Any, names: Sequence[str], report: Reporter) -> None:
    """Report weights of classes where there are several outputs: Keras knows none."""
    if getattr(training, "class_weight", None) is not None:
        report(
            ("training", "class_weight"),
            f"class_weight needs a single output with classes, but there are {len(names)}: "
            f"{listed(names)}",
            hint="`sample_weight` names a column with the weight of each row",
            on_key=True,
        )


def history_metrics(outputs: Sequence[OutputEntry]) -> list[KerasComponent]:
    """Return the metrics of all outputs, then their losses, each called as in Keras' history:
    `age_mae`, `age_loss`."""
    named = [
        replace(metric, alias=f"{output.name}_{name}", arguments={})
        for output in outputs
        for metric, name in zip(output.metrics, metric_names(output.metrics), strict=True)
    ]
    losses = [replace(o.loss, alias=f"{o.name}_loss", arguments={}) for o in outputs]
    return named + losses


def scored_fields(score: str | None, outputs: Sequence[OutputEntry]) -> dict[str, Any]:
    """Return the fields of a config with several outputs: loss and metrics are those of the one
    that gives the score."""
    scored = scored_output(score, outputs)
    weights = {str(output.name): output.weight for output in outputs}
    return {"loss": scored.loss, "metrics": scored.metrics, "loss_weights": weights}


def scored_output(score: str | None, outputs: Sequence[OutputEntry]) -> OutputEntry:
    """Return the output whose measure the score is; the first for `loss`, the sum over all."""
    for output in outputs:
        names = ("loss", *metric_names(output.metrics))
        if any(score == f"{output.name}_{name}" for name in names):
            return output
    return outputs[0]


def _read_losses(
    value: Any, names: Sequence[str], report: Reporter
) -> dict[str, KerasComponent] | None:
    before = len(report)
    if not isinstance(value, dict):
        read_component("loss", value, ("loss",), report)
        return None
    _check_names(value, names, ("loss",), report)
    if len(report) == before and (missing := [name for name in names if name not in value]):
        report(
            ("loss",),
            f"the output{'s' if len(missing) > 1 else ''} {quoted(missing)} "
            f"{'have' if len(missing) > 1 else 'has'} no loss",
            hint=f"add for example `{missing[0]}: mse`",
            on_key=True,
        )
    losses = {
        name: read_component("loss", value[name], ("loss", name), report)
        for name in names
        if name in value
    }
    if len(report) > before:
        return None
    return {name: loss for name, loss in losses.items() if loss is not None}


def _read_weights(value: Any, names: Sequence[str], report: Reporter) -> dict[str, float]:
    weights = dict.fromkeys(names, 1.0)
    if value is None:
        return weights
    if not isinstance(value, dict):
        report.wrong(("loss_weights",), value, "a mapping from the name of an output to a number")
        return weights
    _check_names(value, names, ("loss_weights",), report)
    for name, weight in value.items():
        if name not in names:
            continue
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 <= weight < math.inf:
            report(
                ("loss_weights", name),
                f"wrong weight for the loss of '{name}'",
                expected="a number that is at least 0",
                found=found(weight),
            )
        else:
            weights[name] = float(weight)
    if not any(weights.values()):
        report(
            ("loss_weights",),
            "every loss has weight 0, so nothing is trained",
            expected="a weight above 0 for at least one output",
        )
    return weights


def _read_metrics(
    value: Any, names: Sequence[str], report: Reporter
) -> dict[str, list[KerasComponent]] | None:
    before = len(report)
    if not isinstance(value, dict):
        value = dict.fromkeys(names, value)
    _check_names(value, names, ("metrics",), report)
    read = {name: _read_some(value.get(name), ("metrics", name), report) for name in names}
    return read if len(report) == before else None


def _read_some(value: Any, path: KeyPath, report: Reporter) -> list[KerasComponent]:
    """Read a list of metrics."""
    if value is None:
        return []
    metrics = Items(KerasShape(("metric",)))
    read: list[KerasComponent] = SectionReader(report).value(metrics, value, path)
    return read


def _check_names(
    value: Mapping[Any, Any], names: Sequence[str], path: KeyPath, report: Reporter
) -> None:
    for key in value:
        if key not in names:
            near = did_you_mean(str(key), names)
            report(
                (*path, key),
                f"there is no output '{key}'{near}",
                expected=None if near else listed(names, "or"),
                on_key=True,
            )


def _check_targets(names: Sequence[str], dataset: Component | None, report: Reporter) -> None:
    """Report outputs without a target, where the source's options name the targets."""
    if not (targets := declared_targets(dataset)):
        return
    option = str(_targets_option(dataset))
    for number, name in enumerate(names):
        if name not in targets:
            report(
                ("architecture", "outputs", number),
                f"the output '{name}' has no target{did_you_mean(name, targets)}",
                hint=f"the targets are {listed(targets)}; an output is named after its target",
            )
    for number, name in enumerate(targets):
        if name not in names and set(names) <= set(targets):
            path = ("dataset", option)
            report(
                path if isinstance(getattr(dataset, option), str) else (*path, number),
                f"no output predicts the target '{name}'",
                hint=f"the outputs are {listed(names)}",
            )
