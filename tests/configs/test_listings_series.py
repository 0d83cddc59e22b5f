"""The book's networks on the weather of Jena: what a config builds and trains is what Keras by
hand does.

Listing numbers are those of Deep Learning with Python, first edition.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dlrun
from dlrun.config.load import load_config

pytestmark = pytest.mark.slow

BOOK = Path(__file__).parents[2] / "configs" / "book"
QUANTITIES = 14
BATCH = 8


def dense(layers: Any) -> list[Any]:
    """Listing 6.37."""
    return [layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(1)]


def gru(layers: Any) -> list[Any]:
    """Listing 6.39."""
    return [layers.GRU(32), layers.Dense(1)]


def gru_dropout(layers: Any) -> list[Any]:
    """Listing 6.40."""
    return [layers.GRU(32, dropout=0.2, recurrent_dropout=0.2), layers.Dense(1)]


def stacked_gru(layers: Any) -> list[Any]:
    """Listing 6.41."""
    return [
        layers.GRU(32, dropout=0.1, recurrent_dropout=0.5, return_sequences=True),
        layers.GRU(64, activation="relu", dropout=0.1, recurrent_dropout=0.5),
        layers.Dense(1),
    ]


def bidirectional(layers: Any) -> list[Any]:
    """Listing 6.44."""
    return [layers.Bidirectional(layers.GRU(32)), layers.Dense(1)]


def conv1d(layers: Any) -> list[Any]:
    """Listing 6.47."""
    return [
        layers.Conv1D(32, 5, activation="relu"),
        layers.MaxPooling1D(3),
        layers.Conv1D(32, 5, activation="relu"),
        layers.MaxPooling1D(3),
        layers.Conv1D(32, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(1),
    ]


def conv1d_gru(layers: Any) -> list[Any]:
    """Listing 6.49."""
    return [
        layers.Conv1D(32, 5, activation="relu"),
        layers.MaxPooling1D(3),
        layers.Conv1D(32, 5, activation="relu"),
        layers.GRU(32, dropout=0.1, recurrent_dropout=0.5),
        layers.Dense(1),
    ]


LISTINGS = {
    "jena_dense": dense,
    "jena_gru": gru,
    "jena_gru_dropout": gru_dropout,
    "jena_stacked_gru": stacked_gru,
    "jena_bidirectional": bidirectional,
    "jena_conv1d": conv1d,
    "jena_conv1d_gru": conv1d_gru,
}


def table(rows: int) -> pd.DataFrame:
    """Rows in the layout of the weather station."""
    rng = np.random.default_rng(0)
    names = ["p (mbar)", "T (degC)", *(f"quantity {i}" for i in range(QUANTITIES - 2))]
    times = pd.date_range("2009-01-01 00:10", periods=rows, freq="10min")
    frame = pd.DataFrame(rng.normal(5, 3, (rows, QUANTITIES)).round(3), columns=names)
    frame.insert(0, "Date Time", times.strftime("%d.%m.%Y %H:%M:%S"))
    return frame


def windows_by_hand(
    frame: pd.DataFrame, lookback: int, step: int, delay: int, stride: int
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Training and validation windows, targets, and places of their last rows, normalised as in
    listing 6.32, in plain loops.

    The stretches are those of the configs: 28.7% of the windows are test windows, 33.3% of the
    others validate, and no training window shares a row with what comes after it.
    """
    values = frame.drop(columns="Date Time").to_numpy()
    heat = frame["T (degC)"].to_numpy()
    span = (lookback // step - 1) * step + 1
    last = np.arange(span - 1, len(values) - delay, stride)
    apart = span - 1 + delay
    test = -(-287 * len(last) // 1000)
    kept = last[last + apart < last[-test]]
    held_out = int(np.ceil(0.333 * len(kept)))
    validation = kept[-held_out:]
    train = kept[kept + apart < validation[0]]
    stretch = values[: train[-1] + 1]
    scaled = (values - stretch.mean(axis=0)) / stretch.std(axis=0)
    known = heat[train + delay]

    def made(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = np.stack([scaled[now - span + 1 : now + 1 : step] for now in places])
        return x, (heat[places + delay] - known.mean()) / known.std(), places

    return {"train": made(train), "validation": made(validation)}


@pytest.mark.parametrize(("name", "by_hand"), LISTINGS.items(), ids=list(LISTINGS))
def test_the_config_builds_the_listing(name: str, by_hand: Callable[[Any], list[Any]]) -> None:
    import keras

    from dlrun.models.augment import InputSpec
    from dlrun.models.build import build_model

    config = load_config(BOOK / f"{name}.yaml")
    source: Any = config.dataset
    entry = (source.lookback // source.step, QUANTITIES)
    expected = keras.Sequential([keras.Input(entry), *by_hand(keras.layers)])
    found = build_model(config.architecture, config.blocks, {"input": InputSpec(entry, "float32")})
    assert [type(layer) for layer in found.layers] == [type(layer) for layer in expected.layers]
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        assert ours.output.shape == theirs.output.shape
        assert ours.count_params() == theirs.count_params()
        hand, file = theirs.get_config(), ours.get_config()
        for key in ("activation", "dropout", "recurrent_dropout", "filters", "pool_size"):
            assert file.get(key) == hand.get(key)
    assert (config.loss.name, config.optimizer.name) == ("MeanAbsoluteError", "RMSprop")
    assert (source.delay, config.training.batch_size) == (144, 128)


@pytest.mark.parametrize(
    ("name", "rows", "lookback"),
    [("jena_dense", 1200, 150), ("jena_gru", 1200, 150), ("jena_conv1d", 3000, 396)],
)
def test_the_first_epoch_is_that_of_keras_by_hand(
    name: str, rows: int, lookback: int, tmp_path: Path
) -> None:
    import keras

    step, delay, stride = 6, 12, 3
    frame = table(rows)
    frame.to_csv(tmp_path / "jena.csv", index=False)
    parts = windows_by_hand(frame, lookback, step, delay, stride)
    keras.utils.set_random_seed(0)
    (x, y, _), held_out = parts["train"], parts["validation"][:2]
    model = keras.Sequential([keras.Input(x.shape[1:]), *LISTINGS[name](keras.layers)])
    model.compile("rmsprop", "mae")
    told = model.fit(x, y, validation_data=held_out, batch_size=BATCH, shuffle=False, verbose=0)
    overrides = [
        f"dataset.path={tmp_path / 'jena.csv'}",
        *(f"dataset.{k}={v}" for k, v in {"lookback": lookback, "delay": delay}.items()),
        "training={epochs: 1, batch_size: 8, shuffle: false, engine: keras}",
    ]
    run = dlrun.train(BOOK / f"{name}.yaml", runs_dir=tmp_path, overrides=overrides)
    first = run.history.iloc[0]
    assert first["loss"] == pytest.approx(told.history["loss"][0], rel=1e-4)
    assert first["val_loss"] == pytest.approx(told.history["val_loss"][0], rel=1e-4)
    # The loss counts in standard deviations of the target, baselines in its own unit.
    places = parts["validation"][2]
    heat = frame["T (degC)"].to_numpy()
    persistence = np.abs(heat[places + delay] - heat[places]).mean()
    shown = run.result["baseline"]
    found = {one["name"]: one["value"] for one in (shown, *shown["others"])}
    assert found["persistence"] == pytest.approx(persistence, rel=1e-9)
