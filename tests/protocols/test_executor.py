"""Folds are trained by an executor, which is this process unless another one is given."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from dlrun.protocols.executor import InThisProcess

CONFIG = """
    dataset: {source: sklearn, name: diabetes}
    preprocess: [standardize]
    architecture: {layers: [{Dense: {units: 4, activation: relu}}, {Dense: 1}]}
    loss: mse
    metrics: [mae]
    optimizer: sgd
    training: {engine: keras, epochs: 1, batch_size: 64}
    evaluation: {protocol: kfold, folds: 3}
"""


def test_results_and_errors_come_as_futures() -> None:
    executor = InThisProcess()
    assert executor.submit(divmod, 7, 2).result() == (3, 1)
    with pytest.raises(ZeroDivisionError):
        executor.submit(divmod, 7, 0).result()


def test_work_stops_where_the_caller_stops() -> None:
    done: list[int] = []
    for _ in InThisProcess().map(done.append, [1, 2, 3]):
        break
    assert done == [1]


@pytest.mark.slow
def test_another_executor_gives_the_same_digits(run: Callable[..., Any]) -> None:
    here = run(CONFIG)
    with ThreadPoolExecutor(max_workers=1) as executor:
        elsewhere = run(CONFIG, executor=executor)
    for fold, same in zip(here.outcome.folds, elsewhere.outcome.folds, strict=True):
        assert fold.measures == same.measures
        assert fold.history == same.history
        np.testing.assert_array_equal(fold.main.predictions, same.main.predictions)
