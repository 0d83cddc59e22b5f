"""Fits that end early: what is saved by then, what callbacks see, and how the fit goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from fused_cases import CASES
from test_fused_histories import request_of
from test_saved_fits import Kept, KilledError, short_calls, trainer

from dlrun.errors import TrainingError
from dlrun.training.engine import FitResult
from dlrun.training.interrupt import TimeLimit, deferred_interrupt
from dlrun.training.trainer import Trainer

__all__ = ["short_calls"]

LINE = replace(CASES["weighted line"], optimizer=lambda: keras.optimizers.SGD(0.01))


class Never(Kept):
    """Saves a fit only where it ends."""

    def due(self) -> bool:
        return False


class NotReady(Never):
    """Cannot save the first epoch, as that of a second phase."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs = 0

    def ready(self) -> bool:
        return self.epochs > 0


def fit_without_time(with_trainer: Trainer, kept: Kept, **options: Any) -> FitResult:
    """Train three epochs of five steps with a time limit that is over as soon as they begin."""
    request = request_of(LINE, 23, 5, epochs=3, checkpoints=kept, **options)
    with deferred_interrupt(TimeLimit.of("1h")), pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimeLimit, "is_over", lambda *_: True)
        return with_trainer.fit(request)


@pytest.mark.parametrize("engine", [pytest.param("keras", marks=pytest.mark.slow), "naive"])
def test_a_time_limit_waits_for_the_end_of_an_epoch_that_is_saved(engine: str) -> None:
    kept, shared = Never(), trainer(engine)
    result = fit_without_time(shared, kept)
    assert (result.interrupted, len(result.history["loss"])) == (True, 1)
    assert kept.writes == 1
    assert kept.state is not None
    assert kept.state.facts["epochs"] == 1
    kept = Never(state=kept.state)
    fit_without_time(shared, kept)
    assert kept.state is not None
    assert kept.state.facts["epochs"] == 2


@pytest.mark.slow
@pytest.mark.usefixtures("short_calls")
def test_a_fused_fit_gets_on_a_call_within_any_time_limit() -> None:
    steps, state, shared = list[int](), None, trainer("fused")
    for _ in range(3):
        kept = Never(state=state)
        result = fit_without_time(shared, kept, on_step=lambda _, step, of: steps.append(step))
        assert result.interrupted
        assert kept.writes == 1
        state = kept.state
    assert steps == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.usefixtures("short_calls")
def test_a_time_limit_waits_until_a_fit_can_be_saved() -> None:
    kept = NotReady()

    def count(*_: Any) -> None:
        kept.epochs += 1

    result = fit_without_time(trainer("fused"), kept, on_epoch=count)
    assert (result.interrupted, len(result.history["loss"])) == (True, 1)
    assert kept.writes == 1


class _Stopwatch(keras.callbacks.Callback):
    """A user's callback that needs the beginning of an epoch at its end, and changes the rate."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()
        self.model.optimizer.learning_rate.assign(self.model.optimizer.learning_rate * 0.5)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds = time.perf_counter() - self.began


@pytest.mark.slow
@pytest.mark.usefixtures("short_calls")
def test_callbacks_see_the_beginning_of_an_epoch_that_goes_on() -> None:
    def fit(kept: Kept) -> FitResult:
        request = request_of(LINE, 23, 5, epochs=2, callbacks=[_Stopwatch()], checkpoints=kept)
        return shared.fit(request)

    shared, kept = trainer("fused"), Kept(2)
    whole = fit(Kept()).history
    with pytest.raises(KilledError):
        fit(kept)
    assert kept.state is not None
    assert kept.state.facts["position"]["step"] == 2
    assert fit(Kept(state=kept.state)).history == whole


class _Plugin(keras.callbacks.Callback):
    """A plugin's callback whose state is a set, from the beginning or from the second epoch on."""

    def __init__(self, after: int = 0) -> None:
        super().__init__()
        self.after, self.epochs, self.ended = after, 0, False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs += 1

    def on_train_end(self, logs: Any = None) -> None:
        self.ended = True

    def state(self) -> dict[str, Any]:
        return {"seen": {1} if self.epochs >= self.after else [1]}

    def restore(self, state: dict[str, Any]) -> None:
        pass


def test_a_state_that_cannot_be_saved_is_refused_before_training() -> None:
    plugin, epochs = _Plugin(), list[int]()
    request = request_of(
        LINE, 23, 23, callbacks=[plugin], checkpoints=Kept(), on_epoch=lambda *_: epochs.append(1)
    )
    with pytest.raises(TrainingError) as raised:
        trainer("keras").fit(request)
    assert str(raised.value) == (
        "the callback _Plugin cannot be saved: state()/seen is {1}, which a checkpoint cannot "
        "keep; return a dictionary of numbers, text, lists, arrays, and dictionaries with text "
        "as keys, or set `training: {checkpoint: false}`"
    )
    assert epochs == []
    # Callbacks close their files.
    assert plugin.ended


@pytest.mark.slow
def test_a_state_that_cannot_be_saved_any_more_is_noted_once() -> None:
    kept, notes = Kept(), list[str]()
    request = request_of(
        LINE,
        23,
        23,
        epochs=4,
        callbacks=[_Plugin(after=2)],
        checkpoints=kept,
        on_note=notes.append,
    )
    assert len(trainer("keras").fit(request).history["loss"]) == 4
    assert kept.writes == 1
    assert notes == [
        "the callback _Plugin cannot be saved: state()/seen is {1}, which a checkpoint cannot "
        "keep; no checkpoint is written from here on"
    ]


def test_callbacks_end_where_the_first_epoch_diverges() -> None:
    plugin = _Plugin()
    request = request_of(LINE, 23, 5, callbacks=[plugin])
    kernel = request.model.layers[-1].kernel
    kernel.assign(np.full(kernel.shape, np.nan, np.float32))
    with pytest.raises(TrainingError, match="became NaN in epoch 1"):
        trainer("keras").fit(request)
    assert plugin.ended
