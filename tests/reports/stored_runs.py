"""Run directories with what a training would have left, written without training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.metrics.predictions import most_wrong
from dlrun.store.examples import Examples
from dlrun.store.run_directory import RunDirectory

CONFIG = """\
# An experiment.
name: {name}
dataset: {dataset}   # its rows
loss: {loss}
"""
DATASET = '{source: csv, path: "rows.csv", target: y}'
LOSSES = {
    "binary": "binary_crossentropy",
    "multiclass": "sparse_categorical_crossentropy",
    "multilabel": "binary_crossentropy",
    "regression": "mse",
}


def stored_run(
    runs_dir: Path,
    task: str = "multiclass",
    *,
    name: str = "stored",
    rows: int = 200,
    names: Sequence[str] = ("ant", "bee", "cat"),
    epochs: int = 8,
    folds: int = 1,
    features: str = "table",
    status: str = "finished",
    seed: int = 0,
    dataset: str = DATASET,
) -> RunDirectory:
    """Write a run directory.

    Args:
        runs_dir: Where it is made.
        task: What is predicted.
        name: The experiment's name.
        rows: How many gave the score.
        names: Of the classes, labels or targets.
        epochs: That were trained.
        folds: That were trained.
        features: What a row is: `table`, `text`, `tokens`, `images` or `pixels`.
        status: How the run ended; only a finished or interrupted one has a result.
        seed: Of everything that is drawn.
        dataset: What the config says of the data.
    """
    random = np.random.default_rng(seed)
    directory = RunDirectory.create(runs_dir, name)
    directory.start(
        {
            "name": name,
            "seed": seed,
            "engine": {"name": "fused", "reason": "few steps"},
            "backend": "tensorflow",
            "keras": "3.15.1",
            "command": ["dlrun", "train", "stored.yaml", "--set", "name=a b"],
            "packages": {"numpy": "2.0"},
            "git": None,
        }
    )
    config = CONFIG.format(name=repr(name), loss=LOSSES[task], dataset=dataset)
    directory.write_config(config.encode())
    directory.write_resolved(config)
    _write_history(directory, random, epochs, folds)
    true, output = _outcome(random, task, rows, len(names))
    directory.write_data(_data(task, rows, names, true))
    if status == "failed":
        directory.finish("failed", error="TrainingError: the loss is <NaN>")
        return directory
    held = {"rows": np.arange(rows), "predictions": output, "targets": true}
    if folds > 1:
        held["fold"] = np.arange(rows) % folds
    directory.write_predictions(held)
    worst = most_wrong(task, true, output, 12)
    directory.write_examples(FEATURES[features](random, worst))
    directory.write_result(_result(random, task, folds, rows))
    directory.finish(status)
    directory.save_curves(lambda path: path.write_text("a picture"))
    return directory


def _write_history(directory: RunDirectory, random: Any, epochs: int, folds: int) -> None:
    for fold in range(folds):
        loss = 2 / np.arange(1, epochs + 1) + random.normal(0, 0.01, epochs)
        for epoch, value in enumerate(loss, start=1):
            metrics = {"loss": value, "val_loss": value + 0.1}
            directory.append_metrics(fold, epoch, 0.1, metrics)


def _outcome(random: Any, task: str, rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions that have something to do with each other."""
    if task == "regression":
        true = random.normal(size=(rows, width)) * 10.0 ** np.arange(width)
        said = true + random.normal(size=true.shape) * true.std(axis=0) / 2
        return (true[:, 0] if width == 1 else true), said
    if task == "multilabel":
        labels = random.integers(0, 2, (rows, width))
        return labels, np.clip(labels * 0.6 + random.random((rows, width)) * 0.5, 0, 1)
    true = random.integers(0, width, rows)
    if task == "binary":
        return true, np.clip(true[:, None] * 0.5 + random.random((rows, 1)) * 0.6, 0, 1)
    logits = random.normal(size=(rows, width)) + 2 * np.eye(width)[true]
    shares = np.exp(logits)
    return true, (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def _data(task: str, rows: int, names: Sequence[str], true: np.ndarray) -> dict[str, Any]:
    named = task in ("binary", "multiclass")
    counts = {name: int((true == i).sum()) for i, name in enumerate(names)} if named else {}
    targets: dict[str, Any] = {"y": {"kind": "numeric", "counts": counts}}
    if task == "multilabel":
        targets = {name: {"counts": {"0": 1, "1": rows - 1}} for name in names}
    return {
        "description": f"{rows} rows",
        "task": task,
        "outputs": ["y"] if named else list(names),
        "classes": {"y": list(names)} if named else {},
        "fingerprint": "f" * 64,
        "rows": rows * 4,
        "features": {"a": {"kind": "numeric", "missing": 2}, "b": {"kind": "categorical"}},
        "targets": targets,
        "splits": {
            "fold00_train": {"rows": rows * 3, "fingerprint": "a"},
            "fold00_validation": {"rows": rows, "fingerprint": "b"},
        },
        "test": {"exists": True, "rows": 40},
        "findings": [
            {
                "code": "DL201",
                "severity": "warning",
                "message": "two rows are the same",
                "why": "a copy is no new row",
                "write": "drop: [id]",
            }
        ],
        "silenced": {"DL010": 2},
    }


def _result(random: Any, task: str, folds: int, rows: int) -> dict[str, Any]:
    scores = (0.8 + random.random(folds) / 10).tolist()
    mean, std = float(np.mean(scores)), float(np.std(scores)) if folds > 1 else None
    return {
        "protocol": "kfold" if folds > 1 else "holdout",
        "task": task,
        "score": {
            "name": "mae" if task == "regression" else "accuracy",
            "direction": "min" if task == "regression" else "max",
            "value": mean,
            "std": std,
            "folds": scores,
            "interval": {"low": mean - 0.05, "high": mean + 0.05, "level": 0.95, "method": "t"},
        },
        "baseline": {"name": "majority", "description": "always the same", "value": 0.5},
        "simple_model": {"name": "logistic regression", "value": 0.7},
        "verdict": {"beats_baseline": True, "text": "beats the baseline by 0.3"},
        "diagnosis": [{"kind": "overfitting", "epoch": 5, "text": "overfits from epoch 5"}],
        "suggestions": [{"text": "train for 5 epochs", "set": "training.epochs=5"}],
        "best_epoch": 4,
        "epochs": 8,
        "folds": [
            {"fold": i, "iteration": 0, "score": score, "epochs": 8, "rows": rows, "seconds": 1}
            for i, score in enumerate(scores)
        ],
        "parameters": 1234,
        "seconds": 3.0,
        "findings": ["two rows are the same"],
    }


def _table(random: Any, rows: np.ndarray) -> Examples:
    ages = [None if i == 1 else float(value) for i, value in enumerate(random.random(len(rows)))]
    columns = {"age": ages, "town": ["Köln"] * len(rows)}
    return Examples(tuple(rows.tolist()), columns, {})


def _text(random: Any, rows: np.ndarray) -> Examples:
    texts = ["A film that <b>nobody</b> needs to see twice. " * 4] * len(rows)
    return Examples(tuple(rows.tolist()), {"review": texts}, {})


def _tokens(random: Any, rows: np.ndarray) -> Examples:
    tokens = [random.integers(1, 9999, 200).tolist() for _ in rows]
    return Examples(tuple(rows.tolist()), {"x": tokens}, {})


def _images(random: Any, rows: np.ndarray) -> Examples:
    pixels = random.integers(0, 256, (len(rows), 128, 128, 3), np.uint8)
    return Examples(tuple(rows.tolist()), {}, {"x": pixels})


def _pixels(random: Any, rows: np.ndarray) -> Examples:
    columns = {
        f"pixel_{i}_{j}": random.integers(0, 17, len(rows)).tolist()
        for i in range(8)
        for j in range(8)
    }
    return Examples(tuple(rows.tolist()), columns, {})


FEATURES: dict[str, Callable[[Any, np.ndarray], Examples]] = {
    "table": _table,
    "text": _text,
    "tokens": _tokens,
    "images": _images,
    "pixels": _pixels,
}
