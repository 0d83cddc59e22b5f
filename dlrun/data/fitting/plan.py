"""Which columns feed which input of a model that has several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlrun.data.samples import Columns
from dlrun.data.step import listed
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean

Plan = Mapping[str, Sequence[str]]
"""Input name to the columns that feed it; empty for one input of all columns."""


def planned(plan: Plan, features: Columns) -> Columns:
    """The columns that feed an input, in the order of the source."""
    wanted = {column for columns in plan.values() for column in columns}
    if absent := sorted(wanted - features.keys()):
        raise DataError(
            f"there is no column '{absent[0]}' for an input of the model"
            f"{did_you_mean(absent[0], features) or '.'} The columns here are: "
            f"{listed(list(features))}"
        )
    return {name: column for name, column in features.items() if name in wanted}


def found_again(
    plan: Plan, before: Columns, made: Columns, companions: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the columns of each input after all steps: each that is left, and its companions.

    Args:
        plan: The columns of each input before the steps.
        before: The columns that there were.
        made: The columns that there are now.
        companions: New columns, each with the column that it belongs to.
    """
    owners = {new: _owner(new, before, companions) for new in made if new not in before}
    inputs: dict[str, tuple[str, ...]] = {}
    for name, columns in plan.items():
        found: list[str] = []
        for column in columns:
            found += [column] if column in made else []
            found += [new for new, owner in owners.items() if owner == column]
        if not found:
            raise DataError(f"the steps leave nothing of {listed(columns)} for the input '{name}'")
        inputs[name] = tuple(found)
    return inputs


def _owner(new: str, before: Columns, companions: Mapping[str, str]) -> str | None:
    """The column that a new one belongs to: as its step says, else the longest that its name begins
    with."""
    if companions.get(new) in before:
        return companions[new]
    return max((name for name in before if new.startswith(name)), key=len, default=None)
