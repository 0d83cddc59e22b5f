"""A tag for each step, a class or value for each pixel: every figure is that of Keras, NumPy or
scikit-learn on the steps that are not masked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.metrics import accuracy_score, classification_report

import dlrun
from dlrun.workflows.prediction_files import save_predictions
from dlrun.workflows.report import report

N, T = 150, 6
FOLD = "fold00_validation"


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    filled = np.arange(T) < rng.integers(1, T + 1, (N, 1))
    words = np.where(filled, rng.integers(1, 12, (N, T)), 0)
    tags = np.where(filled, np.where(rng.random((N, T)) < 0.5, 4, words % 4), 0)
    pixels = rng.random((N, 5, 4, 1)).astype("float32")
    return {
        "words": words,
        "tags": tags,
        "length": filled.sum(1).astype("float32"),
        "pixels": pixels,
        "classes": (pixels[..., 0] * 2.9).astype("int32"),
        "flags": (pixels > 0.6).astype("uint8"),
        "heat": 40 * np.sqrt(pixels) + 300,
        "steps": np.where(filled[..., None], rng.normal(size=(N, T, 2)), 0).astype("float32"),
        "sums": rng.normal(50, 9, (N, T)).astype("float32"),
    }


EMBEDDING = {"Embedding": {"input_dim": 12, "output_dim": 4, "mask_zero": True}}
TAGS = {
    "dataset": {"inputs": "words", "targets": "tags"},
    "architecture": {"layers": [EMBEDDING, {"Dense": {"units": 5, "activation": "softmax"}}]},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
}


def train(folder: Path, arrays: dict[str, np.ndarray], config: dict[str, Any]) -> dlrun.Run:
    np.savez(folder / "rows.npz", **arrays)
    source = {"source": "npz", "path": "rows.npz", "test": {"fraction": 0.2}}
    config = {**config, "dataset": {**source, **config["dataset"]}, "optimizer": "adam"}
    config["training"] = {"epochs": 1, "batch_size": 32, **config.get("training", {})}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return dlrun.train(folder / "config.yaml", runs_dir=folder / "runs")


def loaded(file: Path) -> keras.Model:
    """A saved model; one batch takes less time than compiling it."""
    model = keras.saving.load_model(file)
    model.run_eagerly = True
    return model


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]) -> Any:
    folder = tmp_path_factory.mktemp("tags")
    run = train(folder, arrays, TAGS)
    splits = np.load(run.path / "splits.npz")
    model = loaded(run.path / "model.keras")
    return SimpleNamespace(folder=folder, run=run, splits=splits, model=model)


def test_masked_tags_are_scored_as_keras_does(tagged: Any, arrays: dict[str, np.ndarray]) -> None:
    rows, trained = tagged.splits[FOLD], tagged.splits["fold00_train"]
    words, tags = arrays["words"][rows], arrays["tags"][rows]
    loss, accuracy = tagged.model.evaluate(words, tags, batch_size=256, verbose=0)
    result = tagged.run.result
    assert result["measures"]["accuracy"]["value"] == pytest.approx(accuracy, rel=1e-5)
    assert result["measures"]["loss"]["value"] == pytest.approx(loss, rel=1e-5)
    assert result["best_value"] == pytest.approx(accuracy, rel=1e-5)
    known = arrays["tags"][trained][arrays["words"][trained] > 0]
    majority = np.bincount(known).argmax()
    true = tags[words > 0]
    assert result["baseline"]["value"] == accuracy_score(true, np.full(true.shape, majority))
    low, high = (result["score"]["interval"][end] for end in ("low", "high"))
    assert low < accuracy < high
    assert "step" in result["simple_model"]["skipped"]


def test_evaluate_counts_unmasked_steps(tagged: Any, arrays: dict[str, np.ndarray]) -> None:
    rows = tagged.splits["test"]
    words, tags = arrays["words"][rows], arrays["tags"][rows]
    facts = dlrun.evaluate(tagged.run.path).facts
    expected = tagged.model.evaluate(words, tags, batch_size=256, verbose=0)[1]
    assert facts["score"]["value"] == pytest.approx(expected, rel=1e-5)
    called = tagged.model.predict(words, verbose=0).argmax(-1)[words > 0]
    expected = classification_report(
        tags[words > 0], called, labels=range(5), output_dict=True, zero_division=0
    )
    for index, figures in enumerate(facts["figures"]["classes"]):
        assert figures["f1"] == pytest.approx(expected[str(index)]["f1-score"])
        assert figures["support"] == expected[str(index)]["support"]


def test_predictions_have_the_axes_of_the_output(
    tagged: Any, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    words = arrays["words"][:7]
    np.savez(tmp_path / "new.npz", words=words)
    found = dlrun.predict(tagged.run.path, tmp_path / "new.npz")
    shares = tagged.model.predict(words, verbose=0)
    save_predictions(found, tmp_path / "out.npz")
    saved = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(saved["probability"], shares, rtol=1e-5)
    np.testing.assert_array_equal(saved["prediction"], shares.argmax(-1))
    np.testing.assert_array_equal(saved["mask"], words > 0)
    table = found.table
    assert len(table) == (words > 0).sum(), "masked steps are left out"
    one = table[(table["row"] == 3) & (table["step"] == 0)]
    assert one["prediction"].tolist() == [str(shares[3, 0].argmax())]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_weights_of_rows_with_masked_steps(
    tmp_path: Path, arrays: dict[str, np.ndarray], engine: str
) -> None:
    weights = np.random.default_rng(8).uniform(0, 3, N).astype("float32")
    config = {
        **TAGS,
        "training": {"sample_weight": "weights", "engine": engine, "batch_size": T},
        "evaluation": {"protocol": "kfold", "folds": 2},
    }
    run = train(tmp_path, {**arrays, "weights": weights}, config)
    splits = np.load(run.path / "splits.npz")
    for fold, file in zip(run.result["folds"], sorted(run.path.rglob("model.keras")), strict=True):
        rows = splits[f"fold{fold['fold']:02d}_validation"]
        words, tags = arrays["words"][rows], arrays["tags"][rows]
        shares = loaded(file).predict(words, verbose=0)
        losses = -np.log(np.take_along_axis(shares, tags[..., None], -1)[..., 0])
        expected = (losses * weights[rows, None])[words > 0].sum() / (words > 0).sum()
        history = run.history[run.history["fold"] == fold["fold"]]
        assert fold["measures"]["loss"] == pytest.approx(expected, rel=1e-5)
        assert history["val_loss"].iloc[-1] == pytest.approx(expected, rel=1e-5)


def keras_fit(config: dict[str, Any], model: Any, x: Any, y: Any, weights: Any) -> Any:
    """One epoch of Keras' own `fit` from the given weights, in the order that dlrun takes."""
    model.compile("adam", config["loss"])
    return model.fit(
        x, y, sample_weight=weights, batch_size=32, epochs=1, shuffle=False, verbose=0
    ).history["loss"][0]


@pytest.mark.slow
def test_balanced_classes_of_pixels(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    config = {
        "dataset": {"inputs": "pixels", "targets": "classes"},
        "architecture": {
            "layers": [
                {
                    "Conv2D": {
                        "filters": 3,
                        "kernel_size": 1,
                        "activation": "softmax",
                        "kernel_initializer": "ones",
                        "bias_initializer": "zeros",
                    }
                }
            ]
        },
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "training": {"class_weight": "balanced", "shuffle": False},
    }
    run = train(tmp_path, arrays, config)
    rows = np.load(run.path / "splits.npz")["fold00_train"]
    x, y = arrays["pixels"][rows], arrays["classes"][rows]
    weights = (y.size / (3 * np.bincount(y.ravel())))[y]
    model = keras.Sequential(
        [
            keras.Input((5, 4, 1)),
            keras.layers.Conv2D(3, 1, activation="softmax", kernel_initializer="ones"),
        ]
    )
    loss = keras_fit(config, model, x, y, weights)
    assert run.history["loss"].iloc[0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["holdout", "kfold"])
def test_pixels_in_their_own_unit(
    tmp_path: Path, arrays: dict[str, np.ndarray], protocol: str
) -> None:
    config = {
        "dataset": {"inputs": "pixels", "targets": "heat"},
        "preprocess": [{"targets": "standardize"}],
        "architecture": {"layers": [{"Conv2D": {"filters": 1, "kernel_size": 1}}]},
        "loss": "mse",
        "metrics": ["mae", "mape"],
        "evaluation": {"protocol": protocol},
    }
    run = train(tmp_path, arrays, config)
    splits = np.load(run.path / "splits.npz")
    for fold in run.result["folds"]:
        number = fold["fold"]
        train_rows, rows = (splits[f"fold{number:02d}_{name}"] for name in ("train", "validation"))
        known = arrays["heat"][train_rows].astype("float64")
        file = sorted(run.path.rglob("model.keras"))[number]
        model = keras.saving.load_model(file, compile=False)
        said = model.predict(arrays["pixels"][rows], verbose=0) * known.std(0) + known.mean(0)
        true = arrays["heat"][rows]
        assert fold["measures"]["mae"] == pytest.approx(np.abs(said - true).mean(), rel=1e-5)
        percent = 100 * np.abs((said - true) / true).mean()
        assert fold["measures"]["mape"] == pytest.approx(percent, rel=1e-5)
        baseline = np.abs(true - np.median(known)).mean()
        assert fold["baseline"] == pytest.approx(baseline, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("score", ["tags_accuracy", "loss"])
def test_one_of_several_outputs_is_by_step(
    tmp_path: Path, arrays: dict[str, np.ndarray], score: str
) -> None:
    tags = {"units": 5, "activation": "softmax", "activity_regularizer": "l2"}
    config = {
        "dataset": {"inputs": "words", "targets": ["tags", "length"]},
        "architecture": {
            "layers": [
                {**EMBEDDING, "name": "code"},
                {"Dense": tags, "name": "tags", "from": "code"},
                {"GlobalAveragePooling1D": {}, "from": "code"},
                {"Dense": 1, "name": "length"},
            ],
            "outputs": ["tags", "length"],
        },
        "loss": {"tags": "sparse_categorical_crossentropy", "length": "mse"},
        "metrics": {"tags": ["accuracy"], "length": ["mae"]},
        "evaluation": {"score": score},
    }
    run = train(tmp_path, arrays, config)
    rows = np.load(run.path / "splits.npz")[FOLD]
    model = loaded(run.path / "model.keras")
    true = {name: arrays[name][rows] for name in ("tags", "length")}
    expected = model.evaluate(
        arrays["words"][rows], true, batch_size=256, verbose=0, return_dict=True
    )
    measures = {name: facts["value"] for name, facts in run.result["measures"].items()}
    assert measures == pytest.approx(expected, rel=1e-5)
    assert run.result["baseline"] is not None


@pytest.mark.slow
def test_masks_of_pictures_come_back_as_pictures(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    config = {
        "dataset": {"inputs": "pixels", "targets": "flags"},
        "architecture": {
            "layers": [
                {
                    "Conv2D": {
                        "filters": 1,
                        "kernel_size": 1,
                        "activation": "sigmoid",
                    }
                }
            ]
        },
        "loss": "binary_crossentropy",
        "metrics": ["AUC", "Precision", "Recall"],
    }
    run = train(tmp_path, arrays, config)
    rows = np.load(run.path / "splits.npz")[FOLD]
    model = loaded(run.path / "model.keras")
    x, y = arrays["pixels"], arrays["flags"]
    expected = model.evaluate(x[rows], y[rows], batch_size=256, verbose=0, return_dict=True)
    measures = {name: facts["value"] for name, facts in run.result["measures"].items()}
    assert measures == pytest.approx(expected, rel=1e-5)
    np.savez(tmp_path / "new.npz", pixels=x[:3])
    save_predictions(dlrun.predict(run.path, tmp_path / "new.npz"), tmp_path / "masks")
    picture = np.asarray(Image.open(tmp_path / "masks" / "1.png"))
    np.testing.assert_array_equal(picture, model.predict(x[1:2], verbose=0)[0, ..., 0] > 0.5)
    assert "validation pixels are correct" in report(run.path).read_text(encoding="utf-8")
