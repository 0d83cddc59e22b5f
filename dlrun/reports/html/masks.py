"""The true and the predicted answer for every pixel of a picture, as pictures beside it.

Legend: h height, w width, k numbers of the answer for a pixel.
"""

from __future__ import annotations

import numpy as np

from dlrun.reports.html.pictures import data_uris
from dlrun.reports.run_record import RunRecord, ScoredRows

COLORS = (
    (40, 40, 40),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
"""Of classes, by index: Okabe and Ito's palette (2008); further ones begin again."""

NOT_COUNTED = (255, 255, 255)
"""Pixels that are masked out."""

NAMED = 12
"""Classes that the legend names, at most."""

Array = np.ndarray


def mask_pictures(record: RunRecord, scored: ScoredRows, row: int) -> list[tuple[str, str]]:
    """Return `true` and `predicted`, each with a PNG as a `data:` address; nothing where a row has
    not one answer for each pixel.

    Args:
        record: The run.
        scored: Its scored pixels.
        row: The row's number.
    """
    if scored.unit != "pixels" or scored.task == "multilabel":
        return []
    stored, first = record.predictions, next(iter(record.output_names), None)
    suffix = f"_{first}" if f"predictions_{first}" in stored else ""
    index = int(np.flatnonzero(stored["rows"] == row)[0])
    h, w = stored[f"predictions{suffix}"].shape[1:3]
    mask = stored.get(f"mask{suffix}")
    counts = np.ones(h * w, bool) if mask is None else np.asarray(mask[index], bool).reshape(-1)
    own = scored.rows == row
    if own.sum() != counts.sum() or len(counts) != h * w:
        return []
    if scored.task != "regression":
        parts = [_colored(scored.true[own]), _colored(scored.predicted_class[own])]
    elif scored.true.shape[1] in (1, 3):
        # Both on one scale.
        parts = [scored.true[own], scored.predictions[own]]
    else:
        return []
    empty = NOT_COUNTED[0] if scored.task != "regression" else 0
    pictures = np.full((2, h * w, parts[0].shape[1]), empty, parts[0].dtype)
    for picture, part in zip(pictures, parts, strict=True):
        picture[counts] = part
    uris = data_uris(pictures.reshape(2, h, w, -1))
    return list(zip(("true", "predicted"), uris, strict=True))


def mask_legend(scored: ScoredRows) -> list[tuple[str, str]]:
    """Return the names of the classes, each with its colour in CSS."""
    if scored.unit != "pixels" or scored.task not in ("binary", "multiclass"):
        return []
    names = scored.names[:NAMED]
    return [(name, f"rgb{COLORS[i % len(COLORS)]}") for i, name in enumerate(names)]


def _colored(classes: Array) -> Array:
    return np.array(COLORS, np.uint8)[classes % len(COLORS)]
