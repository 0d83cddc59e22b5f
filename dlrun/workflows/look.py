"""Views of a run, or of the data of a config: pictures, and the numbers that they show."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dlrun.config.load import load_config
from dlrun.config.schema import Config
from dlrun.data.pipeline import Pipeline
from dlrun.data.samples import Dataset
from dlrun.data.source import Source
from dlrun.errors import RunError, UsageError
from dlrun.registry.families import VIEWS
from dlrun.registry.names import did_you_mean
from dlrun.reports.matplotlib_cache import use_temporary_cache
from dlrun.reports.sheet_drawing import sheet_png
from dlrun.store.files import make_folder
from dlrun.store.looks import ARRAYS, LOOK, KeptLook, add_look
from dlrun.store.recorded_files import RecordedFiles
from dlrun.store.run_directory import RunDirectory
from dlrun.store.training_folder import FoldDirectory, TrainingFolder
from dlrun.text import display_path, listed
from dlrun.training.backend import start_backend
from dlrun.views import View
from dlrun.views.parts.subject import Splits, Subject
from dlrun.workflows.evaluate import refuse_changed_data
from dlrun.workflows.execute import components_located
from dlrun.workflows.loading import load_rows, meaning_of_output, start_and_load
from dlrun.workflows.next_step import what_helps
from dlrun.workflows.plugins import load_run_config, runner

if TYPE_CHECKING:
    from dlrun.views import ViewResult


@dataclass(frozen=True, repr=False)
class Look:
    """One view, as it was kept.

    Args:
        kept: Its folder and files.
    """

    kept: KeptLook

    @property
    def path(self) -> Path:
        """The folder with `look.json`, `arrays.npz` and the pictures."""
        return self.kept.path

    @property
    def view(self) -> str:
        """The view's name."""
        return self.kept.view

    @property
    def facts(self) -> Mapping[str, Any]:
        """What `look.json` holds."""
        return self.kept.facts

    @property
    def lines(self) -> list[str]:
        """The result in plain words."""
        return list(self.kept.facts["lines"])

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The PNG files."""
        return self.kept.pictures

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The numbers of the pictures, by name."""
        if not (file := self.path / ARRAYS).is_file():
            return {}
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)

    def __repr__(self) -> str:
        """Where it is, and the result in plain words."""
        return "\n".join([f"{self.view}: {display_path(self.path)}", *self.lines])

    def _repr_html_(self) -> str:
        """What a notebook shows: the result in plain words, and the pictures."""
        from markupsafe import escape

        from dlrun.reports.html.looks import png_uri

        lines = "".join(f"<p>{escape(line)}</p>" for line in self.lines)
        uris = [png_uri(picture.read_bytes()) for picture in self.pictures]
        return lines + "".join(f'<img src="{uri}" alt="{self.view}">' for uri in uris)


def look(
    config_or_run: str | Path,
    views: Sequence[str] = (),
    *,
    overrides: Sequence[str] = (),
    runs_dir: str | Path = "runs",
    output: str | Path | None = None,
    trust_plugins: bool = False,
    allow_outside: bool = False,
) -> list[Look]:
    """Draw views and keep them, in `look/` of a run, or for a config in a folder.

    No test rows are read, unless an option of a view names their file.

    Args:
        config_or_run: A run directory, the unique beginning of a run's name, or a YAML file, of
            which only the data can be shown.
        views: Names of views; none draws those under `look` in the config.
        overrides: `KEY=VALUE` changes: of an option of `views`, or of the config.
        runs_dir: Where to look for a run that is given by name.
        output: The folder for the views of a config; default: `NAME-look` in the working directory.
        trust_plugins: Whether the Python files that `plugins` names may run.
        allow_outside: Whether the config may extend files outside its folder.

    Raises:
        ConfigError: The config, or an option of a view, is wrong.
        DataError: The data cannot be used.
        RunError: There is no such run, it has no model, or its data has changed.
        UsageError: There is no view to draw.
    """
    chosen = [*_as_overrides(views, overrides)]
    given = Path(config_or_run)
    if given.is_file() or given.suffix in (".yaml", ".yml"):
        config = load_config(
            given, chosen, run_plugins=runner(trust_plugins), allow_outside=allow_outside
        )
        subject = _of_config(config, given)
        root = Path(output) if output is not None else Path(f"{config.name}-look")

        def folder() -> tuple[RecordedFiles, Path]:
            make_folder(root.absolute())
            return RecordedFiles(root.absolute()), root.absolute()

        return _drawn(config, subject, folder)
    if output is not None:
        raise UsageError("the views of a run are kept in its folder; leave --output out")
    directory = RunDirectory.open(given, Path(runs_dir))
    config = load_run_config(directory, chosen, trust_plugins=trust_plugins)
    subject, note = _of_run(directory, config)
    kept_in = directory.files, directory.path / LOOK
    return _drawn(config, subject, lambda: kept_in, note)


def _as_overrides(views: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The views as an override of `look`, and those of their options in their places."""
    if not views:
        return list(overrides)
    names = VIEWS.names()
    for view in views:
        if view not in names:
            near = did_you_mean(view, names) or f"; there are {listed(names)}"
            raise UsageError(f"unknown view '{view}'{near}")
    placed = [f"look={json.dumps(list(views))}"]
    for override in overrides:
        key = override.partition("=")[0].strip().partition(".")[0]
        with_option = [n for n, view in enumerate(views) if key in VIEWS.get(view).options()]
        placed += [f"look.{n}.{views[n]}.{override.strip()}" for n in with_option] or [override]
    return placed


def _drawn(
    config: Config,
    subject: Subject,
    folder: Callable[[], tuple[RecordedFiles, Path]],
    note: str = "",
) -> list[Look]:
    if not config.look:
        names = listed(VIEWS.names())
        raise UsageError(f"the config has no views under 'look'; choose with --view: {names}")
    use_temporary_cache()
    looks = []
    with components_located(config):
        for number, component in enumerate(config.look):
            view, name = cast("View", component), component.member_name()
            if view.needs_model and not subject.has_model:
                continue
            result = view.look(subject.at(("look", number, name)))
            looks.append(_keep(result, view, *folder(), note))
    return looks


def _keep(result: ViewResult, view: View, files: RecordedFiles, folder: Path, note: str) -> Look:
    name, pictures = view.member_name(), dict[str, bytes]()
    for sheet in result.sheets:
        pictures[sheet.name.replace("/", "-")] = sheet_png(sheet)
    lines = [*result.lines, *([note] if note else [])]
    options = json.loads(view.model_dump_json(by_alias=True))
    facts = {"options": options, "lines": lines, **result.facts}
    return Look(add_look(files, folder, name, facts, result.arrays, pictures))


def _of_run(directory: RunDirectory, config: Config) -> tuple[Subject, str]:
    """What views see of a run, and a remark on which model it is."""
    folder, note = _folder_with_model(directory)
    index = folder.index if isinstance(folder, FoldDirectory) else 0

    def data() -> Dataset:
        dataset = start_and_load(config)[1]
        refuse_changed_data(directory, dataset, "so these are not the rows of the run")
        return dataset

    def splits(dataset: Dataset) -> Splits:
        prefix, found = f"fold{index:02d}_", directory.read_splits()
        return {n.removeprefix(prefix): r for n, r in found.items() if n.startswith(prefix)}

    def pipeline(dataset: Dataset) -> Pipeline:
        return Pipeline.from_state(*folder.read_preprocess())

    def model() -> Any:
        start_backend(config.backend)
        from dlrun.models.files import load_model

        return folder.load_model(load_model)

    return Subject(config, data, pipeline, splits, model, _meaning(config)), note


def _meaning(config: Config) -> Callable[..., Any]:
    return lambda output: meaning_of_output(config, output)


def _folder_with_model(directory: RunDirectory) -> tuple[TrainingFolder, str]:
    if directory.status in ("running", "died"):
        raise RunError(f"{directory.name} is not complete: {what_helps(directory)}")
    if directory.has_model:
        return directory, ""
    folds = [fold for fold in directory.folds() if fold.has_model]
    if not folds:
        raise RunError(f"{directory.name} has no model of its own to look at")
    note = f"this is the model of the first of {len(folds)} folds, on its own validation rows"
    return folds[0], note


def _of_config(config: Config, file: Path) -> Subject:
    """What views see of a config that was not trained: its data."""
    views = [cast("View", view) for view in config.look]
    if views and all(view.needs_model for view in views):
        raise UsageError(
            f"{listed(view.member_name() for view in views)}: this needs a trained model; train "
            f"one with `dlrun train {display_path(file)}`, then look at the run"
        )

    def data() -> Dataset:
        if Source.of(config).needs_keras:
            start_backend(config.backend)
        return load_rows(config)

    def splits(dataset: Dataset) -> Splits:
        from dlrun.protocols.experiment import folds_of

        fold, rows = folds_of(config, dataset)[0], dataset.samples.rows
        held_out = fold.scored if fold.scored is not None else np.array([], np.int64)
        return {"train": rows[fold.train], "validation": rows[held_out]}

    def pipeline(dataset: Dataset) -> Pipeline:
        from dlrun.protocols.preparation import pipeline_of

        rows = splits(dataset)["train"]
        train = dataset.samples.take(np.searchsorted(dataset.samples.rows, rows))
        return pipeline_of(config, dataset, train)

    return Subject(config, data, pipeline, splits, None, _meaning(config))
