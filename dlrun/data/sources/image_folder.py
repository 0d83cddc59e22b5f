"""Pictures in folders, or named by a table."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from dlrun.config.fields import FilePath
from dlrun.data.lazy import take_rows
from dlrun.data.reading.files import (
    BrokenFile,
    Paths,
    as_list,
    find_files,
    has_part,
    part_folder,
    refuse_shared,
    root_folder,
    skip_broken,
)
from dlrun.data.reading.image_depth import Color, Depth
from dlrun.data.reading.image_files import (
    ImageFiles,
    images_in_folders,
    images_in_table,
    images_without_classes,
    new_images,
    read_images,
)
from dlrun.data.reading.image_headers import (
    common_depth,
    common_size,
    read_headers,
    refuse_moved_places,
)
from dlrun.data.reading.images import IMAGE_ENDINGS, ImageFormat, Resize
from dlrun.data.reading.masks import (
    BLACK_AND_WHITE,
    Masks,
    are_black_and_white,
    masks_of,
    read_masks,
)
from dlrun.data.reading.new_rows import read_new_rows
from dlrun.data.reading.row_places import format_of
from dlrun.data.reading.table_columns import Separator
from dlrun.data.samples import FILE, Array, Columns, ExpectedColumns, as_objects
from dlrun.data.source import FolderSource, Loaded, NewRows, Part
from dlrun.data.stored import too_large_to_hold
from dlrun.errors import DataError
from dlrun.text import listed

IMAGE = "image"
"""Name of the feature."""

MASK = "mask"
"""Name of the target that `masks` holds."""


class ImageFolder(FolderSource):
    """Pictures: JPEG, PNG and whatever else Pillow reads. One folder a class, or such folders below
    `train` and, where there are any, `validation` and `test`; or files named by a table with
    their labels (`labels`); or pictures without classes, with a mask each (`masks`) or as their own
    targets (`targets: input`). They are one column, `image`, (height, width, channels).

    Pixels are those of `keras.utils.load_img`, in the depth of the files, resized as
    `keras.utils.image_dataset_from_directory` does and rounded to whole numbers. As there, hidden
    files are left out, a film is its first picture, and EXIF orientation and gamma are ignored.
    Pictures that fit into memory are decoded once; else they are read a batch at a time
    (`stream`)."""

    what: ClassVar[str] = "picture"

    path: str | list[str]
    """The folder; several where each holds the same classes. With `labels`, the folder where
    the paths in the table start."""

    size: list[int] | None = None
    """Height and width in pixels to which every picture is resized; default: the pictures' own
    size, if all have the same."""

    color: Color = "rgb"
    """Channels: `rgb`, `grayscale` (one) or `rgba` (four)."""

    resize: Resize = "stretch"
    """How a picture of another shape becomes `size`: `stretch` ignores the aspect ratio, `crop`
    cuts off two sides, `pad` adds black bars."""

    depth: Depth | None = None
    """Type of the pixels; default: that of the files, which must all have the same. 16-bit files
    are `uint16`, 32-bit files `int32`, `uint32` or `float32`; `uint8` takes the upper 8 of 16 bits,
    as Keras' own loader does."""

    classes: Literal["none"] | None = None
    """`none`: the folder's subfolders are not classes. So it is with `masks` and `targets: input`
    in any case."""

    masks: FilePath | list[FilePath] | None = None
    """Folder of masks, the target `mask`: for each picture a picture of the same name, whatever its
    ending, whose grey values or palette indices are the class of each pixel. Subfolders are as
    those of the pictures. Where pictures are resized, masks take the nearest pixel."""

    mask_values: list[int] | None = None
    """What a mask holds for each class, in the order of the classes, such as `[0, 128, 255]`.
    Default: the class's index; `[0, 255]` where all masks are black and white."""

    labels: FilePath | list[FilePath] | None = None
    """A table (CSV, TSV, JSON lines or Parquet) of file names and labels, instead of a folder
    a class; relative to the config file."""

    file: str | None = None
    """With `labels`: column of the file names; default: `file`, or else the first column."""

    target: str | list[str] | None = None
    """With `labels`: column to predict, or several; default: all but the file names and `features`,
    with `masks` none. Text is a class, several columns of 0 and 1 are labels of which a picture
    may have any number."""

    features: list[str] | None = None
    """With `labels`: columns of the table that are inputs beside the picture."""

    split: dict[str, Separator] = Field(default_factory=dict)
    """With `labels`: what separates the parts of a text column, such as `{tags: "|"}`: a target
    becomes labels of which a picture may have any number. A space stands for any white space."""

    on_error: Literal["stop", "skip"] = "stop"
    """What to do with files that cannot be read: `stop` names and counts them and trains nothing,
    `skip` leaves them out and reports them."""

    stream: bool | None = None
    """Whether pictures stay on disk and are decoded again in every epoch, a batch at a time.
    Default: if they would take more than a quarter of the machine's memory."""

    origin: str | None = None
    """Where to get the pictures, for the message if they are missing; `check` then passes without
    them."""

    @field_validator("size")
    @classmethod
    def _is_size(cls, size: list[int] | None) -> list[int] | None:
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"expected height and width, such as [180, 180], found {size}")
        return size

    @model_validator(mode="after")
    def _options_fit(self) -> ImageFolder:
        if self.labels is None:
            for name in ("file", "target", "features", "split"):
                if getattr(self, name):
                    raise ValueError(f"`{name}` names a column of the table that `labels` names")
            if self.classes is not None and self.masks is None and not self.reconstructs:
                raise ValueError(
                    "pictures without classes have nothing to predict; say `targets: input`, or "
                    "name `masks` or a table of `labels`"
                )
        elif not isinstance(self.path, str):
            raise ValueError(
                "with `labels`, `path` is the one folder where the table's paths start"
            )
        if not self.path:
            raise ValueError("`path` names no folder")
        if self.masks is not None and self.reconstructs:
            raise ValueError("give either `masks` or `targets: input`")
        if self.mask_values is not None and self.masks is None:
            raise ValueError("`mask_values` says what `masks` hold")
        if self.mask_values and len(set(self.mask_values)) != len(self.mask_values):
            raise ValueError("`mask_values` names a value twice")
        if both := set(as_list(self.target or [])) & set(self.features or []):
            raise ValueError(f"'{both.pop()}' is both in `target` and in `features`")
        return self

    @property
    def _has_classes(self) -> bool:
        """Whether subfolders are classes."""
        return not (self.classes or self.masks or self.reconstructs)

    def root(self) -> Path | None:
        named_by_table = self.labels is not None or not isinstance(self.path, str)
        return None if named_by_table else Path(os.path.expanduser(str(self.path)))

    def files_of(self, part: Part, base: Path) -> tuple[Path, ...]:
        return self._listing(part, base, ()).files

    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        listing, form, findings = self._listed(part, base, extra)
        refuse_moved_places(self.places, listing.files, form)
        hold = not self._streams(len(listing.files), form)
        pictures = read_images(listing.files, form, hold=hold)
        findings += pictures.orientation_findings(listing.names)
        column, targets, broken = pictures.column, listing.targets, [*pictures.broken]
        if self.masks is not None:
            masks = self._masks(part, base, listing, form)
            targets = targets | {MASK: masks.classes}
            known = {file.position for file in broken}
            broken += [file for file in masks.broken if file.position not in known]
        if broken:
            kept, left_out = self._kept(broken, len(listing.files))
            findings += left_out
            listing, column = listing.take(kept), take_rows(column, kept)
            targets = {name: values[kept] for name, values in targets.items()}
        height, width, channels = form.shape
        place = Path(listing.place)
        named = f"{place.parent.name}/train" if place.name == "train" else place.name
        return Loaded(
            features={IMAGE: column, **listing.features},
            targets=targets,
            extras=listing.extras | {FILE: listing.names},
            classes=listing.classes,
            labels=listing.labels,
            description=(
                f"{len(listing.files)} pictures of {height} x {width} x {channels} from {named}"
            ),
            findings=tuple(findings),
        )

    def check(self, base: Path, extra: Sequence[str] = ()) -> Loaded | None:
        if self.origin is not None and self._missing(base) is not None:
            return None
        listing, _, _ = self._listed("train", base, extra)
        self._check_files(listing)
        if self.masks is not None:
            self._mask_files(base, listing)
        if self.brings_test:
            # Only that it is there: its rows are sealed.
            self._listing("test", base, ())
        return None

    def check_test(self, base: Path, extra: Sequence[str] = ()) -> None:
        self._check_files(self._listing("test", base, extra))

    def pinned(self, base: Path) -> ImageFolder:
        listing, form, _ = self._listed("train", base, ())
        chosen = {
            "size": list(form.size),
            "stream": self._streams(len(listing.files), form),
            "depth": self.depth if form.depth == "uint8" else form.depth,
            "mask_values": self.mask_values,
        }
        if self.masks is not None:
            chosen["mask_values"] = self._mask_values(base, listing, form)
        return self.model_copy(update=chosen)

    def files_at(self, path: Paths, base: Path) -> list[Path]:
        return super().files_at(path, base) if self.labels is None else find_files(path, base)

    def read_new(self, files: Sequence[Path], columns: ExpectedColumns) -> NewRows:
        """Pictures, and those in folders, as the training pictures were read; a table as that of
        the training pictures, whose paths start in its folder; or one npz or npy file of
        arrays."""
        if len(files) == 1 and format_of(files[0]) == "arrays":
            return NewRows(read_new_rows(files[0], columns))
        shape = columns[IMAGE][1]
        others = [name for name in columns if name != IMAGE]
        beside: Columns = {}
        if len(files) == 1 and files[0].suffix.lower() not in IMAGE_ENDINGS and files[0].is_file():
            split = {name: mark for name, mark in self.split.items() if name in others}
            listing = images_in_table(files, files[0].parent, self.file, [], [], others, split)
            self.refuse_links(listing.files, [files[0].parent], new=True)
            found, names, beside = list(listing.files), listing.names.tolist(), listing.features
        elif others:
            raise DataError(
                f"{files[0]}: the model also takes {listed(others)}; give a table with these "
                f"columns and the names of the pictures"
            )
        else:
            found, names = new_images(files)
        form = ImageFormat((shape[0], shape[1]), self.color, self.resize, self.depth or "uint8")
        pictures = read_images(found, form, hold=True)
        kept, findings = self._kept(pictures.broken, len(found), "Fix or remove them")
        column = pictures.column[kept] if pictures.broken else pictures.column
        rows = {IMAGE: column} | {name: values[kept] for name, values in beside.items()}
        new = {name: rows[name] for name in columns}
        return NewRows(new, as_objects(names)[kept], tuple(findings))

    def _streams(self, count: int, form: ImageFormat) -> bool:
        size = count * math.prod(form.shape)
        return too_large_to_hold(size) if self.stream is None else self.stream

    def _listed(
        self, part: Part, base: Path, extra: Sequence[str]
    ) -> tuple[ImageFiles, ImageFormat, list[str]]:
        """The pictures of a part, the format they are converted to, and the findings."""
        listing = self._listing(part, base, extra)
        training = listing if part == "train" else self._listing("train", base, ())
        if self.size is not None:
            size = self.size[0], self.size[1]
        else:
            headers, broken = read_headers(training.files)
            if part == "train":
                self._kept(broken, len(listing.files))
            size = common_size([header.size for header in headers], training.place)
        depth = self.depth or common_depth(training.files)
        form = ImageFormat(size, self.color, self.resize, depth)
        return listing, form, list(listing.findings)

    def _masks(self, part: Part, base: Path, listing: ImageFiles, form: ImageFormat) -> Masks:
        training = listing if part == "train" else self._listing("train", base, ())
        values = self._mask_values(base, training, form)
        return read_masks(self._mask_files(base, listing), form, values)

    def _mask_values(self, base: Path, training: ImageFiles, form: ImageFormat) -> list[int] | None:
        if self.mask_values is not None:
            return self.mask_values
        files = self._mask_files(base, training)
        return list(BLACK_AND_WHITE) if are_black_and_white(files, form) else None

    def _mask_files(self, base: Path, listing: ImageFiles) -> tuple[Path, ...]:
        assert self.masks is not None
        folders = [root_folder(path, base) for path in as_list(self.masks)]
        names = listing.names.tolist()
        masks = masks_of(folders, Path(listing.place).name, listing.files, names)
        self.refuse_links(masks, folders)
        return masks

    def _check_files(self, listing: ImageFiles) -> None:
        """Read the first bytes of every file."""
        if self.on_error == "stop":
            self._kept(read_headers(listing.files)[1], len(listing.files))

    def _kept(
        self,
        broken: Sequence[BrokenFile],
        count: int,
        advice: str = "Fix or remove them, or say `on_error: skip`",
    ) -> tuple[Array, list[str]]:
        skip = self.on_error == "skip"
        return skip_broken(broken, count, "picture", skip=skip, advice=advice)

    def _missing(self, base: Path) -> Path | None:
        """The first folder that is not there."""
        roots = [root_folder(path, base) for path in as_list(self.path)]
        return next((root for root in roots if not root.exists()), None)

    def _listing(self, part: Part, base: Path, extra: Sequence[str]) -> ImageFiles:
        if self.origin is not None and (missing := self._missing(base)) is not None:
            raise DataError(f"{missing}: no such folder; get the pictures from {self.origin}")
        if self.labels is not None:
            return self._from_table(part, base, extra)
        roots = [root_folder(path, base) for path in as_list(self.path)]
        self.refuse_second_test(roots[0])
        train = self._in_folders([part_folder(root, "train") for root in roots])
        self.refuse_links(train.files, roots)
        hint = "; a table named by `labels` may have others"
        self.refuse_extra(extra, train.place, hint)
        if part == "train":
            return train
        if self.test is None:
            test_roots, folders = roots, [part_folder(roots[0], "test")]
        else:
            assert self.test.path is not None
            test_roots = [root_folder(path, base) for path in as_list(self.test_path)]
            folders = [
                part_folder(root, "test" if has_part(root, "test") else "train")
                for root in test_roots
            ]
        listing = self._in_folders(folders, next(iter(train.classes.values()), None))
        self.refuse_links(listing.files, test_roots)
        refuse_shared(train.files, listing.files)
        return listing

    def _in_folders(
        self, folders: Sequence[Path], classes: Sequence[str] | None = None
    ) -> ImageFiles:
        if self._has_classes:
            return images_in_folders(folders, classes)
        return images_without_classes(folders)

    def _from_table(self, part: Part, base: Path, extra: Sequence[str]) -> ImageFiles:
        assert self.labels is not None
        assert isinstance(self.path, str)
        folder, tables = root_folder(self.path, base), find_files(self.labels, base)
        if not folder.is_dir():
            kind = "a file" if folder.is_file() else "no such folder"
            raise DataError(f"{folder}: {kind}; the paths in {tables[0].name} start there")
        targets = None if self.target is None else as_list(self.target)
        if self.reconstructs or (targets is None and self.masks is not None):
            targets = []
        extra = [name for name in extra if name != FILE]
        features = self.features or []
        train = images_in_table(tables, folder, self.file, targets, extra, features, self.split)
        self.refuse_links(train.files, [folder])
        if part == "train":
            return train
        test_tables = find_files(self.test_path, base)
        refuse_shared(tables, test_tables, "`labels`")
        # Groups, times and weights belong to training; test tables may do without them.
        named = list(train.targets)
        listing = images_in_table(
            test_tables, folder, self.file, named, extra, features, self.split, needed=False
        )
        self.refuse_links(listing.files, [folder])
        listing = replace(listing, labels=train.labels)
        refuse_shared(train.files, listing.files, "`labels`")
        return listing
