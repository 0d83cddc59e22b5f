"""Whether one run is better than another by more than chance, on the same held-out rows.

Only what runs keep of their validation is read: no data, no model, no test rows.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np

from dlrun.errors import UsageError
from dlrun.reports.charts import Chart
from dlrun.reports.comparison import ComparedRun, Comparison, Pair, run_labels
from dlrun.reports.differences import reported_differences, sources_differ
from dlrun.reports.marked_epoch import kept_epoch
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.reports.overlay import overlay_charts
from dlrun.scoring.differences import ScoreDifference, compare_folds, compare_on_rows, holm
from dlrun.scoring.intervals import LEVEL
from dlrun.store.files import write_bytes, write_once
from dlrun.store.run_directory import RunDirectory
from dlrun.workflows.comparable_runs import (
    ScoredRun,
    read_scored_run,
    same_but_for_features,
    why_not_comparable,
)

GivenRun = str | os.PathLike[str]

MOST_RUNS = 10
"""Runs that one picture, and one table of pairs, can hold."""

MOST_PANELS = 3
"""Different measures that one picture can hold."""

EXACTLY = 1e-3
"""Share by which a score that is computed again from the predictions may differ: they are kept
as float32, and AUC is exact where Keras approximates it."""


def compare(
    *runs: GivenRun | Sequence[GivenRun],
    runs_dir: str | Path = "runs",
    trust_plugins: bool = False,
) -> Comparison:
    """Compare the scores of runs on their held-out rows.

    Pairs with the same hold-out are compared by a paired bootstrap over its rows, pairs with the
    same folds by the corrected resampled t. P values are corrected for the number of pairs
    (Holm).

    Args:
        runs: Run directories, the unique beginnings of their names, or `Run` objects; one by one,
            or in a list.
        runs_dir: Where to look for runs that are given by name.
        trust_plugins: Whether the Python files of their configs may run.

    Raises:
        UsageError: There are fewer than 2 runs, more than 10, or the same twice.
        RunError: There is no such run, or it has no result.
    """
    paths: list[Path] = []
    for given in runs:
        paths += map(Path, [given] if isinstance(given, str | os.PathLike) else given)
    if not 2 <= len(paths) <= MOST_RUNS:
        raise UsageError(f"give 2 to {MOST_RUNS} runs to compare, found {len(paths)}")
    scored = [
        read_scored_run(RunDirectory.open(path, Path(runs_dir)), trust_plugins=trust_plugins)
        for path in paths
    ]
    directories = [one.directory.name for one in scored]
    if twice := [name for name in directories if directories.count(name) > 1]:
        raise UsageError(f"the run {twice[0]} is given twice")
    configs = [one.entry.config for one in scored]
    differs = tuple(reported_differences(configs))
    if len(scored) == 2 and sources_differ(configs):
        # Nothing else is of use where the two answer different questions.
        differs = tuple(one for one in differs if one.key[0] == "dataset")
    labels = run_labels([one.entry.name for one in scored], directories, differs)
    scored = [replace(one, label=label) for one, label in zip(scored, labels, strict=True)]
    pairs = [_pair(first, second) for first, second in itertools.combinations(scored, 2)]
    rows, folds = None, scored[0].folds
    if all(pair.comparable for pair in pairs):
        rows = f"the same {len(folds)} folds" if len(folds) > 1 else "no rows"
        if len(folds) == 1:
            rows = f"the same {len(folds[0][1])} validation rows"
    return Comparison(
        runs=tuple(_compared(one) for one in scored),
        pairs=tuple(_corrected(pairs)),
        differs=differs,
        rows=rows,
        curves=_curves(scored),
    )


def draw_comparison(comparison: Comparison, file: Path | None = None) -> Path | None:
    """Draw the validation curves over each other.

    Args:
        comparison: What `compare` returned.
        file: Ends with `.png` or `.svg`, and must not exist yet; default: a new PNG in the
            working directory, named after the runs, or one that holds this very picture already.

    Returns:
        The file, or None where no run measured anything on validation rows.

    Raises:
        UsageError: The file is neither PNG nor SVG.
        RunError: It exists already, or cannot be written.
    """
    if file is not None:
        check_picture(file)
    if not comparison.curves:
        return None
    from dlrun.reports.picture import build_picture, save_picture

    use_temporary_cache()
    kind = "png" if file is None else file.suffix.lower().removeprefix(".")
    drawn, title = BytesIO(), f"Validation curves of {len(comparison.runs)} runs"
    save_picture(build_picture(comparison.curves, title), drawn, kind)
    picture = drawn.getvalue()
    if file is not None:
        write_bytes(file, picture)
        return file
    stem = "-".join(["comparison", *(run.run.rpartition("-")[2] for run in comparison.runs)])
    return write_once(Path(), stem, ".png", picture)[0]


def check_picture(file: Path) -> None:
    """Refuse a file that a picture cannot be written to.

    Raises:
        UsageError: It is neither PNG nor SVG.
    """
    if file.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"the picture is written as .png or .svg, found '{file.name}'")


def _pair(first: ScoredRun, second: ScoredRun) -> Pair:
    """Compare two runs, the better one first."""
    measure = str(first.score.get("name"))
    if (why := why_not_comparable(first, second)) is not None:
        return Pair(first.label, second.label, measure, why=why)
    sign = 1 if first.score["direction"] == "max" else -1
    if sign * first.score["value"] < sign * second.score["value"]:
        first, second = second, first
    found = _difference(first, second)
    if isinstance(found, ScoreDifference) and found.difference < 0:
        # The scores are equal but for rounding, or Keras only approximates the measure.
        first, second = second, first
        found = _difference(first, second)
    if not isinstance(found, str) and _count_other_steps(first, second):
        found = "one of them masks steps that the other counts"
    if isinstance(found, str):
        return Pair(first.label, second.label, measure, why=found)
    return Pair(
        better=first.label,
        worse=second.label,
        measure=measure,
        difference=found.difference,
        interval=None if found.interval is None else found.interval.as_dict(),
        p_value=found.p_value,
        method=found.method,
        why=found.why,
        note=same_but_for_features(first, second),
    )


def _count_other_steps(first: ScoredRun, second: ScoredRun) -> bool:
    one, other = (run.predictions.get("mask") for run in (first, second))
    if one is None or other is None:
        return one is not other
    return not np.array_equal(one, other)


def _difference(first: ScoredRun, second: ScoredRun) -> ScoreDifference | str:
    """How much better the first is, or why that is unknown.

    As a run's own interval: folds by their scores, one fold and several models of the same rows
    by the rows, and folds in the order of time by stretches of all their rows.
    """
    scored = [rows for _, rows, _ in first.folds]
    same_rows = all(np.array_equal(rows, scored[0]) for rows in scored)
    if not same_rows and not first.in_time:
        return _over_folds(first, second)
    for run in (first, second):
        if (why := not_from_predictions(run)) is not None:
            return why
    return _over_models(first, second) if same_rows else _over_time(first, second)


def _over_models(first: ScoredRun, second: ScoredRun) -> ScoreDifference:
    """One or several models, all on the same rows."""
    score = first.measure.score
    assert score is not None
    ours, theirs = ([part["predictions"] for part in run.parts] for run in (first, second))
    part = first.parts[0]
    return compare_on_rows(
        score,
        targets_of(first, part),
        ours[0] if len(ours) == 1 else ours,
        theirs[0] if len(theirs) == 1 else theirs,
        mask=part.get("mask"),
        units=part.get("units"),
    )


def _over_time(first: ScoredRun, second: ScoredRun) -> ScoreDifference | str:
    """Folds in the order of time: a bootstrap over stretches of the rows of all."""
    score, sizes = first.measure.score, {len(part["rows"]) for part in first.parts}
    assert score is not None
    if score.rows is None or score.of_mean is not None or len(sizes) > 1:
        return (
            f"rows near in time depend on each other, and the {first.measure.name} of such folds "
            "is not a mean over rows"
        )
    units: list[np.ndarray] = []
    for part in first.parts:
        units.append(part["units"] + (int(units[-1].max()) + 1 if units else 0))
    return compare_on_rows(
        score,
        np.concatenate([targets_of(first, part) for part in first.parts]),
        np.concatenate([part["predictions"] for part in first.parts]),
        np.concatenate([part["predictions"] for part in second.parts]),
        mask=np.concatenate([part["mask"] for part in first.parts])
        if "mask" in first.parts[0]
        else None,
        units=np.concatenate(units),
    )


def _over_folds(first: ScoredRun, second: ScoredRun) -> ScoreDifference:
    trained = [len(train) for run in (first, second) for train, _, _ in run.folds]
    return compare_folds(
        [score for _, _, score in first.folds],
        [score for _, _, score in second.folds],
        direction=first.score["direction"],
        train_rows=float(np.mean(trained)),
        test_rows=float(np.mean([len(scored) for _, scored, _ in first.folds])),
    )


def not_from_predictions(run: ScoredRun) -> str | None:
    """Why a run's score cannot be computed from its predictions again, or None where it can."""
    measure = run.measure
    if measure.is_sum:
        return (
            f"the loss of {run.label} is a sum over several outputs; name a metric of one of them "
            "as `evaluation.score`"
        )
    if measure.score is None:
        return f"only Keras can compute {measure.name}; a paired comparison needs it for any rows"
    again = np.mean(
        [
            measure.score.function(
                targets_of(run, part), part["predictions"], None, part.get("mask")
            )
            for part in run.parts
        ]
    )
    if np.isclose(again, run.score["value"], rtol=EXACTLY, atol=1e-6):
        return None
    if measure.component.kind != "loss":
        return f"the {measure.name} of {run.label} does not follow from its predictions"
    return (
        f"the loss of {run.label} holds more than its predictions show (row weights, penalties on "
        "weights, or a target on another scale); name a metric as `evaluation.score`"
    )


def targets_of(run: ScoredRun, part: Mapping[str, np.ndarray]) -> np.ndarray:
    """The targets of some rows in the form that the measure takes."""
    targets, predictions = part["targets"], part["predictions"]
    score = run.measure.score
    wide = predictions.shape[-1] > 1 and targets.ndim == predictions.ndim - 1
    one_hot = score is not None and score.metric.startswith("Categorical")
    return np.eye(predictions.shape[-1])[targets] if wide and one_hot else targets


def _corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """Correct the p values for their number."""
    p_values = iter(holm([pair.p_value for pair in pairs if pair.p_value is not None]))
    corrected = []
    for pair in pairs:
        if pair.p_value is not None:
            p_value = next(p_values)
            pair = replace(pair, corrected_p=p_value, different=p_value <= 1 - LEVEL)
        corrected.append(pair)
    return corrected


def _compared(run: ScoredRun) -> ComparedRun:
    return ComparedRun(
        label=run.label,
        run=run.directory.name,
        protocol=run.protocol,
        score={key: value for key, value in run.score.items() if key != "folds"},
        baseline=run.result.get("baseline"),
        best_epoch=run.result.get("best_epoch"),
        epochs=run.result.get("epochs"),
        parameters=run.result.get("parameters"),
        seconds=run.result.get("seconds") or run.entry.seconds,
    )


def _curves(runs: Sequence[ScoredRun]) -> tuple[Chart, ...]:
    """The validation loss where all have the same one, and the measure of success."""
    losses = {repr([(o.loss, o.weight) for o in run.config.outputs]) for run in runs}
    scores = [str(run.score["name"]) for run in runs]
    metrics = [*(["loss"] if len(losses) == 1 else []), *scores]
    if len(set(metrics)) > MOST_PANELS:
        return ()
    return overlay_charts(
        [run.directory.history() for run in runs],
        [run.label for run in runs],
        metrics,
        directions={name: run.score["direction"] for name, run in zip(scores, runs, strict=True)},
        kept=[kept_epoch(run.result) for run in runs],
    )
