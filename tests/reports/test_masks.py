"""True and predicted masks beside a picture, pixel by pixel."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlrun.metrics.predictions import by_step
from dlrun.reports.html.masks import COLORS, NOT_COUNTED, mask_legend, mask_pictures
from dlrun.reports.run_record import ScoredRows


def pixels(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("masked", [False, True])
def test_each_pixel_has_the_colour_of_its_class(masked: bool) -> None:
    random = np.random.default_rng(0)
    true = random.integers(0, 3, (4, 5, 6))
    output = random.random((4, 5, 6, 3))
    mask = random.random((4, 5, 6)) < 0.7 if masked else None
    stored: dict[str, Any] = {"rows": np.array([7, 8, 9, 11]), "predictions": output}
    if mask is not None:
        stored["mask"] = mask
    steps = by_step("multiclass", true, output, mask)
    rows = stored["rows"][steps.rows]
    scored = ScoredRows(
        "multiclass",
        rows,
        steps.true,
        steps.predictions,
        ("a", "b", "c"),
        rows * 0,
        unit=steps.unit,
    )
    record: Any = SimpleNamespace(predictions=stored, output_names=())
    found = dict(mask_pictures(record, scored, 9))
    colors = np.array(COLORS)
    expected = {"true": colors[true[2]], "predicted": colors[output[2].argmax(axis=-1)]}
    for name, picture in expected.items():
        if mask is not None:
            picture[~mask[2]] = NOT_COUNTED
        assert np.array_equal(pixels(found[name]), picture)
    assert mask_legend(scored)[1] == ("b", "rgb(230, 159, 0)")
