"""Pixels of pictures, against those that Keras' own loader gives."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from dlrun.data.reading.image_files import ImageReader
from dlrun.data.reading.images import CHANNELS, Color, ImageError, ImageFormat, Resize, read_image

RNG = np.random.default_rng(7)


def smooth(height: int, width: int, channels: int = 3) -> np.ndarray:
    """A picture without noise, which JPEG keeps well."""
    small = RNG.integers(0, 256, (5, 7, channels), dtype=np.uint8)
    bands = [
        Image.fromarray(small[..., band]).resize((width, height), Image.Resampling.BICUBIC)
        for band in range(channels)
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1)


def loaded_by_keras(folder: Path, form: ImageFormat) -> np.ndarray:
    """(n, h, w, c) float32 of all files in the folder `pictures`, sorted."""
    kept = {"crop": {"crop_to_aspect_ratio": True}, "pad": {"pad_to_aspect_ratio": True}}
    rows = keras.utils.image_dataset_from_directory(
        folder,
        labels=None,
        color_mode=form.color,
        image_size=form.size,
        batch_size=None,
        shuffle=False,
        verbose=False,
        **kept.get(form.resize, {}),
    )
    return np.stack([np.asarray(row) for row in rows])


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(18, 30), (40, 25), (97, 64), (150, 200)])
def test_resized_pixels_are_those_of_keras(
    size: tuple[int, int], resize: Resize, tmp_path: Path
) -> None:
    shapes = [(60, 80), (80, 60), (97, 64), (30, 90), (33, 32)]
    for number, (height, width) in enumerate(shapes):
        Image.fromarray(smooth(height, width)).save(tmp_path / f"{number}.png")
    form = ImageFormat(size, "rgb", resize)
    found = [read_image(file, form).pixels for file in sorted(tmp_path.iterdir())]
    # Rounding alone.
    np.testing.assert_allclose(np.stack(found), loaded_by_keras(tmp_path, form), atol=0.5)


FORMS: dict[str, Any] = {
    "grey": Image.fromarray(smooth(20, 30, 1)[..., 0]),
    "grey and opacity": Image.fromarray(smooth(20, 30, 2), "LA"),
    "colour": Image.fromarray(smooth(20, 30)),
    "colour and opacity": Image.fromarray(smooth(20, 30, 4)),
    "palette": Image.fromarray(smooth(20, 30)).quantize(50),
    "black and white": Image.fromarray(smooth(20, 30, 1)[..., 0] > 100),
    "16 bits": Image.fromarray(RNG.integers(0, 2**16, (20, 30), dtype=np.uint16)),
}


# TensorFlow makes the opacity of black and white pictures 1 of 255.
@pytest.mark.parametrize(
    ("name", "color"),
    [
        (name, color)
        for name in FORMS
        for color in CHANNELS
        if (name, color) != ("black and white", "rgba")
    ],
)
def test_png_of_every_form_has_the_channels_of_keras(
    name: str, color: Color, tmp_path: Path
) -> None:
    FORMS[name].save(tmp_path / "one.png")
    form = ImageFormat((20, 30), color, "stretch")
    found = read_image(tmp_path / "one.png", form).pixels
    assert found.shape == (20, 30, CHANNELS[color])
    # Grey of colours is rounded otherwise.
    np.testing.assert_allclose(found, loaded_by_keras(tmp_path, form)[0], atol=1)


def test_png_whose_palette_has_transparent_entries(tmp_path: Path) -> None:
    picture = Image.fromarray(smooth(20, 30)).quantize(8)
    picture.save(tmp_path / "one.png", transparency=bytes([0, 100, 255, 255, 255, 255, 255, 255]))
    for color in ("rgb", "rgba"):
        form = ImageFormat((20, 30), color, "stretch")
        found = read_image(tmp_path / "one.png", form).pixels
        np.testing.assert_array_equal(found, loaded_by_keras(tmp_path, form)[0])


@pytest.mark.parametrize("color", ["rgb", "grayscale"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_is_close_to_keras(mode: str, color: Color, tmp_path: Path) -> None:
    Image.fromarray(smooth(64, 96)).convert(mode).save(tmp_path / "one.jpg", quality=95)
    form = ImageFormat((64, 96), color, "stretch")
    found = read_image(tmp_path / "one.jpg", form).pixels.astype(int)
    if mode == "CMYK" and color == "grayscale":
        assert found.shape == (64, 96, 1), "TensorFlow refuses it"
        return
    difference = np.abs(found - loaded_by_keras(tmp_path, form)[0])
    assert difference.max() <= 8
    assert difference.mean() < 2


def test_jpeg_is_what_tensorflow_decodes_exactly(tmp_path: Path) -> None:
    import tensorflow as tf

    noise = RNG.integers(0, 256, (61, 83, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "one.jpg", quality=70)
    found = read_image(tmp_path / "one.jpg", ImageFormat((61, 83), "rgb", "stretch")).pixels
    data = (tmp_path / "one.jpg").read_bytes()
    exact = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    np.testing.assert_array_equal(found, exact)


def test_a_film_is_its_first_picture(tmp_path: Path) -> None:
    films = [Image.fromarray(smooth(12, 16)).quantize(30) for _ in range(3)]
    films[0].save(tmp_path / "one.gif", save_all=True, append_images=films[1:])
    form = ImageFormat((12, 16), "rgb", "stretch")
    found = read_image(tmp_path / "one.gif", form).pixels
    np.testing.assert_array_equal(found, np.asarray(films[0].convert("RGB")))
    np.testing.assert_array_equal(found, loaded_by_keras(tmp_path, form)[0])


def test_orientation_is_noticed_and_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth(20, 30)).save(tmp_path / "one.jpg", exif=exif, quality=95)
    form = ImageFormat((20, 30), "rgb", "stretch")
    picture = read_image(tmp_path / "one.jpg", form)
    assert picture.turned
    difference = picture.pixels - loaded_by_keras(tmp_path, form)[0]
    assert np.abs(difference).max() <= 10, "Keras does not turn it either"


def test_damaged_exif_is_read_in_silence_by_many_threads_at_once(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker whose name does not fit into the tag itself"
    whole = exif.tobytes()
    files = tuple(tmp_path / f"{number}.jpg" for number in range(40))
    for file in files:
        Image.fromarray(smooth(12, 16)).save(file, exif=whole[:-20])
    with pytest.warns(UserWarning, match="Truncated"), Image.open(files[0]) as image:
        image.getexif()
    before = list(warnings.filters)
    reader = ImageReader(files, ImageFormat((12, 16), "rgb", "stretch"))
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(reader.read, np.arange(40).reshape(20, 2)))
    assert np.concatenate(parts).shape == (40, 12, 16, 3)
    assert warnings.filters == before, "Pillow's warnings elsewhere are the user's"


def png_of(content: bytes) -> bytes:
    """A PNG of 4 x 4 grey pixels whose compressed content is given."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", content), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg_bytes() -> bytes:
    file = io.BytesIO()
    Image.fromarray(smooth(64, 64)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is empty"),
        (b"not a picture at all", "is not an image that Pillow can read"),
        (jpeg_bytes()[:400], "cannot be decoded: "),
        (png_of(b"broken"), "cannot be decoded: "),
    ],
)
def test_a_broken_file_is_refused_in_words(data: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(data)
    with pytest.raises(ImageError) as error:
        read_image(tmp_path / "one.jpg", ImageFormat((8, 8), "rgb", "stretch"))
    assert str(error.value).startswith(text)


def test_bytes_behind_a_whole_picture_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(jpeg_bytes())
    whole = read_image(tmp_path / "one.jpg", ImageFormat((64, 64), "rgb", "stretch"))
    (tmp_path / "one.jpg").write_bytes((tmp_path / "one.jpg").read_bytes() + b"x" * 99)
    again = read_image(tmp_path / "one.jpg", ImageFormat((64, 64), "rgb", "stretch"))
    np.testing.assert_array_equal(whole.pixels, again.pixels)


def test_another_depth_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "one.tiff")
    with pytest.raises(ImageError, match=r"^has pixels of type float32, where uint8 is expected"):
        read_image(tmp_path / "one.tiff", ImageFormat((4, 4), "rgb", "stretch"))
