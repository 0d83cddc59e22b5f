"""Pictures: photos that are the same in another form, and pixels of more than eight bits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from dlrun.checks.check import BOOK, check
from dlrun.checks.columns import DATASET
from dlrun.checks.duplicates import exact_hashes
from dlrun.checks.finding import Finding, put
from dlrun.checks.views import DataView
from dlrun.config.places import MOVING, place_of
from dlrun.config.schema import Config
from dlrun.data.lazy import blocks
from dlrun.data.preprocessing.rescale import Rescale
from dlrun.data.samples import Array, Columns
from dlrun.text import figure, first_few

SIDE = 16
"""Pictures are compared by the means of this many parts a side."""

FEWEST_PIXELS = 32
"""Shorter sides hold too little to tell two pictures apart, such as digits."""

ALIKE = 0.95
"""Correlation at or above which two pictures are one photo. Of 480,000 pairs of different photos of
cats and dogs, in eight positions each, none is above 0.85; a photo that was mirrored and saved
anew, made a third brighter, blurred, or noisy has 0.974 to 1."""

ALIKE_ALL = 0.85
"""Where a twentieth of all pairs is this similar, such as the frames of one camera, nothing is
reported."""

LARGEST_SCALED = 3.0
"""Scaled pixels above this were meant for another range."""

SMALLEST_SCALED = 1 / 32
"""Scaled pixels that are all below this use 11 bits of 16 or fewer."""

_LEAST_CONTRAST = 4.0
"""Standard deviation, of 255, below which a picture is one plain surface."""

_ALTERED = re.compile(
    r"[-_ .(]*(?:aug(?:mented|mentation)?|[hv]?flip(?:ped)?|mirror(?:ed)?|rot(?:ated?|ation)?|copy|"
    r"crop(?:ped)?|bright(?:er|ness)?|dark(?:er)?|contrast|nois[ey]|blur(?:red)?|zoom(?:ed)?|"
    r"shift(?:ed)?|translated?|shear(?:ed)?)[-_ .]*\d*\)?$",
    re.IGNORECASE,
)
"""What programs append to the name of a photo that they altered."""


def picture_column(features: Columns) -> Array | None:
    """Return the column of pictures, (n, h, w, c) uint8, large enough to compare."""
    for column in features.values():
        if column.ndim == 4 and column.dtype == np.uint8 and column.shape[3] in (1, 3, 4):
            return column if min(column.shape[1:3]) >= FEWEST_PIXELS else None
    return None


def sketches(column: Array) -> Array:
    """Return (n, SIDE, SIDE) float32: what a picture looks like from afar, in grey.

    Plain surfaces become NaN: they are all alike.
    """
    steps = [max(1, side // (4 * SIDE)) for side in column.shape[1:3]]
    parts = []
    for block in blocks(column):
        grey = block[:, :: steps[0], :: steps[1], :3].astype(np.float32).mean(axis=3)
        edges = [np.arange(SIDE) * side // SIDE for side in grey.shape[1:]]
        sums = np.add.reduceat(np.add.reduceat(grey, edges[0], axis=1), edges[1], axis=2)
        sizes = [np.diff([*edge, side]) for edge, side in zip(edges, grey.shape[1:], strict=True)]
        parts.append(sums / (sizes[0][:, np.newaxis] * sizes[1]))
    found = np.concatenate(parts).astype(np.float32)
    found -= found.mean(axis=(1, 2), keepdims=True)
    deviation = found.std(axis=(1, 2), keepdims=True)
    deviation[deviation < _LEAST_CONTRAST] = np.nan
    return np.asarray(found / (deviation * SIDE))


def most_alike(scored: Array, training: Array) -> tuple[Array, Array, Array]:
    """Compare sketches in all eight positions.

    Args:
        scored: (s, SIDE, SIDE).
        training: (t, SIDE, SIDE).

    Returns:
        For each scored picture the training picture most alike, (s,) int64, their correlation,
        (s,) float32, and whether it is so in another position, (s,) bool. All correlations are 0
        where the pictures are all alike.
    """
    known = np.nan_to_num(training.reshape(len(training), -1)).T
    best = np.zeros(len(scored), np.float32)
    place = np.zeros(len(scored), np.int64)
    altered = np.zeros(len(scored), bool)
    for position in range(8):
        turned = np.rot90(scored, position // 2, axes=(1, 2))
        turned = turned[:, :, ::-1] if position % 2 else turned
        alike = np.nan_to_num(turned.reshape(len(turned), -1)) @ known
        if position == 0 and np.quantile(alike[:, :2000], 0.95) > ALIKE_ALL:
            return place, best, altered
        nearest = alike.argmax(axis=1)
        value = np.take_along_axis(alike, nearest[:, np.newaxis], axis=1)[:, 0]
        # Symmetric pictures fit in several positions; the first is reported.
        better = value > best + 1e-3
        best[better], place[better] = value[better], nearest[better]
        altered[better] = position > 0
    return place, best, altered


def photo_of(name: str) -> str | None:
    """Return the name of the photo that a file was made of, such as `cats/x` for
    `cats/x_flip.jpg`; None where the name does not show that."""
    path = PurePosixPath(name)
    stem, before = path.stem, None
    while stem != before:
        before, stem = stem, _ALTERED.sub("", stem)
    return (path.parent / stem).as_posix() if stem and stem != path.stem else None


@dataclass(frozen=True)
class _Pictures:
    """The pictures that are compared.

    Args:
        names: Of their files.
        photos: The photo that each was made of, where its name says so.
        hashes: Equal for pictures of equal pixels.
        sketches: Of `sketches`, (n, SIDE, SIDE).
    """

    names: list[str]
    photos: list[str | None]
    hashes: Array
    sketches: Array


@check(
    "DL120",
    why="a photo that was copied and altered before the split is memorized, and then its copy is "
    "scored",
    source=BOOK + "5.2.5",
    instead="remove the copies and let `augment` alter training photos only, or name what copies "
    "have in common in `evaluation.groups`",
    fault="""
    dataset: {source: image_folder, path: photos/with_flipped_copies}
    """,
    fix="""
    dataset: {source: image_folder, path: photos/originals}
    augment: [{RandomFlip: horizontal}]
    """,
)
def same_photo(view: DataView) -> Iterator[Finding]:
    """Scored photos that are training photos in another form: mirrored, turned, brightened or
    saved again, or altered copies by name (`x.jpg` and `x_flip.jpg`)."""
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
    shown = first_few(f"{names[one]} ({names[other]}{how})" for one, (other, how) in found.items())
    yield Finding(
        f"{len(found):,} of {scored:,} {are} a training photo in another form (in brackets): "
        f"{shown}",
        DATASET,
        on_key=True,
        severity="note" if rare else None,
    )


@check(
    "DL140",
    why="a network starts from weights meant for numbers around 0 to 1",
    source=BOOK + "4.3.1",
    instead="divide by the largest number that the camera writes, such as 4095 for 12 bits",
    fault="""
    dataset: {source: image_folder, path: photos/originals}   # 12 bits in files of 16
    preprocess: [{rescale: 1/255}]
    """,
    fix="""
    preprocess: [{rescale: 1/4095}]
    """,
)
def scaled_for_another_depth(view: DataView) -> Iterator[Finding]:
    """16-bit pixels that `rescale` divides by the range of 8 bits, or by far more than they use."""
    for name, column in view.train.features.items():
        if column.dtype != np.uint16 or column.ndim < 3:
            continue
        top = int(max(block.max() for block in blocks(column)))
        place = _only_scaling(view.config, name)
        if place is None or top == 0:
            continue
        index, factor = place
        used = int(top).bit_length()
        wanted = "auto" if used == 16 else f"1/{2**used - 1}"
        step = put(("preprocess", index, "rescale"), wanted)
        if top * factor > LARGEST_SCALED:
            message = f"`rescale` brings the 16-bit pixels of '{name}' to {figure(top * factor)}"
        elif top * factor < SMALLEST_SCALED:
            message = f"`rescale` leaves the pixels of '{name}' below {figure(top * factor)}"
        else:
            continue
        yield Finding(f"{message}: they go up to {top:,}", ("preprocess", index), step)


@check(
    "DL141",
    severity="error",
    why="where a flip moves the picture and not the numbers, the model learns wrong places",
    source="Keras, keras.io/api/layers/preprocessing_layers",
    instead="say under `dataset` what the numbers are, such as `places: rel_xy`, or `places: none`",
    fault="""
    dataset: {source: image_folder, path: photos/originals, labels: corners.csv}   # file, x, y
    augment: [{RandomFlip: horizontal}]
    architecture: {layers: [Flatten, {Dense: 2}]}
    loss: mse
    metrics: [mae]
    """,
    fix="""
    dataset: {source: image_folder, path: photos/originals, labels: corners.csv, places: rel_xy}
    """,
)
def numbers_that_may_be_places(view: DataView) -> Iterator[Finding]:
    """Augmentation that moves pictures, and numbers as targets that may be places in them."""
    augment, places = view.config.augment, getattr(view.config.dataset, "places", None)
    lists = [augment] if isinstance(augment, list) else augment.values()
    moving = [layer for layers in lists for layer in layers if layer.name in MOVING]
    if not moving:
        return
    dataset = view.dataset
    for output in dataset.tasks or [None]:
        own = dataset.of_output(output)
        targets = {n: c for n, c in own.samples.targets.items() if c.ndim <= 2}
        name = ", ".join(targets)
        if own.task != "regression" or not targets or place_of(places, name) is not None:
            continue
        numbers = sum(math.prod(column.shape[1:]) for column in targets.values())
        message = f"{moving[0].alias} moves the picture, and the target '{name}' has "
        if numbers > 1:
            yield Finding(f"{message}{numbers} numbers, which may be places in it", moving[0].path)
        else:
            yield Finding(
                f"{message}one number: it must not depend on where things are",
                moving[0].path,
                severity="note",
            )


def _only_scaling(config: Config, column: str) -> tuple[int, float] | None:
    """Where the only step that works on pixels is `rescale`: its number, and its factor."""
    entries = [
        step for step in config.preprocess if column in (getattr(step, "columns", None) or [column])
    ]
    if len(entries) != 1 or not isinstance(step := entries[0], Rescale) or step.offset:
        return None
    return config.preprocess.index(step), step.factor_for(np.dtype(np.uint16))


def _copies(view: DataView, pictures: _Pictures) -> tuple[dict[int, tuple[int, str]], int]:
    """The scored pictures that are a training picture of their fold: which, and how; and how many
    were compared."""
    found: dict[int, tuple[int, str]] = {}
    count = 0
    for train, scored in view.hashed_folds():
        count += len(scored)
        # Equal pixels are reported as repeated rows.
        fresh = scored[~np.isin(pictures.hashes[scored], pictures.hashes[train])]
        if not len(train) or not len(fresh):
            continue
        nearest, alike, altered = most_alike(pictures.sketches[fresh], pictures.sketches[train])
        for one in np.flatnonzero(alike >= ALIKE).tolist():
            how = ", mirrored or turned" if altered[one] else ""
            found.setdefault(int(fresh[one]), (int(train[nearest[one]]), how))
        for one, other in _by_name(pictures, train.tolist(), fresh.tolist()):
            found.setdefault(one, (other, ""))
    return dict(sorted(found.items())), count


def _by_name(pictures: _Pictures, train: list[int], scored: list[int]) -> Iterator[tuple[int, int]]:
    """Pairs of which one is named as an altered copy of the other, or both as copies of one."""
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
