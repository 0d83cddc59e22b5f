"""What `check` says of the files that a config names, without reading further."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlrun.errors import ConfigError
from dlrun.workflows.check import check

MODEL = "architecture: {layers: [{Dense: 1}]}\nloss: mse\noptimizer: adam\n"


@pytest.fixture
def refusal(tmp_path: Path) -> Any:
    """Check a config on `rows.csv`; the first line and the hint of what is wrong, or None."""
    for name in ("rows", "other"):
        (tmp_path / f"{name}.csv").write_text("x,y,day\n1,2.5,1\n2,3,2\n3,4,3\n")
    (tmp_path / "narrow.csv").write_text("x,day\n1,2\n")

    def refusal(test: str, evaluation: str, *overrides: str) -> tuple[str, str | None] | None:
        file = tmp_path / "c.yaml"
        dataset = f"dataset: {{source: csv, path: rows.csv, target: y, test: {test}}}\n"
        file.write_text(f"{dataset}evaluation: {evaluation}\n{MODEL}")
        try:
            check(file, overrides=overrides)
        except ConfigError as error:
            [problem] = error.problems
            told = f"{problem.place}: {problem.message}"
            return told.replace(f"{tmp_path}/", ""), problem.hint
        return None

    return refusal


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("othr.csv", "othr.csv: no such file; did you mean 'other.csv'?"),
        ("narrow.csv", "narrow.csv: no column 'y'; the columns are: x, day"),
        (
            "rows.csv",
            "rows.csv: also named by `path`; rows that are scored must not be trained on",
        ),
        (
            "'[o]*.csv'",
            "other.csv: also named by `test.path`; test rows must not choose the model that "
            "they score",
        ),
    ],
)
def test_validation_files_are_looked_at(refusal: Any, path: str, told: str) -> None:
    where = "c.yaml:2:33"
    assert refusal("{path: other.csv}", f"{{validation: {{path: {path}}}}}") == (
        f"{where}: {told}",
        None,
    )


def test_validation_files_that_are_right_pass(refusal: Any) -> None:
    assert refusal("{fraction: 0.4}", "{validation: {path: other.csv}}") is None


def test_test_rows_in_the_past_of_a_model_in_time_order_are_refused(refusal: Any) -> None:
    random, in_order = "{fraction: 0.2}", "{protocol: time_series, folds: 2}"
    place, hint = refusal(random, in_order)
    assert place == (
        "c.yaml:1:57: under time_series, test rows drawn at random would lie in the past of "
        "rows that the model has seen"
    )
    # Both ways out of the hint, and the test rows that are no share of the rows.
    assert "`shuffle: false` to `fraction`" in hint
    assert "`time` under `evaluation`" in hint
    assert refusal(random, in_order, "dataset.test.shuffle=false") is None
    assert refusal(random, in_order, "evaluation.time=day") is None
    assert refusal("{path: other.csv}", in_order) is None
    assert refusal(random, "{protocol: kfold, folds: 2}") is None


def test_problems_of_rows_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,y\n1,2.5\n2,3\n")
    file = tmp_path / "c.yaml"
    dataset = "dataset: {source: csv, path: rows.csv, target: cost}\n"
    file.write_text(f"optimiser: adam\n{dataset}{MODEL.replace('mse', 'msee')}")
    problems = check(file, with_data=True).problems
    assert [int(problem.place.split(":")[-2]) for problem in problems] == [1, 2, 4]
    assert "no column 'cost'" in problems[1].message
