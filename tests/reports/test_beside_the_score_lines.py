"""Lines beside a score: open findings, how many folds count, rows of folds, earlier looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlrun.reports.html.sections import config_changes
from dlrun.reports.run_facts import RunFiles, fact_groups
from dlrun.reports.run_table import run_table
from dlrun.reports.suggestions import suggest
from dlrun.reports.summary import earlier_evaluations, run_summary
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import RunEntry

SCORE = {"name": "accuracy", "direction": "max", "value": 0.65, "std": None, "folds": [0.65]}


def lines(result: dict[str, Any], **options: Any) -> dict[str, str]:
    return {line.label: line.text for line in run_summary(result, "runs/x", **options).lines}


def test_findings_that_were_open_are_named() -> None:
    found = {"codes": ["DL106", "DL114"], "check": "dlrun check runs/x/resolved.yaml --data"}
    assert lines({"score": SCORE}, open_findings=found)["findings"] == (
        "2 open: DL106, DL114 (details: dlrun check runs/x/resolved.yaml --data)"
    )
    assert "findings" not in lines({"score": SCORE})


def test_an_interrupted_run_says_how_many_folds_count() -> None:
    part = {"protocol": "kfold", "complete_folds": 1, "planned_folds": 5, "interrupted": True}
    text = lines({"score": SCORE, "folds": [{}, {"interrupted": True}], **part})["score"]
    assert text == "validation accuracy 0.65 (1 of 5 folds)"
    alone = {"complete_folds": 0, "planned_folds": 1, "interrupted": True}
    text = lines({"score": SCORE, "folds": [{"interrupted": True}], **alone})["score"]
    assert text == "validation accuracy 0.65", "a hold-out has no folds to count"
    facts = {"name": "a", "result": {"score": SCORE, **part}}
    table = run_table([RunEntry(Path("runs/20261121-101531-a-0001"), "interrupted", facts)])
    assert "interrupted, 1 of 5 folds" in table.common


def test_repeated_hold_outs_are_no_folds() -> None:
    result = {"score": SCORE | {"std": 0.1}, "folds": [{}] * 4, "protocol": "repeated_holdout"}
    told = lines(result | {"seconds": 9.0})
    assert told["score"].endswith("(mean ± standard deviation of 4 repeats)")
    assert told["time"].endswith("for 4 repeats")


def test_rows_that_callbacks_watch_are_no_fold_and_growing_folds_are_a_range(
    tmp_path: Path,
) -> None:
    splits = {
        f"fold0{k}_{part}": {"rows": rows}
        for k, train in enumerate((56, 188, 320))
        for part, rows in (("train", train), ("validation", 66), ("inner_validation", 9))
    }
    directory = RunDirectory.create(tmp_path, "x")
    directory.start({})
    directory.write_data({"splits": splits})
    (data,) = (s for s in fact_groups(RunFiles(directory)) if s.title == "data")
    assert [line.text for line in data.lines] == [
        "56 to 320 to train, 66 to validate in each of 3 folds"
    ]


def test_earlier_looks_are_named_the_newest_first() -> None:
    looks = [{"run": f"run-{k}", "metric": "mae", "score": k} for k in range(5)]
    assert earlier_evaluations(looks) == "run-4 (mae 4), run-3 (mae 3), run-2 (mae 2), and 2 more"
    assert earlier_evaluations([]) is None


def test_a_rate_far_above_the_default_goes_back_to_it() -> None:
    config = {"preprocess": ["standardize"], "training": {}}
    for rate, tried in ((1e6, "0.001"), (0.005, "0.0005")):
        given = config | {"optimizer": {"adam": {"learning_rate": rate}}}
        first = suggest(["diverged"], given, None)[0]
        assert first.set == (f"optimizer.adam.learning_rate={tried}",)


def test_the_report_lists_what_the_command_line_changed() -> None:
    typed = ["dlrun", "kfold", "a.yaml", "--set", "training.epochs=3", "-q", "--folds=4"]
    assert config_changes(typed) == ["--set training.epochs=3", "--folds=4"]
    assert config_changes(["dlrun", "train", "a.yaml"]) == []
