"""What every data source promises; a new source joins by an entry in `EXAMPLES`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlrun.data.dataset import load_dataset, load_test
from dlrun.data.fingerprint import describe, fingerprint
from dlrun.data.samples import Array, Columns, Samples, kind_of
from dlrun.data.source import Source
from dlrun.errors import DataError
from dlrun.registry.families import SOURCES


@dataclass(frozen=True)
class Example:
    """A ready-made config of one source.

    Args:
        source: The member's name.
        options: Its options, without `test` and `limit`.
        extra: A column that can be asked for as an extra.
        test: How to get test data; None where the source brings its own.
        files: Writes what the source reads into the base folder.
        needs: A fixture that must be there.
        slow: Whether it takes seconds to read.
    """

    source: str
    options: dict[str, Any]
    extra: str | None = None
    test: dict[str, Any] | None = None
    files: Callable[[Path], None] = lambda base: None
    needs: str | None = None
    slow: bool = False


def write_table(base: Path) -> None:
    rng = np.random.default_rng(0)
    for name, rows in (("houses.csv", 40), ("later.csv", 15)):
        lines = ["area,heated,street,block,price"]
        for _ in range(rows):
            heated, street = rng.choice(["true", "false"]), rng.choice(["Elm St", "Oak St", ""])
            lines.append(f"{rng.normal():.3f},{heated},{street},{rng.integers(5)},{rng.random()}")
        (base / name).write_text("\n".join(lines) + "\n")


def write_arrays(base: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"groups": np.arange(30) // 3, "age": rng.random(30)}
    arrays |= {"images": rng.random((30, 4, 5)), "labels": rng.integers(0, 3, 30)}
    np.savez(base / "train.npz", **arrays)
    np.savez(base / "test.npz", **{name: array[:12] for name, array in arrays.items()})
    for name, array in arrays.items():
        np.save(base / f"{name}.npy", array)


def table(**options: Any) -> Example:
    base = {"path": "houses.csv", "target": "price"}
    return Example("csv", base | options, extra="block", files=write_table)


def write_texts(base: Path) -> None:
    random = np.random.default_rng(4)
    for label in ("ham", "spam"):
        (base / "mails" / label).mkdir(parents=True)
        for number in range(12):
            words = random.choice(["win", "money", "meeting", "lunch"], 6)
            (base / "mails" / label / f"{number:02d}.txt").write_text(" ".join(words))


def write_pictures(base: Path) -> None:
    rng = np.random.default_rng(2)
    lines = ["file,patient,grade"]
    for part, count in (("train", 12), ("test", 5)):
        for label in ("ant", "bee"):
            (base / "photos" / part / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
                file = base / "photos" / part / label / f"{number:02d}.png"
                Image.fromarray(pixels).save(file)
                name = file.relative_to(base / "photos").as_posix()
                lines.append(f"{name},{number // 2},{rng.normal():.2f}")
    (base / "grades.csv").write_text("\n".join(lines[:25]) + "\n")
    (base / "later.csv").write_text("\n".join([lines[0], *lines[25:]]) + "\n")


def pictures(**options: Any) -> Example:
    base = {"path": "photos", "size": [6, 8], "color": "grayscale"}
    return Example("image_folder", base | options, extra="file", files=write_pictures)


def write_series(base: Path) -> None:
    rng = np.random.default_rng(6)
    for name, day in (("weather.csv", 1), ("later.csv", 20)):
        lines = ["when,heat,wind,trust"]
        for hour in range(240):
            when = f"{day + hour // 24:02d}.03.2024 {hour % 24:02d}:00:00"
            lines.append(f"{when},{rng.normal():.3f},{rng.random():.3f},{rng.random():.3f}")
        (base / name).write_text("\n".join(lines[: 241 if day == 1 else 100]) + "\n")


def series(**options: Any) -> Example:
    base = {"path": "weather.csv", "target": "heat", "lookback": 12, "step": 3, "drop": ["trust"]}
    return Example("timeseries", base | options, extra="trust", files=write_series)


GRADES = {"labels": "grades.csv", "test": {"path": "later.csv"}, "target": "grade"}

EXAMPLES = {
    "image_folder": pictures(),
    "image_folder of one part": pictures(path="photos/train", test={"fraction": 0.25}),
    "image_folder with a test folder": pictures(path="photos/train", test={"path": "photos/test"}),
    "image_folder on disk": pictures(stream=True),
    "image_folder with a table": pictures(**GRADES),
    "timeseries": series(),
    "timeseries with steps ahead": series(steps_ahead=3, test={"fraction": 0.25}),
    "timeseries with a test file": series(test={"path": "later.csv"}),
    "text_folder": Example(
        "text_folder",
        {"path": "mails", "test": {"fraction": 0.25}},
        extra="file",
        files=write_texts,
    ),
    "csv": table(),
    "csv with a test file": Example(
        "csv",
        {"path": "houses.csv", "target": "price", "test": {"path": "later.csv"}},
        extra="block",
        files=write_table,
    ),
    "csv with dealt test rows": table(test={"fraction": 0.3}),
    "npz": Example(
        "npz",
        {"path": "train.npz", "inputs": ["images", "age"], "targets": "labels"}
        | {"test": {"path": "test.npz"}},
        extra="groups",
        files=write_arrays,
    ),
    "npy": Example(
        "npz",
        {"path": "*.npy", "inputs": "images", "targets": "labels", "test": {"fraction": 0.2}},
        extra="groups",
        files=write_arrays,
    ),
    "sklearn iris": Example("sklearn", {"name": "iris", "test": {"fraction": 0.2}}),
    "sklearn digits": Example("sklearn", {"name": "digits", "images": True}),
    "sklearn digits columns": Example("sklearn", {"name": "digits"}, extra="pixel_0_2"),
    "sklearn wine": Example("sklearn", {"name": "wine"}, extra="hue"),
    "sklearn breast_cancer": Example("sklearn", {"name": "breast_cancer"}, extra="mean area"),
    "sklearn diabetes": Example("sklearn", {"name": "diabetes"}, extra="sex"),
    "keras boston_housing": Example(
        "keras", {"name": "boston_housing"}, extra="CHAS", needs="keras_home"
    ),
    "keras reuters": Example(
        "keras", {"name": "reuters", "num_words": 50}, needs="keras_home", slow=True
    ),
}


def parameters(with_extra: bool = False) -> list[Any]:
    return [
        pytest.param(
            example,
            id=name,
            marks=[
                *([pytest.mark.realdata] if example.needs else []),
                *([pytest.mark.slow] if example.slow else []),
            ],
        )
        for name, example in EXAMPLES.items()
        if example.extra or not with_extra
    ]


@pytest.fixture(params=parameters())
def example(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Example:
    found: Example = request.param
    # Paths of a config that was read are absolute; here they start in the folder of the test.
    monkeypatch.chdir(tmp_path)
    if found.needs:
        request.getfixturevalue(found.needs)
    found.files(tmp_path)
    return found


def make(example: Example, **options: Any) -> Source:
    source = SOURCES.get(example.source).model_validate(example.options | options)
    assert isinstance(source, Source)
    return source


def all_columns(samples: Samples) -> Columns:
    return samples.features | samples.targets | samples.extras


def with_one_change(column: Array) -> Array:
    changed = np.array(column[:])
    row = len(column) // 2
    if kind_of(column) == "categorical":
        changed[row] = "another"
    elif kind_of(column) == "sequences":
        changed[row] = np.append(changed[row], 1)
    else:
        changed[row] = ~changed[row] if column.dtype == bool else 1 - changed[row]
    return changed


def assert_equal(left: Samples, right: Samples) -> None:
    assert fingerprint(left) == fingerprint(right)
    np.testing.assert_array_equal(left.rows, right.rows)


def test_every_source_has_an_example():
    assert {example.source for example in EXAMPLES.values()} == set(SOURCES.names())


def test_rows_are_numbered_and_columns_are_of_one_length(example, tmp_path):
    source = make(example)
    loaded = source.load("train", tmp_path)
    lengths = {len(column) for column in (loaded.features | loaded.targets).values()}
    assert len(lengths) == 1
    dataset = load_dataset(source, tmp_path, 0, regression=False)
    sealed = [] if dataset.test_rows is None else dataset.test_rows
    numbers = np.arange(lengths.pop()) if loaded.rows is None else loaded.rows
    assert (np.diff(numbers) > 0).all()
    expected = np.setdiff1d(numbers, sealed)
    if source.in_time_order:
        # Windows that share rows with the test rows are in neither part.
        expected = expected[: len(dataset.samples)]
    np.testing.assert_array_equal(dataset.samples.rows, expected)
    assert dataset.samples.rows.dtype == np.int64
    for column in all_columns(dataset.samples).values():
        assert len(column) == len(dataset.samples)


def test_columns_are_what_their_kind_says(example, tmp_path):
    dataset = load_dataset(make(example), tmp_path, 0, regression=False)
    assert dataset.samples.features
    assert dataset.samples.targets
    assert dataset.description
    for column in all_columns(dataset.samples).values():
        if kind_of(column) == "categorical":
            assert all(value is None or type(value) is str for value in column)
        elif kind_of(column) == "sequences":
            assert all(entry.ndim == 1 and entry.dtype.kind == "i" for entry in column)
        else:
            assert column.dtype.kind in "biuf"
    for name, target in dataset.samples.targets.items():
        classes = dataset.classes.get(name)
        if target.dtype == object:
            assert classes == tuple(sorted(set(target)))
        elif classes:
            assert 0 <= target.min() <= target.max() < len(classes)


def test_loading_twice_gives_the_same_fingerprint_and_facts(example, tmp_path):
    first = load_dataset(make(example), tmp_path, 0, regression=False)
    second = load_dataset(make(example), tmp_path, 0, regression=False)
    assert_equal(first.samples, second.samples)
    facts = describe(first.samples, first.classes)
    assert facts == describe(second.samples, second.classes)
    assert facts["rows"] == len(first.samples)


def test_one_changed_value_in_any_column_changes_the_fingerprint(example, tmp_path):
    samples = load_dataset(make(example), tmp_path, 0, regression=False).samples
    seen = {fingerprint(samples)}
    for name, column in samples.features.items():
        features = samples.features | {name: with_one_change(column)}
        seen.add(fingerprint(samples.with_features(features)))
    for name, column in samples.targets.items():
        targets = samples.targets | {name: with_one_change(column)}
        seen.add(fingerprint(replace(samples, targets=targets)))
    assert len(seen) == 1 + len(samples.features) + len(samples.targets)


@pytest.mark.parametrize("example", parameters(with_extra=True), indirect=True)
def test_an_extra_column_is_no_feature(example, tmp_path):
    plain = load_dataset(make(example), tmp_path, 0, regression=False)
    dataset = load_dataset(make(example), tmp_path, 0, extra=[example.extra], regression=False)
    assert list(dataset.samples.extras) == [example.extra]
    left = [name for name in plain.samples.features if name != example.extra]
    assert list(dataset.samples.features) == left


def test_an_unknown_extra_column_is_refused(example, tmp_path):
    with pytest.raises(DataError, match=r"no (column|array) 'nowhere'"):
        load_dataset(make(example), tmp_path, 0, extra=["nowhere"], regression=False)


def test_test_rows_are_sealed_and_have_the_same_columns(example, tmp_path):
    source = make(example)
    dataset = load_dataset(source, tmp_path, 0, regression=False)
    assert dataset.has_test == (source.brings_test or source.test is not None)
    if not dataset.has_test:
        return
    test = load_test(source, tmp_path, 0, regression=False)
    assert len(test) > 0
    for part in ("features", "targets"):
        columns, others = getattr(dataset.samples, part), getattr(test, part)
        assert {n: (kind_of(c), c.shape[1:]) for n, c in columns.items()} == {
            n: (kind_of(c), c.shape[1:]) for n, c in others.items()
        }
    if not source.brings_test:
        np.testing.assert_array_equal(test.rows, dataset.test_rows)
        assert not set(test.rows) & set(dataset.samples.rows)


def test_a_limit_keeps_the_first_rows_and_the_same_test_rows(example, tmp_path):
    full = make(example)
    whole = load_dataset(full, tmp_path, 0, regression=False)
    rows = len(whole.samples) * 2 // 3
    limited = make(example, limit=rows)
    part = load_dataset(limited, tmp_path, 0, regression=False)
    assert_equal(part.samples, whole.samples.take(np.arange(rows)))
    assert part.task == whole.task
    assert part.classes == whole.classes
    if whole.has_test:
        assert_equal(
            load_test(limited, tmp_path, 0, regression=False),
            load_test(full, tmp_path, 0, regression=False),
        )


def test_reading_a_config_imports_no_heavy_library():
    code = (
        "import sys; from dlrun.registry.families import SOURCES; "
        "[SOURCES.get(name) for name in SOURCES.names()]; "
        "print(sorted({'pandas', 'sklearn', 'keras', 'tensorflow', 'pyarrow'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
