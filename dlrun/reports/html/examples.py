"""The rows that were predicted worst, so that one can see what they have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlrun.reports.html.masks import mask_legend, mask_pictures
from dlrun.reports.html.pictures import data_uris, is_picture, picture_of_columns
from dlrun.reports.html.sections import Section
from dlrun.reports.run_record import RunRecord, ScoredRows
from dlrun.store.examples import Examples
from dlrun.text import figure, percent

LONG_TEXT = 60
"""A column whose longest text has at least this many characters is shown as text."""

SHOWN_TEXT = 700
SHOWN_NUMBERS = 60
SHOWN_COLUMNS = 16


def most_wrong(record: RunRecord) -> Section | None:
    """The rows that were predicted worst, as pictures, texts or rows of a table."""
    examples, scored = record.examples, record.scored
    if examples is None or (not examples.rows and scored is None):
        return None
    place = {int(row): index for index, row in enumerate(scored.rows)} if scored else {}
    kept = [i for i, row in enumerate(examples.rows) if scored is None or row in place]
    if examples.rows and not kept:
        return None
    form, shown = _contents(examples)
    cards = []
    for i in kept:
        title = "" if scored is None else _title(scored, place[examples.rows[i]])
        where = examples.names[i] if examples.names else f"row {examples.rows[i]}"
        masks = mask_pictures(record, scored, examples.rows[i]) if scored is not None else []
        cards.append({"title": title, "place": where, "masks": masks, **shown[i]})
    legend = mask_legend(scored) if scored is not None and any(c["masks"] for c in cards) else []
    return Section("examples", "Most wrong", {"cards": cards, "form": form, "legend": legend})


def _contents(examples: Examples) -> tuple[str, list[dict[str, Any]]]:
    """Return `pictures`, `texts` or `tables`, and what a card shows of each row: its `picture` as a
    `data:` address, its `text` (and whether these are `numbers`), or its `columns` (and how many
    `more` there are)."""
    columns = examples.columns
    pictures = next(filter(is_picture, examples.arrays.values()), None)
    if not examples.arrays:
        pictures = picture_of_columns(columns)
    if pictures is not None:
        return "pictures", [{"picture": uri} for uri in data_uris(pictures)]
    if (name := _text_column(examples)) is not None:
        texts = columns[name]
        return "texts", [{"text": _text(t), "numbers": isinstance(t, list)} for t in texts]
    cards = []
    for i in range(len(examples.rows)):
        values = [(name, _value(column[i])) for name, column in columns.items()]
        values += [(name, _array(array[i])) for name, array in examples.arrays.items()]
        more = max(0, len(values) - SHOWN_COLUMNS)
        cards.append({"columns": values[:SHOWN_COLUMNS], "more": more})
    return "tables", cards


def _text_column(examples: Examples) -> str | None:
    """Return the column that holds texts or sequences of tokens: the one with the longest."""
    lengths = {}
    for name, values in examples.columns.items():
        lengths[name] = max((len(v) for v in values if isinstance(v, str | list)), default=0)
        if any(isinstance(value, list) for value in values):
            # Sequences of any length are read as a text is, not as a cell of a table.
            lengths[name] = max(lengths[name], LONG_TEXT)
    longest = max(lengths, key=lambda name: lengths[name], default=None)
    return None if longest is None or lengths[longest] < LONG_TEXT else longest


def _text(value: Any) -> str:
    if isinstance(value, list):
        numbers = " ".join(map(str, value[:SHOWN_NUMBERS]))
        return f"{numbers} …" if len(value) > SHOWN_NUMBERS else numbers
    text = "" if value is None else str(value)
    return text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT].rstrip() + " …"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return figure(value)
    return "missing" if value is None else str(value)


def _array(entry: np.ndarray) -> str:
    flat = np.asarray(entry).reshape(-1)
    shown = ", ".join(figure(float(number)) for number in flat[:6])
    return f"{shown}, …" if flat.size > 6 else shown


def _title(scored: ScoredRows, index: int) -> str:
    if scored.unit != "rows":
        return _title_of_steps(scored, index)
    if scored.task == "regression":
        return _quantity_title(scored, index)
    if scored.task == "multilabel":
        return _labels_title(scored, index)
    true, predicted = int(scored.true[index]), int(scored.predicted_class[index])
    title = f"{scored.names[true]}, predicted {scored.names[predicted]}"
    if not scored.has_probabilities:
        return title
    share = scored.predictions[index, predicted]
    return f"{title} ({percent(share) if share < 0.9995 else 'over 99.9%'})"


def _title_of_steps(scored: ScoredRows, index: int) -> str:
    """How many steps or pixels of the row of an entry are wrong, or by how much."""
    own = scored.rows == scored.rows[index]
    true, predicted = scored.true[own], scored.predictions[own]
    if scored.task == "regression":
        return f"mean error {figure(float(np.abs(predicted - true).mean()))}"
    if scored.task == "multilabel":
        wrong = ((predicted > 0.5) != (true > 0)).any(axis=1)
    else:
        wrong = predicted.argmax(axis=1) != true
    return f"{int(wrong.sum()):,} of {int(own.sum()):,} {scored.unit} wrong"


def _quantity_title(scored: ScoredRows, index: int) -> str:
    errors = np.abs(scored.predictions[index] - scored.true[index])
    spread = scored.true.std(axis=0)
    worst = int((errors / np.where(spread > 0, spread, 1)).argmax())
    true, predicted = float(scored.true[index, worst]), float(scored.predictions[index, worst])
    of = f"{scored.names[worst]} " if len(scored.names) > 1 else ""
    sign = "+" if predicted > true else "−"
    return (
        f"{of}{figure(true)}, predicted {figure(predicted)} ({sign}{figure(abs(predicted - true))})"
    )


def _labels_title(scored: ScoredRows, index: int) -> str:
    true, predicted = scored.true[index] > 0, scored.predictions[index] > 0.5
    pairs = list(zip(scored.names, true, predicted, strict=True))
    missed = [name for name, is_true, is_predicted in pairs if is_true and not is_predicted]
    wrongly = [name for name, is_true, is_predicted in pairs if is_predicted and not is_true]
    parts = [
        f"{word} {', '.join(names[:4])}{' …' if len(names) > 4 else ''}"
        for word, names in (("missed", missed), ("wrongly predicted", wrongly))
        if names
    ]
    return "; ".join(parts)
