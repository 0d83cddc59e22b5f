"""The book's experiments on the real files: what each config's header promises."""

from __future__ import annotations

from pathlib import Path

import pytest

import dlrun

BOOK = Path(__file__).parents[2] / "configs" / "book"

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


def test_mnist_dense_reaches_the_books_accuracy(keras_home: Path, tmp_path: Path) -> None:
    run = dlrun.train(BOOK / "mnist_dense.yaml", runs_dir=tmp_path)
    assert run.score is None, "nothing is held out"
    assert dlrun.evaluate(run.path).score >= 0.975


def test_imdb_dense_validates_as_in_the_book(keras_home: Path, tmp_path: Path) -> None:
    run = dlrun.train(BOOK / "imdb_dense.yaml", runs_dir=tmp_path, overrides=["training.epochs=8"])
    best = run.history["val_accuracy"].max()
    assert 0.87 <= best <= 0.90
    assert run.result["best_value"] == pytest.approx(best)
    # The book's hold-out is the first 10,000 reviews, half of them positive.
    assert run.result["baseline"]["value"] == pytest.approx(0.5, abs=0.01)


def test_boston_kfold_is_off_by_less_than_the_book_says(keras_home: Path, tmp_path: Path) -> None:
    run = dlrun.train(BOOK / "boston_kfold.yaml", runs_dir=tmp_path)
    assert run.score is not None
    assert 2.2 <= run.score <= 3.2
    assert len(run.history) == 4 * 100
    mean = run.history.groupby("epoch")["val_mae"].mean()
    assert run.result["best_epoch"] == mean.idxmin()
    assert run.result["mean_history"]["val_mae"]["mean"] == pytest.approx(mean.to_list())


def test_boston_in_larger_batches(keras_home: Path, tmp_path: Path) -> None:
    overrides = ["training.epochs=60", "training.batch_size=16"]
    run = dlrun.train(BOOK / "boston_kfold.yaml", runs_dir=tmp_path, overrides=overrides)
    assert run.score is not None
    assert 2.0 <= run.score <= 3.2
    assert run.score < run.result["baseline"]["value"] / 2
