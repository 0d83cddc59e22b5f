"""Predictions bear the names, and mean what the loss makes of the output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from dlrun.metrics.cuts import Meaning, meaning_by_loss, meaning_of
from dlrun.registry.keras_component import KerasComponent
from dlrun.workflows.predict import class_table

RNG = np.random.default_rng(0)
THREE, ONE = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 1))


def loss_of(name: str, **arguments: Any) -> Meaning:
    return meaning_by_loss(KerasComponent("loss", name, name, arguments))


def test_logits_of_several_classes_become_their_shares() -> None:
    loss = loss_of("SparseCategoricalCrossentropy", from_logits=True)
    table = class_table(THREE, loss, ("low", "mid", "high"), None)
    assert list(table) == ["prediction", "probability_low", "probability_mid", "probability_high"]
    np.testing.assert_allclose(table.iloc[:, 1:], softmax(THREE, axis=1))
    assert table.prediction.tolist() == np.take(["low", "mid", "high"], THREE.argmax(1)).tolist()


@pytest.mark.parametrize("from_logits", [True, False])
def test_one_output_is_the_probability_of_the_second_class(from_logits: bool) -> None:
    shares = expit(ONE)
    loss = loss_of("BinaryCrossentropy", from_logits=from_logits)
    table = class_table(ONE if from_logits else shares, loss, ("no", "yes"), None)
    np.testing.assert_allclose(table.probability_yes, shares[:, 0])
    np.testing.assert_allclose(table.probability_no, 1 - shares[:, 0])
    assert table.prediction.tolist() == np.where(shares[:, 0] > 0.5, "yes", "no").tolist()


def test_logits_of_several_labels_are_taken_one_by_one() -> None:
    loss = loss_of("BinaryCrossentropy", from_logits=True)
    table = class_table(THREE, loss, (), ["a", "b", "c"])
    assert list(table) == ["probability_a", "probability_b", "probability_c"]
    np.testing.assert_allclose(table, expit(THREE))


@pytest.mark.parametrize("loss", ["Hinge", "SquaredHinge"])
def test_a_margin_stays_a_score_and_is_split_at_0(loss: str) -> None:
    table = class_table(5 * ONE, loss_of(loss), ("no", "yes"), None)
    assert list(table) == ["prediction", "score"]
    np.testing.assert_array_equal(table.score, 5 * ONE[:, 0])
    assert table.prediction.tolist() == np.where(ONE[:, 0] > 0, "yes", "no").tolist()


def test_margins_of_several_classes_stay_scores() -> None:
    table = class_table(THREE, loss_of("CategoricalHinge"), ("a", "b", "c"), None)
    assert list(table) == ["prediction", "score_a", "score_b", "score_c"]
    np.testing.assert_array_equal(table.iloc[:, 1:], THREE)
    assert table.prediction.tolist() == np.take(["a", "b", "c"], THREE.argmax(1)).tolist()


def test_outputs_beyond_the_named_classes_are_called_by_their_index() -> None:
    output = np.eye(5)
    table = class_table(output, loss_of("SparseCategoricalCrossentropy"), ("a", "b", "c"), None)
    assert table.prediction.tolist() == ["a", "b", "c", "3", "4"]
    assert list(table)[-2:] == ["probability_3", "probability_4"]


@pytest.mark.parametrize(
    ("activation", "word"), [(None, "score"), ("linear", "score"), ("sigmoid", "probability")]
)
def test_a_plugins_loss_makes_scores_unless_the_outputs_are_probabilities(
    activation: str | None, word: str
) -> None:
    meaning = meaning_of("contrastive", own=True, activation=activation)
    columns = list(class_table(np.abs(ONE), meaning, ("other", "same"), None))
    assert columns[1:] == (
        ["score"] if word == "score" else ["probability_other", "probability_same"]
    )
