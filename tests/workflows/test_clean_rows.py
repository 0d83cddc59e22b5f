"""The score on rows that no training row repeats, against scikit-learn on the same rows."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold

from dlrun.checks.finding import Findings
from dlrun.data.samples import Dataset, Samples
from dlrun.data.stored import stored
from dlrun.metrics.scores import Score
from dlrun.reports.summary import clean_rows_text
from dlrun.workflows.clean_rows import clean_rows_facts

FOUND = Findings(silenced={"DL106": 1})


def repeated_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "x": rng.normal(size=60),
            "town": rng.choice(["Ulm", "Kiel"], 60),
            "y": rng.integers(0, 2, 60),
        }
    )
    again = pd.concat([table, table.sample(30, random_state=0)])
    return again.sample(frac=1, random_state=0).reset_index(drop=True)


def trained(table: pd.DataFrame) -> tuple[Dataset, Any, dict[str, np.ndarray]]:
    """The table with row numbers from 100, and three folds of predictions."""
    numbers = np.arange(len(table)) + 100
    features = {"x": table["x"].to_numpy(), "town": table["town"].to_numpy(object)}
    samples = Samples(features, {"y": table["y"].to_numpy()}, numbers)
    dataset = Dataset(samples, "binary", {}, False, None, "rows")
    rng, folds, splits = np.random.default_rng(1), [], {}

    def accuracy(truth: np.ndarray, predicted: np.ndarray, *_: Any) -> float:
        return float((truth == predicted).mean())

    for index, (train, scored) in enumerate(KFold(3).split(numbers)):
        splits[f"fold{index:02d}_train"] = numbers[train]
        comparison = SimpleNamespace(
            score=Score("accuracy", "max", accuracy),
            truth=table["y"].to_numpy()[scored],
            model=rng.integers(0, 2, len(scored)),
            weights=None,
            mask=None,
            added=0.0,
        )
        rivals = SimpleNamespace(comparison=comparison)
        folds.append(SimpleNamespace(index=index, rows=numbers[scored], rivals=rivals))
    return dataset, SimpleNamespace(complete_folds=tuple(folds)), splits


def test_repeated_rows_are_left_out_of_each_fold() -> None:
    table = repeated_table()
    dataset, outcome, splits = trained(table)
    facts = clean_rows_facts(dataset, outcome, splits, FOUND)
    assert facts is not None
    scores, left = [], 0
    for fold in outcome.complete_folds:
        train = table.loc[splits[f"fold{fold.index:02d}_train"] - 100]
        scored = table.loc[fold.rows - 100].assign(said=fold.rivals.comparison.model)
        merged = scored.merge(train.drop_duplicates(), how="left", indicator=True)
        clean = merged[merged["_merge"] == "left_only"]
        scores.append(accuracy_score(clean["y"], clean["said"]))
        left += len(clean)
    assert facts["folds"] == pytest.approx(scores)
    assert facts["value"] == pytest.approx(np.mean(scores))
    assert (facts["rows"], facts["repeated"]) == (left, len(table) - left)
    text = cast("str", clean_rows_text(facts))
    assert text.endswith(
        f"on the {left} rows that no training row repeats; {90 - left} others are repeated"
    )


def test_rows_on_disk_are_compared_as_those_in_memory() -> None:
    dataset, outcome, splits = trained(repeated_table())
    samples = dataset.samples
    pictures = samples.features["x"][:, None, None] * np.ones((2, 3), np.float32)
    on_disk = samples.with_features(samples.features | {"x": stored(pictures)})
    facts = clean_rows_facts(replace(dataset, samples=on_disk), outcome, splits, FOUND)
    assert facts == clean_rows_facts(dataset, outcome, splits, FOUND)
    assert facts is not None


def test_nothing_is_said_where_no_rows_were_found_to_be_repeated() -> None:
    dataset, outcome, splits = trained(repeated_table())
    assert clean_rows_facts(dataset, outcome, splits, Findings()) is None
    dataset, outcome, splits = trained(repeated_table().drop_duplicates())
    assert clean_rows_facts(dataset, outcome, splits, FOUND) is None
    assert clean_rows_text(None) is None
