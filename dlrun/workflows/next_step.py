"""What a run leaves to do: the command that comes next, and the findings that are still open."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.run_directory import RunDirectory
from dlrun.store.run_list import can_go_on
from dlrun.text import display_path

if TYPE_CHECKING:
    from dlrun.config.schema import Config


def next_command(
    config: Config, directory: RunDirectory, has_test: bool, result: Mapping[str, Any]
) -> str:
    """Return the command that the workflow continues with.

    A run that beats the baseline is followed by the final model, trained on all non-test rows;
    the final model is scored on the test data, or predicts where there is none. A run that does
    not is followed by the first thing to try, or by its report.

    Args:
        config: Of the run.
        directory: The run.
        has_test: Whether there is test data.
        result: `verdict` and `suggestions`, as `result.json` holds them.
    """
    if is_final(config):
        return after_final(directory, has_test)
    verdict = result.get("verdict")
    if not verdict or verdict.get("beats_baseline"):
        return finalize_command(directory)
    # Without an interval nothing can be shown to be more than chance: any gain will do.
    if verdict.get("interval") is None and not verdict["difference"] <= 0:
        return finalize_command(directory)
    if suggestions := result.get("suggestions"):
        changes = " ".join(f"--set {shlex.quote(change)}" for change in suggestions[0]["set"])
        return f"dlrun train {shlex.quote(display_path(directory.resolved))} {changes}"
    return f"dlrun report {_place(directory)}"


def after_final(directory: RunDirectory, has_test: bool) -> str:
    """Return the command that comes after a final model."""
    where = _place(directory)
    return f"dlrun evaluate {where}" if has_test else f"dlrun predict {where} --input FILE"


def finalize_command(directory: RunDirectory) -> str:
    """Return the command that trains one model on all non-test rows with a run's settings."""
    return f"dlrun finalize {_place(directory)}"


def resume_command(directory: RunDirectory) -> str:
    """Return the command that goes on with a run that was broken off."""
    with suppress(RunError):
        if directory.read_run().get("plugins"):
            return f"dlrun resume {_place(directory)} --trust-plugins"
    return f"dlrun resume {_place(directory)}"


def what_helps(directory: RunDirectory) -> str:
    """Return the status of a run that lacks what is asked of it, and what to do."""
    status = directory.status
    helps = "train it again"
    if directory.trials.is_dir():
        helps = "it is a search, whose trials are the runs in its folder trials"
        if directory.has_result:
            best = directory.path / str(directory.read_result()["best"]["run"])
            helps = f"it is a search; its best trial is {_place(RunDirectory(best))}"
        return f"its status is '{status}'; {helps}"
    if status == "running":
        helps = "wait until it has ended"
    elif can_go_on(status, directory.read_run()):
        helps = f"go on with:\n  {resume_command(directory)}"
    return f"its status is '{status}'; {helps}"


def is_final(config: Config) -> bool:
    """Whether nothing is held out: the model is trained on all non-test rows."""
    # Imported here: `dlrun runs` must stay quick.
    from dlrun.protocols.schemes.holdout import Holdout

    protocol = config.evaluation.protocol
    return isinstance(protocol, Holdout) and protocol.holds_nothing_out


def _place(directory: RunDirectory) -> str:
    return shlex.quote(display_path(directory.path))


GRAVE = ("error", "warning")


def open_findings(directory: RunDirectory) -> dict[str, Any] | None:
    """Return `codes` of the warnings and errors, those of the errors that `--force` trained with as
    `forced`, and the command to `check`; None where there are none, or where they are not known.

    A final model holds nothing out, so that what concerns held-out rows was found in the run that
    it is made from, if that is still there.
    """
    codes, source = set(_codes(directory)), directory
    with suppress(RunError):
        if name := directory.read_run().get("parent"):
            folder = directory.path.parent
            parent = RunDirectory.open(folder / str(name), folder)
            if before := set(_codes(parent)):
                codes, source = codes | before, parent
    if not codes:
        return None
    config = shlex.quote(display_path(source.resolved))
    trust = " --trust-plugins" if source.read_run().get("plugins") else ""
    forced = [str(code) for code in source.read_run().get("forced") or ()]
    found = {"codes": sorted(codes), "check": f"dlrun check {config} --data{trust}"}
    return found | ({"forced": forced} if forced else {})


def _codes(directory: RunDirectory) -> list[str]:
    try:
        findings = directory.read_data().get("findings")
    except RunError:
        return []
    listed = findings if isinstance(findings, list) else []
    return [
        str(one["code"])
        for one in listed
        if isinstance(one, dict) and one.get("severity") in GRAVE and "code" in one
    ]
