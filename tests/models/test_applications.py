"""Models of `keras.applications` get pixels from 0 to 255, and are saved with what they do to
them."""

from __future__ import annotations

import importlib
import socket
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from graphs import model_of

from dlrun.errors import ComponentError
from dlrun.models.applications import _preprocessed, preprocessing_of
from dlrun.registry import catalogue

keras = pytest.importorskip("keras")

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
MOBILE_WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


def base(name: str, more: str = "", dtype: str = "uint8") -> Any:
    text = f"""
        architecture:
          layers:
            - application: {{{name}: {{include_top: false, weights: null{more}}}}}
            - GlobalAveragePooling2D
    """
    return model_of(text, x=((32, 32, 3), dtype))


@pytest.mark.slow
@pytest.mark.parametrize("name", catalogue.names("application"))
def test_pixels_are_prepared_as_keras_prepares_them(name: str) -> None:
    module = importlib.import_module(getattr(keras.applications, name).__module__)
    pixels = PIXELS.astype("float32")
    wanted = module.preprocess_input(pixels.copy())
    kind = preprocessing_of(name)
    if kind == "own":
        np.testing.assert_array_equal(wanted, pixels)
        return
    entrance = keras.Input((32, 32, 3), dtype="uint8")
    model = keras.Model(entrance, _preprocessed(entrance, kind))
    np.testing.assert_allclose(np.asarray(model(PIXELS)), wanted, rtol=1e-5, atol=2e-5)


def test_the_catalogue_knows_them_all() -> None:
    applications = catalogue.names("application")
    assert {"VGG16", "ResNet50", "MobileNetV3Small", "ConvNeXtTiny", "NASNetMobile"} <= set(
        applications
    )
    assert all(callable(getattr(keras.applications, name)) for name in applications)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "module"), [("VGG16", "vgg16"), ("MobileNetV2", "mobilenet_v2")])
def test_a_base_with_its_preprocessing_loads_in_plain_keras(
    name: str, module: str, tmp_path: Path
) -> None:
    model = base(name)
    by_hand = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    by_hand.set_weights(model.layers[0].get_weights())
    prepared = importlib.import_module(f"keras.applications.{module}").preprocess_input(
        PIXELS.astype("float32")
    )
    wanted = np.asarray(by_hand(prepared)).mean(axis=(1, 2))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for one in (model, loaded):
        np.testing.assert_allclose(np.asarray(one(PIXELS)), wanted, rtol=1e-3, atol=1e-4)
    # Layers are addressed by the nested model's name and their own.
    assert model.layers[0].name == name.lower()
    assert {layer.name for layer in by_hand.layers[1:]} <= {x.name for x in model.layers[0].layers}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small"])
def test_the_preprocessing_can_be_turned_off(name: str) -> None:
    with_it, without = base(name), base(name, ", preprocess_input: false", "float32")
    without.set_weights(with_it.get_weights())
    prepared = PIXELS.astype("float32") / 127.5 - 1
    np.testing.assert_allclose(
        np.asarray(with_it(PIXELS)), np.asarray(without(prepared)), rtol=1e-3, atol=1e-4
    )


@pytest.mark.slow
def test_the_weights_are_those_of_imagenet(keras_home: Path) -> None:
    if not (keras_home / "models" / MOBILE_WEIGHTS).is_file():
        pytest.skip(f"no real weights: {MOBILE_WEIGHTS} is not in {keras_home / 'models'}")
    text = """
        architecture:
          layers:
            - application: {MobileNetV2: {alpha: 0.35, include_top: false, pooling: avg}}
    """
    model = model_of(text, x=((224, 224, 3), "uint8"))
    by_hand = keras.applications.MobileNetV2(
        alpha=0.35, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )
    rows = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype("uint8")
    prepared = keras.applications.mobilenet_v2.preprocess_input(rows.astype("float32"))
    np.testing.assert_allclose(
        np.asarray(model(rows)), np.asarray(by_hand(prepared)), rtol=1e-3, atol=1e-4
    )


@pytest.mark.slow
def test_weights_from_a_file(tmp_path: Path) -> None:
    source = keras.applications.MobileNetV2(
        alpha=0.35, include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    source.save_weights(tmp_path / "base.weights.h5")
    text = f"""
        architecture:
          layers:
            - application:
                MobileNetV2:
                  {{alpha: 0.35, include_top: false, weights: {tmp_path / "base.weights.h5"}}}
    """
    model = model_of(text, x=((32, 32, 3), "uint8"))
    for ours, theirs in zip(model.layers[0].get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_weights_of_another_model_are_refused_without_a_word_from_keras(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """Keras itself warns of every layer that it skips."""
    file = tmp_path / "other.weights.h5"
    layers = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    keras.Sequential(layers).save_weights(file)
    text = f"architecture: {{layers: [{{application: {{MobileNetV2: {{weights: {file}}}}}}}]}}"
    with pytest.raises(ComponentError) as caught:
        model_of(text, x=((32, 32, 3), "uint8"))
    assert "other.weights.h5 holds no weights of this MobileNetV2: A total of" in str(caught.value)
    assert caught.value.path is not None
    assert caught.value.path[-1] == "weights"
    assert not [w for w in recwarn if "Skipping" in str(w.message)]


def test_weights_that_cannot_be_had_say_what_is_missing_and_where_it_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_network(*_: Any, **__: Any) -> NoReturn:
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    text = "architecture: {layers: [{application: {VGG19: {include_top: false}}}, Flatten]}"
    with pytest.raises(ComponentError) as caught:
        model_of(text, x=((32, 32, 3), "uint8"))
    file = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert str(caught.value) == (
        "the ImageNet weights of VGG19 are missing and cannot be downloaded; put "
        f"{file} into {tmp_path / 'models'}, from https://storage.googleapis.com/tensorflow/"
        f"keras-applications/vgg19/{file}, or set `weights: null` to start from random ones"
    )
    output = capfd.readouterr()
    assert output.out == ""
    assert "Downloading data from" in output.err


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            "{VGG16: {include_top: false}}",
            (48, 48, 1),
            "VGG16 takes pictures of 3 channels (red, green, blue), but gets grey pictures "
            "(48, 48, 1); load them as `color: rgb`, or put `Concatenate: {}` with the input three "
            "times in `from` before it",
        ),
        (
            "{VGG16: {include_top: false, weights: null}}",
            (16, 16, 3),
            "Keras refused VGG16: Input size must be at least 32x32; Received: "
            "input_shape=(16, 16, 3)",
        ),
        (
            "{ResNet50: {}}",
            (784,),
            "ResNet50 takes pictures of height, width and 3 channels, but gets the shape (784)",
        ),
        (
            "{EfficientNetB0: {weights: null, preprocess_input: false}}",
            (32, 32, 3),
            "the preprocessing of EfficientNetB0 cannot be turned off",
        ),
    ],
)
def test_pictures_that_a_base_cannot_take(layer: str, shape: tuple[int, ...], message: str) -> None:
    text = f"architecture: {{layers: [{{application: {layer}}}, Flatten, {{Dense: 1}}]}}"
    with pytest.raises(ComponentError) as caught:
        model_of(text, x=(shape, "uint8"))
    assert str(caught.value) == message
    assert caught.value.path[:4] == ("architecture", "layers", 0, "application")
