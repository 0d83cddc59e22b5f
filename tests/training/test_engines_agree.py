"""Whatever engine trains, the rows are seen in the same order and the history is the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fused_cases import CASES, Case

from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.fused.engine import FusedEngine
from dlrun.training.keras_engine import KerasEngine

EPOCHS = 4


def request_of(case: Case, **options: Any) -> FitRequest:
    settings = {
        "model": case.model(),
        "train": case.rows(23),
        "validation": case.rows(11, seed=1),
        "epochs": EPOCHS,
        "batch_size": 5,
        "seed": 3,
        "class_weight": case.class_weight,
    }
    return FitRequest(**{**settings, **options})


def assert_same(ours: FitResult, theirs: FitResult) -> None:
    assert list(ours.history) == list(theirs.history)
    assert len(ours.history["loss"]) == EPOCHS
    for name, values in theirs.history.items():
        np.testing.assert_allclose(ours.history[name], values, rtol=1e-6, atol=1e-6, err_msg=name)
    for one, other in zip(ours.model.get_weights(), theirs.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dropout", pytest.param("class weights", marks=pytest.mark.slow)])
def test_fused_and_keras_engines_give_the_same_history_of_shuffled_rows(name: str) -> None:
    case = CASES[name]
    fused = FusedEngine(xla=False).fit(request_of(case))
    assert_same(KerasEngine().fit(request_of(case)), fused)


@pytest.mark.slow
def test_the_order_of_the_rows_depends_on_the_seed() -> None:
    case = CASES["dense"]
    one = KerasEngine().fit(request_of(case))
    other = KerasEngine().fit(request_of(case, seed=4))
    assert one.history["loss"] != other.history["loss"]


@pytest.mark.slow
def test_without_shuffling_the_keras_engine_sees_rows_as_they_are() -> None:
    case = CASES["weighted line"]
    fitted = KerasEngine().fit(request_of(case, shuffle=False))
    rows, checked, model = case.rows(23), case.rows(11, seed=1), case.model()
    history = model.fit(
        rows.inputs,
        rows.targets,
        sample_weight=rows.weights,
        validation_data=(checked.inputs, checked.targets, checked.weights),
        batch_size=5,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
    ).history
    for name, values in history.items():
        np.testing.assert_allclose(fitted.history[name], values, rtol=1e-6, err_msg=name)


@pytest.mark.slow
def test_callbacks_of_a_second_fit_do_not_disturb_the_order() -> None:
    case, engine = CASES["dense"], KerasEngine()
    request = request_of(case)
    engine.fit(request)
    again = engine.fit(replace(request, model=case.model()))
    assert_same(again, FusedEngine(xla=False).fit(request_of(case)))
