"""The model of a run on the sealed test rows."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.checks.architecture import output_of
from dlrun.config.layers import every_layer
from dlrun.config.schema import Config, OutputEntry
from dlrun.data.fingerprint import fingerprint
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.data.timestamps import time_text
from dlrun.errors import DataError, RunError
from dlrun.metrics.cuts import Meaning, as_probabilities
from dlrun.metrics.figures import classification_figures, regression_figures
from dlrun.metrics.predictions import by_step, names_of_outputs
from dlrun.protocols.preparation import sample_weights
from dlrun.protocols.protocol import Protocol
from dlrun.scoring.measures import measures_of, select_measure
from dlrun.scoring.model_scores import (
    ModelScores,
    OutputRows,
    ScoredModel,
    simple_beside,
    truths_of,
)
from dlrun.scoring.rivals import Rivals
from dlrun.store.evaluations import UnlistedEvaluationError
from dlrun.store.files import as_bytes, write_once
from dlrun.store.json_text import to_json
from dlrun.store.ledger import KeptEvaluation, LedgerEntry, read_ledger, record_evaluation
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import count_validated_runs, kept_evaluations
from dlrun.text import first_few
from dlrun.training.interrupt import deferred_interrupt
from dlrun.workflows.loading import load_test_rows, meaning_of_output, start_and_load
from dlrun.workflows.next_step import open_findings
from dlrun.workflows.repeated_rows import repeated_sentence
from dlrun.workflows.results import arrays_of
from dlrun.workflows.statistics import (
    evaluation_statistics,
    interval_facts,
    simple_model_facts,
    verdict_facts,
)
from dlrun.workflows.trained_run import TrainedRun


@dataclass(frozen=True)
class EvaluationResult:
    """One test evaluation.

    Args:
        path: The file that holds it: in the run directory, or, where that cannot be written to, in
            the system's folder of temporary files; None if that cannot be written to either.
        facts: What that file holds: `score`, `measures`, `baseline`, `simple_model`, `verdict`,
            `figures`, `look`, `runs_before`, `rows`.
        notices: What is wrong with the ledger of test evaluations, one sentence each.
        problem: Why it could not be kept, or not all of it; None if it was.
    """

    path: Path | None
    facts: dict[str, Any]
    notices: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def score(self) -> float:
        """The measure of success on the test rows."""
        return float(self.facts["score"]["value"])


def evaluate(
    run: str | Path,
    *,
    runs_dir: str | Path = "runs",
    overrides: Sequence[str] = (),
    trust_plugins: bool = False,
) -> EvaluationResult:
    """Score a run's model on the test data, and record the test evaluation in the ledger.

    Args:
        run: The run directory, or the unique beginning of its name.
        runs_dir: Where to look for a run that is given by name.
        overrides: `KEY=VALUE` changes to the run's config, such as a data path that moved;
            relative paths start at the working directory.
        trust_plugins: Whether the Python files that `plugins` names may run.

    Raises:
        RunError: There is no such run, no single model, no test data, or the data is no longer
            what the model was trained on.
    """
    trained = TrainedRun.open(run, runs_dir, overrides, trust_plugins=trust_plugins)
    directory, config = trained.directory, trained.config
    _, dataset = start_and_load(config)
    if not dataset.has_test:
        raise RunError(
            f"{directory.name} has no test data; add `test: {{fraction: 0.2}}` or "
            "`test: {path: FILE}` under `dataset` and train again"
        )
    refuse_changed_data(directory, dataset, "so test rows may have been training rows")
    test = load_test_rows(config)
    _refuse_unknown_labels(config, dataset, test)
    facts, arrays = _score(trained, dataset, test)
    entry, kept, before, notices = _earlier(directory, facts)
    of_run = sum(one["run"] == directory.name for one in before)
    # A file, or the folder, may have been lost.
    look_of_run = max([of_run, *directory.evaluation_numbers()]) + 1
    findings = open_findings(directory)
    # What is counted is kept.
    with deferred_interrupt():
        look = record_evaluation(directory.runs_dir, entry, kept)
        facts |= {
            "open_findings": findings,
            "looks_before": before,
            "look": look.number,
            "look_of_run": look_of_run,
            "runs_before": look.runs_before,
            "ledger": look.hash,
        }
        path, problem = _keep(directory, facts, arrays)
    return EvaluationResult(path, facts, notices, problem)


def _keep(
    directory: RunDirectory, facts: dict[str, Any], arrays: dict[str, np.ndarray]
) -> tuple[Path | None, str | None]:
    """Keep an evaluation that has been counted: where the run's disk is full, elsewhere. Return the
    file, and what could not be kept."""
    problem = None
    try:
        path = directory.add_evaluation(facts)
    except UnlistedEvaluationError as error:
        path, problem = error.path, f"the run's manifest does not list the evaluation: {error}"
    except RunError as error:
        folder = Path(tempfile.gettempdir())
        try:
            data = as_bytes(to_json(facts))
            kept = write_once(folder, f"{directory.name}-evaluation", ".json", data)[0]
        except RunError:
            return None, f"the evaluation is counted, but could not be kept: {error}"
        return kept, f"the evaluation is counted, but kept in {kept} instead of the run: {error}"
    try:
        directory.add_evaluation_arrays(path, arrays)
    except RunError as error:
        return path, f"the predictions for the test rows could not be kept: {error}"
    return path, problem


def refuse_changed_data(directory: RunDirectory, dataset: Dataset, why: str) -> None:
    """Compare the rows with those that a run was trained on.

    Args:
        directory: The run.
        dataset: What its config reads now.
        why: Why that matters.

    Raises:
        RunError: They are others.
    """
    trained_on = directory.read_data()["fingerprint"]
    if fingerprint(dataset.samples) != trained_on:
        raise RunError(
            f"the training data has changed since {directory.name} was trained (its "
            f"fingerprint differs), {why}; restore the data, or train again"
        )


def _refuse_unknown_labels(config: Config, dataset: Dataset, test: Samples) -> None:
    """Refuse class indices that the model has no output for; steps on targets refuse their own."""
    for name, known in {} if config.target_steps else dataset.labels.items():
        layer = output_of(config, name if dataset.tasks else None)
        largest = max(int(known[-1]), (layer.units if layer and layer.units else 1) - 1)
        values = test.targets[name].reshape(len(test), -1)
        outside = (values < 0) | (values > largest)
        if outside.any():
            row = int(outside.any(axis=1).argmax())
            raise DataError(
                f"the test rows hold the label {values[outside][0]} of '{name}', in "
                f"{test.where(row)}, for which the model has no output; the "
                f"training rows have the labels {first_few(known.tolist(), 10)}"
            )


def _earlier(
    directory: RunDirectory, facts: dict[str, Any]
) -> tuple[LedgerEntry, list[KeptEvaluation], list[dict[str, Any]], tuple[str, ...]]:
    """Return what the ledger of the runs' folder is to hold of the test evaluation, those that runs
    keep, the earlier ones on these rows, oldest first, and what is wrong with the ledger."""
    runs_dir, data = directory.runs_dir, directory.read_data()["fingerprint"]
    score = facts["score"]["value"]
    entry = LedgerEntry(
        fingerprint=facts["fingerprint"],
        data=data,
        run=directory.name,
        time=facts["time"],
        metric=facts["score"]["name"],
        score=score if math.isfinite(score) else None,
        runs_before=count_validated_runs(runs_dir, data),
    )
    # Before the line is written: afterwards its evaluation would still be missing.
    kept = kept_evaluations(runs_dir)
    ledger = read_ledger(runs_dir, kept)
    before = [
        {key: getattr(one, key) for key in ("run", "time", "metric", "score")}
        for one in ledger.evaluations
        if one.fingerprint == entry.fingerprint
    ]
    return entry, kept, before, ledger.notices


def _score(
    trained: TrainedRun, dataset: Dataset, test: Samples
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the evaluation holds of the test rows, and the predictions for them."""
    config, pipeline = trained.config, trained.pipeline
    truths = truths_of(pipeline, test)
    training_rows = _training_rows(dataset, trained.directory)
    trained_on = truths_of(pipeline, training_rows)
    measures = measures_of(config.outputs)
    chosen = select_measure(measures, config.evaluation.score)
    inputs = pipeline.inputs(test)
    output = trained.output(test, inputs)
    train_inputs = pipeline.inputs(training_rows)
    simple = simple_beside(
        every_layer(config.architecture, config.blocks),
        dataset.of_output(chosen.output).task,
        chosen,
        (train_inputs, trained_on),
        (inputs, truths),
        output,
        pipeline,
    )
    scored = ScoredModel(
        output,
        pipeline,
        sample_weights(config.training.sample_weight, test),
        truths,
        trained_on,
        trained.output(training_rows, train_inputs).masks if output.masks else {},
        measures,
    ).scores(chosen, simple)
    protocol = Protocol.of(config)
    repeated = repeated_sentence(training_rows, test)
    statistics = evaluation_statistics(
        protocol, test, scored, scored.measures[chosen.name], config.seed
    )
    facts = {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "rows": len(test),
        "fingerprint": fingerprint(test),
        "score": {
            "name": chosen.name,
            "direction": chosen.direction,
            "value": scored.measures[chosen.name],
            **interval_facts(statistics),
        },
        "baseline": None if scored.rivals is None else _baseline(scored.rivals),
        "simple_model": simple_model_facts([scored.simple], statistics),
        "verdict": verdict_facts(statistics),
        "measures": scored.measures,
        "task": dataset.task,
        "models": len(trained.members),
        **_all_figures(config, dataset, pipeline, test, scored),
        "findings": [
            *pipeline.findings(test, "test rows", settled=True),
            *([repeated] if repeated else []),
        ],
    }
    arrays = arrays_of(scored.main, scored.outputs)
    # The test rows' own targets stay where they are.
    kept = {name: values for name, values in arrays.items() if not name.startswith("targets")}
    return facts, {"rows": test.rows, **kept}


def _baseline(scored: Rivals) -> dict[str, Any]:
    """The baseline, and the weaker ones."""
    others = [vars(other.baseline) for other in scored.others]
    return {**vars(scored.baseline), **({"others": others} if others else {})}


def _training_rows(dataset: Dataset, directory: RunDirectory) -> Samples:
    """The rows that trained the run's model, or its models together."""
    splits = directory.read_splits()
    numbers = np.unique(np.concatenate([splits[n] for n in splits if n.endswith("_train")]))
    return dataset.samples.take(np.searchsorted(dataset.samples.rows, numbers))


def _all_figures(
    config: Config,
    dataset: Dataset,
    pipeline: Pipeline,
    test: Samples,
    scored: ModelScores,
) -> dict[str, Any]:
    """`figures` of the output that is scored, and where there are several, those of each."""

    def of(output: OutputEntry) -> dict[str, Any]:
        name = output.name
        rows = scored.main if name is None else scored.outputs[name]
        meaning = meaning_of_output(config, output)
        return _figures(meaning, dataset.of_output(name), pipeline.of_output(name), test, rows)

    figures = {output.name: of(output) for output in config.outputs}
    if None in figures:
        return {"figures": figures[None]}
    return {"figures": figures[next(iter(dataset.tasks))], "figures_of_outputs": figures}


def _figures(
    meaning: Meaning,
    dataset: Dataset,
    pipeline: Pipeline,
    samples: Samples,
    scored: OutputRows,
) -> dict[str, Any]:
    names = dataset.samples.output_names
    if pipeline.reconstructs:
        names = pipeline.feature_names
    steps = by_step(dataset.task, scored.targets, scored.predictions, scored.mask)
    if dataset.task == "regression":
        named = names_of_outputs(names, steps.predictions.shape[1])
        numbers = samples.rows[steps.rows]
        figures = regression_figures(steps.true, steps.predictions, named, rows=numbers).as_dict()
        _name_rows(figures, samples)
        return {**figures, "unit": steps.unit}
    several = dataset.task == "multilabel"
    classes = names if several else pipeline.class_names
    shares = as_probabilities(steps.predictions, meaning)
    figures = classification_figures(steps.true, shares, classes, multilabel=several).as_dict()
    return {**figures, "unit": steps.unit}


def _name_rows(figures: dict[str, Any], samples: Samples) -> None:
    """Let the worst rows of `figures` say where they are: `place`, such as `homes.csv:17`, where
    rows have one.

    Where samples are windows, `row` becomes the target's row in the source, `window` the last row
    of the window; `time` is when the target was measured, where that is known, and `series` its
    series, where there are several.
    """
    every = [worst for target in figures["targets"] for worst in target["worst"]]
    position = {int(row): i for i, row in enumerate(samples.rows)}
    windows = samples.windows
    if windows is None or (numbers := windows.target_numbers) is None:
        places = samples.places_of([position[worst["row"]] for worst in every])
    else:
        labels = windows.labels()
        for output, target in enumerate(figures["targets"]):
            for worst in target["worst"]:
                at = position[worst["row"]], output % numbers.shape[1]
                worst |= {"row": int(numbers[at]), "window": worst["row"]}
                if labels is not None:
                    worst["series"] = str(labels[at[0]])
                if windows.target_times is not None:
                    worst["time"] = time_text(windows.target_times[at])
        rows = [worst["row"] for worst in every]
        places = None if samples.places is None else samples.places(rows)
    for worst, place in zip(every, places or (), strict=False):
        worst["place"] = place
