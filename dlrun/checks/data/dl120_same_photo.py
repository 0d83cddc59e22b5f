"""Photos that give the score and are training photos in another form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import DATASET
from dlrun.checks.duplicates import exact_hashes
from dlrun.checks.finding import Seen
from dlrun.checks.pictures import ALIKE, most_alike, photo_of, picture_column, sketches
from dlrun.checks.views import DataView
from dlrun.data.samples import Array
from dlrun.text import first_few


@dataclass(frozen=True)
class _Pictures:
    """The pictures that are compared.

    Args:
        names: Of their files.
        photos: The photo that each was made of, where its name says so.
        hashes: Equal for pictures of equal pixels.
        looks: Sketches.
    """

    names: list[str]
    photos: list[str | None]
    hashes: Array
    looks: Array


class SamePhoto(DataCheck):
    """Photos that give the score and are training photos in another form: mirrored, turned,
    brightened or saved anew, or altered copies by their names (`x.jpg` and `x_flip.jpg`)."""

    why: ClassVar[str] = (
        "a photo that was copied and altered before the split is learnt by heart, and its copy "
        "scored"
    )
    source: ClassVar[str] = BOOK + "5.2.5"
    instead: ClassVar[str] = (
        "remove the copies and let `augment` alter training photos alone, or name what copies have "
        "in common in `evaluation.groups`"
    )

    def look(self, view: DataView) -> Iterator[Seen]:
        column, files = picture_column(view.hashed.features), view.hashed.extras.get("file")
        if column is None or files is None:
            return
        names = [str(name) for name in files]
        pictures = _Pictures(
            names,
            [photo_of(name) for name in names],
            exact_hashes({"pictures": column}),
            sketches(column),
        )
        found, scored = _copies(view, pictures)
        if not found:
            return
        rare = len(found) < 0.05 * scored
        are = "photo is" if len(found) == 1 else "photos are"
        shown = first_few(
            f"{names[one]} ({names[other]}{how})" for one, (other, how) in found.items()
        )
        yield Seen(
            f"{len(found):,} of {scored:,} {are} a training photo in another form (in brackets): "
            f"{shown}",
            DATASET,
            on_key=True,
            severity="note" if rare else None,
        )


def _copies(view: DataView, pictures: _Pictures) -> tuple[dict[int, tuple[int, str]], int]:
    """The scored pictures that are a training picture of their fold: which, and how; and how many
    were compared."""
    place = np.full(len(view.dataset.samples), -1, np.int64)
    place[view.hashed_positions] = np.arange(len(view.hashed_positions))
    found: dict[int, tuple[int, str]] = {}
    count = 0
    for fold in view.folds:
        if fold.scored is None:
            continue
        train, scored = (p[p >= 0] for p in (place[fold.train], place[fold.scored]))
        count += len(scored)
        # Equal pixels are told as repeated rows.
        fresh = scored[~np.isin(pictures.hashes[scored], pictures.hashes[train])]
        if not len(train) or not len(fresh):
            continue
        nearest, alike, altered = most_alike(pictures.looks[fresh], pictures.looks[train])
        for one in np.flatnonzero(alike >= ALIKE).tolist():
            how = ", mirrored or turned" if altered[one] else ""
            found.setdefault(int(fresh[one]), (int(train[nearest[one]]), how))
        for one, other in _by_name(pictures, train.tolist(), fresh.tolist()):
            found.setdefault(one, (other, ""))
    return dict(sorted(found.items())), count


def _by_name(pictures: _Pictures, train: list[int], scored: list[int]) -> Iterator[tuple[int, int]]:
    """Pairs of which one is called like an altered copy of the other, or both of one photo."""
    originals = {_stem(pictures.names[i]): i for i in train}
    copies = {photo: i for i in train if (photo := pictures.photos[i]) is not None}
    for one in scored:
        photo = pictures.photos[one]
        if photo is not None and (photo in originals or photo in copies):
            yield one, originals.get(photo, copies.get(photo, -1))
        elif photo is None and (stem := _stem(pictures.names[one])) in copies:
            yield one, copies[stem]


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()
