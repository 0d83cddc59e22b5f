"""What a config would build, or what a run has built, without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.config.load import load_config
from dlrun.config.schema import Config
from dlrun.errors import RunError
from dlrun.models.summary import LayerFacts, ModelSummary, summary_of
from dlrun.reports.graph_layout import LayerBox, ModelGraph, leads_in_a_circle
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.store.files import write_bytes
from dlrun.store.run_directory import RunDirectory
from dlrun.store.training_folder import TrainingFolder
from dlrun.text import shape_text
from dlrun.training.backend import start_backend
from dlrun.workflows.compare import check_picture
from dlrun.workflows.loading import components_located, start_and_load
from dlrun.workflows.plugins import load_run_config, runner

ROWS = 2
"""Rows that are prepared to see which shapes the model gets."""


@dataclass(frozen=True)
class ShownModel:
    """A model to show.

    Args:
        title: The config's name, or the run's.
        summary: What it consists of.
        note: A remark about it, or nothing.
    """

    title: str
    summary: ModelSummary
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {"model": self.title, **self.summary.as_dict(), "note": self.note or None}

    def rows(self, *, expand: bool = False) -> list[list[object]]:
        """Return a row a layer: name, class, where its inputs come from, the shape it gives,
        its weights, and whether training changes them.

        Args:
            expand: Also show the layers of models within the model, indented.
        """
        return list(_rows(self.summary.layers, 0, expand))

    def lines(self) -> list[str]:
        """Totals and memory, for a person to read."""
        summary, memory = self.summary, self.summary.memory
        frozen = summary.parameters - summary.trainable
        least = "at least " if memory.at_least else ""
        parts = [f"weights {_size(memory.weights)}"]
        if memory.optimizer is not None:
            parts.append(f"optimizer {_size(memory.optimizer)}")
        parts.append(
            f"activations {least}{_size(memory.activations)} for a batch of {memory.batch_size}"
        )
        lines = [
            f"parameters: {summary.parameters:,} ({summary.trainable:,} trainable, {frozen:,} not)",
            f"memory:     {', '.join(parts)}",
        ]
        return [*lines, self.note] if self.note else lines


def show_model(
    config_or_run: str | Path,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    runs_dir: str | Path = "runs",
    trust_plugins: bool = False,
    allow_outside: bool = False,
) -> ShownModel:
    """Build a config's model, or read that of a run, and list its layers.

    Nothing is trained or written, and no test rows are read. Of the data of a config everything
    is read that shapes depend on: a step such as `one_hot` learns its width from all rows.

    Args:
        config_or_run: A YAML file, a run directory, or the unique beginning of a run's name.
        overrides: `KEY=VALUE` changes to the config.
        seed: Used instead of the config's.
        runs_dir: Where to look for a run that is given by name.
        trust_plugins: Whether the Python files that `plugins` names may run.
        allow_outside: Whether the config may extend files outside its folder.

    Raises:
        ConfigError: The config is wrong, or Keras refused a part of it.
        DataError: The data cannot be used.
        RunError: There is no such run, or it has no model.
    """
    given = Path(config_or_run)
    if given.is_file() or given.suffix in (".yaml", ".yml"):
        config = load_config(
            given, overrides, seed, run_plugins=runner(trust_plugins), allow_outside=allow_outside
        )
        return ShownModel(config.name, summary_of(_built(config), config.training.batch_size))
    directory = RunDirectory.open(given, Path(runs_dir))
    folder: TrainingFolder = directory
    note = ""
    if not directory.has_model:
        folds = [fold for fold in directory.folds() if fold.has_model]
        if not folds:
            raise RunError(f"{directory.name} has no model: its status is '{directory.status}'")
        folder = folds[0]
        note = f"the model of the first of {len(folds)} folds; the others are built alike"
    config = load_run_config(directory, overrides, trust_plugins=trust_plugins)
    start_backend(config.backend)
    from dlrun.models.files import load_model

    summary = summary_of(folder.load_model(load_model), config.training.batch_size)
    return ShownModel(directory.name, summary, note)


def draw_model(shown: ShownModel, file: Path) -> None:
    """Draw a model as PNG or SVG, models within it as one box.

    Raises:
        UsageError: The file is neither PNG nor SVG.
        RunError: The file exists, or cannot be written.
    """
    from dlrun.reports.graph_drawing import draw_graph

    use_temporary_cache()
    check_picture(file)
    kind = file.suffix.lower().removeprefix(".")
    write_bytes(file, draw_graph(graph_of(shown.summary), shown.title, kind))


def graph_of(summary: ModelSummary) -> ModelGraph:
    """Return the layers of a model as boxes with their shapes, and what goes where.

    A layer that is used several times is one box, unless what it gives leads back to it: then
    every use has a box of its own.
    """
    graph = _graph(summary, apart=False)
    return _graph(summary, apart=True) if leads_in_a_circle(graph) else graph


def _graph(summary: ModelSummary, *, apart: bool) -> ModelGraph:
    by_name = {layer.name: layer for layer in summary.layers}
    boxes, edges = list[LayerBox](), list[tuple[str, str]]()
    for layer in summary.layers:
        boxes.append(_box(layer, by_name, summary.outputs))
        for number, (call, uses) in enumerate(zip(layer.calls, layer.uses, strict=True)):
            name = _use(layer.name, number if apart else 0)
            edges += [
                (_use(source, use if apart else 0), name)
                for source, use in zip(call, uses, strict=True)
            ]
            if name != layer.name:
                again = LayerBox(name, (layer.name, f"used again ({number + 1})"), boxes[-1].kind)
                boxes.append(again)
    return ModelGraph(tuple(boxes), tuple(dict.fromkeys(edges)))


def _use(name: str, number: int) -> str:
    """What a use of a layer is called in a graph; no layer's name holds a `/`."""
    return f"{name}/{number}" if number else name


def _built(config: Config) -> Any:
    """The config's model, compiled."""
    from dlrun.protocols.experiment import folds_of
    from dlrun.protocols.phases import fresh_model
    from dlrun.protocols.preparation import pipeline_of, prepare

    with components_located(config):
        _, dataset = start_and_load(config)
        train = dataset.samples.take(folds_of(config, dataset)[0].train)
        pipeline = pipeline_of(config, dataset, train)
        few = prepare(config, pipeline, train.take(slice(0, ROWS)))
        return fresh_model(config, pipeline, few.arrays, [], config.seed)


def _rows(layers: Sequence[LayerFacts], depth: int, expand: bool) -> Iterator[list[object]]:
    for layer in layers:
        trainable = f"{layer.trainable:,}" if layer.parameters else None
        if layer.parameters and layer.trainable in (0, layer.parameters):
            trainable = "yes" if layer.trainable else "no"
        yield [
            "  " * depth + layer.name,
            layer.kind,
            "; ".join(
                ", ".join(
                    f"{name}.{part}" if part else name for name, part in zip(*call, strict=True)
                )
                for call in zip(layer.calls, layer.parts, strict=True)
            )
            or None,
            ", ".join(map(shape_text, layer.outputs)) or None,
            layer.parameters,
            trainable,
        ]
        if expand:
            yield from _rows(layer.layers, depth + 1, expand)


def _box(layer: LayerFacts, by_name: Mapping[str, LayerFacts], outputs: Sequence[str]) -> LayerBox:
    given = ", ".join(map(shape_text, layer.outputs))
    if not layer.calls:
        return LayerBox(layer.name, (layer.name, f"input {given}"), "input")
    taken = []
    for call, parts in zip(layer.calls, layer.parts, strict=True):
        # A repeated shape is shown once, with its count.
        shapes = Counter(
            shape_text(by_name[name].outputs[part])
            for name, part in zip(call, parts, strict=True)
            if name in by_name
        )
        taken.append(", ".join(f"{n} × {text}" if n > 1 else text for text, n in shapes.items()))
    kind = layer.kind if len(layer.calls) == 1 else f"{layer.kind}, used {len(layer.calls)} times"
    inside = f"{len(layer.layers)} layers, " if layer.layers else ""
    lines = [layer.name, kind, f"{' | '.join(dict.fromkeys(taken))} → {given}"]
    if layer.parameters:
        frozen = "" if layer.trainable else ", frozen"
        lines.append(f"{inside}{layer.parameters:,} parameters{frozen}")
    if layer.name in outputs:
        lines.append("output")
    return LayerBox(layer.name, tuple(lines), "model" if layer.layers else "layer")


def _size(count: int) -> str:
    """Bytes in a unit that suits them."""
    size, units = float(count), ["B", "KB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if size >= 100 or units[0] == "B" else f"{size:.1f} {units[0]}"
