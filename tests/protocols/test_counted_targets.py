"""The scale of targets is learnt of the steps and rows that count in the loss, as NumPy has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlrun.config.load import load_config
from dlrun.protocols.counted import pipeline_on_counted
from dlrun.workflows.loading import load_rows

N, T = 60, 5


@pytest.mark.parametrize("step", ["standardize", "minmax"])
@pytest.mark.parametrize("weighted", [False, True])
def test_masked_steps_and_rows_of_weight_0_do_not_count(
    step: str, weighted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    filled = np.arange(T) < rng.integers(1, T, (N, 1))  # The last step is padding everywhere.
    words = np.where(filled, rng.integers(1, 9, (N, T)), 0)
    values = np.where(filled, rng.normal(50, 3, (N, T)), -999.0)
    weights = np.where(rng.random(N) < 0.3, 0.0, 2.0)
    np.savez("rows.npz", words=words, values=values, weights=weights)
    Path("c.yaml").write_text(
        "dataset: {source: npz, path: rows.npz, inputs: words, targets: values}\n"
        f"preprocess: [{{targets: {step}}}]\n"
        "architecture:\n"
        "  layers:\n"
        "    - Embedding: {input_dim: 9, output_dim: 2, mask_zero: true}\n"
        "    - Dense: 1\n"
        "loss: mse\noptimizer: adam\nmetrics: [mae]\n"
        f"training: {{epochs: 1{', sample_weight: weights' if weighted else ''}}}\n"
    )
    config = load_config("c.yaml")
    dataset = load_rows(config)
    pipeline = pipeline_on_counted(config, dataset, dataset.samples)
    [fitted] = pipeline.target_pipeline.targets["values"].steps
    counts = filled & (weights > 0)[:, None] if weighted else filled
    known = np.where(counts, values, np.nan)[:, :-1]
    if step == "standardize":
        expected = {"mean": [*np.nanmean(known, 0), 0.0], "std": [*np.nanstd(known, 0), 1.0]}
    else:
        expected = {"min": [*np.nanmin(known, 0), 0.0], "max": [*np.nanmax(known, 0), 0.0]}
    for name, learnt in expected.items():
        np.testing.assert_allclose(fitted.state[name], learnt, rtol=1e-12)


def test_rows_of_weight_0_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(6)
    x, y, weight = rng.normal(size=40), rng.normal(9, 2, 40), np.arange(40) % 4 / 2
    table = np.column_stack([x, y, weight])
    np.savetxt("d.csv", table, delimiter=",", header="x,y,weight", comments="", fmt="%.17g")
    Path("c.yaml").write_text(
        "dataset: {source: csv, path: d.csv, target: y}\n"
        "preprocess: [standardize, {targets: standardize}]\n"
        "architecture: {layers: [{Dense: 1}]}\nloss: mse\noptimizer: adam\nmetrics: [mae]\n"
        "training: {epochs: 1, sample_weight: weight}\n"
    )
    config = load_config("c.yaml")
    dataset = load_rows(config)
    pipeline = pipeline_on_counted(config, dataset, dataset.samples)
    [fitted] = pipeline.target_pipeline.targets["y"].steps
    assert fitted.state["mean"] == pytest.approx(y[weight > 0].mean(), rel=1e-12)
    assert fitted.state["std"] == pytest.approx(y[weight > 0].std(), rel=1e-12)
