"""The top of a run: what it was, how it ended, and how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from dlrun.reports.charts import Chart
from dlrun.reports.result_charts import ScoreMark, score_chart, score_mark
from dlrun.reports.run_record import RunRecord
from dlrun.reports.summary import (
    baseline_text,
    clean_rows_text,
    folds_word,
    interval_text,
    metrics_text,
    simple_model_text,
    width,
)
from dlrun.text import duration, figure_beside

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
    "interrupted": "This run was interrupted, and `dlrun resume` goes on with it; the page "
    "shows the results so far.",
    "failed": "This run failed; the page shows the results so far.",
    "died": "The process of this run died, and `dlrun resume` goes on with it; the page shows the "
    "results so far.",
}


def headline(record: RunRecord) -> dict[str, Any]:
    """Return the facts at the top of a run.

    Returns:
        `about` (what was predicted from what, under which protocol), `warning` (why the page may
        be incomplete), `score_label` and `score_note`, `facts` (term and text), `verdicts`
        (whether it beats baseline and simple model, in words) and `figure` (the score next to
        its baselines, or None).
    """
    result, score = record.result, record.result.get("score") or {}
    verdicts = [result.get("verdict"), (result.get("simple_model") or {}).get("verdict")]
    task = TASKS.get(record.task, record.task)
    about = (record.data.get("description"), task, protocol_of(record))
    warning = (ENDINGS.get(record.status), record.run.get("error"))
    return {
        "about": " · ".join(str(part) for part in about if part),
        "warning": " ".join(str(part) for part in warning if part),
        "score_label": _score_label(record, score),
        "score_note": _score_note(result, score),
        "facts": list(_facts(record)),
        "verdicts": [one["text"] for one in verdicts if one and one.get("text")],
        "figure": _figure(score, result),
    }


def protocol_of(record: RunRecord) -> str:
    """Return the protocol in the field's own words, or nothing."""
    evaluation = record.config.get("evaluation")
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


def _facts(record: RunRecord) -> Iterator[tuple[str, object]]:
    result, run = record.result, record.run
    score = result.get("score") or {}
    folds = len(result.get("folds") or [])
    if clean := clean_rows_text(result.get("clean_rows")):
        yield "clean rows", clean
    if baseline := result.get("baseline"):
        yield "baseline", baseline_text(baseline, folds, score)
        for other in baseline.get("others") or ():
            yield "weaker baseline", baseline_text(other, folds, score)
    if simple := simple_model_text(result.get("simple_model"), score):
        yield "simple model", simple
    if metrics := metrics_text(result):
        yield "other metrics", metrics
    if (best := result.get("best_epoch")) is not None:
        yield "best epoch", f"{best} of {result.get('epochs', best)}"
    elif result.get("epochs"):
        yield "epochs", result["epochs"]
    if result.get("parameters"):
        yield "parameters", f"{result['parameters']:,}"
    seconds = result.get("seconds") or run.get("seconds")
    if seconds is not None:
        yield "time", duration(float(seconds))
    if started := str(run.get("started") or ""):
        with suppress(ValueError):
            started = datetime.fromisoformat(started).strftime("%Y-%m-%d %H:%M")
        yield "started", started
    if parent := run.get("parent"):
        yield "made from", parent
    if record.test_evaluations:
        yield "test evaluations", len(record.test_evaluations)


def _figure(score: Mapping[str, Any], result: Mapping[str, Any]) -> Chart | None:
    value = score.get("value")
    if value is None:
        return None
    marks = [score_mark("this model", score)]
    for key, label in (("simple_model", "simple model"), ("baseline", "baseline")):
        rival = result.get(key) or {}
        if rival.get("value") is not None:
            text = figure_beside(rival["value"], width(score))
            marks.append(ScoreMark(label, rival["value"], text, kind="rival"))
    return score_chart(marks, str(score.get("name", "score")))
