"""The simple model of a network that is trained on transformed targets, against scikit-learn's
TransformedTargetRegressor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dlrun.data.pipeline import fit_pipeline
from dlrun.data.samples import Dataset, Samples
from dlrun.metrics.scores import find_score
from dlrun.registry.families import TARGET_STEPS
from dlrun.registry.keras_component import KerasComponent
from dlrun.scoring.measures import Measure
from dlrun.scoring.model_scores import simple_beside, truths_of
from dlrun.training.prediction import ModelOutput

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(400, 3)).astype(np.float32)
INCOMES = np.exp(8 + X @ [0.9, -0.5, 0.2] + RANDOM.normal(scale=0.4, size=400))
KNOWN, SCORED = np.arange(300), np.arange(300, 400)


@pytest.mark.parametrize("kind", ["metric", "loss"])
@pytest.mark.parametrize(
    "steps", [["log1p"], ["log1p", "standardize"], ["minmax"]], ids=" then ".join
)
def test_it_is_fitted_on_the_targets_that_the_network_sees(steps: list[str], kind: str) -> None:
    samples = Samples(features={"x": X}, targets={"income": INCOMES}, rows=np.arange(400))
    dataset = Dataset(samples, "regression", {}, False, None, "")
    train, scored = samples.take(KNOWN), samples.take(SCORED)
    pipeline = fit_pipeline([], [TARGET_STEPS.get(name)() for name in steps], dataset, train)
    mae = KerasComponent(kind, "MeanAbsoluteError", "mae", {}, ())  # type: ignore[arg-type]
    chosen = Measure("mae", mae, find_score("mae"))
    simple = simple_beside(
        [],
        "regression",
        chosen,
        (pipeline.inputs(train), truths_of(pipeline, train)),
        (pipeline.inputs(scored), truths_of(pipeline, scored)),
        ModelOutput({None: np.zeros((100, 1))}),
        pipeline,
    )
    model = make_pipeline(StandardScaler(), Ridge())
    if "log1p" in steps:
        model = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
    expected = model.fit(X[KNOWN], INCOMES[KNOWN]).predict(X[SCORED])[:, np.newaxis]
    if kind == "loss":
        expected = pipeline.targets(replace(scored, targets={"income": expected[:, 0]}))[
            :, np.newaxis
        ]
    assert simple is not None
    assert simple.predictions == pytest.approx(expected, rel=1e-4)
