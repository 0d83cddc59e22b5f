"""The last layer, the loss and the metrics fit each other and what is predicted."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.architecture import LINEAR
from dlrun.checks.check import BOOK, check
from dlrun.checks.finding import Change, Finding, as_written, put, with_arguments
from dlrun.checks.views import ConfigView
from dlrun.metrics.names import LOSSES_OF_QUANTITIES
from dlrun.registry.keras_component import KerasComponent

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
    {"AUC", "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "F1Score", "FBetaScore"}
    | {"FalseNegatives", "FalsePositives", "Precision", "PrecisionAtRecall", "Recall"}
    | {"RecallAtPrecision", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy"}
    | {"TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "accuracy"}
)

ACCURACIES = frozenset(
    {"Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"}
    | {"accuracy"}
)

NOT_PROBABILITIES = frozenset(
    {"celu", "elu", "exponential", "gelu", "leaky_relu", "linear", "mish", "prelu", "relu", "relu6"}
    | {"selu", "silu", "softplus", "softsign", "swish", "tanh"}
)


@check(
    "DL001",
    severity="error",
    why="the loss takes the logarithm of a probability and clips values outside 0 to 1, so the "
    "model learns nothing from such rows",
    source=BOOK + "4.5, table 4.1",
    instead="end with `activation: sigmoid` (one probability) or `softmax` (one of several "
    "classes), or set `from_logits: true` in the loss",
    fault="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: 10
    loss: sparse_categorical_crossentropy
    """,
    fix="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 10, activation: softmax}
    """,
)
def no_final_activation(view: ConfigView) -> Iterator[Finding]:
    """The last layer has no activation that gives probabilities, but the loss takes
    probabilities."""
    output, loss = view.output, view.config.loss
    wanted = PROBABILITY_LOSSES.get(loss.name)
    if output is None or wanted is None or takes_logits(loss):
        return
    if output.activation not in NOT_PROBABILITIES:
        return
    given = output.activation
    what = "no activation" if given == LINEAR else f"the activation {given}"
    fitting = "sigmoid" if output.units == 1 else wanted
    change = None if output.apart else with_arguments(output.entry, activation=fitting)
    message = f"the last layer has {what}, but {loss.alias} takes probabilities"
    yield Finding(message, output.place, change)


@check(
    "DL002",
    severity="error",
    why="with `from_logits: true` the loss applies the activation itself; applied twice, it "
    "cannot get close to 0 or 1",
    source="Keras, keras.io/api/losses/probabilistic_losses",
    instead="remove `from_logits: true`",
    fault="""
    architecture: {layers: [{Dense: {units: 10, activation: softmax}}]}
    loss: {SparseCategoricalCrossentropy: {from_logits: true}}
    """,
    fix="""
    loss: SparseCategoricalCrossentropy
    """,
)
def activation_applied_twice(view: ConfigView) -> Iterator[Finding]:
    """The last layer applies the sigmoid or softmax that the loss applies again."""
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
    why="softmax divides by the sum over the units, so a single unit is 1 for every row",
    source=BOOK + "3.5.3",
    instead="use `activation: sigmoid`, or one unit for each class",
    fault="""
    architecture: {layers: [{Dense: {units: 1, activation: softmax}}]}
    loss: binary_crossentropy
    """,
    fix="""
    architecture: {layers: [{Dense: {units: 1, activation: sigmoid}}]}
    """,
)
def softmax_over_one_unit(view: ConfigView) -> Iterator[Finding]:
    """A softmax over a single unit, which is always 1."""
    output = view.output
    if output is None or output.activation != "softmax" or output.units != 1:
        return
    change = None
    if output.apart is None:
        change = with_arguments(output.entry, activation="sigmoid")
    yield Finding("softmax over one unit is 1 for every row", output.place, change)


@check(
    "DL004",
    why="binary crossentropy expects an independent probability from each unit, and softmax makes "
    "them add up to 1",
    source=BOOK + "4.5, table 4.1",
    instead="for one class of several use a categorical loss; for several labels at once "
    "`activation: sigmoid`",
    fault="""
    architecture: {layers: [{Dense: {units: 10, activation: softmax}}]}
    loss: binary_crossentropy
    """,
    fix="""
    loss: sparse_categorical_crossentropy
    """,
)
def softmax_with_binary_loss(view: ConfigView) -> Iterator[Finding]:
    """A softmax with a loss that treats each unit on its own."""
    output, loss = view.output, view.config.loss
    if output is None or loss.name not in BINARY_LOSSES:
        return
    if output.activation != "softmax" or output.units == 1:
        return
    message = f"softmax picks one class of several, but {loss.alias} treats each unit on its own"
    if view.known.task == "multilabel":
        change = None if output.apart else with_arguments(output.entry, activation="sigmoid")
        yield Finding(message, output.place, change)
        return
    categorical = "categorical_crossentropy"
    change = put(("loss",), categorical if view.one_hot else f"sparse_{categorical}")
    yield Finding(message, ("loss",), change)


@check(
    "DL005",
    why="a categorical loss looks only at the probability of the right class, and sigmoids need "
    "not add up to 1",
    source=BOOK + "4.5, table 4.1",
    instead="use `activation: softmax`",
    fault="""
    architecture: {layers: [{Dense: {units: 10, activation: sigmoid}}]}
    loss: sparse_categorical_crossentropy
    """,
    fix="""
    architecture: {layers: [{Dense: {units: 10, activation: softmax}}]}
    """,
)
def sigmoid_with_categorical_loss(view: ConfigView) -> Iterator[Finding]:
    """Sigmoids with a loss that expects probabilities that add up to 1."""
    output, loss = view.output, view.config.loss
    if output is None or PROBABILITY_LOSSES.get(loss.name) != "softmax":
        return
    if output.activation not in ("sigmoid", "hard_sigmoid"):
        return
    change = None
    if output.apart is None:
        change = with_arguments(output.entry, activation="softmax")
    message = f"{output.activation} does not add up to 1 over the classes, as {loss.alias} expects"
    yield Finding(message, output.place, change)


@check(
    "DL025",
    severity="error",
    why="hinge losses push the output to -1 for one class and to 1 for the other; what is never "
    "below 0 calls every row positive",
    source="Keras, keras.io/api/losses/hinge_losses",
    instead="use `activation: tanh`, or binary_crossentropy",
    fault="""
    dataset: {source: sklearn, name: breast_cancer}
    architecture: {layers: [{Dense: {units: 1, activation: sigmoid}}]}
    loss: hinge
    """,
    fix="""
    architecture: {layers: [{Dense: {units: 1, activation: tanh}}]}
    """,
)
def hinge_of_probabilities(view: ConfigView) -> Iterator[Finding]:
    """A hinge loss of outputs that cannot be negative."""
    output, loss = view.output, view.config.loss
    if output is None or loss.name not in ("Hinge", "SquaredHinge"):
        return
    if output.activation not in ("hard_sigmoid", "relu", "sigmoid", "softmax", "softplus"):
        return
    change = None if output.apart else with_arguments(output.entry, activation="tanh")
    message = (
        f"{loss.alias} needs outputs on both sides of 0, but {output.activation} gives none below"
    )
    yield Finding(message, output.place, change)


@check(
    "DL026",
    why="a categorical loss makes the outputs of a row compete for one class, so that two labels "
    "cannot both be likely",
    source=BOOK + "4.5, table 4.1",
    instead="use `activation: sigmoid` and binary_crossentropy",
    fault="""
    dataset: {source: csv, path: rows.csv, target: [a, b, c]}   # a row may have several
    architecture: {layers: [{Dense: {units: 3, activation: softmax}}]}
    loss: categorical_crossentropy
    metrics: []
    """,
    fix="""
    architecture: {layers: [{Dense: {units: 3, activation: sigmoid}}]}
    loss: binary_crossentropy
    """,
)
def categorical_loss_of_several_labels(view: ConfigView) -> Iterator[Finding]:
    """A loss for one class of several where a row may have several labels."""
    loss = view.config.loss
    if view.known.task == "multilabel" and PROBABILITY_LOSSES.get(loss.name) == "softmax":
        message = f"{loss.alias} expects one class a row, but a row may have several labels"
        write = "loss: binary_crossentropy, with `activation: sigmoid` in the last layer"
        yield Finding(message, ("loss",), Change((), write))


@check(
    "DL006",
    why="squared error hardly punishes a confident mistake, and on class numbers it treats class "
    "9 as further from class 1 than class 2",
    source=BOOK + "4.5, table 4.1",
    instead="use binary_crossentropy or a categorical crossentropy",
    fault="""
    architecture: {layers: [{Dense: {units: 10, activation: softmax}}]}
    loss: mse
    """,
    fix="""
    loss: sparse_categorical_crossentropy
    """,
)
def regression_loss_for_classes(view: ConfigView) -> Iterator[Finding]:
    """A regression loss, such as mse, for a classification."""
    loss, output = view.config.loss, view.output
    if loss.name not in QUANTITY_LOSSES:
        return
    reasons = []
    if view.known.task in ("binary", "multiclass", "multilabel"):
        reasons.append("the targets are classes")
    if output is not None and output.activation == "softmax":
        reasons.append("the last layer gives class probabilities")
    counted = [m.alias for m in view.config.metrics if m.name in CLASS_METRICS]
    if counted and view.known.task is None:
        reasons.append(f"{counted[0]} counts classes")
    if reasons:
        message = f"{loss.alias} is a loss for regression, but {reasons[0]}"
        yield Finding(message, ("loss",), put(("loss",), class_loss(view)))
