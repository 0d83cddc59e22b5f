"""What is wrong with a metric at an output, and for its targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dlrun.checks.architecture import LINEAR
from dlrun.checks.finding import Change, Finding, Severity, as_written
from dlrun.checks.subjects.losses_and_metrics import (
    BINARY_LOSSES,
    NOT_PROBABILITIES,
)
from dlrun.checks.views import ConfigView
from dlrun.config.yaml_writer import in_line
from dlrun.metrics.cuts import meaning_by_loss
from dlrun.metrics.names import LOSSES_OF_QUANTITIES, canonical
from dlrun.metrics.table import MEASURES, QUANTITIES, UNIT, OutputForm, means_something
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent
from dlrun.text import counted

_F_SCORES = ("F1Score", "FBetaScore")
_CORRELATIONS = ("ConcordanceCorrelation", "CosineSimilarity", "PearsonCorrelation")
_INTERSECTIONS = ("IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU")
_MARGINS = ("Hinge", "SquaredHinge")
_ERRORS_OF_PROBABILITIES = ("MeanAbsoluteError", "RootMeanSquaredError")
"""Errors that a person may want of probabilities; the squared one is Brier's score."""

_OF_ONE_HOT = {
    "CategoricalAccuracy": "sparse_categorical_accuracy",
    "CategoricalCrossentropy": "sparse_categorical_crossentropy",
    "TopKCategoricalAccuracy": "sparse_top_k_categorical_accuracy",
}
_OF_INDICES = {f"Sparse{name}": sparse[7:] for name, sparse in _OF_ONE_HOT.items()}
"""Metrics that compare with one-hot rows, and their kin that compare with class indices."""


@dataclass(frozen=True)
class MeasuredOutput:
    """What a metric of an output gets.

    Args:
        form: Of the output; None where it is not plain.
        units: Of the last layer; None where that is not known.
        indices: Whether the targets are class indices; None where that is not known.
        activation: Of the last layer.
        probable: Whether the outputs of classes are probabilities, or trained to be.
        centred: Whether the loss parts each output at 0, as logits and margins are.
        steps: Whether a row has an answer for each step or pixel.
        margins: Whether they are margins rather than logits.
        certain: Whether it is known what is predicted; a loss of 0 to 1 may be for pixels.
        shares: Whether quantities and outputs lie between 0 and 1.
    """

    form: OutputForm | None
    units: int | None
    indices: bool | None
    activation: str
    probable: bool
    centred: bool
    steps: bool
    certain: bool
    margins: bool = False
    shares: bool = False


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a metric, and under which code it is reported.

    Args:
        code: Of the check.
        message: A sentence without a full stop.
        write: What to write instead: a metric, or a sentence where that would not do.
        component: The metric with the arguments that mend it, as plain data, where that will do.
        severity: Where it differs from the check's own.
        is_sentence: Whether `write` is a sentence.
    """

    code: str
    message: str
    write: str
    component: Any = None
    severity: Severity | None = None
    is_sentence: bool = False


def metric_findings(view: ConfigView, code: str) -> Iterator[Finding]:
    """Yield what is wrong with the metrics of an output, as far as it is reported under a code."""
    output = measured_output(view)
    for metric in view.config.metrics:
        fault = None if metric.implementation else _fault(metric, output)
        if fault is not None and fault.code == code:
            place = metric.path[:-1] if metric.path[-1:] == (metric.alias,) else metric.path
            values = () if fault.component is None else ((place, fault.component),)
            write = fault.write if fault.is_sentence else f"metrics: [{fault.write}]"
            change = Change(values, write)
            yield Finding(fault.message, metric.path, change, severity=fault.severity)


def measured_output(view: ConfigView) -> MeasuredOutput:
    """Return what the metrics of an output get."""
    indices = False if view.one_hot else view.known.labels_are_indices
    loss = view.config.loss.name
    if indices is None and loss.startswith(("SparseCategorical", "Categorical")):
        indices = loss.startswith("Sparse")
    units = None if view.output is None else view.output.units
    activation = LINEAR if view.output is None else view.output.activation
    probable = activation not in NOT_PROBABILITIES or loss in LOSSES_OF_QUANTITIES
    return MeasuredOutput(
        _form(view, units, activation),
        units,
        indices,
        activation,
        probable,
        centred=meaning_by_loss(view.config.loss) in ("logits", "margins"),
        margins=meaning_by_loss(view.config.loss) == "margins",
        steps=view.known.steps,
        certain=view.known.task is not None or loss.startswith("Sparse"),
        shares=view.known.shares and activation in ("sigmoid", "softmax"),
    )


def _form(view: ConfigView, units: int | None, activation: str) -> OutputForm | None:
    """What kind of answer the output is, by the task and the loss."""
    task, loss = view.known.task, view.config.loss.name
    if units is None:
        return "labels" if task == "multilabel" and loss in BINARY_LOSSES else None
    if task == "regression" or (task is None and loss in LOSSES_OF_QUANTITIES):
        # Shares of a whole, and pixels from 0 to 1, are quantities and probabilities at once.
        if activation in ("softmax", "sigmoid") and (
            task is None or loss not in LOSSES_OF_QUANTITIES
        ):
            return None
        return "quantity" if units == 1 else "quantities"
    if units == 1:
        return "unit"
    if activation == "softmax" or loss.startswith(("Categorical", "SparseCategorical")):
        # A softmax with a binary loss may be meant for either; DL004 reports it.
        unclear = task is None and loss in BINARY_LOSSES
        return None if task == "multilabel" or unclear else "classes"
    several = task == "multilabel" or (task is None and loss in BINARY_LOSSES)
    return "labels" if several else None


def _fault(metric: KerasComponent, output: MeasuredOutput) -> _Fault | None:
    """The first thing that is wrong with a metric, or None."""
    name, form = canonical(metric.name) or metric.name, output.form
    if metric.name == "Accuracy" and metric.arguments:
        return _exact(metric)
    if form is None or name not in MEASURES:
        return None
    if output.steps and _takes_one_answer(name, metric.arguments):
        better = {"quantities": "mse", "quantity": "mse"}.get(form, "accuracy")
        message = f"{metric.alias} takes one answer a row, but there is one for each step or pixel"
        return _Fault("DL023", message, better)
    cut = MEASURES[name].cut_argument or ("threshold" if name in _F_SCORES else "")
    given = metric.arguments.get(cut)
    if output.centred and isinstance(given, (int, float)) and given > 0:
        what = "margin" if output.margins else f"logit, a probability of {_sigmoid(given):.2f}"
        message = f"{metric.alias} cuts at {given:g}, which is a {what}"
        component = as_written(metric)
        left = {key: value for key, value in component[metric.alias].items() if key != cut}
        write = f"{metric.alias}: {in_line(left)}" if left else metric.alias
        return _Fault("DL028", message, write, {metric.alias: left} if left else metric.alias)
    if name in _F_SCORES and output.centred and metric.arguments.get("threshold") is None:
        # Logits and margins are cut at 0, see `dlrun.metrics.cuts.suited`.
        return None
    errors = ("MeanSquaredError", *_ERRORS_OF_PROBABILITIES)
    if name in errors and not output.probable and form not in QUANTITIES:
        message = f"{metric.alias} compares outputs that are not probabilities with 0 and 1"
        return _Fault("DL017", message, "accuracy")
    return _OF_FORM[form](name, metric, output)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def _takes_one_answer(name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether Keras refuses a metric where a row has several steps."""
    return name in (*_F_SCORES, "R2Score") or bool(arguments.get("multi_label"))


def _exact(metric: KerasComponent) -> _Fault:
    message = f"{metric.alias} with arguments counts outputs that are exactly equal to the target"
    return _Fault("DL017", message, "accuracy")


def _of_quantities(name: str, metric: KerasComponent, output: MeasuredOutput) -> _Fault | None:
    if means_something(name, metric.arguments, output.form or "quantity"):
        return None
    if output.shares and name == "BinaryCrossentropy":
        return None
    if name in _CORRELATIONS:
        what = "has no correlation"
        if name == "CosineSimilarity":
            what = "has a direction only, 1 or -1"
        message = f"{metric.alias} compares the outputs of each row, and a single one {what}"
        return _with("DL022", metric, message, axis=0)
    if not output.certain:
        return None
    message = f"{metric.alias} is a measure of classes, but the target is a quantity"
    return _Fault("DL017", message, "mae")


def _of_one_unit(name: str, metric: KerasComponent, output: MeasuredOutput) -> _Fault | None:
    if name in _F_SCORES and metric.arguments.get("threshold") is None:
        message = (
            f"{metric.alias} without a threshold takes the largest output for true: of one unit it "
            "is always the same answer"
        )
        return _with("DL020", metric, message, threshold=0.5)
    if name in _CORRELATIONS or _is_error(name):
        return _distance(name, metric, output, "accuracy")
    if name in _MARGINS and output.activation in ("sigmoid", "hard_sigmoid"):
        message = f"{metric.alias} takes outputs on both sides of 0, but they are probabilities"
        return _Fault("DL017", message, "binary_crossentropy")
    if means_something(name, metric.arguments, "unit"):
        return None
    better = {
        "CategoricalCrossentropy": "binary_crossentropy",
        "CategoricalHinge": "hinge",
        "KLDivergence": "binary_crossentropy",
        "SparseCategoricalCrossentropy": "binary_crossentropy",
    }.get(name, "accuracy")
    if name in _INTERSECTIONS:
        better = "BinaryIoU: {threshold: 0.5}"
    message = f"{metric.alias} compares the units of several classes, and there is one unit"
    return _Fault("DL017", message, better)


def _of_labels(name: str, metric: KerasComponent, output: MeasuredOutput) -> _Fault | None:
    if name in _F_SCORES and metric.arguments.get("threshold") is None:
        message = (
            f"{metric.alias} without a threshold takes only the largest output for true, but a row "
            "may have several labels"
        )
        return _with("DL020", metric, message, threshold=0.5)
    if name in _CORRELATIONS or _is_error(name):
        return _distance(name, metric, output, "binary_accuracy")
    if means_something(name, metric.arguments, "labels") or name == "Crossentropy":
        return None
    better = "binary_crossentropy" if "entropy" in name.lower() else "binary_accuracy"
    if name in _INTERSECTIONS:
        better = "BinaryIoU: {threshold: 0.5}"
    message = f"{metric.alias} compares only the largest output, but a row may have several labels"
    return _Fault("DL017", message, better)


def _of_classes(name: str, metric: KerasComponent, output: MeasuredOutput) -> _Fault | None:
    if (fault := _form_of_targets(name, metric, output)) is not None:
        return fault
    most = output.units or 0
    k = metric.arguments.get("k", 5) if "TopK" in name else metric.arguments.get("top_k")
    if isinstance(k, int) and k >= most:
        message = f"the right class is always among the {k} largest of {counted(most, 'output')}"
        return _with("DL024", metric, message, **{"k" if "TopK" in name else "top_k": most // 2})
    if name in _CORRELATIONS or _is_error(name):
        return _distance(name, metric, output, "accuracy")
    if means_something(name, metric.arguments, "classes"):
        return None
    if _of_true_and_false(name):
        return _over_classes(name, metric, most, output)
    better = {
        "BinaryCrossentropy": "crossentropy",
        "BinaryFocalCrossentropy": "crossentropy",
        "BinaryIoU": f"MeanIoU: {{num_classes: {most}, sparse_y_pred: false}}",
        "Hinge": "categorical_hinge",
        "SquaredHinge": "categorical_hinge",
    }.get(name, "accuracy")
    message = f"{metric.alias} treats each of the {most} units on its own, but they are classes"
    return _Fault("DL017", message, better)


def _over_classes(
    name: str, metric: KerasComponent, classes: int, output: MeasuredOutput
) -> _Fault:
    """A measure of true and false over the units of all classes."""
    both = "both classes" if classes == 2 else f"all {classes} classes"
    message = f"{metric.alias} over the units of {classes} classes counts {both} together"
    if output.steps:
        return _Fault("DL021", message, "accuracy")
    indices, known = bool(output.indices), catalogue.entry("metric", name)
    by_class = known is not None and known.argument("class_id") is not None
    if classes == 2 and (indices or not by_class):
        write = (
            f"{metric.alias}, with `Dense: {{units: 1, activation: sigmoid}}` as the last layer "
            "and `loss: binary_crossentropy`" + ("" if indices else ", without `targets: one_hot`")
        )
        return _Fault("DL021", message, write, is_sentence=True)
    if name == "AUC":
        fault = _with("DL021", metric, message, multi_label=True, num_labels=classes)
    elif by_class:
        fault = _with("DL021", metric, message, class_id=1 if classes == 2 else 0)
    else:
        return _Fault("DL021", message, "accuracy")
    if indices:
        write = f"{fault.write}, with {_ONE_HOT_TARGETS}"
        return replace(fault, write=write, component=None, is_sentence=True)
    return fault


_ONE_HOT_TARGETS = "`targets: one_hot` under preprocess and `loss: categorical_crossentropy`"


def _form_of_targets(name: str, metric: KerasComponent, output: MeasuredOutput) -> _Fault | None:
    """One-hot rows where the metric takes class indices, or the other way round."""
    indices, arguments = output.indices, metric.arguments
    if name in ("IoU", "MeanIoU"):
        flags: dict[str, Any] = {}
        if arguments.get("sparse_y_pred", True):
            flags["sparse_y_pred"] = False
        if indices is not None and arguments.get("sparse_y_true", True) != indices:
            flags["sparse_y_true"] = indices
        if arguments.get("num_classes") not in (None, output.units):
            flags["num_classes"] = output.units
        if flags:
            return _with("DL023", metric, _flags_message(metric, flags, output), **flags)
    if name in ("OneHotIoU", "OneHotMeanIoU") and arguments.get("sparse_y_pred"):
        flags = {"sparse_y_pred": False}
        return _with("DL023", metric, _flags_message(metric, flags, output), **flags)
    if indices is None or metric.name in ("accuracy", "crossentropy"):
        return None
    takes = f"the labels are {'class indices' if indices else 'one-hot rows'}"
    if not indices and name in _OF_INDICES:
        message = f"{metric.alias} takes class indices, but {takes}"
        return _Fault("DL023", message, _OF_INDICES[name])
    if indices and (name in _OF_ONE_HOT or _takes_one_hot(name, arguments)):
        message = f"{metric.alias} takes one-hot rows, but {takes}"
        if name in _OF_ONE_HOT:
            return _Fault("DL023", message, _OF_ONE_HOT[name])
        write = f"{metric.alias}, with {_ONE_HOT_TARGETS}"
        return _Fault("DL023", message, write, is_sentence=True)
    return None


def _of_true_and_false(name: str) -> bool:
    """Whether a metric counts outputs that are rightly or wrongly called true."""
    facts = MEASURES[name]
    return facts.forms == UNIT and facts.cut is not None and not name.startswith("Binary")


def _takes_one_hot(name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a metric needs a target for each unit."""
    one_class = arguments.get("class_id") is not None or arguments.get("multi_label")
    return name in _NEED_ONE_HOT or bool(_of_true_and_false(name) and one_class)


_NEED_ONE_HOT = (*_F_SCORES, "CategoricalHinge", "KLDivergence", "OneHotIoU", "OneHotMeanIoU")


def _flags_message(metric: KerasComponent, flags: dict[str, Any], output: MeasuredOutput) -> str:
    if "sparse_y_pred" in flags:
        return f"{metric.alias} takes the outputs for class indices: each probability counts as 0"
    if "sparse_y_true" in flags:
        given = "class indices" if output.indices else "one-hot rows"
        return f"{metric.alias} does not take the targets for what they are: {given}"
    return f"{metric.alias} is for another number of classes: there are {output.units}"


def _is_error(name: str) -> bool:
    """Whether a measure is an error of quantities."""
    return MEASURES[name].best_at in ("mean", "median") and name not in _CORRELATIONS


def _distance(
    name: str, metric: KerasComponent, output: MeasuredOutput, better: str
) -> _Fault | None:
    """An error of quantities for classes: of probabilities some mean something, of class numbers
    none."""
    indices = bool(output.indices) and output.form == "classes"
    # Of one unit a cosine is only the sign.
    of_several = name == "CosineSimilarity" and output.form != "unit"
    if not output.certain or (not indices and (of_several or name == "MeanSquaredError")):
        return None
    mild = name in _ERRORS_OF_PROBABILITIES and not indices
    message = f"{metric.alias} is a measure of quantities, but the targets are classes"
    return _Fault("DL017", message, better, severity="warning" if mild else None)


def _with(code: str, metric: KerasComponent, message: str, **arguments: Any) -> _Fault:
    """A fault that other arguments mend."""
    component = as_written(metric, arguments)
    (alias, given), *_ = component.items()
    return _Fault(code, message, f"{alias}: {in_line(given)}", component)


_OF_FORM: dict[OutputForm, Callable[[str, KerasComponent, MeasuredOutput], _Fault | None]] = {
    "classes": _of_classes,
    "labels": _of_labels,
    "quantities": _of_quantities,
    "quantity": _of_quantities,
    "unit": _of_one_unit,
}
