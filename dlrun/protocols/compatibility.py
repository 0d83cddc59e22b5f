"""Whether the model's output can be compared with the targets at all.

Keras broadcasts some mismatches silently and reports others from deep inside a step.
"""

from __future__ import annotations

import numpy as np

from dlrun.errors import ComponentError, Path


def check_output(
    output_shape: tuple[int | None, ...], targets: np.ndarray, loss: str, path: Path
) -> None:
    """Refuse a last layer whose size does not fit the targets.

    Args:
        output_shape: The model's, with the batch axis.
        targets: (n,) or (n, k) as the loss sees them.
        loss: Keras' name of the loss.
        path: Where the last layer stands in the config.

    Raises:
        ComponentError: Says how many values the layer gives and how many are needed.
    """
    given = output_shape[-1]
    if loss.lower().replace("_", "").startswith("sparsecategorical"):
        needed = int(targets.max()) + 1
        if given is not None and given < needed:
            raise ComponentError(
                f"the last layer gives {given} {_values(given)}, but the targets have classes "
                f"0 to {needed - 1}; give it {needed} units",
                path,
            )
        return
    if len(output_shape) != 2:
        return
    needed = 1 if targets.ndim == 1 else targets.shape[1]
    if given != needed:
        kind = "class indices" if needed == 1 and (given or 0) > 1 else "targets"
        mend = (
            "use a sparse loss, or `targets: one_hot` in preprocess"
            if kind == "class indices" and np.issubdtype(targets.dtype, np.integer)
            else f"give it {needed} {'unit' if needed == 1 else 'units'}"
        )
        raise ComponentError(
            f"the last layer gives {given} {_values(given)}, but each row has {needed} "
            f"{'target' if needed == 1 else 'targets'} for the loss {loss}; {mend}",
            path,
        )


def _values(count: int | None) -> str:
    return "value" if count == 1 else "values"
