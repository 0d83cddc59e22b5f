"""The book's networks on pictures: what a config builds and trains is what Keras by hand does.

Listing numbers are those of Deep Learning with Python, first edition.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dlrun
from dlrun.config.load import load_config

pytestmark = pytest.mark.slow

BOOK = Path(__file__).parents[2] / "configs" / "book"
ROWS, BATCH, HELD_OUT = 24, 6, 8


def convnet(layers: Any, convolution: str = "Conv2D") -> list[Any]:
    """Listings 5.1 and 5.2."""
    conv = getattr(layers, convolution)
    return [
        conv(32, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        conv(64, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        conv(64, (3, 3), activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]


def batch_norm(layers: Any) -> list[Any]:
    """The same with batch normalization behind the layers, section 7.3.1."""
    hidden = {0, 2, 4, 6}
    made: list[Any] = []
    for place, layer in enumerate(convnet(layers)):
        made += [layer, layers.BatchNormalization()] if place in hidden else [layer]
    return made


def separable(layers: Any) -> list[Any]:
    """The same with depthwise separable convolutions, section 7.3.1."""
    return convnet(layers, "SeparableConv2D")


def cats_and_dogs(layers: Any, dropout: bool = False) -> list[Any]:
    """Listing 5.5; with dropout listing 5.13."""
    made: list[Any] = []
    for filters in (32, 64, 128, 128):
        made += [layers.Conv2D(filters, (3, 3), activation="relu"), layers.MaxPooling2D((2, 2))]
    made += [layers.Flatten(), *([layers.Dropout(0.5)] if dropout else [])]
    return [*made, layers.Dense(512, activation="relu"), layers.Dense(1, activation="sigmoid")]


def built(by_hand: list[Any], shape: tuple[int, ...]) -> Any:
    import keras

    return keras.Sequential([keras.Input(shape), *by_hand])


def fresh() -> Any:
    """Keras' layers in a fresh process, seeded as the configs are."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    return keras.layers


def assert_same_layers(model: Any, by_hand: Any) -> None:
    assert [type(layer) for layer in model.layers] == [type(layer) for layer in by_hand.layers]
    for ours, theirs in zip(model.layers, by_hand.layers, strict=True):
        assert ours.output.shape == theirs.output.shape
        assert ours.count_params() == theirs.count_params()


def overrides(*others: str) -> list[str]:
    held_out = f"{{protocol: holdout, validation: {{first: {HELD_OUT}}}, shuffle: false}}"
    small = ["training.epochs=1", f"training.batch_size={BATCH}", "training.shuffle=false"]
    return ["training.engine=keras", f"evaluation={held_out}", *small, *others]


def assert_same_epoch(
    run: Any, model: Any, x: np.ndarray, y: np.ndarray, loss: str, rate: float
) -> None:
    """Train the model by hand for one epoch, and compare with the run's."""
    import keras

    model.compile(keras.optimizers.RMSprop(rate), loss, metrics=["accuracy"])
    fitted = model.fit(
        x[HELD_OUT:],
        y[HELD_OUT:],
        validation_data=(x[:HELD_OUT], y[:HELD_OUT]),
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
    )
    assert_same_layers(keras.saving.load_model(run.path / "model.keras"), model)
    found = run.history.iloc[0]
    for name, (value,) in fitted.history.items():
        assert found[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("mnist_convnet", convnet),
        ("mnist_convnet_batch_norm", batch_norm),
        ("mnist_convnet_separable", separable),
    ],
)
def test_networks_on_digits(name: str, by_hand: Callable[[Any], list[Any]], tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    x = random.integers(0, 256, (ROWS, 28, 28), dtype=np.uint8)
    labels = np.arange(ROWS) % 10
    np.savez(tmp_path / "digits.npz", x=x, y=labels)
    source = f"dataset={{source: npz, path: {tmp_path}/digits.npz}}"
    run = dlrun.train(
        BOOK / f"{name}.yaml", runs_dir=tmp_path / "runs", overrides=overrides(source)
    )
    model = built(by_hand(fresh()), (28, 28, 1))
    pixels = x[..., None].astype("float32") / np.float32(255)
    assert_same_epoch(
        run, model, pixels, np.eye(10)[labels], "categorical_crossentropy", rate=0.001
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 24 pictures of two classes, as large as the networks want them."""
    random = np.random.default_rng(3)
    for number in range(ROWS):
        folder = tmp_path / "photos" / ["cats", "dogs"][number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (150, 150, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return tmp_path / "photos"


def test_cats_and_dogs_from_scratch(photos: Path, tmp_path: Path) -> None:
    run = dlrun.train(
        BOOK / "cats_and_dogs.yaml",
        runs_dir=tmp_path / "runs",
        overrides=overrides(f"dataset.path={photos}"),
        force=True,
    )
    files = sorted(photos.rglob("*.png"), key=lambda file: (file.parent.name, file.name))
    x = np.stack([np.asarray(Image.open(file), np.float32) / np.float32(255) for file in files])
    y = np.array([file.parent.name == "dogs" for file in files]).astype("float32")
    model = built(cats_and_dogs(fresh()), (150, 150, 3))
    assert model.count_params() == 3_453_121, "the number in the book"
    assert_same_epoch(run, model, x, y[:, None], "binary_crossentropy", rate=0.0001)


def model_of(name: str, shape: tuple[int, ...], *others: str) -> Any:
    """What the config builds for pictures of a shape; no weights are read."""
    from dlrun.models.augment import InputSpec
    from dlrun.models.build import build_model

    config = load_config(BOOK / f"{name}.yaml", others)
    fresh()
    return build_model(config.architecture, config.blocks, {"": InputSpec(shape, "float32")})


def test_cats_and_dogs_with_dropout() -> None:
    model = model_of("cats_and_dogs_augmented", (150, 150, 3))
    assert_same_layers(model, built(cats_and_dogs(fresh(), dropout=True), (150, 150, 3)))
    augment = load_config(BOOK / "cats_and_dogs_augmented.yaml").augment
    assert isinstance(augment, list)
    names = ["RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"]
    assert [layer.name for layer in augment] == names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dropout"),
    [
        ("cats_and_dogs_vgg16", True),
        ("cats_and_dogs_vgg16_augmented", False),
        ("cats_and_dogs_vgg16_fine_tuned", False),
    ],
)
def test_heads_on_vgg16(name: str, dropout: bool) -> None:
    """Listings 5.16 to 5.23."""
    import keras

    model = model_of(name, (150, 150, 3), "architecture.layers.0.application.VGG16.weights=null")
    layers = fresh()
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(150, 150, 3))
    assert base.count_params() == 14_714_688
    head = [layers.Flatten(), layers.Dense(256, activation="relu")]
    head += [layers.Dropout(0.5)] if dropout else []
    by_hand = built([base, *head, layers.Dense(1, activation="sigmoid")], (150, 150, 3))
    assert model.count_params() == by_hand.count_params() == 16_812_353
    assert model.output_shape == by_hand.output_shape
    assert [type(one) for one in model.layers[-len(head) :]] == [
        type(one) for one in by_hand.layers[-len(head) :]
    ]
