"""Taking columns out of the features of sources that are not read by column."""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.data.samples import Columns
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean


def split_extras(features: Columns, extra: Sequence[str], source: str) -> tuple[Columns, Columns]:
    """Return the features without the `extra` columns, and these columns.

    Raises:
        DataError: There is no such column, or no feature is left; `source` names the data.
    """
    for name in extra:
        if name not in features:
            suggestion = did_you_mean(name, features)
            listing = f"{suggestion} The" if suggestion else "; the"
            raise DataError(
                f"{source}: no column '{name}'{listing} columns are: {', '.join(features)}"
            )
    kept = {name: column for name, column in features.items() if name not in extra}
    if not kept:
        raise DataError(f"{source}: no feature is left")
    return kept, {name: features[name] for name in extra}
