"""The way of a user with a table: init, check, train, evaluate, predict, kfold."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

FILES = {
    "config.yaml", "resolved.yaml", "run.json", "data.json", "splits.npz", "metrics.csv",
    "result.json", "curves.png", "curves.svg", "model.keras", "preprocess.json",
    "predictions.npz", "examples.json", "log.txt", "manifest.json",
}  # fmt: skip
"""What a hold-out run leaves."""

FOLD_FILES = {
    "metrics.csv", "result.json", "curves.png", "curves.svg", "model.keras", "preprocess.json",
    "predictions.npz",
}  # fmt: skip
"""What each fold of a K-fold run leaves."""


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_init_tells_what_it_found_in_the_table(project: Any) -> None:
    assert project.init.out == (
        "target   risk (multiclass; --target and --task say otherwise)\n"
        "features 3 numeric, 1 categorical\n"
        "left out id (numbers the rows)\n"
        "wrote    credit.yaml\n"
        "check    dlrun check credit.yaml --data\n"
        "next     dlrun train credit.yaml\n"
    )


def test_check_finds_little_wrong_with_it(project: Any) -> None:
    plain = project("check", "credit.yaml")
    assert plain.status == 0
    assert plain.out == (
        "credit.yaml: nothing wrong found (3 layers, holdout)\n"
        "not checked without --data: the data's values, shapes, splits\n"
    )
    built = project("check", "credit.yaml", "--data")
    assert built.status == 0
    assert built.out == (
        "credit.yaml:41:15: warning DL113: only 26 rows are scored: an accuracy of 90% is known to "
        "within ±12.5%\n"
        "      validation: {fraction: 0.2}\n"
        "                  ^\n"
        "    why:   with so few rows the score of one model varies more than models differ "
        "(Deep Learning with Python, section 4.2.1)\n"
        "    write: evaluation: {protocol: iterated_kfold, folds: 5}\n"
        "\n"
        "credit.yaml: 1 warning (3 layers, holdout)\n"
        "data:   160 rows of 4 features from credit.csv\n"
        "rows:   128: 102 to train, 26 to validate\n"
        "model:  (6,) -> (3,), 4,803 parameters\n"
    )


def test_train_leaves_exactly_the_promised_files_and_nothing_elsewhere(holdout_run: Any) -> None:
    name = f"runs/{holdout_run.path.name}"
    new = holdout_run.after - holdout_run.before
    runs = {"runs"} - holdout_run.before
    assert new == runs | {name} | {f"{name}/{file}" for file in FILES}
    assert holdout_run.before <= holdout_run.after


def test_the_summary_says_how_good_where_and_what_next(holdout_run: Any) -> None:
    answer, path = holdout_run.answer, holdout_run.path
    result = json.loads((path / "result.json").read_text())
    assert answer.err == ""
    # The interval is some tenths wide.
    assert answer.line("score") == f"validation accuracy {result['score']['value']:.2f}"
    assert answer.line("baseline").endswith("% of the training rows)")
    # It does not beat the baseline yet: what comes next is what may help, and can be pasted.
    assert result["verdict"]["beats_baseline"] is None
    (change,) = result["suggestions"][0]["set"]
    command = ["dlrun", "train", f"runs/{path.name}/resolved.yaml", "--set", change]
    assert shlex.split(answer.line("next")) == command
    # What was said is kept, word for word.
    assert (path / "log.txt").read_text() == answer.out


def test_the_run_directory_can_be_read_without_dlrun(project: Any, holdout_run: Any) -> None:
    path = holdout_run.path
    run = json.loads((path / "run.json").read_text())
    assert (run["status"], run["seed"], run["backend"]) == ("finished", 0, "tensorflow")
    assert (path / "config.yaml").read_bytes() == (project.folder / "credit.yaml").read_bytes()
    metrics = rows_of((path / "metrics.csv").read_text())
    assert [(row["fold"], row["epoch"]) for row in metrics] == [("0", "1"), ("0", "2"), ("0", "3")]
    result = json.loads((path / "result.json").read_text())
    splits, predictions = np.load(path / "splits.npz"), np.load(path / "predictions.npz")
    np.testing.assert_array_equal(predictions["rows"], splits["fold00_validation"])
    risks = [row["risk"] for row in rows_of((project.folder / "credit.csv").read_text("utf-8"))]
    data = json.loads((path / "data.json").read_text())
    classes = data["classes"]["risk"]
    assert classes == ["high", "low", "middle"]
    predicted = [classes[index] for index in predictions["predictions"].argmax(axis=1)]
    right = [risks[row] == name for row, name in zip(predictions["rows"], predicted, strict=True)]
    assert result["score"]["value"] == pytest.approx(np.mean(right))
    # Class counts of each split, and nothing of the test rows but their number.
    trained_on = Counter(risks[row] for row in splits["fold00_train"])
    assert data["splits"]["fold00_train"]["targets"]["risk"]["counts"] == trained_on
    assert data["test"] == {"exists": True, "rows": 32}
    assert len(splits["test"]) == 32


def test_evaluate_scores_the_sealed_rows_and_counts_its_looks(
    project: Any, holdout_run: Any
) -> None:
    path = holdout_run.path
    looks = [project("evaluate", holdout_run.path.name, "--json") for _ in range(2)]
    assert looks[1].json["look"] == looks[0].json["look"] + 1
    assert [look.json["look_of_run"] for look in looks] == [1, 2]
    third = project("evaluate", f"runs/{path.name}")
    assert re.search(
        r"^  evaluation    \w+ test evaluation on these rows; validation (chose among \d+ runs|"
        r"had only this run to choose from); choosing among test evaluations biases the score$",
        third.out,
        re.MULTILINE,
    )
    assert third.line("written to") == f"runs/{path.name}/evaluations/003.json"
    # One column, as at the end of a training.
    for label in ("score", "interval", "baseline", "simple model", "verdict", "evaluation"):
        assert f"\n  {label:<14}{third.line(label)}\n" in third.out
    kept = {file.name for file in (path / "evaluations").iterdir()}
    assert kept == {f"00{look}.{ending}" for look in (1, 2, 3) for ending in ("json", "npz")}
    facts = looks[0].json
    arrays = np.load(path / "evaluations" / "001.npz")
    np.testing.assert_array_equal(arrays["rows"], np.load(path / "splits.npz")["test"])
    risks = [row["risk"] for row in rows_of((project.folder / "credit.csv").read_text("utf-8"))]
    truth = np.asarray([["high", "low", "middle"].index(risks[row]) for row in arrays["rows"]])
    right = arrays["predictions"].argmax(axis=1) == truth
    assert facts["score"]["value"] == pytest.approx(right.mean())
    by_class = {line["name"]: line for line in facts["figures"]["classes"]}
    for index, name in enumerate(["high", "low", "middle"]):
        assert by_class[name]["recall"] == pytest.approx(right[truth == index].mean())


def test_predict_gives_class_names_and_counts_unknown_categories(
    project: Any, holdout_run: Any
) -> None:
    answer = project("predict", holdout_run.path, "--input", "new.csv")
    assert answer.status == 0
    rows = rows_of(answer.out)
    names = ["probability_high", "probability_low", "probability_middle"]
    assert list(rows[0]) == ["prediction", *names]
    assert len(rows) == 3
    for row in rows:
        shares = [float(row[name]) for name in names]
        assert sum(shares) == pytest.approx(1, abs=1e-6)
        assert row["prediction"] == names[int(np.argmax(shares))].removeprefix("probability_")
    assert answer.err == (
        "note: new rows, one_hot: column 'town' has 1 row with a category that is not among the 3 "
        "learnt (Paris); there it became all zeros\n"
    )
    as_json = project("predict", holdout_run.path, "--input", "new.csv", "--json").json
    assert [row["prediction"] for row in as_json["predictions"]] == [r["prediction"] for r in rows]
    assert len(as_json["findings"]) == 1
    written = project("predict", holdout_run.path, "--input", "new.csv", "-o", "out.csv")
    assert written.out == "wrote 3 predictions to out.csv\n"
    assert (project.folder / "out.csv").read_text() == answer.out


def test_predictions_are_those_of_validation(project: Any, holdout_run: Any) -> None:
    """Rows that were held out get the same answer through `predict`."""
    kept = np.load(holdout_run.path / "predictions.npz")
    header, *lines = (project.folder / "credit.csv").read_text(encoding="utf-8").splitlines()
    some = [header, *(lines[row] for row in kept["rows"])]
    (project.folder / "held.csv").write_text("\n".join(some) + "\n", encoding="utf-8")
    answer = project("predict", holdout_run.path, "--input", "held.csv")
    predicted = [list(row.values())[1:] for row in rows_of(answer.out)]
    np.testing.assert_allclose(np.asarray(predicted, float), kept["predictions"], rtol=1e-5)


def test_kfold_keeps_every_fold(kfold_run: Any) -> None:
    name = f"runs/{kfold_run.path.name}"
    folds = {f"folds/{fold}" for fold in ("00", "01")}
    inside = {f"{fold}/{file}" for fold in folds for file in FOLD_FILES}
    files = (FILES - {"model.keras", "preprocess.json"}) | {"folds"} | folds | inside
    new = kfold_run.after - kfold_run.before
    assert new - {"runs"} == {name} | {f"{name}/{file}" for file in files}
    result = json.loads((kfold_run.path / "result.json").read_text())
    assert [fold["fold"] for fold in result["folds"]] == [0, 1]
    scores = result["score"]["folds"]
    assert result["score"]["value"] == pytest.approx(np.mean(scores))
    predictions = np.load(kfold_run.path / "predictions.npz")
    assert len(predictions["rows"]) == 128
    for fold in (0, 1):
        rows = rows_of((kfold_run.path / "folds" / f"0{fold}" / "metrics.csv").read_text())
        assert {row["fold"] for row in rows} == {str(fold)}


def test_a_k_fold_run_names_the_command_that_makes_one_model(project: Any, kfold_run: Any) -> None:
    name = kfold_run.path.name
    refused = project("evaluate", name)
    assert refused.status == 1
    told, command = refused.err.splitlines()
    assert told == (
        f"error: {name} has 2 models, one for each fold, and no single one to use. Train one on "
        "all non-test rows, then use that:"
    )
    assert command.strip() == f"dlrun finalize runs/{name}"
    assert project("predict", name, "--input", "new.csv").err == refused.err
    # The very words are run, and what comes out can be evaluated.
    _, *arguments = shlex.split(command)
    final = project(*arguments, "--json")
    assert final.status == 0
    assert final.json["score"]["value"] is None
    path = Path(final.json["run"])
    assert {file.name for file in path.iterdir()} == FILES - {"predictions.npz", "examples.json"}
    assert len(np.load(path / "splits.npz")["fold00_train"]) == 128
    folds = json.loads((kfold_run.path / "result.json").read_text())["folds"]
    # EarlyStopping put the weights of these epochs back, and they gave the scores.
    best = [fold["kept_weights"]["epoch"] for fold in folds]
    assert all(fold["kept_weights"]["monitor"] == "val_loss" for fold in folds)
    splits = np.load(kfold_run.path / "splits.npz")
    trained_on = np.mean([len(splits[f"fold0{fold}_train"]) for fold in (0, 1)])
    assert final.json["epochs"] == round(round(np.median(best)) * 128 / round(trained_on))
    evaluated = project("evaluate", path, "--json").json
    assert evaluated["rows"] == 32
    np.testing.assert_array_equal(
        np.load(path / "splits.npz")["test"], np.load(kfold_run.path / "splits.npz")["test"]
    )


DIVERGING = """\
dataset: {source: sklearn, name: diabetes}
architecture: {layers: [{Dense: 1}]}
loss: mse
optimizer: {SGD: {learning_rate: RATE}}
training: {epochs: 60, batch_size: 64}
evaluation: {protocol: holdout}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "rate",
    ["1.3", pytest.param("1e30", marks=pytest.mark.slow)],
    ids=["after some epochs", "in the first"],
)
def test_a_training_that_diverged_says_what_to_try(rate: str, call: Any, tmp_path: Path) -> None:
    (tmp_path / "diabetes.yaml").write_text(DIVERGING.replace("RATE", rate))
    answer = call("train", "diabetes.yaml", "--quiet")
    assert answer.status == 1
    assert answer.err.startswith("error: the loss became ")
    # Far above Keras' default, the default is what to go back to.
    assert answer.line("try") == "a smaller learning rate: --set optimizer.SGD.learning_rate=0.01"
    if rate == "1.3":
        assert answer.line("diagnosis").startswith("diverged: the loss became infinite in epoch ")
    (run,) = (tmp_path / "runs").iterdir()
    assert answer.line("try") in (run / "log.txt").read_text()
    facts = call("train", "diabetes.yaml", "--json").json["error"]
    assert facts["suggestions"][0]["set"] == ["optimizer.SGD.learning_rate=0.01"]


@pytest.mark.slow
def test_the_report_of_a_training_that_diverged_is_written_too(call: Any, tmp_path: Path) -> None:
    for rate in ("1.3", "1e30"):
        (tmp_path / "diabetes.yaml").write_text(DIVERGING.replace("RATE", rate))
        answer = call("train", "diabetes.yaml", "--quiet", "--report")
        assert answer.status == 1
        (page,) = tmp_path.glob("runs/*/report.html")
        text = page.read_text(encoding="utf-8")
        assert re.search("the loss became (infinite|NaN) in epoch ", text)
        if rate == "1.3":
            assert "Diverged: the loss became infinite" in text
        assert f"report written to {page.relative_to(tmp_path)}" in answer.out
        shutil.rmtree(tmp_path / "runs")


LATE = """\
dataset: {source: csv, path: late.csv, target: y}
architecture: {layers: [{Dense: 1}]}
loss: mse
optimizer: {SGD: {learning_rate: 0.01}}
metrics: [mae]
training: {epochs: 2, batch_size: 8}
evaluation: {protocol: kfold, folds: 4, shuffle: false, score: mae}
"""


@pytest.mark.slow
def test_a_fold_that_diverges_at_once_leaves_the_folds_before_it(call: Any, tmp_path: Path) -> None:
    """Only the first fold holds out the rows whose squares are no numbers."""
    values = [f"{i % 7},{1e30 if i < 10 else i % 5}" for i in range(40)]
    (tmp_path / "late.csv").write_text("\n".join(["x,y", *values]))
    (tmp_path / "late.yaml").write_text(LATE)
    answer = call("train", "late.yaml", "--quiet")
    assert answer.status == 1
    (run,) = (tmp_path / "runs").iterdir()
    place = f"runs/{run.name}"
    assert answer.err.endswith(
        f"that was number 2 of 4 folds; the one before it is kept in {place}\n"
    )
    assert answer.line("diagnosis") == "diverged: the loss became infinite in epoch 1"
    result = json.loads((run / "result.json").read_text())
    assert [fold["fold"] for fold in result["folds"]] == [0]
    assert (result["complete_folds"], result["planned_folds"]) == (1, 4)
    assert result["score"]["value"] == pytest.approx(result["folds"][0]["score"])
    assert (run / "folds" / "00" / "result.json").exists()
    assert json.loads((run / "run.json").read_text())["status"] == "failed"


TURNING = """\
dataset: {source: sklearn, name: digits, limit: 300, test: {fraction: 0.2}}
preprocess: [{rescale: 1/16}]
architecture: {layers: [{Dense: {units: 10, activation: softmax}}]}
loss: sparse_categorical_crossentropy
optimizer: {sgd: {learning_rate: 0.1}}
metrics: [accuracy]
training:
  epochs: 4
  callbacks:
    - LearningRateScheduler: {schedule: {0: 0.1, 2: 500.0}}
    - EarlyStopping: {patience: 9, restore_best_weights: true}
"""


@pytest.mark.slow
def test_whose_weights_a_model_has_is_said(call: Any, tmp_path: Path) -> None:
    """The rate of the third epoch spoils what the first two have learnt."""
    (tmp_path / "digits.yaml").write_text(TURNING)
    answer = call("train", "digits.yaml")
    assert answer.line("weights") == "epoch 2, restored by EarlyStopping (val_loss)"
    run = tmp_path / answer.line("run")
    with np.load(run / "predictions.npz") as stored:
        kept, data = dict(stored), load_digits()
    of_true = kept["predictions"][np.arange(len(kept["rows"])), data.target[kept["rows"]]]
    with (run / "metrics.csv").open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert -np.log(of_true).mean() == pytest.approx(losses[1], rel=1e-4)
    assert losses[3] > 2 * losses[1]


@pytest.mark.slow
def test_an_interrupt_while_a_run_is_written_names_what_is_kept(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first Ctrl-C ends the training; one that comes after it ends everything."""
    (tmp_path / "digits.yaml").write_text(TURNING)

    def press(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dlrun.workflows.execute.run_result", press)
    answer = call("train", "digits.yaml")
    assert answer.status == 130
    (run,) = (tmp_path / "runs").iterdir()
    told = f"error: interrupted; the results so far are kept in runs/{run.name}; go on with: "
    assert " ".join(answer.err.split()) == f"{told}dlrun resume runs/{run.name}"
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert (run / "curves.png").exists()
    assert len((run / "metrics.csv").read_text().splitlines()) == 1 + 4
