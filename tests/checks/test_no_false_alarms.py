"""No check cries wolf: on shipped configs, on rows that cannot leak, and at no great cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlrun.checks.check import STAGES, checks, config_findings, data_findings
from dlrun.checks.finding import Findings
from dlrun.config.load import load_config
from dlrun.data.samples import Dataset, Samples
from dlrun.registry.families import finding_codes
from dlrun.workflows.loading import load_rows

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(
    path
    for folder in ("configs", "benchmarks")
    for path in (ROOT / folder).rglob("*.yaml")
    # A descent has no model that checks know of.
    if not path.stem.startswith("descent_")
)

TRUE_NOTES = {"DL106"}
"""IMDB has 51 reviews twice on the two sides of the book's hold-out: a note says so."""

SILENCED = {
    "cats_and_dogs": {"DL201"},
    "cats_and_dogs_augmented": {"DL201"},
    "cats_and_dogs_vgg16": {"DL201"},
    "cats_and_dogs_vgg16_augmented": {"DL201"},
    "cats_and_dogs_vgg16_fine_tuned": {"DL201"},
    "imdb_bigger": {"DL201"},
    "mnist_from_scratch": {"DL037"},
    "reuters_bottleneck": {"DL010", "DL106", "DL111"},
    "reuters_dense": {"DL106", "DL111"},
}
"""What the book shows on purpose, or cannot help."""


def name_of(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("config", SHIPPED, ids=name_of)
def test_shipped_configs_by_themselves(config: Path) -> None:
    loaded = load_config(config)
    found = config_findings(loaded)
    assert found.shown == ()
    assert set(loaded.ignore) == SILENCED.get(config.stem, set())
    assert set(found.silenced) <= set(loaded.ignore)


def test_the_first_config_with_its_rows() -> None:
    config = load_config(ROOT / "configs" / "digits.yaml")
    assert data_findings(config, load_rows(config)) == Findings()


READ_ANEW = ("boston_kfold", "imdb_conv1d", "imdb_dense", "mnist_dense", "reuters_dense")
"""One config for each data set and split; the others differ in the model alone."""


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("config", [c for c in SHIPPED if c.stem in READ_ANEW], ids=name_of)
def test_shipped_configs_with_their_rows(config: Path, keras_home: Path) -> None:
    loaded = load_config(config)
    found = data_findings(loaded, load_rows(loaded))
    assert [f for f in found.shown if f.severity != "note"] == []
    assert {f.code for f in found.shown} <= TRUE_NOTES
    assert set(found.silenced) <= set(loaded.ignore)


@pytest.mark.parametrize("seed", range(5))
def test_a_plain_table_of_any_kind_of_column(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    n = int(rng.integers(900, 2000))
    age, income = rng.integers(18, 90, n), rng.lognormal(10, 0.5, n).round(2)
    table = {
        "age": np.where(rng.random(n) < 0.05, np.nan, age),
        "income": income,
        "children": rng.poisson(1, n),
        "town": rng.choice(["Bonn", "Ulm", "Kiel", "Jena"], n, p=[0.5, 0.3, 0.15, 0.05]),
        "owner": rng.random(n) < 0.4,
        "risk": np.where(income / 2e4 + age / 50 + rng.normal(size=n) > 2.5, "high", "low"),
    }
    pd.DataFrame(table).to_csv("rows.csv", index=False)
    Path("c.yaml").write_text(
        "dataset: {source: csv, path: rows.csv, target: risk, test: {fraction: 0.1}}\n"
        "preprocess: [impute, standardize, one_hot]\n"
        "architecture: {layers: [{Dense: {units: 16, activation: relu}}, "
        "{Dense: {units: 1, activation: sigmoid}}]}\n"
        "loss: binary_crossentropy\noptimizer: rmsprop\nmetrics: [accuracy]\n"
    )
    config = load_config("c.yaml")
    found = data_findings(config, load_rows(config))
    assert [str(f) for f in found.shown if f.code != "DL112"] == []


def test_rows_that_repeat_test_rows_alone_are_nobodys_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test rows are sealed: whatever they hold, nothing is said of them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    rows = pd.DataFrame({"x": x, "y": (x + rng.normal(size=1000) > 0) * 1})
    rows.to_csv("rows.csv", index=False)
    rows.head(300).to_csv("repeated.csv", index=False)
    Path("no_table.csv").write_bytes(b"\x00\xff")
    text = (
        "dataset: {source: csv, path: rows.csv, target: y, test: {path: FILE}}\n"
        "architecture: {layers: [{Dense: {units: 16, activation: relu}}, "
        "{Dense: {units: 1, activation: sigmoid}}]}\n"
        "loss: binary_crossentropy\noptimizer: rmsprop\nmetrics: [accuracy]\n"
    )
    for file in ("repeated.csv", "no_table.csv"):
        Path("c.yaml").write_text(text.replace("FILE", file))
        config = load_config("c.yaml")
        assert data_findings(config, load_rows(config)) == Findings()


def test_the_cost_is_bounded_by_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What columns are judged by is as large for a million rows as for ten thousand."""
    from dlrun.checks.duplicates import MOST_VALUES, positions_hashed
    from dlrun.checks.rows import MOST_ROWS, data_view

    config = load_config(ROOT / "configs" / "digits.yaml", ["preprocess=[]"])
    n = 200_000
    samples = Samples(
        features={"x": np.zeros((n, 200), np.int8)},
        targets={"target": np.arange(n) % 10},
        rows=np.arange(n),
    )
    dataset = Dataset(samples, "multiclass", {}, False, None, "zeros")
    view = data_view(config, dataset)
    assert len(view.train) <= MOST_ROWS
    assert view.held_out is not None
    assert len(view.held_out) <= MOST_ROWS
    assert 0 < len(view.hashed) * 200 <= MOST_VALUES
    assert np.array_equal(view.hashed_positions, np.unique(view.hashed_positions))
    # A byte of a picture costs a sixteenth of a number.
    pictures = np.broadcast_to(np.uint8(0), (n, 64, 64, 3))
    positions = positions_hashed(replace(samples, features={"image": pictures}))
    assert positions is not None
    assert 0.9 < len(positions) * 64 * 64 * 3 / (16 * MOST_VALUES) <= 1


def test_codes_are_those_of_the_checks_and_none_twice() -> None:
    codes = finding_codes()
    assert len(set(codes)) == len(codes)
    found = {stage: checks(stage) for stage in STAGES}
    assert sorted(check.code for every in found.values() for check in every) == codes
    for stage, every in found.items():
        for check in every:
            assert check.find.__annotations__["view"] == f"{stage.title()}View", check.code
            assert all((check.about, check.why, check.source, check.instead))
            assert not check.why.endswith(".")
