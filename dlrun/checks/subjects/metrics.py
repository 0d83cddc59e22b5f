"""Every metric measures what its name says at this output, and for these targets."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.check import BOOK, check
from dlrun.checks.finding import Finding, put
from dlrun.checks.metric_faults import measured_output, metric_findings
from dlrun.checks.views import ConfigView

KERAS = "Keras, keras.io/api/metrics"


@check(
    "DL017",
    severity="error",
    why="the metric gives a number, but it means nothing for this task",
    source=BOOK + "4.5",
    instead="use mae for quantities, accuracy for classes (or AUC for two), binary_accuracy for "
    "several labels at once",
    fault="""
    dataset: {source: keras, name: boston_housing}
    architecture: {layers: [{Dense: 1}]}
    loss: mse
    metrics: [accuracy]
    """,
    fix="""
    metrics: [mae]
    """,
)
def metric_does_not_fit_task(view: ConfigView) -> Iterator[Finding]:
    """A metric that does not fit what is predicted."""
    yield from metric_findings(view, "DL017")


@check(
    "DL020",
    severity="error",
    why="without a threshold the score takes the largest output of each row as the answer, "
    "whatever its value",
    source=f"{KERAS}/classification_metrics",
    instead="give it `threshold: 0.5`",
    fault="""
    dataset: {source: sklearn, name: breast_cancer}
    architecture: {layers: [{Dense: {units: 1, activation: sigmoid}}]}
    loss: binary_crossentropy
    metrics: [F1Score]
    """,
    fix="""
    metrics: [{F1Score: {threshold: 0.5}}]
    """,
)
def f_score_without_threshold(view: ConfigView) -> Iterator[Finding]:
    """F1Score or FBetaScore of sigmoids, with no threshold."""
    yield from metric_findings(view, "DL020")


@check(
    "DL021",
    severity="error",
    why="these metrics are of true and false; over several classes every wrong class that is not "
    "chosen counts as a right answer, so the number is not that of any class",
    source=f"{KERAS}/classification_metrics",
    instead="choose one class with `class_id`, or end with one sigmoid unit",
    fault="""
    dataset: {source: sklearn, name: breast_cancer}
    preprocess: [{targets: one_hot}]
    architecture: {layers: [{Dense: {units: 2, activation: softmax}}]}
    loss: categorical_crossentropy
    metrics: [Precision]
    """,
    fix="""
    metrics: [{Precision: {class_id: 1}}]
    """,
)
def true_and_false_over_classes(view: ConfigView) -> Iterator[Finding]:
    """AUC, Precision, Recall or their kin over the units of several classes."""
    yield from metric_findings(view, "DL021")


@check(
    "DL022",
    severity="error",
    why="by default it is taken over the outputs of one row, then averaged over the rows",
    source=f"{KERAS}/regression_metrics",
    instead="give it `axis: 0`, over the rows",
    fault="""
    dataset: {source: sklearn, name: diabetes}
    preprocess: [standardize]
    architecture: {layers: [{Dense: 1}]}
    loss: mse
    metrics: [PearsonCorrelation]
    """,
    fix="""
    metrics: [{PearsonCorrelation: {axis: 0}}]
    """,
)
def correlation_of_one_number(view: ConfigView) -> Iterator[Finding]:
    """A correlation, or a cosine, over the single output of each row."""
    yield from metric_findings(view, "DL022")
    loss, output = view.config.loss, measured_output(view)
    if loss.name == "CosineSimilarity" and output.units == 1 and loss.arguments.get("axis") != 0:
        message = f"{loss.alias} of a single output is only its sign"
        yield Finding(message, loss.path, put(("loss",), "mse"))


@check(
    "DL023",
    severity="error",
    why="a metric that takes one form of the targets or outputs for the other compares numbers "
    "that have nothing to do with each other, or fails",
    source=KERAS,
    instead="use the metric, or the arguments, of that form",
    fault="""
    dataset: {source: sklearn, name: digits}   # labels 0 to 9
    architecture: {layers: [{Dense: {units: 10, activation: softmax}}]}
    loss: sparse_categorical_crossentropy
    metrics: [categorical_accuracy]
    """,
    fix="""
    metrics: [sparse_categorical_accuracy]
    """,
)
def metric_of_another_form(view: ConfigView) -> Iterator[Finding]:
    """A metric that expects another form of targets or outputs: class indices or one-hot rows."""
    yield from metric_findings(view, "DL023")


@check(
    "DL024",
    severity="error",
    why="with as many guesses as there are classes every answer is right",
    source=f"{KERAS}/accuracy_metrics",
    instead="give it a smaller `k`",
    fault="""
    dataset: {source: sklearn, name: iris}
    architecture: {layers: [{Dense: {units: 3, activation: softmax}}]}
    loss: sparse_categorical_crossentropy
    metrics: [{SparseTopKCategoricalAccuracy: {k: 3}}]
    """,
    fix="""
    metrics: [{SparseTopKCategoricalAccuracy: {k: 2}}]
    """,
)
def top_of_all_classes(view: ConfigView) -> Iterator[Finding]:
    """The k largest outputs of no more than k."""
    yield from metric_findings(view, "DL024")


@check(
    "DL028",
    why="outputs of this loss are centred on 0, so metric and loss call different rows positive",
    source=f"{KERAS}/classification_metrics",
    instead="leave the threshold out: metrics are then cut where the loss is",
    fault="""
    dataset: {source: sklearn, name: breast_cancer}
    architecture: {layers: [{Dense: 1}]}
    loss: {BinaryCrossentropy: {from_logits: true}}
    metrics: [{F1Score: {threshold: 0.5}}]
    """,
    fix="""
    metrics: [F1Score]
    """,
)
def threshold_of_probabilities(view: ConfigView) -> Iterator[Finding]:
    """A threshold that is meant for probabilities, of logits or margins."""
    yield from metric_findings(view, "DL028")
