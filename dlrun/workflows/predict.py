"""Predictions of a run's model for new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.config.schema import OutputEntry
from dlrun.data.lazy import series_windows
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Samples
from dlrun.data.source import Source
from dlrun.data.windows import Windows
from dlrun.errors import RunError, UsageError
from dlrun.metrics.predictions import as_probabilities
from dlrun.registry.keras_component import KerasComponent
from dlrun.store.files import atomic_path
from dlrun.training.backend import start_backend
from dlrun.workflows.trained_run import TrainedRun

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Predictions:
    """A model's predictions for new rows.

    Args:
        table: A row for each new row. Classes: `prediction` (the class name where it is known)
            and one probability column a class. Quantities: one column a target, in the
            target's own unit. Of a series also `row`, the last row of the file that each prediction
            looks at, counted from 0, `until`, its time, and `time`, when what is predicted is due:
            of several steps `time_0`, `time_1`, and so on; of several series `series`, the name of
            each. Of files of their own, such as pictures,
            `file`, the name of each.
        findings: What the user should know, such as unknown categories, one sentence each.
    """

    table: pd.DataFrame
    findings: tuple[str, ...]


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
    new = source.read_new([Path(file) for file in files], pipeline.expected_columns)
    features = new.columns
    count = len(next(iter(features.values())))
    samples = Samples(features=features, targets={}, rows=np.arange(count, dtype=np.int64))
    inputs = pipeline.inputs(samples)
    # Only now: errors in the file are reported before Keras takes seconds to import.
    start_backend(config.backend)
    import pandas as pd

    facts = trained.directory.read_data()
    predictions = trained.output(samples, inputs).values
    questions = facts.get("questions") or {None: facts}
    tables = [
        _table(
            predictions[output.name],
            output,
            pipeline.of_output(output.name),
            questions[output.name],
        )
        for output in config.outputs
    ]
    table = tables[0] if len(tables) == 1 else pd.concat(tables, axis=1)
    if (windows := series_windows(features)) is not None:
        _name_rows(table, windows)
    if new.names is not None:
        table.insert(0, "file", new.names)
    return Predictions(table, (*new.findings, *pipeline.findings(samples)))


def _table(
    predictions: np.ndarray, output: OutputEntry, pipeline: Pipeline, question: Mapping[str, Any]
) -> pd.DataFrame:
    """The predictions of one output; of several, column names begin with its name."""
    predictions, task = pipeline.invert(predictions), question["task"]
    if task == "regression":
        names = list(pipeline.feature_names) if pipeline.reconstructs else question["outputs"]
        return _quantities(predictions, names)
    labels = question["outputs"] if task == "multilabel" else None
    table = class_table(predictions, output.loss, pipeline.class_names, labels)
    return table if output.name is None else table.add_prefix(f"{output.name}_")


def _quantities(output: np.ndarray, targets: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(output.reshape(len(output), -1), columns=targets)


def class_table(
    output: np.ndarray, loss: KerasComponent, names: Sequence[str], labels: Sequence[str] | None
) -> pd.DataFrame:
    """Lay a classifier's output (n, k) out as a table.

    Args:
        output: For each class, for the second of two, or for each of several labels.
        loss: What it was trained with. Hinge losses make scores, all others probabilities.
        names: Class names; classes beyond them are called by their index.
        labels: Their names, where a row may have any number of them.
    """
    import pandas as pd

    scores = loss.name.endswith("Hinge")
    shares = as_probabilities(output, loss.name, bool(loss.arguments.get("from_logits")))
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


def check_output_file(output: Path) -> None:
    """Refuse a file that predictions cannot be written to, before any are made.

    Raises:
        UsageError: Its ending names no format.
        RunError: It exists.
    """
    if output.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{output}: predictions are written as .csv or .parquet")
    if output.exists():
        raise RunError(f"{output} exists and is never overwritten; name another file by --output")


def save_predictions(predictions: Predictions, output: Path) -> None:
    """Write predictions as CSV, or as Parquet if the file ends in `.parquet`.

    Raises:
        RunError: The file exists, or cannot be written.
    """
    with atomic_path(output) as temporary:
        if output.suffix == ".parquet":
            predictions.table.to_parquet(temporary, index=False)
        else:
            predictions.table.to_csv(temporary, index=False)


def _name_rows(table: pd.DataFrame, windows: Windows) -> None:
    """Say in front of each prediction up to which row of the file, and which time, it looks, and
    for which time it is: of several steps, one column for each; of several series, which it is.

    Args:
        table: A column for each target and step, the steps of a target together.
        windows: What was predicted from.
    """
    names: dict[str, np.ndarray] = {}
    if (labels := windows.labels()) is not None:
        names["series"] = labels
    names["row"] = windows.series.numbers[windows.last]
    if (times := windows.last_times()) is not None:
        names["until"] = times
    if (due := windows.target_times) is not None:
        several = due.shape[1] > 1
        names |= {f"time_{i}" if several else "time": due[:, i] for i in range(due.shape[1])}
    for name, values in reversed(names.items()):
        table.insert(0, name, values)
