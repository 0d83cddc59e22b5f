"""Arrays from npz and npy files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from pydantic import model_validator

from dlrun.data.lazy import in_memory
from dlrun.data.reading.arrays import ArrayFiles
from dlrun.data.reading.files import as_list, find_files, refuse_shared
from dlrun.data.reading.new_rows import read_new_rows
from dlrun.data.samples import Columns, ExpectedColumns, as_vector
from dlrun.data.source import FileSource, Loaded, Part
from dlrun.data.stored import too_large_to_hold
from dlrun.errors import DataError


class Npz(FileSource):
    """NumPy arrays by name: those of an npz file, or one npy file an array, named after the
    file (`x.npy` is `x`). npy files may be larger than memory, see `stream`. Arrays of Python
    objects are refused: reading them could run code."""

    path: str | list[str]
    """The npz file, or npy files as a list or a glob (`data/*.npy`)."""

    inputs: str | list[str] = "x"
    """Array that is the model's input, or several; the first axis is the row."""

    # Names an array: a wider type than that of other sources.
    targets: str | list[str] = "y"  # type: ignore[assignment]
    """Array to predict, or several; those of `inputs` may be among them. `input` is what the model
    gets after `preprocess`, as an autoencoder needs it; `[input]` is an array of that name."""

    stream: bool | None = None
    """Whether the inputs stay on disk and are read a batch at a time; npy files only. Default: if
    they would take more than a quarter of the machine's memory."""

    @model_validator(mode="after")
    def _options_fit(self) -> Npz:
        for option in ("inputs", "targets"):
            names = as_list(getattr(self, option))
            if not names:
                raise ValueError("`inputs` and `targets` must each name at least one array")
            if len(set(names)) != len(names):
                raise ValueError(f"`{option}` must not name an array twice")
        return self

    @property
    def _target_arrays(self) -> list[str]:
        return [] if self.reconstructs else as_list(self.targets)

    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        files = find_files(self.path, base)
        if part == "train":
            return self._loaded(ArrayFiles(files), files, extra, {})
        test_files = find_files(self.test_path, base)
        arrays = ArrayFiles(test_files)
        own = [*as_list(self.inputs), *self._target_arrays]
        renamed = {name: _test_name(name, arrays) for name in [*own, *extra]}
        if any(renamed[name] == name for name in own):
            refuse_shared(files, test_files)
        # Groups, times and weights belong to training; test files may do without them.
        extra = [name for name in extra if renamed[name] in arrays.names]
        return self._loaded(arrays, test_files, extra, renamed)

    def pinned(self, base: Path) -> Npz:
        arrays = ArrayFiles(find_files(self.path, base))
        if self.stream is not None or all(file.suffix == ".npz" for file in arrays.files):
            return self
        inputs = self._inputs(arrays, {}).values()
        return self.model_copy(update={"stream": not all(map(in_memory, inputs))})

    def read_new_rows(self, file: Path, columns: ExpectedColumns) -> Columns:
        return read_new_rows(file, columns, stream=self.stream)

    def _loaded(
        self,
        arrays: ArrayFiles,
        files: Sequence[Path],
        extra: Sequence[str],
        renamed: dict[str, str],
    ) -> Loaded:
        def read(names: Sequence[str]) -> Columns:
            return {name: arrays.read(renamed.get(name, name)) for name in names}

        features = self._inputs(arrays, renamed)
        targets = read(self._target_arrays)
        extras = read(extra)
        for name, array in chain(features.items(), targets.items()):
            if array.dtype.kind == "M":
                raise DataError(f"array '{name}' holds dates, which are neither feature nor target")
        rows = _common_length(files[0], features | targets | extras)
        place = files[0].name if len(files) == 1 else f"{len(files)} files"
        shapes = ", ".join(f"{name} {array.shape[1:]}" for name, array in features.items())
        return Loaded(
            features=features,
            targets={name: as_vector(array) for name, array in targets.items()},
            extras={name: as_vector(array) for name, array in extras.items()},
            description=f"{rows} rows of {shapes} from {place}",
        )

    def _inputs(self, arrays: ArrayFiles, renamed: dict[str, str]) -> Columns:
        held = {name: renamed.get(name, name) for name in as_list(self.inputs)}
        columns: Columns = {}
        for name, own in held.items() if self.stream is not False else ():
            if (column := arrays.stored(own)) is not None:
                columns[name] = column
            elif self.stream:
                raise DataError(
                    f"{arrays.file_of(own)}: rows of array '{own}' cannot be read one by one; save "
                    "it by `numpy.save` as a C-ordered npy file of its own, or leave out `stream`"
                )
        if not (self.stream or too_large_to_hold(sum(c.nbytes for c in columns.values()))):
            columns = {}
        return {n: columns[n] if n in columns else arrays.read(own) for n, own in held.items()}


def _test_name(name: str, arrays: ArrayFiles) -> str:
    """`x_train` is `x_test` among test arrays that have one."""
    other = name.replace("train", "test")
    return other if other in arrays.names else name


def _common_length(file: Path, columns: Columns) -> int:
    (first, rows), *others = ((name, len(array)) for name, array in columns.items())
    for name, found in others:
        if found != rows:
            raise DataError(f"{file}: array '{name}' has {found} rows, but '{first}' has {rows}")
    return rows
