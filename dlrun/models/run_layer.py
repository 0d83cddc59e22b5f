"""The trained model of another run as a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlrun.config.model_schema import RunLayer
from dlrun.errors import ComponentError, KeyPath, RunError
from dlrun.models.cutting import first_outputs, layer_of, node_of, sources_of
from dlrun.models.files import load_model
from dlrun.registry.names import did_you_mean
from dlrun.store.manifest import ChangedFileError
from dlrun.store.run_directory import RunDirectory
from dlrun.text import listed

MOST_NAMED = 12
"""Layers that a message names, at most."""


def build_run_layer(run: RunLayer, name: str, path: KeyPath) -> Any:
    """Return the model of a run, up to a layer if one is named, with the weights it has learnt.

    Args:
        run: Which run, and up to which layer.
        name: The model's name.
        path: The entry's place in the config.

    Raises:
        ComponentError: There is no such run, it has no single model, or no such layer.
    """
    import keras

    model = _load(Path(run.path), path)
    if run.until is None:
        outputs = model.outputs[0] if len(model.outputs) == 1 else model.output
    else:
        outputs = _output_of(model, run.until, path)
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.input
    return keras.Model(inputs, outputs, name=name)


def _load(folder: Path, path: KeyPath) -> Any:
    if not folder.is_dir():
        message = f"there is no run directory {folder}"
        raise ComponentError(message, (*path, "run"))
    directory = RunDirectory(folder)
    try:
        has_model = directory.has_model
    except RunError as error:
        raise ComponentError(str(error), (*path, "run")) from error
    if not has_model:
        what = "no trained model"
        if directory.folds():
            what = "a model for each fold but none trained on all rows: `dlrun finalize` trains one"
        raise ComponentError(f"the run {folder} has {what}", (*path, "run"))
    try:
        return directory.load_model(load_model)
    except RunError as error:
        message = str(error)
        facts = directory.read_run() if directory.run.is_file() else {}
        if not isinstance(error, ChangedFileError) and (plugins := facts.get("plugins")):
            files = listed(plugin["file"] for plugin in plugins)
            message = f"the run {folder} needs its {files}; name them under `plugins`, too"
        raise ComponentError(message, (*path, "run")) from error


def _output_of(model: Any, until: str, path: KeyPath) -> Any:
    """What a layer gives where the model calls it first; `nested.layer` is one within a model."""
    import keras

    first = first_outputs(model)
    if until in first:
        if (count := len(node_of(first[until]).output_tensors)) > 1:
            message = f"the layer '{until}' of the run's model gives {count} outputs"
            raise ComponentError(message, (*path, "run", "until"))
        return first[until]
    name, _, inside = until.partition(".")
    nested = layer_of(first[name]) if name in first else None
    if inside and isinstance(nested, keras.Model):
        part = keras.Model(nested.inputs, _output_of(nested, inside, path), name=name)
        given = sources_of(first[name])
        return part(given if len(given) > 1 else given[0])
    names = list(first)
    raise ComponentError(
        f"the run's model has no layer '{until}'"
        + (did_you_mean(until, names) or f"; it has {listed(names, most=MOST_NAMED)}"),
        (*path, "run", "until"),
    )
