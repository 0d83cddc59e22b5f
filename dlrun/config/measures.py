"""Names of metrics: what may be the score, and what a callback may monitor."""

from __future__ import annotations

from typing import Any

from dlrun.config.keras_components import metric_names
from dlrun.config.messages import found
from dlrun.config.report import Reporter
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
        output: Name of the only output, which may stand before the metric's: `answer_accuracy`.

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
        message = f"the score {found(score)} may be any of {len(meant)} metrics"
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
        f"the score {found(score)} is no metric of this config"
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
