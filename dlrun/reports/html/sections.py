"""The sections on how training went, and on what the run was made from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from dlrun.reports.curve_charts import curve_charts
from dlrun.reports.result_charts import folds_chart
from dlrun.reports.run_facts import git_text
from dlrun.reports.run_record import RunRecord
from dlrun.reports.stored_curves import stored_curves
from dlrun.reports.summary import folds_word
from dlrun.reports.tasks import section_of

NAMED_FEATURES = 12
NAMED_CLASSES = 3
LISTED_CLASSES = 30
LISTED_SPLITS = 12

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""A caption, the names of columns, and rows with a text for each column."""


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Args:
        name: Its macro in `sections.html`; links to it end with this name.
        title: Its heading.
        facts: What the macro is called with.
    """

    name: str
    title: str
    facts: Mapping[str, Any]


def diagnosis(record: RunRecord) -> Section | None:
    """What the curves show, and what to try next."""
    found = _mappings(record.result.get("diagnosis"))
    advice = []
    for item in _mappings(record.result.get("suggestions")):
        changes = item.get("set") or []
        given = [changes] if isinstance(changes, str) else list(map(str, changes))
        if item.get("text"):
            advice.append((item["text"], command_line(record, given) if given else ""))
    texts = [item["text"] for item in found if item.get("text")]
    if not texts and not advice:
        return None
    return Section("diagnosis", "Diagnosis", {"texts": texts, "advice": advice})


def task(record: RunRecord) -> Section | None:
    """What a task came to where no model learnt from data."""
    shown = section_of(record.directory, record.result)
    return None if shown is None else Section("task", shown.title, vars(shown))


def curves(record: RunRecord) -> Section | None:
    """Loss and metrics over the epochs."""
    facts = stored_curves(record.history, record.title, record.config, record.result)
    if not facts.panels:
        return None
    return Section("curves", "Training", {"charts": curve_charts(facts)})


def phases(record: RunRecord) -> Section | None:
    """The result of each phase of training; only where there are several."""
    every = _mappings(record.result.get("folds"))
    found = _mappings(every[0].get("phases")) if len(every) == 1 else []
    return Section("phases", "Phases", {"phases": found}) if len(found) > 1 else None


def folds(record: RunRecord) -> Section | None:
    """Each fold's, or repeat's, score; only where there are several."""
    every = _mappings(record.result.get("folds"))
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
    facts = {"chart": chart, "folds": every, "one": one, "score": name}
    return Section("folds", several.capitalize(), facts)


def _mappings(items: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def data(record: RunRecord) -> Section | None:
    """Rows, columns, classes, splits, and what dlrun noticed."""
    facts = record.data
    if not facts and not record.findings:
        return None
    test_rows, test = "none", facts.get("test")
    if isinstance(test, dict) and test.get("exists"):
        rows = test.get("rows")
        test_rows = "the source's own" if rows is None else f"{rows:,}, sealed"
    items = [
        ("data", facts.get("description")),
        ("rows", f"{facts['rows']:,}, without test rows" if "rows" in facts else ""),
        ("features", _columns(facts.get("features"))),
        ("target", _columns(facts.get("targets"), classes=facts.get("classes"))),
        ("test rows", test_rows),
        ("fingerprint", str(facts.get("fingerprint") or "")[:16]),
    ]
    shares = _labels(facts) if record.task == "multilabel" else _classes(facts)
    tables = [*shares, *_splits(facts)]
    silenced = ", ".join(f"{n} × {code}" for code, n in (facts.get("silenced") or {}).items())
    shown = {"findings": record.findings, "silenced": silenced, "items": items, "tables": tables}
    return Section("data", "Data", shown)


def _columns(columns: Any, classes: Any = None) -> str:
    """Return how many there are and the names of the first.

    Args:
        columns: Their facts by name.
        classes: Names of the classes of each that is not a quantity.
    """
    if not isinstance(columns, dict) or not columns:
        return ""
    if len(columns) == 1:
        name, facts = next(iter(columns.items()))
        values = (classes or {}).get(name)
        if isinstance(values, list) and values:
            several = len(values) > NAMED_CLASSES
            quoted = " or ".join(f"‘{value}’" for value in values)
            return f"{name} ({f'one of {len(values)} classes' if several else quoted})"
        shape = " × ".join(map(str, facts.get("shape") or []))
        kind = ", ".join(str(p) for p in (facts.get("kind"), shape, facts.get("dtype")) if p)
        return f"{name} ({kind})"
    names = ", ".join(list(columns)[:NAMED_FEATURES])
    more = f" and {len(columns) - NAMED_FEATURES} more" if len(columns) > NAMED_FEATURES else ""
    missing = sum(int(facts.get("missing") or 0) for facts in columns.values())
    gaps = f"; {missing:,} values missing" if missing else ""
    return f"{len(columns)}: {names}{more}{gaps}"


def _classes(facts: Mapping[str, Any]) -> Iterator[Table]:
    """How many rows each class of the first target with classes has."""
    for name, target in (facts.get("targets") or {}).items():
        counts = target.get("counts") if isinstance(target, dict) else None
        if not counts:
            continue
        total = sum(counts.values()) or 1
        common = sorted(counts.items(), key=lambda item: -item[1])
        shown = list(counts.items()) if len(counts) <= LISTED_CLASSES else common[:LISTED_CLASSES]
        rows = [(label, f"{count:,}", f"{count / total:.1%}") for label, count in shown]
        more = f", the {LISTED_CLASSES} most common of {len(counts)}"
        caption = f"Classes of {name}" + (more if len(counts) > LISTED_CLASSES else "")
        yield caption, ("class", "rows", "share"), rows
        return


def _labels(facts: Mapping[str, Any]) -> Iterator[Table]:
    """How many rows have each label."""
    found: list[tuple[str, float]] = []
    for name, target in (facts.get("targets") or {}).items():
        if "sums" in target:
            found += [(f"{name}_{index}", value) for index, value in enumerate(target["sums"])]
        elif "counts" in target:
            found.append((name, target["counts"].get("1", 0)))
    total = facts.get("rows") or 1
    rows = [(n, f"{count:,.0f}", f"{count / total:.1%}") for n, count in found[:LISTED_CLASSES]]
    more = f", the first {LISTED_CLASSES} of {len(found)}" if len(found) > LISTED_CLASSES else ""
    if rows:
        yield f"Labels{more}", ("label", "rows", "share"), rows


def _splits(facts: Mapping[str, Any]) -> Iterator[Table]:
    splits = facts.get("splits") or {}
    rows = []
    for name, split in list(splits.items())[:LISTED_SPLITS]:
        fold, _, part = name.partition("_")
        title = name
        if fold.startswith("fold") and fold[4:].isdecimal():
            title = part.replace("_", " ")
            title = title if len(splits) <= 2 else f"fold {int(fold[4:]) + 1}, {title}"
        rows.append((title, f"{split.get('rows') or 0:,}"))
    more = f", the first {LISTED_SPLITS} of {len(splits)}" if len(splits) > LISTED_SPLITS else ""
    if rows:
        yield f"Rows of each split{more}", ("split", "rows"), rows


def test_evaluations(record: RunRecord) -> Section | None:
    """The test evaluations: this run's in full, and how many there were at all. None where there is
    no test data."""
    own, every = record.evaluations, record.test_evaluations
    if not own and not every and not (record.data.get("test") or {}).get("exists"):
        return None
    runs = {one.run for one in every}
    facts = {"own": own, "every": every, "runs": len(runs), "others": bool(runs - {record.name})}
    return Section("test", "Test data", facts)


CHANGING = ("--set", "--seed", "--folds", "-k", "--iterations", "-p", "--epochs")
"""Options that change a config."""


def config(record: RunRecord) -> Section | None:
    """The config as it was given."""
    if not record.given.strip():
        return None
    changes = "\n".join(config_changes(record.run.get("command")))
    return Section("config", "Config", {"text": marked_yaml(record.given), "changes": changes})


def config_changes(typed: Any) -> list[str]:
    """Return the options of a command that change its config, one each, as typed."""
    words = [str(word) for word in typed] if isinstance(typed, list) else []
    found = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, joined, _ = word.partition("=")
        if option in CHANGING:
            found.append(word if joined else f"{word} {shlex.quote(following)}")
    return found


_LINE = re.compile(r"^(\s*(?:- )*)([^\s:#'\"{\[][^:#]*?|\"[^\"]*\")(:)(?=\s|$)(.*)$")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")


def marked_yaml(text: str) -> Markup:
    """Return the text as HTML: `<b>` around keys that begin a line, `<i>` around comments.

    Nothing is parsed and nothing is lost: without its marks, the result is the text.
    """
    marked = []
    for line in text.rstrip("\n").split("\n"):
        body, comment = line, ""
        found = _COMMENT.search(line)
        # A `#` inside quotation marks begins no comment.
        if found and all(line[: found.start()].count(mark) % 2 == 0 for mark in ('"', "'")):
            body, comment = line[: found.start()], found[0]
        key = _LINE.match(body)
        html = escape(body)
        if key:
            html = escape(key[1]) + Markup("<b>{}</b>{}{}").format(key[2], key[3], key[4])
        marked.append(html + (Markup("<i>{}</i>").format(comment) if comment else ""))
    return Markup("\n").join(marked)


def environment(record: RunRecord) -> Section | None:
    """Machine, versions, seed, and the command that repeats the run."""
    run, typed = record.run, record.run.get("command")
    if typed:
        # Of the program only its name.
        words = [str(word) for word in typed] if isinstance(typed, list) else [str(typed)]
        program = words[0].replace("\\", "/").rsplit("/", 1)[-1]
        typed = shlex.join(["dlrun" if program == "__main__.py" else program, *words[1:]])
    facts = {
        "run": run,
        "packages": [f"{name} {version}" for name, version in (run.get("packages") or {}).items()],
        "git": git_text(run),
        "typed": typed,
        "again": command_line(record),
        "following": record.result.get("next"),
    }
    return Section("repeat", "How to repeat it", facts)


def command_line(record: RunRecord, changes: Sequence[str] = ()) -> str:
    """Return the command that trains the run's config again, with changes."""
    sets = [word for change in changes for word in ("--set", change)]
    return shlex.join(["dlrun", "train", f"{record.path}/resolved.yaml", *sets])
