"""Per-class and residual figures against scikit-learn's report and NumPy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlrun.metrics.figures import classification_figures, regression_figures

RNG = np.random.default_rng(2)


def assert_report(figures, report, names):
    assert [one.name for one in figures.classes] == names
    averages = [(figures.macro, "macro avg"), (figures.weighted, "weighted avg")]
    for one, key in [*zip(figures.classes, names, strict=True), *averages]:
        expected = report[key]
        assert one.precision == pytest.approx(expected["precision"])
        assert one.recall == pytest.approx(expected["recall"])
        assert one.f1 == pytest.approx(expected["f1-score"])
        assert one.support == expected["support"]


@pytest.mark.parametrize("form", ["indices", "column", "one-hot"])
def test_several_classes(form):
    from sklearn.metrics import classification_report, confusion_matrix

    labels, output = RNG.integers(0, 4, 80), RNG.random((80, 5))
    true = {"indices": labels, "column": labels[:, None], "one-hot": np.eye(5)[labels]}[form]
    names = ["ant", "bee", "cat", "dog", "eel"]
    figures = classification_figures(true, output, names)
    called = output.argmax(axis=1)
    report = classification_report(
        labels, called, labels=range(5), target_names=names, output_dict=True, zero_division=0
    )
    assert_report(figures, report, names)
    assert np.array(figures.confusion).tolist() == (
        confusion_matrix(labels, called, labels=range(5)).tolist()
    )
    assert figures.accuracy == pytest.approx((labels == called).mean())
    assert json.loads(json.dumps(figures.as_dict()))["classes"][4]["support"] == 0


def test_one_output_is_cut_at_a_half():
    figures = classification_figures([0, 0, 1, 1], [[0.5], [0.6], [0.9], [0.2]], ["no", "yes"])
    assert figures.confusion == ((1, 1), (1, 1))
    assert figures.classes[1].name == "yes"
    assert not figures.multilabel


def test_several_labels():
    from sklearn.metrics import classification_report

    true, output = RNG.integers(0, 2, (60, 3)), RNG.random((60, 3))
    figures = classification_figures(true, output, multilabel=True)
    called = (output > 0.5).astype(int)
    report = classification_report(
        true, called, target_names=list("012"), output_dict=True, zero_division=0
    )
    assert_report(figures, report, ["0", "1", "2"])
    first = figures.confusion[0]
    assert first[1][1] == int((true[:, 0] & called[:, 0]).sum())
    assert figures.accuracy == pytest.approx((true == called).all(axis=1).mean())


def test_residuals_of_one_target():
    from sklearn.metrics import r2_score

    true = RNG.normal(20, 5, 50)
    output = (true + RNG.normal(1, 2, 50))[:, None]
    (figures,) = regression_figures(true, output, rows=np.arange(100, 150), worst=3).targets
    residuals = output[:, 0] - true
    assert figures.mean_error == pytest.approx(residuals.mean())
    assert figures.mean_absolute_error == pytest.approx(np.abs(residuals).mean())
    assert figures.root_mean_squared_error == pytest.approx(np.sqrt((residuals**2).mean()))
    assert figures.median_absolute_error == pytest.approx(np.median(np.abs(residuals)))
    assert figures.r2 == pytest.approx(r2_score(true, output[:, 0]))
    assert figures.quantiles[0.05] == pytest.approx(np.quantile(residuals, 0.05))
    assert figures.quantiles[1.0] == residuals.max()
    assert [worst.row for worst in figures.worst] == (
        100 + np.argsort(-np.abs(residuals))[:3]
    ).tolist()
    assert figures.worst[0].error == pytest.approx(
        figures.worst[0].predicted - figures.worst[0].true
    )


def test_residuals_of_several_targets():
    true = RNG.normal(size=(10, 2))
    low, high = regression_figures(true, true + np.array([0.5, -2]), ["low", "high"]).targets
    assert (low.name, low.mean_error) == ("low", pytest.approx(0.5))
    assert (high.name, high.mean_error) == ("high", pytest.approx(-2))


def test_a_constant_target_has_no_r2():
    (figures,) = regression_figures([3.0, 3.0], [[1.0], [2.0]]).targets
    assert figures.r2 is None


@pytest.mark.parametrize(("outputs", "extra"), [(6, ["3", "4", "5"]), (2, [])])
def test_as_many_classes_as_names_or_outputs(outputs, extra):
    labels, output = RNG.integers(0, 3, 40), RNG.random((40, outputs))
    figures = classification_figures(labels, output, ["ant", "bee", "cat"])
    assert [one.name for one in figures.classes] == ["ant", "bee", "cat", *extra]
    assert sum(one.support for one in figures.classes) == 40
