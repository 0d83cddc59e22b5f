"""The source `image_folder`: which pictures it finds, what it says of others, and what it keeps."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlrun.data import sources
from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.lazy import in_memory
from dlrun.data.reading import image_files
from dlrun.data.samples import Dataset
from dlrun.data.sources.image_folder import ImageFolder
from dlrun.errors import DataError

SIZE = [6, 8]


def picture(value: int, size: tuple[int, int] = (6, 8)) -> Image.Image:
    return Image.fromarray(np.full((*size, 3), value, np.uint8))


def write(folder: Path, files: Mapping[str, int | bytes | Image.Image]) -> None:
    """Write files by their paths: a picture of one grey, a picture, or bytes."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            made = picture(content) if isinstance(content, int) else content
            made.save(path)


def read(folder: Path, *, validation: str | None = None, seed: int = 0, **options: Any) -> Dataset:
    source = ImageFolder(**({"path": "photos"} | options))
    return load_dataset(source, folder, seed, regression=False, validation=validation)


def greys(dataset: Dataset) -> list[int]:
    return [int(one[0, 0, 0]) for one in dataset.samples.features["image"][:]]


PHOTOS: dict[str, int | bytes | Image.Image] = {
    "photos/cats/b.png": 11,
    "photos/cats/a.png": 10,
    "photos/dogs/c.png": 21,
    "photos/dogs/a.png": 20,
}


def test_classes_and_files_stand_in_the_order_of_their_names(tmp_path):
    write(tmp_path, PHOTOS)
    dataset = read(tmp_path)
    assert greys(dataset) == [10, 11, 20, 21]
    assert dataset.samples.targets["label"].tolist() == [0, 0, 1, 1]
    assert dataset.classes == {"label": ("cats", "dogs")}
    names = ["cats/a.png", "cats/b.png", "dogs/a.png", "dogs/c.png"]
    assert dataset.samples.extras["file"].tolist() == names
    assert dataset.samples.features["image"].dtype == np.uint8
    assert dataset.task == "binary"
    assert not dataset.findings
    assert not dataset.has_test


def test_what_systems_put_beside_pictures_is_no_picture(tmp_path):
    hidden: dict[str, Any] = {
        "photos/.DS_Store": b"x",
        "photos/.ipynb_checkpoints/a.png": 1,
        "photos/cats/.DS_Store": b"x",
        "photos/cats/._a.png": b"x",
        "photos/cats/Thumbs.db": b"x",
        "photos/dogs/desktop.ini": b"x",
    }
    write(tmp_path, PHOTOS | hidden)
    dataset = read(tmp_path)
    assert greys(dataset) == [10, 11, 20, 21]
    assert not dataset.findings
    write(tmp_path, {"photos/cats/notes.txt": b"x"})
    assert read(tmp_path).findings == (
        f"1 file of other endings left out, such as {tmp_path}/photos/cats/notes.txt",
    )


def test_folders_below_a_class_links_and_any_letters(tmp_path):
    more: dict[str, int | bytes | Image.Image] = {
        "photos/cats/älter/Käthe 猫.png": 12,
        "photos/dogs/2019/summer/x.JPG": picture(22),
        "elsewhere/y.png": 30,
    }
    write(tmp_path, PHOTOS | more)
    (tmp_path / "photos/dogs/linked.png").symlink_to(tmp_path / "elsewhere/y.png")
    (tmp_path / "photos/öwls").symlink_to(tmp_path / "elsewhere")
    dataset = read(tmp_path, follow_links=True)
    assert sorted(greys(dataset)) == [10, 11, 12, 20, 21, 22, 30, 30]
    assert dataset.classes["label"] == ("cats", "dogs", "öwls")
    assert "cats/älter/Käthe 猫.png" in dataset.samples.extras["file"].tolist()


def test_a_link_to_a_folder_above_ends(tmp_path):
    write(tmp_path, PHOTOS)
    (tmp_path / "photos/cats/loop").symlink_to(tmp_path / "photos")
    assert greys(read(tmp_path)) == [10, 11, 20, 21]


def test_classes_that_differ_in_case_alone_are_told(tmp_path):
    write(tmp_path, PHOTOS | {"photos/Cats/a.png": 1})
    dataset = read(tmp_path)
    assert dataset.classes["label"] == ("Cats", "cats", "dogs")
    assert "classes 'Cats' and 'cats' differ only in case: are they one?" in dataset.findings


def test_parts_of_their_own(tmp_path, monkeypatch):
    write(tmp_path, {f"photos/train/{name[7:]}": content for name, content in PHOTOS.items()})
    write(tmp_path, {"photos/validation/dogs/v.png": 40, "photos/test/cats/t.png": 50})
    monkeypatch.chdir(tmp_path)
    source = ImageFolder(path="photos")
    assert source.brings_test
    assert source.own_validation() == "photos/validation"
    dataset = read(tmp_path, validation=source.own_validation())
    assert greys(dataset) == [10, 11, 20, 21, 40]
    assert dataset.validation is not None
    assert dataset.validation.tolist() == [False] * 4 + [True]
    assert dataset.samples.targets["label"].tolist() == [0, 0, 1, 1, 1]
    assert dataset.has_test
    test = load_test(source, tmp_path, 0, regression=False)
    assert test.targets["label"].tolist() == [0]
    assert test.features["image"][:][0, 0, 0, 0] == 50
    both = read(tmp_path, path=["photos/train", "photos/validation"])
    assert greys(both) == [10, 11, 20, 21, 40]


TABLE = "photo,score,kind,big\nx.png,1.5,owl,1\nsub/y.png,2.5,ant,0\nz,3.5,owl,1\n"


@pytest.mark.parametrize(
    ("target", "task", "found"),
    [
        ("score", "regression", [1.5, 2.5, 3.5]),
        ("kind", "binary", ["owl", "ant", "owl"]),
    ],
)
def test_a_table_of_labels(target, task, found, tmp_path):
    write(tmp_path, {"p/x.png": 1, "p/sub/y.png": 2, "p/z.jpg": 3, "labels.csv": TABLE.encode()})
    dataset = read(tmp_path, path="p", labels="labels.csv", target=target)
    assert greys(dataset) == [1, 2, 3]
    assert dataset.task == task
    assert dataset.samples.targets[target].tolist() == found
    assert dataset.samples.extras["file"].tolist() == ["x.png", "sub/y.png", "z"]


def test_a_table_of_several_labels_and_a_column_of_groups(tmp_path):
    table = "file,sun,snow,place\nx.png,1,0,3\ny.png,1,1,3\nz.png,0,1,4\n"
    write(tmp_path, {"p/x.png": 1, "p/y.png": 2, "p/z.png": 3, "labels.csv": table.encode()})
    source = ImageFolder(path="p", labels="labels.csv")
    dataset = load_dataset(source, tmp_path, 0, regression=False, groups="place")
    assert dataset.task == "multilabel"
    assert list(dataset.samples.targets) == ["sun", "snow"]
    assert dataset.samples.extras["place"].tolist() == [3, 3, 4]


BROKEN: dict[str, int | bytes | Image.Image] = {
    "photos/cats/empty.jpg": b"",
    "photos/dogs/page.jpg": b"<html>not found</html>",
}


@pytest.mark.parametrize("stream", [True, False])
def test_broken_files_are_left_out_where_asked(stream, tmp_path):
    write(tmp_path, PHOTOS | BROKEN)
    dataset = read(tmp_path, size=SIZE, on_error="skip", stream=stream)
    assert greys(dataset) == [10, 11, 20, 21]
    assert dataset.samples.targets["label"].tolist() == [0, 0, 1, 1]
    (finding,) = dataset.findings
    assert finding == (
        f"2 of 6 pictures cannot be read: {tmp_path}/photos/cats/empty.jpg is empty; "
        f"{tmp_path}/photos/dogs/page.jpg is not an image that Pillow can read. They are left out"
    )


def test_broken_files_cost_no_second_look_at_the_others(tmp_path, monkeypatch):
    write(tmp_path, PHOTOS | BROKEN)
    looked, read_image = [], image_files.read_image

    def look(file: Path, form: Any) -> Any:
        looked.append(file.name)
        return read_image(file, form)

    monkeypatch.setattr(image_files, "read_image", look)
    ImageFolder(path="photos", size=SIZE, on_error="skip", stream=True).load("train", tmp_path)
    assert sorted(looked) == ["a.png", "a.png", "b.png", "c.png", "empty.jpg", "page.jpg"]


def test_pictures_on_disk_are_those_in_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    noise = {
        f"photos/{label}/{i:02d}.jpg": Image.fromarray(
            rng.integers(0, 256, (40 + i, 30, 3), dtype=np.uint8)
        )
        for label in ("cats", "dogs")
        for i in range(8)
    }
    write(tmp_path, noise)
    held, streamed = (read(tmp_path, size=[32, 20], stream=stream) for stream in (False, True))
    column = streamed.samples.features["image"]
    assert not in_memory(column)
    rows = np.array([9, 0, 15, 3])
    np.testing.assert_array_equal(column[rows], held.samples.features["image"][rows])
    np.testing.assert_array_equal(column[:], held.samples.features["image"])
    (tmp_path / "photos/cats/00.jpg").unlink()
    with pytest.raises(DataError, match=r"00\.jpg: cannot be read any more: it is not there"):
        column[np.array([0])]
    write(tmp_path, {"photos/cats/00.jpg": 1})
    monkeypatch.setattr(sources.image_folder, "too_large_to_hold", lambda size: size > 1000)
    source = ImageFolder(path="photos", size=[32, 20])
    assert not in_memory(read(tmp_path, size=[32, 20]).samples.features["image"])
    assert source.pinned(tmp_path).stream is True


def test_held_pictures_are_bytes_and_nothing_more(tmp_path):
    write(tmp_path, {f"photos/{'ab'[i % 2]}/{i}.png": picture(i, (64, 64)) for i in range(40)})
    tracemalloc.start()
    try:
        column = read(tmp_path, size=[128, 128]).samples.features["image"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert column.nbytes == 40 * 128 * 128 * 3
    assert peak < column.nbytes + 4_000_000


def test_turned_pictures_are_reported(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    write(tmp_path, PHOTOS)
    picture(1).save(tmp_path / "photos/cats/turned.jpg", exif=exif)
    assert read(tmp_path).findings == (
        "1 picture has an EXIF orientation, which is ignored, as in Keras' own loader: "
        "cats/turned.jpg",
    )


TWO_CLASSES: dict[str, int | bytes | Image.Image] = {"photos/a/1.png": 1, "photos/b/1.png": 2}

REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no folder": (
        {"photo/a/1.png": 1},
        {},
        "{photos}: no such folder; expected a folder with one folder a class; did you mean "
        "'photo'?",
    ),
    "a file": (
        {"photos": b"x"},
        {},
        "{photos}: a file; expected a folder with one folder a class",
    ),
    "an empty folder": (
        {"photos/readme.txt": b"x"},
        {},
        "{photos}: expected one folder a class in it, found none",
    ),
    "a class without pictures": (
        {**TWO_CLASSES, "photos/c/notes.txt": b"x"},
        {},
        "{photos/c}: no picture in the folder of this class; expected files that end in .avif or "
        ".bmp or .gif or .ico or .jfif or .jp2 or .jpe or .jpeg or .jpg or .pbm or .pgm or .png or "
        ".ppm or .tga or .tif or .tiff or .webp",
    ),
    "one class": (
        {"photos/a/1.png": 1},
        {},
        "{photos}: the only class is 'a'; two are needed to tell apart",
    ),
    "several sizes": (
        {**TWO_CLASSES, "photos/a/2.png": picture(1, (100, 50)), "photos/b/2.png": 1},
        {},
        "{photos}: the pictures are of 2 sizes, height x width (how many): 6 x 8 (3), 100 x 50 "
        "(1); set the one to resize them to, such as `size: [32, 32]`",
    ),
    "broken pictures": (
        {**TWO_CLASSES, **BROKEN},
        {"size": SIZE},
        "2 of 4 pictures cannot be read: {photos/cats/empty.jpg} is empty; "
        "{photos/dogs/page.jpg} is not an image that Pillow can read. Fix or remove them, or say "
        "`on_error: skip`",
    ),
    "nothing but broken pictures": (
        BROKEN,
        {"size": SIZE, "on_error": "skip"},
        "2 of 2 pictures cannot be read: {photos/cats/empty.jpg} is empty; "
        "{photos/dogs/page.jpg} is not an image that Pillow can read",
    ),
    "an unknown class among the test pictures": (
        {**TWO_CLASSES, "later/aa/1.png": 1},
        {"test": {"path": "later"}, "part": "test"},
        "{later/aa}: there is no class 'aa' among the training files",
    ),
    "test pictures that are training pictures": (
        TWO_CLASSES,
        {"test": {"path": "photos"}, "part": "test"},
        "{photos/a/1.png}: also named by `path`; rows that are scored must not be trained on",
    ),
    "test pictures of two kinds": (
        {"photos/train/a/1.png": 1, "photos/train/b/1.png": 2, "photos/test/a/1.png": 3},
        {"test": {"fraction": 0.5}},
        "{photos}: has test pictures of its own, in the folder 'test'; leave out `test: "
        "{{fraction: ...}}`, or name the folder of the training pictures as `path`",
    ),
    "a picture that is not there": (
        {"photos/x.png": 1, "labels.csv": b"file,y\nx.png,1\nz.png,2\n"},
        {"labels": "labels.csv"},
        "1 of 2 pictures is not there: {photos/z.png} ({labels.csv}:3); paths in the column 'file' "
        "start at `path`",
    ),
    "a table without the column of files": (
        {"photos/x.png": 1, "labels.csv": b"name,y\nx.png,1\n"},
        {"labels": "labels.csv", "file": "nam"},
        "{labels.csv}: no column 'nam'; did you mean 'name'? The columns are: name, y",
    ),
    "a table of files alone": (
        {"photos/x.png": 1, "labels.csv": b"file\nx.png\n"},
        {"labels": "labels.csv"},
        "{labels.csv}: no column is left to predict beside 'file'",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_refused_and_in_which_words(case, tmp_path):
    files, options, expected = REFUSALS[case]
    write(tmp_path, files)
    part = options.get("part", "train")
    source = ImageFolder(**{"path": "photos"} | {k: v for k, v in options.items() if k != "part"})
    with pytest.raises(DataError) as error:
        source.load(part, tmp_path)
    shown = re.sub(r"\{([\w./]+)\}", lambda m: f"{tmp_path}/{m[1]}", expected)
    assert str(error.value) == shown.replace("{{", "{").replace("}}", "}")
