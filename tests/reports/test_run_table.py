"""A table of runs: what all have in common once, what differs in columns, never too wide."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.config.schema import Training
from dlrun.reports.columns import Column, fitted, shortened_apart
from dlrun.reports.differences import UNSET
from dlrun.reports.run_table import RunTable, run_table
from dlrun.reports.summary import ends_text
from dlrun.store.run_list import RunEntry


def entry(number: int, **given_facts: Any) -> RunEntry:
    result = {
        "protocol": "holdout",
        "best_epoch": number,
        "score": {
            "name": "accuracy",
            "direction": "max",
            "value": 0.9 + number / 100,
            "interval": {"low": 0.88, "high": 0.95, "level": 0.95},
        },
        "baseline": {"value": 0.1},
    }
    facts = {
        "name": "digits",
        "seconds": 12.0 * number,
        "config": {"seed": 0, "optimizer": {"adam": {"learning_rate": 0.1**number}}},
        "result": result,
    } | given_facts
    path = Path("runs") / f"20261121-10153{number}-digits-000{number}"
    return RunEntry(path, given_facts.get("status", "finished"), facts)


def titles(table: RunTable) -> list[str]:
    return [column.title for column in table.columns]


def column(table: RunTable, title: str) -> tuple[str, ...]:
    (found,) = [column.cells for column in table.columns if column.title == title]
    return found


def test_what_all_have_in_common_is_said_once() -> None:
    table = run_table([entry(1), entry(2)])
    assert table.common == ("digits", "finished", "holdout", "baseline 0.100")
    assert titles(table) == [
        "run", "id", "accuracy", "95% interval", "best epoch", "time", "learning_rate",
    ]  # fmt: skip
    assert column(table, "run") == ("20261121-101531", "20261121-101532")
    assert column(table, "id") == ("0001", "0002")
    assert column(table, "accuracy") == ("0.910", "0.920")
    assert column(table, "95% interval") == ("0.880 to 0.950",) * 2
    assert column(table, "time") == ("12 s", "24 s")
    assert column(table, "learning_rate") == ("0.1", "0.01")


def test_what_differs_has_a_column() -> None:
    other = entry(2, name="iris", status="failed", result=None, seconds=None)
    table = run_table([entry(1), other])
    assert table.common == ("finished",) or "finished" not in table.common
    assert column(table, "name") == ("digits", "iris")
    assert column(table, "status") == ("finished", "failed")
    assert column(table, "protocol") == ("holdout", "")
    assert column(table, "accuracy") == ("0.910", "")
    assert column(table, "time") == ("12 s", "")


def test_runs_of_different_measures_say_which() -> None:
    loss = {"score": {"name": "loss", "direction": "min", "value": 0.25}}
    table = run_table([entry(1), entry(2, result=loss)])
    assert column(table, "score") == ("accuracy 0.910", "loss 0.2500")


def test_runs_that_began_in_the_same_second_are_told_apart() -> None:
    twins = [RunEntry(Path(f"20261121-101530-x-000{n}"), "finished", {}) for n in (1, 2)]
    assert column(run_table(twins), "id") == ("0001", "0002")


def of_source(number: int, dataset: dict[str, Any], **more: Any) -> RunEntry:
    layers = [{"Dense": {"units": 2**number}}]
    given = {"architecture": {"layers": layers}, "training": {"epochs": 5 * number}} | more
    return entry(number, config={"dataset": dataset, **given})


def test_options_of_different_sources_have_no_columns() -> None:
    table = {"source": "csv", "path": "a.csv", "types": {}, "header": True, "decimal": "."}
    photos = {"source": "image_folder", "path": "photos", "size": [64, 64], "color": "rgb"}
    entries = [of_source(1, table), of_source(2, photos), of_source(3, table)]
    shown = titles(run_table(entries))
    assert shown[-4:] == ["source", "units", "epochs", "path"]
    kept, _ = fitted(run_table(entries).columns, 110)
    assert {"best epoch", "time", "source", "units", "epochs"} <= {c.title for c in kept}
    # Of one source, its options are what was varied.
    other = of_source(2, table | {"decimal": ","})
    assert "decimal" in titles(run_table([of_source(1, table), other]))


def test_an_option_that_is_absent_is_a_column_only_where_it_was_set() -> None:
    data = {"source": "csv", "path": "a.csv"}
    without = of_source(1, data, evaluation={"validation": 0.2})
    usual = of_source(2, data, evaluation={"validation": 0.2, "shuffle": True})
    changed = of_source(3, data, evaluation={"validation": 0.2, "shuffle": False})
    assert "shuffle" not in titles(run_table([without, usual]))
    assert column(run_table([without, changed]), "shuffle") == ("–", "false")


def test_what_is_used_unless_a_config_says_otherwise_is_known() -> None:
    usual = {str(key[1]): value for key, value in UNSET.items() if key[0] == "training"}
    assert usual == {name: Training().model_dump()[name] for name in usual}


def test_deep_differences_of_layers_stay_different() -> None:
    """Lists of layers that begin alike, of which a cell holds the beginning alone."""
    entries = []
    for number, rate in enumerate((0.001, 0.0001, 0.001)):
        dense = {"Dense": {"units": 32, "kernel_regularizer": {"L2": {"l2": rate}}}}
        last = [{"Dropout": {"rate": 0.5}}] if number == 2 else []
        config = {"architecture": {"layers": [dense, dense, *last]}}
        entries.append(entry(number, config=config))
    cells = column(run_table(entries), "layers")
    assert len(set(cells)) == 3
    assert max(map(len, cells)) <= 28


@given(st.lists(st.text("ab(, ", max_size=60), min_size=1, max_size=5))
def test_texts_are_cut_so_that_different_ones_stay_different(texts: list[str]) -> None:
    cut = shortened_apart(texts, 40)
    assert max(map(len, cut)) <= 40
    for (one, other), (short, other_short) in zip(
        itertools.combinations(texts, 2), itertools.combinations(cut, 2), strict=True
    ):
        assert (one == other) == (short == other_short)


def test_a_damaged_run_is_named_with_what_is_wrong() -> None:
    damaged = RunEntry(Path("20261121-101530-x-0001"), "damaged", {}, "run.json is not JSON")
    table = run_table([entry(1), damaged])
    assert column(table, "status") == ("finished", "damaged")
    assert table.damaged == (("damaged", "20261121-101530-x-0001", "run.json is not JSON"),)
    # It does not count as a config in which everything is missing.
    assert "learning_rate" not in titles(table)


columns = st.builds(
    Column,
    title=st.text("abc", min_size=1, max_size=12),
    cells=st.tuples(st.text("xyz", max_size=20), st.text("xyz", max_size=20)),
    rank=st.integers(0, 30),
)


@given(st.lists(columns, max_size=12, unique_by=lambda c: c.title), st.integers(1, 120))
def test_a_fitted_table_is_never_too_wide(some: list[Column], width: int) -> None:
    kept, left_out = fitted(some, width)
    assert sum(c.width for c in kept) + 2 * max(len(kept) - 1, 0) <= width
    assert sorted([*(c.title for c in kept), *left_out]) == sorted(c.title for c in some)
    assert [c for c in some if c in kept] == list(kept)


def test_80_columns_hold_the_score_its_interval_and_what_was_varied() -> None:
    entries = [entry(n, name=f"a-rather-long-name-of-an-experiment-{n}") for n in (1, 2)]
    kept, _ = fitted(run_table(entries).columns, 80)
    assert {"run", "name", "accuracy", "learning_rate"} <= {c.title for c in kept}
    _, left_out = fitted(run_table([entry(1), entry(2)]).columns, 80)
    assert left_out == ()


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ({"low": 0.9321, "high": 0.9812}, "0.932 to 0.981"),
        ({"low": 2.1, "high": 2.9}, "2.10 to 2.90"),
        ({"low": -12.3, "high": 45.6}, "-12 to 46"),
        ({"low": 10_000, "high": 30_000}, "10000 to 30000"),
        ({"low": 0.5, "high": 0.5}, "0.5 to 0.5"),
        (None, ""),
        ({"low": None, "high": 1.0}, ""),
    ],
)
def test_an_interval_has_the_digits_that_tell_its_ends_apart(interval: Any, text: str) -> None:
    assert ends_text(interval) == text
