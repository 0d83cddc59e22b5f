"""The top of a run: what it was, how it ended, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dlrun.reports.charts import Chart
from dlrun.reports.result_charts import ScoreMark, score_chart
from dlrun.reports.run_record import RunRecord
from dlrun.reports.summary import (
    baseline_text,
    folds_word,
    interval_text,
    quantity_text,
    simple_model_text,
)
from dlrun.text import duration

TASKS = {
    "binary": "two classes",
    "multiclass": "several classes",
    "multilabel": "several labels a row",
    "regression": "a quantity",
}

PROTOCOLS = {
    "holdout": "hold-out",
    "repeated_holdout": "repeated hold-out",
    "kfold": "K-fold",
    "iterated_kfold": "iterated K-fold",
    "time_series": "time series",
}

ENDINGS = {
    "running": "This run was still in progress when this page was made.",
    "interrupted": "This run was interrupted; the page shows the results so far.",
    "failed": "This run failed; the page shows the results so far.",
    "died": "The process of this run died; the page shows the results so far.",
}


@dataclass(frozen=True)
class Headline:
    """The top of a run.

    Args:
        title: Name of the experiment.
        run: Name of the run directory.
        status: How it ended.
        about: What was predicted from what, under which protocol, in one line.
        warning: Why the page may be incomplete, or nothing.
        score: The score as text, or nothing.
        score_label: What the score is.
        score_note: Interval or spread of the score.
        facts: Short facts about the run: term and text.
        verdicts: Whether it beats the baseline, and the simple model, in words.
        beats: Whether it does; None where that is not known.
        figure: The score next to its baselines, or None.
    """

    title: str
    run: str
    status: str
    about: str
    warning: str
    score: str
    score_label: str
    score_note: str
    facts: tuple[tuple[str, str], ...]
    verdicts: tuple[str, ...]
    beats: bool | None
    figure: Chart | None


def headline(record: RunRecord) -> Headline:
    """Return the top of a run."""
    score = record.result.get("score") or {}
    verdict = record.result.get("verdict") or {}
    value = score.get("value")
    error = record.run.get("error")
    warning = ENDINGS.get(record.status, "")
    task = TASKS.get(record.task, record.task)
    about = (str(record.data.get("description") or ""), task, protocol_of(record))
    simple = (record.result.get("simple_model") or {}).get("verdict") or {}
    verdicts = [str(text) for text in (verdict.get("text"), simple.get("text")) if text]
    return Headline(
        title=record.title,
        run=record.name,
        status=record.status,
        about=" · ".join(filter(None, about)),
        warning=f"{warning} {error}".strip() if error else warning,
        score="" if value is None else quantity_text(score),
        score_label=_score_label(record, score),
        score_note=_score_note(record.result, score),
        facts=tuple(_facts(record)),
        verdicts=tuple(text[:1].upper() + text[1:] for text in verdicts),
        beats=verdict.get("beats_baseline"),
        figure=_figure(score, record.result),
    )


def protocol_of(record: RunRecord) -> str:
    """Return the protocol in the field's own words, or nothing."""
    evaluation = record.resolved.get("evaluation")
    configured = evaluation.get("protocol") if isinstance(evaluation, dict) else None
    name = str(record.result.get("protocol") or configured or "")
    return PROTOCOLS.get(name, name.replace("_", " "))


def _score_label(record: RunRecord, score: Mapping[str, Any]) -> str:
    if not score:
        return ""
    if score.get("value") is None:
        folds = score.get("folds")
        return "The score is not a number" if folds else "No rows were held out: no score"
    name, direction = score.get("name", "score"), score.get("direction")
    better = {"max": "higher is better", "min": "lower is better"}.get(str(direction), "")
    return f"validation {name}, {better}" if better else f"validation {name}"


def _score_note(result: Mapping[str, Any], score: Mapping[str, Any]) -> str:
    parts = []
    folds = score.get("folds") or []
    if len(folds) > 1:
        parts.append(f"mean ± standard deviation of {len(folds)} {folds_word(result)}")
    interval = score.get("interval") or {}
    if text := interval_text(interval):
        about = ", ".join(str(interval[key]) for key in ("method", "note") if interval.get(key))
        parts.append(f"{text} ({about})" if about else text)
    return "; ".join(parts)


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    result, run = record.result, record.run
    facts = []
    folds = len(result.get("folds") or [])
    if baseline := result.get("baseline"):
        facts.append(("baseline", baseline_text(baseline, folds)))
        others = baseline.get("others") or ()
        facts += [("weaker baseline", baseline_text(other, folds)) for other in others]
    if simple := simple_model_text(result.get("simple_model")):
        facts.append(("simple model", simple))
    if (best := result.get("best_epoch")) is not None:
        facts.append(("best epoch", f"{best} of {result.get('epochs', best)}"))
    elif result.get("epochs"):
        facts.append(("epochs", str(result["epochs"])))
    if result.get("parameters"):
        facts.append(("parameters", f"{result['parameters']:,}"))
    seconds = result.get("seconds") or run.get("seconds")
    if seconds is not None:
        facts.append(("time", duration(float(seconds))))
    if started := str(run.get("started") or ""):
        with suppress(ValueError):
            started = datetime.fromisoformat(started).strftime("%Y-%m-%d %H:%M")
        facts.append(("started", started))
    if parent := run.get("parent"):
        facts.append(("made from", str(parent)))
    if record.test_evaluations:
        facts.append(("test evaluations", str(len(record.test_evaluations))))
    return facts


def _figure(score: Mapping[str, Any], result: Mapping[str, Any]) -> Chart | None:
    value = score.get("value")
    if value is None:
        return None
    interval = score.get("interval") or {}
    marks = [ScoreMark("this model", value, interval.get("low"), interval.get("high"))]
    for key, label in (("simple_model", "simple model"), ("baseline", "baseline")):
        rival = result.get(key) or {}
        if rival.get("value") is not None:
            marks.append(ScoreMark(label, rival["value"], kind="rival"))
    return score_chart(marks, str(score.get("name", "score")))
