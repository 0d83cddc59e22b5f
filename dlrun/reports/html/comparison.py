"""Several runs side by side: which is better, by how much, and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlrun.reports.charts import Chart
from dlrun.reports.comparison import Comparison
from dlrun.reports.differences import differences, short_names
from dlrun.reports.html.headline import protocol_of
from dlrun.reports.html.sections import Section
from dlrun.reports.result_charts import score_chart, score_mark
from dlrun.reports.run_record import RunRecord
from dlrun.reports.summary import ends_text, quantity_text, width
from dlrun.text import duration, figure, figure_beside

MOST_DIFFERENCES = 40
NOTHING = "–"

WORDS = ("measure", "protocol", "status")
"""Columns that hold words, not numbers."""

MAY_BE_ALIKE = (*WORDS, "test evaluations")
"""Columns that say something only where runs differ."""


def comparison_section(records: Sequence[RunRecord], compared: Comparison | None) -> Section:
    """Return the part of the page above the runs.

    Args:
        records: At least two runs.
        compared: Their comparison, or None where there is none.
    """
    labels = run_names(records, compared)
    comparable = compared is None or any(pair.comparable for pair in compared.pairs)
    every = differences([record.config for record in records])
    differing = [one for one in every if one.key != ("name",)]
    facts = {
        "answer": compared.answer() if compared else [],
        "chart": _score_chart(records, labels) if comparable else None,
        "curves": compared.curves if compared else (),
        "labels": labels,
        **_runs(records, labels),
        "pairs": compared.pairs if compared and comparable else (),
        "differing": list(
            zip(
                short_names([one.key for one in differing]),
                [one.texts() for one in differing[:MOST_DIFFERENCES]],
                strict=False,
            )
        ),
        "more": len(differing) - MOST_DIFFERENCES,
    }
    return Section("comparison", "Comparison", facts)


def run_names(records: Sequence[RunRecord], compared: Comparison | None) -> list[str]:
    """Return what to call each run on the page."""
    known = {} if compared is None else {run.run: run.label for run in compared.runs}
    return [known.get(record.name, record.name) for record in records]


def _runs(records: Sequence[RunRecord], labels: Sequence[str]) -> dict[str, Any]:
    """A row for each run; what is the same for all gets no column."""
    runs = [_row(record, label) for record, label in zip(records, labels, strict=True)]
    columns = [
        column
        for column in runs[0]
        if column not in MAY_BE_ALIKE or len({run[column] for run in runs}) > 1
    ]
    return {
        "columns": columns,
        "runs": [[run[column] for column in columns] for run in runs],
        "words": [columns.index(column) for column in columns if column in WORDS],
    }


def _row(record: RunRecord, label: str) -> dict[str, str]:
    """The facts of one run, by the name of the column."""
    result, score = record.result, record.result.get("score") or {}
    seconds = result.get("seconds") or record.run.get("seconds")
    return {
        "run": label,
        "measure": str(score.get("name") or NOTHING),
        "score": quantity_text(score),
        "interval": ends_text(score.get("interval")) or NOTHING,
        "baseline": figure_beside((result.get("baseline") or {}).get("value"), width(score)),
        "protocol": protocol_of(record) or NOTHING,
        "best epoch": figure(result.get("best_epoch")),
        "time": NOTHING if seconds is None else duration(float(seconds)),
        "test evaluations": str(len(record.test_evaluations)),
        "status": record.status,
    }


def _score_chart(records: Sequence[RunRecord], labels: Sequence[str]) -> Chart | None:
    """All scores on one axis, where they are scores of the same measure."""
    marks, names = [], set()
    for record, label in zip(records, labels, strict=True):
        score: Mapping[str, Any] = record.result.get("score") or {}
        if score.get("value") is not None:
            marks.append(score_mark(label, score))
            names.add(str(score.get("name")))
    return score_chart(marks, names.pop()) if len(names) == 1 else None
