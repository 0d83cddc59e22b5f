"""Arrays from npz and npy files, and scikit-learn's data sets."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest
import sklearn.datasets

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.fingerprint import fingerprint
from dlrun.data.sources.npz import Npz
from dlrun.data.sources.sklearn import Sklearn


def test_npy_files_are_mapped_not_read(write):
    x = np.random.default_rng(0).random((500, 3))
    folder = write({"x.npy": x, "y.npy": np.arange(500)})
    source = Npz(path=["x.npy", "y.npy"])
    dataset = load_dataset(source, folder, 0, regression=True)
    assert isinstance(dataset.samples.features["x"], np.memmap)
    packed = write({"d.npz": {"x": x, "y": np.arange(500)}})
    read = load_dataset(Npz(path="d.npz"), packed, 0, regression=True)
    assert fingerprint(dataset.samples) == fingerprint(read.samples)


def test_training_and_test_arrays_may_stand_in_one_file(write):
    arrays = {"x_train": np.zeros((6, 2)), "y_train": np.arange(6)}
    arrays |= {"x_test": np.ones((3, 2)), "y_test": np.arange(3)}
    folder = write({"d.npz": arrays})
    source = Npz.model_validate(
        {"path": "d.npz", "inputs": "x_train", "targets": "y_train", "test": {"path": "d.npz"}}
    )
    assert len(load_dataset(source, folder, 0, regression=True).samples) == 6
    test = load_test(source, folder, 0, regression=True)
    assert test.features["x_train"].tolist() == np.ones((3, 2)).tolist()
    assert test.targets["y_train"].tolist() == [0, 1, 2]


def test_several_inputs_text_targets_and_row_weights(write):
    arrays = {"image": np.zeros((4, 2, 2)), "age": np.arange(4), "weight": np.ones(4)}
    folder = write({"d.npz": arrays | {"kind": np.asarray(["b", "a", "b", "a"])}})
    source = Npz(path="d.npz", inputs=["image", "age"], targets="kind")
    dataset = load_dataset(source, folder, 0, extra=["weight"], regression=False)
    assert list(dataset.samples.features) == ["image", "age"]
    assert list(dataset.samples.extras) == ["weight"]
    assert dataset.samples.targets["kind"].tolist() == ["b", "a", "b", "a"]
    assert dataset.classes == {"kind": ("a", "b")}


def test_digits_as_pictures_and_as_columns_are_scikit_learns(tmp_path):
    theirs = sklearn.datasets.load_digits()
    pictures = Sklearn(name="digits", images=True).load("train", tmp_path)
    np.testing.assert_array_equal(pictures.features["x"], theirs.images)
    columns = Sklearn(name="digits").load("train", tmp_path)
    np.testing.assert_array_equal(np.stack(list(columns.features.values()), 1), theirs.data)
    np.testing.assert_array_equal(columns.targets["target"], theirs.target)
    assert columns.classes == {"target": tuple("0123456789")}


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (Sklearn, {"name": "iris", "images": True}, "`images` is for digits; iris is a table"),
        (
            Sklearn,
            {"name": "iris", "test": {"path": "t.csv"}},
            "scikit-learn's data sets have no test file; give `fraction`",
        ),
        (
            Npz,
            {"path": "d.npz", "inputs": "x", "targets": ["y", "y"]},
            "`targets` must not name an array twice",
        ),
        (
            Npz,
            {"path": "d.npz", "inputs": []},
            "`inputs` and `targets` must each name at least one array",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(source, options, message):
    with pytest.raises(pydantic.ValidationError) as error:
        source.model_validate(options)
    assert [problem["msg"] for problem in error.value.errors()] == [f"Value error, {message}"]
