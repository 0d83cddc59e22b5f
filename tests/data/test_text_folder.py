"""Folders of texts: which files are read, in what order, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.sources.text_folder import TextFolder
from dlrun.errors import DataError


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else content.encode()
        (root / name).write_bytes(raw)


def acl(root: Path) -> None:
    """The layout of aclImdb, with what lies about in such folders."""
    write(
        root,
        {
            "README": "read me",
            "train/urls_pos.txt": "no class",
            "train/pos/0_9.txt": "good",
            "train/pos/10_8.txt": "fine",
            "train/pos/2_7.txt": "\ufeffgröße",
            "train/neg/1_1.txt": "bad",
            "train/neg/.DS_Store": b"\x00",
            "train/neg/.hidden.txt": "hidden",
            "train/neg/notes.md": "a note",
            "train/neg/old/3_2.TXT": "worse",
            "train/unsup/5_0.txt": "no label",
            "test/neg/0_1.txt": "dull",
            "test/pos/0_9.txt": "great",
        },
    )


def source(root: Path, **options: Any) -> TextFolder:
    return TextFolder.model_validate({"path": str(root), **options})


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(source(root, **options), root.parent, 0, regression=False)
    return str(caught.value).replace(str(root), "ROOT")


def test_files_are_read_class_by_class_in_the_order_of_their_names(tmp_path: Path) -> None:
    acl(tmp_path)
    dataset = load_dataset(source(tmp_path), tmp_path, 0, extra=["file"], regression=False)
    samples = dataset.samples
    assert samples.features["text"].tolist() == ["bad", "worse", "good", "fine", "größe"]
    assert samples.targets["label"].tolist() == ["neg", "neg", "pos", "pos", "pos"]
    assert samples.extras["file"].tolist()[:3] == ["neg/1_1.txt", "neg/old/3_2.TXT", "pos/0_9.txt"]
    assert dataset.classes == {"label": ("neg", "pos")}
    assert dataset.has_test
    assert load_test(source(tmp_path), tmp_path, 0, regression=False).features["text"].tolist() == [
        "dull",
        "great",
    ]
    assert dataset.findings == (
        "the folder 'unsup' is not a class and was left out",
        f"1 file of other endings left out, such as {tmp_path / 'train/neg/notes.md'}",
    )


def test_the_same_texts_and_labels_as_keras_own_loader(tmp_path: Path) -> None:
    import keras

    acl(tmp_path)
    (tmp_path / "train/unsup/5_0.txt").unlink()
    (tmp_path / "train/neg/.hidden.txt").unlink()
    (tmp_path / "train/unsup").rmdir()
    (tmp_path / "train/neg/old/3_2.TXT").rename(tmp_path / "train/neg/old/3_2.txt")
    (tmp_path / "train/pos/2_7.txt").write_text("gross")
    theirs = keras.utils.text_dataset_from_directory(
        str(tmp_path / "train"), shuffle=False, batch_size=None, verbose=False
    )
    pairs = [(text.numpy().decode(), int(label)) for text, label in theirs]
    dataset = load_dataset(source(tmp_path), tmp_path, 0, regression=False)
    classes = dataset.classes["label"]
    labels = [classes.index(label) for label in dataset.samples.targets["label"]]
    texts = dataset.samples.features["text"].tolist()
    assert sorted(zip(texts, labels, strict=True)) == sorted(pairs)


def test_a_file_in_another_encoding_stops_or_is_left_out(tmp_path: Path) -> None:
    root = tmp_path / "mails"
    write(root, {"ham/a.txt": "lunch", "ham/b.txt": "Größe".encode("latin-1"), "spam/c.txt": "win"})
    assert refusal(root) == (
        "1 of 3 texts cannot be read: ROOT/ham/b.txt: byte 2 (0xf6) is not utf-8. Say how they "
        "are written, such as `encoding: latin-1`, fix them, or say `on_error: skip`"
    )
    dataset = load_dataset(source(root, on_error="skip"), tmp_path, 0, regression=False)
    assert dataset.samples.features["text"].tolist() == ["lunch", "win"]
    left_out = f"{root / 'ham/b.txt'}: byte 2 (0xf6) is not utf-8. They are left out"
    assert dataset.findings[0] == f"1 of 3 texts cannot be read: {left_out}"
    latin = load_dataset(source(root, encoding="latin-1"), tmp_path, 0, regression=False)
    assert latin.samples.features["text"].tolist() == ["lunch", "Größe", "win"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "ROOT: expected one folder a class in it, found none"),
        (
            {"ham/a.txt": "a"},
            "ROOT: the only class is 'ham'; two are needed to tell apart",
        ),
        (
            {"ham/a.txt": "a", "spam/a.doc": "b"},
            "ROOT/spam: no text in the folder of this class; expected files that end in .txt",
        ),
    ],
)
def test_folders_that_are_no_classes_are_refused(
    files: dict[str, str | bytes], message: str, tmp_path: Path
) -> None:
    root = tmp_path / "mails"
    root.mkdir()
    write(root, files)
    assert refusal(root) == message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    assert refusal(tmp_path / "mail") == (
        "ROOT: no such folder; expected a folder with one folder a class; did you mean 'mails'?"
    )
    assert refusal(tmp_path / "data" / "mails") == (
        "ROOT: no such folder; put the texts there, one folder a class, or name another folder "
        "as `path`"
    )


def test_test_texts_of_a_class_that_training_lacks(tmp_path: Path) -> None:
    acl(tmp_path)
    write(tmp_path, {"test/neutral/0.txt": "so so"})
    with pytest.raises(DataError, match="there is no class 'neutral' among the training files"):
        load_test(source(tmp_path), tmp_path, 0, regression=False)


def test_a_share_for_the_test_beside_a_test_folder(tmp_path: Path) -> None:
    acl(tmp_path)
    assert refusal(tmp_path, test={"fraction": 0.2}).startswith(
        "ROOT: has test texts of its own, in the folder 'test'; leave out"
    )


def test_the_same_folder_for_training_and_test(tmp_path: Path) -> None:
    acl(tmp_path)
    twice = source(tmp_path / "train", test={"path": str(tmp_path / "train")})
    with pytest.raises(DataError, match="rows that are scored must not be trained on"):
        load_test(twice, tmp_path, 0, regression=False)


def test_new_texts_are_read_from_files_and_folders(tmp_path: Path) -> None:
    acl(tmp_path)
    wanted = {"text": ("categorical", ())}
    mails = source(tmp_path)
    new = mails.read_new([tmp_path / "test", tmp_path / "train/pos/10_8.txt"], wanted)
    assert new.columns["text"].tolist() == ["dull", "great", "fine"]
    assert new.names is not None
    assert new.names[0] == str(tmp_path / "test/neg/0_1.txt")
    (tmp_path / "new.csv").write_text('text\n"good, or\nnot"\n')
    table = mails.read_new([tmp_path / "new.csv"], wanted).columns["text"]
    np.testing.assert_array_equal(table, np.array(["good, or\nnot"], object))
