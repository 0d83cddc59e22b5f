"""Masks, further columns and 16-bit pictures of a folder of pictures."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from dlrun.data.preprocessing.rescale import Rescale
from dlrun.data.sources.image_folder import ImageFolder
from dlrun.errors import DataError

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (6, 8, 10, 3), dtype=np.uint8)
CLASSES = RANDOM.integers(0, 3, (6, 8, 10), dtype=np.uint8)


def as_palette(classes: np.ndarray) -> Image.Image:
    image = Image.fromarray(classes, "P")
    image.putpalette([0, 0, 0, 200, 30, 30, 20, 20, 250])
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, pixels in enumerate(PICTURES):
        for part in ("images", "masks", "black_and_white"):
            (tmp_path / part / "day").mkdir(parents=True, exist_ok=True)
        name = f"day/{number}" if number < 2 else str(number)
        Image.fromarray(pixels).save(tmp_path / f"images/{name}.png")
        mask = CLASSES[number]
        image = as_palette(mask) if number % 2 else Image.fromarray(mask)
        image.save(tmp_path / f"masks/{name}.{'gif' if number == 3 else 'png'}")
        Image.fromarray((mask > 0).astype("uint8") * 255).save(
            tmp_path / f"black_and_white/{name}.png"
        )
    rows = [f"{i if i > 1 else f'day/{i}'},{i / 10},{'ab'[i % 2]},{i * i}" for i in range(6)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,age,kind,weight", *rows]))
    return tmp_path


# In the order of the files: 2.png, ..., 5.png, then those in `day`.
ORDER = [2, 3, 4, 5, 0, 1]


def test_a_mask_is_the_class_of_each_pixel(folder: Path) -> None:
    loaded = ImageFolder(path="images", masks="masks").load("train", folder)
    np.testing.assert_array_equal(loaded.features["image"], PICTURES[ORDER])
    np.testing.assert_array_equal(loaded.targets["mask"], CLASSES[ORDER])
    small = ImageFolder(path="images", masks="masks", size=[4, 5]).load("train", folder)
    # The middle of each block of four is nearest to its last pixel.
    np.testing.assert_array_equal(small.targets["mask"], CLASSES[ORDER, 1::2, 1::2])


def test_black_and_white_masks_are_two_classes(folder: Path) -> None:
    source = ImageFolder(path="images", masks="black_and_white")
    masks = source.load("train", folder).targets["mask"]
    np.testing.assert_array_equal(masks, CLASSES[ORDER] > 0)
    pinned = source.pinned(folder)
    assert pinned.mask_values == [0, 255], "new files are read alike"
    reversed_ = ImageFolder(path="images", masks="black_and_white", mask_values=[255, 0])
    np.testing.assert_array_equal(
        reversed_.load("train", folder).targets["mask"], CLASSES[ORDER] == 0
    )
    strange = ImageFolder(path="images", masks="masks", mask_values=[0, 1])
    with pytest.raises(DataError, match=r"masks.*\.(png|gif): holds 2, where masks hold 0, 1"):
        strange.load("train", folder)


def test_missing_and_odd_masks_are_named(folder: Path) -> None:
    source = ImageFolder(path="images", masks="masks")
    Image.fromarray(CLASSES[2][:, :7]).save(folder / "masks/2.png")
    with pytest.raises(DataError, match=r"2\.png: is 8 x 7, and its picture 2\.png is 8 x 10"):
        source.load("train", folder)
    Image.fromarray(PICTURES[2]).save(folder / "masks/2.png")
    with pytest.raises(DataError, match=r"2\.png is in colour; a mask holds"):
        source.load("train", folder)
    (folder / "masks/2.png").unlink()
    with pytest.raises(DataError, match=r"1 of 6 pictures has no mask in .*masks: 2\.png"):
        source.load("train", folder)
    with pytest.raises(DataError, match=r"1 of 6 pictures has no mask"):
        source.check(folder)
    with pytest.raises(DataError, match="no such folder of masks; did you mean 'masks'") as error:
        ImageFolder(path="images", masks="mask").check(folder)
    assert error.value.path == ("dataset", "masks")


def test_columns_of_the_table_are_inputs_and_targets(folder: Path) -> None:
    source = ImageFolder.model_validate(
        {"path": "images", "labels": "labels.csv", "features": ["age", "kind"]}
    )
    loaded = source.load("train", folder)
    assert list(loaded.features) == ["image", "age", "kind"]
    assert loaded.features["kind"].tolist() == ["a", "b"] * 3
    assert list(loaded.targets) == ["weight"]
    np.testing.assert_array_equal(loaded.features["image"], PICTURES)
    both = ImageFolder.model_validate(
        {"path": "images", "labels": "labels.csv", "masks": "masks", "target": "kind"}
    ).load("train", folder)
    assert list(both.targets) == ["kind", "mask"]
    np.testing.assert_array_equal(both.targets["mask"], CLASSES)
    columns = {"age": ("numeric", ()), "image": ("numeric", (8, 10, 3))}
    (folder / "images/new.csv").write_text("file,age\n3.png,0.5\nday/0,0.25\n")
    new = source.read_new([folder / "images/new.csv"], columns)
    assert new.columns["age"].tolist() == [0.5, 0.25]
    np.testing.assert_array_equal(new.columns["image"], PICTURES[[3, 0]])
    with pytest.raises(DataError, match="the model also takes age; give a table"):
        source.read_new([folder / "images/3.png"], columns)


def test_pictures_without_classes_need_a_target(folder: Path) -> None:
    with pytest.raises(ValidationError, match="pictures without classes have nothing to predict"):
        ImageFolder(path="images", classes="none")
    loaded = ImageFolder(path="images", classes="none", targets="input").load("train", folder)
    np.testing.assert_array_equal(loaded.features["image"], PICTURES[ORDER])


def write_png(file: Path, pixels: np.ndarray) -> None:
    """A PNG of 16 bits, which Pillow writes in grey alone."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n")
    with file.open("ab") as opened:
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            opened.write(struct.pack(">I", len(data)) + kind + data)
            opened.write(struct.pack(">I", zlib.crc32(kind + data)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_keep_their_depth(tmp_path: Path, channels: int) -> None:
    deep = RANDOM.integers(0, 65536, (4, 5, 6, channels)).astype("uint16")
    for number, pixels in enumerate(deep):
        (tmp_path / "images" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / "images" / "ab"[number % 2] / f"{number}.png", pixels)
    color = {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]
    source = ImageFolder.model_validate({"path": "images", "color": color})
    read = source.load("train", tmp_path).features["image"]
    np.testing.assert_array_equal(read, deep[[0, 2, 1, 3]])
    assert source.pinned(tmp_path).depth == "uint16"
    upper = source.model_copy(update={"depth": "uint8"}).load("train", tmp_path)
    np.testing.assert_array_equal(upper.features["image"], deep[[0, 2, 1, 3]] >> 8)
    step = Rescale(scale="auto")
    columns = {"image": read}
    scaled = step.apply(columns, step.fit(columns))["image"]
    np.testing.assert_allclose(scaled, deep[[0, 2, 1, 3]] / 65535, rtol=1e-6)


def test_32_bits_keep_their_depth(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    fractions = RANDOM.normal(size=(3, 5, 6)).astype("float32")
    for number, pixels in enumerate(fractions):
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.tif")
    source = ImageFolder(path="images", color="grayscale", targets="input")
    read = source.load("train", tmp_path).features["image"]
    np.testing.assert_array_equal(read[..., 0], fractions)
    Image.fromarray(np.full((5, 6), 70_000, "int32")).save(tmp_path / "images/9.tif")
    with pytest.raises(DataError, match=r"several depths: float32 \(.*2.tif\), int32 \(.*9.tif\)"):
        source.load("train", tmp_path)


def test_grey_with_alpha_of_16_bits_is_refused(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        write_png(tmp_path / name / "1.png", np.ones((3, 4, 2), "uint16"))
    with pytest.raises(DataError, match="16 bits per channel, of which Pillow can read only 8"):
        ImageFolder(path=str(tmp_path)).load("train", tmp_path)
