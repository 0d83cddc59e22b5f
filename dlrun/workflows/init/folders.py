"""What a first config needs to know of a folder of pictures or texts: one folder a class."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlrun.data.reading.files import files_in, has_part, part_folder, read_class_folders
from dlrun.data.reading.image_depth import ImageError
from dlrun.data.reading.image_files import images_in_folders, images_without_classes
from dlrun.data.reading.image_headers import common_depth, read_headers
from dlrun.data.reading.images import IMAGE_ENDINGS, ImageFormat, are_grayscale, read_mask
from dlrun.data.reading.masks import BLACK_AND_WHITE, masks_of
from dlrun.data.sources.text_folder import TEXT_ENDINGS, UNLABELLED
from dlrun.errors import DataError
from dlrun.workflows.init.answer import InitTask

LONGEST_SIDE = 180
"""Pixels a side that pictures are brought to at most."""

SMALLEST_SIDE = 32

COLOUR_SAMPLE = 100
"""Pictures that are opened to see whether they have colours."""

SMALLEST_PHOTO, MOST_PHOTOS = 96, 20_000
BASE_SIZE = (224, 224)
BASE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
"""Weights of the base for photos, as Keras names the file that it downloads."""

_PICTURES = re.compile(r"(.*_)?(images?|imgs?|pictures?|photos?|x|inputs?)", re.IGNORECASE)
_MASKS = re.compile(r"(.*_)?(masks?|annotations?|labels?|segmentations?|y|targets?)", re.IGNORECASE)

MASKS_READ = 50
"""Masks that are opened to see which values they hold."""

MOST_MASK_CLASSES = 50

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
    numbered = True
    others: ClassVar[tuple[str, ...]] = ()

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
class Look:
    """What pictures are like.

    Args:
        sizes: How many different sizes they have.
        size: Height and width that they are brought to.
        grey: Whether they have no colours.
        scaling: The step that brings their pixels to 0 to 1.
        photos: Whether they are photos, large and few enough for a base that was trained on others.
        based: Whether they go through one.
    """

    sizes: int
    size: tuple[int, int]
    grey: bool
    scaling: str
    photos: bool
    based: bool

    @property
    def filters(self) -> list[int]:
        """Filters of each convolution."""
        return filters_of(self.size)


def filters_of(size: Sequence[int]) -> list[int]:
    """Return the filters of each convolution: there are as many as make a picture of that height
    and width about 6 pixels high."""
    count = max(1, min(4, int(math.log2(max(2, min(size) / 6)))))
    return [32 * 2 ** min(number, 2) for number in range(count)]


@dataclass(frozen=True)
class PictureFacts(FolderFacts):
    """A folder of pictures with one folder a class.

    Args:
        look: What they are like.
    """

    look: Look


@dataclass(frozen=True)
class MaskFacts:
    """Pictures with a mask each.

    Args:
        pictures: Folder of the pictures.
        masks: Folder of the masks.
        count: Pictures.
        look: What the pictures are like.
        values: What the masks hold for each class.
        named: Whether the config has to say so.
    """

    pictures: Path
    masks: Path
    count: int
    look: Look
    values: tuple[int, ...]
    named: bool

    @property
    def task(self) -> InitTask:
        """What is predicted for each pixel."""
        return "binary" if len(self.values) == 2 else "multiclass"


def holds_pictures(path: Path) -> bool:
    """Whether a path is a folder with pictures in it or below."""
    return path.is_dir() and bool(files_in(path, IMAGE_ENDINGS))


def holds_texts(path: Path) -> bool:
    """Whether a path is a folder with texts in it or below."""
    return path.is_dir() and bool(files_in(path, TEXT_ENDINGS))


def picture_facts(folder: Path, *, pretrained: bool | None = None) -> PictureFacts:
    """Read the facts of a folder with one folder of pictures a class.

    Args:
        folder: The folder.
        pretrained: Whether photos go through a base that was trained on ImageNet; None: if its
            weights are there.

    Raises:
        DataError: It has no such folders.
    """
    listing = images_in_folders([part_folder(folder, "train")])
    (classes,) = listing.classes.values()
    return PictureFacts(
        count=len(listing.files),
        classes=classes,
        validation=has_part(folder, "validation"),
        test=has_part(folder, "test"),
        look=look_of(listing.files, pretrained=pretrained),
    )


def look_of(files: Sequence[Path], *, pretrained: bool | None = None) -> Look:
    """Return what pictures are like, and whether they go through a base: see `picture_facts`."""
    sizes = [header.size for header in read_headers(files)[0]]
    sides = sorted(min(size) for size in sizes) or [LONGEST_SIDE]
    side = max(SMALLEST_SIDE, min(LONGEST_SIDE, sides[len(sides) // 2]))
    alike = len(set(sizes)) == 1 and max(sizes[0]) <= LONGEST_SIDE
    size = sizes[0] if alike else (side, side)
    every = max(1, len(files) // COLOUR_SAMPLE)
    grey = are_grayscale(files[::every])
    scaling = _SCALING.get(common_depth(files), "minmax")
    photos = (
        not grey
        and scaling == _SCALING["uint8"]
        and min(size) >= SMALLEST_PHOTO
        and len(files) <= MOST_PHOTOS
    )
    based = photos and (_has_weights() if pretrained is None else pretrained)
    return Look(
        sizes=len(set(sizes)),
        size=BASE_SIZE if based else size,
        grey=grey,
        scaling=scaling,
        photos=photos,
        based=based,
    )


def _has_weights() -> bool:
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return (home / "models" / BASE).is_file()


def mask_facts(folder: Path) -> MaskFacts | None:
    """Return the facts of a folder that holds one of pictures and one of their masks; None where
    there are no such two.

    Raises:
        DataError: A picture has no mask, or the masks hold no classes.
    """
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    folders = {
        kind: [path for path in inside if pattern.fullmatch(path.name) and holds_pictures(path)]
        for kind, pattern in (("pictures", _PICTURES), ("masks", _MASKS))
    }
    if any(len(found) != 1 for found in folders.values()):
        return None
    (pictures,), (masks,) = folders.values()
    listing = images_without_classes([pictures])
    files = masks_of([masks], "", listing.files, listing.names.tolist())
    look = look_of(listing.files, pretrained=False)
    every = max(1, len(files) // MASKS_READ)
    form = ImageFormat(look.size, "grayscale", "stretch")
    try:
        held = [np.unique(read_mask(file, form)) for file in files[::every]]
    except ImageError as error:
        raise DataError(f"{masks}: a mask {error}") from error
    values = tuple(np.unique(np.concatenate(held)).tolist())
    if not 2 <= len(values) <= MOST_MASK_CLASSES:
        raise DataError(
            f"{masks}: masks hold {len(values)} different values; a mask holds the class of each "
            "pixel, of at least two and at most a few dozen classes"
        )
    plain = values in (BLACK_AND_WHITE, tuple(range(len(values))))
    return MaskFacts(
        pictures=pictures,
        masks=masks,
        count=len(files),
        look=look,
        values=values,
        named=not plain,
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
