"""Data from strangers: links out of folders, huge pictures, wide tables, pipes and devices."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlrun.config.limits import ENVIRONMENT
from dlrun.data.reading.arrays import ArrayFiles
from dlrun.data.samples import ExpectedColumns
from dlrun.data.sources.csv import Csv
from dlrun.data.sources.image_folder import ImageFolder
from dlrun.data.sources.text_folder import TextFolder
from dlrun.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / "1.png")
        (tmp_path / "photos" / name / "1.txt").write_text("a text")
    return tmp_path / "photos"


def test_pipes_among_pictures_are_left_out(photos: Path) -> None:
    os.mkfifo(photos / "a" / "pipe.png")
    ImageFolder(path="photos").check(photos.parent)


def test_links_out_of_a_folder_are_refused_unless_asked_for(photos: Path) -> None:
    base = photos.parent
    (photos / "a" / "2.png").symlink_to("../b/1.png")
    ImageFolder(path="photos").check(base)
    for ending, source in ((".png", ImageFolder), (".txt", TextFolder)):
        outside = base / f"outside{ending}"
        outside.write_bytes((photos / "a" / f"1{ending}").read_bytes())
        (photos / "a" / f"3{ending}").symlink_to(outside)
        with pytest.raises(
            DataError, match=f"3{ending}: symbolic link to .*, outside .*photos; .*follow_links"
        ):
            source(path="photos").check(base)
        source(path="photos", follow_links=True).check(base)


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("link.png", r"link\.png: symbolic link to .*/outside\.png, outside photos"),
        ("../outside.png", r"photos/\.\./outside\.png: path to .*/outside\.png, outside photos"),
        ("{base}/outside.png", r"/outside\.png: path to .*/outside\.png, outside photos"),
    ],
)
def test_a_table_names_no_pictures_outside_unless_asked_for(
    photos: Path, monkeypatch: pytest.MonkeyPatch, named: str, found: str
) -> None:
    base = photos.parent
    monkeypatch.chdir(base)
    (base / "outside.png").write_bytes((photos / "a" / "1.png").read_bytes())
    (photos / "link.png").symlink_to(base / "outside.png")
    named = named.format(base=base)
    (base / "inside.csv").write_text("file,y\nb/../a/1.png,0\nb/1.png,1\n")
    (base / "labels.csv").write_text(f"file,y\n{named},0\n{named},1\n")
    inside = ImageFolder(path="photos", labels="inside.csv")
    inside.check(base)
    for source in (
        ImageFolder(path="photos", labels="labels.csv"),
        inside.with_test_files("labels.csv"),
    ):
        with pytest.raises(DataError, match=found):
            source.check(base)
        source.model_copy(update={"follow_links": True}).check(base)


def test_a_table_of_new_pictures_names_none_outside_unless_asked_for(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = photos.parent
    monkeypatch.chdir(base)
    (base / "outside.png").write_bytes((photos / "a" / "1.png").read_bytes())
    (photos / "link.png").symlink_to(base / "outside.png")
    (base / "inside.csv").write_text("file,y\nb/1.png,0\na/1.png,1\n")
    (photos / "new.csv").write_text("file\na/1.png\nlink.png\n")
    source = ImageFolder(path="photos", labels="inside.csv")
    expected: ExpectedColumns = {"image": ("numeric", (8, 8, 3))}
    with pytest.raises(DataError, match=r"link\.png: symbolic link .*, or give the pictures"):
        source.read_new([photos / "new.csv"], expected)
    asked = source.model_copy(update={"follow_links": True})
    assert len(asked.read_new([photos / "new.csv"], expected).columns["image"]) == 2


def test_a_class_that_is_a_link_is_refused(photos: Path) -> None:
    (photos / "b").rename(photos.parent / "elsewhere")
    (photos / "b").symlink_to(photos.parent / "elsewhere")
    with pytest.raises(DataError, match=r"b/1\.png: symbolic link to .*, outside"):
        ImageFolder(path="photos").check(photos.parent)


def test_a_picture_has_a_limit_that_can_be_raised(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12_345)
    monkeypatch.setenv(ENVIRONMENT, "picture_pixels=63")
    with pytest.raises(DataError, match=r"has 64 pixels, and at most 63 are read; .*=126"):
        ImageFolder(path="photos").check(photos.parent)
    monkeypatch.setenv(ENVIRONMENT, "picture_pixels=10")
    with pytest.raises(DataError, match="has more than 20 pixels"):
        ImageFolder(path="photos").check(photos.parent)
    monkeypatch.setenv(ENVIRONMENT, "picture_pixels=64")
    ImageFolder(path="photos").load("train", photos.parent)
    # Pillow's own is set for the whole process, and belongs to whoever set it.
    assert Image.MAX_IMAGE_PIXELS == 12_345


@pytest.mark.parametrize("ending", [".csv.gz", ".csv.bz2", ".csv.xz", ".jsonl.gz"])
def test_a_compressed_table_has_a_limit_that_can_be_raised(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, header = ('{"x": 1, "y": 2}\n', "") if "json" in ending else ("1,2\n", "x,y\n")
    text = header + row * 50_000
    pack = {".gz": gzip, ".bz2": bz2, ".xz": lzma}[Path(ending).suffix].compress
    (tmp_path / f"a{ending}").write_bytes(pack(text.encode()))
    source = Csv(path=f"a{ending}", target="y")
    monkeypatch.setattr("dlrun.config.limits.free_memory", lambda: 100_000)
    with pytest.raises(DataError, match=rf"a{ending}: more than 100,000 bytes .*unpacked_bytes="):
        source.load("train", tmp_path)
    monkeypatch.setenv(ENVIRONMENT, f"unpacked_bytes={len(text)}")
    assert len(source.load("train", tmp_path).features["x"]) == 50_000


def test_an_array_that_claims_more_than_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.npz"
    with zipfile.ZipFile(file, "w") as archive, archive.open("x.npy", "w") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (2 * 10**12,)}
        np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(DataError, match=r"a\.npz: array 'x' does not fit into memory: .*TiB"):
        ArrayFiles([file]).read("x")
    np.savez_compressed(file, x=np.zeros(1000))
    monkeypatch.setattr("dlrun.data.reading.arrays.free_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"array 'x' does not fit into memory: it takes 0\.0 GB"):
        ArrayFiles([file]).read("x")


def test_a_wide_table_needs_a_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wide.csv").write_text("a,b,c,y\n1,2,3,4\n5,6,7,8\n")
    monkeypatch.setenv(ENVIRONMENT, "table_columns=2")
    with pytest.raises(DataError, match=r"3 columns beside the target.*table_columns=3"):
        Csv(path="wide.csv", target="y").load("train", tmp_path)
    assert list(Csv(path="wide.csv", target="y", drop=["a"]).load("train", tmp_path).features)
    monkeypatch.setenv(ENVIRONMENT, "table_columns=3")
    assert list(Csv(path="wide.csv", target="y").load("train", tmp_path).features) == [
        "a",
        "b",
        "c",
    ]


def test_devices_and_pipes_are_no_tables(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "circle.csv").symlink_to("circle.csv")
    for path, kind in (
        ("pipe.csv", "a named pipe"),
        ("circle.csv", "a symbolic link that leads in a circle"),
        ("a\0b.csv", "not a possible file name"),
        ("~nobody-has-this-name/a.csv", "no such file"),
        ("/proc/self/environ", "a system file"),
    ):
        with pytest.raises(DataError, match=kind):
            Csv(path=path, target="y").load("train", tmp_path)
