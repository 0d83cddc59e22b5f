"""What is predicted, which rows may be used, and which are sealed away."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.fingerprint import describe
from dlrun.data.samples import Dataset
from dlrun.data.source import Limit
from dlrun.data.sources.csv import Csv
from dlrun.data.sources.npz import Npz
from dlrun.data.sources.sklearn import Sklearn
from dlrun.data.task import Asked
from dlrun.errors import DataError


def load_targets(base: Path, *, regression: bool = False, **targets: np.ndarray) -> Dataset:
    n = len(next(iter(targets.values())))
    np.savez(base / "d.npz", x=np.arange(n), **targets)
    source = Npz(path="d.npz", targets=list(targets))
    return load_dataset(source, base, 0, regression=regression)


ONE_HOT = np.eye(3, dtype=int)[[0, 1, 2, 1]]
TASKS = [
    ("two labels", {"y": np.asarray([0, 1, 1, 0])}, False, "binary"),
    ("three labels", {"y": np.asarray([0, 1, 2, 0])}, False, "multiclass"),
    ("whole floats are labels", {"y": np.asarray([0.0, 1.0, 2.0])}, False, "multiclass"),
    ("whole numbers as quantities", {"y": np.asarray([0, 1, 2, 0])}, True, "regression"),
    ("fractions", {"y": np.asarray([0.5, 1.0, 2.0])}, False, "regression"),
    ("text", {"y": np.asarray(["b", "a", "c"])}, False, "multiclass"),
    ("text is no quantity", {"y": np.asarray(["b", "a", "a"])}, True, "binary"),
    ("true and false", {"y": np.asarray([True, False, True])}, True, "binary"),
    ("one-hot", {"y": ONE_HOT}, False, "multiclass"),
    ("several labels", {"y": np.asarray([[1, 1], [0, 1]])}, False, "multilabel"),
    ("several quantities", {"y": np.asarray([[1.5, 1], [0, 1]])}, False, "regression"),
    ("a column", {"y": np.asarray([[0], [1], [2]])}, False, "multiclass"),
    ("flags", {"a": np.asarray([True, False]), "b": np.asarray([0, 1])}, False, "multilabel"),
    ("quantities", {"a": np.asarray([1.5, 2]), "b": np.asarray([1.0, 2.5])}, True, "regression"),
]


@pytest.mark.parametrize(
    ("targets", "regression", "task"), [c[1:] for c in TASKS], ids=[c[0] for c in TASKS]
)
def test_the_task_is_told_from_the_targets(tmp_path, targets, regression, task):
    assert load_targets(tmp_path, regression=regression, **targets).task == task


def test_classes_are_the_sorted_texts_and_labels_are_integers(tmp_path):
    text = load_targets(tmp_path, y=np.asarray(["no", "yes", "no"]))
    assert text.classes == {"y": ("no", "yes")}
    assert text.samples.targets["y"].tolist() == ["no", "yes", "no"]
    flags = load_targets(tmp_path, y=np.asarray([True, False, True]))
    assert flags.classes == {"y": ("false", "true")}
    assert flags.samples.targets["y"].tolist() == [1, 0, 1]
    floats = load_targets(tmp_path, y=np.asarray([0.0, 2.0, 1.0]))
    assert floats.classes == {}
    assert floats.samples.targets["y"].dtype == np.int64


@pytest.mark.parametrize("words", [("ant", "bee", "cow"), (0, 1, 2)])
def test_a_class_of_test_rows_alone_counts_and_is_reported(tmp_path, words):
    column = [words[i % 2] for i in range(38)] + [words[2]] * 2
    rows = "".join(f"{i},{word}\n" for i, word in enumerate(column))
    (tmp_path / "d.csv").write_text("a,y\n" + rows)
    options = {"path": "d.csv", "target": "y", "test": {"fraction": 0.2, "shuffle": False}}
    dataset = load_dataset(Csv.model_validate(options), tmp_path, 0, regression=False)
    known = dataset.classes.get("y", dataset.labels.get("y"))
    assert tuple(known) == words
    assert dataset.findings == (
        f"class '{words[2]}' of 'y' is among the test rows alone: no model can learn what it never "
        "sees, and each such row counts as an error",
    )


def test_labels_that_do_not_start_at_0_and_lone_classes_are_pointed_out(tmp_path):
    dataset = load_targets(tmp_path, y=np.asarray([1, 2, 2, 1, 5]))
    assert dataset.findings == (
        "class '5' of 'y' appears once, in row 4 (counted from 0)",
        "the labels of 'y' are 1, 2, 5, not 0 to 2: `label_index`, first in `targets` under "
        "`preprocess`, numbers the classes from 0",
    )
    assert load_targets(tmp_path, y=np.asarray([0, 1, 1, 0])).findings == ()
    assert load_targets(tmp_path, y=np.asarray([3, 4, 9]), regression=True).findings == ()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fraction=st.floats(0.05, 0.7),
    seed=st.integers(0, 2**32 - 1),
    limit=st.none() | st.integers(10, 200) | st.integers(10, 200).map(lambda n: Limit(random=n)),
)
def test_dealt_test_rows_depend_on_the_seed_alone_and_are_never_loaded(fraction, seed, limit):
    unlimited = Sklearn.model_validate({"name": "diabetes", "test": {"fraction": fraction}})
    limited = unlimited.model_copy(update={"limit": limit})
    dataset = load_dataset(limited, Path(), seed, regression=True)
    test = load_test(limited, Path(), seed, regression=True)
    assert not set(dataset.samples.rows) & set(test.rows)
    np.testing.assert_array_equal(dataset.test_rows, test.rows)
    whole = load_test(unlimited, Path(), seed, regression=True)
    np.testing.assert_array_equal(test.rows, whole.rows)
    assert len(test) == int(np.ceil(fraction * 442 - 1e-9))
    assert len(dataset.samples) <= 442 - len(test)
    assert (np.diff(dataset.samples.rows) > 0).all()


def test_dealt_test_rows_keep_the_class_shares():
    source = Sklearn(name="iris", test={"fraction": 0.2})
    test = load_test(source, Path(), 1, regression=False)
    assert np.bincount(test.targets["target"]).tolist() == [10, 10, 10]


def table(base: Path, text: str, **options: Any) -> Csv:
    (base / "d.csv").write_text(text)
    return Csv.model_validate({"path": "d.csv", "target": "y", **options})


def test_dealt_test_rows_are_whole_groups(tmp_path):
    rows = "".join(f"p{i // 4},{i},{i % 2}\n" for i in range(80))
    source = table(tmp_path, "patient,a,y\n" + rows, test={"fraction": 0.25})
    options = {"groups": "patient", "regression": False}
    dataset = load_dataset(source, tmp_path, 0, **options)
    test = load_test(source, tmp_path, 0, **options)
    assert len(test) == 20
    assert not set(test.extras["patient"]) & set(dataset.samples.extras["patient"])
    assert list(dataset.samples.features) == ["a"]


@pytest.mark.parametrize(
    "written",
    ["%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M:%S", "%j"],
    ids=["ISO dates", "day first", "numbers"],
)
def test_dealt_test_rows_are_the_last_in_time(tmp_path, written):
    days = np.random.default_rng(0).permutation(40)
    moments = [datetime(2024, 1, 20) + timedelta(days=int(day)) for day in days]
    rows = "".join(f"{moment.strftime(written)},{i},{i}.5\n" for i, moment in enumerate(moments))
    source = table(tmp_path, "day,a,y\n" + rows, test={"fraction": 0.25})
    test = load_test(source, tmp_path, 0, time="day", regression=True)
    last = sorted(range(40), key=moments.__getitem__)[30:]
    assert test.rows.tolist() == sorted(last)


def test_a_quantity_beside_classes_has_its_last_value_as_baseline(tmp_path):
    rows = "".join(
        f"2024-01-{day:02d},{day / 2},{'ab'[day % 2]},{day * day / 8}\n" for day in range(1, 29)
    )
    source = table(tmp_path, "when,x,kind,value\n" + rows, target=["kind", "value"])
    outputs = {"kind": Asked(False), "value": Asked(True)}
    dataset = load_dataset(source, tmp_path, 0, time="when", regression=False, outputs=outputs)
    said = dataset.samples.of_target("value").naive_forecasts["persistence"]
    days = np.arange(1, 28)
    np.testing.assert_array_equal(said[:, 0], [np.nan, *(days * days / 8)])


def test_a_class_that_comes_up_in_the_sealed_stretch_alone_is_a_class(tmp_path):
    rows = "".join(f"{i},1,{'late' if i >= 45 else 'abc'[i % 3]}\n" for i in range(50))
    source = table(tmp_path, "day,a,y\n" + rows, test={"fraction": 0.1})
    dataset = load_dataset(source, tmp_path, 0, time="day", regression=False)
    assert dataset.classes == {"y": ("a", "b", "c", "late")}


def test_a_trial_on_few_rows_has_the_classes_of_all():
    dataset = load_dataset(Sklearn(name="digits", limit=20), Path(), 0, regression=False)
    assert len(dataset.samples) == 20
    assert len(dataset.classes["target"]) == 10


def test_rows_of_a_validation_file_come_last_and_are_marked(tmp_path):
    source = table(tmp_path, "a,y\n1,x\n2,z\n3,x\n4,z\n", limit=3)
    (tmp_path / "v.csv").write_text("y,a,unused\nz,9,0\nnew,8,0\n")
    dataset = load_dataset(source, tmp_path, 0, validation="v.csv", regression=False)
    assert dataset.samples.features["a"].tolist() == [1, 2, 3, 9, 8]
    assert dataset.samples.rows.tolist() == [0, 1, 2, 4, 5]
    assert dataset.validation.tolist() == [False, False, False, True, True]
    assert dataset.classes == {"y": ("new", "x", "z")}


def test_a_validation_file_needs_the_columns_that_training_needs(tmp_path):
    source = table(tmp_path, "a,w,y\n1,1,x\n2,1,z\n")
    (tmp_path / "v.csv").write_text("a,y\n9,z\n")
    with pytest.raises(DataError) as error:
        load_dataset(source, tmp_path, 0, extra=["w"], validation="v.csv", regression=False)
    assert str(error.value) == "the validation rows have no column 'w'; training needs it"


def test_the_description_counts_classes_and_gives_the_range_of_quantities():
    iris = load_dataset(Sklearn(name="iris", limit=60), Path(), 0, regression=False)
    facts = describe(iris.samples, iris.classes)
    assert facts["targets"]["target"]["counts"] == {"setosa": 50, "versicolor": 10, "virginica": 0}
    diabetes = load_dataset(Sklearn(name="diabetes"), Path(), 0, regression=True)
    values = diabetes.samples.targets["target"]
    assert describe(diabetes.samples, {})["targets"]["target"]["range"] == {
        "least": values.min(),
        "mean": pytest.approx(values.mean()),
        "greatest": values.max(),
    }


def test_test_rows_that_are_not_shuffled_are_the_last_ones_under_every_protocol(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.arange(10), y=np.arange(10) % 2)
    source = Npz(path="d.npz", test={"fraction": 0.25, "shuffle": False}, limit=4)
    for seed in (0, 1):
        dataset = load_dataset(source, tmp_path, seed, regression=False)
        assert dataset.test_rows.tolist() == [7, 8, 9]
        assert dataset.samples.rows.tolist() == [0, 1, 2, 3]
        assert load_test(source, tmp_path, seed, regression=False).rows.tolist() == [7, 8, 9]


def test_a_test_file_is_no_validation_file(tmp_path):
    for name in ("d", "t"):
        np.savez(tmp_path / f"{name}.npz", x=np.arange(4), y=np.asarray([0, 1, 0, 1]))
    source = Npz(path="d.npz", test={"path": "t.npz"})
    with pytest.raises(DataError) as error:
        load_dataset(source, tmp_path, 0, validation="*t.npz", regression=False)
    assert str(error.value) == (
        f"{tmp_path}/t.npz: also named by `test.path`; test rows must not choose the model that "
        "they score"
    )
