"""The data sets that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import model_validator

from dlrun.data.source import Loaded, Part, Source, split_extras
from dlrun.imports import without_packages

_DESCRIPTIONS = {
    "breast_cancer": "569 tumours, 30 measures of their cells; benign or malignant",
    "diabetes": "442 patients, 10 measures; progress of the disease after a year",
    "digits": "1797 handwritten digits, 8 x 8 pixels",
    "iris": "150 flowers, 4 measures in cm; 3 species",
    "wine": "178 wines, 13 chemical measures; 3 growers",
}


class Sklearn(Source):
    """Small real data sets that come with scikit-learn; they need no network."""

    name: Literal["breast_cancer", "diabetes", "digits", "iris", "wine"]
    """Which data set. All but diabetes are for classification."""

    images: bool = False
    """For digits: one column `x` of 8 x 8 pixels (0 to 16) rather than 64 columns."""

    @model_validator(mode="after")
    def _options_fit(self) -> Sklearn:
        if self.images and self.name != "digits":
            raise ValueError(f"`images` is for digits; {self.name} is a table")
        if self.test is not None and self.test.path is not None:
            raise ValueError("scikit-learn's data sets have no test file; give `fraction`")
        return self

    @property
    def brings_test(self) -> bool:
        return False

    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        with without_packages("pandas"):
            import sklearn.datasets

        data = getattr(sklearn.datasets, f"load_{self.name}")()
        if self.images:
            features = {"x": data.images}
        else:
            names = [str(name) for name in data.feature_names]
            columns = np.ascontiguousarray(data.data.T)
            features = dict(zip(names, columns, strict=True))
        features, extras = split_extras(features, extra, self.name)
        labelled = "target_names" in data
        return Loaded(
            features=features,
            targets={"target": data.target},
            extras=extras,
            classes={"target": tuple(map(str, data.target_names))} if labelled else {},
            regression=not labelled,
            description=_DESCRIPTIONS[self.name],
        )
