"""Texts in folders: one folder a class, one file a text."""

from __future__ import annotations

import codecs
import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import field_validator

from dlrun.data.reading.files import (
    BrokenFile,
    ClassFolders,
    files_in,
    has_part,
    part_folder,
    read_class_folders,
    refuse_shared,
    root_folder,
    skip_broken,
)
from dlrun.data.samples import FILE, Array, ExpectedColumns, as_objects
from dlrun.data.source import FolderSource, Loaded, NewRows, Part
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean

TEXT = "text"
"""Name of the feature."""

LABEL = "label"
"""Name of the target."""

UNLABELLED = ("unsup",)
"""Folders that hold no class, as in the reviews of aclImdb."""


class TextFolder(FolderSource):
    """Texts as files that end in `.txt`: one folder a class, or such folders below `train` and,
    where there are any, `validation` and `test`, as in aclImdb. They are one column of text,
    `text`; the step `text` makes numbers of it. Files are in the order of their classes and names;
    hidden ones are left out, and so is a folder `unsup`."""

    what: ClassVar[str] = "text"

    path: str
    """The folder that holds the classes' folders, or `train` and others above those."""

    encoding: str = "utf-8"
    """Text encoding of the files."""

    on_error: Literal["stop", "skip"] = "stop"
    """What to do with files that are written in another encoding or cannot be read: `stop` names
    and counts them and trains nothing, `skip` leaves them out and reports them."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise ValueError(f"unknown encoding '{encoding}'; most files are utf-8") from None
        return encoding

    def root(self) -> Path:
        return Path(os.path.expanduser(self.path))

    def files_of(self, part: Part, base: Path) -> tuple[Path, ...]:
        return self._found(part, base).files

    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        found = self._found(part, base)
        self.refuse_extra(extra, found.folder)
        texts, broken = read_texts(found.files, self.encoding)
        kept, findings = self._kept(broken, len(texts))
        names = [file.relative_to(found.folder).as_posix() for file in found.files]
        return Loaded(
            features={TEXT: texts[kept]},
            targets={LABEL: found.names()[kept]},
            extras={FILE: np.asarray(names, object)[kept]},
            description=f"{len(kept)} texts of {len(found.classes)} classes from {found.folder}",
            findings=(*found.findings, *findings),
        )

    def check(self, base: Path, extra: Sequence[str] = ()) -> Loaded | None:
        root = root_folder(self.path, base)
        beside = root.parent.is_dir() and (f.name for f in root.parent.iterdir() if f.is_dir())
        if not root.exists() and not (beside and did_you_mean(root.name, beside)):
            # A config may be written before its data is there; training says what is missing.
            return None
        loaded = self.load("train", base, extra)
        if self.brings_test:
            # Only that it is there: its rows are sealed.
            self._found("test", base)
        return loaded

    def check_test(self, base: Path, extra: Sequence[str] = ()) -> None:
        if root_folder(self.path, base).exists():
            self.load("test", base, extra)

    def read_new(self, files: Sequence[Path], columns: ExpectedColumns) -> NewRows:
        """Texts from files that end in `.txt`, and from all such files of folders, in the order of
        their names; else one table, as any source."""
        if not all(file.is_dir() or file.suffix.lower() in TEXT_ENDINGS for file in files):
            return super().read_new(files, columns)
        found: list[Path] = []
        for file in files:
            inside = files_in(file, TEXT_ENDINGS) if file.is_dir() else [file]
            if not inside:
                raise DataError(f"{file}: no text in this folder; expected files that end in .txt")
            found += inside
        texts, broken = read_texts(found, self.encoding)
        kept, findings = self._kept(broken, len(texts))
        names = np.asarray([str(file) for file in found], object)
        return NewRows({TEXT: texts[kept]}, names[kept], tuple(findings))

    def _kept(self, broken: Sequence[BrokenFile], count: int) -> tuple[Array, list[str]]:
        advice = (
            "Say how they are written, such as `encoding: latin-1`, fix them, or say "
            "`on_error: skip`"
        )
        return skip_broken(broken, count, "text", skip=self.on_error == "skip", advice=advice)

    def _found(self, part: Part, base: Path) -> ClassFolders:
        root = root_folder(self.path, base)
        if not root.exists() and not root.parent.is_dir():
            raise DataError(
                f"{root}: no such folder; put the texts there, one folder a class, or name "
                "another folder as `path`"
            )
        self.refuse_second_test(root)
        train = _read(part_folder(root, "train"))
        self.refuse_links(train.files, [root])
        if part == "train":
            return train
        if self.test is None or self.test.path is None:
            folder, test_root = part_folder(root, "test"), root
        elif isinstance(self.test.path, str):
            folder = test_root = root_folder(self.test.path, base)
        else:
            raise DataError(f"{self.test.path}: expected one folder of texts")
        if has_part(folder, "test"):
            folder = part_folder(folder, "test")
        elif not folder.is_dir():
            raise DataError(f"{folder}: no such folder; expected a folder with one folder a class")
        test = _read(folder, train.classes)
        self.refuse_links(test.files, [root, test_root])
        refuse_shared(train.files, test.files)
        return test


def _read(folder: Path, classes: Sequence[str] | None = None) -> ClassFolders:
    return read_class_folders(
        folder, TEXT_ENDINGS, what="text", classes=classes, ignored=UNLABELLED
    )


TEXT_ENDINGS = frozenset({".txt"})
"""What files of texts end in, in lower case."""


def read_texts(files: Sequence[Path], encoding: str) -> tuple[Array, list[BrokenFile]]:
    """Read each file whole.

    Args:
        files: The files.
        encoding: How they are written; a byte-order mark of UTF-8 is skipped.

    Returns:
        (n,) objects of str, None where a file cannot be read; and the files that cannot.
    """
    texts: list[str | None] = []
    broken: list[BrokenFile] = []
    for position, file in enumerate(files):
        text: str | None = None
        try:
            text = decoded(file.read_bytes(), encoding)
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            found = f"byte {error.start} (0x{byte:02x}) is not {encoding}"
            broken.append(BrokenFile(position, f"{file}: {found}"))
        except OSError as error:
            broken.append(BrokenFile(position, f"{file}: {error.strerror}"))
        texts.append(text)
    return as_objects(texts), broken


def decoded(content: bytes, encoding: str) -> str:
    """Return the text of a file, without a byte-order mark.

    Raises:
        UnicodeDecodeError: It is written otherwise.
    """
    return content.decode(encoding).removeprefix("\ufeff")
