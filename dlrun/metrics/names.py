"""Keras' names of metrics and losses, in all their spellings, and which way is better.

All of it is known without importing Keras: the names come from the catalogue of its classes.
"""

from __future__ import annotations

from typing import Literal

from dlrun.metrics.table import MEASURES
from dlrun.metrics.table import Direction as Direction
from dlrun.registry.catalogue import class_name, spellings
from dlrun.registry.names import did_you_mean

Kind = Literal["metric", "loss"]

TargetType = Literal["binary", "multiclass", "multilabel", "regression"]
"""What is predicted."""

NO_MEASURES = frozenset({"Loss", "Mean", "MeanMetricWrapper", "Metric", "Sum"})
"""Classes of the catalogue that have no better or worse."""

LOSSES_OF_QUANTITIES = frozenset(
    name for name, facts in MEASURES.items() if "quantities" in facts.forms
)
"""The losses that predict quantities; the others predict classes."""

RESOLVED_BY_SHAPES = {
    "acc": "Accuracy",
    "accuracy": "Accuracy",
    "ce": "Crossentropy",
    "crossentropy": "Crossentropy",
}
"""Names that `compile` resolves by the shapes of outputs and targets, in upper or lower case."""

IN_HISTORIES = {
    "categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy",
    "fbeta_score": "FBetaScore",
    "huber_loss": "Huber",
    "kullback_leibler_divergence": "KLDivergence",
    "logcosh": "LogCosh",
}
"""Names that Keras' objects have in a history, in addition to those that a config may use."""


def canonical(name: str, kind: Kind = "metric") -> str | None:
    """Return Keras' class name of a metric or loss in any spelling, or None if unknown.

    Args:
        name: Class name, snake_case or alias.
        kind: Where the config names it; a loss may also serve as a metric.
    """
    if (resolved := RESOLVED_BY_SHAPES.get(name.lower())) is not None:
        return None if (resolved, kind) == ("Accuracy", "loss") else resolved
    name = IN_HISTORIES.get(name, name)
    # A metric's class wins where both have the name.
    found = class_name("metric", name) if kind == "metric" else None
    found = found or class_name("loss", name)
    return None if found in NO_MEASURES else found


def direction_of_class(name: str) -> Direction | None:
    """Return the direction of a metric class of Keras, or None where there is none."""
    if class_name("metric", name) != name or name in NO_MEASURES:
        return None
    return MEASURES[name].better if name in MEASURES else None


def direction(name: str, kind: Kind = "metric") -> Direction:
    """Return `min` where a lower value is better, `max` where a higher one is.

    Args:
        name: A public Keras metric or loss in any spelling, or `loss`.
        kind: `loss` for the name of a loss; cosine similarity is the one whose direction
            depends on it.

    Raises:
        LookupError: Keras has no such metric or loss, or it has no better or worse (`Sum`).
    """
    if name == "loss":
        return "min"
    found = canonical(name, kind)
    if found is None:
        known = {*spellings("loss"), *(spellings("metric") if kind == "metric" else ())}
        near = did_you_mean(name, sorted(known))
        raise LookupError(f"no direction is known for the {kind} '{name}'{near}")
    return MEASURES[found].better if kind == "metric" and found in MEASURES else "min"
