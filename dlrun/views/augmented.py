"""What `augment` makes of a picture.

Source: Deep Learning with Python, section 5.2.5 and figure 5.11.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from dlrun.data.inputs import NamedInputs
from dlrun.models.augment import Augmentation, InputSpec
from dlrun.reports.html.pictures import is_picture
from dlrun.reports.sheets import Sheet, Tile, stretched
from dlrun.training.backend import reset, start_backend
from dlrun.views import RowChoice, ViewOfRows, ViewResult
from dlrun.views.parts.subject import Subject


class Augmented(ViewOfRows):
    """Show altered copies of pictures beside them, as `augment` makes them while training."""

    needs_model: ClassVar[bool] = False

    rows: RowChoice = 2
    """Which rows; see `rows`."""

    times: Annotated[int, Field(ge=1, le=32)] = 4
    """Copies of each."""

    def look(self, subject: Subject) -> ViewResult:
        config = subject.config
        if not config.augment:
            return ViewResult(["the config has no `augment`, so that no picture is altered"])
        chosen = subject.rows(self.rows)
        inputs = subject.inputs(chosen.samples)
        if isinstance(inputs, NamedInputs):
            raise subject.problem("this view needs a model with one input, of pictures")
        rows = np.asarray(inputs[slice(0, len(inputs))], np.float32)
        if not is_picture(rows):
            raise subject.problem("this view needs pictures, and the model gets none")
        start_backend(config.backend)
        import keras

        reset(config.seed)
        augmentation = Augmentation(config.augment, config.seed)
        (layers,) = augmentation.on({"input": InputSpec(rows.shape[1:], "float32")}).values()
        entrance = keras.Input(rows.shape[1:])
        _, leaving = augmentation.apply(layers, entrance)
        model = keras.Model(entrance, leaving)
        copies = np.stack(
            [
                np.asarray(keras.ops.convert_to_numpy(model(rows, training=True)), np.float32)
                for _ in range(self.times)
            ],
            axis=1,
        )
        whole = stretched(np.concatenate([rows[:, None], copies], axis=1))
        tiles = [
            Tile(picture, caption if number == 0 else f"copy {number}")
            for row, caption in zip(whole, chosen.captions, strict=True)
            for number, picture in enumerate(row)
        ]
        title = f"{config.name}: pictures as `augment` alters them"
        sheet = Sheet("augmented", title, tiles, columns=self.times + 1, width=170)
        differs = float(np.abs(copies - rows[:, None]).mean() / (np.ptp(rows) or 1))
        lines = [
            f"{self.times} altered copies of each of {len(rows)} pictures; a pixel differs by "
            f"{100 * differs:.1f}% of the range on average"
        ]
        facts = {"part": chosen.part, "rows": chosen.numbers.tolist(), "difference": differs}
        arrays = {"pictures": rows, "copies": copies, "rows": chosen.numbers}
        return ViewResult(lines, facts, arrays, [sheet])
