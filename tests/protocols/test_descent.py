"""Descents take the steps that the formulas of their optimizers say."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlrun
from dlrun.metrics.surface import Surface, minima_of, outcome
from dlrun.tasks.descent import follow

CONFIG = """\
name: down
task:
  descent: {function: two_minima, start: 2.0, steps: 80}
optimizer:
  - sgd: {learning_rate: 0.02}
  - sgd: {learning_rate: 0.02, momentum: 0.9}
  - sgd: {learning_rate: 0.2, name: too fast}
"""


def _slope(x: float) -> float:
    return 4 * x**3 - 6 * x + 1


def _recurrence(rate: float, momentum: float, nesterov: bool, steps: int) -> list[float]:
    x, velocity = 2.0, 0.0
    places = [x]
    for _ in range(steps):
        change = -rate * _slope(x)
        velocity = momentum * velocity + change
        x += momentum * velocity + change if nesterov else velocity
        places.append(x)
    return places


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dlrun.Run:
    folder = tmp_path_factory.mktemp("descent")
    (folder / "down.yaml").write_text(CONFIG)
    return dlrun.train(folder / "down.yaml", runs_dir=folder / "runs")


def test_a_run_ends_in_the_minima_that_analysis_finds(run: dlrun.Run) -> None:
    # The roots of the derivative 4x^3 - 6x + 1.
    low, high = sorted(np.roots([4, 0, -6, 1]).real)[::2]
    minima = run.result["minima"]
    assert [minimum["at"][0] for minimum in minima] == pytest.approx([low, high], abs=1e-6)
    assert [m["value"] for m in minima] == pytest.approx([x**4 - 3 * x**2 + x for x in (low, high)])
    plain, rolling, fast = run.result["optimizers"]
    assert (plain["verdict"], rolling["verdict"], fast["verdict"]) == (
        "reached a local minimum",
        "reached the global minimum",
        "diverged",
    )
    assert plain["at"] == pytest.approx([high], abs=1e-3)
    assert rolling["at"] == pytest.approx([low], abs=0.02)


def test_its_path_is_the_recurrence_of_the_optimizer(run: dlrun.Run) -> None:
    with (run.path / "path.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = [one["name"] for one in run.result["optimizers"]]
    assert names == ["SGD 0.02", "SGD 0.02, momentum 0.9", "too fast"]
    for name, momentum in zip(names, (0.0, 0.9), strict=False):
        own = [row for row in rows if row["optimizer"] == name]
        assert [int(row["step"]) for row in own] == [*range(81)]
        places = np.array([float(row["x"]) for row in own])
        expected = _recurrence(0.02, momentum, False, 80)
        np.testing.assert_allclose(places, expected, rtol=1e-4, atol=1e-5)
        slopes = [float(row["gradient_x"]) for row in own]
        np.testing.assert_allclose(slopes, [_slope(x) for x in places], rtol=1e-6, atol=1e-6)


def test_its_files_are_drawn_and_reported(run: dlrun.Run) -> None:
    names = {path.name for path in run.path.iterdir()}
    assert {"path.csv", "descent.png", "descent.svg", "result.json", "resolved.yaml"} <= names
    assert json.loads((run.path / "run.json").read_text())["status"] == "finished"
    from dlrun.workflows.report import report

    page = report(run.path).read_text()
    assert page.count("<svg") == 3
    assert "reached the global minimum" in page
    assert "SGD 0.02, momentum 0.9 reached the global minimum in 71 steps" in repr(run)


@pytest.mark.slow
def test_what_is_resolved_repeats_the_run(run: dlrun.Run) -> None:
    again = dlrun.train(run.path / "resolved.yaml", runs_dir=run.path.parent)
    assert (again.path / "path.csv").read_bytes() == (run.path / "path.csv").read_bytes()


def test_other_commands_say_what_a_descent_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dlrun.cli.main import main

    (tmp_path / "down.yaml").write_text(CONFIG)
    for command in ("kfold", "show"):
        with pytest.raises(SystemExit) as end:
            main([command, str(tmp_path / "down.yaml")])
        assert end.value.code == 2
        said = capsys.readouterr().err
        assert "down.yaml:2:1: the task 'descent' has no model that learns from data" in said
    with pytest.raises(SystemExit) as end:
        main(["check", str(tmp_path / "down.yaml")])
    assert end.value.code == 0
    assert "nothing wrong found (descent)" in capsys.readouterr().out


SURFACES: dict[str, Callable[[float, float], float]] = {
    "bowl": lambda x, y: x**2 + 10 * y**2,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
}


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_and_their_gradients_are_those_that_they_are_named_after(name: str) -> None:
    surface, height = Surface.of(name, None), SURFACES[name]
    for x, y in np.random.default_rng(0).uniform(-2, 2, (5, 2)):
        assert surface.value(np.array([x, y])) == pytest.approx(height(x, y))
        slopes = [
            (height(x + 1e-6, y) - height(x - 1e-6, y)) / 2e-6,
            (height(x, y + 1e-6) - height(x, y - 1e-6)) / 2e-6,
        ]
        assert surface.gradient(np.array([x, y])) == pytest.approx(slopes, rel=1e-5, abs=1e-4)


def test_functions_are_written_as_people_write_them() -> None:
    texts = [Surface.of(name, None).text for name in ("parabola", "two_minima", "bowl")]
    assert texts == ["x^2", "x^4 - 3x^2 + x", "x^2 + 10y^2"]
    assert Surface.of(None, [2, -1.5]).text == "-1.5x + 2"
    assert Surface.of(None, [[0, 1], [0, -2]]).text == "-2xy + y"
    assert Surface.of(None, [0]).text == "0"


def _component(name: str, **arguments: Any) -> Any:
    from dlrun.registry.keras_component import KerasComponent

    return KerasComponent("optimizer", name, name, arguments)


def test_paths_that_jump_about_or_have_no_minimum_are_called_so() -> None:
    parabola, start = Surface.of("parabola", None), np.array([1.0])
    path = follow(_component("SGD", learning_rate=1.0), parabola, start, 20)
    assert path[:, 0].tolist() == [1.0, -1.0] * 10 + [1.0]
    facts = outcome(path, parabola, minima_of(parabola, [path], 20), 20)
    assert (facts["verdict"], facts["distance"]) == ("jumps about", pytest.approx(1.0))
    hill = Surface.of(None, [0, 0, -1])
    path = follow(_component("SGD", learning_rate=0.01), hill, start, 5)
    assert minima_of(hill, [path], 5) == []
    assert outcome(path, hill, [], 5)["verdict"] == "there is no minimum nearby"


def test_a_path_that_leaves_what_32_bits_can_hold_has_diverged() -> None:
    for surface, rate in (
        (Surface.of("two_minima", None), 1e10),
        (Surface.of(None, [0] * 18 + [1]), 0.01),
    ):
        path = follow(_component("SGD", learning_rate=rate), surface, np.array([2.0]), 20)
        assert path.tolist() == [[2.0]]
        facts = outcome(path, surface, minima_of(surface, [path], 20), 20)
        assert (facts["verdict"], facts["steps"], facts["at"]) == ("diverged", 0, [2.0])


def test_a_start_out_of_reach_and_options_of_trainings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "down.yaml"
    file.write_text(CONFIG.replace("start: 2.0", "start: 1e10"))
    with pytest.raises(
        dlrun.errors.ConfigError, match=r"down\.yaml:3:42: 'start': the value there does not"
    ):
        dlrun.train(file, runs_dir=tmp_path)
    file.write_text(CONFIG)
    with pytest.raises(dlrun.errors.UsageError, match="'descent' knows no force"):
        dlrun.train(file, runs_dir=tmp_path, force=True)
    with pytest.raises(dlrun.errors.UsageError, match="'descent' knows no time limit"):
        dlrun.train(file, runs_dir=tmp_path, time_limit="2h")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Adam", "RMSprop", "Adagrad", "Nadam", "Lion", "Ftrl"])
def test_every_optimizer_of_keras_goes_down_a_bowl(name: str) -> None:
    bowl, start = Surface.of("bowl", None), np.array([-1.0, 0.5])
    path = follow(_component(name, learning_rate=0.05), bowl, start, 60)
    assert path.shape == (61, 2)
    assert bowl.value(path[-1]) < 0.5 * bowl.value(path[0])
