"""Which layers keep their weights, by name and pattern, and what Keras makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dlrun.errors import ComponentError
from dlrun.models.freezing import Freezing, flags_of_phases, set_flags

PATH = ("training", "phases", 0)


def base(name: str = "base") -> Any:
    """A nested model of two blocks."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name="block1_conv"),
            keras.layers.BatchNormalization(name="block1_norm"),
            keras.layers.Conv2D(4, 3, name="block2_conv"),
            keras.layers.BatchNormalization(name="block2_norm"),
        ],
        name=name,
    )


def model() -> Any:
    """A base and a head."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            base(),
            keras.layers.Flatten(name="flatten"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(2, name="dense"),
        ]
    )


def trained(model: Any, *phases: tuple[list[str], list[str]]) -> list[set[str]]:
    """The layers with weights that are trained, in each phase."""
    changes = [Freezing(freeze, unfreeze, PATH) for freeze, unfreeze in phases]
    weightless = {"flatten"}
    return [
        {name for name, flag in flags.items() if flag} - weightless
        for flags in flags_of_phases(model, changes)
    ]


def test_a_nested_model_by_its_name_and_its_layers_by_a_dot_and_patterns() -> None:
    assert trained(model(), (["base"], [])) == [{"norm", "dense"}]
    assert trained(model(), (["base.block1_conv", "norm"], [])) == [
        {"base.block1_norm", "base.block2_conv", "base.block2_norm", "dense"}
    ]
    assert trained(model(), (["base.block?_conv", "de*"], [])) == [
        {"base.block1_norm", "base.block2_norm", "norm"}
    ]
    assert trained(model(), (["*"], ["dense"])) == [{"dense"}]


def test_a_phase_begins_where_the_one_before_ended() -> None:
    phases = ((["base"], []), ([], ["base.block2_*"]), (["dense"], []), ([], ["*"]))
    assert trained(model(), *phases) == [
        {"norm", "dense"},
        {"norm", "dense", "base.block2_conv"},
        {"norm", "base.block2_conv"},
        {"norm", "dense", "base.block1_conv", "base.block2_conv"},
    ]


def test_batch_normalization_of_a_base_stays_frozen_unless_it_is_named() -> None:
    assert trained(model(), (["base"], []), ([], ["base"]))[1] == {
        "norm", "dense", "base.block1_conv", "base.block2_conv",
    }  # fmt: skip
    named = (["base"], []), ([], ["base", "base.block2_norm"])
    assert "base.block2_norm" in trained(model(), *named)[1]
    # One that was never frozen is the user's own.
    assert "base.block1_norm" in trained(model(), ([], ["base"]))[0]


def test_frozen_batch_normalization_of_an_unfrozen_base_infers_and_does_not_learn() -> None:
    made = model()
    flags = flags_of_phases(made, [Freezing(["base"], []), Freezing([], ["base"], PATH)])[1]
    set_flags(made, flags)
    norm = made.get_layer("base").get_layer("block1_norm")
    norm.moving_mean.assign(np.full(4, 3.0))
    rows = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
    features = made.get_layer("base")
    np.testing.assert_array_equal(features(rows, training=True), features(rows, training=False))
    before = [weight.numpy() for weight in norm.weights]
    kernel = features.get_layer("block1_conv").kernel.numpy()
    made.compile("sgd", "mse")
    made.fit(rows, np.ones((6, 2)), epochs=2, verbose=0)
    for value, weight in zip(before, norm.weights, strict=True):
        np.testing.assert_array_equal(value, weight.numpy())
    assert (features.get_layer("block1_conv").kernel.numpy() != kernel).any()


def test_frozen_weights_stay_and_the_others_learn() -> None:
    made = model()
    set_flags(made, flags_of_phases(made, [Freezing(["base.block1_conv", "norm"], [], PATH)])[0])
    made.compile("sgd", "mse")
    before = {weight.path: weight.numpy() for weight in made.weights}
    made.fit(np.ones((6, 8, 8, 3)), np.ones((6, 2)), epochs=1, verbose=0)
    changed = {
        path.split("/")[-2]
        for path, weight in ((weight.path, weight.numpy()) for weight in made.weights)
        if (before[path] != weight).any()
    }
    assert changed >= {"block2_conv", "dense"}
    assert not changed & {"block1_conv", "norm"}


@pytest.mark.slow
def test_a_partly_frozen_model_comes_back_from_its_file(tmp_path: Path) -> None:
    made = model()
    set_flags(made, flags_of_phases(made, [Freezing(["base.block1_*"], [], PATH)])[0])
    made.compile("rmsprop", "mse")
    rows = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
    made.fit(rows, np.ones((6, 2)), epochs=1, verbose=0)
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(rows, verbose=0), made.predict(rows, verbose=0))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "bass",
            "'bass' under 'freeze' matches no layer of the model; did you mean 'base'?",
        ),
        (
            "block1_*",
            "'block1_*' under 'freeze' matches no layer of the model; did you mean "
            "'base.block1_*'?",
        ),
        (
            "base.block5_*",
            "'base.block5_*' under 'freeze' matches no layer of the model, which has "
            "base.block1_conv, base.block1_norm, base.block2_conv, base.block2_norm",
        ),
        (
            "xyz",
            "'xyz' under 'freeze' matches no layer of the model, which has base, flatten, norm, "
            "dense",
        ),
    ],
)
def test_what_fits_no_layer_names_what_is_near(pattern: str, message: str) -> None:
    with pytest.raises(ComponentError) as caught:
        flags_of_phases(model(), [Freezing([pattern], [], PATH)])
    assert str(caught.value) == message
    assert caught.value.path == (*PATH, "freeze", 0)


def test_of_many_layers_the_ones_with_a_near_name_are_meant() -> None:
    blocks = [keras.layers.Dense(1, name=f"block_{n}_dense") for n in range(1, 17)]
    base = keras.Sequential([keras.Input((1,)), *blocks], name="base")
    with pytest.raises(ComponentError) as caught:
        flags_of_phases(keras.Sequential([base]), [Freezing([], ["base.block_17_*"], PATH)])
    assert str(caught.value) == (
        "'base.block_17_*' under 'unfreeze' matches no layer of the model; did you mean "
        "'base.block_16_*'?"
    )


def test_a_phase_in_which_nothing_learns_is_refused() -> None:
    with pytest.raises(ComponentError, match=r"^every layer with weights is frozen") as caught:
        flags_of_phases(model(), [Freezing(["*"], [], PATH)])
    assert caught.value.path == (*PATH, "freeze")
