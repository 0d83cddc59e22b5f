"""What the curves show, without drawing them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dlrun.reports.curve_facts import (
    CurveFacts,
    PhaseStart,
    curve_direction,
    curve_facts,
    dwarfing_epochs,
    facts_from_table,
    is_noisy,
    metric_label,
    smoothing_factor,
)
from dlrun.reports.marked_epoch import MarkedEpoch, kept_epoch
from dlrun.text import figure

NAN = float("nan")
HISTORY = {
    "accuracy": [0.6, 0.8, 0.9],
    "loss": [0.7, 0.4, 0.2],
    "val_accuracy": [0.6, 0.75, 0.75],
    "val_loss": [0.7, 0.5, 0.6],
    "learning_rate": [0.1, 0.1, 0.01],
}


def fit_facts(history: dict[str, list[float]], title: str, **options: Any) -> CurveFacts:
    return curve_facts([history], title, **options)


def best(epoch, value):
    return MarkedEpoch(epoch, value, figure(value))


def panels(facts):
    return {panel.metric: panel for panel in facts.panels}


def test_one_training():
    facts = fit_facts(HISTORY, "digits")
    assert (facts.title, facts.epochs, facts.left_out) == ("digits", 3, 0)
    assert [panel.metric for panel in facts.panels] == ["accuracy", "loss"]
    loss = panels(facts)["loss"]
    assert loss.label == "Loss"
    assert loss.training == (0.7, 0.4, 0.2)
    assert loss.validation == (0.7, 0.5, 0.6)
    assert loss.marked == best(2, 0.5)
    assert panels(facts)["accuracy"].marked == best(2, 0.75)


def test_without_validation_data_no_epoch_is_best():
    facts = fit_facts({"loss": [3.0, 2.0]}, "final")
    (panel,) = facts.panels
    assert panel.validation == ()
    assert panel.marked is None


def test_the_user_may_say_which_way_is_better():
    history = {"profit": [1.0, 2.0], "val_profit": [3.0, 1.0]}
    assert fit_facts(history, "x").panels[0].marked is None
    assert fit_facts(history, "x", directions={"profit": "max"}).panels[0].marked == best(1, 3.0)


def test_diverged_epochs_are_never_best():
    facts = fit_facts({"loss": [1.0, NAN, math.inf], "val_loss": [1.0, NAN, -math.inf]}, "x")
    (panel,) = facts.panels
    assert panel.marked == best(1, 1.0)
    assert math.isnan(panel.validation[2])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val_mae", "min"),
        ("accuracy", "max"),
        ("answer_accuracy", "max"),
        ("answer_log_cosh", "min"),
        ("text_loss", "min"),
        ("auc_1", "max"),
        ("sparse_top_k_categorical_accuracy", "max"),
        ("false_positives", "min"),
        ("profit", None),
    ],
)
def test_directions_of_names_in_a_history(name, expected):
    assert curve_direction(name) == expected


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("loss", "Loss"),
        ("acc", "Accuracy"),
        ("mae", "MAE"),
        ("RootMeanSquaredError", "RMSE"),
        ("top_k_categorical_accuracy", "Top-k accuracy"),
        ("AUC", "AUC"),
        ("r2_score", "R² score"),
    ],
)
def test_labels(name, label):
    assert metric_label(name) == label


def fold(epochs, seed, noise=0.0):
    """A validation error that falls from 20 to about 2.5 and then rises slowly."""
    epoch = np.arange(1, epochs + 1)
    error = 2.4 + 18 * np.exp(-epoch / 4) + epoch / epochs
    return list(error + np.random.default_rng(seed).normal(0, noise, epochs))


def test_folds_have_a_mean_and_a_spread():
    histories = [{"mae": fold(30, 0), "val_mae": fold(30, i, 0.1)} for i in range(3)]
    (panel,) = curve_facts(histories, "boston").panels
    curves = np.array([history["val_mae"] for history in histories])
    assert panel.training == ()
    assert panel.curve == pytest.approx(curves.mean(axis=0))
    assert panel.std == pytest.approx(curves.std(axis=0, ddof=1))
    assert panel.marked is not None
    assert panel.marked.epoch == int(curves.mean(axis=0).argmin()) + 1
    assert panel.marked.value == pytest.approx(curves.mean(axis=0).min())


def test_folds_that_stop_early_have_a_mean_as_far_as_all_go():
    histories = [{"val_loss": [3.0, 2.0, 1.0]}, {"val_loss": [5.0, 4.0]}]
    facts = curve_facts(histories, "x")
    (panel,) = facts.panels
    assert facts.epochs == 3
    assert panel.curve == (4.0, 3.0)
    assert panel.folds[0] == (3.0, 2.0, 1.0)
    assert panel.marked == best(2, 3.0)


def test_first_epochs_that_dwarf_the_rest_are_left_out():
    values = fold(100, 0)
    left_out = dwarfing_epochs(values, "min")
    late = values[25:]
    limit = max(late) + 3 * (max(late) - min(late))
    assert 0 < left_out <= 25
    assert all(value > limit for value in values[:left_out])
    assert values[left_out] <= limit
    facts = curve_facts([{"val_mae": values}, {"val_mae": values}], "x")
    assert facts.left_out == left_out
    assert fit_facts({"mae": values[::-1], "val_mae": values}, "x").left_out == left_out
    assert fit_facts({"mae": values}, "x").left_out == left_out


def test_a_first_epoch_that_is_best_is_never_left_out():
    rising = [0.1, *np.linspace(5, 5.5, 60)]
    assert dwarfing_epochs(rising, "min") == 0
    assert dwarfing_epochs(rising, "max") == 1


@pytest.mark.parametrize(
    "values",
    [fold(39, 0), list(np.linspace(3, 1, 50)), [1.0] * 40, [], [NAN] * 30],
    ids=["short", "steady", "constant", "empty", "diverged"],
)
def test_nothing_is_left_out_of(values):
    assert dwarfing_epochs(values, "min") == 0


def test_noisy_means_are_smoothed_from_the_first_shown_epoch():
    histories = [{"val_mae": fold(500, i, 0.3)} for i in range(4)]
    facts = curve_facts(histories, "boston")
    (panel,) = facts.panels
    assert facts.left_out > 0
    assert panel.smoothed is not None
    assert panel.smoothed.factor == 0.9
    mean = np.mean([history["val_mae"] for history in histories], axis=0)
    expected = [mean[facts.left_out]]
    for value in mean[facts.left_out + 1 :]:
        expected.append(0.9 * expected[-1] + 0.1 * value)
    assert np.isnan(panel.smoothed.mean[: facts.left_out]).all()
    assert panel.smoothed.mean[facts.left_out :] == pytest.approx(expected)
    assert panel.marked.value == mean.min()


def test_quiet_and_short_curves_are_not_smoothed():
    assert not is_noisy(fold(200, 0))
    assert not is_noisy([1.0, 2.0] * 7)
    assert is_noisy([1.0, 2.0] * 8)
    assert not is_noisy([1.0] * 100)


def test_short_curves_are_smoothed_less():
    factors = [smoothing_factor(epochs) for epochs in (15, 50, 100, 450, 5000)]
    assert factors == sorted(factors)
    assert factors[-1] == 0.9
    for epochs, factor in ((50, factors[1]), (100, factors[2])):
        assert factor / (1 - factor) == pytest.approx(0.02 * epochs, abs=0.5)


def test_values_of_many_magnitudes_get_a_logarithmic_axis():
    steep = {"loss": [1e5, 1e3, *[10.0] * 10]}
    assert fit_facts(steep, "x").panels[0].logarithmic
    assert not fit_facts({"loss": [5.0, 1.0, 1e-6]}, "x").panels[0].logarithmic
    assert not fit_facts({"loss": [1e5, 1e3, *[0.0] * 10]}, "x").panels[0].logarithmic


def test_a_table_is_split_by_fold():
    table = {
        "fold": [0, 0, 1, 1],
        "epoch": [1, 2, 1, 2],
        "seconds": [0.1] * 4,
        "loss": [4.0, 3.0, 2.0, 1.0],
        "val_loss": [4.0, 2.0, 2.0, 4.0],
    }
    (panel,) = facts_from_table(table, "x").panels
    assert panel.folds == ((4.0, 2.0), (2.0, 4.0))
    assert panel.curve == (3.0, 3.0)
    one = {name: values[:2] for name, values in table.items()}
    (panel,) = facts_from_table(one, "x").panels
    assert panel.training == (4.0, 3.0)
    assert facts_from_table({}, "x").panels == ()


def test_folds_without_validation_show_their_training():
    (panel,) = curve_facts([{"loss": [2.0, 1.0]}, {"loss": [4.0, 3.0]}], "x").panels
    assert panel.validation == ()
    assert panel.curve == (3.0, 2.0)
    assert panel.marked is None


def test_where_phases_begin():
    phases, losses = [1, 1, 2, 2], [4.0, 3.0, 2.0, 1.0]
    table = {"fold": [0] * 4, "epoch": [1, 2, 3, 4], "phase": phases, "loss": losses}
    facts = facts_from_table(table, "x", phases=["head"])
    assert facts.phases == (PhaseStart(1, "head"), PhaseStart(3, "phase 2"))
    assert [panel.metric for panel in facts.panels] == ["loss"]


def test_only_phases_that_begin_together_in_all_folds_are_marked():
    one, other = [1, 1, 2, 2, 3], [1, 1, 2, 3, 3]
    table = {"fold": [0] * 5 + [1] * 5, "phase": one + other, "loss": [1.0] * 10}
    starts = facts_from_table(table, "x").phases
    assert starts == (PhaseStart(1, "phase 1"), PhaseStart(3, "phase 2"))


def test_a_phase_that_is_left_out_at_the_beginning_is_not_named():
    losses = [900.0] * 5 + [500.0] * 5 + [1.0 - i / 100 for i in range(70)]
    table = {"fold": [0] * 80, "phase": [1] * 5 + [2] * 35 + [3] * 40, "val_loss": losses}
    facts = facts_from_table(table, "x")
    assert facts.left_out == 10
    assert facts.shown_phases == (PhaseStart(11, "phase 2"), PhaseStart(41, "phase 3"))


RESULT = {
    "score": {"name": "accuracy", "interval": {"low": 0.72, "high": 0.78}},
    "best_epoch": 2,
    "folds": [{"best_epoch": 2, "kept_weights": {"epoch": 3, "monitor": None}}],
}


def test_all_curves_mark_the_epoch_that_was_kept():
    table = {"fold": [0, 0, 0], **HISTORY}
    kept = kept_epoch(RESULT | {"kept_weights": {"epoch": 3, "monitor": None}})
    facts = facts_from_table(table, "x", kept=kept)
    assert facts.mark == "kept epoch"
    assert panels(facts)["loss"].marked == MarkedEpoch(3, 0.6, "0.6")
    # The score is rounded by its interval.
    assert panels(facts)["accuracy"].marked == MarkedEpoch(3, 0.75, "0.750")
    assert kept_epoch(RESULT, 0) == kept
    # Several folds have no single model: the best epoch of their mean.
    assert facts_from_table(table, "x", kept=kept_epoch(RESULT)).mark == "best epoch"
    assert kept_epoch({}) is kept_epoch({}, 0) is None
