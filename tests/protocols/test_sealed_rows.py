"""What a fold learns does not depend on the rows that score it, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset
from dlrun.errors import DataError
from dlrun.protocols.experiment import folds_of
from dlrun.protocols.protocol import Fold
from dlrun.workflows.loading import load_test_rows, start_and_load

CONFIG = """
    dataset: {source: csv, path: people.csv, target: risk}
    preprocess:
      - impute: mean
      - standardize
      - one_hot
    architecture:
      layers:
        - Dense: {units: 8, activation: relu}
        - BatchNormalization
        - Dropout: 0.3
        - Dense: {units: 3, activation: softmax}
    loss: sparse_categorical_crossentropy
    optimizer: adam
    metrics: [accuracy]
    training: {epochs: 2, batch_size: 8, class_weight: balanced}
    evaluation: {protocol: holdout}
"""


@pytest.fixture
def people(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["age,income,town,risk"]
    for _ in range(60):
        age = "" if rng.random() < 0.1 else f"{rng.integers(18, 80)}"
        town, risk = rng.choice(["Bonn", "Ulm", "Kiel"]), rng.choice(["low", "middle", "high"])
        lines.append(f"{age},{rng.normal(3000, 500):.2f},{town},{risk}")
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n")


def corrupted(dataset: Dataset, rows: np.ndarray) -> Dataset:
    """The data set with other features and targets in some rows."""

    def spoil(columns: dict[str, np.ndarray], texts: list[str]) -> dict[str, np.ndarray]:
        spoilt = {name: column.copy() for name, column in columns.items()}
        for column in spoilt.values():
            column[rows] = texts[0] if column.dtype == object else 1e6 - 7 * np.arange(len(rows))
        return spoilt

    samples = dataset.samples
    features = spoil(samples.features, ["nowhere"])
    targets = spoil(samples.targets, ["low"])
    return replace(dataset, samples=replace(samples, features=features, targets=targets))


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluation__validation": 0.3},
        pytest.param(
            {"evaluation__protocol": "kfold", "evaluation__folds": 3}, marks=pytest.mark.slow
        ),
        pytest.param(
            {
                "evaluation__protocol": "kfold",
                "evaluation__folds": 2,
                "training__callbacks": (
                    "[{EarlyStopping: {patience: 0, restore_best_weights: true}}]"
                ),
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=["holdout", "kfold", "kfold with an inner split"],
)
def test_corrupting_held_out_rows_changes_nothing_that_was_learnt(
    changes: dict[str, Any],
    people: None,
    config: Callable[..., Config],
    learn: Callable[[Config, Dataset, Fold], Any],
) -> None:
    loaded = config(CONFIG, **changes)
    _, dataset = start_and_load(loaded)
    folds = folds_of(loaded, dataset)
    for fold in {folds[0].index: folds[0], folds[-1].index: folds[-1]}.values():
        one = learn(loaded, dataset, fold)
        other = learn(loaded, corrupted(dataset, fold.scored), fold)
        honest, spoilt = one.result, other.result
        assert_same_state(honest.pipeline, spoilt.pipeline)
        for ours, theirs in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert honest.history["loss"] == spoilt.history["loss"]
        # The corruption itself is seen where it may be.
        assert honest.measures != spoilt.measures


def assert_same_state(pipeline: Pipeline, other: Pipeline) -> None:
    (facts, arrays), (other_facts, other_arrays) = pipeline.to_state(), other.to_state()
    assert facts == other_facts
    assert arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[name])


@pytest.mark.parametrize(
    ("protocol", "trap"),
    [
        ("holdout", "missing"),
        pytest.param("kfold", "no table at all", marks=pytest.mark.slow),
    ],
)
def test_training_never_opens_the_test_file(
    protocol: str,
    trap: str,
    people: None,
    config: Callable[..., Config],
    run: Callable[..., Any],
    tmp_path: Path,
) -> None:
    if trap != "missing":
        (tmp_path / "test.csv").write_bytes(b"\x00\xff no table")
    changes = {"evaluation__protocol": protocol, "training__epochs": 1}
    if protocol == "kfold":
        changes["evaluation__folds"] = 2
    ran = run(CONFIG, dataset__test="{path: test.csv}", **changes)
    assert ran.dataset.has_test
    with pytest.raises(DataError):
        load_test_rows(ran.config)


@pytest.mark.slow
def test_test_rows_dealt_from_the_source_reach_no_fold(
    people: None, config: Callable[..., Config], run: Callable[..., Any]
) -> None:
    changes = {"evaluation__protocol": "kfold", "evaluation__folds": 2, "training__epochs": 1}
    ran = run(CONFIG, dataset__test="{fraction: 0.25}", **changes)
    sealed = set(ran.memory.row_numbers["test"])
    assert len(sealed) == 15
    assert not sealed & set(ran.dataset.samples.rows)
    for name, rows in ran.memory.row_numbers.items():
        if name != "test":
            assert not sealed & set(rows)
    scored = np.concatenate([fold.rows for fold in ran.outcome.folds])
    assert sorted([*sealed, *scored]) == list(range(60))
