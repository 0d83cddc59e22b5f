"""`dlrun compare`: against independent computations on runs that were really trained."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dlrun.store.run_directory import RunDirectory


def npz(file: Path) -> dict[str, np.ndarray]:
    """Return what an npz file holds."""
    with np.load(file) as kept:
        return dict(kept)


def right_rows(run: Path) -> np.ndarray:
    """Whether each held-out row was told right, from the run's files and scikit-learn's digits."""
    from sklearn.datasets import load_digits

    kept = npz(run / "predictions.npz")
    truth: np.ndarray = load_digits().target[kept["rows"]]
    np.testing.assert_array_equal(kept["targets"], truth)
    return np.asarray(kept["predictions"].argmax(axis=1) == truth)


def pair_of(facts: dict[str, Any], one: str, other: str) -> dict[str, Any]:
    (pair,) = [p for p in facts["pairs"] if {p["better"], p["worse"]} == {one, other}]
    return dict(pair)


def test_a_holdout_pair_is_judged_by_its_rows(experiments: Any) -> None:
    wide, narrow = experiments.path("wide"), experiments.path("narrow")
    facts = experiments("compare", narrow, wide, "--json").json
    pair = facts["pairs"][0]
    gain = right_rows(wide).astype(float) - right_rows(narrow)
    assert (pair["better"], pair["worse"]) == ("units 64", "units 4")
    assert pair["difference"] == pytest.approx(gain.mean())
    assert pair["corrected_p"] == pair["p_value"]
    # Drawing the rows again, both models on the same ones, gives nearly the same interval.
    draws = np.random.default_rng(0).integers(len(gain), size=(4000, len(gain)))
    low, high = np.quantile(gain[draws].mean(axis=1), [0.025, 0.975])
    assert pair["interval"]["low"] == pytest.approx(low, abs=0.02)
    assert pair["interval"]["high"] == pytest.approx(high, abs=0.02)
    assert pair["different"] is True
    assert facts["rows"] == f"the same {len(gain)} validation rows"
    assert facts["differs"] == {"architecture.layers.0.Dense.units": [4, 64]}


def test_a_pair_with_the_same_folds_is_judged_by_the_corrected_resampled_t(
    experiments: Any,
) -> None:
    quick, slow = experiments.path("folds"), experiments.path("slow folds")
    facts = experiments("compare", quick, slow, "--json").json
    pair = facts["pairs"][0]
    scores = [json.loads((run / "result.json").read_text())["score"]["folds"]
              for run in (quick, slow)]  # fmt: skip
    gains = np.subtract(*scores)
    splits = npz(quick / "splits.npz")
    scored = [len(splits[f"fold0{fold}_validation"]) for fold in range(3)]
    share = sum(scored) / (2 * sum(scored))
    # Nadeau and Bengio (2003).
    error = np.sqrt((1 / 3 + share) * gains.var(ddof=1))
    expected = stats.t.interval(0.95, 2, loc=gains.mean(), scale=error)
    assert pair["better"] == "learning_rate 0.001"
    assert pair["difference"] == pytest.approx(gains.mean())
    assert pair["interval"]["low"] == pytest.approx(expected[0], rel=1e-3)
    assert pair["interval"]["high"] == pytest.approx(expected[1], rel=1e-3)
    assert pair["p_value"] == pytest.approx(2 * stats.t.sf(gains.mean() / error, 2), rel=1e-3)
    assert facts["rows"] == "the same 3 folds"


def test_p_values_are_corrected_for_the_number_of_pairs(
    experiments: Any, copies: Callable[..., list[Path]]
) -> None:
    runs = copies("wide", "narrow", "wide")
    # The third is told apart by its seed, and is the same model but for a few rows.
    kept = npz(runs[2] / "predictions.npz")
    kept["predictions"][:3] = np.roll(kept["predictions"][:3], 1, axis=1)
    np.savez(runs[2] / "predictions.npz", **kept)
    score = float((kept["predictions"].argmax(axis=1) == kept["targets"]).mean())
    change_json(runs[2] / "result.json", lambda facts: facts["score"].update(value=score))
    facts = experiments("compare", *runs, "--json").json
    pairs = sorted(facts["pairs"], key=lambda pair: pair["p_value"])
    assert len(pairs) == 3
    expected = np.maximum.accumulate(
        [p["p_value"] * n for p, n in zip(pairs, (3, 2, 1), strict=True)]
    )
    assert [p["corrected_p"] for p in pairs] == pytest.approx(np.minimum(expected, 1))
    assert [p["different"] for p in pairs] == [p["corrected_p"] <= 0.05 for p in pairs]
    assert facts["answer"][0].startswith(f"digits-{runs[0].name[-4:]} has the best accuracy: ")


GROUPED = """
name: visits
dataset: {source: csv, path: visits.csv, target: cost, drop: [patient]}
architecture: {layers: [{Dense: 1}]}
loss: mse
optimizer: {sgd: {learning_rate: 0.01}}
metrics: [mae]
training: {epochs: 3}
evaluation: {protocol: holdout, groups: patient, score: mae}
"""


@pytest.mark.slow
def test_rows_of_a_group_are_drawn_together(call: Callable[..., Any], tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    lines = ["patient,age,cost"]
    for patient in range(60):
        bias = draw.normal()
        lines += [f"p{patient},{draw.normal():.3f},{bias:.3f}" for _ in range(5)]
    (tmp_path / "visits.csv").write_text("\n".join(lines))
    (tmp_path / "visits.yaml").write_text(GROUPED)
    runs = []
    for rate in (0.01, 0.1):
        options = ["--set", f"optimizer.sgd.learning_rate={rate}", "--json"]
        runs.append(Path(call("train", "visits.yaml", *options).json["run"]))
    kept = [npz(run / "predictions.npz") for run in runs]
    patients = np.array([line.split(",")[0] for line in lines[1:]])[kept[0]["rows"]]
    assert len(set(zip(patients, kept[0]["units"], strict=True))) == len(set(patients)) == 12
    by_groups = call("compare", *runs, "--json").json["pairs"][0]
    errors = [np.abs(k["predictions"][:, 0] - k["targets"]) for k in kept]
    gain = errors[0] - errors[1] if by_groups["better"].endswith("0.1") else errors[1] - errors[0]
    assert by_groups["difference"] == pytest.approx(gain.mean(), abs=1e-5)
    # Five rows of a patient err alike: they say hardly more than one.
    for run, arrays in zip(runs, kept, strict=True):
        del arrays["units"]
        np.savez(run / "predictions.npz", **arrays)
        call("runs", "seal", run)
    by_rows = call("compare", *runs, "--json").json["pairs"][0]
    widths = [pair["interval"]["high"] - pair["interval"]["low"] for pair in (by_groups, by_rows)]
    assert widths[0] > 1.5 * widths[1]


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("wide", "other seed", "different splits (seed 0 against 1)"),
        ("wide", "folds", "different splits (holdout against kfold)"),
        ("wide", "other measure", "different measures: accuracy against loss"),
        ("wide", "fewer rows", "different data (dataset.limit 700 against 500)"),
    ],
)
def test_what_cannot_be_compared_is_said_with_which(
    experiments: Any, one: str, other: str, why: str
) -> None:
    answer = experiments("compare", experiments.names[one], experiments.names[other])
    assert answer.status == 0
    first = answer.out.splitlines()[0]
    assert " are not comparable: " in first
    assert first.endswith(why)
    pair = experiments("compare", experiments.names[one], experiments.names[other], "--json").json
    assert pair["pairs"][0]["difference"] is None
    assert pair["rows"] is None


def test_other_features_of_the_same_rows_can_be_compared(
    experiments: Any, copies: Callable[..., list[Path]]
) -> None:
    runs = copies("wide", "narrow")
    change_json(runs[1] / "data.json", lambda facts: facts.update(fingerprint="0" * 64))
    change_json(runs[1] / "run.json", lambda facts: facts["config"]["dataset"].update(images=True))
    facts = experiments("compare", *runs, "--json").json
    assert facts["pairs"][0]["difference"] is not None
    assert facts["pairs"][0]["note"].endswith(
        "read different features of the same rows (dataset.images false against true)"
    )
    kept = npz(runs[1] / "predictions.npz")
    kept["targets"] = np.roll(kept["targets"], 1)
    np.savez(runs[1] / "predictions.npz", **kept)
    RunDirectory(runs[1]).seal()
    facts = experiments("compare", *runs, "--json").json
    assert facts["pairs"][0]["why"] == "different data (dataset.images false against true)"


def test_a_loss_with_penalties_is_not_taken_for_what_its_predictions_show(
    experiments: Any, copies: Callable[..., list[Path]]
) -> None:
    runs = copies("other measure", "other measure")
    same = experiments("compare", *runs, "--json").json["pairs"][0]
    assert (same["difference"], same["why"]) == (pytest.approx(0, abs=1e-9), same["why"])
    change_json(
        runs[1] / "result.json",
        lambda facts: facts["score"].update(value=facts["score"]["value"] + 0.5),
    )
    pair = experiments("compare", *runs, "--json").json["pairs"][0]
    assert "holds more than its predictions show" in pair["why"]
    assert pair["difference"] is None


def test_neither_data_nor_model_nor_test_rows_are_needed(experiments: Any, tmp_path: Path) -> None:
    """Nothing but what the runs keep of their validation is there to be read."""
    kept = ("run.json", "resolved.yaml", "result.json", "data.json", "metrics.csv",
            "predictions.npz", "splits.npz")  # fmt: skip
    for which in ("wide", "narrow"):
        folder = tmp_path / "runs" / experiments.names[which]
        folder.mkdir(parents=True)
        for name in kept:
            shutil.copy(experiments.path(which) / name, folder)
        splits = npz(folder / "splits.npz")
        assert len(splits.pop("test"))
        np.savez(folder / "splits.npz", **splits)
        RunDirectory(folder).seal()
    runs = sorted((tmp_path / "runs").iterdir())
    whole = experiments("compare", *(experiments.path(w) for w in ("wide", "narrow")), "--json")
    assert experiments("compare", *runs, "--json").json == whole.json


def test_the_answer_comes_first_and_the_picture_is_named(
    experiments: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    runs = [experiments.path("wide"), experiments.path("narrow")]
    answer = call("compare", *runs)
    lines = answer.out.splitlines()
    assert lines[0].startswith("units 64 is better than units 4 by 0.")
    assert " accuracy (95% interval 0." in lines[0]
    picture = tmp_path / lines[-1].removeprefix("curves  ")
    assert picture.name == f"comparison-{runs[0].name[-4:]}-{runs[1].name[-4:]}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    # The same picture again is the same file; another one gets another name.
    assert call("compare", *runs).out == answer.out
    picture.write_bytes(b"something else")
    assert call("compare", *runs).out.splitlines()[-1] == f"curves  {picture.stem}-2.png"
    assert picture.read_bytes() == b"something else"
    # No run was touched, and a program gets no picture that it did not ask for.
    before = set(tmp_path.iterdir())
    assert call("compare", *runs, "--json").json["picture"] is None
    assert set(tmp_path.iterdir()) == before
    assert not list(experiments.folder.glob("runs/*/comparison*"))


def test_the_picture_goes_where_it_is_asked_for(
    experiments: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    runs = [experiments.path("folds"), experiments.path("slow folds")]
    assert call("compare", *runs, "-o", "rates.svg").status == 0
    text = (tmp_path / "rates.svg").read_text()
    assert all(part in text for part in ("learning_rate 0.0001", "Validation accuracy", "Epoch"))
    again = call("compare", *runs, "-o", "rates.svg")
    assert (again.status, again.err) == (
        1,
        "error: rates.svg exists and is never overwritten\n",
    )


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["WIDE"], 2, "error: give 2 to 10 runs to compare, found 1\n"),
        (["WIDE", "WIDE"], 2, "error: the run WIDE is given twice\n"),
        (["WIDE", "nowhere"], 1, "error: no run 'nowhere'; the newest in runs is NEWEST\n"),
        (
            ["WIDE", "NARROW", "-o", "curves.pdf"],
            2,
            "error: the picture is written as .png or .svg, found 'curves.pdf'\n",
        ),
    ],
)
def test_refusals(experiments: Any, arguments: list[str], status: int, message: str) -> None:
    names = {"WIDE": experiments.names["wide"], "NARROW": experiments.names["narrow"]}
    names["NEWEST"] = max(experiments.names.values())
    answer = experiments("compare", *(names.get(word, word) for word in arguments))
    for word, name in names.items():
        message = message.replace(word, name)
    assert (answer.status, answer.err) == (status, message)


def test_a_run_without_a_result_is_refused(
    experiments: Any, copies: Callable[..., list[Path]]
) -> None:
    runs = copies("wide", "narrow")
    (runs[1] / "result.json").unlink()
    answer = experiments("compare", *runs)
    assert answer.status == 1
    assert f"{runs[1].name}/result.json is missing, though manifest.json lists it; " in answer.err
    RunDirectory(runs[1]).seal()
    answer = experiments("compare", *runs)
    assert (answer.status, answer.err) == (
        1,
        f"error: {runs[1].name} has no result to compare: its status is 'finished'\n",
    )


@pytest.mark.slow
def test_keras_is_not_imported(experiments: Any, tmp_path: Path) -> None:
    program = (
        "import json, sys\nfrom dlrun.cli.main import main\n"
        "for other in sys.argv[2:]:\n"
        "    try:\n        main(['compare', sys.argv[1], other])\n"
        "    except SystemExit as end:\n        assert end.code == 0\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    runs = [str(experiments.path(which)) for which in ("narrow", "wide", "folds")]
    answer = subprocess.run(
        [sys.executable, "-c", program, *runs],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )
    packages = set(json.loads(answer.stdout.splitlines()[-1]))
    assert not packages & {"keras", "tensorflow", "jax", "torch", "sklearn"}


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))
    RunDirectory(path.parent).seal()


@pytest.fixture
def copies(experiments: Any, tmp_path: Path) -> Callable[..., list[Path]]:
    """Gives copies of runs, to be changed, each in a directory of its own."""

    def copy(*which: str) -> list[Path]:
        paths = []
        for number, name in enumerate(which):
            stem = experiments.names[name].rpartition("-")[0]
            path = tmp_path / "copies" / f"{stem}-{number:04x}"
            shutil.copytree(experiments.path(name), path)
            paths.append(path)
        return paths

    return copy


def test_on_80_columns_no_cell_is_broken(
    experiments: Any, copies: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = copies("wide", "narrow", "wide")
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "80")
    lines = re.sub(r"\x1b\[[\d;]*m", "", experiments("compare", *runs).out).splitlines()
    labels = [f"digits-{run.name[-4:]}" for run in runs]
    for label in labels:
        (score,) = [line for line in lines if re.match(rf"{label} +\d\.\d+ +\d\.\d+ to", line)]
        assert score.endswith(" s")
    pairs = [
        line for line in lines if re.match(rf"({'|'.join(labels)}) +({'|'.join(labels)})", line)
    ]
    assert len(pairs) == 3
    assert max(map(len, lines)) <= 80


def test_lists_of_layers_that_differ_have_a_line_a_run_where_columns_have_no_room(
    experiments: Any, copies: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = copies("wide", "narrow")
    dense = [{"Dense": {"units": units, "activation": "relu"}} for units in (64, 32, 16)]
    change_json(runs[0] / "run.json", lambda f: f["config"]["architecture"].update(layers=dense))
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "80")
    said = re.sub(r"\x1b\[[\d;]*m", "", experiments("compare", *runs).out)
    text = " ".join(said.split())
    assert (
        "Dense(64, activation=relu), Dense(32, activation=relu), Dense(16, activation=relu)" in text
    )
    assert max(map(len, said.splitlines())) <= 80
