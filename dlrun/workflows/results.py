"""The content of `result.json` and of `data.json`: the outcome of a protocol, and its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlrun.checks.finding import Findings
from dlrun.config.dump import dump_config
from dlrun.config.schema import Config
from dlrun.data.fingerprint import describe, describe_targets, fingerprint
from dlrun.data.samples import Dataset, Samples
from dlrun.errors import TrainingError
from dlrun.metrics.folds import best_epoch, mean_history, spread_facts
from dlrun.protocols.protocol import Protocol
from dlrun.protocols.result import FoldResult, Outcome, PhaseOutcome
from dlrun.reports.diagnosis import diagnosis_facts
from dlrun.reports.summary import folds_word
from dlrun.scoring.baselines import Baseline
from dlrun.scoring.model_scores import OutputRows
from dlrun.scoring.simple_models import SimpleScore
from dlrun.store.run_directory import RunDirectory
from dlrun.text import display_path
from dlrun.training.engine import Divergence
from dlrun.training.reporting import divergence_message
from dlrun.workflows.loading import meaning_of_output
from dlrun.workflows.statistics import (
    interval_facts,
    run_statistics,
    simple_model_facts,
    verdict_facts,
)


def result_facts(
    protocol: Protocol, dataset: Dataset, outcome: Outcome, seed: int = 0
) -> dict[str, Any]:
    """Return score, spread, interval, baseline, simple model, verdict, best epoch and every
    fold's own, as plain data.

    Args:
        protocol: How the rows were dealt.
        dataset: The rows.
        outcome: Of the training.
        seed: Of the draws of a bootstrap.
    """
    statistics = run_statistics(protocol, dataset, outcome, seed)
    folds = outcome.complete_folds
    histories = [fold.history for fold in folds if fold.epochs]
    mean = mean_history(histories) if histories else {}
    watched = mean.get(f"val_{outcome.score_name}", {}).get("mean")
    best = best_epoch(watched, outcome.direction) if watched else None
    return {
        "protocol": protocol.member_name(),
        "task": dataset.task,
        **({"outputs": dict(dataset.tasks)} if dataset.tasks else {}),
        "score": {
            "name": outcome.score_name,
            "direction": outcome.direction,
            **spread_facts([fold.score for fold in folds]),
            **interval_facts(statistics),
        },
        "baseline": _baseline(folds),
        "simple_model": simple_model_facts([_simple(fold) for fold in folds], statistics),
        "verdict": verdict_facts(statistics),
        "best_epoch": best[0] if best else None,
        "best_value": best[1] if best else None,
        "epochs": max(fold.epochs for fold in folds),
        "measures": {
            name: spread_facts([fold.measures[name] for fold in folds])
            for name in folds[0].measures
        },
        "folds": [fold_facts(fold) for fold in outcome.folds],
        "complete_folds": sum(not (fold.interrupted or fold.diverged) for fold in outcome.folds),
        "mean_history": mean if len(folds) > 1 else None,
        "watched_scored_rows": outcome.watched_scored_rows,
        "parameters": outcome.parameters,
        "seconds": outcome.seconds,
        "interrupted": outcome.interrupted,
        "findings": _findings(dataset, outcome),
    }


def run_result(
    config: Config, dataset: Dataset, outcome: Outcome, planned_folds: int
) -> dict[str, Any]:
    """Return what `result.json` holds of a run, without `next`.

    Args:
        config: The experiment.
        dataset: The rows.
        outcome: Of the training.
        planned_folds: Folds that the protocol asked for; fewer may have been trained.
    """
    result = result_facts(Protocol.of(config), dataset, outcome, config.seed)
    result["planned_folds"] = planned_folds
    for of_fold, fold in zip(result["folds"], outcome.folds, strict=True):
        if fold.diverged is None and not fold.interrupted:
            of_fold["kept_weights"] = None if fold.kept is None else vars(fold.kept).copy()
    whole = outcome.diverged is None
    if len(outcome.folds) == 1 and whole and not outcome.interrupted:
        result["kept_weights"] = result["folds"][0].get("kept_weights")
    if (unit := loss_unit(config, outcome)) is not None:
        result["findings"].append(unit)
    scored = outcome.complete_folds if whole else outcome.folds
    histories = [fold.history for fold in scored if fold.epochs]
    if outcome.lost is not None:
        histories.append({"loss": [outcome.lost.loss]})
    return result | diagnosis_facts(result, histories, dump_config(config))


def out_of_fold(folds: Sequence[FoldResult]) -> dict[str, np.ndarray] | None:
    """Predictions for every row that a fold scored, in the order of row numbers.

    Returns:
        `rows` (m,), `predictions` (m, ..., k), averaged over the iterations that scored the row,
        `targets` (m, ...) and `mask` (m, ...) as `OutputRows` has them, `fold` (m,), the last fold
        that scored it, and `times` (m,), how often it was scored; None where nothing was scored.
        Of several outputs also those of `arrays_of`.
    """
    scored = [fold for fold in folds if fold.rows.size]
    if not scored:
        return None
    every_row = np.concatenate([fold.rows for fold in scored])
    rows, places, times = np.unique(every_row, return_inverse=True, return_counts=True)

    def mean(parts: Sequence[np.ndarray]) -> np.ndarray:
        values = np.concatenate(parts).astype(np.float64)
        sums = np.zeros((len(rows), *values.shape[1:]))
        np.add.at(sums, places, values)
        return (sums / times.reshape(-1, *[1] * (values.ndim - 1))).astype(np.float32)

    def last(parts: Sequence[np.ndarray]) -> np.ndarray:
        values = np.concatenate(parts)
        found = np.empty((len(rows), *values.shape[1:]), values.dtype)
        found[places] = values
        return found

    def joined(parts: Sequence[OutputRows]) -> OutputRows:
        masks = [part.mask for part in parts if part.mask is not None]
        return OutputRows(
            mean([part.predictions for part in parts]),
            last([part.targets for part in parts]),
            last(masks) if masks else None,
        )

    outputs = {name: joined([fold.outputs[name] for fold in scored]) for name in scored[0].outputs}
    return {
        "rows": rows,
        **arrays_of(joined([fold.main for fold in scored]), outputs),
        "fold": last([np.full(len(fold.rows), fold.index) for fold in scored]),
        "times": times,
    }


def arrays_of(main: OutputRows, outputs: Mapping[str, OutputRows]) -> dict[str, np.ndarray]:
    """What `predictions.npz` holds of the output that gives the score, `predictions`, `targets` and
    `mask`, and where there are several of every output, `predictions_NAME` and so on; only outputs
    with masks have one."""
    named = {"": main, **{f"_{name}": rows for name, rows in outputs.items()}}
    return {
        f"{part}{name}": values
        for part in ("predictions", "targets", "mask")
        for name, rows in named.items()
        if (values := getattr(rows, part)) is not None
    }


def places_in_series(samples: Samples) -> dict[str, np.ndarray]:
    """What `predictions.npz` holds of n windows of a series besides: of several, the name of each
    one's, `series`, and its last row, `places`; and the times of its s targets, `moments`, (n, s),
    where they are dates."""
    if (windows := samples.windows) is None:
        return {}
    found: dict[str, np.ndarray] = {}
    if (labels := windows.labels()) is not None:
        found |= {"series": labels.astype(str), "places": windows.places}
    if (times := windows.target_times) is not None and times.dtype.kind == "M":
        found["moments"] = times
    return found


def _baseline(folds: Sequence[FoldResult]) -> dict[str, Any] | None:
    """The strongest baseline, and weaker ones as its `others`, the stronger first."""
    known = [fold.baseline for fold in folds if fold.baseline is not None]
    if not known:
        return None
    others = [fold.rivals.others for fold in folds if fold.rivals is not None]
    weaker = [
        _baseline_facts([each.baseline for each in same]) for same in zip(*others, strict=True)
    ]
    return _baseline_facts(known) | ({"others": weaker} if weaker else {})


def _baseline_facts(of_folds: Sequence[Baseline]) -> dict[str, Any]:
    first = of_folds[0]
    values = [one.value for one in of_folds if np.isfinite(one.value)]
    return {"name": first.name, "description": first.description, **spread_facts(values)}


def _simple(fold: FoldResult) -> SimpleScore | None:
    return None if fold.rivals is None else fold.rivals.simple


def fold_facts(fold: FoldResult) -> dict[str, Any]:
    """One fold's own result, as plain data."""
    return {
        "fold": fold.index,
        "iteration": fold.iteration,
        "score": fold.score,
        "measures": fold.measures,
        "baseline": None if fold.baseline is None else fold.baseline.value,
        "simple_model": simple.value if (simple := _simple(fold)) else None,
        "best_epoch": fold.best_epoch,
        "best_value": fold.best_value,
        "epochs": fold.epochs,
        "rows": len(fold.rows),
        "seconds": fold.seconds,
        "interrupted": fold.interrupted,
        "diverged": None if fold.diverged is None else fold.diverged.epoch,
        **({"phases": phase_facts(fold.phases)} if fold.phases else {}),
    }


def loss_unit(config: Config, outcome: Outcome) -> str | None:
    """Return that the loss of a history counts in another unit than its metrics, or None."""
    if outcome.score_name == "loss" or not config.metrics or not outcome.folds:
        return None
    steps = {
        part.step.member_name()
        for targets in outcome.folds[0].pipeline.target_pipelines.values()
        for fitted in targets.targets.values()
        for part in fitted.steps
        if part.step.changes_unit
    }
    if not steps:
        return None
    names = " and ".join(f"`{name}`" for name in sorted(steps))
    return (
        f"the loss is measured on the targets after {names}; metrics count in the target's own unit"
    )


def phase_facts(phases: Sequence[PhaseOutcome]) -> list[dict[str, Any]]:
    """Each phase of a fold's training, as plain data."""
    return [
        {**vars(phase.trained), "best_epoch": phase.best_epoch, "best_value": phase.best_value}
        for phase in phases
    ]


def _findings(dataset: Dataset, outcome: Outcome) -> list[str]:
    findings = [*dataset.findings, *notes_of_folds([fold.findings for fold in outcome.folds])]
    if outcome.watched_scored_rows and len(outcome.folds) > 1:
        findings.append("a callback monitored the scored rows, so the score is optimistic")
    return list(dict.fromkeys(findings))


_NUMBERS = re.compile(r"\d[\d.,]*")


def notes_of_folds(findings: Sequence[Sequence[str]]) -> list[str]:
    """Each note once: where several folds have it, but for numbers, that of the first one."""
    folds: dict[str, list[tuple[int, str]]] = {}
    for fold, texts in enumerate(findings, start=1):
        for text in texts:
            folds.setdefault(_NUMBERS.sub("#", text), []).append((fold, text))
    sentences = []
    for found in folds.values():
        fold, text = found[0]
        others = len({number for number, _ in found} - {fold})
        if len({sentence for _, sentence in found}) > 1 and others:
            likewise = "another fold" if others == 1 else f"{others} other folds"
            text = f"fold {fold}: {text}; likewise in {likewise}"
        elif len(findings) > 1 and not others:
            text = f"fold {fold}: {text}"
        sentences.append(text)
    return sentences


def data_facts(
    config: Config, dataset: Dataset, splits: Mapping[str, np.ndarray], findings: Findings
) -> dict[str, Any]:
    """Return fingerprint, shapes, dtypes, class counts and findings, as plain data.

    The test rows are sealed: nothing of them is read, their fingerprint comes with the first
    evaluation.

    Args:
        config: The experiment.
        dataset: All rows that may be used before the test.
        splits: Row numbers of every split by its name, as in `splits.npz`.
        findings: What the checks found before training.
    """
    parts = {name: rows for name, rows in splits.items() if name != "test"}
    # Of several outputs the first gives the score.
    scored = dataset.of_output(next(iter(dataset.tasks), None))
    meanings = {
        output.name: "quantities" if task == "regression" else meaning_of_output(config, output)
        for output in config.outputs
        for task in [dataset.tasks.get(str(output.name), dataset.task)]
    }
    questions = {
        name: {
            "task": task,
            "outputs": list(dataset.of_output(name).samples.output_names),
            "outputs_are": meanings[name],
        }
        for name, task in dataset.tasks.items()
    }
    return {
        "description": dataset.description,
        "task": dataset.task,
        "outputs": list(scored.samples.output_names),
        "outputs_are": meanings[next(iter(dataset.tasks), None)],
        **({"questions": questions} if questions else {}),
        "classes": {name: list(names) for name, names in dataset.classes.items()},
        "fingerprint": fingerprint(dataset.samples),
        **describe(dataset.samples, dataset.classes),
        "splits": {name: _split_facts(dataset, rows) for name, rows in parts.items()},
        "test": {
            "exists": dataset.has_test,
            "rows": None if dataset.test_rows is None else len(dataset.test_rows),
        },
        "findings": findings.as_dicts(),
        "silenced": dict(findings.silenced),
    }


def _split_facts(dataset: Dataset, rows: np.ndarray) -> dict[str, Any]:
    """Facts of one split; row numbers ascend in a data set, so that they can be looked up."""
    part = dataset.samples.take(np.searchsorted(dataset.samples.rows, rows))
    return {
        "rows": len(part),
        "fingerprint": fingerprint(part),
        "targets": describe_targets(part, dataset.classes),
    }


def divergence_error(
    directory: RunDirectory, outcome: Outcome, diverged: Divergence, result: Mapping[str, Any]
) -> TrainingError:
    """Return the error for a training whose loss became NaN after some good epochs, or folds."""
    if outcome.lost is None:
        kept = f"the model is kept as epoch {diverged.kept} left it, with the curves up to there,"
    else:
        done, word = len(outcome.folds), folds_word(result)
        kept = f"that was number {done + 1} of {result['planned_folds']} {word}; the "
        kept += f"{f'{done} {word} before it are' if done > 1 else 'one before it is'} kept"
    error = TrainingError(
        f"{divergence_message(diverged.epoch, diverged.loss)}\n"
        f"{kept} in {display_path(directory.path)}",
        {key: result[key] for key in ("diagnosis", "suggestions")},
    )
    error.run = directory.path
    return error
