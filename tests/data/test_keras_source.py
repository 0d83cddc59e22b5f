"""Keras' data sets: the same rows as Keras' own loaders, and clear words where files lack."""

from __future__ import annotations

import gzip
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.samples import kind_of
from dlrun.data.sources.keras import Keras
from dlrun.errors import DataError


def load(part: str = "train", **options: Any) -> Any:
    return Keras.model_validate(options).load(part, Path())


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_images_are_keras_own(name, keras_home):
    import keras

    theirs = getattr(keras.datasets, name).load_data()
    for part, (x, y) in zip(("train", "test"), theirs, strict=True):
        loaded = load(part, name=name)
        np.testing.assert_array_equal(loaded.features["x"], x)
        np.testing.assert_array_equal(loaded.targets["y"], y)
        assert loaded.features["x"].dtype == np.uint8
        assert len(loaded.classes["y"]) == 10


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "options", "classes"),
    [
        ("imdb", {"num_words": 10000}, 2),
        ("reuters", {"num_words": 500, "skip_top": 10, "maxlen": 80, "start_char": None}, 46),
        ("reuters", {"oov_char": None, "index_from": 5, "seed": 1, "test_split": 0.5}, 46),
    ],
)
def test_texts_are_keras_own_as_integer_arrays(name, options, classes, keras_home):
    import keras

    theirs = getattr(keras.datasets, name).load_data(**options)
    dataset = load_dataset(
        Keras.model_validate({"name": name, **options}), Path(), 0, regression=False
    )
    x, y = theirs[0]
    column = dataset.samples.features["x"]
    assert kind_of(column) == "sequences"
    assert all(entry.dtype == np.int32 for entry in column)
    assert [entry.tolist() for entry in column] == list(x)
    np.testing.assert_array_equal(dataset.samples.targets["y"], y)
    assert len(dataset.classes["y"]) == classes


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("options", "rows", "target"),
    [
        ({"name": "boston_housing"}, (404, 102), "MEDV"),
        ({"name": "california_housing", "version": "small"}, (480, 120), "median_house_value"),
    ],
)
def test_houses_are_tables_with_named_columns(options, rows, target, keras_home):
    import keras

    given = {key: value for key, value in options.items() if key != "name"}
    (x, y), _ = getattr(keras.datasets, options["name"]).load_data(**given)
    source = Keras.model_validate(options)
    dataset = load_dataset(source, Path(), 0, regression=False)
    test = load_test(source, Path(), 0, regression=False)
    assert (len(dataset.samples), len(test)) == rows
    assert dataset.task == "regression"
    np.testing.assert_array_equal(np.stack(list(dataset.samples.features.values()), axis=1), x)
    np.testing.assert_array_equal(dataset.samples.targets[target], y)


@pytest.mark.realdata
def test_boston_columns_are_the_right_ones(keras_home):
    features = load(name="boston_housing").features
    assert set(np.unique(features["CHAS"])) == {0, 1}
    assert 3 < features["RM"].mean() < 9
    assert features["TAX"].max() == 711
    assert list(features)[-1] == "LSTAT"


def test_topics_are_keras_own():
    import keras

    from dlrun.data.sources.keras import REUTERS

    assert keras.datasets.reuters.get_label_names() == REUTERS


@pytest.fixture
def without_network(tmp_path, monkeypatch):
    """An empty Keras folder, and no way to download anything."""
    import keras.src.backend.config
    import keras.src.utils.file_utils

    def refuse(*_: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path))
    monkeypatch.setattr(keras.src.utils.file_utils, "urlretrieve", refuse)
    (tmp_path / "datasets").mkdir()
    return tmp_path / "datasets"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "mnist.npz"),
        ("fashion_mnist", "fashion-mnist/train-labels-idx1-ubyte.gz"),
        ("cifar10", "cifar-10-batches-py-target_archive"),
        ("imdb", "imdb.npz"),
    ],
)
def test_a_missing_file_is_named_with_the_place_where_it_is_looked_for(
    name, file, without_network, capsys
):
    with pytest.raises(DataError) as error:
        load(name=name)
    message = str(error.value)
    assert message.startswith(f"{file} is missing, and could not be downloaded (URL fetch failure")
    assert "no route to host" in message
    assert message.endswith(
        f"it is looked for in {without_network}; put it there, or set KERAS_HOME to a folder that "
        f"holds it in `datasets` and can be written to"
    )
    assert capsys.readouterr().out == ""


def test_a_damaged_file_is_not_taken_for_the_data(without_network):
    (without_network / "mnist.npz").write_bytes(b"half a download")
    with pytest.raises(
        DataError, match=r"^mnist\.npz was not the file that Keras expects, and could"
    ):
        load(name="mnist")


def test_a_damaged_file_that_keras_does_not_check_is_named(without_network):
    folder = without_network / "fashion-mnist"
    folder.mkdir()
    for name in ("train-labels-idx1", "train-images-idx3", "t10k-labels-idx1", "t10k-images-idx3"):
        (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(bytes(5000))[:20])
    with pytest.raises(DataError, match=r"is damaged .*: delete it, and it is downloaded again$"):
        load(name="fashion_mnist")


@pytest.mark.realdata
def test_no_text_left_is_said_so(keras_home):
    with pytest.raises(DataError) as error:
        load(name="reuters", maxlen=1)
    assert str(error.value) == "reuters: no text is short enough; raise `maxlen`"


def test_options_of_other_data_sets_are_refused():
    with pytest.raises(pydantic.ValidationError) as error:
        Keras(name="mnist", num_words=100)
    assert "mnist has no option `num_words`; it takes none" in str(error.value)
    with pytest.raises(pydantic.ValidationError) as error:
        Keras(name="boston_housing", version="small")
    assert "it takes test_split, seed" in str(error.value)
    with pytest.raises(pydantic.ValidationError) as error:
        Keras.model_validate({"name": "imdb", "test": {"fraction": 0.2}})
    assert "Keras brings test data for imdb; leave out `test`" in str(error.value)
