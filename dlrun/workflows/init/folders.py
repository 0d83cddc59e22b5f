"""What a first config needs to know of a folder of pictures or texts: one folder a class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from dlrun.data.reading.files import files_in, has_part, part_folder, read_class_folders
from dlrun.data.reading.image_files import images_in_folders
from dlrun.data.reading.image_headers import common_depth, read_headers
from dlrun.data.reading.images import IMAGE_ENDINGS, are_grayscale
from dlrun.data.sources.text_folder import TEXT_ENDINGS, UNLABELLED
from dlrun.workflows.init.table import InitTask

LONGEST_SIDE = 180
"""Pixels a side that pictures are brought to at most."""

SMALLEST_SIDE = 32

COLOUR_SAMPLE = 100
"""Pictures that are opened to see whether they have colours."""

CLASSES_SHOWN = 6

_SCALING = {"uint8": "rescale: 1/255", "uint16": "rescale: auto"}


@dataclass(frozen=True)
class FolderFacts:
    """What a folder with one folder a class holds.

    Args:
        count: Files that train.
        classes: Names of the classes.
        validation: Whether there is a folder `validation`.
        test: Whether there is a folder `test`.
    """

    count: int
    classes: tuple[str, ...]
    validation: bool
    test: bool

    @property
    def task(self) -> InitTask:
        """What is predicted."""
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def classes_shown(self) -> str:
        """The names of the first classes."""
        more = ", ..." if len(self.classes) > CLASSES_SHOWN else ""
        return ", ".join(self.classes[:CLASSES_SHOWN]) + more


@dataclass(frozen=True)
class PictureFacts(FolderFacts):
    """A folder of pictures.

    Args:
        sizes: How many different sizes they have.
        size: Height and width that they are brought to.
        grey: Whether they have no colours.
        scaling: The step that brings their pixels to 0 to 1.
    """

    sizes: int
    size: tuple[int, int]
    grey: bool
    scaling: str

    @property
    def filters(self) -> list[int]:
        """Filters of each convolution: there are as many as make a picture about 6 pixels high."""
        count = max(1, min(4, int(math.log2(max(2, min(self.size) / 6)))))
        return [32 * 2 ** min(number, 2) for number in range(count)]


def holds_pictures(path: Path) -> bool:
    """Whether a path is a folder with pictures in it or below."""
    return path.is_dir() and bool(files_in(path, IMAGE_ENDINGS))


def holds_texts(path: Path) -> bool:
    """Whether a path is a folder with texts in it or below."""
    return path.is_dir() and bool(files_in(path, TEXT_ENDINGS))


def picture_facts(folder: Path) -> PictureFacts:
    """Read the facts of a folder with one folder of pictures a class.

    Raises:
        DataError: It has no such folders.
    """
    listing = images_in_folders([part_folder(folder, "train")])
    (classes,) = listing.classes.values()
    sizes = [header.size for header in read_headers(listing.files)[0]]
    sides = sorted(min(size) for size in sizes) or [LONGEST_SIDE]
    side = max(SMALLEST_SIDE, min(LONGEST_SIDE, sides[len(sides) // 2]))
    alike = len(set(sizes)) == 1 and max(sizes[0]) <= LONGEST_SIDE
    every = max(1, len(listing.files) // COLOUR_SAMPLE)
    return PictureFacts(
        count=len(listing.files),
        classes=classes,
        validation=has_part(folder, "validation"),
        test=has_part(folder, "test"),
        sizes=len(set(sizes)),
        size=sizes[0] if alike else (side, side),
        grey=are_grayscale(listing.files[::every]),
        scaling=_SCALING.get(common_depth(listing.files), "minmax"),
    )


def text_facts(folder: Path) -> FolderFacts:
    """Read the facts of a folder with one folder of texts a class.

    Raises:
        DataError: It has no such folders.
    """
    train = part_folder(folder, "train")
    found = read_class_folders(train, TEXT_ENDINGS, what="text", ignored=UNLABELLED)
    validation, test = has_part(folder, "validation"), has_part(folder, "test")
    return FolderFacts(len(found.files), found.classes, validation, test)
