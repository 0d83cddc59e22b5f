"""The model of a run on the sealed test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.load import load_config
from dlrun.config.schema import Config
from dlrun.data.fingerprint import fingerprint
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.errors import RunError
from dlrun.metrics.figures import classification_figures, regression_figures
from dlrun.metrics.probability import as_probabilities
from dlrun.models.files import load_model
from dlrun.protocols.fold import Prepared, prepare
from dlrun.protocols.measures import measures_of, select_measure
from dlrun.protocols.scoring import score_rows, truth_of
from dlrun.store.run_directory import RunDirectory
from dlrun.workflows.loading import load_test_rows, start_and_load
from dlrun.workflows.next_step import final_training


@dataclass(frozen=True)
class Evaluation:
    """One look at the test data.

    Args:
        path: The file in the run directory that holds it.
        facts: What that file holds: `score`, `measures`, `baseline`, `figures`, `look`, `rows`.
    """

    path: Path
    facts: dict[str, Any]

    @property
    def score(self) -> float:
        """The measure of success on the test rows."""
        return float(self.facts["score"]["value"])


def evaluate(
    run: str | Path, *, runs_dir: str | Path = "runs", overrides: Sequence[str] = ()
) -> Evaluation:
    """Score a run's model on the test data.

    Args:
        run: The run directory, or the unique beginning of its name.
        runs_dir: Where to look for a run that is given by name.
        overrides: `KEY=VALUE` changes to the run's config, such as a data path that moved;
            relative paths start at the working directory.

    Raises:
        RunError: There is no such run, no single model, no test data, or the data is no longer
            what the model was trained on.
    """
    directory = RunDirectory.open(run, Path(runs_dir))
    refuse_without_model(directory)
    config = load_config(directory.resolved, overrides)
    _, dataset = start_and_load(config)
    if not dataset.has_test:
        raise RunError(
            f"{directory.name} has no test data; add `test: {{fraction: 0.2}}` or "
            "`test: {path: FILE}` under `dataset` and train again"
        )
    _refuse_changed_data(directory, dataset)
    facts, arrays = _look(config, dataset, load_test_rows(config), directory)
    return Evaluation(directory.add_evaluation(facts, arrays), facts)


def refuse_without_model(directory: RunDirectory) -> None:
    """Say what to do instead where a run has no single model.

    Raises:
        RunError: The run has one model for each fold, or none.
    """
    if directory.model.exists():
        return
    status = directory.status
    if folds := len(directory.folds()):
        result = directory.read_result() if directory.result.exists() else {}
        raise RunError(
            f"{directory.name} has {folds} models, one for each fold, and no single one to "
            "use. Train one on all non-test rows, then use that:\n  "
            + final_training(load_config(directory.resolved), directory, result)
        )
    raise RunError(f"{directory.name} has no model: its status is '{status}'; train it again")


def _refuse_changed_data(directory: RunDirectory, dataset: Dataset) -> None:
    trained_on = directory.read_data()["fingerprint"]
    if fingerprint(dataset.samples) != trained_on:
        raise RunError(
            f"the training data is no longer what {directory.name} was trained on (its "
            "fingerprint differs), so test rows may have been training rows; restore the data, "
            "or train again"
        )


def _look(
    config: Config, dataset: Dataset, test: Samples, directory: RunDirectory
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    pipeline = Pipeline.from_state(*directory.read_preprocess())
    rows = prepare(config, dataset.task, pipeline, test)
    trained_on = truth_of(dataset.task, pipeline, _training_rows(dataset, directory))
    measures = measures_of(config.loss, config.metrics)
    chosen = select_measure(measures, config.evaluation.score)
    model = load_model(directory.model)
    judged = score_rows(
        model, pipeline, dataset.task, rows.arrays, rows.truth, trained_on, measures, chosen
    )
    facts = {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "look": len(directory.evaluation_numbers()) + 1,
        "rows": len(test),
        "fingerprint": fingerprint(test),
        "score": {
            "name": chosen.name,
            "direction": chosen.direction,
            "value": judged.measures[chosen.name],
        },
        "baseline": None if judged.baseline is None else vars(judged.baseline),
        "measures": judged.measures,
        "task": dataset.task,
        "figures": _figures(config, dataset, pipeline, rows, judged.predictions),
        "findings": list(rows.findings),
    }
    return facts, {"rows": test.rows, "predictions": judged.predictions}


def _training_rows(dataset: Dataset, directory: RunDirectory) -> Samples:
    """The rows that trained the run's model."""
    numbers = directory.read_splits()["fold00_train"]
    return dataset.samples.take(np.searchsorted(dataset.samples.rows, numbers))


def _figures(
    config: Config, dataset: Dataset, pipeline: Pipeline, rows: Prepared, predictions: np.ndarray
) -> dict[str, Any]:
    names = dataset.samples.output_names
    if dataset.task == "regression":
        return regression_figures(rows.truth.own, predictions, names, rows=rows.rows).as_dict()
    several = dataset.task == "multilabel"
    classes = names if several else pipeline.class_names
    from_logits = bool(config.loss.arguments.get("from_logits"))
    shares = as_probabilities(predictions, config.loss.name, from_logits)
    return classification_figures(rows.truth.own, shares, classes, multilabel=several).as_dict()
