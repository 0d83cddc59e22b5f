"""A first config for a table that is a series: numbers in even steps of time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from dlrun.config.yaml_writer import dump_yaml
from dlrun.data.reading.series import every
from dlrun.workflows.init.table import TableFacts, reasons

FEWEST_ROWS = 120
"""Tables of fewer rows are taken for plain ones."""

ROWS_A_WINDOW = 20
"""A window is no longer than the rows divided by this."""

MOST_SEEN = 48
"""Rows of a window that the model looks at, at most about."""

FEWEST_SEEN = 8
"""Windows of fewer rows go through a dense network."""

MANY_WINDOWS = 5_000
_DAY = 86_400.0
_PER_WEEK, _PER_YEAR = 7, 12


@dataclass(frozen=True)
class SeriesFacts:
    """The windows that suit a series.

    Args:
        usual: Seconds from one row to the next.
        lookback: Rows from a window's first to its last.
        step: Every so many of them are looked at.
        delay: Rows from a window's last row to its target.
    """

    usual: float
    lookback: int
    step: int
    delay: int

    @property
    def seen(self) -> int:
        """Rows of a window that the model looks at."""
        return -(-self.lookback // self.step)


def is_series(facts: TableFacts) -> bool:
    """Whether a table is a series of quantities, whichever of them is the target."""
    return (
        facts.usual is not None
        and facts.task == "regression"
        and facts.rows >= FEWEST_ROWS
        and not facts.categorical
        and not facts.sentences
        and facts.dialect.thousands is None
    )


def series_facts(facts: TableFacts) -> SeriesFacts | None:
    """Return the windows that suit a table, or None where it is no series, or where it is not told
    which of its quantities is to be predicted."""
    if not is_series(facts) or not facts.told:
        return None
    assert facts.usual is not None
    per_day = _DAY / facts.usual
    # Two days and a quarter of one ahead; of days four weeks, of months a year, and the next one.
    wanted, delay = 2 * round(per_day), round(per_day / 4)
    if per_day < 2:
        wanted, delay = (4 * _PER_WEEK if per_day > 0.5 else _PER_YEAR), 1
    lookback = min(wanted, facts.rows // ROWS_A_WINDOW)
    step = max(1, lookback // MOST_SEEN)
    return SeriesFacts(facts.usual, lookback, step, max(1, min(delay, lookback)))


def series_config(
    file: Path, relative: str, path: Path, facts: TableFacts, series: SeriesFacts
) -> str:
    """Return the commented config.

    Args:
        file: The table.
        relative: The same as the config names it.
        path: The config.
        facts: What the table tells.
        series: The windows.
    """
    quoted = shlex.quote(str(path))
    about = f"one {every(series.usual)}: {len(facts.numeric) + 1} quantities over time"
    impute = "  - impute: median              # missing numbers\n"
    gaps = bool(facts.missing) or facts.target_missing
    assert facts.time is not None
    return f"""# {facts.rows} rows of {file.name}, {about}.
#
#   dlrun check {quoted} --data  what is wrong with it
#   dlrun train {quoted}         train, and score on the rows that come last
#
# To use it as a plain table, each row predicted from the other columns of the same row: say
# `source: csv` and take out `time`, `lookback`, `step` and `delay` under dataset; take
# `Dense: {{units: 64, activation: relu}}` for the layers before the last; and under evaluation
# say `{dump_yaml({"time": facts.time}).strip()}`.

seed: 0

{_dataset(relative, facts, series)}
preprocess:                     # fitted on the training rows only
{impute if gaps else ""}  - standardize                 # each quantity: mean 0, deviation 1
  - targets: standardize        # scores stay in the target's own unit

{_model(facts, series)}"""


def _dataset(relative: str, facts: TableFacts, series: SeriesFacts) -> str:
    source = {"source": "timeseries", "path": relative, "target": facts.target, "time": facts.time}
    layout = facts.dialect
    if layout.separator is not None:
        source["separator"] = layout.separator
    if layout.decimal != ".":
        source["decimal"] = layout.decimal
    if layout.encoding != "utf-8":
        source["encoding"] = layout.encoding
    lines = dump_yaml(source).splitlines()
    windows = {
        f"lookback: {series.lookback}": "rows from a window's first to its last",
        f"step: {series.step}": "every so many of them is looked at",
        f"delay: {series.delay}": "rows from a window's last to the target",
    }
    lines += [f"{option:<30}# {meaning}" for option, meaning in windows.items()]
    if facts.dropped:
        inline = dump_yaml({"drop": list(facts.dropped)}).rstrip()
        lines += [f"# left out: {reasons(facts.dropped)}", inline]
    lines.append(f"{'test: {fraction: 0.2}':<30}# the last rows, sealed until `dlrun evaluate`")
    return "dataset:\n" + "".join(f"  {line}\n" for line in lines)


def _model(facts: TableFacts, series: SeriesFacts) -> str:
    layers = "    - GRU: 32\n"
    if series.seen < FEWEST_SEEN:
        layers = "    - Flatten\n    - Dense: {units: 32, activation: relu}\n"
    batch = 128 if facts.rows >= MANY_WINDOWS else 32
    return f"""architecture:
  layers:
{layers}    - Dense: 1   # one number, not limited

loss: mae
optimizer: {{adam: {{learning_rate: 0.001}}}}
metrics: [mae]

training:
  epochs: 30
  batch_size: {batch}
  callbacks:
    - EarlyStopping: {{monitor: val_loss, patience: 5, restore_best_weights: true}}

evaluation:
  protocol: holdout             # or time_series, where there are few rows
  validation: {{fraction: 0.2}}   # the last rows before those of the test
  score: mae
"""
