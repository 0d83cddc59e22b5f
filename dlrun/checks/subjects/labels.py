"""How classes are written: alike, or otherwise in the test files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlrun.checks.check import check
from dlrun.checks.columns import DATASET
from dlrun.checks.finding import Finding
from dlrun.checks.views import DataView
from dlrun.data.samples import Array, is_of_tokens
from dlrun.data.source import FileSource
from dlrun.errors import DataError
from dlrun.text import first_few

_SHOWN = 5
_UNREADABLE = "`dlrun evaluate` will refuse the test rows"
_CORRECT = "correct the test files, or leave out `test` where they hold rows to predict"


@check(
    "DL133",
    why="each way of writing a class is a class of its own",
    source="pandas, working with text data",
    instead="write each class in one way in the file",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # ham, spam and Spam
    architecture: {layers: [{Dense: {units: 3, activation: softmax}}]}
    loss: sparse_categorical_crossentropy
    """,
    fix="""
    dataset: {source: csv, path: corrected.csv, target: y}
    architecture: {layers: [{Dense: {units: 2, activation: softmax}}]}
    """,
)
def classes_alike(view: DataView) -> Iterator[Finding]:
    """Classes that differ only in case or blanks."""
    for name, classes in view.dataset.classes.items():
        alike: dict[str, list[str]] = {}
        for label in classes:
            alike.setdefault(_plain(label), []).append(label)
        for labels in alike.values():
            if len(labels) > 1:
                yield Finding(
                    f"the classes {first_few(map(repr, labels), _SHOWN)} of '{name}' differ only "
                    "in case or blanks",
                    DATASET,
                    on_key=True,
                )


@check(
    "DL134",
    severity="error",
    why="the model has no output for a label that no training row has, and `dlrun evaluate` "
    "refuses such rows",
    source="scikit-learn, LabelEncoder",
    instead="write the labels of the test files as those of the training rows are written",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y, test: {path: test.csv}}   # `>50K.` for `>50K`
    loss: binary_crossentropy
    """,
    fix="""
    dataset: {source: csv, path: rows.csv, target: y, test: {path: corrected.csv}}
    """,
)
def labels_of_test_files_alone(view: DataView) -> Iterator[Finding]:
    """Labels of the test files that no training row has. Of the test rows it compares the different
    labels alone."""
    source = view.config.dataset
    if not view.test_labels or not isinstance(source, FileSource) or source.reconstructs:
        return
    if source.test is None or source.test.path is None or view.task == "regression":
        return
    place = ("dataset", "test", "path")
    try:
        targets = source.test_targets(view.config.base)
    except DataError as error:
        yield Finding(str(error), place, severity="warning", why=_UNREADABLE, advice=_CORRECT)
        return
    for name, values in targets.items():
        known = _known(view, name)
        if known is None or not (unknown := sorted(_different(values) - known, key=str)):
            continue
        alike = {_plain(label, "."): label for label in known}
        pairs = [
            (label, alike[_plain(label, ".")]) for label in unknown if _plain(label, ".") in alike
        ]
        spelt = f" (such as {pairs[0][0]!r} for {pairs[0][1]!r})" if pairs else ""
        yield Finding(
            f"no training row has the labels {first_few(map(repr, unknown), _SHOWN)} of '{name}', "
            f"which the test rows have{spelt}; the labels are "
            f"{first_few(map(repr, sorted(known, key=str)), _SHOWN)}",
            place,
        )


def _known(view: DataView, name: str) -> set[str | int] | None:
    """The labels that the training rows have of a target; None where it has none."""
    dataset = view.dataset
    targets = dataset.samples.targets
    if name not in targets:
        # Several labels a row are targets of their own.
        return {label.removeprefix(f"{name}=") for label in targets}
    if is_of_tokens(targets[name]):
        return None
    if targets[name].dtype == object:
        return set(dataset.classes.get(name, ()))
    labels = dataset.labels.get(name)
    return None if labels is None else set(labels.tolist())


def _different(values: Array) -> set[str | int]:
    if is_of_tokens(values):
        return {label for row in values for label in row}
    flat = values.reshape(-1)
    return set(flat.tolist() if flat.dtype == object else np.unique(flat).tolist())


def _plain(label: str | int, marks: str = "") -> str:
    """A label in lower case, without blanks and `marks` around it and with single blanks within."""
    return " ".join(str(label).casefold().split()).strip(marks + " ")
