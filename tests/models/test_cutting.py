"""Where a model is cut into a base that never changes and a head that is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from dlrun.models.cutting import cut_of, model_hash
from dlrun.training.state import copy_layer_state

ROWS = np.random.default_rng(0).normal(size=(5, 8, 8, 3)).astype("float32")


def base(*more: Any, trainable: bool = False) -> Any:
    """A nested model, frozen."""
    made = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            *more,
        ],
        name="base",
    )
    made.trainable = trainable
    return made


def plain() -> Any:
    return keras.Sequential([keras.Input((8, 8, 3)), base(), layers.Flatten(), layers.Dense(2)])


def no_pooling_of_its_own() -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(0.5),
            base(),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )


def functional() -> Any:
    entrance = keras.Input((8, 8, 3))
    features = layers.GlobalAveragePooling2D(name="pool")(base()(entrance))
    left, right = layers.Dense(3)(features), layers.Dense(3)(features)
    return keras.Model(entrance, layers.Dense(2)(layers.Concatenate()([left, right])))


def two_ways_out_of_the_base() -> Any:
    """Two frozen layers read the base: the last single tensor before them is the cut."""
    entrance = keras.Input((8, 8, 3))
    features = base()(entrance)
    mean, most = layers.GlobalAveragePooling2D()(features), layers.GlobalMaxPooling2D()(features)
    left, right = layers.Dense(3)(mean), layers.Dense(3)(most)
    return keras.Model(entrance, layers.Dense(2)(layers.Concatenate()([left, right])))


def layers_of_its_own() -> Any:
    made = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="first"), layers.Flatten(name="flat"),
         layers.Dense(2)]
    )  # fmt: skip
    made.get_layer("first").trainable = False
    return made


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (plain, "flatten"),
        pytest.param(no_pooling_of_its_own, "pool", marks=pytest.mark.slow),
        pytest.param(functional, "pool", marks=pytest.mark.slow),
        (two_ways_out_of_the_base, "base"),
        (layers_of_its_own, "flat"),
    ],
)
def test_the_parts_give_together_what_the_model_gives(make: Callable[[], Any], name: str) -> None:
    keras.utils.clear_session()
    model = make()
    cut = cut_of(model)
    assert cut is not None
    assert cut.name == name
    np.testing.assert_allclose(
        cut.head.predict(cut.base.predict(ROWS, verbose=0), verbose=0),
        model.predict(ROWS, verbose=0),
        rtol=1e-5,
        atol=1e-6,
    )
    assert {id(v) for v in cut.head.trainable_variables} == {
        id(v) for v in model.trainable_variables
    }


def trained_base() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 3)), base(trainable=True), layers.Flatten(), layers.Dense(2)]
    )


def dropout_in_the_base() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 3)), base(layers.Dropout(0.5)), layers.Flatten(), layers.Dense(2)]
    )


def augmentation_before_it() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 3)), layers.RandomFlip(), base(), layers.Flatten(), layers.Dense(2)]
    )


def penalty_on_the_activity() -> Any:
    made = base(layers.Conv2D(2, 3, activity_regularizer="l2"))
    return keras.Sequential([keras.Input((8, 8, 3)), made, layers.Flatten(), layers.Dense(2)])


def normalization_that_learns() -> Any:
    made = base(layers.BatchNormalization(center=False, scale=False, name="learns"))
    made.trainable = True
    for layer in made.layers:
        layer.trainable = layer.name == "learns"
    return keras.Sequential([keras.Input((8, 8, 3)), made, layers.Flatten(), layers.Dense(2)])


def way_around_the_base() -> Any:
    entrance = keras.Input((8, 8, 3))
    features = layers.Flatten()(base()(entrance))
    trained = layers.Dense(2)(layers.Flatten()(entrance))
    return keras.Model(entrance, layers.Dense(2)(layers.Concatenate()([features, trained])))


def table_of_word_vectors() -> Any:
    made = keras.Sequential([keras.Input((4,)), layers.Embedding(9, 3), layers.Dense(2)])
    made.layers[0].trainable = False
    return made


def nothing_frozen() -> Any:
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])


@pytest.mark.parametrize(
    "make",
    [
        trained_base,
        dropout_in_the_base,
        augmentation_before_it,
        penalty_on_the_activity,
        normalization_that_learns,
        way_around_the_base,
        table_of_word_vectors,
        nothing_frozen,
    ],
)
def test_there_is_no_cut_where_the_base_may_give_something_else(make: Callable[[], Any]) -> None:
    assert cut_of(make()) is None


def test_the_identity_of_a_base_is_that_of_its_layers_and_weights() -> None:
    keras.utils.clear_session()
    one = base()
    keras.utils.clear_session()
    other = base()
    assert model_hash(one) != model_hash(other)
    copy_layer_state(one, other)
    assert model_hash(one) == model_hash(other)
