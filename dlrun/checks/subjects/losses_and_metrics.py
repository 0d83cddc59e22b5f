"""The last layer, the loss and the metrics fit each other and what is predicted."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.architecture import LINEAR
from dlrun.checks.check import BOOK, check
from dlrun.checks.finding import Change, Finding, as_written, put, with_arguments
from dlrun.checks.views import ConfigView
from dlrun.metrics.names import LOSSES_OF_QUANTITIES
from dlrun.registry.keras_component import KerasComponent
from dlrun.text import counted

BINARY_LOSSES = frozenset({"BinaryCrossentropy", "BinaryFocalCrossentropy"})

PROBABILITY_LOSSES = dict.fromkeys(BINARY_LOSSES, "sigmoid") | dict.fromkeys(
    (
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "CategoricalGeneralizedCrossEntropy",
        "SparseCategoricalCrossentropy",
    ),
    "softmax",
)

"""Losses that take probabilities, and the activation that gives them."""

QUANTITY_LOSSES = LOSSES_OF_QUANTITIES - {"CosineSimilarity"}


def takes_logits(loss: KerasComponent) -> bool:
    """Whether the loss applies the activation itself."""
    return bool(loss.arguments.get("from_logits"))


def class_loss(view: ConfigView) -> str:
    """The loss for the classes of this config."""
    output = view.output
    if output is not None and output.units == 1:
        return "binary_crossentropy"
    if view.known.task == "multilabel" or (output and output.activation == "sigmoid"):
        return "binary_crossentropy"
    return "categorical_crossentropy" if view.one_hot else "sparse_categorical_crossentropy"


CLASS_METRICS = frozenset(
    {
        "AUC",
        "Accuracy",
        "BinaryAccuracy",
        "CategoricalAccuracy",
        "F1Score",
        "FBetaScore",
        "FalseNegatives",
        "FalsePositives",
        "Precision",
        "PrecisionAtRecall",
        "Recall",
        "RecallAtPrecision",
        "SparseCategoricalAccuracy",
        "SparseTopKCategoricalAccuracy",
        "TopKCategoricalAccuracy",
        "TrueNegatives",
        "TruePositives",
        "accuracy",
    }
)

ERROR_METRICS = frozenset(
    {
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredLogarithmicError",
        "R2Score",
        "RootMeanSquaredError",
    }
)

"""Metrics of quantities; the squared error is left out: of probabilities it is Brier's score."""

ACCURACIES = frozenset(
    {
        "Accuracy",
        "BinaryAccuracy",
        "CategoricalAccuracy",
        "SparseCategoricalAccuracy",
        "accuracy",
    }
)

_NOT_PROBABILITIES = frozenset(
    {"celu", "elu", "exponential", "gelu", "leaky_relu", "linear", "mish", "prelu", "relu", "relu6"}
    | {"selu", "silu", "softplus", "softsign", "swish", "tanh"}
)


@check(
    "DL001",
    severity="error",
    why="the loss takes the logarithm of a probability, and clips what lies outside 0 to 1, "
    "so that such rows teach nothing",
    source=BOOK + "4.5, table 4.1",
    instead="end with `activation: sigmoid` (one probability) or `softmax` (one of several "
    "classes), or set `from_logits: true` in the loss",
)
def no_final_activation(view: ConfigView) -> Iterator[Finding]:
    """The last layer gives any number, where the loss takes probabilities."""
    output, loss = view.output, view.config.loss
    wanted = PROBABILITY_LOSSES.get(loss.name)
    if output is None or wanted is None or takes_logits(loss):
        return
    if output.activation not in _NOT_PROBABILITIES:
        return
    given = output.activation
    what = "no activation" if given == LINEAR else f"the activation {given}"
    fitting = "sigmoid" if output.units == 1 else wanted
    change = None if output.apart else with_arguments(output.entry, activation=fitting)
    message = f"the last layer has {what}, and {loss.alias} takes probabilities"
    yield Finding(message, output.place, change)


@check(
    "DL002",
    severity="error",
    why="with `from_logits: true` the loss applies the activation itself; twice, it cannot "
    "come near 0 or 1",
    source="Keras, keras.io/api/losses/probabilistic_losses",
    instead="leave out `from_logits: true`",
)
def activation_twice(view: ConfigView) -> Iterator[Finding]:
    """The loss applies the sigmoid or softmax that the last layer has applied already."""
    output, loss = view.output, view.config.loss
    if output is None or loss.name not in PROBABILITY_LOSSES or not takes_logits(loss):
        return
    if output.activation not in ("sigmoid", "softmax"):
        return
    others = {k: v for k, v in as_written(loss)[loss.alias].items() if k != "from_logits"}
    yield Finding(
        f"the last layer applies {output.activation}, and {loss.alias} applies it again",
        (*loss.path, "from_logits"),
        put(("loss",), {loss.alias: others} if others else loss.alias),
    )


@check(
    "DL003",
    severity="error",
    why="softmax divides by the sum over the units, so that a single one is 1 for every row",
    source=BOOK + "3.5.3",
    instead="use `activation: sigmoid`, or a unit for each class",
)
def softmax_of_one(view: ConfigView) -> Iterator[Finding]:
    """A softmax over a single unit, which is always 1."""
    output = view.output
    if output is None or output.activation != "softmax" or output.units != 1:
        return
    change = None
    if output.apart is None:
        change = with_arguments(output.entry, activation="sigmoid")
    yield Finding("softmax over one unit gives 1 for every row", output.place, change)


@check(
    "DL004",
    why="binary crossentropy asks each unit for a probability of its own, and softmax makes "
    "them add up to 1",
    source=BOOK + "4.5, table 4.1",
    instead="one class of several: a categorical loss; several labels at once: "
    "`activation: sigmoid`",
)
def softmax_against_loss(view: ConfigView) -> Iterator[Finding]:
    """A softmax under a loss that judges each unit by itself."""
    output, loss = view.output, view.config.loss
    if output is None or loss.name not in BINARY_LOSSES:
        return
    if output.activation != "softmax" or output.units == 1:
        return
    categorical = "categorical_crossentropy"
    yield Finding(
        f"softmax gives one class of several, and {loss.alias} judges each unit by itself",
        ("loss",),
        put(("loss",), categorical if view.one_hot else f"sparse_{categorical}"),
    )


@check(
    "DL005",
    why="a categorical loss looks at the share of the right class, and sigmoids need not "
    "add up to 1",
    source=BOOK + "4.5, table 4.1",
    instead="use `activation: softmax`",
)
def sigmoid_against_loss(view: ConfigView) -> Iterator[Finding]:
    """Sigmoids under a loss that takes probabilities adding up to 1."""
    output, loss = view.output, view.config.loss
    if output is None or PROBABILITY_LOSSES.get(loss.name) != "softmax":
        return
    if output.activation not in ("sigmoid", "hard_sigmoid"):
        return
    change = None
    if output.apart is None:
        change = with_arguments(output.entry, activation="softmax")
    message = f"{output.activation} does not make the classes of {loss.alias} add up to 1"
    yield Finding(message, output.place, change)


@check(
    "DL006",
    why="squared error on probabilities hardly punishes a confident mistake, and on class "
    "numbers takes 9 to be further from 1 than 2 is",
    source=BOOK + "4.5, table 4.1",
    instead="use binary_crossentropy, or a categorical crossentropy",
)
def quantity_loss_on_classes(view: ConfigView) -> Iterator[Finding]:
    """A loss for quantities, such as mse, where classes are predicted."""
    loss, output = view.config.loss, view.output
    if loss.name not in QUANTITY_LOSSES:
        return
    reasons = []
    if view.known.task in ("binary", "multiclass", "multilabel"):
        reasons.append("the targets are classes")
    if output is not None and output.activation == "softmax":
        reasons.append("the last layer gives the probabilities of classes")
    counted = [m.alias for m in view.config.metrics if m.name in CLASS_METRICS]
    if counted and view.known.task is None:
        reasons.append(f"{counted[0]} counts classes")
    if reasons:
        message = f"{loss.alias} is a loss for quantities, and {reasons[0]}"
        yield Finding(message, ("loss",), put(("loss",), class_loss(view)))


@check(
    "DL007",
    severity="error",
    why="crossentropy compares probabilities, and a quantity is none",
    source=BOOK + "4.5, table 4.1",
    instead="use mse or mae, and a last layer without activation",
)
def class_loss_on_quantities(view: ConfigView) -> Iterator[Finding]:
    """A loss for classes where a quantity is predicted."""
    loss = view.config.loss
    if view.known.task == "regression" and loss.name in PROBABILITY_LOSSES:
        message = f"{loss.alias} is a loss for classes, and the target is a quantity"
        yield Finding(message, ("loss",), put(("loss",), "mse"))


@check(
    "DL008",
    severity="error",
    why="the last layer gives a number for each class, for each target, or one probability "
    "for two classes",
    source=BOOK + "4.5, table 4.1",
    instead="give the last layer a unit for each class or target",
)
def units_against_classes(view: ConfigView) -> Iterator[Finding]:
    """The last layer has other units than there are classes or targets."""
    output, known, loss = view.output, view.known, view.config.loss
    if output is None or output.units is None:
        return
    if loss.name in QUANTITY_LOSSES and known.task == "regression":
        needed, what = known.outputs, "targets"
    elif loss.name in BINARY_LOSSES and known.task == "binary" and not view.one_hot:
        needed, what = 1, "classes"
    elif loss.name in PROBABILITY_LOSSES and known.task in ("binary", "multiclass"):
        needed, what = known.classes, "classes"
    else:
        return
    if needed is None or output.units == needed:
        return
    there = known.classes if what == "classes" else needed
    too_many = output.units > needed and loss.name.startswith("Sparse")
    yield Finding(
        f"the last layer has {counted(output.units, 'unit')} for {there} {what}",
        output.units_place,
        with_arguments(output.entry, units=needed) if "units" in output.units_place else None,
        advice=f"give it {counted(needed, 'unit')}" if "units" not in output.units_place else None,
        severity="warning" if too_many else None,
    )


@check(
    "DL009",
    severity="error",
    why="categorical_crossentropy compares with one-hot rows, "
    "sparse_categorical_crossentropy with class indices",
    source=BOOK + "3.5.6",
    instead="say `targets: one_hot` under preprocess, or use the sparse loss",
)
def labels_against_loss(view: ConfigView) -> Iterator[Finding]:
    """Class indices under a loss for one-hot rows, or the other way round."""
    loss, labels = view.config.loss, view.known.labels_are_indices
    sparse = loss.name == "SparseCategoricalCrossentropy"
    one_hot_only = loss.name.startswith("Categorical") and loss.name != "CategoricalHinge"
    if sparse and view.one_hot:
        yield Finding(
            f"{loss.alias} takes class indices, and `targets: one_hot` makes rows of them",
            ("loss",),
            put(("loss",), "categorical_crossentropy"),
        )
    elif one_hot_only and labels and not view.one_hot:
        yield Finding(
            f"{loss.alias} takes one-hot rows, and the labels are class indices",
            ("loss",),
            put(("loss",), "sparse_categorical_crossentropy"),
        )


@check(
    "DL017",
    why="such a metric gives a number that looks like one, and means nothing for this question",
    source=BOOK + "4.5",
    instead="quantities: mae; classes: accuracy, AUC for two of them; several labels at once: "
    "binary_accuracy",
)
def metric_against_task(view: ConfigView) -> Iterator[Finding]:
    """A metric that does not fit what is predicted."""
    task, loss, output = view.known.task, view.config.loss, view.output
    quantities = task == "regression" and loss.name in QUANTITY_LOSSES
    classes = loss.name in PROBABILITY_LOSSES and task != "regression"
    labels = output is not None and output.activation == "sigmoid" and (output.units or 1) > 1
    several = task == "multilabel" or (task is None and labels and loss.name in BINARY_LOSSES)
    for metric in view.config.metrics:
        if quantities and metric.name in CLASS_METRICS:
            yield _misfit(metric, "counts classes, and the target is a quantity", "mae")
        elif classes and metric.name in ERROR_METRICS:
            yield _misfit(metric, "measures distances, and the targets are classes", "accuracy")
        elif several and metric.name in ("accuracy", "CategoricalAccuracy"):
            what = "compares only the largest output, and a row may have several labels"
            yield _misfit(metric, what, "binary_accuracy")


def _misfit(metric: KerasComponent, what: str, better: str) -> Finding:
    return Finding(f"{metric.alias} {what}", metric.path, Change((), f"metrics: [{better}]"))
