"""What a run was made from: data, test evaluations, config and environment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from dlrun.reports.html.blocks import (
    Block,
    Code,
    Definitions,
    FindingList,
    PageSection,
    PageTable,
    Prose,
)
from dlrun.reports.run_facts import git_text
from dlrun.reports.run_record import RunFinding, RunRecord
from dlrun.text import figure

NAMED_FEATURES = 12
NAMED_CLASSES = 3
LISTED_CLASSES = 30
LISTED_SPLITS = 12


def data(record: RunRecord) -> PageSection | None:
    """Rows, columns, classes, splits, and what dlrun noticed."""
    facts = record.data
    if not facts and not record.findings:
        return None
    blocks: list[Block] = []
    if findings := (*record.findings, *map(RunFinding, record.notices)):
        blocks.append(FindingList(findings))
    if silenced := facts.get("silenced"):
        codes = ", ".join(f"{count} × {code}" for code, count in silenced.items())
        blocks.append(Prose(f"Suppressed by `ignore`: {codes}.", "quiet"))
    test_rows, test = "none", facts.get("test")
    if isinstance(test, dict) and test.get("exists"):
        rows = test.get("rows")
        test_rows = "the source's own" if rows is None else f"{rows:,}, sealed"
    items = [
        ("data", str(facts.get("description") or "")),
        ("rows", f"{facts['rows']:,}, without test rows" if "rows" in facts else ""),
        ("features", _columns(facts.get("features"))),
        ("target", _columns(facts.get("targets"), classes=facts.get("classes"))),
        ("test rows", test_rows),
        ("fingerprint", str(facts.get("fingerprint") or "")[:16]),
    ]
    blocks.append(Definitions(tuple((term, text) for term, text in items if text)))
    shares = _labels(facts) if record.task == "multilabel" else _classes(facts)
    blocks += [table for table in (shares, _splits(facts)) if table is not None]
    return PageSection("data", "Data", blocks)


def test_evaluations(record: RunRecord) -> PageSection | None:
    """The test evaluations: this run's in full, and how many there were at all. None where there is
    no test data."""
    own, every = record.evaluations, record.test_evaluations
    if not own and not every:
        sealed = (record.data.get("test") or {}).get("exists")
        unseen = PageSection("test", "Test data", [Prose("The test data has not been evaluated.")])
        return unseen if sealed else None
    blocks: list[Block] = []
    if len(every) == 1:
        blocks.append(Prose("The test data has been evaluated once."))
    elif every:
        runs = len({one.run for one in every})
        by = "all by one run" if runs == 1 else f"by {runs} runs"
        text = f"The test data has been evaluated {len(every)} times, {by}. Choosing among test "
        blocks.append(Prose(text + "evaluations biases the score."))
    if own:
        columns = ("number", "metric", "score", "baseline", "rows", "time")
        own_rows = tuple(map(_evaluation_row, own))
        blocks.append(
            PageTable("Test evaluations of this run", columns, own_rows, frozenset({1, 5}))
        )
    if len({one.run for one in every} - {record.name}):
        all_rows = tuple(
            (str(one.number), one.run, one.metric, figure(one.score), one.time[:16])
            for one in every
        )
        names = ("number", "run", "metric", "score", "time")
        words = frozenset({1, 2, 4})
        blocks.append(PageTable("All test evaluations on this data", names, all_rows, words))
    return PageSection("test", "Test data", blocks)


def _evaluation_row(facts: Mapping[str, Any]) -> tuple[str, ...]:
    score, baseline = facts.get("score") or {}, facts.get("baseline") or {}
    return (
        str(facts.get("look") or facts["number"]),
        str(score.get("name") or ""),
        figure(score.get("value")),
        figure(baseline.get("value")),
        figure(facts.get("rows")),
        str(facts.get("time") or "")[:16].replace("T", " "),
    )


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
        return f"{name} ({_kind(facts)})"
    names = ", ".join(list(columns)[:NAMED_FEATURES])
    more = f" and {len(columns) - NAMED_FEATURES} more" if len(columns) > NAMED_FEATURES else ""
    missing = sum(int(facts.get("missing") or 0) for facts in columns.values())
    gaps = f"; {missing:,} values missing" if missing else ""
    return f"{len(columns)}: {names}{more}{gaps}"


def _kind(facts: Mapping[str, Any]) -> str:
    shape = facts.get("shape") or []
    parts = [
        str(facts.get("kind") or ""),
        " × ".join(map(str, shape)),
        str(facts.get("dtype") or ""),
    ]
    return ", ".join(part for part in parts if part)


def _classes(facts: Mapping[str, Any]) -> PageTable | None:
    """Return how many rows each class has."""
    for name, target in (facts.get("targets") or {}).items():
        counts = target.get("counts") if isinstance(target, dict) else None
        if not counts:
            continue
        total = sum(counts.values()) or 1
        common = sorted(counts.items(), key=lambda item: -item[1])
        shown = list(counts.items()) if len(counts) <= LISTED_CLASSES else common[:LISTED_CLASSES]
        rows = tuple((label, f"{count:,}", f"{count / total:.1%}") for label, count in shown)
        more = f", the {LISTED_CLASSES} most common of {len(counts)}"
        caption = f"Classes of {name}" + (more if len(counts) > LISTED_CLASSES else "")
        return PageTable(caption, ("class", "rows", "share"), rows)
    return None


def _labels(facts: Mapping[str, Any]) -> PageTable | None:
    """Return how many rows have each label."""
    found: list[tuple[str, float]] = []
    for name, target in (facts.get("targets") or {}).items():
        if "sums" in target:
            sums = target["sums"]
            found += [(f"{name}_{index}", value) for index, value in enumerate(sums)]
        elif "counts" in target:
            found.append((name, target["counts"].get("1", 0)))
    total = facts.get("rows") or 1
    rows = tuple(
        (name, f"{count:,.0f}", f"{count / total:.1%}") for name, count in found[:LISTED_CLASSES]
    )
    more = f", the first {LISTED_CLASSES} of {len(found)}" if len(found) > LISTED_CLASSES else ""
    return PageTable(f"Labels{more}", ("label", "rows", "share"), rows) if rows else None


def _splits(facts: Mapping[str, Any]) -> PageTable | None:
    splits = facts.get("splits") or {}
    if not splits:
        return None
    rows = []
    for name, split in list(splits.items())[:LISTED_SPLITS]:
        fold, _, part = name.partition("_")
        title = name
        if fold.startswith("fold") and fold[4:].isdecimal():
            title = part.replace("_", " ")
            title = title if len(splits) <= 2 else f"fold {int(fold[4:]) + 1}, {title}"
        rows.append((title, f"{split.get('rows') or 0:,}"))
    more = f", the first {LISTED_SPLITS} of {len(splits)}" if len(splits) > LISTED_SPLITS else ""
    return PageTable(f"Rows of each split{more}", ("split", "rows"), tuple(rows))


CHANGING = (
    "--set", "--seed", "--folds", "-k", "--iterations", "-p", "--epochs",
)  # fmt: skip
"""Options that change a config."""


def config(record: RunRecord) -> PageSection | None:
    """The config as it was given."""
    if not record.config.strip():
        return None
    blocks: list[Block] = [Code(marked_yaml(record.config), "The config as given", wraps=False)]
    if changes := config_changes(record.run.get("command")):
        blocks.append(Code("\n".join(changes), "Changed on the command line"))
    return PageSection("config", "Config", blocks)


def config_changes(typed: Any) -> list[str]:
    """Return the options of a command that change its config, one each, as typed."""
    words = [str(word) for word in typed] if isinstance(typed, list) else []
    found = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, joined, _ = word.partition("=")
        if option in CHANGING:
            found.append(word if joined else f"{word} {shlex.quote(following)}")
    return found


def environment(record: RunRecord) -> PageSection | None:
    """Machine, versions, seed, and the command that repeats the run."""
    run = record.run
    engine, packages = run.get("engine"), run.get("packages")
    if isinstance(engine, dict):
        engine = _joined(engine.get("name"), engine.get("reason"))
    items = [
        ("seed", _text(run.get("seed"))),
        ("backend", _joined(run.get("backend"), run.get("keras") and f"Keras {run['keras']}")),
        ("engine", _text(engine)),
        ("devices", _joined(*(run.get("devices") or []))),
        ("Python", _text(run.get("python"))),
        (
            "packages",
            _joined(*(f"{name} {version}" for name, version in packages.items()))
            if isinstance(packages, dict)
            else "",
        ),
        ("system", _joined(run.get("platform"), run.get("cpus") and f"{run['cpus']} CPUs")),
        ("git", git_text(run)),
    ]
    blocks: list[Block] = []
    if typed := run.get("command"):
        blocks.append(Code(_typed(typed), "The command"))
    blocks.append(Code(command_line(record), "To repeat the run"))
    if following := record.result.get("next"):
        blocks.append(Code(str(following), "Next command"))
    blocks.append(Definitions(tuple((term, text) for term, text in items if text)))
    blocks.append(
        Prose(
            "The same config, seed and machine give the same numbers; other versions or devices "
            "may round differently.",
            "quiet",
        )
    )
    return PageSection("repeat", "How to repeat it", blocks)


def command_line(record: RunRecord, changes: Sequence[str] = ()) -> str:
    """Return the command that trains the run's config again, with changes."""
    sets = [word for change in changes for word in ("--set", change)]
    return shlex.join(["dlrun", "train", f"{record.path}/resolved.yaml", *sets])


def _typed(command: Any) -> str:
    """Return the words as typed; of the program only its name."""
    words = [str(word) for word in command] if isinstance(command, list) else [str(command)]
    program = words[0].replace("\\", "/").rsplit("/", 1)[-1]
    return shlex.join(["dlrun" if program == "__main__.py" else program, *words[1:]])


def _joined(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


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
