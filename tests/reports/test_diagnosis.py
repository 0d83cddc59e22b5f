"""What curves say: each kind on curves made for it, and silence where there is nothing to say."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dlrun.config.dump import dump_config
from dlrun.config.load import load_config
from dlrun.metrics.folds import moving_average
from dlrun.reports.curve_facts import smoothing_factor
from dlrun.reports.diagnosis import CurveFinding, diagnose, diagnosis_facts
from dlrun.reports.suggestions import suggest
from dlrun.reports.summary import run_summary

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob("*.yaml")
    # A descent has no layers to change.
    if not path.stem.startswith("descent_")
)


def decay(start: float, end: float, epochs: int, pace: float) -> list[float]:
    """A curve that falls off exponentially; at the end it has gone 1 - exp(-pace) of the way."""
    way = 1 - np.exp(-pace * np.linspace(0, 1, epochs))
    return [float(start + (end - start) * share) for share in way]


def turning(start: float, best: float, end: float, at: int, epochs: int) -> list[float]:
    """A curve that falls to its best in epoch `at` (from 1) and rises to the end."""
    down = np.linspace(start, best, at)
    return [*map(float, down), *map(float, np.linspace(best, end, epochs - at + 1)[1:])]


def kinds(findings: Sequence[CurveFinding]) -> list[str]:
    return [finding.kind for finding in findings]


def of_loss(
    training: Sequence[float], validation: Sequence[float], **given: Any
) -> list[CurveFinding]:
    history = {"loss": list(training), "val_loss": list(validation)}
    return diagnose([history], "loss", "min", **{"asked": len(validation), **given})


def test_overfitting_says_from_when_on_with_the_figures() -> None:
    (finding,) = of_loss(decay(0.6, 0.01, 20, 5), turning(0.4, 0.28, 0.7, 4, 20))
    assert (finding.kind, finding.epoch) == ("overfitting", 5)
    assert finding.figures["best_epoch"] == 4
    assert finding.text.startswith(
        "overfitting from epoch 5 on: validation loss went from 0.28 in epoch 4 to 0.70 in epoch "
        "20, while training loss improved from "
    )


def test_a_few_rows_that_change_sides_are_no_overfitting() -> None:
    # Best in epoch 8, two of 91 rows fewer at the end; of 9,100 rows it would be two hundred.
    history = {
        "accuracy": decay(0.7, 1.0, 20, 5),
        "val_accuracy": [*decay(0.9, 1.0, 8, 6)[:-1], 1.0, *[1 - 2 / 91] * 12],
    }
    assert kinds(diagnose([history], "accuracy", "max", asked=20, rows=91)) == []
    (finding,) = diagnose([history], "accuracy", "max", asked=20, rows=9100)
    assert (finding.kind, finding.epoch) == ("overfitting", 9)


def test_overfitting_is_seen_in_the_loss_where_accuracy_holds() -> None:
    history = {
        "accuracy": decay(0.7, 1.0, 20, 5),
        "val_accuracy": [*decay(0.7, 0.9, 10, 6), *[0.9] * 10],
        "loss": decay(0.6, 0.01, 20, 5),
        "val_loss": turning(0.5, 0.28, 0.7, 8, 20),
    }
    (finding,) = diagnose([history], "accuracy", "max", asked=20)
    assert (finding.kind, finding.epoch) == ("overfitting", 9)
    assert "validation loss" in finding.text


def test_still_improving_at_the_last_epoch() -> None:
    (finding,) = of_loss(decay(2.0, 0.5, 20, 1), decay(2.1, 0.6, 20, 1))
    assert finding.kind == "still_improving"
    assert "in the last 5 of 20 epochs" in finding.text
    # The user, or EarlyStopping, stopped it: nobody asked for more.
    assert kinds(of_loss(decay(2.0, 0.5, 20, 1), decay(2.1, 0.6, 20, 1), asked=None)) == []
    assert kinds(of_loss(decay(2.0, 0.5, 20, 1), decay(2.1, 0.6, 20, 1), asked=50)) == []


def test_underfitting_stands_still_without_a_gap() -> None:
    history = {"accuracy": decay(0.5, 0.71, 40, 12), "val_accuracy": decay(0.5, 0.70, 40, 12)}
    (finding,) = diagnose([history], "accuracy", "max", asked=40)
    assert finding.kind == "underfitting"
    assert "training accuracy stays at 0.71" in finding.text
    # All is learnt: there is no gap because there is no error.
    good = {"accuracy": decay(0.5, 0.995, 40, 12), "val_accuracy": decay(0.5, 0.99, 40, 12)}
    assert diagnose([good], "accuracy", "max", asked=40) == []


def test_a_metric_that_does_not_move_although_the_loss_does() -> None:
    loss = decay(0.6, 0.3, 10, 5)
    curves = {
        "loss": loss,
        "val_loss": loss,
        "f1_score": [0.86] * 10,
        "val_f1_score": [0.8649] * 10,
    }
    finding = diagnose([curves], "f1_score", "max", baseline=0.7, asked=10)[-1]
    assert finding.kind == "constant"
    assert finding.text == (
        "f1_score did not move: 0.8649 on the validation rows in all 10 epochs, while the training "
        f"loss went from 0.60 to {loss[-1]:.2f}"
    )
    for other in (
        {"f1_score": [*[0.86] * 9, 0.87]},
        {"f1_score": [1.0] * 10, "val_f1_score": [1.0] * 10},
        {"loss": [0.5] * 10},
    ):
        assert "constant" not in kinds(diagnose([curves | other], "f1_score", "max", asked=10))


def test_no_signal_is_never_better_than_the_baseline() -> None:
    history = {"accuracy": decay(0.5, 0.99, 20, 5), "val_accuracy": [0.48, 0.5, 0.52, 0.51] * 5}
    (finding,) = diagnose([history], "accuracy", "max", baseline=0.55, asked=20)
    smooth = moving_average(history["val_accuracy"], smoothing_factor(20))
    assert finding.text == (
        "no signal: in 20 epochs validation accuracy never beat the baseline's 0.550 "
        f"(best {max(smooth):.3f} in epoch {int(np.argmax(smooth)) + 1}, smoothed)"
    )
    assert kinds(diagnose([history], "accuracy", "max", baseline=0.4, asked=20)) != ["no_signal"]
    error = {"loss": [4.0] * 10, "mae": [3.1] * 10, "val_mae": [3.2] * 10, "val_loss": [4.0] * 10}
    assert kinds(diagnose([error], "mae", "min", baseline=3.0, asked=10)) == ["no_signal"]


def test_what_still_improves_is_not_called_lost() -> None:
    # As a recurrent network on a series, of which common sense knows the season.
    history = {"mae": decay(4.0, 2.7, 5, 1), "val_mae": decay(4.1, 2.9, 5, 1)}
    result = {
        "score": {"name": "mae", "direction": "min", "value": 2.9, "folds": [2.9]},
        "baseline": {"value": 2.24, "others": [{"value": 4.28}]},
        "best_epoch": 5,
        "best_value": 2.9,
        "epochs": 5,
    }
    given = dump_config(load_config(CONFIGS / "digits.yaml"))
    short = {**given, "training": {**given["training"], "epochs": 5}}
    facts = diagnosis_facts(result, [history], short)
    assert [finding["kind"] for finding in facts["diagnosis"]] == ["still_improving"]
    assert facts["suggestions"] == [{"text": "more epochs", "set": ["training.epochs=20"]}]
    # It jumps as well: that its rate is smaller would only slow it down.
    texts = [s.text for s in suggest(["noisy", "still_improving"], short, 5)]
    assert texts[0] == "more epochs"
    assert "a smaller learning rate" not in texts


def test_who_beats_a_weaker_baseline_has_found_something() -> None:
    # It stands still between the two.
    history = {"mae": [2.5] * 20, "val_mae": [2.9] * 20}
    result = {
        "score": {"name": "mae", "direction": "min", "value": 2.9, "folds": [2.9]},
        "baseline": {"value": 2.24, "others": [{"value": 4.28}, {"value": 3.1}]},
        "best_epoch": 1,
        "best_value": 2.9,
        "epochs": 20,
    }
    given = dump_config(load_config(CONFIGS / "digits.yaml"))
    assert diagnosis_facts(result, [history], given)["diagnosis"] == []
    worse = {**result, "baseline": {"value": 2.24, "others": [{"value": 2.8}]}}
    (finding,) = diagnosis_facts(worse, [history], given)["diagnosis"]
    assert finding["kind"] == "no_signal"


def test_noisy_jumps_more_than_it_gets_anywhere() -> None:
    jumps = [2.5 + 0.2 * (-1) ** epoch for epoch in range(40)]
    findings = of_loss(decay(2.4, 1.5, 40, 5), jumps)
    assert "noisy" in kinds(findings)
    (noisy,) = [finding for finding in findings if finding.kind == "noisy"]
    assert noisy.figures["jump"] == pytest.approx(0.4)


def test_diverged_names_the_epoch_and_nothing_else_matters() -> None:
    (finding,) = of_loss([0.9, 1.4, math.nan], [0.9, 1.6, math.nan])
    assert (finding.kind, finding.epoch) == ("diverged", 3)
    assert finding.text == "diverged: the loss became NaN in epoch 3, after 1.4 in epoch 2"
    # One fold is enough, whatever the others do.
    fine = {"loss": [0.9, 0.8, 0.7], "val_loss": [1.0, 0.9, 0.8]}
    bad = {"loss": [0.9, math.nan], "val_loss": [1.0, math.nan]}
    assert kinds(diagnose([fine, bad], "loss", "min")) == ["diverged"]


@pytest.mark.parametrize("epochs", [5, 12, 40, 200])
def test_a_good_fit_gets_no_diagnosis(epochs: int) -> None:
    random = np.random.default_rng(epochs)
    jitter = random.normal(0, 0.002, epochs)
    validation = list(np.array(decay(1.0, 0.3, epochs, 9)) + jitter)
    assert of_loss(decay(0.9, 0.2, epochs, 9), validation) == []


def test_short_or_empty_histories_get_none() -> None:
    assert of_loss([0.5, 0.4], [0.6, 0.5]) == []
    assert diagnose([], "loss", "min") == []
    assert diagnose([{"loss": [0.5, 0.4, 0.3]}], "loss", "min", asked=3) == []


def test_folds_are_judged_by_their_mean() -> None:
    rising, falling = turning(0.5, 0.3, 0.9, 5, 20), decay(0.5, 0.3, 20, 5)
    training = decay(0.5, 0.05, 20, 5)
    folds = [{"loss": training, "val_loss": curve} for curve in (rising, rising, falling)]
    (finding,) = diagnose(folds, "loss", "min", asked=20)
    mean = np.mean([rising, rising, falling], axis=0)
    assert finding.kind == "overfitting"
    assert finding.epoch == int(np.argmin(mean)) + 2
    assert finding.figures["validation_last"] == pytest.approx(mean[-1])


ALL = ["diverged", "no_signal", "overfitting", "still_improving", "underfitting", "noisy"]


QUICK = {
    "digits.yaml",
    "book/boston_kfold.yaml",
    "book/cats_and_dogs_vgg16_fine_tuned.yaml",
    "book/jena_gru.yaml",
    "book/three_outputs.yaml",
}
"""A config of each kind: a hold-out, folds, phases, a series, a graph."""


@pytest.mark.parametrize(
    "config",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in SHIPPED],
)
@pytest.mark.parametrize("kind", ALL)
def test_every_suggestion_can_be_pasted_and_changes_the_config(
    kind: str, config: str, tmp_path: Path
) -> None:
    loaded = load_config(CONFIGS / config)
    given = dump_config(loaded)
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(yaml.safe_dump(given, sort_keys=False))
    suggestions = suggest([kind], given, best_epoch=3)
    assert 0 < len(suggestions) <= 3
    for suggestion in suggestions:
        for file in (CONFIGS / config, resolved):
            changed = dump_config(load_config(file, suggestion.set))
            assert changed != given, suggestion


def test_against_overfitting_in_the_order_of_the_book() -> None:
    given = dump_config(load_config(CONFIGS / "digits.yaml"))
    texts = [s.text for s in suggest(["overfitting"], given, best_epoch=7)]
    assert texts == [
        "dropout before the last layer",
        "L2 weight regularization",
        "stop at the best epoch",
    ]
    assert suggest(["overfitting"], given, best_epoch=7)[-1].set == ("training.epochs=7",)
    stopped = {**given, "training": {**given["training"], "callbacks": ["EarlyStopping"]}}
    assert [s.text for s in suggest(["overfitting"], stopped, 7)][-1] == "a smaller network"


LOST = {"beats_simple_model": False, "difference": -69.2}


def test_where_a_straight_line_is_better_it_comes_first(tmp_path: Path) -> None:
    """Of a series, dropout and the like are not mentioned at all."""
    config = load_config(CONFIGS / "book" / "jena_gru.yaml")
    given = dump_config(config)
    history = {"loss": decay(1, 0.1, 20, 5), "val_loss": [*decay(1, 0.5, 10, 3), *np.arange(1, 11)]}
    result = {
        "score": {"name": "loss", "direction": "min"},
        "simple_model": {"name": "ridge regression on 3 of 9 rows", "verdict": LOST},
    }
    (first, *others) = diagnosis_facts(result, [history], given)["suggestions"]
    assert first["text"].startswith("ridge regression is 69.2 better: a linear model, or predict")
    assert others == []
    (flat, last) = dump_config(load_config(config.file, first["set"]))["architecture"]["layers"]
    assert ("Flatten" in flat, "Dense" in last) == (True, True)
    table = dump_config(load_config(CONFIGS / "book" / "boston_kfold.yaml"))
    found = diagnosis_facts(result, [history], table)["suggestions"]
    assert found[0]["set"] == ["architecture.layers=[{Dense: {units: 1}}]"]
    assert len(found) == 3
    won = result | {"simple_model": {"name": "ridge regression", "verdict": None}}
    assert first not in diagnosis_facts(won, [history], given)["suggestions"]


def test_fewer_epochs_are_those_of_the_phase_with_the_best_one() -> None:
    given = dump_config(load_config(CONFIGS / "digits.yaml"))
    phases = {"training": {"phases": [{"epochs": 3}, {"epochs": 5}], "batch_size": 32}}
    last = [suggest(["overfitting"], {**given, **phases}, best)[-1] for best in (2, 3, 5, 8)]
    assert [suggestion.set for suggestion in last] == [
        ("training.phases.0.epochs=2",),
        last[1].set,
        ("training.phases.1.epochs=2",),
        last[1].set,
    ]
    assert last[1].text == "a smaller network"
    longer = suggest(["still_improving"], {**given, **phases}, 8)
    assert longer[0].set == ("training.phases.1.epochs=10",)


def test_the_end_of_a_run_shows_them_to_be_pasted(tmp_path: Path) -> None:
    config = load_config(CONFIGS / "digits.yaml")
    epochs = config.training.epochs
    history = {
        "loss": decay(0.6, 0.01, epochs, 5),
        "accuracy": decay(0.6, 1.0, epochs, 5),
        "val_loss": turning(0.4, 0.28, 0.7, 4, epochs),
        "val_accuracy": turning(0.8, 0.9, 0.7, 4, epochs),
    }
    result = {
        "score": {"name": "accuracy", "direction": "max", "value": 0.7, "folds": [0.7]},
        "best_epoch": 4,
        "best_value": 0.9,
        "epochs": epochs,
        "seconds": 1.0,
    }
    facts = diagnosis_facts(result, [history], dump_config(config))
    assert [finding["kind"] for finding in facts["diagnosis"]] == ["overfitting"]
    lines = run_summary({**result, **facts}, "runs/x").text().splitlines()
    (said,) = [line for line in lines if line.startswith("diagnosis")]
    assert "overfitting from epoch 5 on: validation loss went from 0.28 in epoch 4" in said
    tries = [line for line in lines if line.startswith("try")]
    assert len(tries) == 3
    for line in tries:
        words = shlex.split(line.partition(": ")[2])
        load_config(CONFIGS / "digits.yaml", [word for word in words if word != "--set"])
