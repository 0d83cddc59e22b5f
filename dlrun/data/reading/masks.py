"""Masks: pictures that hold the class of each pixel of another picture of the same name.

Legend: n pictures, h height, w width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlrun.data.reading.files import BrokenFile, files_in, neighbour
from dlrun.data.reading.image_depth import ImageError
from dlrun.data.reading.image_files import in_threads
from dlrun.data.reading.image_headers import read_headers
from dlrun.data.reading.images import IMAGE_ENDINGS, ImageFormat, read_mask
from dlrun.data.samples import Array
from dlrun.errors import DataError
from dlrun.text import counted, first_few

PATH = ("dataset", "masks")
"""Where a config names the folder."""

BLACK_AND_WHITE = (0, 255)
"""Grey values of masks of two classes, as drawing programs write them."""


@dataclass(frozen=True)
class Masks:
    """Masks as they were read.

    Args:
        classes: (n, h, w) int32; rows of broken files hold anything.
        broken: The files that cannot be read.
    """

    classes: Array
    broken: tuple[BrokenFile, ...]


def masks_of(
    folders: Sequence[Path], part: str, pictures: Sequence[Path], names: Sequence[str]
) -> tuple[Path, ...]:
    """Return the mask of each picture: the file of its name, whatever its ending.

    Args:
        folders: Where the masks are, laid out as the pictures.
        part: Name of the folder of the pictures: that of the masks if there is one such as `test`.
        pictures: n files.
        names: Of the pictures, from the folder that they were found in.

    Raises:
        DataError: A picture has no mask, or several, or one of another size.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            near = neighbour(folder, folders=True)
            raise DataError(f"{folder}: no such folder of masks{near}", path=PATH)
        inside = folder / part if (folder / part).is_dir() else folder
        for file in files_in(inside, IMAGE_ENDINGS):
            stem = _stem(file.relative_to(inside).as_posix(), file)
            if stem in found:
                message = f"{file}: is the mask of the same picture as {found[stem]}"
                raise DataError(message, path=PATH)
            found[stem] = file
    stems = [_stem(name, picture) for name, picture in zip(names, pictures, strict=True)]
    missing = [name for name, stem in zip(names, stems, strict=True) if stem not in found]
    if missing:
        have = "has" if len(missing) == 1 else "have"
        example = f"; there is {next(iter(found.values()))}" if found else ""
        raise DataError(
            f"{len(missing):,} of {counted(len(pictures), 'picture')} {have} no mask in "
            f"{folders[0]}: {first_few(missing)}; a mask has the name of its picture{example}",
            path=PATH,
        )
    masks = tuple(found[stem] for stem in stems)
    _refuse_other_sizes(pictures, masks)
    return masks


def read_masks(files: Sequence[Path], form: ImageFormat, values: Sequence[int] | None) -> Masks:
    """Read masks, in the size of the pictures.

    Args:
        files: n files.
        form: What the pictures are brought into.
        values: What the masks hold for each class, in the order of the classes; None: its index.

    Raises:
        DataError: A mask holds another value.
    """
    classes = np.empty((len(files), *form.size), np.int32)

    def decode(position: int) -> BrokenFile | None:
        try:
            classes[position] = read_mask(files[position], form)
        except ImageError as error:
            return BrokenFile(position, f"{files[position]} {error}")
        return None

    broken = [one for one in in_threads(decode, range(len(files))) if one is not None]
    if values is not None:
        good = np.setdiff1d(np.arange(len(files)), [file.position for file in broken])
        order = np.argsort(values)
        ascending = np.asarray(values)[order]
        for position in good.tolist():
            places = np.searchsorted(ascending, classes[position]).clip(max=len(values) - 1)
            if (strange := classes[position] != ascending[places]).any():
                raise DataError(
                    f"{files[position]}: holds {classes[position][strange][0]}, where masks hold "
                    f"{', '.join(map(str, values))} (`mask_values`)",
                    path=("dataset", "mask_values"),
                )
            classes[position] = order[places]
    return Masks(classes, tuple(broken))


def are_black_and_white(files: Sequence[Path], form: ImageFormat) -> bool:
    """Whether masks hold 0 and 255 and nothing else."""

    def values(position: int) -> set[int]:
        try:
            return set(np.unique(read_mask(files[position], form)).tolist())
        except ImageError:
            return set()

    return set().union(*in_threads(values, range(len(files)))) == set(BLACK_AND_WHITE)


def _stem(name: str, file: Path) -> str:
    return name.removesuffix(file.suffix)


def _refuse_other_sizes(pictures: Sequence[Path], masks: Sequence[Path]) -> None:
    """Refuse masks that do not cover their pictures; broken files are reported elsewhere."""
    sizes = [{h.file: h.size for h in read_headers(files)[0]} for files in (pictures, masks)]
    for picture, mask in zip(pictures, masks, strict=True):
        own, wanted = sizes[1].get(mask), sizes[0].get(picture)
        if own is not None and wanted is not None and own != wanted:
            raise DataError(
                f"{mask}: is {own[0]} x {own[1]}, and its picture {picture.name} is "
                f"{wanted[0]} x {wanted[1]} (height x width); a mask covers its picture",
                path=PATH,
            )
