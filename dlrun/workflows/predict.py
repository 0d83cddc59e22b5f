"""Predictions of a run's model for new rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlrun.config.load import load_config
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Samples
from dlrun.data.source import Source
from dlrun.models.files import load_model
from dlrun.store.atomic import atomic_path
from dlrun.store.run_directory import RunDirectory
from dlrun.training.backend import start_backend
from dlrun.training.prediction import predict as outputs_of
from dlrun.workflows.evaluate import refuse_without_model

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Predictions:
    """What a model says about new rows.

    Args:
        table: A row for each new row. Classes: `prediction` (the class name where it is known)
            and one probability column a class. Quantities: one column a target, in the
            target's own unit.
        findings: What the user should know, such as unknown categories, one sentence each.
    """

    table: pd.DataFrame
    findings: tuple[str, ...]


def predict(
    run: str | Path,
    input_file: str | Path,
    *,
    runs_dir: str | Path = "runs",
    overrides: Sequence[str] = (),
) -> Predictions:
    """Predict new rows through the run's own preprocessing and model.

    Args:
        run: The run directory, or the unique beginning of its name.
        input_file: CSV, TSV, JSON lines, Parquet, npz or npy with the run's feature columns.
        runs_dir: Where to look for a run that is given by name.
        overrides: `KEY=VALUE` changes to the run's config, such as a data path that moved;
            relative paths start at the working directory.

    Raises:
        RunError: There is no such run, or it has no single model.
        DataError: The file lacks a column, or holds what the preprocessing cannot take.
    """
    directory = RunDirectory.open(run, Path(runs_dir))
    refuse_without_model(directory)
    config = load_config(directory.resolved, overrides, typed_in=Path.cwd())
    source = config.dataset
    assert isinstance(source, Source)
    pipeline = Pipeline.from_state(*directory.read_preprocess())
    features = source.read_new_rows(Path(input_file), pipeline.expected_columns)
    count = len(next(iter(features.values())))
    samples = Samples(features=features, targets={}, rows=np.arange(count, dtype=np.int64))
    inputs = pipeline.inputs(samples)
    # Only now: what is wrong with the file is told before Keras' seconds of import.
    start_backend(config.backend)
    output = pipeline.invert(outputs_of(load_model(directory.model), inputs))
    facts = directory.read_data()
    classes = {name: tuple(names) for name, names in facts["classes"].items()}
    return Predictions(
        _table(output, facts["task"], facts["outputs"], classes),
        tuple(pipeline.findings(samples)),
    )


def _table(
    output: np.ndarray, task: str, targets: list[str], classes: dict[str, tuple[str, ...]]
) -> pd.DataFrame:
    """Lay outputs (n, k) out as a table."""
    import pandas as pd

    if task == "regression":
        return pd.DataFrame(output.reshape(len(output), -1), columns=targets)
    names = next(iter(classes.values()), ())
    if task == "multilabel":
        return pd.DataFrame(output, columns=[f"probability_{label}" for label in targets])
    if output.shape[1] == 1:
        output = np.column_stack([1 - output[:, 0], output[:, 0]])
    names = names or tuple(str(index) for index in range(output.shape[1]))
    table = pd.DataFrame({"prediction": [names[index] for index in output.argmax(axis=1)]})
    for index in range(output.shape[1]):
        name = names[index] if index < len(names) else str(index)
        table[f"probability_{name}"] = output[:, index]
    return table


def save_predictions(predictions: Predictions, output: Path) -> None:
    """Write predictions as CSV, or as Parquet where the file's ending says so.

    Raises:
        RunError: The file exists, or the disk refused.
    """
    with atomic_path(output) as temporary:
        if output.suffix == ".parquet":
            predictions.table.to_parquet(temporary, index=False)
        else:
            predictions.table.to_csv(temporary, index=False)
