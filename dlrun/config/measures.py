"""Metrics and callbacks: what may be the score or be monitored, and what callbacks may write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from dlrun.config.document import Reporter
from dlrun.config.keras_components import metric_names
from dlrun.config.messages import found
from dlrun.config.schema import Training
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent
from dlrun.registry.names import closest
from dlrun.text import listed


def check_score(
    score: Any, metrics: list[KerasComponent], report: Reporter, output: str | None = None
) -> str | None:
    """Return the measure of success as the config's metrics call it.

    Args:
        score: As given: `loss`, or a metric by any of its names; None for the first metric.
        metrics: The metrics of the config.
        report: Takes the problem of a score that is none of them.
        output: Name of the only output, which may appear before the metric's: `answer_accuracy`.

    Returns:
        A name in Keras' history; None where a problem was reported.
    """
    names = metric_names(metrics)
    measured = {"loss", *names}.union(*map(_all_names, metrics))
    if output and isinstance(score, str) and score.removeprefix(f"{output}_") in measured:
        score = score if score in measured else score.removeprefix(f"{output}_")
    if score is None:
        return names[0] if names and metrics[0].kind == "metric" else "loss"
    if score == "loss" or score in names:
        return str(score)
    meant = [
        name
        for metric, name in zip(metrics, names, strict=True)
        if isinstance(score, str) and metric.kind == "metric" and score in _all_names(metric)
    ]
    if len(meant) == 1:
        return meant[0]
    if meant:
        message = f"the score {found(score)} could mean any of {len(meant)} metrics"
        report(("evaluation", "score"), message, expected=listed(meant, "or"))
        return None
    word = str(score).removeprefix("val_")
    known = catalogue.entry("metric", word) is not None and word not in names
    near = closest(word, [*names, "loss"])
    hint = None
    if known:
        hint = f"add it to 'metrics': [{', '.join([*names, word])}]"
    elif not names:
        hint = "name what to measure under 'metrics'"
    report(
        ("evaluation", "score"),
        f"the score {found(score)} is not a metric of this config"
        + (f"; did you mean '{near}'?" if near and not known else ""),
        expected=listed([*names, "loss"], "or"),
        hint=hint,
    )
    return None


def check_monitor(
    callback: KerasComponent, metrics: list[KerasComponent], report: Reporter
) -> None:
    """Report a callback that monitors something that no epoch measures."""
    monitor = callback.arguments.get("monitor")
    if not isinstance(monitor, str):
        return
    measured = ["loss", *metric_names(metrics)]
    known = [*measured, *(f"val_{name}" for name in measured)]
    # Callbacks are told the learning rate as well.
    if monitor in known or monitor == "learning_rate":
        return
    near = _meant(monitor, metrics) or closest(monitor, known)
    report(
        (*callback.path, "monitor"),
        f"{callback.alias} monitors '{monitor}', which is not measured"
        + (f"; did you mean '{near}'?" if near else ""),
        expected=listed(known, "or"),
    )


def _meant(monitor: str, metrics: list[KerasComponent]) -> str | None:
    """The measured name of a metric that goes by another name here."""
    word = monitor.removeprefix("val_")
    prefix = monitor[: len(monitor) - len(word)]
    for metric, name in zip(metrics, metric_names(metrics), strict=True):
        if word in _all_names(metric):
            return prefix + name
    return None


def _all_names(metric: KerasComponent) -> set[str]:
    """Everything that a metric may be called."""
    known = catalogue.entry("metric", metric.name)
    return {metric.alias, metric.name, *(known.aliases if known else ())}


_NAIVE_OPTIONS = {"learning_rate", "momentum", "nesterov", "name"}
"""Arguments of `sgd` that the naive engine knows."""


def check_naive_engine(training: Training, optimizer: KerasComponent, report: Reporter) -> None:
    """Report what the naive engine cannot do: anything but plain and momentum SGD in 32 bits."""
    own = [phase.optimizer for phase in training.all_phases]
    used = {id(one): one for one in (each or optimizer for each in own)}
    for component in used.values():
        if component.name != "SGD":
            report(
                component.path,
                f"the naive engine cannot train with {component.alias}",
                expected="sgd, with or without momentum",
                hint="use `engine: auto` for other optimizers",
                on_key=True,
            )
            continue
        known = catalogue.entry("optimizer", "SGD")
        defaults = {} if known is None else {a.name: a.default for a in known.arguments}
        for argument, value in component.arguments.items():
            if argument not in _NAIVE_OPTIONS and value != defaults.get(argument):
                report(
                    (*component.path, argument),
                    f"the naive engine does not know '{argument}' of {component.alias}",
                    expected="learning_rate, momentum or nesterov",
                    hint="leave it out, or use `engine: auto`",
                    on_key=True,
                )
    for option in ("mixed_precision", "xla"):
        if getattr(training, option):
            report(
                ("training", option),
                f"the naive engine cannot train with '{option}'",
                hint="leave it out, or use `engine: auto`",
                on_key=True,
            )


_FILE_ARGUMENTS = {"filepath", "filename", "log_dir", "backup_dir", "directory"}

SETS_RATE = {"LearningRateScheduler", "ReduceLROnPlateau"}
"""Callbacks that set the optimizer's learning rate."""


def written_files(callback: KerasComponent) -> dict[str, str]:
    """Return the files and folders that a callback writes, by argument, defaults included."""
    entry = catalogue.entry("callback", callback.name)
    known = () if entry is None else entry.arguments
    files = {a.name: callback.arguments.get(a.name, a.default) for a in known}
    return {name: str(files[name]) for name in files.keys() & _FILE_ARGUMENTS}


def check_files(callback: KerasComponent, report: Reporter) -> None:
    """Report a callback that would write outside the run directory."""
    for argument, given in written_files(callback).items():
        absolute = PurePosixPath(given).is_absolute() or PureWindowsPath(given).drive
        if absolute or ".." in PureWindowsPath(given).parts:
            report(
                (*callback.path, argument),
                f"{callback.alias} would write '{given}', outside the run directory",
                hint="give a relative path: it starts at the run's own folder for callbacks",
            )


def check_optimizer(
    callbacks: Sequence[KerasComponent], optimizer: KerasComponent, report: Reporter
) -> None:
    """Report callbacks that cannot do their work with the optimizer of the config."""
    rate = optimizer.arguments.get("learning_rate")
    for callback in callbacks:
        if callback.name in SETS_RATE and isinstance(rate, KerasComponent):
            report(
                callback.path,
                f"{callback.alias} sets the learning rate, but the optimizer already follows a "
                f"schedule, {rate.alias}",
                hint=f"give {optimizer.alias} a number, or leave out {callback.alias}",
                on_key=True,
            )
        if callback.name == "SwapEMAWeights" and not optimizer.arguments.get("use_ema"):
            given = dict.fromkeys(optimizer.arguments, "...") | {"use_ema": "true"}
            inside = ", ".join(f"{name}: {value}" for name, value in given.items())
            report(
                callback.path,
                f"{callback.alias} needs an optimizer that keeps moving averages of the weights",
                hint=f"write optimizer: {{{optimizer.alias}: {{{inside}}}}}",
                on_key=True,
            )
