"""What the first bytes of pictures say: whether all have one size and one depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dlrun.config.places import Places
from dlrun.data.reading.files import BrokenFile
from dlrun.data.reading.image_depth import Depth, ImageError
from dlrun.data.reading.image_files import in_threads
from dlrun.data.reading.images import MAYBE_DEEP, ImageFormat, ImageHeader, header_of
from dlrun.errors import DataError

_MOST_SHOWN = 5


def read_headers(files: Sequence[Path]) -> tuple[list[ImageHeader], tuple[BrokenFile, ...]]:
    """Return what the first bytes of every picture say, and the files that are not pictures."""

    def header(position: int) -> ImageHeader | BrokenFile:
        try:
            return header_of(files[position])
        except ImageError as error:
            return BrokenFile(position, f"{files[position]} {error}")

    found = in_threads(header, range(len(files)))
    headers = [one for one in found if not isinstance(one, BrokenFile)]
    return headers, tuple(one for one in found if isinstance(one, BrokenFile))


def common_depth(files: Sequence[Path]) -> Depth:
    """Return the type of the pixels of all pictures; only files of endings that may have more
    than eight bits are looked at.

    Raises:
        DataError: There are several; says which.
    """
    deep = [file for file in files if file.suffix.lower() in MAYBE_DEEP]
    found = {header.depth: header.file for header in read_headers(deep)[0]}
    if len(deep) < len(files):
        found.setdefault("uint8", next(f for f in files if f.suffix.lower() not in MAYBE_DEEP))
    if len(found) > 1:
        examples = ", ".join(f"{depth} ({file})" for depth, file in sorted(found.items()))
        raise DataError(
            f"the pictures are of several depths: {examples}; save them alike, or say "
            "`depth: uint8` for the upper 8 of 16 bits"
        )
    return next(iter(found), "uint8")


def refuse_moved_places(places: Places, files: Sequence[Path], form: ImageFormat) -> None:
    """Refuse places in pictures that are not where they were once the pictures are resized.

    Raises:
        DataError: There is one.
    """
    given = set([places] if isinstance(places, str) else (places or {}).values()) - {"none"}
    in_pixels = sorted(place for place in given if not place.startswith("rel_"))
    if not given or not (in_pixels or form.resize != "stretch"):
        return
    for header in read_headers(files)[0]:
        if header.size != form.size:
            what = f"`places: {in_pixels[0]}` counts pixels" if in_pixels else "`places` are shares"
            raise DataError(
                f"{header.file}: {what} of the picture as it is in the file, which is resized; "
                "give shares of its height and width (`rel_`), with `resize: stretch`"
            )


def common_size(sizes: Sequence[tuple[int, int]], place: str) -> tuple[int, int]:
    """Return the size that all pictures have.

    Raises:
        DataError: They have several; says which.
    """
    counted = Counter(sizes).most_common()
    if len(counted) == 1:
        return counted[0][0]
    shown = ", ".join(f"{h} x {w} ({count:,})" for (h, w), count in counted[:_MOST_SHOWN])
    more = f" and {len(counted) - _MOST_SHOWN:,} more" if len(counted) > _MOST_SHOWN else ""
    middle = sorted(min(size) for size in sizes)[len(sizes) // 2]
    side = max(32, min(180, middle))
    raise DataError(
        f"{place}: the pictures are of {len(counted):,} sizes, height x width (how many): "
        f"{shown}{more}; set the one to resize them to, such as `size: [{side}, {side}]`"
    )
