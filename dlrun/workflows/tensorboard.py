"""TensorBoard on the logs that runs have left behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlrun.errors import RunError, UsageError
from dlrun.store.files import refuse_links_out
from dlrun.store.names import run_names
from dlrun.store.run_directory import RunDirectory
from dlrun.text import display_path

PROGRAM = "tensorboard"
PORT = 6006
"""The port that TensorBoard listens on by default."""

EVENTS = "events.out.tfevents.*"
"""What TensorFlow calls its logs."""

CALLBACK = "training: {callbacks: [TensorBoard]}"


@dataclass(frozen=True)
class Board:
    """TensorBoard, ready to be started.

    Args:
        command: The program and its arguments.
        address: Where a browser finds it.
        runs: Names of the runs that it shows.
    """

    command: tuple[str, ...]
    address: str
    runs: tuple[str, ...]


def board_of(
    runs: Sequence[str | Path] = (), *, runs_dir: str | Path = "runs", port: int = PORT
) -> Board:
    """Find the logs of runs, and the program that shows them.

    Args:
        runs: Run directories, or the unique beginnings of their names; none for the newest run
            that has logs.
        runs_dir: Where to look for runs that are given by name.
        port: On which TensorBoard listens.

    Raises:
        RunError: There is no such run, or one without logs.
        UsageError: TensorBoard is not installed.
    """
    folder = Path(runs_dir)
    found = [RunDirectory.open(run, folder) for run in runs] or [_newest(folder)]
    for directory in found:
        if not has_logs(directory.path):
            raise RunError(
                f"{directory.name} has no logs of TensorBoard; train with the callback that writes "
                f"them: {CALLBACK}"
            )
    if len(found) == 1:
        logs = ["--logdir", str(found[0].path)]
    else:
        named = ",".join(f"{directory.name}:{directory.path}" for directory in found)
        logs = ["--logdir_spec", named]
    command = (_program(), *logs, "--port", str(port), "--host", "localhost")
    names = tuple(directory.name for directory in found)
    return Board(command, f"http://localhost:{port}", names)


def serve(board: Board) -> None:
    """Run TensorBoard until the user stops it.

    Raises:
        RunError: It ended with an error.
    """
    with subprocess.Popen(board.command) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            # A terminal interrupts TensorBoard too; a signal to dlrun alone has to be passed on.
            process.terminate()
            process.wait()
            return
    if status:
        raise RunError(f"TensorBoard ended with status {status}; its own message is above")


def has_logs(run: Path) -> bool:
    """Whether a run's callbacks have left logs of TensorBoard."""
    directory = RunDirectory(run)
    places = [folder.callbacks for folder in (directory, *directory.folds())]
    for place in places:
        refuse_links_out(run, place)
    return any(next(place.rglob(EVENTS), None) is not None for place in places)


def _newest(runs_dir: Path) -> RunDirectory:
    for name in run_names(runs_dir):
        if has_logs(runs_dir / name):
            return RunDirectory.open(runs_dir / name)
    raise RunError(
        f"no run in {display_path(runs_dir)} has logs of TensorBoard; train with the callback that "
        f"writes them: {CALLBACK}"
    )


def _program() -> str:
    beside = Path(sys.executable).parent / PROGRAM
    found = shutil.which(PROGRAM) or (str(beside) if beside.is_file() else None)
    if found is None:
        raise UsageError("TensorBoard is not installed; install it with: pip install tensorboard")
    return found
