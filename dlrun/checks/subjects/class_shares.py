"""Whether each class is on both sides of the split, and how many rows it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import DATASET, as_codes, is_series, labels_of
from dlrun.checks.finding import Change, Finding, Severity, as_written, put
from dlrun.checks.subjects.losses_and_metrics import ACCURACIES
from dlrun.checks.views import DataView
from dlrun.config.keras_components import metric_names
from dlrun.config.yaml_writer import in_line
from dlrun.data.samples import Array
from dlrun.protocols.protocol import Protocol
from dlrun.text import counted, first_few


@check(
    "DL110",
    severity="error",
    why="the last rows of a sorted table are all of one class, which the model has hardly seen",
    source=BOOK + "4.2.2",
    instead="shuffle the rows",
    fault="""
    dataset: {source: sklearn, name: iris}   # sorted by class
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 3, activation: softmax}
    evaluation: {protocol: kfold, folds: 5, shuffle: false}
    """,
    fix="""
    evaluation: {protocol: kfold, folds: 5}
    """,
)
def sorted_by_class(view: DataView) -> Iterator[Finding]:
    """Rows sorted by class that are split or trained on without shuffling."""
    codes = view.class_codes
    if codes is None:
        return
    classes, changes = int(codes.max()) + 1, int((np.diff(codes) != 0).sum())
    if len(codes) < 10 * classes or changes > 2 * (classes - 1):
        return
    protocol, training = view.config.evaluation.protocol, view.config.training
    first = getattr(getattr(protocol, "validation", None), "first", None)
    message = f"the rows are sorted by class ({classes} classes, one after another)"
    if view.held_out is not None and (first or not getattr(protocol, "shuffle", True)):
        path = ("evaluation", "validation") if first else ("evaluation", "shuffle")
        change = put(path, {"fraction": 0.2} if first else True)
        yield Finding(f"{message}, but the split does not shuffle them", path, change)
    if not training.shuffle:
        path = ("training", "shuffle")
        why = "a batch of sorted rows holds one class, and undoes what the last one taught"
        text = f"{message}, and training keeps this order"
        yield Finding(text, path, put(path, True), severity="warning", why=why)


@check(
    "DL111",
    why="a class that is not trained on cannot be predicted, and one that is not scored is not "
    "tested",
    source=BOOK + "4.2.2",
    instead="shuffle and stratify the split, add rows of the class, or leave the class out",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # class 2 comes first
    architecture: {layers: [{Dense: {units: 3, activation: softmax}}]}
    loss: sparse_categorical_crossentropy
    evaluation: {validation: {first: 150}}
    """,
    fix="""
    evaluation: {validation: {samples: 150}}
    """,
)
def missing_class(view: DataView) -> Iterator[Finding]:
    """A class that occurs on one side of the split only, or has fewer rows than there are folds."""
    labels, codes = labels_of(view.dataset.samples), view.class_codes
    if labels is None or codes is None or view.held_out is None:
        return
    _, firsts, counts = np.unique(codes, return_index=True, return_counts=True)
    classes = view.dataset.classes.get(next(iter(view.dataset.samples.targets)), ())
    names = [
        f"{_class_name(labels[first], classes)} ({counted(int(count), 'row')})"
        for first, count in zip(firsts, counts, strict=True)
    ]
    untrained = [np.bincount(codes[fold.train], minlength=len(names)) == 0 for fold in view.folds]
    scored = [np.bincount(codes[fold.scored], minlength=len(names)) > 0 for fold in view.folds]
    ever, folds = np.any(scored, axis=0), _folds_in_one_iteration(view)
    unseen = np.any(untrained, axis=0)
    of = f" of {_folds_of(np.any(untrained, axis=1))}" if len(view.folds) > 1 else ""
    some = f"in the validation rows of only some of the {folds} folds"
    reasons: list[tuple[Array, str, Severity]] = [
        (unseen, f"not in the training rows{of}", "warning"),
        (~ever, f"not in the validation rows{' of any fold' if of else ''}", "note"),
        (ever & ~unseen & (counts < folds), some, "note"),
    ]
    for missing, what, severity in reasons:
        if missing.any():
            shown = first_few(names[code] for code in np.flatnonzero(missing))
            which = "class {} is" if missing.sum() == 1 else "classes {} are"
            message = f"{which.format(shown)} {what}"
            advice = _to_deal_classes(view, counts[missing])
            yield Finding(message, DATASET, advice=advice, on_key=True, severity=severity)


def _folds_in_one_iteration(view: DataView) -> int:
    return sum(fold.iteration == view.folds[0].iteration for fold in view.folds)


def _folds_of(chosen: Array) -> str:
    """`fold 3 of 5`, or `2 of 5 folds`."""
    which = np.flatnonzero(chosen)
    many = len(chosen)
    return f"fold {which[0] + 1} of {many}" if len(which) == 1 else f"{len(which)} of {many} folds"


def _to_deal_classes(view: DataView, counts: Array) -> str | None:
    """What brings classes with so many rows to both sides; None where the check's advice does."""
    protocol = Protocol.of(view.config)
    share = getattr(protocol, "validation", None)
    more = "add rows of the class" if len(counts) == 1 else "add rows of these classes"
    out = "leave it out" if len(counts) == 1 else "leave them out"
    if getattr(share, "path", None) is not None:
        return f"add such rows to the other file, or {out}"
    if protocol.time is not None or protocol.in_time_order or is_series(view.train):
        return f"hold out other rows, or {out}: the split is in the order of time"
    if protocol.groups is not None:
        return f"add groups with such rows, or {out}"
    if counts.min() < max(2, _folds_in_one_iteration(view)):
        return f"{more}, or {out}"
    if getattr(share, "first", None) is not None:
        return "let `validation` draw the rows: `samples` or `fraction` instead of `first`"
    if not protocol.shuffle:
        return "remove `shuffle: false`"
    if protocol.stratify is False:
        return "remove `stratify: false`"
    return f"hold out more rows, {more}, or {out}"


def _class_name(label: Any, classes: Sequence[str]) -> str:
    named = label if isinstance(label, str) or not classes else classes[int(label)]
    return f"'{named}'"


_MOST_OF_ONE_CLASS = 0.8


@check(
    "DL112",
    why="always predicting the most frequent class is right that often, and finds nothing",
    source=BOOK + "4.5",
    instead="measure AUC or the F1 score as well, and consider `class_weight: balanced`",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # one row in twenty is 1
    metrics: [accuracy]
    evaluation: {score: accuracy}
    """,
    fix="""
    metrics: [accuracy, AUC]
    evaluation: {score: AUC}
    """,
)
def imbalanced_classes(view: DataView) -> Iterator[Finding]:
    """Accuracy as the score although one class holds most rows."""
    config, labels = view.config, labels_of(view.dataset.samples)
    if labels is None or view.task == "regression":
        return
    named = dict(zip(metric_names(config.metrics), config.metrics, strict=True))
    score = named.get(config.evaluation.score or "")
    if score is None or score.name not in ACCURACIES:
        return
    shares = np.bincount(as_codes(labels)) / len(labels)
    if shares.max() < _MOST_OF_ONE_CLASS:
        return
    change = None
    if view.task == "binary" and config.loss.name == "BinaryCrossentropy":
        written = [as_written(metric) for metric in config.metrics]
        both = [*written] if "AUC" in written else [*written, "AUC"]
        values = ((("metrics",), both), (("evaluation", "score"), "AUC"))
        change = Change(values, f"metrics: {in_line(both)}, and score: AUC (under evaluation)")
    yield Finding(
        f"{shares.max():.0%} of the rows are of one class, but the score is {score.alias}",
        ("evaluation", "score"),
        change,
    )
