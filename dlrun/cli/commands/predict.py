"""`dlrun predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Unpack

import click

from dlrun.cli.options import RunOptions, echo, run_argument, run_options
from dlrun.text import counted, visible


@click.command(name="predict", short_help="Predict new rows with a run's model.")
@run_argument
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path), metavar="[INPUT]...")
@click.option(
    "--input",
    "input_file",
    type=click.Path(path_type=Path),
    help="The same as INPUT.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="CSV, Parquet or npz file to write, or a folder of PNG pictures where a class or value of "
    "each pixel is predicted; default: CSV on standard output.",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Leave cells of CSV as they are that begin with =, +, -, @ or a tab; without it, they get "
    "an apostrophe, so that no spreadsheet takes them for formulas.",
)
@run_options
def command(
    run_dir: Path,
    inputs: tuple[Path, ...],
    input_file: Path | None,
    output: Path | None,
    raw: bool,
    as_json: bool,
    **options: Unpack[RunOptions],
) -> None:
    """Predict new rows with the model of RUN_DIR, prepared exactly as its training rows were.

    INPUT is a CSV, TSV, JSON lines, Parquet, npz or npy file with the run's feature columns; for
    a run on pictures it is a picture or a folder of them, and there may be several.

    \b
    Examples:
      dlrun predict runs/20261121-101530-houses-3f2a --input new.csv
      dlrun predict runs/20261121-101530-houses-3f2a --input new.csv --output prices.csv
      dlrun predict runs/20261121-101530-photos-3f2a holiday/ cat.jpg
      dlrun predict runs/20261121-101530-cells-3f2a scans/ --output masks
    """
    from dlrun.cli.options import print_json
    from dlrun.errors import UsageError
    from dlrun.workflows.predict import predict
    from dlrun.workflows.prediction_files import as_csv, check_output_file, save_predictions

    given = [*inputs, *([] if input_file is None else [input_file])]
    if not given:
        raise UsageError("nothing to predict: name a file with new rows")
    if output is not None:
        check_output_file(output)
    predictions = predict(run_dir, given, **options)
    for finding in predictions.findings:
        echo(f"note: {finding}", err=True)
    if output is not None:
        save_predictions(predictions, output, raw=raw)
        if not as_json:
            echo(f"wrote {counted(len(predictions), 'prediction')} to {output}")
    if as_json:
        rows = {} if output else {"predictions": predictions.table.to_dict(orient="records")}
        facts = {"rows": len(predictions), "output": output, **rows}
        print_json({**facts, "findings": list(predictions.findings)})
    elif output is None:
        csv = as_csv(predictions, raw=raw)
        click.echo(visible(csv) if sys.stdout.isatty() else csv, nl=False)
