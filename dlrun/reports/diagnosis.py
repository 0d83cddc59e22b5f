"""What the curves of a training show: facts with figures, from histories alone.

The kinds follow *Deep Learning with Python*, sections 4.4 and 4.5: a model first underfits, then
overfits, and the border is found from the far side. A curve that jumps is smoothed first, as
it is drawn (`curve_facts`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from dlrun.metrics.folds import mean_history
from dlrun.metrics.names import Direction, canonical
from dlrun.metrics.table import MEASURES
from dlrun.reports.cost_curve import CostCurve, costs_of
from dlrun.reports.curve_facts import History, is_noisy
from dlrun.reports.suggestions import (
    MOST,
    Suggestion,
    planned_epochs,
    simpler_model,
    suggest,
)
from dlrun.text import figure, figures_apart

Kind = Literal[
    "diverged",
    "no_signal",
    "overfitting",
    "still_improving",
    "underfitting",
    "noisy",
    "constant",
]

FEWEST_FOR_FITTING = 5
"""Epochs needed to see a turn or a plateau."""

GIVEN_BACK = 0.1
"""Validation has turned if it ends worse than its best by more than this share of all that it
had gained: less happens in good fits too."""

SMALLEST_LOSS = 0.01
"""It must also be this share of the best value, for curves that had gained next to nothing."""

STILL_GAINED = 0.05
"""A curve is still improving if its last quarter brings more than this share of the whole gain;
one that falls off exponentially brings 2% there once three quarters of the way are 98% done."""

NOISE = 2.0
"""A change counts only above this many times the usual jump between epochs."""

FEWEST_ROWS = 4
"""A score that is a share of rows must have lost more than this many: of four rows that
change sides, all go the same way in one case of eight by chance."""

NO_GAP = 1.1
"""Training is no better than validation if validation's error is at most this many times as
large: a model that could fit these rows better shows a wider gap."""

LEARNT = 0.02
"""An error (1 - score) on training rows below which there is nothing left to fit."""

LEARNT_LOSS = 0.05
"""A training loss below this share of its first value leaves nothing to fit."""

NOISY_SHARE = 0.02
"""The usual jump between epochs, as a share of the value, above which it is reported."""


@dataclass(frozen=True)
class CurveFinding:
    """One thing that the curves show.

    Args:
        kind: Which.
        text: A sentence with the figures.
        figures: The same figures by name.
        epoch: The epoch (from 1) that it begins in, where it begins in one.
    """

    kind: Kind
    text: str
    figures: dict[str, float] = field(default_factory=dict)
    epoch: int | None = None


def diagnosis_facts(
    result: Mapping[str, Any], histories: Sequence[History], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `diagnosis` and `suggestions` for `result.json`.

    Args:
        result: What `result.json` holds so far.
        histories: Each fold's; of several, the mean is judged.
        config: The config as plain data, every default filled in.
    """
    score, baseline = result["score"], result.get("baseline") or {}
    others = [one.get("value") for one in (baseline, *(baseline.get("others") or ()))]
    baselines = [float(value) for value in others if value is not None]
    # A model that beats the weakest of several baselines has found something.
    weakest = max if score["direction"] == "min" else min
    findings = diagnose(
        histories,
        score["name"],
        score["direction"],
        baseline=weakest(baselines) if baselines and result.get("best_value") is not None else None,
        asked=None if result.get("interrupted") else planned_epochs(config),
        rows=sum(fold.get("rows") or 0 for fold in result.get("folds") or ()),
    )
    kinds = [finding.kind for finding in findings]
    simpler = simpler_model(result, config)
    if simpler and config["dataset"].get("source") == "timeseries":
        # Where a straight line is better, dropout and the like do not help.
        kinds = [kind for kind in kinds if kind in ("diverged", "still_improving")]
    suggestions = [*simpler, *suggest(kinds, config, result.get("best_epoch"))][:MOST]
    return {
        "diagnosis": [asdict(finding) for finding in findings],
        "suggestions": [_as_dict(suggestion) for suggestion in suggestions],
    }


def suggestions_against_divergence(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what to try where the loss became NaN before anything could be kept.

    Args:
        config: The config as plain data, every default filled in.
    """
    return [_as_dict(suggestion) for suggestion in suggest(["diverged"], config, None)]


def diagnose(
    histories: Sequence[History],
    score: str,
    direction: Direction,
    *,
    baseline: float | None = None,
    asked: int | None = None,
    rows: int | None = None,
) -> list[CurveFinding]:
    """Return what the curves show, the most serious first.

    Args:
        histories: Metric to its value in every epoch, one mapping a fold.
        score: The measure of success in them, without `val_`.
        direction: `min` where lower is better.
        baseline: What common sense scores, the weakest of several, in the unit of the history;
            None where not known.
        asked: How many epochs were asked for; None where the user stopped.
        rows: Validation rows of all folds; None where not known.
    """
    for history in histories:
        if (end := _diverged(history)) is not None:
            return [end]
    means = mean_history(histories)
    history = {name: curve["mean"] for name, curve in means.items()}
    curves = [CostCurve.of(history, score, direction)]
    if score != "loss":
        curves.append(CostCurve.of(history, "loss", "min"))
    known = [curve for curve in curves if curve is not None]
    if not known:
        return []
    first = known[0]
    # The loss turns by little steps, a share of rows by whole rows.
    by_loss = sorted(known, key=lambda curve: curve.metric != "loss")
    turned = next((f for curve in by_loss if (f := _overfitting(curve, rows)) is not None), None)
    rising = None
    if turned is None and asked == first.epochs:
        rising = next((f for curve in known if (f := _still_improving(curve)) is not None), None)
    # What still improves may yet find the signal.
    lost = _no_signal(first, baseline) if first.metric == score and rising is None else None
    constant = _constant(history)
    if lost is not None:
        return [lost, *constant]
    flat = _underfitting(first) if turned is None and rising is None else None
    return [f for f in (turned, rising, flat, _noisy(first), *constant) if f is not None]


def _diverged(history: History) -> CurveFinding | None:
    losses = list(history.get("loss", ()))
    bad = next((i for i, value in enumerate(losses) if not math.isfinite(value)), None)
    if bad is None:
        return None
    word = "NaN" if math.isnan(losses[bad]) else "infinite"
    text = f"diverged: the loss became {word} in epoch {bad + 1}"
    figures = {}
    if bad:
        text += f", after {figure(losses[bad - 1])} in epoch {bad}"
        figures["loss_before"] = float(losses[bad - 1])
    return CurveFinding("diverged", text, figures, bad + 1)


def _no_signal(curve: CostCurve, baseline: float | None) -> CurveFinding | None:
    """Never better than the baseline, in any epoch of the (smoothed) curve."""
    if baseline is None or not math.isfinite(baseline):
        return None
    best = curve.best
    if curve.validation[best] < costs_of([baseline], curve.direction, curve.bounded)[0]:
        return None
    beaten, reached = figures_apart(baseline, curve.reached)
    text = (
        f"no signal: in {curve.epochs} epochs validation {curve.metric} never beat the baseline's "
        f"{beaten} (best {reached} in epoch {best + 1}"
        f"{', smoothed' if (curve.validation != curve.raw).any() else ''})"
    )
    figures = {"baseline": baseline, "best": curve.reached}
    return CurveFinding("no_signal", text, figures)


def _overfitting(curve: CostCurve, rows: int | None) -> CurveFinding | None:
    """Validation has turned, while training went on."""
    best, last = curve.best, curve.epochs - 1
    if curve.training is None or curve.epochs < FEWEST_FOR_FITTING or last - best < 2:
        return None
    lost = float(curve.validation[last] - curve.validation[best])
    noise_of_rows = 0.0
    if curve.bounded and rows:
        # Some rows, and the standard error of a share of rows, sqrt(p (1 - p) / n).
        share = min(max(float(curve.validation[last]), 0.0), 1.0)
        noise_of_rows = max(FEWEST_ROWS / rows, math.sqrt(share * (1 - share) / rows))
    enough = max(
        GIVEN_BACK * curve.gain,
        SMALLEST_LOSS * abs(float(curve.validation[best])),
        NOISE * curve.noise,
        noise_of_rows,
    )
    if lost <= enough or curve.training[last] >= curve.training[best]:
        return None
    low, high = curve.apart("validation", best, last)
    text = (
        f"overfitting from epoch {best + 2} on: validation {curve.metric} went from {low} in epoch "
        f"{best + 1} to {high} in epoch {last + 1}, while training {curve.metric} improved from "
        f"{' to '.join(curve.apart('training', best, last))}"
    )
    figures = {
        "best_epoch": best + 1,
        "validation_best": curve.number("validation", best),
        "validation_last": curve.number("validation", last),
        "training_best": curve.number("training", best),
        "training_last": curve.number("training", last),
    }
    return CurveFinding("overfitting", text, figures, best + 2)


def _still_improving(curve: CostCurve) -> CurveFinding | None:
    """The last epochs brought more than a rest of the gain, and the last is about the best."""
    last, back = curve.epochs - 1, max(2, curve.epochs // 4)
    if last - curve.best > curve.epochs // 10:
        return None
    before = max(last - back, curve.first)
    brought = float(curve.validation[before] - curve.validation[last])
    if brought <= max(STILL_GAINED * curve.gain, NOISE * curve.noise, 0.0):
        return None
    text = (
        f"still improving at the last epoch: validation {curve.metric} went from "
        f"{' to '.join(curve.apart('validation', before, last))} in the last "
        f"{last - before} of {curve.epochs} epochs"
    )
    figures = {
        "validation_before": curve.number("validation", before),
        "validation_last": curve.number("validation", last),
        "epochs": last - before,
    }
    return CurveFinding("still_improving", text, figures)


def _underfitting(curve: CostCurve) -> CurveFinding | None:
    """Training has stopped improving, well short of a perfect fit, and is no better than
    validation."""
    training, last = curve.training, curve.epochs - 1
    if training is None or curve.epochs < FEWEST_FOR_FITTING or training.min() < 0:
        return None
    reached = float(training[last])
    learnt = LEARNT if curve.bounded else LEARNT_LOSS * float(training[0])
    whole = float(training[curve.first] - training.min())
    before = max(last - max(2, curve.epochs // 4), curve.first)
    moving = float(training[before] - reached) > STILL_GAINED * whole
    if moving or reached <= learnt or curve.validation[last] > NO_GAP * reached:
        return None
    stays, beside = figures_apart(curve.number("training", last), curve.number("validation", last))
    text = (
        f"underfitting: training {curve.metric} stays at {stays}, no better than validation "
        f"({beside}); a model with enough "
        "capacity would fit the training rows better"
    )
    figures = {
        "training_last": curve.number("training", last),
        "validation_last": curve.number("validation", last),
    }
    return CurveFinding("underfitting", text, figures)


def _constant(history: History) -> list[CurveFinding]:
    """Metrics that have one value in all epochs, on training rows and on validation rows, though
    the loss has changed: what they count does not depend on what the model learns."""
    losses = history.get("loss") or ()
    if len(losses) < FEWEST_FOR_FITTING or len(set(losses)) == 1:
        return []
    found = []
    for name, values in history.items():
        metric = name.removeprefix("val_")
        if metric == name:
            continue
        training, validation = set(history.get(metric, ())), set[float | None](values)
        facts = MEASURES.get(canonical(metric) or "")
        perfect: set[float | None] = {0.0, 1.0}
        if facts is not None:
            perfect = {facts.high if facts.better == "max" else facts.low}
        if len(training) != 1 or len(validation) != 1 or validation <= perfect:
            continue
        text = (
            f"{metric} did not move: {figure(values[0])} on the validation rows in all "
            f"{len(values)} epochs, while the training loss went from "
            f"{' to '.join(figures_apart(losses[0], losses[-1]))}"
        )
        found.append(CurveFinding("constant", text, {"value": float(values[0])}))
    return found


def _noisy(curve: CostCurve) -> CurveFinding | None:
    values = np.asarray(curve.given[1][curve.first :], np.float64)
    if not is_noisy(values.tolist()):
        return None
    jump, level = float(np.median(np.abs(np.diff(values)))), float(np.median(np.abs(values)))
    if jump < NOISY_SHARE * level:
        return None
    text = (
        f"noisy: validation {curve.metric} changes by {figure(jump)} from one epoch to the next "
        f"({100 * jump / level:.2g}% of its value); smaller differences between epochs are noise"
    )
    return CurveFinding("noisy", text, {"jump": jump, "share": jump / level})


def _as_dict(suggestion: Suggestion) -> dict[str, Any]:
    return {"text": suggestion.text, "set": list(suggestion.set)}
