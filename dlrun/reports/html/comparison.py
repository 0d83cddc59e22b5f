"""Several runs side by side: which is better, by how much, and what differs."""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.reports.charts import Chart
from dlrun.reports.comparison import Comparison, Pair
from dlrun.reports.differences import differences, short_names
from dlrun.reports.html.blocks import Block, Charts, PageSection, PageTable, Prose
from dlrun.reports.html.headline import protocol_of
from dlrun.reports.overlay import overlay_charts
from dlrun.reports.result_charts import ScoreMark, score_chart
from dlrun.reports.run_record import RunRecord
from dlrun.reports.summary import ends_text, quantity_text
from dlrun.text import duration, figure

MOST_DIFFERENCES = 40
NOTHING = "–"


def comparison_section(records: Sequence[RunRecord], compared: Comparison | None) -> PageSection:
    """Return the part of the page above the runs.

    Args:
        records: At least two runs.
        compared: Their comparison, or None where there is none.
    """
    labels = run_names(records, compared)
    blocks: list[Block] = []
    if compared is not None:
        blocks += [Prose(f"{sentence}.") for sentence in compared.answer()]
    comparable = compared is None or any(pair.comparable for pair in compared.pairs)
    chart = _score_chart(records, labels) if comparable else None
    if chart is not None:
        blocks.append(Charts((chart,)))
    if compared is not None and compared.overlay is not None:
        blocks.append(Charts(overlay_charts(compared.overlay)))
    blocks.append(_runs(records, labels))
    if compared is not None and comparable:
        blocks.append(_pairs(compared.pairs))
    blocks += _differences(records, labels)
    return PageSection("comparison", "Comparison", blocks)


def run_names(records: Sequence[RunRecord], compared: Comparison | None) -> list[str]:
    """Return what to call each run on the page."""
    known = {} if compared is None else {run.run: run.label for run in compared.runs}
    return [known.get(record.name, record.name) for record in records]


def _runs(records: Sequence[RunRecord], labels: Sequence[str]) -> PageTable:
    """Return a row for each run; what is the same for all gets no column."""
    names = ("run", "measure", "score", "interval", "baseline", "protocol", "best epoch", "time")
    columns = (*names, "test evaluations", "status")
    rows = [_row(record, label) for record, label in zip(records, labels, strict=True)]
    alike = [len({row[index] for row in rows}) == 1 for index in range(len(columns))]
    kept = [
        index
        for index, name in enumerate(columns)
        if not (alike[index] and name in ("measure", "protocol", "status", "test evaluations"))
    ]
    words = [kept.index(i) for i in kept if columns[i] in ("measure", "protocol", "status")]
    return PageTable(
        "The runs",
        tuple(columns[index] for index in kept),
        tuple(tuple(row[index] for index in kept) for row in rows),
        frozenset(words),
    )


def _row(record: RunRecord, label: str) -> tuple[str, ...]:
    score, baseline = (record.result.get(key) or {} for key in ("score", "baseline"))
    seconds = record.result.get("seconds") or record.run.get("seconds")
    return (
        label,
        str(score.get("name") or NOTHING),
        quantity_text(score),
        ends_text(score.get("interval")) or NOTHING,
        figure(baseline.get("value")),
        protocol_of(record) or NOTHING,
        figure(record.result.get("best_epoch")),
        NOTHING if seconds is None else duration(float(seconds)),
        str(len(record.test_evaluations)),
        record.status,
    )


def _score_chart(records: Sequence[RunRecord], labels: Sequence[str]) -> Chart | None:
    """All scores on one axis, where they are scores of the same measure."""
    marks, names = [], set()
    for record, label in zip(records, labels, strict=True):
        score = record.result.get("score") or {}
        if score.get("value") is not None:
            interval = score.get("interval") or {}
            marks.append(
                ScoreMark(label, score["value"], interval.get("low"), interval.get("high"))
            )
            names.add(str(score.get("name")))
    return score_chart(marks, names.pop()) if len(names) == 1 else None


def _pairs(pairs: Sequence[Pair]) -> PageTable:
    columns = ("pair", "difference", "interval", "corrected p", "more than chance")
    rows = []
    for pair in pairs:
        p_value, answer = pair.corrected_p, "yes" if pair.different else "no"
        if not pair.comparable:
            answer = f"not comparable: {pair.why}"
        elif pair.different is None:
            answer = f"unknown: {pair.why}"
        rows.append(
            (
                f"{pair.better} {'over' if pair.comparable else 'and'} {pair.worse}",
                figure(pair.difference),
                ends_text(pair.interval) or NOTHING,
                "< 0.001" if p_value is not None and p_value < 0.001 else figure(p_value),
                answer,
            )
        )
    caption = "Every pair, on the same validation rows"
    return PageTable(caption, columns, tuple(rows), frozenset({4}))


def _differences(records: Sequence[RunRecord], labels: Sequence[str]) -> list[Block]:
    """Return a row for each place in which the configs differ."""
    every = differences([record.resolved for record in records])
    found = [one for one in every if one.key != ("name",)]
    if not found:
        return [Prose("The configs are the same.", "quiet")]
    names = short_names([one.key for one in found])
    rows = tuple(
        (name, *one.texts()) for name, one in zip(names, found[:MOST_DIFFERENCES], strict=False)
    )
    words = frozenset(range(1, len(records) + 1))
    blocks: list[Block] = [
        PageTable("Differences between the configs", ("config", *labels), rows, words)
    ]
    if len(found) > MOST_DIFFERENCES:
        more = len(found) - MOST_DIFFERENCES
        blocks.append(Prose(f"{more} more differences are not shown.", "quiet"))
    return blocks
