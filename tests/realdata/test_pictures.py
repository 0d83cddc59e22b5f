"""The book's experiments on real photos and digits: what the configs' headers promise."""

from __future__ import annotations

from pathlib import Path

import pytest

import dlrun
from dlrun.checks.check import data_findings
from dlrun.config.load import load_config
from dlrun.workflows.loading import load_rows

BOOK = Path(__file__).parents[2] / "configs" / "book"

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


@pytest.fixture
def photos(keras_home: Path) -> Path:
    """The folder of 2,000 photos of cats and dogs, in `data` beside Keras' files."""
    folder = (keras_home / "datasets").resolve().parents[1] / "data" / "cats_and_dogs_small"
    if not folder.is_dir():
        pytest.skip("no cats_and_dogs_small in the data beside KERAS_HOME")
    return folder


def test_checks_find_nothing_wrong_with_real_photos(photos: Path) -> None:
    config = load_config(BOOK / "cats_and_dogs.yaml", [f"dataset.path={photos}"])
    dataset = load_rows(config)
    assert dataset.description == "1200 pictures of 150 x 150 x 3 from cats_and_dogs_small/train"
    assert dataset.validation is not None
    assert int(dataset.validation.sum()) == 400
    assert data_findings(config, dataset).shown == ()


@pytest.mark.timeout(900)
def test_a_frozen_base_that_is_tuned_for_an_epoch_tells_cats_from_dogs(
    photos: Path, keras_home: Path, tmp_path: Path
) -> None:
    run = dlrun.train(
        BOOK / "cats_and_dogs_fine_tuned.yaml",
        runs_dir=tmp_path,
        overrides=[f"dataset.path={photos}", "training.phases.1.epochs=1"],
    )
    assert dlrun.evaluate(run.path).score >= 0.94


@pytest.mark.timeout(900)
def test_a_convnet_on_digits(keras_home: Path, tmp_path: Path) -> None:
    overrides = ["training.epochs=1"]
    run = dlrun.train(BOOK / "mnist_convnet.yaml", runs_dir=tmp_path, overrides=overrides)
    assert dlrun.evaluate(run.path).score >= 0.96
