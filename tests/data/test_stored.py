"""Columns that stay on disk, against the same columns in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlrun.data.fingerprint import describe, fingerprint
from dlrun.data.inputs import StreamedInputs
from dlrun.data.lazy import in_memory
from dlrun.data.pipeline import Pipeline, fit_pipeline
from dlrun.data.preprocessing.flatten import Flatten
from dlrun.data.preprocessing.impute import Impute
from dlrun.data.preprocessing.log1p import Log1p
from dlrun.data.preprocessing.minmax import MinMax
from dlrun.data.preprocessing.multi_hot import MultiHot
from dlrun.data.preprocessing.one_hot import OneHot
from dlrun.data.preprocessing.ordinal import Ordinal
from dlrun.data.preprocessing.standardize import Standardize
from dlrun.data.samples import Columns, Dataset, Samples
from dlrun.data.sources.csv import Csv
from dlrun.data.sources.npz import Npz
from dlrun.data.step import Step
from dlrun.data.stored import ConcatenatedRows, NumberFile, as_column, stored
from dlrun.errors import DataError

N = 700


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlrun.data.lazy.BLOCK_BYTES", 1000)
    monkeypatch.setattr("dlrun.data.fitting.batches.CHUNK_BYTES", 4000)


def table(random: np.random.Generator) -> Columns:
    cities = np.array(["Bonn", "Köln", None, "Ulm"], object)
    gaps = random.normal(size=N)
    gaps[random.random(N) < 0.2] = np.nan
    return {
        "age": gaps,
        "size": random.gamma(2, size=N).astype(np.float32),
        "city": random.choice(cities, N),
        "grade": random.integers(0, 5, N),
    }


def pictures(random: np.random.Generator) -> Columns:
    return {"x": random.integers(0, 256, (N, 4, 3), np.uint8)}


def samples_of(features: Columns) -> Samples:
    return Samples(features, {"y": np.arange(N) % 2}, 1000 + np.arange(N))


def on_disk(features: Columns) -> Samples:
    return samples_of({name: stored(column) for name, column in features.items()})


def fitted(steps: list[Step], samples: Samples) -> Pipeline:
    dataset = Dataset(samples, "binary", {}, False, None, "rows")
    return fit_pipeline(steps, [], dataset, samples)


@pytest.mark.parametrize("entry", [(), (3,), (90, 2)])
def test_rows_are_read_as_from_the_array(entry: tuple[int, ...], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    array = random.normal(size=(N, *entry))
    np.save(tmp_path / "x.npy", array)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    file = as_column(NumberFile(tmp_path / "x.npy", mapped.dtype, mapped.shape, mapped.offset))
    joined = as_column(ConcatenatedRows(stored(array[:100]), array[100:]))
    for column in (file, joined, stored(array)):
        assert not in_memory(column)
        assert (column.shape, column.dtype, column.ndim) == (array.shape, array.dtype, array.ndim)
        chosen = random.permutation(N)[:50]
        for rows in (chosen, np.sort(chosen), slice(3, 90), slice(0, 0), slice(None, None, -7)):
            np.testing.assert_array_equal(column[rows], array[rows])
            np.testing.assert_array_equal(column.take(rows)[5:], array[rows][5:])
        np.testing.assert_array_equal(list(column), array)


STEPS: dict[str, tuple[str, list[Step]]] = {
    "table": (
        "table",
        [
            Impute(strategy="mean", indicator=True, category="none"),
            Log1p(columns=["size"]),
            Standardize(columns=["age", "size"]),
            OneHot(columns=["city"]),
            MinMax(columns=["grade"]),
        ],
    ),
    "median": (
        "table",
        [Impute(strategy="median"), Ordinal(), MultiHot(columns=["grade"], num_tokens=6)],
    ),
    "frequent": ("table", [Impute(strategy="most_frequent"), OneHot(columns=["city", "grade"])]),
    "pictures": ("pictures", [Standardize(), Flatten()]),
    "nothing": ("pictures", []),
}


@pytest.mark.parametrize("name", STEPS)
def test_preprocessing_learns_and_makes_the_same(name: str) -> None:
    kind, steps = STEPS[name]
    columns = {"table": table, "pictures": pictures}[kind](np.random.default_rng(0))
    held, kept = samples_of(columns), on_disk(columns)
    in_memory, from_disk = fitted(steps, held), fitted(steps, kept)
    (facts, arrays), (other_facts, other_arrays) = in_memory.to_state(), from_disk.to_state()
    assert facts == other_facts
    for array in arrays:
        np.testing.assert_array_equal(arrays[array], other_arrays[array])
    plain, streamed = in_memory.inputs(held), from_disk.inputs(kept)
    assert isinstance(streamed, StreamedInputs)
    assert (streamed.shape, streamed.dtype) == (plain.shape, plain.dtype)
    rows = np.random.default_rng(1).permutation(N)[:40]
    np.testing.assert_array_equal(streamed[rows], plain[rows])
    np.testing.assert_array_equal(streamed[:], plain)
    assert in_memory.findings(held) == from_disk.findings(kept)


def test_fingerprint_and_facts_are_those_of_the_rows_in_memory() -> None:
    columns = table(np.random.default_rng(0)) | pictures(np.random.default_rng(0))
    rows = np.arange(0, N, 3)
    for held, kept in (
        (samples_of(columns), on_disk(columns)),
        (samples_of(columns).take(rows), on_disk(columns).take(rows)),
    ):
        assert fingerprint(held) == fingerprint(kept)
        assert describe(held, {}) == describe(kept, {})


def test_what_no_model_can_use_is_told_before_training() -> None:
    columns = table(np.random.default_rng(0))
    del columns["city"]
    columns["size"][600] = np.nan
    pipeline = fitted([Impute(columns=["age"])], samples_of(columns))
    told = r"column 'size' has 1 missing value, the first in row 1600"
    with pytest.raises(DataError, match=told):
        pipeline.inputs(on_disk(columns))


def test_what_has_to_be_held_whole_to_learn_is_refused() -> None:
    random = np.random.default_rng(0)
    columns = {"x": random.normal(size=(N, 4))}
    with pytest.raises(DataError, match="say `stream: false` under `dataset`"):
        fitted([Impute(strategy="median")], on_disk(columns))


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_npz_source_streams_npy_files_alone(ending: str, tmp_path: Path) -> None:
    arrays = {"x": np.arange(40.0).reshape(10, 4), "y": np.arange(10) % 2}
    if ending == "npz":
        np.savez(tmp_path / "rows.npz", **arrays)
    else:
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
    source = Npz(path=f"*.{ending}", stream=True)
    if ending == "npz":
        with pytest.raises(DataError, match="rows of array 'x' cannot be read one by one"):
            source.load("train", tmp_path)
        return
    loaded = source.load("train", tmp_path)
    assert not in_memory(loaded.features["x"])
    np.testing.assert_array_equal(loaded.features["x"][:], arrays["x"])
    assert in_memory(Npz(path="*.npy").load("train", tmp_path).features["x"])


def test_inputs_too_large_for_the_machine_stay_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.ones((100, 10)))
    np.save(tmp_path / "y.npy", np.arange(100) % 2)
    source = Npz(path="*.npy")
    for memory, streams in ((8000 * 4, False), (8000 * 4 - 1, True), (None, False)):
        monkeypatch.setattr("dlrun.data.stored.memory_of_machine", lambda size=memory: size)
        assert in_memory(source.load("train", tmp_path).features["x"]) != streams
        assert source.pinned(tmp_path).stream == streams
    never = Npz(path="*.npy", stream=False)
    monkeypatch.setattr("dlrun.data.stored.memory_of_machine", lambda: 1)
    assert in_memory(never.load("train", tmp_path).features["x"])


def parquet_folder(folder: Path) -> Path:
    random = np.random.default_rng(0)
    for part in range(3):
        frame = pd.DataFrame(table(random))
        frame["grade"] = frame["grade"].astype("Int64")
        frame["owner"] = random.random(N) < 0.5
        frame["label"] = random.choice(["no", "yes"], N)
        frame["when"] = pd.date_range("2024-01-01", periods=N)
        frame.to_parquet(folder / f"part-{part}.parquet")
    return folder


def test_a_folder_of_parquet_files_gives_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    parquet_folder(tmp_path / "rows")
    options = {"path": "rows", "target": "label", "types": {"grade": "categorical"}}
    held = Csv(**options, stream=False).load("train", tmp_path, ["when"])
    kept = Csv(**options, stream=True).load("train", tmp_path, ["when"])
    assert list(held.features) == ["age", "size", "city", "grade", "owner"]
    assert not any(map(in_memory, kept.features.values()))
    for name, column in held.features.items():
        assert column.dtype == kept.features[name].dtype
        np.testing.assert_array_equal(kept.features[name][:], column)
    np.testing.assert_array_equal(kept.targets["label"], held.targets["label"])
    np.testing.assert_array_equal(kept.extras["when"], held.extras["when"])
    assert (kept.description, kept.findings) == (held.description, held.findings)
    assert (kept.classes, held.features["city"].dtype) == (held.classes, object)


def test_only_parquet_tables_stream(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,y\n1,0\n2,1\n")
    with pytest.raises(DataError, match="only Parquet files can be read a batch at a time"):
        Csv(path="rows.csv", target="y", stream=True).load("train", tmp_path)
