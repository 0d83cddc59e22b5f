"""Folders of pictures from a first config to predictions, as a user goes through it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dlrun
from dlrun.store.run_directory import RunDirectory
from dlrun.workflows.report import report

CONFIG = """
dataset: {source: image_folder, path: photos, size: [20, 24]}
architecture:
  layers:
    - Rescaling: 0.00392156862745098
    - Conv2D: {filters: 4, kernel_size: 3}
    - GlobalAveragePooling2D
    - Dense: {units: 1, activation: sigmoid}
loss: binary_crossentropy
optimizer: {adam: {learning_rate: 0.3}}
metrics: [accuracy]
training: {epochs: 4, batch_size: 8}
"""


def write_photos(folder: Path, count: int, seed: int) -> None:
    """Dark pictures and bright ones."""
    rng = np.random.default_rng(seed)
    for label, brightness in (("day", 160), ("night", 60)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(brightness - 60, brightness + 60, (40, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number:02d}.jpg")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, (part, count) in enumerate({"train": 24, "validation": 10, "test": 6}.items()):
        write_photos(tmp_path / "photos" / part, count, seed)
    (tmp_path / "photos.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_parts_of_a_folder_train_validate_and_test(folder: Path) -> None:
    run = dlrun.train("photos.yaml")
    directory = RunDirectory.open(run.path, Path("runs"))
    splits = directory.read_splits()
    assert splits["fold00_train"].tolist() == list(range(48))
    assert splits["fold00_validation"].tolist() == list(range(48, 68))
    assert run.score is not None
    assert run.score > 0.9, "night is darker than day"
    assert dlrun.evaluate(run.path).facts["rows"] == 12
    # What was told from the folder is written down, so that it runs again as it was.
    resolved = directory.resolved.read_text()
    assert re.search(r"validation:\n\s+path: .*photos/validation", resolved)
    again = dlrun.train(directory.resolved)
    assert again.history["val_loss"].tolist() == run.history["val_loss"].tolist()


@pytest.mark.slow
def test_pictures_on_disk_train_to_the_same_numbers(folder: Path) -> None:
    held = dlrun.train("photos.yaml", overrides=["training.engine=keras"])
    streamed = dlrun.train("photos.yaml", overrides=["dataset.stream=true"])
    assert streamed.history["loss"].tolist() == held.history["loss"].tolist()
    assert streamed.history["val_loss"].tolist() == held.history["val_loss"].tolist()


@pytest.mark.slow
def test_predictions_of_pictures_and_folders_have_their_names(folder: Path) -> None:
    import keras

    run = dlrun.train("photos.yaml")
    table = dlrun.predict(run.path, "photos/test").table
    columns = ["file", "prediction", "probability_day", "probability_night"]
    assert list(table.columns) == columns
    assert table["file"].tolist()[::6] == ["day/00.jpg", "night/00.jpg"]
    assert set(table["prediction"]) == {"day", "night"}
    model = keras.saving.load_model(run.path / "model.keras")
    rows = keras.utils.image_dataset_from_directory(
        "photos/test", labels=None, image_size=(20, 24), shuffle=False, verbose=False
    )
    by_hand = model.predict(rows, verbose=0)[:, 0]
    # Keras' decoder is less exact, and does not round.
    np.testing.assert_allclose(table["probability_night"], by_hand, atol=0.02)
    some = dlrun.predict(run.path, ["photos/test/night/03.jpg", "photos/test/day"]).table
    assert some["file"].tolist()[:2] == ["photos/test/night/03.jpg", "00.jpg"]
    np.testing.assert_array_equal(some.iloc[0, 1:], table.iloc[9, 1:])


@pytest.mark.slow
def test_the_report_shows_the_most_wrong_pictures_by_name(folder: Path) -> None:
    # A picture that looks like the other class.
    Image.new("RGB", (30, 40), (5, 5, 5)).save("photos/validation/day/odd.png")
    run = dlrun.train("photos.yaml", overrides=["training.epochs=8"])
    examples = RunDirectory.open(run.path, Path("runs")).read_examples()
    assert examples is not None
    assert examples.names[0] == "day/odd.png"
    np.testing.assert_array_equal(examples.arrays["image"][0], np.full((20, 24, 3), 5, np.uint8))
    page = report(run.path).read_text("utf-8")
    assert ">day/odd.png</span>" in page
    assert "data:image/png;base64," in page


@pytest.mark.slow
def test_a_table_of_quantities_for_pictures(folder: Path) -> None:
    files = sorted((folder / "photos").rglob("train/*/*.jpg"))
    lines = [
        f"{f.relative_to(folder / 'photos')},{np.asarray(Image.open(f)).mean()}" for f in files
    ]
    Path("light.csv").write_text("\n".join(["file,light", *lines]) + "\n")
    Path("light.yaml").write_text(
        CONFIG.replace("path: photos,", "path: photos, labels: light.csv, test: {fraction: 0.2},")
        .replace("{units: 1, activation: sigmoid}", "1")
        .replace("binary_crossentropy", "mse")
        .replace("accuracy", "mae")
        .replace("epochs: 4", "epochs: 40")
        .replace("0.3", "0.02")
        + "preprocess: [{targets: standardize}]\n"
    )
    run = dlrun.train("light.yaml")
    assert run.score is not None
    assert run.score < run.result["baseline"]["value"] / 3
    table = dlrun.predict(run.path, "photos/test/night").table
    assert list(table.columns) == ["file", "light"]
    assert abs(table["light"].mean() - 60) < 25
