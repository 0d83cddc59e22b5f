"""What a run says of its engine, and that running it again repeats it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import dlrun
from dlrun.errors import ConfigError

CONFIG = """\
dataset: {source: sklearn, name: iris}
preprocess: [standardize]
architecture:
  layers:
    - Dense: {units: 8, activation: relu}
    - Dense: {units: 3, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: rmsprop
metrics: [accuracy]
training: {epochs: 3, batch_size: 16}
evaluation: {protocol: kfold, folds: 2}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path) -> Path:
    path = folder / "iris.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the config as it stands."""
    return trained(written(tmp_path_factory.mktemp("plain")))


def trained(config: Path, *overrides: str) -> Path:
    """Train and return the run directory."""
    return dlrun.train(config, overrides=overrides, runs_dir=config.parent / "runs").path


def metrics(run: Path) -> list[list[str]]:
    """All of `metrics.csv` but the seconds."""
    rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    return [row[:2] + row[3:] for row in rows]


@pytest.mark.slow
def test_the_run_says_what_was_chosen_and_its_resolved_config_repeats_it(
    config: Path, plain: Path
) -> None:
    assert json.loads((plain / "run.json").read_text())["engine"] == {
        "name": "fused",
        "xla": False,
        "reason": "XLA off: too few steps to be worth compiling",
        "folds_together": 1,
    }
    training = yaml.safe_load((plain / "resolved.yaml").read_text())["training"]
    assert (training["engine"], training["xla"]) == ("fused", False)
    config.write_bytes((plain / "resolved.yaml").read_bytes())
    assert metrics(trained(config)) == metrics(plain)


@pytest.mark.slow
def test_xla_can_be_asked_for_and_changes_rounding_alone(config: Path, plain: Path) -> None:
    compiled = trained(config, "training.xla=true")
    assert json.loads((compiled / "run.json").read_text())["engine"]["xla"] is True
    head, *rows = metrics(plain)
    for ours, theirs in zip(rows, metrics(compiled)[1:], strict=True):
        for name, left, right in zip(head, ours, theirs, strict=True):
            assert float(left) == pytest.approx(float(right), rel=1e-4), name


@pytest.mark.slow
def test_what_cannot_be_fused_trains_with_fit_and_says_why(config: Path) -> None:
    run = trained(config, "training.callbacks=[TerminateOnNaN]", "training.epochs=1")
    assert json.loads((run / "run.json").read_text())["engine"] == {
        "name": "keras",
        "xla": False,
        "reason": "TerminateOnNaN looks at every batch",
        "folds_together": 1,
    }
    training = yaml.safe_load((run / "resolved.yaml").read_text())["training"]
    assert training["engine"] == "keras"
    assert "xla" not in training


def test_fused_in_vain_is_reported_where_it_is_asked_for(config: Path) -> None:
    text = CONFIG.replace("epochs: 3", "engine: fused, callbacks: [TerminateOnNaN]")
    config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        trained(config)
    (problem,) = caught.value.problems
    assert problem.place.endswith("iris.yaml:10:20")
    assert "TerminateOnNaN looks at every batch" in problem.message
    assert not (config.parent / "runs").exists()
