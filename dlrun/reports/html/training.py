"""How training went: diagnosis, curves, and the spread over folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlrun.metrics.names import Direction
from dlrun.reports.curve_charts import curve_charts
from dlrun.reports.curve_facts import facts_from_table
from dlrun.reports.html.blocks import Advice, Block, Bullets, Charts, PageSection, PageTable
from dlrun.reports.html.setup import command_line
from dlrun.reports.result_charts import folds_chart
from dlrun.reports.run_record import RunRecord
from dlrun.reports.summary import folds_word
from dlrun.text import duration, figure, steady_figure


def diagnosis(record: RunRecord) -> PageSection | None:
    """What the curves show, and what to try next."""
    found = record.result.get("diagnosis") or []
    texts = tuple(_begun(str(item["text"])) for item in _mappings(found) if item.get("text"))
    blocks: list[Block] = [Bullets(texts)] if texts else []
    advice = []
    for item in _mappings(record.result.get("suggestions") or []):
        changes = item.get("set") or []
        given = [changes] if isinstance(changes, str) else list(map(str, changes))
        if item.get("text"):
            command = command_line(record, given) if given else ""
            advice.append((_begun(str(item["text"])), command))
    if advice:
        blocks.append(Advice(tuple(advice)))
    return PageSection("diagnosis", "Diagnosis", blocks) if blocks else None


def curves(record: RunRecord) -> PageSection | None:
    """Loss and metrics over the epochs."""
    score = record.result.get("score") or {}
    directions: dict[str, Direction] = {}
    if score.get("name") and score.get("direction") in ("min", "max"):
        directions[score["name"]] = score["direction"]
    training = record.resolved.get("training")
    phases = training.get("phases") if isinstance(training, dict) else None
    names = [
        str(phase.get("name") or f"phase {number}")
        for number, phase in enumerate(_mappings(phases or []), start=1)
    ]
    facts = facts_from_table(
        record.history,
        record.title,
        directions=directions,
        phases=names,
        several=folds_word(record.result),
    )
    if not facts.panels:
        return None
    return PageSection("curves", "Training", [Charts(curve_charts(facts))])


def phases(record: RunRecord) -> PageSection | None:
    """The result of each phase of training; only where there are several."""
    every = _mappings(record.result.get("folds") or [])
    found = _mappings(every[0].get("phases") or []) if len(every) == 1 else []
    if len(found) < 2:
        return None
    table = PageTable(
        caption="Phases of training",
        columns=("phase", "epochs", "best epoch", "best value", "weights trained", "engine"),
        rows=tuple(_phase_row(phase) for phase in found),
    )
    return PageSection("phases", "Phases", [table])


def _phase_row(phase: Mapping[str, Any]) -> tuple[str, ...]:
    first, epochs = int(phase.get("first") or 1), int(phase.get("epochs") or 0)
    engine = str(phase.get("engine") or "")
    if phase.get("features") is not None:
        engine += f", on {figure(phase['features'])} features a row"
    return (
        str(phase.get("name", "")),
        f"{first} to {first + epochs - 1}" if epochs > 1 else str(first),
        figure(phase.get("best_epoch")),
        steady_figure(phase.get("best_value")),
        figure(phase.get("trained_weights")),
        engine,
    )


def folds(record: RunRecord) -> PageSection | None:
    """Each fold's, or repeat's, score; only where there are several."""
    every = _mappings(record.result.get("folds") or [])
    score = record.result.get("score") or {}
    scored = [fold for fold in every if fold.get("score") is not None]
    if len(scored) < 2 or score.get("value") is None:
        return None
    name, several = str(score.get("name", "score")), folds_word(record.result)
    one = several.removesuffix("s")
    chart = folds_chart(
        [float(fold["score"]) for fold in scored],
        [int(fold.get("iteration") or 0) for fold in scored],
        mean=float(score["value"]),
        std=score.get("std"),
        baseline=(record.result.get("baseline") or {}).get("value"),
        name=name,
        one=one,
    )
    table = PageTable(
        caption=f"Every {one}",
        columns=(one, name, "baseline", "best epoch", "epochs", "rows", "time"),
        rows=tuple(_fold_row(fold) for fold in every),
    )
    return PageSection("folds", several.capitalize(), [Charts((chart,)), table])


def _fold_row(fold: Mapping[str, Any]) -> tuple[str, ...]:
    number = str(int(fold.get("fold", 0)) + 1)
    if fold.get("interrupted"):
        number += " (interrupted)"
    return (
        number,
        steady_figure(fold.get("score")),
        steady_figure(fold.get("baseline")),
        figure(fold.get("best_epoch")),
        figure(fold.get("epochs")),
        figure(fold.get("rows")),
        duration(float(fold.get("seconds") or 0)),
    )


def _begun(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def _mappings(items: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
