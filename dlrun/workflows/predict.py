"""Predictions of a run's model for new rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.data.lazy import series_windows
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Samples
from dlrun.data.source import Source
from dlrun.data.windows import Windows
from dlrun.errors import DataError
from dlrun.metrics.cuts import Meaning, as_probabilities
from dlrun.training.backend import start_backend
from dlrun.workflows.loading import meaning_of_output
from dlrun.workflows.prediction_files import PredictedOutput, Predictions
from dlrun.workflows.trained_run import TrainedRun

if TYPE_CHECKING:
    import pandas as pd


def predict(
    run: str | Path,
    input_file: str | Path | Sequence[str | Path],
    *,
    runs_dir: str | Path = "runs",
    overrides: Sequence[str] = (),
    trust_plugins: bool = False,
) -> Predictions:
    """Predict new rows through the run's own preprocessing and model.

    Args:
        run: The run directory, or the unique beginning of its name.
        input_file: CSV, TSV, JSON lines, Parquet, npz or npy with the run's feature columns. For
            a run on pictures, a picture, a folder of them, or several of either.
        runs_dir: Where to look for a run that is given by name.
        overrides: `KEY=VALUE` changes to the run's config, such as a data path that moved;
            relative paths start at the working directory.
        trust_plugins: Whether the Python files that `plugins` names may run.

    Raises:
        RunError: There is no such run, or it has no single model.
        DataError: The file lacks a column, or holds what the preprocessing cannot take.
    """
    trained = TrainedRun.open(run, runs_dir, overrides, trust_plugins=trust_plugins)
    config = trained.config
    source = Source.of(config)
    pipeline = trained.pipeline
    files = [input_file] if isinstance(input_file, str | Path) else input_file
    with _without_advice_on_the_config():
        new = source.read_new([Path(file) for file in files], pipeline.expected_columns)
        features = new.columns
        count = len(next(iter(features.values())))
        rows = np.arange(count, dtype=np.int64)
        samples = Samples(features=features, targets={}, rows=rows, places=new.places)
        inputs = pipeline.inputs(samples)
    # Only now: errors in the file are reported before Keras takes seconds to import.
    start_backend(config.backend)
    facts = trained.directory.read_data()
    predictions = trained.output(samples, inputs)
    questions = facts.get("questions") or {None: facts}
    outputs = tuple(
        _predicted(
            predictions.values[output.name],
            predictions.masks.get(output.name),
            output.name,
            meaning_of_output(config, output),
            pipeline.of_output(output.name),
            questions[output.name],
        )
        for output in config.outputs
    )
    before: dict[str, np.ndarray] = {} if new.names is None else {"file": new.names}
    if (windows := series_windows(features)) is not None:
        before |= names_of_rows(windows)
    findings = (*new.findings, *pipeline.findings(samples, "new rows", settled=True))
    return Predictions(outputs, before, findings)


@contextmanager
def _without_advice_on_the_config() -> Iterator[None]:
    """Report what is wrong with new rows as that: the run's config is settled."""
    try:
        yield
    except DataError as error:
        if not error.advice:
            raise
        advice = "correct the new file, which is read as the training file was"
        if error.column is not None:
            advice = "new rows need the columns of the training file, by the same names"
        raise DataError(error.problem, column=error.column, advice=advice) from error


def _predicted(
    predictions: np.ndarray,
    mask: np.ndarray | None,
    name: str | None,
    meaning: Meaning,
    pipeline: Pipeline,
    question: Mapping[str, Any],
) -> PredictedOutput:
    """What one output says, as a table with a row for each row, step or pixel."""
    predictions, task = pipeline.invert(predictions), question["task"]
    ((target, fitted),) = [*pipeline.target_pipeline.targets.items()][:1]
    name, given = name or "", list(question["outputs"])
    if task == "regression":
        if pipeline.reconstructs:
            given = list(pipeline.feature_names)
        if mask is None and predictions.ndim == 3 and predictions.shape[1:] == (len(given), 1):
            # Each step of the target has a name of its own.
            predictions = predictions[..., 0]
        outputs = predictions.shape[-1]
        several = [target] if outputs == 1 else [f"{target}_{i}" for i in range(outputs)]
        columns = given if len(given) == outputs else several
        table = _quantities(predictions.reshape(-1, outputs), columns)
        return PredictedOutput(name, table, predictions.shape[1:-1], (), mask, target)
    if fitted.indices and predictions.ndim == 2 and predictions.shape[1] == fitted.width > 1:
        # One unit for each step, without an axis of its own.
        predictions = predictions[..., None]
    steps, outputs = predictions.shape[1:-1], max(predictions.shape[-1], 2)
    labels = given if task == "multilabel" else None
    classes = [*pipeline.class_names, *map(str, range(len(pipeline.class_names), outputs))]
    flat = predictions.reshape(-1, predictions.shape[-1])
    if labels is not None and len(labels) != predictions.shape[-1]:
        labels = [str(index) for index in range(predictions.shape[-1])]
    table = class_table(flat, meaning, pipeline.class_names, labels)
    return PredictedOutput(name, table, steps, tuple(classes[:outputs]), mask)


def _quantities(output: np.ndarray, targets: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(output, columns=targets)


def class_table(
    output: np.ndarray, meaning: Meaning, names: Sequence[str], labels: Sequence[str] | None
) -> pd.DataFrame:
    """Lay a classifier's output (n, k) out as a table.

    Args:
        output: For each class, for the second of two, or for each of several labels.
        meaning: What its numbers are; logits are shown as probabilities, margins as scores.
        names: Class names; classes beyond them are called by their index.
        labels: Their names, where a row may have any number of them.
    """
    import pandas as pd

    scores, shares = meaning in ("margins", "scores"), as_probabilities(output, meaning)
    values, word = (output, "score") if scores else (shares, "probability")
    if labels is not None:
        return pd.DataFrame(values, columns=[f"{word}_{label}" for label in labels])
    if shares.shape[1] == 1:
        shares = np.column_stack([1 - shares[:, 0], shares[:, 0]])
    width = shares.shape[1]
    names = [*names, *(str(index) for index in range(len(names), width))][:width]
    called = {"prediction": [names[index] for index in shares.argmax(axis=1)]}
    if scores and output.shape[1] == 1:
        return pd.DataFrame(called | {word: output[:, 0]})
    values = output if scores else shares
    return pd.DataFrame(called | {f"{word}_{n}": values[:, i] for i, n in enumerate(names)})


def names_of_rows(windows: Windows) -> dict[str, np.ndarray]:
    """Up to which row of the file, and which time, each prediction looks, and for which time it
    is: of several steps, one column for each. Of several series, which it is."""
    labels = windows.labels()
    names: dict[str, np.ndarray] = {} if labels is None else {"series": labels}
    names["row"] = windows.series.numbers[windows.last]
    if (times := windows.last_times()) is not None:
        names["until"] = times
    if (due := windows.target_times) is not None:
        several = due.shape[1] > 1
        names |= {f"time_{i}" if several else "time": due[:, i] for i in range(due.shape[1])}
    return names
