"""A fit that is broken off after any call goes on to the digits of one that was left alone."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fused_cases import CASES, Case
from test_every_callback import component
from test_fused_histories import request_of, state

from dlrun.errors import TrainingError
from dlrun.training.callbacks import build_callbacks
from dlrun.training.checkpoint import FitState
from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.fused import epochs as fused_epochs
from dlrun.training.trainer import Trainer

EPOCHS = 5
MOST_KILLS = 3


class KilledError(BaseException):
    """The process ends."""


class Kept:
    """Keeps the last state, saved at every call, as a file would; the process ends right after
    one of them."""

    def __init__(self, kill_after: int = 0, state: FitState | None = None) -> None:
        self._kill_after = kill_after
        self.state = state
        self.writes = 0

    def ready(self) -> bool:
        return True

    def due(self) -> bool:
        return True

    def write(self, state: FitState) -> None:
        facts = json.loads(json.dumps(state.facts))
        self.state = FitState(facts, {name: np.array(a) for name, a in state.arrays.items()})
        self.writes += 1
        if self.writes == self._kill_after:
            raise KilledError

    def saved(self) -> FitState | None:
        return self.state


class Epochs:
    """The epochs that a fit reports, over all of its processes."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, dict[str, float]]] = []

    def __call__(self, epoch: int, logs: dict[str, float], seconds: float) -> None:
        self.seen.append((epoch, logs))


def outcome(result: FitResult, request: FitRequest, epochs: Epochs) -> dict[str, Any]:
    """Everything that must not depend on where a fit was broken off."""
    kept = None if result.kept is None else vars(result.kept)
    return {
        "history": result.history,
        "epochs": epochs.seen,
        "kept": kept,
        "diverged": None if result.diverged is None else vars(result.diverged),
        "state": state(result.model),
        "predictions": np.asarray(result.model(request.train.inputs)),
        "numpy": np.random.get_state(),
        "python": random.getstate(),
    }


def fit_of(
    case: Case, folder: Path, callbacks: list[tuple[str, Any]], **options: Any
) -> tuple[FitRequest, Epochs]:
    """A fit with everything built anew."""
    epochs = Epochs()
    options = {"epochs": EPOCHS, "shuffle": True, "seed": 3, **options}
    request = request_of(case, 23, 5, on_epoch=epochs, **options)
    folder.mkdir(exist_ok=True)
    components = [component(*given) for given in callbacks]
    built = build_callbacks(components, lambda: folder, model=request.model)
    return FitRequest(**{**vars(request), "callbacks": built}), epochs


def files_in(folder: Path) -> dict[str, bytes]:
    """The text files that callbacks left behind, and the names of the others."""
    return {
        str(file.relative_to(folder)): file.read_bytes() if file.suffix == ".csv" else b""
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def assert_same(ours: Any, theirs: Any) -> None:
    np.testing.assert_equal(ours, theirs)


def fit_is_broken_off(
    engine: str,
    case: Case,
    folder: Path,
    callbacks: list[tuple[str, Any]],
    anew: int = 0,
    after: Sequence[int] = (),
    **options: Any,
) -> int:
    """Compare a fit that is broken off after calls with one that was left alone.

    Unless told, these are the first, the last and some between.

    Returns how many calls there are. Each fit has a fresh model, and the compiled one of the
    first fit is given its state, as in folds; for the kill `anew`, all is made anew.
    """
    shared = trainer(engine)
    request, epochs = fit_of(case, folder / "whole", callbacks, **options)
    whole = copy.deepcopy(outcome(shared.fit(request), request, epochs))
    files = files_in(folder / "whole")

    request, epochs = fit_of(case, folder / "saved", callbacks, **options)
    saved = Kept()
    assert_same(outcome(shared.fit(saving(request, saved)), request, epochs), whole)
    assert files_in(folder / "saved") == files
    for number in after or {anew, *spaced(saved.writes)} - {0}:
        place = folder / f"broken off {number}"
        request, epochs = fit_of(case, place, callbacks, **options)
        kept = Kept(number)
        with pytest.raises(KilledError):
            shared.fit(saving(request, kept))
        for callback in request.callbacks:
            if isinstance(callback, keras.callbacks.CSVLogger):
                callback.csv_file.close()
        assert kept.state is not None
        before = epochs.seen[: kept.state.facts["epochs"]]
        random.seed(99)
        np.random.seed(99)
        request, epochs = fit_of(case, place, callbacks, **options)
        epochs.seen += before
        used = trainer(engine) if number == anew else shared
        result = used.fit(saving(request, Kept(state=kept.state)))
        assert_same(outcome(result, request, epochs), whole)
        assert files_in(place) == files
    return saved.writes


def spaced(writes: int) -> list[int]:
    """Some of so many calls, the first and the last among them."""
    return np.linspace(1, writes, min(writes, MOST_KILLS)).astype(int).tolist()


def saving(request: FitRequest, checkpoints: Kept) -> FitRequest:
    return replace(request, checkpoints=checkpoints)


def trainer(engine: str) -> Trainer:
    return Trainer(engine, xla=False if engine == "fused" else None)


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch takes several calls."""
    monkeypatch.setattr(fused_epochs.RowsPerCall, "record", lambda *_: None)


@pytest.fixture
def growing_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first epoch takes three calls, each later one a call, or several of them one."""

    def record(self: fused_epochs.RowsPerCall, rows: int, seconds: float) -> None:
        self.rows *= fused_epochs.GROWTH

    monkeypatch.setattr(fused_epochs.RowsPerCall, "record", record)


CSV_LOGGER = ("CSVLogger", "epochs.csv")
EARLY_STOPPING = (
    "EarlyStopping",
    {"patience": 2, "min_delta": 0.05, "restore_best_weights": True},
)


@pytest.mark.usefixtures("short_calls")
def test_a_fit_goes_on_after_any_call(tmp_path: Path) -> None:
    callbacks, after = [CSV_LOGGER, EARLY_STOPPING], (2, 6)
    calls = fit_is_broken_off("fused", CASES["dropout"], tmp_path, callbacks, 0, after, epochs=2)
    # 5 steps, and the validation.
    assert calls == 2 * 6


def everything() -> Any:
    """Loss scaling that changes, and a mean of the weights."""
    adam = keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=7)
    return keras.optimizers.LossScaleOptimizer(adam, 2.0**4, dynamic_growth_steps=4)


EVERYTHING = Case(
    lambda: [
        keras.layers.Dense(8, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.4),
        keras.layers.GaussianNoise(0.3),
    ],
    optimizer=everything,
)
CALLBACKS: list[tuple[str, Any]] = [
    CSV_LOGGER,
    ("BackupAndRestore", {"backup_dir": "backup", "delete_checkpoint": False}),
    EARLY_STOPPING,
    ("History", None),
    ("LearningRateScheduler", {0: 0.01, 3: 0.002}),
    ("ModelCheckpoint", {"filepath": "best.keras", "save_best_only": True}),
    ("ReduceLROnPlateau", {"monitor": "loss", "patience": 1, "cooldown": 1, "min_delta": 0.5}),
]


@pytest.mark.slow
@pytest.mark.engines
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("growing_calls")
@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_every_callback_goes_on(engine: str, tmp_path: Path) -> None:
    # EarlyStopping may end the fit.
    assert fit_is_broken_off(engine, EVERYTHING, tmp_path, CALLBACKS, anew=2) >= 3


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("swap_on_epoch", [False, pytest.param(True, marks=pytest.mark.engines)])
def test_swapped_weights_go_on(swap_on_epoch: bool, tmp_path: Path) -> None:
    callbacks = [("SwapEMAWeights", {"swap_on_epoch": swap_on_epoch}), ("TerminateOnNaN", None)]
    assert fit_is_broken_off("keras", CASES["moving average"], tmp_path, callbacks, 1) == EPOCHS


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("growing_calls")
@pytest.mark.parametrize(
    "name",
    [
        "gradient accumulation",
        "gru with recurrent dropout",
        pytest.param("schedule", marks=pytest.mark.engines),
    ],
)
def test_epochs_of_one_call_go_on(name: str, tmp_path: Path) -> None:
    assert fit_is_broken_off("fused", CASES[name], tmp_path, [], anew=1) == 4


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("short_calls")
@pytest.mark.parametrize("callbacks", [[], [EARLY_STOPPING]])
def test_a_fit_that_diverges_after_it_went_on_keeps_the_same_epoch(
    callbacks: list[Any], tmp_path: Path
) -> None:
    def optimizer() -> Any:
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([12], [0.01, 1e30])
        return keras.optimizers.SGD(schedule)

    case = replace(CASES["regression"], optimizer=optimizer)
    fit_is_broken_off("fused", case, tmp_path, callbacks)


class _Counting(keras.callbacks.Callback):
    """A callback of a user, which knows how many epochs it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.count += 1


class _Declaring(_Counting):
    def state(self) -> dict[str, Any]:
        return {"count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


def test_callbacks_of_a_user_go_on_if_they_say_how_and_else_are_named() -> None:
    class Own(_Counting):
        pass

    case, notes = CASES["weighted line"], list[str]()

    def fit(checkpoints: Kept) -> list[Any]:
        callbacks = [Own(), _Declaring()]
        request = request_of(
            case,
            23,
            23,
            epochs=3,
            callbacks=callbacks,
            checkpoints=checkpoints,
            on_note=notes.append,
        )
        shared.fit(request)
        return callbacks

    shared = trainer("fused")
    kept = Kept(2)
    with pytest.raises(KilledError):
        fit(kept)
    assert notes == []
    assert kept.state is not None
    done = kept.state.facts["epochs"]
    own, declaring = fit(Kept(state=kept.state))
    assert (own.count, declaring.count) == (3 - done, 3)
    assert notes == [
        "the callback Own has no methods `state()` and `restore(state)`, so it begins again where "
        "the training goes on"
    ]


def test_a_state_of_another_model_is_refused() -> None:
    shared, kept = trainer("fused"), Kept(1)
    request = request_of(CASES["weighted line"], 23, 23, epochs=3, checkpoints=kept)
    with pytest.raises(KilledError):
        shared.fit(request)
    assert kept.state is not None
    other = replace(CASES["weighted line"], shape=(4,))
    request = request_of(other, 23, 23, epochs=3, checkpoints=Kept(state=kept.state))
    with pytest.raises(TrainingError, match=r"of another model: its layers/.*kernel has the shape"):
        trainer("keras").fit(request)
