"""The loss and the units of the last layer fit the classes or quantities that are predicted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlrun.checks.architecture import range_of, size_argument
from dlrun.checks.check import BOOK, check
from dlrun.checks.finding import Change, Finding, put, with_arguments
from dlrun.checks.subjects.losses_and_metrics import (
    BINARY_LOSSES,
    PROBABILITY_LOSSES,
    QUANTITY_LOSSES,
)
from dlrun.checks.views import ConfigView, is_array_of_inputs
from dlrun.config.layer_calls import INPUT
from dlrun.errors import KeyPath
from dlrun.text import counted


@check(
    "DL007",
    severity="error",
    why="crossentropy compares probabilities, and a quantity is not a probability",
    source=BOOK + "4.5, table 4.1",
    instead="use mse or mae, and a last layer without an activation",
    fault="""
    dataset: {source: keras, name: boston_housing}
    architecture: {layers: [{Dense: {units: 1, activation: sigmoid}}]}
    loss: binary_crossentropy
    metrics: [mae]
    """,
    fix="""
    architecture: {layers: [{Dense: 1}]}
    loss: mse
    """,
)
def classification_loss_for_regression(view: ConfigView) -> Iterator[Finding]:
    """A classification loss for a regression."""
    loss = view.config.loss
    if view.known.shares and not loss.name.startswith("Sparse"):
        # Pixels from 0 to 1, or probabilities.
        return
    if view.known.task == "regression" and loss.name in PROBABILITY_LOSSES:
        if is_array_of_inputs(view.config):
            message = f"{loss.alias} takes targets from 0 to 1, but the array is not scaled to that"
            yield Finding(message, ("loss",), put(("dataset", "targets"), INPUT), why=_AS_PREPARED)
            return
        if (count := view.known.whole_numbers) is not None:
            message = f"{loss.alias} takes 0 and 1, but the targets are 0 to {count - 1}"
            yield Finding(message, ("loss",), _for_classes(view, count), why=_OF_SEVERAL)
            return
        message = f"{loss.alias} is a loss for classification, but the target is a quantity"
        yield Finding(message, ("loss",), put(("loss",), "mse"))


_OF_SEVERAL = "one sigmoid tells two classes apart; for quantities, use mse and no activation"


def _for_classes(view: ConfigView, count: int) -> Change:
    """The change to one class of several."""
    loss, output = "sparse_categorical_crossentropy", view.output
    values: tuple[tuple[KeyPath, Any], ...] = ((("loss",), loss),)
    write = f"loss: {loss}, with {count} units and `activation: softmax` in the last layer"
    if output is not None and (size := size_argument(output.entry.layer)) and not output.apart:
        layer = with_arguments(output.entry, **{size: count, "activation": "softmax"})
        return Change((*values, *layer.values), f"loss: {loss}, and {layer.write}")
    return Change((), write)


_AS_PREPARED = "steps on inputs leave the targets as they are; `targets: input` is what they make"


@check(
    "DL008",
    severity="error",
    why="the last layer gives one number for each class or target, or one probability for two "
    "classes",
    source=BOOK + "4.5, table 4.1",
    instead="give the last layer one unit for each class or target",
    fault="""
    dataset: {source: sklearn, name: digits}   # ten classes
    architecture: {layers: [{Dense: {units: 9, activation: softmax}}]}
    """,
    fix="""
    architecture: {layers: [{Dense: {units: 10, activation: softmax}}]}
    """,
)
def wrong_number_of_units(view: ConfigView) -> Iterator[Finding]:
    """The last layer does not have as many units as there are classes or targets."""
    output, known, loss = view.output, view.known, view.config.loss
    if output is None or output.units is None or known.several_in_field:
        return
    if loss.name in QUANTITY_LOSSES and known.task == "regression":
        # One unit may give the quantity of each step in turn.
        needed, what = None if known.by_step and output.units == 1 else known.outputs, "targets"
    elif loss.name in BINARY_LOSSES and known.task == "binary" and not view.one_hot:
        needed, what = 1, "classes"
    elif loss.name in PROBABILITY_LOSSES and known.task in ("binary", "multiclass"):
        needed, what = known.classes, "classes"
    else:
        return
    if needed is None or output.units == needed:
        return
    there = f"{known.classes if what == 'classes' else needed} {what}"
    advice = f"give it {counted(needed, 'unit')}"
    different = known.different or needed
    skips = what == "classes" and different < needed
    if skips:
        there = f"class indices from 0 to {needed - 1}"
        advice = (
            "put `label_index` first in `targets` under `preprocess`, which numbers the "
            f"{different} classes from 0, and give it {counted(different, 'unit')}; or {advice}"
        )
    message = f"the last layer has {counted(output.units, 'unit')} for {there}"
    if loss.name in BINARY_LOSSES and known.task == "multiclass":
        yield Finding(message, output.units_place, _for_classes(view, needed))
        return
    too_many = output.units > needed and loss.name.startswith("Sparse")
    in_place = "units" in output.units_place and not skips
    yield Finding(
        message,
        output.units_place,
        with_arguments(output.entry, units=needed) if in_place else None,
        advice=None if in_place else advice,
        severity="warning" if too_many else None,
    )


@check(
    "DL009",
    severity="error",
    why="categorical_crossentropy compares with one-hot rows, sparse_categorical_crossentropy "
    "with class indices",
    source=BOOK + "3.5.6",
    instead="add `targets: one_hot` under preprocess, or use the sparse loss",
    fault="""
    dataset: {source: sklearn, name: digits}   # labels 0 to 9
    loss: categorical_crossentropy
    architecture: {layers: [{Dense: {units: 10, activation: softmax}}]}
    """,
    fix="""
    loss: sparse_categorical_crossentropy
    """,
)
def labels_do_not_fit_loss(view: ConfigView) -> Iterator[Finding]:
    """Class indices with a loss for one-hot rows, or the other way round."""
    loss, labels = view.config.loss, view.known.labels_are_indices
    sparse = loss.name == "SparseCategoricalCrossentropy"
    one_hot_only = loss.name.startswith("Categorical") and loss.name != "CategoricalHinge"
    if sparse and view.one_hot:
        yield Finding(
            f"{loss.alias} takes class indices, but `targets: one_hot` makes one-hot rows",
            ("loss",),
            put(("loss",), "categorical_crossentropy"),
        )
    elif one_hot_only and labels and not view.one_hot:
        yield Finding(
            f"{loss.alias} takes one-hot rows, but the labels are class indices",
            ("loss",),
            put(("loss",), "sparse_categorical_crossentropy"),
        )


@check(
    "DL027",
    severity="error",
    why="the loss takes the logarithm of the output, which of a negative one is NaN",
    source="Keras, keras.io/api/losses/probabilistic_losses/#poisson-class",
    instead="end with `activation: exponential` or `softplus`",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}
    architecture: {layers: [{Dense: 1}]}
    loss: poisson
    metrics: [mae]
    """,
    fix="""
    architecture: {layers: [{Dense: {units: 1, activation: exponential}}]}
    """,
)
def negative_counts(view: ConfigView) -> Iterator[Finding]:
    """A Poisson loss of outputs that may be negative."""
    output, loss = view.output, view.config.loss
    if output is None or loss.name != "Poisson":
        return
    limits = range_of(output)
    if limits is not None and limits[0] >= 0:
        return
    given = "no activation" if output.activation == "linear" else output.activation
    change = None if output.apart else with_arguments(output.entry, activation="exponential")
    message = f"{loss.alias} takes outputs above 0, but the last layer has {given}"
    yield Finding(message, output.place, change)
