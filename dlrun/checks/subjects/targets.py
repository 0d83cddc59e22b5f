"""Targets that the last layer, the loss or a metric can take, as the loss sees them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlrun.checks.architecture import output_of, range_of
from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import with_step, with_targets
from dlrun.checks.finding import Change, Finding, put, with_arguments
from dlrun.checks.subjects.losses_and_metrics import QUANTITY_LOSSES
from dlrun.checks.views import DataView, is_array_of_inputs, is_own_target
from dlrun.config.layer_calls import INPUT
from dlrun.config.layers import every_layer
from dlrun.config.schema import Config
from dlrun.metrics.names import canonical
from dlrun.text import figure, percent

_OF_COUNTS = ("MeanSquaredLogarithmicError", "Poisson")

ALMOST_ZERO = 1e-6
"""A percentage of a smaller target means nothing."""


@check(
    "DL131",
    severity="error",
    why="mape divides by the target, msle takes the logarithm of 1 + the target and counts what is "
    "negative as 0, poisson compares counts, and kl_divergence compares shares of 1",
    source="Keras, keras.io/api/losses/regression_losses",
    instead="use mae or mse; with poisson and msle, leave out a step that centres the targets",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}
    architecture: {layers: [{Dense: 1}]}
    loss: mse
    metrics: [mape]
    """,
    fix="""
    metrics: [mae]
    """,
)
def targets_outside_measure(view: DataView) -> Iterator[Finding]:
    """Targets that a loss or a metric cannot measure: 0 for mape, negative ones for msle and
    poisson, others than shares for kl_divergence. A loss measures them after the steps on targets,
    a metric in their own unit."""
    loss = view.config.loss
    for measure in (loss, *view.config.metrics) if view.task == "regression" else ():
        name = canonical(measure.name)
        for values in view.dataset.samples.targets.values():
            if values.ndim > 1 and _masks_steps(view.config):
                # What pads the targets is left out of the measure.
                continue
            trained, steps, raw = view.prepared.targets, "", values
            if measure is loss and trained is not None and view.config.target_steps:
                values, steps = trained, _after_steps(view)
            share, what = _unmeasured(name, values, centred=bool(steps))
            if share:
                change = Change((), "loss: mse" if measure is loss else "metrics: [mae]")
                if steps and (found := _without_steps(view.config, name, raw)) is not None:
                    change = found
                message = f"{percent(share)} of the targets are {what}{steps}"
                message += f", which {measure.alias} cannot measure"
                yield Finding(message, measure.path, change)
                break


def _unmeasured(name: str | None, seen: np.ndarray, *, centred: bool) -> tuple[float, str]:
    """The share of targets that a measure cannot take, and what they are.

    Args:
        name: Keras' class name of the measure.
        seen: Targets as it sees them.
        centred: Whether steps on targets may have moved their 0.
    """
    if name == "MeanAbsolutePercentageError":
        if centred and seen.min() < 0 < seen.max():
            return float((np.abs(seen) < 1).mean()), "less than 1 on either side of 0"
        return float((np.abs(seen) < ALMOST_ZERO).mean()), "0"
    if name in _OF_COUNTS:
        return float((seen < 0).mean()), "negative"
    if name == "KLDivergence":
        return float(((seen < 0) | (seen > 1)).mean()), "not between 0 and 1"
    return 0.0, ""


def _without_steps(config: Config, name: str | None, raw: np.ndarray) -> Change | None:
    """The change after which a loss can measure targets that it could before the steps on them."""
    if _unmeasured(name, raw, centred=False)[0] or raw.min() < 0:
        return None
    if name == "MeanAbsolutePercentageError":
        # Differences of logarithms are ratios.
        logs = with_targets(config, "log1p")
        values = (*logs.values, (("loss",), "mae"))
        return Change(values, f"loss: mae, with {logs.write}")
    return with_targets(config, None)


def _after_steps(view: DataView) -> str:
    steps = view.config.target_steps
    names = ", ".join(step.member_name() for step in steps)
    return f" after `targets: {names}`" if steps else ""


def _masks_steps(config: Config) -> bool:
    """Whether a layer gives its output a mask."""
    layers = (layer.layer for layer in every_layer(config.architecture, config.blocks))
    return any(layer.name == "Masking" or layer.arguments.get("mask_zero") for layer in layers)


@check(
    "DL118",
    severity="error",
    why="sigmoid stays between 0 and 1, tanh and softsign between -1 and 1, relu and exponential "
    "above 0, and softmax adds up to 1",
    source=BOOK + "4.5, table 4.1",
    instead="predict quantities with a last layer without an activation; or bring targets to 0 to "
    "1 by `targets: minmax`",
    fault="""
    dataset: {source: sklearn, name: diabetes}
    preprocess: [standardize]
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: {units: 1, activation: sigmoid}
    loss: mse
    metrics: [mae]
    """,
    fix="""
    architecture:
      layers:
        - Dense: {units: 64, activation: relu}
        - Dense: 1
    """,
)
def unreachable_targets(view: DataView) -> Iterator[Finding]:
    """Targets outside the range of the last activation."""
    config, output = view.config, output_of(view.config)
    limits = None if output is None else range_of(output)
    if view.task != "regression" or output is None or limits is None:
        return
    if config.loss.name not in QUANTITY_LOSSES:
        return
    if config.loss.name in _OF_COUNTS and view.config.target_steps:
        # DL131 says so.
        return
    trained = view.prepared.targets
    for values in view.train.targets.values() if trained is None else (trained,):
        outside = float(((values < limits[0]) | (values > limits[1])).mean())
        if outside > 0.01:
            least, largest = figure(float(values.min())), figure(float(values.max()))
            message = f"{output.activation} cannot give {outside:.0%} of the targets, which go from"
            message += f" {least} to {largest}{_after_steps(view)}"
            of_inputs = is_array_of_inputs(config)
            change = None if output.apart else with_arguments(output.entry, activation=None)
            if of_inputs:
                change = put(("dataset", "targets"), INPUT)
            elif is_own_target(config) and limits == (0.0, 1.0):
                change = with_step(config, "minmax", last=True)
            elif values.ndim > 2 and limits[1] == 1:
                change = with_step(config, {"targets": "minmax"}, last=True)
            yield Finding(message, output.place, change, why=_NOT_PREPARED if of_inputs else None)
            return


_NOT_PREPARED = (
    "steps on inputs leave targets as they are in the file; `targets: input` is the model's input "
    "after all steps"
)


_FEWEST_FOR_SPANS = 100
_WIDE = 30.0
"""How many times the median the largest hundredth of the targets is at least."""


@check(
    "DL142",
    severity="note",
    why="squared errors of the few largest targets outweigh those of all others",
    source="scikit-learn, TransformedTargetRegressor",
    instead="add `targets: log1p` to the preprocessing; scores stay in the target's own unit",
    fault="""
    dataset: {source: csv, path: rows.csv, target: y}   # incomes, few of them huge
    preprocess: [standardize, {targets: standardize}]
    architecture: {layers: [{Dense: {units: 16, activation: relu}}, {Dense: 1}]}
    loss: mse
    metrics: [mae]
    """,
    fix="""
    preprocess: [standardize, {targets: log1p}]
    """,
)
def targets_span_magnitudes(view: DataView) -> Iterator[Finding]:
    """Targets of at least 0, the largest hundredth of which is over 30 times the median, with a
    squared error."""
    config = view.config
    if view.task != "regression" or config.loss.name != "MeanSquaredError":
        return
    if any(step.member_name() not in ("standardize", "minmax") for step in config.target_steps):
        return
    for values in view.train.targets.values():
        if values.ndim > 1 or len(values) < _FEWEST_FOR_SPANS or values.min() < 0:
            continue
        middle, large = (float(q) for q in np.quantile(values, (0.5, 0.99)))
        if middle > 0 and large > _WIDE * middle:
            yield Finding(
                f"the median of the targets is {figure(middle)}, and one in a hundred is above "
                f"{figure(large)}",
                ("loss",),
                with_targets(config, "log1p"),
            )
            return
