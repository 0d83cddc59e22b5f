"""Every broken array file, and every wrong use of bundled data, gets its message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlrun.data.source import Source
from dlrun.data.sources.npz import Npz
from dlrun.data.sources.sklearn import Sklearn


def npz(**options: Any) -> Callable[[], Source]:
    return lambda: Npz.model_validate({"path": "d.npz", **options})


# What is broken: the files, the source, how it is loaded, the message.
CASES: dict[str, tuple[dict[str, Any], Callable[[], Source], dict[str, Any], str]] = {
    "damaged npz": (
        {"d.npz": b"PK\x03\x04 cut off"},
        npz(),
        {},
        "{d.npz}: not an npz file, or damaged: File is not a zip file",
    ),
    "unknown array": (
        {"d.npz": {"images": np.zeros((3, 2)), "label": np.arange(3)}},
        npz(inputs="image", targets="label"),
        {},
        "{d.npz}: no array 'image'; did you mean 'images'? The arrays are: images, label",
    ),
    "arrays of different length": (
        {"d.npz": {"x": np.zeros((3, 2)), "y": np.arange(4)}},
        npz(),
        {},
        "{d.npz}: array 'y' has 4 rows, but 'x' has 3",
    ),
    "object array in an npz": (
        {"d.npz": {"x": np.asarray([[1], [2, 3]], dtype=object), "y": np.arange(2)}},
        npz(),
        {},
        "{d.npz}: array 'x' holds Python objects, which are not read because reading them can "
        "run code; save sequences padded to one length, or as lists in a JSON lines or Parquet "
        "file for `source: csv`",
    ),
    "object array in an npy": (
        {"x.npy": np.asarray([[1], [2, 3]], dtype=object), "y.npy": np.arange(2)},
        npz(path="*.npy"),
        {},
        "{x.npy}: array 'x' holds Python objects, which are not read because reading them can "
        "run code; save sequences padded to one length, or as lists in a JSON lines or Parquet "
        "file for `source: csv`",
    ),
    "complex numbers": (
        {"d.npz": {"x": np.zeros(3, dtype=complex), "y": np.arange(3)}},
        npz(),
        {},
        "{d.npz}: array 'x' is of dtype complex128; numbers, true/false, or one text a row are "
        "needed",
    ),
    "single value": (
        {"d.npz": {"x": np.asarray(3), "y": np.arange(3)}},
        npz(),
        {},
        "{d.npz}: array 'x' is a single value; one entry a row is needed",
    ),
    "no rows": (
        {"d.npz": {"x": np.zeros((0, 2)), "y": np.arange(0)}},
        npz(),
        {},
        "{d.npz}: array 'x' has no rows",
    ),
    "NaN in the targets of an npz": (
        {"d.npz": {"x": np.zeros((8, 2)), "y": np.asarray([0, np.nan, 2, np.inf] + [np.nan] * 4)}},
        npz(),
        {},
        "the target 'y' is missing or infinite in row 1 (counted from 0) and in 5 more; fix or "
        "remove these rows",
    ),
    "the same array name twice": (
        {"a.npz": {"x": np.zeros(3)}, "b.npz": {"x": np.zeros(3)}},
        npz(path=["a.npz", "b.npz"]),
        {},
        "{b.npz}: array 'x' is also in {a.npz}; arrays are told apart by name",
    ),
    "table given to npz": (
        {"d.csv": "a,y\n1,2\n"},
        npz(path="d.csv"),
        {},
        "{d.csv}: neither npz nor npy; `source: csv` reads tables",
    ),
    "npz that tests on its training rows": (
        {"d.npz": {"x": np.zeros((3, 2)), "y": np.arange(3)}},
        npz(test={"path": "d.npz"}),
        {"test": True},
        "{d.npz}: also named by `path`; rows that are scored must not be trained on",
    ),
    "limit that leaves one class": (
        {},
        lambda: Sklearn(name="iris", limit=40),
        {},
        "the target 'target' has the same value (0) in all 40 rows; let `limit` keep more, or "
        "`random: 40`",
    ),
    "unknown column of a bundled data set": (
        {},
        lambda: Sklearn(name="iris"),
        {"groups": "petal length"},
        "iris: no column 'petal length'; did you mean 'petal length (cm)'? The columns are: "
        "sepal length (cm), sepal width (cm), petal length (cm), petal width (cm)",
    ),
    "validation file of a bundled data set": (
        {},
        lambda: Sklearn(name="iris"),
        {"validation": "v.csv"},
        "the source 'sklearn' reads no files, so it cannot read v.csv",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_array_gets_its_message(case, write, refusal):
    files, source, options, expected = CASES[case]
    write(files)
    assert refusal(source(), **options) == expected
