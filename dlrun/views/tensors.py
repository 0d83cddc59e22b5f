"""What tensors a model is trained on: rank, shape, dtype, range and memory.

Source: Deep Learning with Python, section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from dlrun.data.inputs import parts_of
from dlrun.data.lazy import LazyArray, blocks
from dlrun.reports.sheets import TableSheet
from dlrun.scoring.model_scores import truths_of
from dlrun.text import counted, figure, shape_text
from dlrun.views import View, ViewResult
from dlrun.views.parts.subject import Subject

MOST_DRAWN = 24
"""Tensors of the picture; the others are in `look.json`."""


class Tensors(View):
    """List every input and target of the training rows before and after preprocessing, of all rows
    and of a batch, with rank, shape, dtype, range and memory, and count the updates of an epoch."""

    needs_model: ClassVar[bool] = False

    def look(self, subject: Subject) -> ViewResult:
        config, train = subject.config, subject.part("train")
        batch = config.training.all_phases[0].batch_size or config.training.batch_size
        tables: list[dict[str, Any]] = []
        columns = {**train.features, **{f"target {n}": c for n, c in train.targets.items()}}
        tables += [_facts("data", name, column) for name, column in columns.items()]
        inputs = {name or "input": one for name, one in parts_of(subject.inputs(train)).items()}
        truths = truths_of(subject.pipeline, train)
        targets = {f"target {name or ''}".strip(): one.for_loss for name, one in truths.items()}
        for name, one in {**inputs, **targets}.items():
            tables.append(_facts("model", name, one))
            few = one[slice(0, batch)]
            tables.append(_facts("batch", name, few))
        steps = math.ceil(len(train) / batch)
        epochs = config.training.epochs
        updates = f"{counted(steps, 'update')} an epoch, {steps * epochs:,} in all"
        lines = [f"{counted(len(train), 'training row')} in batches of {batch}: {updates}"]
        lines += [
            f"{one['name']}: rank {one['rank']}, {one['shape']}, {one['dtype']}, {_range(one)}"
            for one in tables
            if one["of"] == "model"
        ]
        header = ["of", "name", "rank", "shape", "dtype", "least to greatest (mean)", "memory"]
        rows = [
            [one["of"], one["name"], str(one["rank"]), one["shape"], one["dtype"], _range(one),
             _size(one["bytes"])]
            for one in [*tables[len(columns) :], *tables[: len(columns)]][:MOST_DRAWN]
        ]  # fmt: skip
        note = "model: as the model is trained on it; batch: the first of it; data: as it was read"
        sheet = TableSheet("tensors", f"{config.name}: tensors", header, rows, note)
        facts = {"tensors": tables, "updates_per_epoch": steps, "updates": steps * epochs}
        return ViewResult(lines, facts, {}, [sheet])


def _facts(of: str, name: str, array: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "of": of,
        "name": name,
        "rank": len(array.shape),
        "shape": shape_text(array.shape),
        "dtype": "text" if _is_text(array) else str(array.dtype),
        "bytes": int(array.nbytes),
    }
    return {**facts, **_numbers(array)}


def _is_text(array: Any) -> bool:
    return array.dtype == object and any(isinstance(value, str) for value in array[:10])


def _numbers(array: Any) -> Mapping[str, float | int | None]:
    """Least, mean and greatest value, and how many are missing; nothing of texts."""
    if array.dtype.kind not in "biuf":
        return {}
    least, most, total, count, missing = math.inf, -math.inf, 0.0, 0, 0
    for block in _blocks(array):
        values = np.asarray(block, np.float64)
        there = values[np.isfinite(values)]
        missing += values.size - there.size
        if there.size:
            least, most = min(least, float(there.min())), max(most, float(there.max()))
            total, count = total + float(there.sum()), count + there.size
    if not count:
        return {"missing": missing}
    return {"least": least, "mean": total / count, "greatest": most, "missing": missing}


def _blocks(array: Any) -> Iterator[Any]:
    if isinstance(array, LazyArray):
        yield from blocks(array)
    else:
        yield array


def _range(facts: Mapping[str, Any]) -> str:
    if "mean" not in facts:
        return ""
    ends = f"{figure(facts['least'])} to {figure(facts['greatest'])} ({figure(facts['mean'])})"
    return f"{ends}, {facts['missing']:,} missing" if facts["missing"] else ends


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{figure(round(count / size, 1))} {unit}"
    return f"{count} bytes"
