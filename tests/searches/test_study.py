"""Which points of a space are tried. Nothing is trained: a function of the point is the score."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.config.load import config_at, load_config
from dlrun.config.schema import Config
from dlrun.config.search_space import dimensions_of
from dlrun.searches.study import Study

RATE, UNITS = "optimizer.adam.learning_rate", "architecture.layers.0.Dense.units"
EXPERIMENT = """
dataset: {source: sklearn, name: digits}
architecture:
  layers: [{Dense: 64}, {Dropout: 0.5}, {Dense: {units: 10, activation: softmax}}]
loss: sparse_categorical_crossentropy
optimizer: adam
metrics: [accuracy]
search:
"""


def with_search(folder: Path, search: str) -> Config:
    lines = "".join(f"  {line}\n" for line in search.strip().splitlines())
    (folder / "experiment.yaml").write_text(EXPERIMENT + lines)
    return load_config(folder / "experiment.yaml")


def tried(
    config: Config, count: int, score: Callable[[dict[str, Any]], float | None]
) -> list[dict[str, Any]]:
    """The points of the first trials."""
    study, points = Study(config, "max"), []
    for _ in range(count):
        if (proposal := study.ask()) is None:
            break
        points.append(proposal.point)
        study.tell(proposal, score(proposal.point))
    return points


def near_a_hundredth(point: dict[str, Any]) -> float:
    return -abs(math.log10(point.get(RATE, 1)) + 2)


SAMPLERS = ["tpe", "random", "cmaes", "{tpe: {multivariate: true, n_startup_trials: 3}}"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_trials_within_the_space(tmp_path: Path, sampler: str) -> None:
    config = with_search(
        tmp_path,
        f"""
sampler: {sampler}
space:
  {RATE}: {{low: 1e-4, high: 1, log: true}}
  {UNITS}: {{low: 8, high: 64, step: 8}}
""",
    )
    points = tried(config, 12, near_a_hundredth)
    assert points == tried(config, 12, near_a_hundredth)
    assert points[0] == {RATE: 0.001, UNITS: 64}, "the config itself"
    assert all(1e-4 <= point[RATE] <= 1 for point in points)
    assert all(type(point[UNITS]) is int and point[UNITS] % 8 == 0 for point in points)
    other = tried(config.model_copy(update={"seed": 1}), 12, near_a_hundredth)
    assert other[1:] != points[1:]


def test_the_config_is_found_in_its_space_however_it_is_written(tmp_path: Path) -> None:
    config = with_search(
        tmp_path,
        """
space:
  optimizer: [sgd, {adam: {learning_rate: 0.001}}]
  architecture.layers.1: [{Dropout: {rate: 0.5}}, null]
  architecture.layers.0.Dense.activation: [null, relu]
  training.epochs: [3, 4]
""",
    )
    assert tried(config, 1, lambda point: 0.5) == [
        {
            "optimizer": {"adam": {"learning_rate": 0.001}},
            "architecture.layers.1": {"Dropout": {"rate": 0.5}},
            "architecture.layers.0.Dense.activation": None,
        }
    ], "epochs are 10"


def test_a_failed_trial_changes_nothing_but_what_comes_after(tmp_path: Path) -> None:
    config = with_search(tmp_path, f"space: {{{RATE}: {{low: 1e-4, high: 1, log: true}}}}")
    points = tried(config, 12, lambda point: None if point[RATE] > 0.1 else point[RATE])
    assert len(points) == 12


def test_a_grid_tries_every_combination_once(tmp_path: Path) -> None:
    config = with_search(
        tmp_path,
        f"""
sampler: grid
space:
  {UNITS}: [16, 32, 64]
  training.epochs: {{low: 2, high: 6, step: 2}}
  architecture.layers.1: [{{Dropout: 0.5}}, null]
""",
    )
    points = tried(config, 100, lambda point: float(point[UNITS]))
    assert points[0][UNITS] == 64
    combinations = {
        (p[UNITS], p.get("training.epochs"), str(p["architecture.layers.1"])) for p in points
    }
    assert len(combinations) == len(points)
    assert len([p for p in points if "training.epochs" in p]) == 18


def test_no_point_is_trained_twice(tmp_path: Path) -> None:
    config = with_search(tmp_path, f"space: {{{UNITS}: [16, 32, 64]}}")
    points = tried(config, 10, lambda point: float(point[UNITS]))
    assert sorted(point[UNITS] for point in points) == [16, 32, 64]


def test_a_condition_decides_whether_a_value_is_tried(tmp_path: Path) -> None:
    config = with_search(
        tmp_path,
        """
space:
  optimizer: [adam, sgd]
  optimizer.sgd.momentum: {low: 0.1, high: 0.9, when: {optimizer: sgd}}
  architecture.layers.1: [{Dropout: 0.5}, null]
""",
    )
    assert config.search is not None
    for point in tried(config, 10, lambda point: 0.5)[1:]:
        assert ("optimizer.sgd.momentum" in point) == (point["optimizer"] == "sgd")
        changed, problems = config_at(config, dimensions_of(config.search, config.document), point)
        assert changed is not None, problems
        assert changed.optimizer.alias == point["optimizer"]
        if point["optimizer"] == "sgd":
            momentum = changed.optimizer.arguments["momentum"]
            assert momentum == point["optimizer.sgd.momentum"]
        names = [entry.layer.name for entry in changed.architecture.layers if entry.layer]
        assert ("Dropout" in names) == (point["architecture.layers.1"] is not None)


def test_paths_count_the_layers_that_the_config_lists(tmp_path: Path) -> None:
    """Leaving one out moves no other."""
    config = with_search(
        tmp_path,
        """
space:
  architecture.layers.0: [{Dense: 64}, null]
  architecture.layers.2.Dense.activation: [softmax, log_softmax]
""",
    )
    assert config.search is not None
    point = {
        "architecture.layers.0": None,
        "architecture.layers.2.Dense.activation": "log_softmax",
    }
    changed, _ = config_at(config, dimensions_of(config.search, config.document), point)
    assert changed is not None
    layers = [entry.layer for entry in changed.architecture.layers]
    assert [layer.name for layer in layers if layer] == ["Dropout", "Dense"]
    assert layers[1] is not None
    assert layers[1].arguments["activation"] == "log_softmax"


def test_tpe_is_at_least_as_good_as_random(tmp_path: Path) -> None:
    """In the mean over ten seeds of a smooth function."""
    best: dict[str, list[float]] = {"tpe": [], "random": []}
    for sampler, scores in best.items():
        config = with_search(
            tmp_path,
            f"sampler: {sampler}\nspace: {{{RATE}: {{low: 1e-6, high: 1, log: true}}}}",
        )
        for seed in range(10):
            points = tried(config.model_copy(update={"seed": seed}), 30, near_a_hundredth)
            scores.append(max(map(near_a_hundredth, points)))
    assert np.mean(best["tpe"]) >= np.mean(best["random"])
