"""What a search came to: the best of its trials, and what that is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from dlrun.config.yaml_writer import in_line
from dlrun.errors import RunError
from dlrun.reports.charts import Axis, Chart, DotsMark, LineMark, axis_holding
from dlrun.reports.differences import short_names
from dlrun.reports.tasks import TaskSection
from dlrun.text import counted, figure, figure_near, figure_range, in_one_line

if TYPE_CHECKING:
    from dlrun.store.run_directory import RunDirectory

LONGEST_CHOICE = 16
"""Characters of a choice below a chart."""

LONGEST = 60
"""Characters of a value, and of a reason, that the table shows."""


def lines(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how many trials there were, the best one, its score as it was chosen by and corrected
    for that, and whether it is better than the config itself."""
    score, trials = result["score"], result["trials"]
    counts = counted(trials["finished"], "trial")
    failed = f"; {trials['failed']} failed" if trials["failed"] else ""
    best, name = result["best"], score["name"]
    values = "the config itself" if best["trial"] == 0 else _values(best["values"])
    found = [
        ("trials", f"{trials['finished']} finished{failed}"),
        ("best", f"trial {best['trial']}: {values}"),
        ("raw score", f"{name} {figure(score['value'])}, the best of {counts}: optimistic"),
    ]
    corrected = result.get("corrected")
    if corrected is None:
        found.append(("corrected", f"unknown: {result.get('no_correction')}"))
    else:
        text = figure_near(corrected["value"], _width(corrected["interval"]))
        found.append(("corrected", f"{name} {text} ({_ends(corrected['interval'])})"))
    return [*found, ("verdict", _verdict(result))]


def _verdict(result: Mapping[str, Any]) -> str:
    """Whether the search found something better than the config."""
    if result["best"]["trial"] == 0:
        return "nothing was better than the config itself"
    own = result.get("config_score")
    if own is None:
        return "the config itself could not be scored"
    beside = f"the config itself has {figure(own)}"
    against = result.get("against_config")
    if against is None:
        return beside
    gain = figure_near(abs(against["gain"]), _width(against["interval"]))
    of = f"{gain} {'better' if against['gain'] >= 0 else 'worse'}"
    what = f"corrected, the search is {of} than the config itself ({_ends(against['interval'])})"
    if against["better"]:
        return f"{what}: more than chance"
    return f"{what}: no more than chance"


def _ends(interval: Mapping[str, Any]) -> str:
    ends = figure_range(interval["low"], interval["high"])
    return f"{100 * interval['level']:g}% interval {ends}"


def _width(interval: Mapping[str, Any]) -> float:
    return float(interval["high"] - interval["low"])


def _values(values: Mapping[str, Any]) -> str:
    names = short_names([tuple(path.split(".")) for path in values])
    pairs = zip(names, values.values(), strict=True)
    return ", ".join(f"{name} {_text(value)}" for name, value in pairs)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return figure(value)
    text = "null" if value is None else str(value).replace("'", "")
    return in_one_line(text, LONGEST)


def section(directory: RunDirectory, result: Mapping[str, Any]) -> TaskSection:
    """Return the score over the trials and against each value, and a table of the trials, the best
    first."""
    rows = _trials(directory)
    paths = list(result["space"])
    names = short_names([tuple(path.split(".")) for path in paths])
    score = str(result["score"]["name"])
    sign = -1 if result["score"]["direction"] == "max" else 1
    charts = [
        _history(rows, score, sign),
        *(
            _against(rows, path, name, score, result["space"][path])
            for path, name in zip(paths, names, strict=True)
        ),
    ]
    rows.sort(key=lambda row: sign * float(row["score"]) if row["score"] else math.inf)
    table = [
        (
            row["trial"],
            figure(float(row["score"])) if row["score"] else row["status"],
            *(_cell(row[path]) for path in paths),
            in_one_line(row["reason"], LONGEST),
        )
        for row in rows
    ]
    return TaskSection(
        title="Trials",
        about=_about(result),
        charts=charts,
        caption="Every training of the search, the best first; trial 0 is the config itself",
        columns=("trial", score, *names, "reason of a failure"),
        rows=table,
    )


def _about(result: Mapping[str, Any]) -> str:
    score, corrected = result["score"], result.get("corrected")
    text = f"best {score['name']} of {counted(result['trials']['finished'], 'trial')}"
    text += f" {figure(score['value'])}"
    if corrected is None:
        return text
    return f"{text}, corrected {figure_near(corrected['value'], _width(corrected['interval']))}"


def _history(rows: Sequence[Mapping[str, str]], score: str, sign: int) -> Chart:
    """The score of every trial in its order, and the best so far."""
    numbers = [float(row["trial"]) for row in rows]
    scores = [float(row["score"]) if row["score"] else math.nan for row in rows]
    costs = [
        sign * each if row["score"] else math.inf for row, each in zip(rows, scores, strict=True)
    ]
    best = [sign * cost if math.isfinite(cost) else math.nan for cost in accumulate(costs, min)]
    failed = sum(not row["score"] for row in rows)
    return Chart(
        axis_holding(numbers, "trial"),
        axis_holding(scores, score),
        (
            DotsMark(numbers, scores, "validation", "a trial"),
            LineMark(numbers, best, "true", "the best so far"),
        ),
        f"The {score} of {counted(len(rows), 'trial')} in their order, and the best so far.",
        title="score over trials",
        note=f"{counted(failed, 'trial')} failed" if failed else "",
    )


def _against(
    rows: Sequence[Mapping[str, str]], path: str, name: str, score: str, values: Mapping[str, Any]
) -> Chart:
    """The score of every trial against one of its values; choices side by side."""
    having = [row for row in rows if row["score"] and row[path]]
    scores = [float(row["score"]) for row in having]
    if "choices" in values:
        texts = [in_line(each) for each in values["choices"]]
        places = [float(texts.index(row[path])) for row in having]
        ticks = tuple(float(number) for number in range(len(texts)))
        shown = tuple(in_one_line(text, LONGEST_CHOICE) for text in texts)
        x = Axis(-0.5, len(texts) - 0.5, name, ticks, shown)
    else:
        places = [float(row[path]) for row in having]
        ends = [float(values["low"]), float(values["high"])]
        x = axis_holding(ends, name, logarithmic=bool(values.get("log")))
    return Chart(
        x,
        axis_holding(scores, score),
        (DotsMark(places, scores, "validation", "a trial"),),
        f"The {score} of the trials against {name}.",
        title=name,
    )


def _cell(text: str) -> str:
    try:
        return figure(float(text)) if "." in text or "e" in text else in_one_line(text, LONGEST)
    except ValueError:
        return in_one_line(text, LONGEST)


def _trials(directory: RunDirectory) -> list[dict[str, str]]:
    from dlrun.store.search_directory import SearchDirectory

    rows = SearchDirectory(directory.path).read_table()
    if any(row.keys() != rows[0].keys() for row in rows):
        raise RunError(f"{directory.name}/trials.csv is damaged")
    return rows
