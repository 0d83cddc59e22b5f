"""A frozen base that is run once, against the same model trained whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from dlrun.registry.keras_component import KerasComponent
from dlrun.store.features import FeatureStore
from dlrun.training import features as features_module
from dlrun.training.engine import FitRequest, FitResult
from dlrun.training.features import FeatureRows, Features
from dlrun.training.phased import FitPhase, PhasedFit, PhasedTrainer
from dlrun.training.rows import FitRows
from dlrun.training.trainer import Trainer

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.normal(size=(50, 8, 8, 3)).astype("float32")
LABELS = RANDOM.integers(0, 2, 50).astype("int32")
TRAIN, WATCHED = np.arange(0, 50, 2), np.arange(1, 50, 2)


def compiled(model: Any) -> Any:
    """Without a graph for Keras' `fit`: tracing takes longer than so few steps."""
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


def model(seed: int = 0) -> Any:
    """A frozen base with batch normalization and penalties, and a head with dropout."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    base = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, kernel_regularizer="l2", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
        ],
        name="base",
    )
    base.get_layer("norm").moving_mean.assign(np.full(4, 0.3))
    base.trainable = False
    return compiled(
        keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                base,
                layers.Flatten(),
                layers.Dense(8, activation="relu", kernel_regularizer="l2"),
                layers.Dropout(0.5),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
    )


def request(seed: int = 0, order: int = 0) -> FitRequest:
    """A fit; its rows are dealt by `order`."""
    train, watched = dealt(order)
    return FitRequest(
        model(seed),
        FitRows(PICTURES[train], LABELS[train]),
        FitRows(PICTURES[watched], LABELS[watched]),
        epochs=3,
        batch_size=8,
        seed=seed,
    )


def dealt(order: int) -> tuple[np.ndarray, np.ndarray]:
    return (TRAIN, WATCHED) if order == 0 else (WATCHED, TRAIN)


def rows(order: int = 0, key: str = "data") -> FeatureRows:
    return FeatureRows(
        lambda: key, len(PICTURES), lambda start, stop: PICTURES[start:stop], *dealt(order)
    )


def phase(*callbacks: KerasComponent, epochs: int = 3) -> FitPhase:
    def build(whole: FitRequest) -> list[Any]:
        return [getattr(keras.callbacks, c.name)(**c.arguments) for c in callbacks]

    return FitPhase(None, epochs, 8, callbacks, model, compiled, build)


class Told:
    """Collects what the user is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> None:
        self.texts.append(text)


def trainer(folder: Path | None, engine: str = "keras", tell: Any = print) -> PhasedTrainer:
    kept = None if folder is None else Features(FeatureStore(folder), tell)
    return PhasedTrainer([Trainer(engine)], kept)


@dataclass(frozen=True)
class Computed:
    """A fit of one epoch and the features that it kept."""

    fitted: FitResult
    folder: Path

    def copied_to(self, folder: Path) -> Path:
        """The file of the features in another folder."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        (path,) = folder.rglob("*.npy")
        return path


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Computed:
    folder = tmp_path_factory.mktemp("features")
    fitted = trainer(folder).fit(PhasedFit(request(), [phase(epochs=1)], rows()))
    return Computed(fitted, folder)


def refuse(*arguments: Any) -> None:
    raise AssertionError("the base was run again")


def same(one: FitResult, other: FitResult) -> None:
    """Histories and all weights, optimizer included, agree but for rounding."""
    assert one.history.keys() == other.history.keys()
    for name, values in one.history.items():
        np.testing.assert_allclose(values, other.history[name], rtol=2e-4, atol=1e-6)
    for ours, theirs in zip(one.model.weights, other.model.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-3, atol=1e-5)
    for ours, theirs in zip(
        one.model.optimizer.variables, other.model.optimizer.variables, strict=True
    ):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=5e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_the_head_learns_on_features_what_the_whole_model_learns(
    tmp_path: Path, engine: str
) -> None:
    fast = trainer(tmp_path, engine).fit(PhasedFit(request(), [phase()], rows()))
    slow = trainer(None, engine).fit(PhasedFit(request(), [phase()], rows()))
    assert (fast.phases[0].features, slow.phases) == (6 * 6 * 4, ())
    same(fast, slow)
    fast.model.save(tmp_path / "whole.keras")
    loaded = keras.saving.load_model(tmp_path / "whole.keras")
    np.testing.assert_allclose(
        loaded.predict(PICTURES, verbose=0), fast.model.predict(PICTURES, verbose=0), rtol=1e-6
    )


@pytest.mark.slow
def test_the_same_fit_gives_the_same_digits_whether_features_are_computed_or_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    first = trainer(tmp_path, "fused", told).fit(PhasedFit(request(), [phase()], rows()))
    monkeypatch.setattr(features_module, "_compute", refuse)
    again = trainer(tmp_path, "fused", told).fit(PhasedFit(request(), [phase()], rows()))
    assert first.history == again.history
    assert told.texts == [
        "features of the frozen layers up to 'flatten' for 50 rows (144 numbers each) are computed "
        "once",
        "features of the frozen layers up to 'flatten' for 50 rows come from an earlier run",
    ]


@pytest.mark.slow
def test_folds_share_what_is_computed_and_what_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, compute = [], features_module._compute

    def count(*arguments: Any) -> None:
        calls.append(arguments)
        compute(*arguments)

    monkeypatch.setattr(features_module, "_compute", count)
    together, models = trainer(tmp_path, "fused"), []
    for fold in range(2):
        # The base of another fold is the same: pretrained weights do not depend on its seed.
        fit = request(fold, fold)
        fit.model.layers[0].set_weights(model(0).layers[0].get_weights())
        result = together.fit(PhasedFit(fit, [phase()], rows(fold)))
        fit = request(fold, fold)
        fit.model.layers[0].set_weights(model(0).layers[0].get_weights())
        same(result, trainer(None, "fused").fit(PhasedFit(fit, [phase()], rows(fold))))
        models.append(together._trainers[0]._model)
    assert len(calls) == 1
    assert models[0] is models[1]


@pytest.mark.slow
def test_other_data_other_preprocessing_or_another_base_are_computed_anew(tmp_path: Path) -> None:
    def kept() -> int:
        return len(list(tmp_path.rglob("*.npy")))

    trainer(tmp_path).fit(PhasedFit(request(), [phase(epochs=1)], rows()))
    assert kept() == 1
    trainer(tmp_path).fit(PhasedFit(request(), [phase(epochs=1)], rows(key="other data")))
    assert kept() == 2
    trainer(tmp_path).fit(PhasedFit(request(seed=1), [phase(epochs=1)], rows()))
    assert kept() == 3


@pytest.mark.slow
def test_another_backend_or_version_does_not_take_over_the_last_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set()
    for backend, version in (("tensorflow", "3.1"), ("jax", "3.1"), ("jax", "3.2")):
        facts = {"backend": backend, "keras": version, "devices": ["CPU:0"]}
        monkeypatch.setattr(features_module, "device_facts", lambda facts=facts: facts)
        trainer(tmp_path).fit(PhasedFit(request(), [phase(epochs=1)], rows()))
        names |= {path.name for path in tmp_path.rglob("*.npy")}
    assert len(names) == 3


def spoilt_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def spoilt_number(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 0x40
    path.write_bytes(bytes(data))


def spoilt_facts(path: Path) -> None:
    path.with_suffix(".json").write_text("{", encoding="utf-8")


def without_numbers(path: Path) -> None:
    path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [spoilt_end, spoilt_number, spoilt_facts, without_numbers])
def test_damaged_features_are_computed_again(
    tmp_path: Path, computed: Computed, spoil: Callable[[Path], None]
) -> None:
    spoil(computed.copied_to(tmp_path))
    again = trainer(tmp_path).fit(PhasedFit(request(), [phase(epochs=1)], rows()))
    assert computed.fitted.history == again.history


@pytest.mark.slow
def test_features_that_do_not_fit_into_memory_stay_on_disk(
    tmp_path: Path, computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed.copied_to(tmp_path)
    monkeypatch.setattr(features_module, "MOST_BYTES_IN_MEMORY", 100)
    monkeypatch.setattr(features_module, "_compute", refuse)
    read = trainer(tmp_path).fit(PhasedFit(request(), [phase(epochs=1)], rows()))
    same(computed.fitted, read)


@pytest.mark.slow
def test_a_disk_without_room_for_features_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    told = Told()
    result = trainer(tmp_path, tell=told).fit(PhasedFit(request(), [phase(epochs=1)], rows()))
    assert not result.phases
    assert len(told.texts) == 1
    assert told.texts[0].endswith(": No space left on device")
    assert not list(tmp_path.rglob("*.npy"))


def test_what_was_not_used_for_longest_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlrun.store import features as store_module

    store = FeatureStore(tmp_path)
    for number, key in enumerate(("a", "b")):
        store.write(key, (10, 10), lambda into: into.fill(1))
        os.utime(store.path / f"{key}.json", (number, number))
    assert store.find("a", (10, 10)) is not None  # and is now the newest
    monkeypatch.setattr(store_module, "MOST_BYTES", 1100)
    store.write("c", (10, 10), lambda into: into.fill(1))
    found = {key: store.find(key, (10, 10)) is not None for key in "abc"}
    assert found == {"a": True, "b": False, "c": True}
    assert not store.fits((100, 100))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="other systems refuse to remove an open file")
@pytest.mark.parametrize("in_memory", [2**30, 100])
def test_features_that_another_run_removes_are_read_to_the_end(
    tmp_path: Path, computed: Computed, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    computed.copied_to(tmp_path)
    monkeypatch.setattr(features_module, "MOST_BYTES_IN_MEMORY", in_memory)
    find = FeatureStore.find

    def robbed(store: FeatureStore, key: str, shape: tuple[int, ...]) -> Any:
        kept = find(store, key, shape)
        shutil.rmtree(store.path)
        return kept

    monkeypatch.setattr(FeatureStore, "find", robbed)
    monkeypatch.setattr(features_module, "_compute", refuse)
    again = trainer(tmp_path).fit(PhasedFit(request(), [phase(epochs=1)], rows()))
    assert again.history == computed.fitted.history
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.slow
def test_a_callback_that_looks_at_the_model_sees_all_of_it(tmp_path: Path) -> None:
    checkpoint = KerasComponent(
        "callback", "ModelCheckpoint", "ModelCheckpoint",
        {"filepath": str(tmp_path / "last.keras")},
    )  # fmt: skip
    result = trainer(tmp_path).fit(PhasedFit(request(), [phase(checkpoint, epochs=1)], rows()))
    assert not result.phases
    assert keras.saving.load_model(tmp_path / "last.keras").input_shape == (None, 8, 8, 3)
