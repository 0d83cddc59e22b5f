"""The members of an ensemble: how many models it averages, and which."""

from __future__ import annotations

from typing import Any

from dlrun.errors import RunError
from dlrun.store.manifest import ChangedFileError
from dlrun.store.recorded_files import Fault
from dlrun.store.run_directory import RunDirectory
from dlrun.store.training_folder import FOLDS, FoldDirectory


def member_hashes(run: RunDirectory) -> list[dict[str, Any]]:
    """Return the number of each fold of an ensemble that is being made, and the SHA-256 of what its
    predictions depend on."""
    run.update_manifest()
    return [{"fold": fold.index, **_hashes(fold)} for fold in run.folds()]


def ensemble_members(run: RunDirectory) -> tuple[FoldDirectory, ...] | None:
    """Return the members of an ensemble, or None if the run is none.

    Raises:
        ChangedFileError: One is missing, or is not the one that the ensemble was made of.
    """
    facts = run.read_run()
    if not facts.get("ensemble"):
        return None
    folds = {fold.index: fold for fold in run.folds()}
    again = "make the ensemble again with dlrun finalize --ensemble"
    if len(folds) != facts["ensemble"]:
        what = f"holds {len(folds)} of the {facts['ensemble']} models that it averages"
        raise ChangedFileError(run.path, what, f"restore the others from a copy, or {again}")
    for member in facts.get("members") or ():
        fold = folds.get(member.get("fold"))
        if fold is None or not _hashes(fold).items() <= member.items():
            where = run.path / FOLDS / f"{member.get('fold'):02}"
            what = "is not the fold that the ensemble was made of"
            raise ChangedFileError(where, what, f"restore it from a copy, or {again}")
    return tuple(folds.values())


def verify_run(run: RunDirectory) -> list[Fault]:
    """Read every file of a run, and return what is wrong; empty if nothing is, or without a
    manifest."""
    faults = run.files.faults()
    if not faults:
        try:
            ensemble_members(run)
        except RunError as error:
            faults.append(Fault.of(FOLDS, error))
    return faults


def _hashes(fold: FoldDirectory) -> dict[str, str]:
    return fold.files.hashes(fold.model, fold.preprocess, fold.preprocess_arrays)
