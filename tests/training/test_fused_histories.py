"""The fused engine against Keras' own `fit` on the same order of rows."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import numpy as np
import pytest
from fused_cases import CASES, Case
from hypothesis import given, settings
from hypothesis import strategies as st

from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.fused import epochs as fused_epochs
from dlrun.training.fused.engine import FusedEngine
from dlrun.training.rows import FitRows, row_order

EPOCHS = 4


def request_of(case: Case, rows: int, batch_size: int, **options: Any) -> FitRequest:
    """A fit of a fresh model, on rows in their own order unless told otherwise."""
    settings = {
        "model": case.model(),
        "train": case.rows(rows),
        "validation": case.rows(11, seed=1),
        "epochs": EPOCHS,
        "batch_size": batch_size,
        "shuffle": False,
        "class_weight": case.class_weight,
    }
    return FitRequest(**{**settings, **options})


def keras_fit(request: FitRequest, model: Any, **options: Any) -> dict[str, list[float]]:
    """What Keras' `fit` makes of the same request."""
    settings = {
        "sample_weight": request.train.weights,
        "validation_data": None if request.validation is None else _tuple(request.validation),
        "validation_batch_size": request.validation_batch_size,
        "epochs": request.epochs,
        "batch_size": request.batch_size,
        "class_weight": request.class_weight,
        "shuffle": False,
        "verbose": 0,
    }
    fitted = model.fit(request.train.inputs, request.train.targets, **{**settings, **options})
    return dict(fitted.history)


def _tuple(rows: FitRows) -> tuple[Any, ...]:
    parts = (rows.inputs, rows.targets, rows.weights)
    return tuple(part for part in parts if part is not None)


def state(model: Any) -> list[Any]:
    """Weights, random state and optimizer state."""
    metrics = {id(variable) for variable in model.metrics_variables}
    variables = [v for v in model.variables if id(v) not in metrics]
    return [np.asarray(v) for v in [*variables, *model.optimizer.variables]]


def assert_equal(
    fused: FitResult, history: dict[str, list[float]], model: Any, tolerance: float
) -> None:
    """The same metrics in every epoch, and the same model in the end."""
    rates = fused.history.pop("learning_rate")
    assert len(rates) == len(history["loss"])
    assert list(fused.history) == sorted(history)
    for name, values in history.items():
        np.testing.assert_allclose(
            fused.history[name], values, rtol=tolerance, atol=tolerance, err_msg=name
        )
    for ours, theirs in zip(state(fused.model), state(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=10 * tolerance, atol=10 * tolerance)


QUICK = {"batch norm", "dropout", "pooled embedding"}


def some_slow(names: Iterable[str], quick: Container[str]) -> list[Any]:
    """Parameters; those that are not quick are slow."""
    return [pytest.param(name, marks=[] if name in quick else [pytest.mark.slow]) for name in names]


@pytest.mark.parametrize("name", some_slow(CASES, QUICK))
def test_without_xla_histories_are_those_of_fit(name: str) -> None:
    request = request_of(CASES[name], rows=23, batch_size=5)
    fused = FusedEngine(xla=False).fit(request)
    model = CASES[name].model()
    assert_equal(fused, keras_fit(request, model), model, 1e-6)


WITH_XLA = (
    "regression",
    "image",
    "lstm",
    "masked gru in both directions",
    "batch norm",
    "row weights",
    "global clipnorm",
    "moving average",
    "several metrics",
)
"""What XLA must train within 1e-4 of `fit`, one of each kind."""


@pytest.mark.slow
@pytest.mark.parametrize("name", some_slow(WITH_XLA, {"regression"}))
def test_with_xla_histories_differ_from_fit_by_rounding(name: str) -> None:
    request = request_of(CASES[name], rows=23, batch_size=5)
    fused = FusedEngine(xla=True).fit(request)
    model = CASES[name].model()
    assert_equal(fused, keras_fit(request, model), model, 1e-4)


@pytest.mark.slow
@given(rows=st.integers(1, 40), batch_size=st.integers(1, 45), checked=st.integers(0, 300))
@settings(max_examples=6)
def test_any_number_of_rows_in_batches_of_any_size(
    rows: int, batch_size: int, checked: int
) -> None:
    case = CASES["weighted line"]
    validation = case.rows(checked, seed=1) if checked else None
    request = request_of(case, rows, batch_size, validation=validation, epochs=2)
    fused = FusedEngine(xla=False).fit(request)
    model = case.model()
    assert_equal(fused, keras_fit(request, model), model, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [4, 5, 6])
def test_xla_takes_partial_batches(rows: int) -> None:
    request = request_of(CASES["regression"], rows, batch_size=5)
    fused = FusedEngine(xla=True).fit(request)
    model = CASES["regression"].model()
    assert_equal(fused, keras_fit(request, model), model, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("xla", [False, True])
def test_how_training_is_cut_into_calls_changes_no_digit(
    xla: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for seconds in (0.0, 60.0):
        monkeypatch.setattr(fused_epochs, "SECONDS_A_CALL", seconds)
        told: list[tuple[int, int]] = []
        request = request_of(
            CASES["dense"],
            23,
            5,
            validation=CASES["dense"].rows(600, seed=1),
            shuffle=True,
            epochs=12,
            on_step=lambda epoch, step, steps, told=told: told.append((epoch, step)),
        )
        results.append((FusedEngine(xla).fit(request), told))
    (small, small_told), (large, large_told) = results
    assert [step for epoch, step in small_told if epoch == 12] == [1, 2, 3, 4, 5]
    assert not [step for epoch, step in large_told if epoch == 12]
    assert small.history == large.history
    for ours, theirs in zip(state(small.model), state(large.model), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("xla", [False, True])
def test_every_epoch_sees_the_rows_in_the_order_of_its_seed(xla: bool) -> None:
    case = CASES["dense"]
    request = request_of(case, 23, 5, seed=7, shuffle=True)
    fused = FusedEngine(xla).fit(request)
    model = case.model()
    history: dict[str, list[float]] = {}
    for epoch in range(EPOCHS):
        order = row_order(23, seed=7, epoch=epoch, shuffle=True)
        train = FitRows(request.train.inputs[order], request.train.targets[order])
        shuffled = request_of(case, 23, 5, model=model, train=train, epochs=1)
        for name, values in keras_fit(shuffled, model).items():
            history.setdefault(name, []).extend(values)
    assert_equal(fused, history, model, 1e-4 if xla else 1e-6)


def test_row_orders_are_permutations_that_depend_on_seed_and_epoch_alone() -> None:
    orders = {
        (seed, epoch): row_order(50, seed=seed, epoch=epoch, shuffle=True)
        for seed in range(3)
        for epoch in range(3)
    }
    assert all(sorted(order) == list(range(50)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 9
    again = row_order(50, seed=2, epoch=1, shuffle=True)
    np.testing.assert_array_equal(again, orders[2, 1])


@pytest.mark.slow
@pytest.mark.parametrize("xla", [False, True])
def test_the_same_fit_twice_gives_the_same_digits(xla: bool) -> None:
    results = []
    for _ in range(2):
        request = request_of(CASES["dense"], 23, 5, seed=1, shuffle=True, epochs=30)
        results.append(FusedEngine(xla).fit(request))
    first, second = results
    assert first.history == second.history
    for ours, theirs in zip(state(first.model), state(second.model), strict=True):
        np.testing.assert_array_equal(ours, theirs)
